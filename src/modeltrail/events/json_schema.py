"""JSON Schemas (2020-12) made from the models.

The models are the contract; a schema may say less (a rule between two fields is in a description), never more.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from modeltrail.events.envelope import ATTRIBUTE_MAX, DATA_CONTENT_TYPE, REQUIRED
from modeltrail.events.examples import event_example, example
from modeltrail.events.moment import PATTERN
from modeltrail.events.registry import EventType

__all__ = ["ATTRIBUTE_SCHEMAS", "DIALECT", "data_schema", "event_schema"]

DIALECT = GenerateJsonSchema.schema_dialect

_TEXT = {"type": "string", "minLength": 1, "maxLength": ATTRIBUTE_MAX}
ATTRIBUTE_SCHEMAS: dict[str, dict[str, Any]] = {
    "specversion": {"const": "1.0", "description": "Version of CloudEvents."},
    "id": {**_TEXT, "description": "With source, names the event."},
    "source": {**_TEXT, "format": "uri-reference", "description": "Which system the event comes from."},
    "type": {**_TEXT, "description": "The type of the event."},
    "subject": {**_TEXT, "description": "What it is about: item, model or run; also the default Kafka key."},
    "time": {"type": "string", "format": "date-time", "pattern": PATTERN, "description": "When it happened."},
    "actor": {**_TEXT, "description": "Who acted: a user, a service or a job."},
    "tenant": {**_TEXT, "default": "default", "description": "Owner of the data."},
    "sequence": {"type": "string", "pattern": "^[0-9]{1,20}$", "description": "The producer's own counter per source."},
    "traceparent": {
        "type": "string",
        "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        "description": "W3C trace context.",
    },
    "correlationid": {**_TEXT, "description": "What belongs together."},
    "causationid": {**_TEXT, "description": "The event that caused this one."},
    "retentionclass": {**_TEXT, "default": "permanent", "description": "Which retention rule applies."},
}
"""The schema of each attribute by its name."""


def data_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model, with an example that has every field."""
    return {"$schema": DIALECT, **model.model_json_schema(), "examples": [example(model)]}


def event_schema(kind: EventType) -> dict[str, Any]:
    """Return the JSON Schema of a whole structured event."""
    data = kind.model.model_json_schema()
    parts = data.pop("$defs", {})
    optional = {
        name: {"anyOf": [schema, {"type": "null"}], "description": schema["description"]}
        for name, schema in ATTRIBUTE_SCHEMAS.items()
        if name not in REQUIRED
    }
    required = {name: schema for name, schema in ATTRIBUTE_SCHEMAS.items() if name in REQUIRED}
    return {
        "$schema": DIALECT,
        "$defs": parts,
        "title": kind.name,
        "description": kind.model.__doc__,
        "type": "object",
        "properties": {
            **required,
            "type": {"const": kind.name, "description": "The type of the event."},
            **optional,
            "datacontenttype": {"type": ["string", "null"], "description": f"{DATA_CONTENT_TYPE} or another +json."},
            "dataschema": {"type": ["string", "null"], "format": "uri", "description": "Not read."},
            "data": data,
        },
        "patternProperties": {"^[a-z0-9]{1,64}$": {"description": "An attribute; unknown ones are not projected."}},
        "additionalProperties": False,
        "required": [*REQUIRED, "data"],
        "examples": [event_example(kind)],
    }
