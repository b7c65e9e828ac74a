"""Why something is refused: field, value and expectation, worded alike everywhere."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from modeltrail.errors import InvalidEventError

__all__ = ["ABSENT", "PRESENT", "ReasonClass", "RefusedError", "nearest", "refusal_of", "shown"]

_SHOWN_MAX = 80
_INT64_BITS = 63
_ALIKE = 0.65
"""Likeness of a word of few letters: `acu` is meant as `auc`, while `ternary` is not meant as `binary`."""
_QUOTED = re.compile(r"'([^']*)'")


class ReasonClass(StrEnum):
    """The closed set of reasons for which a record is rejected; a label of metrics and a column of the ledger."""

    EMPTY = "empty"
    """The record has no value."""
    TOO_LARGE = "too_large"
    """The value is larger than the contract takes."""
    CONFLUENT_PREFIX = "confluent_prefix"
    """The value begins with the schema id of a schema-registry serializer."""
    UNDECODABLE = "undecodable"
    """The value or a header is not UTF-8."""
    NOT_JSON = "not_json"
    """The value is not JSON (RFC 8259)."""
    AMBIGUOUS_JSON = "ambiguous_json"
    """JSON that two parsers could read differently."""
    ENVELOPE = "envelope"
    """A CloudEvents attribute is missing, doubled, contradictory or malformed."""
    UNKNOWN_TYPE = "unknown_type"
    """The contract has no such event type."""
    WRONG_TOPIC = "wrong_topic"
    """The event type belongs on another topic."""
    INVALID_DATA = "invalid_data"
    """The data does not fit the model of its type."""


class RefusedError(Exception):
    """Raised inside this package; callers see a rejected Judgement or an InvalidEventError.

    `field` is the dotted path, `value` what stood there, `expected` what the contract wants.
    """

    def __init__(self, reason_class: ReasonClass, field: str, value: object, expected: str) -> None:
        super().__init__(reason_class, field)
        self.reason_class = reason_class
        self.field = field
        self.value = value
        self.expected = expected

    def sentence(self) -> str:
        """Return `field: value: expectation` in one line without control characters."""
        return f"{_short(self.field)}: {shown(self.value)}: {self.expected}"

    def as_invalid_event(self) -> InvalidEventError:
        """Return the same refusal as the public error; a value that is no short scalar is described instead."""
        value: object = self.value
        if value is ABSENT:
            value = None
        elif not isinstance(value, str | bool | float | None) and not (type(value) is int and abs(value) < 2**64):
            value = _Described(shown(value))
        return InvalidEventError(self.field, value, self.expected)


class _Described(str):
    """Words about a value, which stand in a sentence without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class _Mark:
    """Stands in a sentence where there is no value to show."""

    def __init__(self, text: str) -> None:
        self.text = text


ABSENT = _Mark("missing")
"""A member or attribute that is not there."""
PRESENT = _Mark("present")
"""A header or member that should not be there, whatever its value."""


def shown(value: object) -> str:
    """Return a value for a sentence: at most 80 characters, printable ASCII, containers only described."""
    match value:
        case _Mark():
            return value.text
        case bool() | None | float():
            text = json.dumps(value)
        case int():
            bits = value.bit_length()
            text = str(value) if bits <= _INT64_BITS + 1 else f"an integer of {bits} bits"
        case str():
            text = json.dumps(value[: _SHOWN_MAX + 1])
        case bytes():
            text = repr(value[: _SHOWN_MAX + 1])[1:]
        case dict():
            text = f"an object with {len(value)} members"
        case list():
            text = f"a list of {len(value)}"
        case _:
            text = f"a Python {type(value).__name__}"
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "..."


def _short(path: str) -> str:
    return json.dumps(path if len(path) <= _SHOWN_MAX else path[: _SHOWN_MAX - 3] + "...")[1:-1]


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return `; did you mean ...?` with the known name that looks most like `name`, or nothing.

    `cutoff` is the least likeness, from 0 to 1, that counts.
    """
    close = difflib.get_close_matches(name[:200], list(known), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]!r}?" if close else ""


_EXPECTED: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_unicode": "must be text that UTF-8 can hold",
    "bool_type": "must be true or false",
    "int_type": "must be an integer without fraction or exponent",
    "float_type": "must be a number",
    "finite_number": "must be a finite number of double precision",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be greater than {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be less than {lt:g}",
    "literal_error": "must be one of {expected}",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_long": "must have at most {max_length} elements",
    "too_short": "must have at least {min_length} elements",
}


PATTERNS: dict[str, str] = {}
"""What the patterns of string fields say in words; filled where the fields are defined."""

MARKS: set[str] = {"[key]"}
"""What stands in pydantic's paths and is no part of the document: names of map keys, and kinds of what has several."""


def refusal_of(error: ValidationError, where: str, fields: Iterable[str]) -> RefusedError:
    """Return the first finding of a pydantic error. `where` is the path of what was validated, `fields` its members."""
    found = error.errors(include_url=False)
    first = found[0]
    kind, context = first["type"], first.get("ctx", {})
    path = [where, *(str(part) for part in first["loc"] if part not in MARKS)]
    value: Any = first["input"]
    if kind == "contract":
        path += [str(part) for part in context["path"]]
        value = context["value"]
        expected = context["expected"]
    elif kind == "extra_forbidden":
        hint = nearest(str(first["loc"][-1]), fields) if len(first["loc"]) == 1 else ""
        expected = "is a field that the contract does not know" + hint
    elif kind == "string_pattern_mismatch":
        expected = PATTERNS[context["pattern"]]
    else:
        expected = _EXPECTED[kind].format(**context) if kind in _EXPECTED else first["msg"]
        if kind == "literal_error" and isinstance(value, str):
            expected += nearest(value, _QUOTED.findall(context["expected"]), cutoff=_ALIKE)
        if expected == "must be an object" and isinstance(value, str) and value.lstrip().startswith("{"):
            expected += ", and is a string that holds one: it was encoded twice"
    if kind == "missing":
        value = ABSENT
    if len(found) > 1:
        expected += f" ({len(found) - 1} more in this event)"
    return RefusedError(ReasonClass.INVALID_DATA, ".".join(path), value, expected)
