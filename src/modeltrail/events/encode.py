"""Events on the way out: `encode_binary` and `encode_structured` write what `judge` takes, or raise.

This package has no clock and no random numbers: `time` and `id` come from the caller, or are filled in later with
`Event.completed`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Self

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from modeltrail.errors import InvalidEventError
from modeltrail.events.envelope import (
    ATTRIBUTES,
    CONTENT_TYPE_STRUCTURED,
    DATA_CONTENT_TYPE,
    DEFAULT_RETENTION_CLASS,
    DEFAULT_TENANT,
    check_attribute,
    check_extension,
)
from modeltrail.events.fields import Data
from modeltrail.events.moment import EXPECTED, format_moment
from modeltrail.events.reading import check_limits, parse, read_json
from modeltrail.events.refusal import ReasonClass, RefusedError, refusal_of
from modeltrail.events.registry import EventType, event_type, event_type_of, record_key

__all__ = ["Encoded", "Event", "encode_binary", "encode_structured", "from_json_line"]

Encoded = tuple[bytes, list[tuple[str, bytes]], bytes]
"""Key, headers and value of a Kafka record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event: its data and the attributes of its envelope. Every attribute is checked; InvalidEventError.

    `id` and `time` may be None until `completed`. `time` is RFC 3339 text. Empty optional attributes are left out.
    """

    data: Data
    source: str
    actor: str
    subject: str
    id: str | None = None
    time: str | None = None
    tenant: str = DEFAULT_TENANT
    sequence: str = ""
    traceparent: str = ""
    correlationid: str = ""
    causationid: str = ""
    retentionclass: str = DEFAULT_RETENTION_CLASS
    extensions: Mapping[str, str] = field(default_factory=dict)
    """Attributes that the contract does not know; not projected into any column."""

    def __post_init__(self) -> None:
        try:
            for name in _REQUIRED_HERE:
                check_attribute(name, getattr(self, name))
            for name in _OPTIONAL_HERE:
                text = getattr(self, name)
                if text is not None and text != "":
                    check_attribute(name, text)
            for name, text in self.extensions.items():
                _check_extension(name, text)
        except RefusedError as refused:
            raise refused.as_invalid_event() from None

    @classmethod
    def of(
        cls,
        data: Data,
        *,
        source: str,
        actor: str,
        subject: str | None = None,
        id: str | None = None,  # noqa: A002 - the attribute's name in CloudEvents
        time: datetime | str | None = None,
        **attributes: Any,
    ) -> Self:
        """Return an event about `data`. `time` is when it happened: RFC 3339 text or a datetime with an offset.

        `subject` is taken from the data where it is not given: the item, the model or the run. `attributes` are the
        other fields of Event. InvalidEventError names field, value and expectation.
        """
        about = data.default_subject if subject is None else subject
        return cls(data=data, source=source, actor=actor, subject=about, id=id, time=_time_text(time), **attributes)

    @property
    def kind(self) -> EventType:
        """The type of the event in the registry."""
        return event_type_of(self.data)

    @property
    def type(self) -> str:
        """The CloudEvents `type`."""
        return self.data.event_type

    def completed(self, *, id: str, time: datetime | str) -> Self:  # noqa: A002 - as above
        """Return the event with `id` and `time`, each only where it has none yet."""
        if self.id is not None and self.time is not None:
            return self
        return replace(
            self,
            id=id if self.id is None else self.id,
            time=_time_text(time) if self.time is None else self.time,
        )


def _check_extension(name: str, text: object) -> None:
    if name == "dataschema":
        check_attribute(name, text)
    elif name in ATTRIBUTES:
        raise RefusedError(ReasonClass.ENVELOPE, name, text, "is an attribute of its own, not an extension")
    elif type(text) is not str:
        raise RefusedError(ReasonClass.ENVELOPE, name, text, "must be a string")
    else:
        check_extension(name, text)


_OPTIONAL_HERE = ("id", "time", "tenant", "sequence", "traceparent", "correlationid", "causationid", "retentionclass")
_REQUIRED_HERE = ("source", "actor", "subject")
_NOT_ATTRIBUTES = ("data", "extensions")


def _time_text(time: datetime | str | None) -> str | None:
    if not isinstance(time, datetime):
        return time
    try:
        return format_moment(time)
    except ValueError as error:
        raise InvalidEventError("time", str(time), str(error)) from None


def _attributes(event: Event) -> dict[str, str]:
    """Return all attributes that the event has, in a fixed order. InvalidEventError without id or time."""
    if event.id is None:
        raise InvalidEventError("id", None, "is required; the publisher fills it in")
    if event.time is None:
        raise InvalidEventError("time", None, EXPECTED + "; the publisher fills it in")
    texts = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "actor": event.actor,
    }
    for name in ("sequence", "traceparent", "correlationid", "causationid"):
        if text := getattr(event, name):
            texts[name] = text
    if event.tenant not in {"", DEFAULT_TENANT}:
        texts["tenant"] = event.tenant
    if event.retentionclass not in {"", DEFAULT_RETENTION_CLASS}:
        texts["retentionclass"] = event.retentionclass
    return {**texts, **event.extensions}


def _data(event: Event) -> bytes:
    """Return the data as compact JSON without absent members, read again as a consumer will read it.

    The models are immutable, the lists and maps in them are not: what was put there later is checked here.
    """
    kind = event.kind
    try:
        value = event.data.__pydantic_serializer__.to_json(event.data, exclude_none=True, exclude_defaults=True)
        document = parse(value)
        check_limits(document)
        kind.validate(document)
    except (RefusedError, ValidationError, PydanticSerializationError, UnicodeEncodeError):
        raise _what_is_wrong(event) from None
    return value


def _what_is_wrong(event: Event) -> InvalidEventError:
    """Return the error for data that was valid when it was made."""
    kind = event.kind
    try:
        kind.validate(event.data.model_dump())
    except ValidationError as error:
        return refusal_of(error, "data", kind.model.model_fields).as_invalid_event()
    return InvalidEventError("data", kind.name, "must hold JSON values and text that UTF-8 can hold")


def encode_binary(event: Event) -> Encoded:
    """Return key, headers and value of the event in binary content mode. InvalidEventError if it cannot be sent."""
    value = _data(event)
    headers = [("content-type", DATA_CONTENT_TYPE.encode())]
    headers += [(f"ce_{name}", text.encode()) for name, text in _attributes(event).items()]
    return record_key(event.subject), headers, value


def encode_structured(event: Event) -> Encoded:
    """Return key, headers and value of the event in structured content mode. InvalidEventError if it cannot be sent."""
    value = _data(event)
    envelope = to_json({**_attributes(event), "datacontenttype": DATA_CONTENT_TYPE})
    headers = [("content-type", CONTENT_TYPE_STRUCTURED.encode())]
    return record_key(event.subject), headers, envelope[:-1] + b',"data":' + value + b"}"


def from_json_line(line: bytes | object, *, source: str | None = None, actor: str | None = None) -> Event:
    """Return the event of one JSON line: a whole structured CloudEvent, or its type, data and what it has.

    The line is given as bytes, which are read as a worker reads them, or as the object that was parsed from it.
    `source` and `actor` stand in where the line has none; `id` and `time` may be missing (see `Event.completed`),
    `subject` comes from the data. InvalidEventError names field, value and expectation.
    """
    try:
        return _from_line(read_json(line) if isinstance(line, bytes) else line, source, actor)
    except RefusedError as refused:
        raise refused.as_invalid_event() from None


def _instead(name: str, members: Iterable[str]) -> str:
    """Return `; the line has '...' instead` where one of its members looks like `name`, or nothing."""
    close = get_close_matches(name, members, n=1)
    return f"; the line has {close[0]!r} instead" if close else ""


def _from_line(line: object, source: str | None, actor: str | None) -> Event:
    if not isinstance(line, dict):
        raise InvalidEventError("line", line, "must be a JSON object with type and data, or a whole CloudEvent")
    check_limits(line, "")
    members = {name: value for name, value in line.items() if value is not None}
    for name in ("type", "data"):
        if name not in members:
            raise InvalidEventError(name, None, "is required" + _instead(name, members))
    kind = event_type(check_attribute("type", members.pop("type")))
    content = members.pop("data")
    members = {"source": source, "actor": actor} | members
    for name in ("source", "actor"):
        if members[name] is None:
            raise InvalidEventError(name, None, "is required, in the line or for all lines")
    for name in ("specversion", "datacontenttype"):
        if name in members:
            check_attribute(name, members.pop(name))
    known = {each.name for each in fields(Event)} - set(_NOT_ATTRIBUTES)
    extensions = {name: check_extension(name, members[name]) for name in members if name not in ATTRIBUTES}
    attributes = {name: check_attribute(name, value) for name, value in members.items() if name in known}
    if "dataschema" in members:
        extensions["dataschema"] = check_attribute("dataschema", members["dataschema"])
    try:
        data = kind.validate(content)
    except ValidationError as error:
        raise refusal_of(error, "data", kind.model.model_fields) from None
    return Event.of(data, **attributes, extensions=extensions)
