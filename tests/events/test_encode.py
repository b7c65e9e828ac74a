"""Events on the way out: what cannot be accepted is refused here, with field, value and expectation."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from modeltrail.errors import InvalidEventError
from modeltrail.events import (
    ActionRecorded,
    Event,
    PredictionRecorded,
    RunHealthChecked,
    encode_binary,
    encode_structured,
    from_json_line,
    judge,
)
from modeltrail.events.registry import EVENT_TYPES, audited_topics, event_type_of, topic_name
from modeltrail.testing import make_event

from .records import ATTRIBUTES, DATA, TOPIC, structured

PREDICTION = PredictionRecorded.model_validate(DATA)
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def event(**attributes: Any) -> Event:
    options: dict[str, Any] = {"source": "s", "actor": "a", "id": "1", "time": NOON, **attributes}
    return Event.of(PREDICTION, **options)


def test_the_bytes_are_compact_and_hold_no_absent_member() -> None:
    assert encode_binary(event()) == (
        b"i-1",
        [
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_id", b"1"),
            ("ce_source", b"s"),
            ("ce_type", b"modeltrail.prediction.recorded.v1"),
            ("ce_subject", b"i-1"),
            ("ce_time", b"2024-01-01T12:00:00.000000Z"),
            ("ce_actor", b"a"),
        ],
        json.dumps(DATA, separators=(",", ":")).encode(),
    )


def test_a_structured_event_has_the_same_content() -> None:
    key, headers, value = encode_structured(event(tenant="acme", sequence="07", extensions={"region": "eu"}))
    assert key == b"i-1"
    assert headers == [("content-type", b"application/cloudevents+json")]
    assert json.loads(value) == {
        "specversion": "1.0",
        "id": "1",
        "source": "s",
        "type": "modeltrail.prediction.recorded.v1",
        "subject": "i-1",
        "time": "2024-01-01T12:00:00.000000Z",
        "actor": "a",
        "tenant": "acme",
        "sequence": "07",
        "region": "eu",
        "datacontenttype": "application/json",
        "data": DATA,
    }


def test_null_inside_a_map_is_a_value_and_is_kept() -> None:
    data = PREDICTION.model_copy(update={"features": {"a": None}, "metadata": {"b": [None]}})
    value = json.loads(encode_binary(Event.of(data, source="s", actor="a", id="1", time=NOON))[2])
    assert value["features"] == {"a": None}
    assert value["metadata"] == {"b": [None]}


def test_time_is_written_in_utc() -> None:
    assert event(time=datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-2)))).time == "2024-01-01T02:00:00.000000Z"
    assert event(time="2024-01-01T00:00:00-02:00").time == "2024-01-01T00:00:00-02:00"


def test_id_and_time_may_come_later_and_are_never_overwritten() -> None:
    bare = Event.of(PREDICTION, source="s", actor="a")
    whole = bare.completed(id="1", time=NOON)
    assert (whole.id, whole.time) == ("1", "2024-01-01T12:00:00.000000Z")
    assert whole.completed(id="2", time=NOON + timedelta(days=1)) == whole
    for encode in (encode_binary, encode_structured):
        with pytest.raises(InvalidEventError, match="id: None: is required"):
            encode(bare)
        with pytest.raises(InvalidEventError, match="time: None: must be an RFC 3339 time"):
            encode(Event.of(PREDICTION, source="s", actor="a", id="1"))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"source": ""}, "source: '': must not be empty"),
        ({"source": "a b"}, "source: 'a b': must be a URI reference"),
        ({"actor": "a\n"}, "actor: 'a\\n': must not hold control characters"),
        ({"actor": None}, "actor: None: must be a string"),
        ({"subject": "x" * 1025}, "subject: 'xxx"),
        ({"id": 7}, "id: 7: must be a string"),
        ({"time": "now"}, "time: 'now': must be an RFC 3339 time"),
        ({"time": datetime(2024, 1, 1)}, "time: '2024-01-01 00:00:00': must be a datetime with an offset"),  # noqa: DTZ001
        ({"sequence": "x"}, "sequence: 'x': must be 1 to 20 digits"),
        ({"traceparent": "x"}, "traceparent: 'x': must be a W3C trace context"),
        ({"subject": "\ud800"}, "subject: '\\ud800': must not hold control characters, surrogates"),
        ({"extensions": {"Region": "eu"}}, "Region: 'eu': must be named with 1 to 64 lowercase"),
        ({"extensions": {"tenant": "eu"}}, "tenant: 'eu': is an attribute of its own"),
        ({"extensions": {"data": "eu"}}, "data: 'eu': must be named"),
        ({"extensions": {"region": 1}}, "region: 1: must be a string"),
    ],
)
def test_a_wrong_attribute_is_refused_when_the_event_is_made(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        event(**attributes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"x": float("nan")}, "data.features.x: nan: must be a finite number"),
        ({"x": 2**70}, "data.features.x: an integer of 71 bits: must fit 64 bits signed"),
        ({"x": [1]}, "data.features.x: a list of 1: must be a string, a number, true, false or null"),
        ({"x": "\ud800"}, "data: 'modeltrail.prediction.recorded.v1': must hold JSON values"),
        ({"": 1}, "data.features.: '': must not be empty"),
    ],
)
def test_what_was_put_into_a_map_after_validation_is_still_refused(features: dict[str, Any], message: str) -> None:
    data = PredictionRecorded.model_validate(DATA)
    data.features.clear()
    data.features.update(features)
    with pytest.raises(InvalidEventError) as caught:
        encode_binary(Event.of(data, source="s", actor="a", id="1", time=NOON))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "metadata",
    [{"a": float("inf")}, {"a": 2**63}, {"a": object()}, {"a": {1: 2}}, {"a": (1, 2)}, {"a": {"b": NOON}}],
)
def test_free_json_is_json(metadata: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="metadata"):
        PredictionRecorded.model_validate(DATA | {"metadata": metadata})


def test_models_are_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        PREDICTION.label = "x"  # type: ignore[misc]


def test_a_moment_in_data_may_be_a_datetime() -> None:
    outcome = EVENT_TYPES["modeltrail.prediction.outcome.v1"].model.model_validate(
        {"prediction_id": "p", "model_id": "m", "model_version": "1", "label": "x", "observed_at": NOON}
    )
    assert outcome.model_dump()["observed_at"] == "2024-01-01T12:00:00.000000Z"


def test_the_default_subject_is_what_the_event_is_about() -> None:
    about = {kind.name: make_event(kind.model).subject for kind in EVENT_TYPES.values()}
    assert about == {
        "modeltrail.prediction.recorded.v1": "UA1545-2013-03-01-00000000",
        "modeltrail.prediction.outcome.v1": "p-1-00000000",
        "modeltrail.classification.recorded.v1": "UA1545-2013-03-01-00000000",
        "modeltrail.run.started.v1": "run-2013-03-01",
        "modeltrail.run.health_checked.v1": "health",
        "modeltrail.run.item_processed.v1": "UA1545-2013-03-01-00000000",
        "modeltrail.run.item_skipped.v1": "UA1545-2013-03-01-00000000",
        "modeltrail.run.rule_evaluated.v1": "UA1545-2013-03-01-00000000",
        "modeltrail.run.failed_step.v1": "run-2013-03-01",
        "modeltrail.run.completed.v1": "run-2013-03-01",
        "modeltrail.action.recorded.v1": "model",
        "modeltrail.alert.raised.v1": "modeltrail.predictions/0",
        "modeltrail.alert.resolved.v1": "modeltrail.predictions/0",
        "modeltrail.alert.acknowledged.v1": "3f1c-00000000",
        "modeltrail.model.registered.v1": "flights-delay",
        "modeltrail.baseline.registered.v1": "flights-delay",
        "modeltrail.monitor.configured.v1": "flights-delay",
        "modeltrail.monitor.advanced.v1": "flights-delay",
        "modeltrail.check.completed.v1": "flights-delay",
    }
    assert RunHealthChecked(run_id="r", checks=[], allowed=True).default_subject == "r"
    assert ActionRecorded(action="a", resource_type="t", resource_id="r").default_subject == "r"


def test_the_registry_knows_models_topics_and_families() -> None:
    assert audited_topics("acme") == (
        "acme.predictions",
        "acme.classifications",
        "acme.runs",
        "acme.actions",
        "acme.alerts",
        "acme.models",
        "acme.checks",
    )
    assert topic_name("blocks") == "modeltrail.blocks"
    assert event_type_of(PREDICTION) is event_type_of(PredictionRecorded)
    with pytest.raises(KeyError):
        topic_name("prediction")


def test_a_line_may_be_a_whole_event() -> None:
    read = from_json_line(json.loads(structured(tenant="acme", xregion=True, dataschema="https://example.org/s")))
    assert (read.source, read.id, read.tenant) == ("scoring/production", "e-1", "acme")
    assert read.extensions == {"xregion": "true", "dataschema": "https://example.org/s"}
    for encoded in (encode_binary(read), encode_structured(read)):
        assert judge(TOPIC, *encoded).status == "valid"


def test_a_line_may_be_bytes_and_has_one_reading() -> None:
    assert from_json_line(structured()) == from_json_line(json.loads(structured()))
    for wrong in (b"", b"{", b'{"type":1,"type":2}', b'{"type":1e999}', b"\xff"):
        with pytest.raises(InvalidEventError, match=r"^value"):
            from_json_line(wrong)


def test_a_line_may_be_type_and_data_alone() -> None:
    line = {"type": ATTRIBUTES["type"], "data": DATA, "subject": None}
    read = from_json_line(line, source="s", actor="a")
    assert (read.source, read.actor, read.subject, read.id, read.time) == ("s", "a", "i-1", None, None)
    assert from_json_line(line | {"source": "own"}, source="s", actor="a").source == "own"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "line: []: must be a JSON object"),
        ({}, "type: None: is required"),
        ({"type": "x"}, "data: None: is required"),
        ({"type": 5, "data": {}}, "type: 5: must be a string"),
        (
            {"type": "modeltrail.prediction.recorded", "data": {}},
            "type: 'modeltrail.prediction.recorded': must be a type that the contract knows; did you mean 'modeltrail",
        ),
        ({"type": ATTRIBUTES["type"], "data": DATA}, "source: None: is required, in the line or for all lines"),
        ({"type": ATTRIBUTES["type"], "data": DATA, "source": "s"}, "actor: None: is required"),
        (ATTRIBUTES | {"data": DATA, "specversion": "2.0"}, "specversion: '2.0': must be \"1.0\""),
        (ATTRIBUTES | {"data": DATA, "time": 5}, "time: 5: must be a string"),
        (ATTRIBUTES | {"data": DATA, "Time": "x"}, "Time: 'x': must be named with"),
        (ATTRIBUTES | {"data": DATA, "data_base64": "x"}, "data_base64: 'x': must be named with"),
        (ATTRIBUTES | {"data": DATA | {"score": "5"}}, "data.score: '5': must be a number"),
        (ATTRIBUTES | {"data": DATA | {"scroe": 5}}, "data.scroe: 5: is a field that the contract does not know"),
        (ATTRIBUTES | {"data": DATA | {"score": 2**64}}, "data.score: an integer of 65 bits: must fit 64 bits"),
        (ATTRIBUTES | {"data": DATA | {"model_id": None}}, "data.model_id: None: must be a string"),
    ],
)
def test_a_wrong_line_names_field_value_and_expectation(line: Any, message: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        from_json_line(line)
    assert str(caught.value).startswith(message)


def test_a_misspelt_member_is_named_where_another_is_missing():
    line = b'{"type": "modeltrail.prediction.recorded.v1", "dta": {}}'
    with pytest.raises(InvalidEventError, match="data: None: is required; the line has 'dta' instead"):
        from_json_line(line)
