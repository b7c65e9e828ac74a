"""What happened around the demo's model, as events: real flights, real predictions, real corrections.

Every local day of departures is one run:

    run.started                 at the first departure of the day
    prediction.recorded         for each flight that leaves, in the order of departure
    classification.recorded     after it, where the model says that it will be late (origin model)
    run.item_skipped            for each cancelled flight, at the time when it was to leave
    run.completed               at the last departure of the day, with its counts
    classification.recorded     then the desk of each airport corrects what the model got wrong by far (origin user)
    prediction.outcome          twelve hours later, in the middle of the next day, for each flight that has arrived

All ids follow from the flights: the same flights make the same events, byte for byte.
"""

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from modeltrail.demo.flights import Flight
from modeltrail.demo.model import FEATURES, LATE_MINUTES, MODEL_ID, MODEL_VERSION, feature_values
from modeltrail.events.classifications import ClassificationRecorded
from modeltrail.events.encode import Event
from modeltrail.events.moment import format_moment
from modeltrail.events.predictions import PredictionOutcome, PredictionRecorded
from modeltrail.events.runs import RunCompleted, RunCounts, RunInput, RunItemSkipped, RunStarted

__all__ = [
    "ACTOR",
    "ARRIVALS_ACTOR",
    "LATE",
    "ON_TIME",
    "OUTCOMES_AFTER",
    "SCORE_DIGITS",
    "SOURCE",
    "ScoredFlight",
    "day_events",
    "days",
    "events",
    "expected_events",
    "true_label",
]

SOURCE = "/demo/flights-delay"
ACTOR = "job:flights-delay"
ARRIVALS_ACTOR = "job:arrivals"
LATE = "late"
ON_TIME = "on_time"

OUTCOMES_AFTER = timedelta(hours=12)
"""After a day's last departure its arrivals are reported: by then the longest flight, to Honolulu, has landed."""

_LABELLED_LATE_FROM = 0.5
_WRONG_BY_MINUTES = 30
"""The desks correct a label when the arrival lies this far on the other side of late."""
SCORE_DIGITS = 6
"""Digits of a score that are published."""


class ScoredFlight(NamedTuple):
    """A flight with the model's probability (0 to 1) that it arrives late; None: it was cancelled."""

    flight: Flight
    score: float | None

    @property
    def label(self) -> str | None:
        """What the model says."""
        if self.score is None:
            return None
        return LATE if self.score >= _LABELLED_LATE_FROM else ON_TIME

    @property
    def corrected(self) -> str | None:
        """The label that a desk gives the flight once it has arrived; None where it lets the model's stand."""
        delay = self.flight.arrival_delay
        if self.score is None or delay is None:
            return None
        if self.label == LATE:
            return ON_TIME if delay < LATE_MINUTES - _WRONG_BY_MINUTES else None
        return LATE if delay > LATE_MINUTES + _WRONG_BY_MINUTES else None


def true_label(flight: Flight) -> str | None:
    """Return what turned out to be true; None where that was never known."""
    if flight.arrival_delay is None:
        return None
    return LATE if flight.arrival_delay > LATE_MINUTES else ON_TIME


def days(flights: Iterable[ScoredFlight]) -> Iterator[tuple[str, list[ScoredFlight]]]:
    """Yield each local day of departures (as 2013-03-01) with its flights, which must come in order of departure."""
    for day, of_day in itertools.groupby(flights, key=lambda scored: scored.flight.local_day):
        yield day, list(of_day)


def expected_events(flights: Iterable[ScoredFlight]) -> Counter[str]:
    """Return how many events of each type `events` makes of these flights."""
    counts: Counter[str] = Counter()
    for _, of_day in days(flights):
        left = sum(scored.score is not None for scored in of_day)
        counts[RunStarted.event_type] += 1
        counts[PredictionRecorded.event_type] += left
        counts[RunItemSkipped.event_type] += len(of_day) - left
        counts[ClassificationRecorded.event_type] += sum(
            (scored.label == LATE) + (scored.corrected is not None) for scored in of_day
        )
        counts[RunCompleted.event_type] += 1
        counts[PredictionOutcome.event_type] += sum(_has_outcome(scored) for scored in of_day)
    return counts


def events(flights: Iterable[ScoredFlight]) -> Iterator[Event]:
    """Yield all events of these flights, which must come in order of departure: the outcomes when they are known."""
    reports: deque[tuple[str, list[Event]]] = deque()
    for day, of_day in days(flights):
        for event in day_events(day, of_day):
            while reports and reports[0][0] <= (event.time or ""):
                yield from reports.popleft()[1]
            yield event
        reported_at = of_day[-1].flight.departure + OUTCOMES_AFTER
        moment = format_moment(reported_at)
        reports.append((moment, [_outcome(scored.flight, moment) for scored in of_day if _has_outcome(scored)]))
    for _, report in reports:
        yield from report


