"""Reading an event the quick way: decoded, checked against its type and searched for doubled names in one pass.

The judge reads most events here, and asks the careful way (`reading`, the models) about every one that this way does
not take. So it may refuse what it likes, and gives no reason; but **what it takes, the careful way takes too, with
the same attributes**. Tests hold it to that over whatever hypothesis finds and over the corpus of hostile records.

What it takes:
- Text without a backslash, in ASCII without a DEL, or else printable Unicode as a whole. Then no string of the
  document holds a control character, a surrogate or a noncharacter, and no pattern has to look for them.
- A document that fits the JSON Schema of its type. The schemas are translated for msgspec, a decoder that checks
  while it reads. It refuses what RFC 8259 refuses, NaN, overflow and coercions; integers that may not fit 64 bits
  are out of the bounds that stand here for every number.
- No doubled names. Every member has one colon of its own, whatever stands around it; all further colons stand in
  strings. So as many colons as there are different members, and colons in their strings, leave none for a member
  that was dropped because its name came twice.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Required, TypedDict, cast

import msgspec

from modeltrail.events.actions import ActionRecorded
from modeltrail.events.classifications import ClassificationRecorded
from modeltrail.events.envelope import ATTRIBUTE_MAX, ATTRIBUTES, DEFAULT_RETENTION_CLASS, DEFAULT_TENANT
from modeltrail.events.fields import FREE_DEPTH, NO_CONTROL, Data
from modeltrail.events.moment import parse_moment
from modeltrail.events.predictions import PredictionOutcome, PredictionRecorded
from modeltrail.events.reading import check_json
from modeltrail.events.refusal import RefusedError
from modeltrail.events.registry import EVENT_TYPES, EventType
from modeltrail.events.runs import RunItemProcessed, RunItemSkipped, RunRuleEvaluated

__all__ = ["fits", "read_structured"]

_BACKSLASH, _DEL, _COLON = b"\\\x7f:"
_SAFE = 9 * 10**18
"""Integers up to here fit 64 bits; beyond, in both directions, the careful way decides."""

_Attribute = Annotated[str, msgspec.Meta(min_length=1, max_length=ATTRIBUTE_MAX)]


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A structured event. An attribute that is not there is empty; one that is there never is."""

    specversion: Literal["1.0"]
    source: _Attribute
    id: _Attribute
    type: _Attribute
    subject: _Attribute
    time: str
    actor: _Attribute
    data: msgspec.Raw
    tenant: _Attribute = ""
    sequence: _Attribute = ""
    traceparent: _Attribute = ""
    correlationid: _Attribute = ""
    causationid: _Attribute = ""
    retentionclass: _Attribute = ""
    datacontenttype: _Attribute = ""


_REQUIRED = 8
"""Members of a document with nothing but what is required."""
_OPTIONAL = _Envelope.__struct_fields__[_REQUIRED:]
_CHECKED = {name: ATTRIBUTES[name] for name in ("sequence", "traceparent", "datacontenttype")}

_decode_envelope = msgspec.json.Decoder(_Envelope).decode


class _Sources(dict[str, tuple[str, int]]):
    """A source, always the same object, and its colons; -1 where it is no URI reference. Few come again and again."""

    LIMIT = 4096

    def __missing__(self, source: str) -> tuple[str, int]:
        try:
            colons = ATTRIBUTES["source"]("source", source).count(":")
        except RefusedError:
            colons = -1
        if len(self) >= self.LIMIT:
            self.clear()
        self[source] = source, colons
        return self[source]


class _Actors(dict[str, str]):
    """An actor, always the same object: what waits for the ledger holds it many thousand times."""

    LIMIT = 4096

    def __missing__(self, actor: str) -> str:
        if len(self) >= self.LIMIT:
            self.clear()
        self[actor] = actor
        return actor


_sources = _Sources()
_actors = _Actors()


