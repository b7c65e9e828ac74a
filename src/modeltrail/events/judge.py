"""The judge: whether a record is an event of the contract, and what its envelope says.

A pure function of the record's bytes, the topic and the version of the contract. It never raises, whatever the
bytes: a record that is refused is chained all the same, with the reason.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pydantic import ValidationError

from modeltrail.events import quick
from modeltrail.events.envelope import (
    Headers,
    from_document,
    from_headers,
    is_structured,
    says_structured,
    split_headers,
)
from modeltrail.events.guises import wide_text
from modeltrail.events.reading import check_limits, parse
from modeltrail.events.refusal import ReasonClass, RefusedError, refusal_of
from modeltrail.events.registry import EVENT_TYPES, EventType, event_type

__all__ = ["CONTRACT_VERSION", "REJECTED", "VALID", "VALUE_MAX", "Judgement", "judge", "judge_carefully"]

CONTRACT_VERSION: int = 1
"""Grows with every change that lets a record be judged differently."""

VALID = "valid"
REJECTED = "rejected"

VALUE_MAX = 4 * 2**20
"""Bytes of the largest value that is read; four times what a broker takes by default."""


class Judgement(NamedTuple):
    """What the contract says about one record. `time_us` is in microseconds since 1970.

    Of a rejected record only `status`, `reason`, `reason_class` and `mode` say something: the rest is empty or
    None, because what could not be read as a whole is not shown in parts.
    """

    status: str
    """`valid` or `rejected`."""
    reason: str
    """Field, value and expectation in one sentence of printable ASCII; empty if valid."""
    reason_class: str
    """A ReasonClass; empty if valid."""
    mode: str
    """Content mode: `binary`, `structured`, or empty where that could not be told."""
    source: str = ""
    id: str = ""
    type: str = ""
    subject: str = ""
    time_us: int | None = None
    actor: str = ""
    tenant: str = ""
    sequence: str = ""
    traceparent: str = ""
    correlationid: str = ""
    causationid: str = ""
    retentionclass: str = ""


_VALID_BINARY = (VALID, "", "", "binary")
_VALID_STRUCTURED = (VALID, "", "", "structured")
_TYPE = 2  # where the type stands among the attributes
_make = partial(tuple.__new__, Judgement)  # a third of the cost of `_make`
_type_of = EVENT_TYPES.get


def judge(topic: str, key: bytes | None, headers: Headers, value: bytes | None) -> Judgement:  # noqa: ARG001 - a record is judged whole; the contract does not bind the key
    """Return the judgement of a Kafka record.

    `headers` are (name, value) pairs in record order, names as text or bytes. Key, headers and value are the bytes
    that were produced.
    """
    if value and len(value) <= VALUE_MAX and (not headers or says_structured(headers)):
        attributes = quick.read_structured(topic, value)
        if attributes is not None:
            return _make(_VALID_STRUCTURED + attributes)
    return _judge(topic, headers, value, quick.fits)


def judge_carefully(topic: str, key: bytes | None, headers: Headers, value: bytes | None) -> Judgement:  # noqa: ARG001
    """Return what `judge` returns, without the quick way, which this is the measure of."""
    return _judge(topic, headers, value, lambda _kind, _value: False)


def _judge(topic: str, headers: Headers, value: bytes | None, fits: Callable[[EventType, bytes], bool]) -> Judgement:
    mode = ""
    try:
        if not value or value[0] == 0 or len(value) > VALUE_MAX:
            return _rejected(_unreadable(value), mode)
        found = split_headers(headers)
        if is_structured(found):
            mode = "structured"
            attributes, data = from_document(parse(value))
            kind = _type_of(attributes.type) or event_type(attributes.type)
            if not topic.endswith(kind.topic_suffix):
                return _rejected(_wrong_topic(topic, kind), mode)
            kind.validate(data)
            return _make(_VALID_STRUCTURED + attributes)
        mode = "binary"
        texts = from_headers(found)
        kind = _type_of(texts[_TYPE]) or event_type(texts[_TYPE])
        if not topic.endswith(kind.topic_suffix):
            return _rejected(_wrong_topic(topic, kind), mode)
        if not fits(kind, value):
            data = parse(value)
            kind.validate(data)
        return _make(_VALID_BINARY + texts)
    except RefusedError as refused:
        return _rejected(refused, mode)
    except ValidationError as error:
        return _rejected(_invalid(error, kind, data), mode)


def _rejected(refused: RefusedError, mode: str) -> Judgement:
    return Judgement(REJECTED, refused.sentence(), refused.reason_class.value, mode)


def _invalid(error: ValidationError, kind: EventType, data: object) -> RefusedError:
    try:
        check_limits(data)  # first, so that the class does not depend on where an unreadable number stands
    except RefusedError as refused:
        return refused
    return refusal_of(error, "data", kind.model.model_fields)


def _wrong_topic(topic: str, kind: EventType) -> RefusedError:
    expected = f"{kind.name} belongs on the topic <prefix>.{kind.family}"
    return RefusedError(ReasonClass.WRONG_TOPIC, "topic", topic, expected)


def _unreadable(value: bytes | None) -> RefusedError:
    if not value:
        return RefusedError(ReasonClass.EMPTY, "value", value, "must be an event; the record has no value")
    if len(value) > VALUE_MAX:
        expected = f"must have at most {VALUE_MAX} bytes, and has {len(value)}"
        return RefusedError(ReasonClass.TOO_LARGE, "value", value[:16], expected)
    if wide := wide_text(value):
        return RefusedError(ReasonClass.NOT_JSON, "value", value[:16], f"must be JSON in UTF-8; it looks like {wide}")
    if len(value) > 5:
        expected = (
            f"begins with byte 0 and schema id {int.from_bytes(value[1:5])}, as a schema-registry serializer writes it:"
            " set the producer's value.serializer to a plain one (StringSerializer, ByteArraySerializer) that sends the"
            " JSON alone"
        )
        return RefusedError(ReasonClass.CONFLUENT_PREFIX, "value", value[:5], expected)
    return RefusedError(ReasonClass.NOT_JSON, "value", value, "must be JSON, and begins with byte 0")
