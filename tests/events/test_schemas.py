"""The generated documents: valid by their own meta-schemas, true of every example, current in the repository."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_asyncapi.v3 import AsyncAPI

from modeltrail.events import Block, Reject, encode_structured, judge
from modeltrail.events.encode import Event
from modeltrail.events.examples import event_example, example
from modeltrail.events.registry import AUDITED_FAMILIES, EVENT_TYPES, EventType, topic_name
from modeltrail.events.schemas import asyncapi, check, data_schema, documents, event_schema, export

from .strategies import events

KINDS = list(EVENT_TYPES.values())
SCHEMAS = Path(__file__).parents[2] / "schemas"
by_name = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@by_name
def test_schemas_are_schemas_and_their_examples_are_valid(kind: EventType) -> None:
    for schema in (data_schema(kind.model), event_schema(kind)):
        found = validator(schema)
        for instance in schema["examples"]:
            found.validate(instance)


@by_name
def test_the_example_of_every_type_has_every_field_and_is_accepted(kind: EventType) -> None:
    assert set(example(kind.model)) == set(kind.model.model_fields)
    judgement = judge(topic_name(kind.family), None, [], json.dumps(event_example(kind)).encode())
    assert judgement.reason == ""


@by_name
def test_every_field_has_a_description(kind: EventType) -> None:
    for schema in [data_schema(kind.model), *data_schema(kind.model).get("$defs", {}).values()]:
        assert schema["description"]
        for name, field in schema["properties"].items():
            assert field["description"].endswith("."), name


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.sampled_from(KINDS).flatmap(events))
def test_whatever_is_sent_fits_its_schema(event: Event) -> None:
    _key, _headers, value = encode_structured(event)
    validator(event_schema(event.kind)).validate(json.loads(value))


@pytest.mark.parametrize(
    ("change", "valid"),
    [({"xregion": "eu"}, True), ({"tenant": None}, True), ({"actor": None}, False), ({"Tenant": "x"}, False),
     ({"specversion": "0.3"}, False), ({"type": "other"}, False), ({"time": "yesterday"}, False), ({"data": []}, False)],
)  # fmt: skip
def test_the_schema_of_an_event_says_what_the_judge_says(change: dict[str, Any], valid: bool) -> None:
    kind = EVENT_TYPES["modeltrail.prediction.recorded.v1"]
    event = event_example(kind) | change
    assert validator(event_schema(kind)).is_valid(event) is valid
    assert (judge("modeltrail.predictions", None, [], json.dumps(event).encode()).status == "valid") is valid


def test_the_asyncapi_document_is_one() -> None:
    document = asyncapi()
    for message in document["components"]["messages"].values():
        # pydantic-asyncapi 0.3 knows no Kafka binding of a message; AsyncAPI 3.1.0 does (bindings/kafka 0.5.0).
        assert message.pop("bindings", {}).keys() <= {"kafka"}
    AsyncAPI.model_validate(document)


def test_every_message_of_the_asyncapi_document_fits_its_payload() -> None:
    for name, message in asyncapi()["components"]["messages"].items():
        assert message["payload"]["schemaFormat"] == "application/schema+json;version=2020-12"
        assert "$ref" not in json.dumps(message["payload"]), name
        for instance in message["examples"]:
            validator(message["payload"]["schema"]).validate(instance["payload"])
            if "headers" in message:
                validator(message["headers"]).validate(instance["headers"])


def test_the_asyncapi_document_has_every_topic_and_every_reference_leads_somewhere() -> None:
    document = asyncapi("acme")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {f"acme.{family}" for family in (*AUDITED_FAMILIES, "blocks", "rejected")}
    for channel in document["channels"].values():
        for reference in channel["messages"].values():
            assert reference["$ref"].removeprefix("#/components/messages/") in document["components"]["messages"]
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]


def test_the_files_in_the_repository_are_current() -> None:
    assert check(SCHEMAS) == []


def test_check_names_what_is_missing_changed_or_left_over(tmp_path: Path) -> None:
    assert len(check(tmp_path)) == len(documents())
    assert sorted(export(tmp_path)) == sorted(tmp_path / name for name in documents())
    assert check(tmp_path) == []
    left_over = tmp_path / "events" / "modeltrail.old.v1.json"
    left_over.write_text("{}")
    changed = tmp_path / "asyncapi.json"
    changed.write_text("{}")
    missing = tmp_path / "data" / "modeltrail.run.started.v1.json"
    missing.unlink()
    assert set(check(tmp_path)) == {left_over, changed, missing}
    export(tmp_path)
    assert check(tmp_path) == []


@pytest.mark.parametrize("model", [Block, Reject])
def test_the_schemas_of_notices_have_valid_examples(model: type[Block] | type[Reject]) -> None:
    validator(data_schema(model)).validate(example(model))
    assert model.parse(json.dumps(example(model)).encode()).encode()
