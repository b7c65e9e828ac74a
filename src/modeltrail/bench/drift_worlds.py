"""Simulated models for `modeltrail bench drift-quality`: what their features look like, and what happens to them.

Twenty features: eleven normal, three exponential, one normal of which 5 % are missing, five categorical with eight
categories of unequal weight. A baseline is 10,000 rows.

    independent   nothing happens
    sessions      nothing happens; rows come in sessions of five that are alike in every feature
    wobble        the mean of every numeric feature moves by .05 standard deviations, anew in each window
    shift .2 ...  one feature changes for good, the others do not
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CATEGORIES", "CHANGES", "FEATURES", "QUIET", "REFERENCE_ROWS", "Change", "Values", "draw", "is_categorical"]

Values = NDArray[np.float64]
"""Of one feature: numbers, or codes of categories; NaN where missing."""

FEATURES = 20
REFERENCE_ROWS = 10_000
CATEGORIES = 8
QUIET = ("independent", "sessions", "wobble")
"""Worlds in which nobody should be told anything."""

_SESSION = 5
_WOBBLE = 0.05
_EXPONENTIAL = range(11, 14)
_SOME_MISSING = 14
_CATEGORICAL = range(15, 20)
_WEIGHTS = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.07, 0.05, 0.03])


def is_categorical(feature: int) -> bool:
    """Say whether a feature holds codes of categories."""
    return feature in _CATEGORICAL


@dataclass(frozen=True)
class Change:
    """A change of one feature: which, and how its values in a window are made from those without the change."""

    name: str
    feature: int
    apply: Callable[[Values, np.random.Generator], Values]


def _missing(share: float) -> Callable[[Values, np.random.Generator], Values]:
    """Return the change after which a share of all rows is missing, of which 5 % may be already."""

    def apply(values: Values, rng: np.random.Generator) -> Values:
        already = 0.05 if np.isnan(values).any() else 0.0
        gone = rng.random(values.size) < (share - already) / (1 - already)
        return np.where(gone, np.nan, values)

    return apply


def _recategorised(values: Values, rng: np.random.Generator) -> Values:
    """A third of the most frequent category, a tenth of all rows, becomes the fourth."""
    moved = (values == 0) & (rng.random(values.size) < 1 / 3)
    return np.where(moved, 3.0, values)


CHANGES = (
    Change("shift of 0.2 sigma", 0, lambda values, _: values + 0.2),
    Change("shift of 0.5 sigma", 0, lambda values, _: values + 0.5),
    Change("variance x 1.5", 0, lambda values, _: values * 1.5**0.5),
    Change("categories, 10 % moved", 15, _recategorised),
    Change("missing, 0 to 5 %", 0, _missing(0.05)),
    Change("missing, 5 to 20 %", _SOME_MISSING, _missing(0.2)),
)


def draw(world: str, rows: int, rng: np.random.Generator) -> list[Values]:
    """Return the features of `rows` rows, FEATURES arrays of that length. `rows` is a multiple of five."""
    repeats = _SESSION if world == "sessions" else 1
    return [np.repeat(_feature(at, world, rows // repeats, rng), repeats) for at in range(FEATURES)]


def _feature(at: int, world: str, rows: int, rng: np.random.Generator) -> Values:
    if at in _CATEGORICAL:
        return rng.choice(CATEGORIES, rows, p=_WEIGHTS).astype(np.float64)
    wobble = _WOBBLE * rng.standard_normal() if world == "wobble" else 0.0
    if at in _EXPONENTIAL:  # by a factor: an offset would move values beyond the edge of the distribution
        return rng.standard_exponential(rows) * (1 + wobble)
    values = rng.standard_normal(rows) + wobble
    return np.where(rng.random(rows) < 0.05, np.nan, values) if at == _SOME_MISSING else values
