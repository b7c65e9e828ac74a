"""The AsyncAPI 3.1.0 document: topics, messages and who sends what, seen from Modeltrail."""

from typing import Any

from modeltrail.events.envelope import CONTENT_TYPE_STRUCTURED, DATA_CONTENT_TYPE, REQUIRED
from modeltrail.events.examples import attributes_example, event_example, example
from modeltrail.events.json_schema import ATTRIBUTE_SCHEMAS, event_schema
from modeltrail.events.notices import Block, Reject
from modeltrail.events.registry import (
    AUDITED_FAMILIES,
    BLOCKS,
    DEFAULT_PREFIX,
    EVENT_TYPES,
    REJECTED,
    EventType,
    topic_name,
)

__all__ = ["asyncapi"]

SCHEMA_FORMAT = "application/schema+json;version=2020-12"
_KEYED = {"kafka": {"key": {"type": "string", "description": "The subject, by default."}, "bindingVersion": "0.5.0"}}


def asyncapi(prefix: str = DEFAULT_PREFIX) -> dict[str, Any]:
    """Return the AsyncAPI document, seen from Modeltrail: it receives what it audits and sends what it finds."""
    messages: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for family in AUDITED_FAMILIES:
        names = []
        for kind in EVENT_TYPES.values():
            if kind.family == family:
                messages[kind.name] = _binary_message(kind)
                messages[f"{kind.name}.structured"] = _structured_message(kind)
                names += [kind.name, f"{kind.name}.structured"]
        channels[family] = _channel(topic_name(family, prefix), f"Audited: events of the family {family}.", names)
        operations[f"audit-{family}"] = _operation("receive", family, f"Chain every record of {family}.")
    operations["raise-alerts"] = _operation("send", "alerts", "Say what the ledger found.")
    for family, model, summary in (
        (BLOCKS, Block, "The receipt of each commit: which records are chained."),
        (REJECTED, Reject, "Records that the contract refuses; chained all the same."),
    ):
        messages[family] = {
            "name": family,
            "title": model.__name__,
            "summary": model.__doc__,
            "contentType": DATA_CONTENT_TYPE,
            "payload": _payload(model.model_json_schema()),
            "examples": [{"payload": example(model)}],
        }
        channels[family] = _channel(topic_name(family, prefix), summary, [family])
        operations[f"send-{family}"] = _operation("send", family, summary)
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Modeltrail",
            "version": "1",
            "description": "What Modeltrail reads from Kafka and writes to it. Events are CloudEvents 1.0.2, in "
            "binary or structured content mode.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": DATA_CONTENT_TYPE,
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _channel(address: str, description: str, names: list[str]) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _binary_message(kind: EventType) -> dict[str, Any]:
    headers = {f"ce_{name}": schema for name, schema in ATTRIBUTE_SCHEMAS.items()}
    headers["ce_type"] = {"const": kind.name, "description": "The type of the event."}
    attributes = {f"ce_{name}": text for name, text in attributes_example(kind).items()}
    return {
        "name": kind.name,
        "title": f"{kind.model.__name__}, binary content mode",
        "summary": kind.model.__doc__,
        "contentType": DATA_CONTENT_TYPE,
        "headers": {
            "type": "object",
            "properties": headers,
            "required": [f"ce_{name}" for name in REQUIRED],
        },
        "payload": _payload(kind.model.model_json_schema()),
        "bindings": _KEYED,
        "examples": [{"headers": attributes, "payload": example(kind.model)}],
    }


def _structured_message(kind: EventType) -> dict[str, Any]:
    schema = event_schema(kind)
    schema.pop("examples")
    return {
        "name": f"{kind.name}.structured",
        "title": f"{kind.model.__name__}, structured content mode",
        "summary": kind.model.__doc__,
        "contentType": CONTENT_TYPE_STRUCTURED,
        "payload": _payload(schema),
        "bindings": _KEYED,
        "examples": [{"payload": event_example(kind)}],
    }


def _payload(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema for use inside another document: without references of its own, which would miss."""
    parts = schema.pop("$defs", {})
    return {"schemaFormat": SCHEMA_FORMAT, "schema": _inlined(schema, parts)}


def _inlined(node: Any, parts: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(part, parts) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        part = parts[node["$ref"].removeprefix("#/$defs/")]
        return _inlined({**part, **{name: value for name, value in node.items() if name != "$ref"}}, parts)
    return {name: _inlined(value, parts) for name, value in node.items()}