def day_events(day: str, flights: Sequence[ScoredFlight]) -> Iterator[Event]:
    """Yield the events of one local day but for the outcomes.

    `flights` are those of the day, in order of departure, at least one.
    """
    run = f"{MODEL_ID}-{day}"
    yield _event(
        f"{run}-started",
        flights[0].flight,
        RunStarted(
            run_id=run,
            engine=f"{MODEL_ID} {MODEL_VERSION}",
            mode="production",
            trigger="cron",
            input=RunInput(kind="flights", name=f"departures from New York, {day}", rows=len(flights)),
            expected_duration_s=86_400.0,
        ),
    )
    skipped = 0
    for flight, score in flights:
        if score is None:
            skipped += 1
            yield _event(f"{flight.item_id}-skipped", flight, _skipped(run, flight))
            continue
        prediction = _prediction(run, flight, score)
        yield _event(prediction.prediction_id, flight, prediction)
        if prediction.label == LATE:
            yield _event(f"{flight.item_id}-class", flight, _classification(flight, score))
    counts = RunCounts(
        processed=len(flights),
        with_predictions=len(flights) - skipped,
        skipped=skipped,
        predictions=len(flights) - skipped,
        rules_evaluated=0,
        rules_matched=0,
    )
    last = flights[-1].flight
    yield _event(f"{run}-completed", last, RunCompleted(run_id=run, status="completed", counts=counts))
    corrections = [scored for scored in flights if scored.corrected is not None]
    for number, scored in enumerate(corrections, start=1):
        yield _correction(scored, last, seconds=30 * number)


def _event(
    identity: str,
    at: Flight,
    data: RunStarted | RunItemSkipped | RunCompleted | PredictionRecorded | ClassificationRecorded,
) -> Event:
    return Event.of(data, source=SOURCE, actor=ACTOR, id=identity, time=at.departure)


def _skipped(run: str, flight: Flight) -> RunItemSkipped:
    return RunItemSkipped(
        run_id=run,
        item_id=flight.item_id,
        category="missing_input",
        reason="cancelled: it never departed",
        details={"missing": ["dep_delay"]},
    )


def _prediction_id(flight: Flight) -> str:
    return f"{flight.item_id}-late"


def _has_outcome(scored: ScoredFlight) -> bool:
    return scored.score is not None and scored.flight.arrival_delay is not None


def _outcome(flight: Flight, reported_at: str) -> Event:
    outcome = PredictionOutcome(
        prediction_id=_prediction_id(flight),
        model_id=MODEL_ID,
        model_version=MODEL_VERSION,
        label=true_label(flight),
        observed_at=reported_at,
    )
    return Event.of(outcome, source=SOURCE, actor=ARRIVALS_ACTOR, id=f"{flight.item_id}-outcome", time=reported_at)


def _prediction(run: str, flight: Flight, score: float) -> PredictionRecorded:
    late = round(score, SCORE_DIGITS)
    return PredictionRecorded(
        prediction_id=_prediction_id(flight),
        item_id=flight.item_id,
        run_id=run,
        model_id=MODEL_ID,
        model_version=MODEL_VERSION,
        kind="binary",
        label=LATE if score >= _LABELLED_LATE_FROM else ON_TIME,
        score=late,
        probabilities={LATE: late, ON_TIME: round(1 - late, SCORE_DIGITS)},
        features=dict(zip(FEATURES, feature_values(flight), strict=True)),
        strata={"carrier": flight.carrier, "origin": flight.origin},
    )


def _classification(flight: Flight, score: float) -> ClassificationRecorded:
    return ClassificationRecorded(
        item_id=flight.item_id,
        label=LATE,
        origin="model",
        confidence=round(score, SCORE_DIGITS),
        model_id=MODEL_ID,
        model_version=MODEL_VERSION,
    )


def _correction(scored: ScoredFlight, after: Flight, seconds: int) -> Event:
    flight = scored.flight
    delay = flight.arrival_delay or 0
    arrived = f"{delay} minutes late" if delay > 0 else f"{-delay} minutes early" if delay < 0 else "on the minute"
    correction = ClassificationRecorded(
        item_id=flight.item_id,
        label=scored.corrected or ON_TIME,
        previous_label=scored.label,
        origin="user",
        confidence=1.0,
        method="arrival record",
        reason=f"arrived {arrived}",
    )
    return Event.of(
        correction,
        source=SOURCE,
        actor=f"user:desk-{flight.origin.lower()}",
        id=f"{flight.item_id}-corrected",
        time=after.departure + timedelta(seconds=seconds),
    )
