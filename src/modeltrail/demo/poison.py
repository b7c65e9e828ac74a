"""Records that no reader should trust, published on purpose: each is chained all the same, and rejected with a reason.

The publisher of `modeltrail.sdk` refuses to send any of them, so they are written as plain Kafka records, as a
program without it would.
"""

from typing import NamedTuple

from modeltrail.demo.happenings import ACTOR, SOURCE
from modeltrail.demo.model import MODEL_ID, MODEL_VERSION
from modeltrail.events.predictions import PredictionRecorded
from modeltrail.events.refusal import ReasonClass

__all__ = ["POISON", "PoisonRecord"]


class PoisonRecord(NamedTuple):
    """A Kafka record for the topic of predictions, with what is wrong with it."""

    key: bytes
    headers: list[tuple[str, bytes]]
    value: bytes | None
    wrong: str
    reason_class: ReasonClass
    """Under which class the worker rejects it."""


_START = b'{"prediction_id":"%b","item_id":"%b","model_id":"%b","model_version":"%b","kind":"binary"'


def _poison(
    name: str,
    value: bytes | None,
    wrong: str,
    reason_class: ReasonClass,
    *,
    event_type: str = PredictionRecorded.event_type,
) -> PoisonRecord:
    attributes = {
        "specversion": "1.0",
        "id": f"poison-{name}",
        "source": SOURCE,
        "type": event_type,
        "subject": f"poison-{name}",
        "time": "2013-03-01T12:00:00Z",
        "actor": ACTOR,
    }
    headers = [("content-type", b"application/json")]
    headers += [(f"ce_{attribute}", text.encode()) for attribute, text in attributes.items()]
    return PoisonRecord(f"poison-{name}".encode(), headers, value, wrong, reason_class)


def _data(name: str, rest: bytes) -> bytes:
    item = f"poison-{name}".encode()
    return _START % (item, item, MODEL_ID.encode(), MODEL_VERSION.encode()) + rest


POISON = (
    _poison(
        "twice",
        _data("twice", b',"label":"late","score":0.93,"score":0.07}'),
        "says its score twice: one parser reads 0.93, another 0.07",
        ReasonClass.AMBIGUOUS_JSON,
    ),
    _poison(
        "nan",
        _data("nan", b',"label":"late","score":NaN}'),
        "its score is NaN, which JSON does not have",
        ReasonClass.AMBIGUOUS_JSON,
    ),
    _poison(
        "probability",
        _data("probability", b',"probabilities":{"late":1.7}}'),
        "a probability of 1.7",
        ReasonClass.INVALID_DATA,
    ),
    _poison("cut", _data("cut", b',"label":"la'), "cut off in the middle", ReasonClass.NOT_JSON),
    _poison(
        "prefix",
        b"\x00\x00\x00\x00\x07" + _data("prefix", b',"label":"late"}'),
        "written by a schema-registry serializer",
        ReasonClass.CONFLUENT_PREFIX,
    ),
    _poison("empty", None, "no value at all", ReasonClass.EMPTY),
    _poison(
        "type",
        _data("type", b',"label":"late"}'),
        "of a type that does not exist",
        ReasonClass.UNKNOWN_TYPE,
        event_type="modeltrail.prediction.recoded.v1",
    ),
)
"""What the demo slips in among the predictions."""
