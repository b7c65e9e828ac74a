"""CloudEvents 1.0.2 attributes and the Kafka protocol binding, both content modes.

    binary      headers:  content-type: application/json     (or absent, or any +json type)
                          ce_specversion: 1.0, ce_id: ..., ce_<attribute>: ...
                value:    the data
    structured  headers:  content-type: application/cloudevents+json     (or no content-type at all)
                value:    {"specversion": "1.0", "id": "...", ..., "data": {...}}

Both modes are read into the same `Attributes`. Where the specification lets readers differ, the event is refused:
doubled or contradictory headers, names in another case, `ce_` headers beside a structured value.

Attributes that the contract does not know are CloudEvents extensions: accepted when well formed (a lowercase name
of letters and digits; a string, a boolean or an integer of 32 bits), and not projected into any column. Only
`data` forbids what it does not know. A null attribute of a structured event counts as absent (JSON format, 2.2).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from modeltrail.events.moment import EXPECTED, parse_moment
from modeltrail.events.refusal import ABSENT, PRESENT, ReasonClass, RefusedError, nearest

__all__ = [
    "ATTRIBUTES",
    "CONTENT_TYPE_STRUCTURED",
    "DATA_CONTENT_TYPE",
    "DEFAULT_RETENTION_CLASS",
    "DEFAULT_TENANT",
    "REQUIRED",
    "Attributes",
    "Header",
    "Headers",
    "Texts",
    "check_attribute",
    "check_extension",
    "from_document",
    "from_headers",
    "is_structured",
    "says_structured",
    "split_headers",
]

Header = tuple[str | bytes, bytes | None]
Headers = Sequence[Header]

CONTENT_TYPE_STRUCTURED = "application/cloudevents+json"
DATA_CONTENT_TYPE = "application/json"
DEFAULT_TENANT = "default"
DEFAULT_RETENTION_CLASS = "permanent"

ATTRIBUTE_MAX = 1024
REQUIRED = ("specversion", "id", "source", "type", "time", "subject", "actor")

_ENVELOPE = ReasonClass.ENVELOPE
_NAME = re.compile(r"[a-z0-9]{1,64}\Z")
# CloudEvents 1.0.2, type String: no control characters, no surrogates, no noncharacters.
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
_URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+\Z")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
_SEQUENCE = re.compile(r"[0-9]{1,20}\Z")
_JSON_TYPE = re.compile(
    r"application/(?:json|[a-z0-9!#$&^_.-]+\+json)(?:\s*;\s*charset\s*=\s*\"?utf-8\"?)?\Z", re.IGNORECASE
)
_STRUCTURED_TYPE = re.compile(r"application/cloudevents\+json(?:\s*;\s*charset\s*=\s*\"?utf-8\"?)?\Z", re.IGNORECASE)
_INT32 = range(-(2**31), 2**31)


class Attributes(NamedTuple):
    """The attributes of one event. Strings are empty where absent; `time_us` is microseconds since 1970."""

    source: str
    id: str
    type: str
    subject: str
    time_us: int
    actor: str
    tenant: str
    sequence: str
    traceparent: str
    correlationid: str
    causationid: str
    retentionclass: str


Texts = tuple[Any, ...]
"""The same as a plain tuple, where building the named one would cost too much."""


def _string(name: str, text: str, limit: int = ATTRIBUTE_MAX) -> str:
    if 0 < len(text) <= limit and text.isascii() and text.isprintable():
        return text
    if not text:
        raise RefusedError(_ENVELOPE, name, text, "must not be empty")
    if len(text) > limit:
        raise RefusedError(_ENVELOPE, name, text, f"must have at most {limit} characters")
    if _FORBIDDEN.search(text):
        raise RefusedError(_ENVELOPE, name, text, "must not hold control characters, surrogates or noncharacters")
    return text


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[str, str], str]:
    def check(name: str, text: str) -> str:
        _string(name, text)
        if not pattern.match(text):
            raise RefusedError(_ENVELOPE, name, text, expected)
        return text

    return check


def _specversion(name: str, text: str) -> str:
    if text != "1.0":
        raise RefusedError(_ENVELOPE, name, text, 'must be "1.0"')
    return text


def _time_us(text: str) -> int:
    try:
        return parse_moment(text)
    except ValueError:
        raise RefusedError(_ENVELOPE, "time", text, EXPECTED) from None


def _moment(_name: str, text: str) -> str:
    _time_us(text)
    return text


def _sequence(name: str, text: str) -> str:
    if not _SEQUENCE.match(text) or int(text) >= 2**63:
        raise RefusedError(_ENVELOPE, name, text, "must be 1 to 20 digits, at most 9223372036854775807")
    return text


def _data_content_type(name: str, text: str) -> str:
    if not _JSON_TYPE.match(text) or _STRUCTURED_TYPE.match(text):
        raise RefusedError(_ENVELOPE, name, text, "must be application/json or another +json type, in UTF-8")
    return text


ATTRIBUTES: Mapping[str, Callable[[str, str], str]] = {
    "specversion": _specversion,
    "id": _string,
    "source": _matching(_URI_REFERENCE, "must be a URI reference (RFC 3986)"),
    "type": _string,
    "time": _moment,
    "subject": _string,
    "actor": _string,
    "tenant": _string,
    "sequence": _sequence,
    "traceparent": _matching(_TRACEPARENT, "must be a W3C trace context: 00-<32 hex>-<16 hex>-<2 hex>"),
    "correlationid": _string,
    "causationid": _string,
    "retentionclass": _string,
    "datacontenttype": _data_content_type,
    "dataschema": _matching(_URI_REFERENCE, "must be a URI (RFC 3986)"),
}
"""Each attribute that the contract knows, with its check: name and text in, text out, or RefusedError."""


def check_attribute(name: str, text: object) -> str:
    """Return the text of a known attribute; RefusedError unless it is right."""
    if type(text) is not str:
        raise RefusedError(_ENVELOPE, name, text, "must be a string")
    return ATTRIBUTES[name](name, text)


def check_extension(name: str, value: object) -> str:
    """Return an attribute that the contract does not know as a string; RefusedError unless it is well formed."""
    if not _NAME.match(name) or name == "data":
        expected = "must be named with 1 to 64 lowercase letters and digits, other than data"
        raise RefusedError(_ENVELOPE, name, value, expected + nearest(name, ATTRIBUTES))
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        if value not in _INT32:
            raise RefusedError(_ENVELOPE, name, value, "must fit 32 bits, as every integer attribute of CloudEvents")
        return str(value)
    if type(value) is not str:
        raise RefusedError(_ENVELOPE, name, value, "must be a string, a boolean or an integer of 32 bits")
    if len(value) > ATTRIBUTE_MAX * 8:
        raise RefusedError(_ENVELOPE, name, value, f"must have at most {ATTRIBUTE_MAX * 8} characters")
    if _FORBIDDEN.search(value):
        raise RefusedError(_ENVELOPE, name, value, "must not hold control characters, surrogates or noncharacters")
    return value


class _Memo(dict[bytes | None, str]):
    """Remembers header values that were checked: few sources, types and actors come again and again."""

    LIMIT = 4096
    LONGEST = 256

    def __init__(self, name: str, check: Callable[[str, str], str]) -> None:
        super().__init__()
        self._name = name
        self._check = check

    def __missing__(self, raw: bytes | None) -> str:
        text = self._check(self._name, _decoded(self._name, raw))
        if len(text) <= self.LONGEST:
            if len(self) >= self.LIMIT:
                self.clear()
            self[raw] = text
        return text


def _decoded(name: str, raw: bytes | None) -> str:
    if raw is None:
        raise RefusedError(_ENVELOPE, name, None, "must have a value, not a null header")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise RefusedError(ReasonClass.UNDECODABLE, name, raw, "must be UTF-8") from None


_CONTENT_TYPE = "content-type"
_CONTENT_TYPE_NAMES = (_CONTENT_TYPE.encode(), _CONTENT_TYPE)
_STRUCTURED_RAW = CONTENT_TYPE_STRUCTURED.encode()
_IGNORED = ""


def _content_type(name: str, text: str) -> str:
    """Return the structured content type or that of the data."""
    if _STRUCTURED_TYPE.match(text):
        return CONTENT_TYPE_STRUCTURED
    if text.lower().startswith("application/cloudevents"):
        expected = f"must be {CONTENT_TYPE_STRUCTURED}: of structured events only JSON in UTF-8 is taken"
        raise RefusedError(_ENVELOPE, name, text, expected)
    _data_content_type(name, text)
    return DATA_CONTENT_TYPE


_HEADERS: dict[str | bytes, str] = {}
for _attribute in ATTRIBUTES:
    if _attribute != "datacontenttype":  # in binary mode it is the header content-type
        _HEADERS[f"ce_{_attribute}"] = _attribute
        _HEADERS[f"ce_{_attribute}".encode()] = _attribute
_HEADERS[_CONTENT_TYPE] = _CONTENT_TYPE
_HEADERS[_CONTENT_TYPE.encode()] = _CONTENT_TYPE

_attribute_of = _HEADERS.get
_sources = _Memo("source", ATTRIBUTES["source"])
_types = _Memo("type", ATTRIBUTES["type"])
_actors = _Memo("actor", ATTRIBUTES["actor"])
_content_types = _Memo(_CONTENT_TYPE, _content_type)


def split_headers(headers: Headers) -> dict[str, bytes | None]:
    """Return raw attribute values by attribute name, and `content-type`; other headers are left out.

    RefusedError where one is there twice, or in another case than CloudEvents writes it.
    """
    found: dict[str, bytes | None] = {}
    for name, raw in headers:
        attribute = _attribute_of(name)
        if attribute is None:
            attribute = _unusual(name)
            if attribute == _IGNORED:
                continue
        if attribute in found:
            header = attribute if attribute == _CONTENT_TYPE else f"ce_{attribute}"
            raise RefusedError(_ENVELOPE, header, raw, "must be there once, and is there twice")
        found[attribute] = raw
    return found


def _unusual(name: str | bytes) -> str:
    """Return the attribute of a header that is not one of the known, or nothing where it is none of ours."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    folded = text.casefold()
    if folded == _CONTENT_TYPE:
        raise RefusedError(_ENVELOPE, text, PRESENT, "must be written content-type, in lower case")
    if not folded.startswith("ce_"):
        return _IGNORED
    attribute = text[3:]
    if text != folded or not _NAME.match(attribute):
        raise RefusedError(
            _ENVELOPE, text, PRESENT, "must be ce_ and an attribute name of lowercase letters and digits"
        )
    if attribute in {"data", "datacontenttype"}:
        where = "the value" if attribute == "data" else "the header content-type"
        raise RefusedError(_ENVELOPE, text, PRESENT, f"must not be there: in binary mode it is {where}")
    return attribute