def read_structured(topic: str, value: bytes) -> tuple[Any, ...] | None:
    """Return the attributes of a valid structured event, in the order of `Attributes`; None to ask the careful way."""
    if not _plain(value):
        return None
    try:
        envelope = _decode_envelope(value)
        kind = _types[envelope.type]
        if kind is None or not topic.endswith(kind.topic_suffix):
            return None
        data = kind.decode(envelope.data)
        members = kind.members(data) + _REQUIRED
        time = envelope.time
        time_us = parse_moment(time)
        optional = _DEFAULTS
        if (
            envelope.datacontenttype
            or envelope.tenant
            or envelope.sequence
            or envelope.traceparent
            or envelope.correlationid
            or envelope.causationid
            or envelope.retentionclass
        ):
            there = [name for name in _OPTIONAL if getattr(envelope, name)]
            for name in there:
                if name in _CHECKED:
                    _CHECKED[name](name, getattr(envelope, name))
            members += len(there)
            optional = (
                envelope.tenant or DEFAULT_TENANT,
                envelope.sequence,
                envelope.traceparent,
                envelope.correlationid,
                envelope.causationid,
                envelope.retentionclass or DEFAULT_RETENTION_CLASS,
            )
        source, in_source = _sources[envelope.source]
        if in_source < 0 or not kind.rule(data):
            return None
        in_strings = value.count(_COLON) - members
        if in_strings != in_source + (2 if time[-1] == "Z" else 3):
            texts = [getattr(envelope, name) for name in _Envelope.__struct_fields__ if name != "data"]
            if in_strings != _colons(texts) + _colons(data):
                return None
    except (ValueError, RecursionError, RefusedError):  # msgspec raises ValueErrors
        return None
    return (source, envelope.id, kind.name, envelope.subject, time_us, _actors[envelope.actor], *optional)


def fits(kind: EventType, value: bytes) -> bool:
    """Whether these bytes are data of a type; False to ask the careful way."""
    if not _plain(value):
        return False
    quick = _types[kind.name]
    if quick is None:
        return False
    try:
        data = quick.decode(value)
        in_strings = value.count(_COLON) - quick.members(data)
        return quick.rule(data) and (in_strings == 0 or in_strings == _colons(data))
    except (ValueError, RecursionError):
        return False


_DEFAULTS = (DEFAULT_TENANT, "", "", "", "", DEFAULT_RETENTION_CLASS)


def _plain(value: bytes) -> bool:
    if _BACKSLASH in value or _DEL in value:
        return False
    if value.isascii():
        return True
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _colons(value: Any) -> int:
    """Colons in all strings of a document."""
    if type(value) is str:
        return value.count(":")
    if type(value) is dict:
        return sum(name.count(":") + _colons(part) for name, part in value.items())
    if type(value) is list:
        return sum(_colons(part) for part in value)
    return 0


# Rules between fields, as the models have them


def _prediction_fits_its_kind(data: dict[str, Any]) -> bool:
    if data["kind"] == "regression":
        if data.get("value") is None:
            return False
    elif (
        data.get("label") is None
        and not data.get("probabilities")
        and (data["kind"] == "multiclass" or data.get("score") is None)
    ):
        return False
    return data.get("exclusion_reason") is None or bool(data.get("excluded"))


def _outcome_says_something(data: dict[str, Any]) -> bool:
    parse_moment(data["observed_at"])
    return data.get("value") is not None or data.get("label") is not None


def no_rule(_data: dict[str, Any]) -> bool:
    return True


RULES: Mapping[type[Data], Callable[[dict[str, Any]], bool]] = {
    PredictionRecorded: _prediction_fits_its_kind,
    PredictionOutcome: _outcome_says_something,
    ClassificationRecorded: no_rule,
    RunItemProcessed: no_rule,
    RunItemSkipped: no_rule,
    RunRuleEvaluated: no_rule,
    ActionRecorded: no_rule,
}
"""The types that are read here, those of which there are many, each with what its schema does not say.

A rule returns False, or raises ValueError, where the data breaks it.
"""


# Schemas, translated for msgspec

_Count = Callable[[Any], int]
"""Members in a part of a document, at all depths. ValueError where free JSON is beyond the limits."""


class _Shape(NamedTuple):
    type: Any
    members: _Count | None
    """None where there are no members inside."""


