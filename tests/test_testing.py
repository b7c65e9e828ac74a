"""`modeltrail.testing` is for users' own tests: what it makes is accepted, what it asserts is true."""

import pytest

from modeltrail.errors import InvalidEventError
from modeltrail.events import PredictionRecorded, RunStarted, encode_binary, encode_structured
from modeltrail.events.registry import EVENT_TYPES, EventType, topic_name
from modeltrail.testing import assert_accepted, make_event, make_events


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=lambda kind: kind.name)
def test_events_of_every_type_are_made_and_accepted(kind: EventType) -> None:
    made = list(make_events(kind.model, 3))
    assert len({event.id for event in made}) == 3
    assert len({event.time for event in made}) == 3
    for event in made:
        for encode in (encode_binary, encode_structured):
            assert assert_accepted(topic_name(kind.family), *encode(event)).id == event.id


def test_the_same_arguments_make_the_same_event() -> None:
    assert make_event(PredictionRecorded, 7, score=0.5) == make_event(PredictionRecorded, 7, score=0.5)
    assert make_event(RunStarted, run_id="r-9").subject == "r-9"


def test_a_wrong_change_is_refused() -> None:
    with pytest.raises(InvalidEventError, match="source"):
        make_event(PredictionRecorded, source="not a uri")


def test_a_record_that_a_worker_would_reject_fails_with_the_reason() -> None:
    key, headers, value = encode_binary(make_event(PredictionRecorded))
    with pytest.raises(AssertionError, match=r"modeltrail\.runs: wrong_topic: topic: "):
        assert_accepted("modeltrail.runs", key, headers, value)