def is_structured(found: Mapping[str, bytes | None]) -> bool:
    """Whether these headers, from `split_headers`, say that the value is a whole event.

    RefusedError where they contradict themselves or say that the record is no CloudEvent in JSON.
    """
    if _CONTENT_TYPE not in found:
        return not found
    raw = found[_CONTENT_TYPE]
    structured = _content_types[raw] == CONTENT_TYPE_STRUCTURED
    if structured and len(found) > 1:
        header = next(f"ce_{name}" for name in found if name != _CONTENT_TYPE)
        raise RefusedError(_ENVELOPE, header, PRESENT, "must not stand beside a structured event, which says it itself")
    if not structured and len(found) == 1:
        expected = (
            f"must come with ce_ headers, or be {CONTENT_TYPE_STRUCTURED} or absent where the value is a whole event"
        )
        raise RefusedError(_ENVELOPE, _CONTENT_TYPE, raw, expected)
    return structured


def says_structured(headers: Headers) -> bool:
    """Whether the only header is the content type of a structured event. False says nothing."""
    if len(headers) != 1:
        return False
    name, raw = headers[0]
    return raw == _STRUCTURED_RAW and name in _CONTENT_TYPE_NAMES


def from_headers(found: Mapping[str, bytes | None]) -> Texts:
    """Return the attributes of a binary event, in the order of `Attributes`, from what `split_headers` returned."""
    try:
        if found["specversion"] != b"1.0":
            _specversion("specversion", _decoded("specversion", found["specversion"]))
        identity = _decoded("id", found["id"])
        source = _sources[found["source"]]
        kind = _types[found["type"]]
        time_us = _time_us(_decoded("time", found["time"]))
        subject = _decoded("subject", found["subject"])
        actor = _actors[found["actor"]]
    except KeyError as error:
        raise RefusedError(_ENVELOPE, error.args[0], ABSENT, "is required") from None
    _string("id", identity)
    _string("subject", subject)
    fixed = (source, identity, kind, subject, time_us, actor)
    if len(found) == len(REQUIRED) + (_CONTENT_TYPE in found):
        return fixed + _DEFAULTS
    optional = _OPTIONAL.copy()
    for name, raw in found.items():
        if name in optional:
            optional[name] = check_attribute(name, _decoded(name, raw))
        elif name == "dataschema":
            check_attribute(name, _decoded(name, raw))
        elif name not in ATTRIBUTES and name != _CONTENT_TYPE:
            check_extension(name, _decoded(name, raw))
    return fixed + tuple(optional.values())


