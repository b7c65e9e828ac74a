"""The kinds of fields that event models are made of.

Every type here is strict: nothing is coerced, because the store's JSON functions coerce by other rules. An optional
member that is null counts as absent, everywhere: scalars become None, lists and maps become empty.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.functional_validators import BeforeValidator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from modeltrail.events.moment import EXPECTED, PATTERN, format_moment, parse_moment
from modeltrail.events.reading import INT64_MAX, INT64_MIN, check_json
from modeltrail.events.refusal import ABSENT, PATTERNS

__all__ = [
    "Count",
    "Data",
    "Duration",
    "Finite",
    "FreeJson",
    "Id",
    "Listed",
    "Moment",
    "Part",
    "Probability",
    "ProbabilityMap",
    "Scalar",
    "ScalarMap",
    "SeqMap",
    "Sha256",
    "Text",
    "ValueMap",
    "null_as",
    "violation",
]

ID_MAX = 1024
TEXT_MAX = 65_536
NAME_MAX = 256

NO_CONTROL = r"^[^\x00-\x1f\x7f-\x9f]+$"
_SHA256 = r"^[0-9a-f]{64}$"
PATTERNS[NO_CONTROL] = "must not hold control characters"
PATTERNS[_SHA256] = "must be 64 lowercase hex digits"

Scalar = str | float | int | bool | None
"""What `features`, `strata`, `conditions` and `attributes` map names to."""


def violation(expected: str, value: object = ABSENT, path: tuple[str, ...] = ()) -> PydanticCustomError:
    """Return an error for a validator to raise: what is wanted, what stood there, and where below the field."""
    return PydanticCustomError("contract", "{expected}", {"expected": expected, "value": value, "path": path})


class Part(BaseModel):
    """An object inside the data of an event: immutable, strict, no unknown fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, ser_json_inf_nan="constants"
    )


class Data(Part):
    """The data of an event. Subclasses name the CloudEvents type and the field that is the default subject."""

    event_type: ClassVar[str]
    subject_field: ClassVar[str]

    @property
    def default_subject(self) -> str:
        """What the event is about unless said otherwise; also the default Kafka key."""
        return str(getattr(self, self.subject_field))


Id = Annotated[str, Field(min_length=1, max_length=ID_MAX, pattern=NO_CONTROL)]
"""An identifier, a label or a short name: 1 to 1024 characters, no control characters."""

Text = Annotated[str, Field(max_length=TEXT_MAX)]
"""Text for people: up to 65,536 characters."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A finite number of double precision."""

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A probability or a confidence, 0 to 1."""

Duration = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A span of time that is not negative; the unit is in the field's name."""

Count = Annotated[int, Field(ge=0, le=INT64_MAX)]
"""How many: an integer from 0 to 2^63 - 1."""

Sha256 = Annotated[str, Field(pattern=_SHA256)]
"""A SHA-256 digest as 64 lowercase hex digits."""


def _as_moment(value: object) -> object:
    try:
        if isinstance(value, datetime):
            return format_moment(value)
        if isinstance(value, str):
            parse_moment(value)
    except ValueError as error:
        raise violation(str(error), value if isinstance(value, str) else str(value)) from None
    return value


Moment = Annotated[
    str,
    BeforeValidator(_as_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": PATTERN, "description": EXPECTED}),
]
"""An RFC 3339 time with offset, kept as text; a datetime with an offset is written out in UTC."""


class _NullAsEmpty:
    """Makes a list or map whose null counts as absent."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        empty = list if handler.resolve_ref_schema(handler(source))["type"] == "list" else dict
        return core_schema.no_info_after_validator_function(
            lambda value: empty() if value is None else value, core_schema.nullable_schema(handler(source))
        )


NULL_AS_EMPTY = _NullAsEmpty()


class _NullAs:
    """Makes a member with a default whose null counts as absent."""

    def __init__(self, default: Any) -> None:
        self._default = default

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            lambda value: self._default if value is None else value, core_schema.nullable_schema(handler(source))
        )


def null_as(default: object) -> Any:
    """Annotation of a member that has this default, an immutable one: null counts as absent there, too."""
    return _NullAs(default)


class _Checked:
    """A map of names whose values are looked at by a function; null counts as absent."""

    def __init__(self, check: Any, json_schema: JsonSchemaValue) -> None:
        self._check = check
        self._json_schema = json_schema

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        names = core_schema.str_schema(min_length=1, max_length=NAME_MAX, strict=True)
        return core_schema.no_info_after_validator_function(
            self._check,
            core_schema.nullable_schema(core_schema.dict_schema(names, core_schema.any_schema(), strict=True)),
        )

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        names = {"type": "string", "minLength": 1, "maxLength": NAME_MAX}
        return {"type": ["object", "null"], "propertyNames": names} | self._json_schema


def _scalars(value: dict[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return {}
    for part in value.values():
        kind = type(part)
        if kind is str:
            continue
        if kind is int:
            if INT64_MIN <= part <= INT64_MAX:
                continue
        elif kind is float:
            if part - part == 0:  # neither an infinity nor NaN
                continue
        elif kind is bool or part is None:
            continue
        raise _no_scalar(value)
    return value


def _no_scalar(value: dict[str, Any]) -> PydanticCustomError:
    for name, part in value.items():
        found = check_json(part)
        if found is not None:
            return violation(found[2], part, (name, *found[0]))
        if isinstance(part, dict | list):
            return violation("must be a string, a number, true, false or null", part, (name,))
    raise AssertionError(value)


def _free(value: dict[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return {}
    found = check_json(value, FREE_DEPTH)
    if found is not None:
        path, part, expected = found
        raise violation(expected, part, tuple(path))
    return value


FREE_DEPTH = 2
"""Objects around a free member in structured mode: the same data is judged alike in both content modes."""

_SCALAR_SCHEMA = {"type": ["string", "number", "boolean", "null"]}

ScalarMap = Annotated[dict[str, Any], _Checked(_scalars, {"additionalProperties": _SCALAR_SCHEMA})]
"""Names to JSON scalars: string, finite number, true, false or null."""

FreeJson = Annotated[dict[str, Any], _Checked(_free, {})]
"""An object of any JSON: finite numbers, integers of 64 bits, nesting up to 64 in the whole event."""

ProbabilityMap = Annotated[dict[Annotated[str, Field(min_length=1, max_length=NAME_MAX)], Probability], NULL_AS_EMPTY]
"""Names to probabilities."""

ValueMap = Annotated[dict[Annotated[str, Field(min_length=1, max_length=NAME_MAX)], Finite], NULL_AS_EMPTY]
"""Names to finite numbers."""

SeqMap = Annotated[dict[Id, Count], NULL_AS_EMPTY]
"""Chains by name to sequence numbers."""

Listed = NULL_AS_EMPTY
"""Annotation of an optional list whose null counts as absent."""
