"""For tests of your own producers: events to send, and the judge's verdict on what was sent.

    from modeltrail.testing import assert_accepted, make_events

    for event in make_events(PredictionRecorded, 100):
        producer.send(event)
    assert_accepted("modeltrail.predictions", key, headers, value)

Everything is a function of its arguments: no clock, no random numbers.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.encode import Event
from modeltrail.events.envelope import Headers
from modeltrail.events.examples import example
from modeltrail.events.fields import Data
from modeltrail.events.judge import VALID, Judgement, judge
from modeltrail.events.predictions import PredictionOutcome, PredictionRecorded

__all__ = ["assert_accepted", "make_event", "make_events"]

FIRST_TIME = datetime(2024, 1, 1, tzinfo=UTC)
"""When the event with number 0 happened; each later one is a second younger."""

_NEEDED_BESIDE_REQUIRED: dict[type[Data], tuple[str, ...]] = {
    PredictionRecorded: ("label", "score", "features"),
    PredictionOutcome: ("label",),
    CheckCompleted: ("model_version", "window", "cut"),
}


def make_event(
    model: type[Data],
    number: int = 0,
    *,
    source: str = "test/producer",
    actor: str = "test",
    **changes: Any,
) -> Event:
    """Return a valid event of `model`; events with different numbers differ in id, time and what they are about.

    `changes` are fields of the data; the hash of a baseline follows from them. InvalidEventError or pydantic's
    ValidationError where they make it invalid.
    """
    names = [name for name, field in model.model_fields.items() if field.is_required()]
    names += _NEEDED_BESIDE_REQUIRED.get(model, ())
    whole = example(model)
    data = {name: whole[name] for name in names}
    for name in ("prediction_id", "item_id", "alert_id"):
        if name in data:
            data[name] = f"{data[name]}-{number:08}"
    data |= changes
    if model is BaselineRegistered and "sha256" not in changes:
        data["sha256"] = BaselineRegistered.hash_of(data)
    return Event.of(
        model.model_validate(data),
        source=source,
        actor=actor,
        id=f"{number:08}",
        time=FIRST_TIME + timedelta(seconds=number),
    )


def make_events(model: type[Data], count: int, **options: Any) -> Iterator[Event]:
    """Yield `make_event` for the numbers 0 to `count` - 1, with the same options."""
    for number in range(count):
        yield make_event(model, number, **options)


def assert_accepted(topic: str, key: bytes | None, headers: Headers, value: bytes | None) -> Judgement:
    """Return the judgement of a Kafka record; AssertionError with the reason where a worker would reject it."""
    judgement = judge(topic, key, headers, value)
    if judgement.status != VALID:
        raise AssertionError(f"{topic}: {judgement.reason_class}: {judgement.reason}")
    return judgement
