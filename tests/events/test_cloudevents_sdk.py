"""The CloudEvents SDK as an oracle for well-formed events, and the points where the contract is stricter on purpose."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_binary,
    from_kafka,
    from_structured,
    to_binary,
    to_structured,
)
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltrail.events import encode_binary, encode_structured, judge
from modeltrail.events.encode import Event
from modeltrail.events.moment import parse_moment
from modeltrail.events.registry import EVENT_TYPES, topic_name

from .records import ATTRIBUTES, DATA, TOPIC, headers, raw, structured, value
from .strategies import events

FORMAT = JSONFormat()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = st.sampled_from(list(EVENT_TYPES.values()))
ANY_EVENT = KINDS.flatmap(events)
RELAXED = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def as_sdk_reads(event: Event, read: CloudEvent) -> None:
    assert (read.get_id(), read.get_source(), read.get_type()) == (event.id, event.source, event.type)
    assert (read.get_subject(), read.get_extension("actor")) == (event.subject, event.actor)
    assert read.get_datacontenttype() == "application/json"
    moment = read.get_time()
    assert moment is not None
    assert event.time is not None
    assert (moment - EPOCH) // timedelta(microseconds=1) == parse_moment(event.time)
    for name in ("sequence", "correlationid", "causationid"):
        assert read.get_extension(name) == (getattr(event, name) or None)


@RELAXED
@given(ANY_EVENT)
def test_the_sdk_reads_our_events_in_both_modes(event: Event) -> None:
    for (_key, found, content), read in (
        (encode_binary(event), from_binary),
        (encode_structured(event), from_structured),
    ):
        sent = read(KafkaMessage(dict(found), None, content), FORMAT, CloudEvent)
        as_sdk_reads(event, sent)
        assert event.kind.model.model_validate(sent.get_data()) == event.data


@RELAXED
@given(ANY_EVENT)
def test_we_read_what_the_sdk_writes_in_both_modes(event: Event) -> None:
    _key, found, content = encode_binary(event)
    sent = from_binary(KafkaMessage(dict(found), None, content), FORMAT, CloudEvent)
    ours = judge(topic_name(event.kind.family), None, found, content)
    for write in (to_binary, to_structured):
        message = write(sent, FORMAT)
        theirs = judge(topic_name(event.kind.family), None, list(message.headers.items()), message.value)
        assert theirs.reason == ""
        assert theirs[4:] == ours[4:]


def as_message(found: list[tuple[str, bytes | None]], content: bytes) -> KafkaMessage:
    return KafkaMessage({name: text for name, text in found if text is not None}, None, content)


@pytest.mark.parametrize("name", ["id", "time"])
def test_a_missing_id_or_time_is_not_invented(name: str) -> None:
    found = headers(**{name: None})
    invented = from_binary(as_message(found, value()), FORMAT)
    assert invented.get_attributes()[name] is not None
    assert judge(TOPIC, None, found, value()).reason == f"{name}: missing: is required"


def test_the_content_type_decides_the_mode_and_not_a_stray_header() -> None:
    found: list[tuple[str, bytes | None]] = [*headers()[1:], ("content-type", b"application/cloudevents+json")]
    assert from_kafka(as_message(found, structured()), FORMAT).get_data() != DATA
    assert judge(TOPIC, None, found, structured()).reason_class == "envelope"


def test_nan_is_refused() -> None:
    content = raw("score", "NaN")
    read = from_binary(as_message(headers(), content), FORMAT).get_data()
    assert isinstance(read, dict)
    assert read["score"] != read["score"]
    assert judge(TOPIC, None, headers(), content).reason_class == "ambiguous_json"


def test_doubled_names_are_refused() -> None:
    content = raw("score", '0.1,"score":0.2')
    read = from_binary(as_message(headers(), content), FORMAT).get_data()
    assert isinstance(read, dict)
    assert read["score"] == 0.2
    assert judge(TOPIC, None, headers(), content).reason_class == "ambiguous_json"


def test_doubled_names_in_the_envelope_are_refused() -> None:
    content = json.dumps(ATTRIBUTES | {"data": DATA}).encode()[:-1] + b',"subject":"other"}'
    assert from_structured(KafkaMessage({}, None, content), FORMAT).get_subject() == "other"
    assert judge(TOPIC, None, [], content).reason_class == "ambiguous_json"


def test_header_names_in_another_case_are_refused() -> None:
    found = [(name.upper(), text) for name, text in headers()]
    assert from_binary(as_message(found, value()), FORMAT).get_id() == "e-1"
    assert judge(TOPIC, None, found, value()).reason_class == "envelope"


def test_lenient_times_are_refused() -> None:
    found = headers(time="2013-03-01T12+01")
    assert from_binary(as_message(found, value()), FORMAT).get_time() is not None
    assert judge(TOPIC, None, found, value()).reason_class == "envelope"