def _shape(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> _Shape:
    """Translate one schema of this project. KeyError, or ValueError, for what this function does not know."""
    if "$ref" in schema:
        return _object(parts[schema["$ref"].removeprefix("#/$defs/")], parts)
    if "anyOf" in schema:
        shape, null = schema["anyOf"]
        if null != {"type": "null"}:
            raise ValueError(schema)
        inner = _shape(shape, parts)
        return _Shape(inner.type | None, inner.members)
    if "enum" in schema:
        return _Shape(Literal[tuple(schema["enum"])], None)
    match schema["type"]:
        case "boolean":
            return _Shape(bool, None)
        case "integer":
            bounds = msgspec.Meta(ge=max(schema["minimum"], -_SAFE), le=min(schema["maximum"], _SAFE))
            return _Shape(Annotated[int, bounds], None)
        case "number":
            bounds = msgspec.Meta(
                ge=max(schema.get("minimum", -_SAFE), -_SAFE), le=min(schema.get("maximum", _SAFE), _SAFE)
            )
            return _Shape(Annotated[float, bounds], None)
        case "string":
            return _Shape(_text(schema), None)
        case "array":
            inner = _shape(schema["items"], parts)
            of_item = inner.members
            return _Shape(
                list[inner.type],  # type: ignore[name-defined]
                None if of_item is None else lambda items: sum(map(of_item, items)),
            )
        case "object":
            return _object(schema, parts)
        case ["object", "null"]:
            inner = _object(schema, parts)
            return _Shape(inner.type | None, inner.members)
    raise ValueError(schema)


def _text(schema: Mapping[str, Any]) -> Any:
    pattern = schema.get("pattern")
    if pattern == NO_CONTROL or schema.get("format") == "date-time":  # the one holds of the whole document, the
        pattern = None  # other is checked by the rule of its type
    return Annotated[
        str, msgspec.Meta(min_length=schema.get("minLength"), max_length=schema.get("maxLength"), pattern=pattern)
    ]


def _object(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> _Shape:
    if "properties" not in schema:
        return _map(schema, parts)
    shapes = {name: _shape(inner, parts) for name, inner in schema["properties"].items()}
    members = {
        name: Required[shape.type] if name in schema["required"] else NotRequired[shape.type]
        for name, shape in shapes.items()
    }
    counts = tuple((name, shape.members) for name, shape in shapes.items() if shape.members is not None)
    return _Shape(TypedDict(schema["title"], members), partial(_in_object, counts))  # type: ignore[operator]


def _in_object(counts: tuple[tuple[str, _Count], ...], value: dict[str, Any]) -> int:
    members = len(value)
    for name, count in counts:
        part = value.get(name)
        if part:
            members += count(part)
    return members


def _map(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> _Shape:
    names = schema["propertyNames"]
    name = Annotated[str, msgspec.Meta(min_length=names["minLength"], max_length=names["maxLength"])]
    values = schema.get("additionalProperties")
    if values is None:
        return _Shape(dict[name, Any], _in_free)
    if values["type"] == ["string", "number", "boolean", "null"]:
        whole = Annotated[int, msgspec.Meta(ge=-_SAFE, le=_SAFE)]
        number = Annotated[float, msgspec.Meta(ge=-_SAFE, le=_SAFE)]
        return _Shape(dict[name, str | whole | number | bool | None], len)
    inner: Any = _shape(values, parts).type
    return _Shape(dict[name, inner], len)


def _in_free(value: dict[str, Any]) -> int:
    if check_json(value, FREE_DEPTH) is not None:
        raise ValueError(value)
    return _anywhere(value)


def _anywhere(value: Any) -> int:
    if type(value) is dict:
        return len(value) + sum(map(_anywhere, value.values()))
    return sum(map(_anywhere, value)) if type(value) is list else 0


class _Type:
    """One type of event. `decode` raises ValueError where the data is not plainly of the type."""

    __slots__ = ("decode", "members", "name", "rule", "topic_suffix")

    def __init__(self, kind: EventType) -> None:
        schema = kind.model.model_json_schema()
        shape = _object(schema, schema.get("$defs", {}))
        self.name = kind.name
        self.topic_suffix = kind.topic_suffix
        self.decode: Callable[[bytes | msgspec.Raw], dict[str, Any]] = msgspec.json.Decoder(shape.type).decode
        self.members = cast("_Count", shape.members)
        self.rule = RULES[kind.model]


class _Types(dict[str, "_Type | None"]):
    """Types by their CloudEvents name, translated when the first event of each comes; None where none is known."""

    def __missing__(self, name: str) -> _Type | None:
        kind = EVENT_TYPES.get(name)
        if kind is None:
            return None  # not remembered: anybody can make up names
        self[name] = _Type(kind) if kind.model in RULES else None
        return self[name]


_types = _Types()
