"""Hypothesis strategies for events, made from the published JSON Schemas: whatever those allow is tried."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from modeltrail.events.encode import Event
from modeltrail.events.json_schema import data_schema
from modeltrail.events.registry import EventType

from .repairs import REPAIRS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ATTRIBUTES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=20)
SCALARS = st.one_of(st.none(), st.booleans(), INT64, FLOATS, TEXT)
FREE = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
    ),
    max_size=4,
)
NAMED = {
    "cron": st.sampled_from(["@hourly", "@daily", "@weekly", "0 0 * * MON", "*/15 6-18 1,15 * *", "30 2 L FEB *"]),
    "timezone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", None]),
}
"""Members of which a schema does not say what they may hold."""
VERSIONS = st.sampled_from(["0.0.0", "1.0.0", "10.20.30", "1.0.0-rc.1", "1.0.0-alpha-7.x+build.5", "2.1.0+20130301"])
MOMENTS = st.integers(0, 7_289_654_399_999_999).map(lambda us: (EPOCH + timedelta(microseconds=us)).isoformat())


def from_schema(schema: dict[str, Any], parts: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of this project allows."""
    if "$ref" in schema:
        return from_schema(parts[schema["$ref"].removeprefix("#/$defs/")], parts)
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return st.one_of([from_schema(option, parts) for option in options])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            return st.floats(
                schema.get("minimum", schema.get("exclusiveMinimum")),
                schema.get("maximum", schema.get("exclusiveMaximum")),
                exclude_min="exclusiveMinimum" in schema,
                exclude_max="exclusiveMaximum" in schema,
                allow_nan=False,
                allow_infinity=False,
            )
        case "string":
            return _text(schema)
        case "array":
            return st.lists(from_schema(schema["items"], parts), min_size=schema.get("minItems", 0), max_size=3)
    if "properties" in schema:
        members = {
            name: NAMED[name] if name in NAMED else from_schema(inner, parts)
            for name, inner in schema["properties"].items()
        }
        required = {name: members.pop(name) for name in schema.get("required", ())}
        found = st.fixed_dictionaries(required, optional=members)
        repair = REPAIRS.get(schema.get("title", ""))
        return found if repair is None else found.map(lambda data: repair(data) or data)
    if "additionalProperties" not in schema:
        return FREE | st.none()
    values = schema["additionalProperties"]
    if isinstance(values["type"], list):
        return st.dictionaries(NAMES, SCALARS, max_size=4) | st.none()
    return st.dictionaries(NAMES, from_schema(values, parts), max_size=3)


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return MOMENTS
    if schema.get("pattern") == "^[0-9a-f]{64}$":
        return st.binary(min_size=32, max_size=32).map(bytes.hex)
    if schema.get("pattern", "").startswith("^(0|"):
        return VERSIONS
    return IDS if "pattern" in schema else TEXT


def _valid(kind: EventType, data: dict[str, Any]) -> bool:
    try:
        kind.model.model_validate(data)
    except ValidationError:
        return False
    return True


def data_of(kind: EventType) -> st.SearchStrategy[dict[str, Any]]:
    """Data of a type: what its schema allows, without what breaks a rule between fields."""
    schema = data_schema(kind.model)
    return from_schema(schema, schema.get("$defs", {})).filter(lambda data: _valid(kind, data))


@st.composite
def events(draw: st.DrawFn, kind: EventType) -> Event:
    """Whole events of a type, with any attributes."""
    data = kind.model.model_validate(draw(data_of(kind)))
    return Event.of(
        data,
        source=draw(st.sampled_from(["a", "urn:x:y", "https://example.org/a?b=%20#c", "scoring/production"])),
        actor=draw(ATTRIBUTES),
        subject=draw(ATTRIBUTES),
        id=draw(ATTRIBUTES),
        time=draw(MOMENTS),
        tenant=draw(st.just("default") | ATTRIBUTES),
        sequence=draw(st.just("") | st.integers(0, 2**63 - 1).map(str)),
        correlationid=draw(st.just("") | ATTRIBUTES),
        causationid=draw(st.just("") | ATTRIBUTES),
        extensions=draw(
            st.dictionaries(st.from_regex(r"x[a-z0-9]{1,8}", fullmatch=True), ATTRIBUTES | st.just(""), max_size=2)
        ),
    )
