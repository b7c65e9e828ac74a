"""What is encoded is always accepted, and read back as what was meant."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltrail.events import encode_binary, encode_structured, judge
from modeltrail.events.encode import Encoded, Event
from modeltrail.events.moment import parse_moment
from modeltrail.events.reading import read_json
from modeltrail.events.registry import EVENT_TYPES, EventType, topic_name

from .strategies import events

KINDS = list(EVENT_TYPES.values())
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@RELAXED
@given(st.data())
def test_every_encoded_event_is_accepted_in_both_modes(kind: EventType, data: st.DataObject) -> None:
    event = data.draw(events(kind))
    for mode, encoded in (("binary", encode_binary(event)), ("structured", encode_structured(event))):
        _assert_read_back(event, encoded, mode)


def _assert_read_back(event: Event, encoded: Encoded, mode: str) -> None:
    key, headers, value = encoded
    judgement = judge(topic_name(event.kind.family), key, headers, value)
    assert judgement.reason == ""
    assert (judgement.status, judgement.reason_class, judgement.mode) == ("valid", "", mode)
    for name in ("source", "id", "type", "subject", "actor", "tenant", "sequence", "correlationid", "causationid"):
        assert getattr(judgement, name) == getattr(event, name)
    assert judgement.retentionclass == "permanent"
    assert event.time is not None
    assert judgement.time_us == parse_moment(event.time)
    document = read_json(value)
    read = event.kind.model.model_validate(document["data"] if mode == "structured" else document)
    assert read == event.data
    assert None not in document.values()
