"""One reading: JSON bytes that two parsers could read differently are refused.

Refused beside what RFC 8259 refuses: byte order mark, doubled member names (whatever their escapes), NaN and
infinities, numbers that overflow a double, integers beyond 64 bits signed, nesting beyond 64, lone surrogates,
anything after the document. Coercions are the models' affair: they are strict.

The sign of a zero is not part of a number here: ClickHouse loses it when it takes a part of a document as text.
"""

import re
from typing import Any

import jiter

from modeltrail.events.guises import guise
from modeltrail.events.refusal import ReasonClass, RefusedError

__all__ = ["INT64_MAX", "INT64_MIN", "NESTING_MAX", "check_json", "check_limits", "parse", "read_json"]

FINITE = "must be a finite number, at most 1.7976931348623157e308"
"""What every refusal of an infinity says; it stands for a number that is too large, too."""
INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
NESTING_MAX = 64

_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_NINETEEN = b"0" * 19  # the shortest integer that may not fit 64 bits has 19 digits
_BOM = b"\xef\xbb\xbf"
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_LONG_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*+"|([0-9]{4000})', re.DOTALL)
_AMBIGUOUS = ReasonClass.AMBIGUOUS_JSON

_from_json = jiter.from_json
_WHERE = re.compile(r" at line ([0-9]+) column ([0-9]+)\Z")
_LINES_MAX = 10_000
_IN_WORDS = {
    "EOF while parsing a value": "ends where a value is expected",
    "EOF while parsing a string": "ends inside a string",
    "EOF while parsing a list": "ends inside a list",
    "EOF while parsing an object": "ends inside an object",
    "control character (\\u0000-\\u001F) found while parsing a string": "has a control character that is not escaped",
    "expected `:`": "lacks a colon",
    "expected `,` or `]`": "lacks a comma or a closing bracket",
    "expected `,` or `}`": "lacks a comma or a closing brace",
    "expected ident": "has a word other than true, false and null",
    "expected value": "has something that is no JSON value",
    "invalid escape": "has an escape that JSON does not know",
    "invalid number": "has a malformed number",
    "key must be a string": "has a member name without double quotes",
    "trailing characters": "goes on after its end",
    "trailing comma": "has a comma before a closing bracket or brace",
}
"""What the parser says, for people who never wrote one. What is not listed is passed on as it is."""


def parse(data: bytes) -> Any:
    """Return the document. RefusedError unless it is JSON without doubled names and with integers of 64 bits.

    Nesting and overflow (1e999 comes back as an infinity) are not looked at: that takes a walk over the document,
    and the strict models look at every number and every depth anyway. `check_limits` makes that walk.
    """
    try:
        document = _from_json(data, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="keys")
    except ValueError as error:
        raise _diagnosed(data, str(error)) from None
    if _NINETEEN in data.translate(_DIGITS):
        check_limits(document)
    return document


def read_json(data: bytes) -> Any:
    """Return the document: `None`, bool, int, float, str, list or dict. RefusedError unless it has one reading."""
    document = parse(data)
    check_limits(document)
    return document


def check_limits(document: object, where: str = "value") -> None:
    """Walk over a parsed document; RefusedError at the first number or depth beyond the limits.

    `where` is what the path of the field begins with.
    """
    found = check_json(document)
    if found is not None:
        path, value, expected = found
        raise RefusedError(_AMBIGUOUS, ".".join([where, *path] if where else path), value, expected)


def check_json(value: object, depth: int = 0) -> tuple[list[str], object, str] | None:
    """Return path, value and expectation of the first part that JSON cannot carry unambiguously, else None.

    For values that were parsed and for values that were built in Python. Limits: nesting (counted from `depth`),
    64 bits for integers, finite doubles, names that are text.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return None
    if kind is float:
        return None if value - value == 0 else ([], value, FINITE)  # type: ignore[operator]
    if kind is int:
        if INT64_MIN <= value <= INT64_MAX:  # type: ignore[operator]
            return None
        return [], value, "must fit 64 bits signed"
    if kind is dict or kind is list:
        if depth >= NESTING_MAX:
            return [], value, f"must not be nested deeper than {NESTING_MAX}"
        items = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
        for name, part in items:
            if kind is dict and type(name) is not str:
                return [], name, "must be a string, as every member name"
            found = check_json(part, depth + 1)
            if found is not None:
                found[0].insert(0, str(name))
                return found
        return None
    return [], value, "must be a JSON value (string, number, true, false, null, list or object)"


def _diagnosed(data: bytes, message: str) -> RefusedError:
    """Say why the parser refused. The class depends on what parses after which change, never on the wording."""
    begin = data[:40]
    if data.startswith(_BOM):
        return RefusedError(_AMBIGUOUS, "value", begin, "must not begin with a byte order mark")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        at = data[max(0, error.start - 16) : error.start + 16]
        expected = f"must be UTF-8, and is not at byte {error.start}{guise(data)}"
        return RefusedError(ReasonClass.UNDECODABLE, "value", at, expected)
    if _nesting(data) > NESTING_MAX:
        return RefusedError(_AMBIGUOUS, "value", begin, f"must not be nested deeper than {NESTING_MAX}")
    objection = _objection(data, allow_inf_nan=False)
    if objection is None:
        name, where = _split(message.removeprefix("Detected duplicate key "))
        expected = f"must not hold a member name twice: {_plain(name)}{where}"
        return RefusedError(_AMBIGUOUS, "value", _near(data, where), expected)
    _, where = _split(objection)
    objection = _objection(data, allow_inf_nan=True)
    if objection is None:
        return RefusedError(
            _AMBIGUOUS, "value", _near(data, where), f"must not hold NaN or an infinity, and does{where}"
        )
    words, where = _split(objection)
    if _objection(_SURROGATE.sub(rb"\\u0041", data), allow_inf_nan=True) is None:
        expected = f"must not hold half of a surrogate pair, and does{where}"
        return RefusedError(_AMBIGUOUS, "value", _near(data, where), expected)
    if any(match.group(1) for match in _LONG_NUMBER.finditer(data)):
        return RefusedError(_AMBIGUOUS, "value", begin, "must not hold a number of 4000 digits and more")
    expected = f"must be JSON, and {_IN_WORDS.get(words, _plain(words))}{where}{guise(data)}"
    return RefusedError(ReasonClass.NOT_JSON, "value", _near(data, where), expected)


def _objection(data: bytes, *, allow_inf_nan: bool) -> str | None:
    """Return what the parser says of the bytes, None where it takes them, member names twice included."""
    try:
        _from_json(data, allow_inf_nan=allow_inf_nan)
    except ValueError as error:
        return str(error)
    return None


def _split(message: str) -> tuple[str, str]:
    """Split a message of the parser into what and where; where is ` at line ... column ...`, or nothing."""
    found = _WHERE.search(message)
    return (message[: found.start()], found.group()) if found else (message, "")


def _near(data: bytes, where: str) -> bytes:
    """Return the bytes around a place; the parser counts lines from 1 and columns in bytes."""
    found = _WHERE.search(where)
    if found is None:
        return data[:40]
    line, column = (int(number) for number in found.groups())
    if line > _LINES_MAX:
        return data[:40]
    start = 0
    for _ in range(line - 1):
        start = data.index(b"\n", start) + 1
    at = start + column
    return data[max(0, at - 28) : max(40, at + 12)]


def _nesting(data: bytes) -> int:
    depth = deepest = 0
    for match in _STRUCTURE.finditer(data):
        mark = match.group()
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest


def _plain(message: str) -> str:
    return message[:200].encode("unicode_escape").decode()