_OPTIONAL = {
    "tenant": DEFAULT_TENANT,
    "sequence": "",
    "traceparent": "",
    "correlationid": "",
    "causationid": "",
    "retentionclass": DEFAULT_RETENTION_CLASS,
}
"""Optional attributes with their defaults, in the order of `Attributes`."""

_DEFAULTS = tuple(_OPTIONAL.values())


def from_document(document: object) -> tuple[Attributes, object]:
    """Return attributes and data of a structured event that was parsed from JSON."""
    if not isinstance(document, dict) or "specversion" not in document:
        expected = "must be a whole CloudEvent with specversion, or come with ce_ headers"
        raise RefusedError(_ENVELOPE, "value", document, expected)
    if "data_base64" in document:
        raise RefusedError(_ENVELOPE, "data_base64", PRESENT, "must not be there: data is JSON, in the member data")
    texts: dict[str, str] = {}
    for name, value in document.items():
        if name == "data" or value is None:
            continue
        if name in ATTRIBUTES:
            texts[name] = check_attribute(name, value)
        else:
            check_extension(name, value)
    for name in REQUIRED:
        if name not in texts:
            raise RefusedError(_ENVELOPE, name, ABSENT, "is required")
    if "data" not in document:
        raise RefusedError(ReasonClass.INVALID_DATA, "data", ABSENT, "is required")
    optional = _OPTIONAL | {name: text for name, text in texts.items() if name in _OPTIONAL}
    attributes = Attributes(
        texts["source"], texts["id"], texts["type"], texts["subject"], parse_moment(texts["time"]), texts["actor"],
        *optional.values(),
    )  # fmt: skip
    return attributes, document["data"]
