"""The demo's model: the probability that a flight which has just left arrives more than 15 minutes late.

A gradient boosting classifier over what is known at departure. Weather stays out: it changes with the season, and
every comparison with January would do nothing but announce the spring.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeltrail.demo.flights import Flight

__all__ = [
    "FEATURES",
    "LATE_MINUTES",
    "MODEL_ID",
    "MODEL_VERSION",
    "LateArrivalModel",
    "feature_values",
    "is_held_out",
    "train",
]

MODEL_ID = "flights-delay"
MODEL_VERSION = "1.0.0"

LATE_MINUTES = 15
"""An arrival later than this many minutes is late."""

FEATURES = ("dep_delay", "distance", "hour", "weekday", "carrier", "origin", "dest")
"""Names of what the model looks at, in its order; the last three are categories."""

_CATEGORIES = 3
_PARTS = 10
_HELD_OUT = 3  # of ten flights
_TREES = 60
_LEAVES = 15


@dataclass(frozen=True)
class LateArrivalModel:
    """A trained model with what is known about its training.

    `rows` flights trained it, the `held_out` ones tested it: `auc` is the area under the ROC curve on those.
    """

    pipeline: Any
    rows: int
    held_out: int
    auc: float

    def scores(self, flights: Sequence[Flight]) -> NDArray[np.float64]:
        """Return for each flight, which must have left, the probability (0 to 1) that it arrives late."""
        if not flights:
            return np.empty(0)
        return np.asarray(self.pipeline.predict_proba(_table(flights))[:, 1], dtype=np.float64)


def is_held_out(flight: Flight) -> bool:
    """Whether a flight of the training months measures the model instead of training it: three of ten do.

    They are spread over all days, so that they also are what the model's world looked like: its baseline.
    """
    return zlib.crc32(flight.item_id.encode()) % _PARTS < _HELD_OUT


def feature_values(flight: Flight) -> tuple[int | str | None, ...]:
    """Return the values of FEATURES for a flight."""
    return (
        flight.departure_delay,
        flight.distance,
        flight.hour,
        flight.weekday,
        flight.carrier,
        flight.origin,
        flight.destination,
    )


def train(flights: Sequence[Flight]) -> LateArrivalModel:
    """Train on seven of ten of those of `flights` that arrived; the rest measures the model.

    The same flights in the same order make the same model. ValueError when either part is empty.
    """
    # Imported here: everybody who wants the model's name would wait for it.
    from sklearn.compose import make_column_transformer  # noqa: PLC0415
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import OrdinalEncoder  # noqa: PLC0415

    arrived = [flight for flight in flights if flight.arrival_delay is not None]
    held_out = np.fromiter(map(is_held_out, arrived), dtype=bool, count=len(arrived))
    if held_out.all() or not held_out.any():
        raise ValueError(f"flights: {len(arrived)} arrivals are too few, to learn from some and measure on others")
    table = _table(arrived)
    late = np.fromiter(((flight.arrival_delay or 0) > LATE_MINUTES for flight in arrived), dtype=bool)
    numbers = len(FEATURES) - _CATEGORIES
    # Eleven destinations are first flown to after February: a category that is unknown counts as missing.
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    pipeline = make_pipeline(
        make_column_transformer((codes, list(range(numbers, len(FEATURES)))), remainder="passthrough"),
        HistGradientBoostingClassifier(
            max_iter=_TREES,
            max_leaf_nodes=_LEAVES,
            early_stopping=False,
            categorical_features=list(range(_CATEGORIES)),
            random_state=2013,
        ),
    )
    pipeline.fit(table[~held_out], late[~held_out])
    found = pipeline.predict_proba(table[held_out])[:, 1]
    return LateArrivalModel(
        pipeline, int((~held_out).sum()), int(held_out.sum()), float(roc_auc_score(late[held_out], found))
    )


def _table(flights: Sequence[Flight]) -> NDArray[np.object_]:
    table = np.empty((len(flights), len(FEATURES)), dtype=object)
    table[:] = [feature_values(flight) for flight in flights]
    return table
