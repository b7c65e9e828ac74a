"""Records for whole-path tests: valid predictions as an SDK would write them, and poison."""

import json

from modeltrail.events.encode import Event, encode_binary, encode_structured
from modeltrail.events.predictions import PredictionRecorded


def prediction(number, *, structured=False):
    """(key, value, headers) of one valid prediction."""
    data = PredictionRecorded.model_validate(
        {
            "prediction_id": f"p-{number}",
            "item_id": f"item-{number % 97}",
            "model_id": "m",
            "model_version": "1.0.0",
            "kind": "binary",
            "score": (number % 100) / 100,
            "label": "late" if number % 3 else "on_time",
            "features": {"a": number, "b": number / 7, "c": "x" * (number % 5), "d": None, "e": True},
        }
    )
    event = Event.of(data, source="tests", actor="tester", id=f"e-{number}", time="2026-01-02T03:04:05.000006Z")
    key, headers, value = (encode_structured if structured else encode_binary)(event)
    return key, value, headers


def predictions(count, start=0):
    return [prediction(number, structured=number % 5 == 0) for number in range(start, start + count)]


def structured(**changes):
    document = json.loads(prediction(1, structured=True)[1])
    document.update(changes)
    return json.dumps(document).encode()


POISON = {
    "empty": (b"k", b"", None),
    "null": (b"k", None, None),
    "not json": (b"k", b"hello", None),
    "truncated": (b"k", b'{"a":', None),
    "not utf-8": (b"k", b'{"specversion":"\xff"}', None),
    "nul": (b"k", b"\x00\x00\x00\x00\x07{}", None),
    "number": (b"k", b"42", None),
    "list": (b"k", b"[]", None),
    "deep": (b"k", b"[" * 10_000 + b"]" * 10_000, None),
    "nan": (b"k", structured().replace(b'"score": 0.01', b'"score": NaN'), None),
    "huge number": (b"k", structured().replace(b'"score": 0.01', b'"score": 1e999'), None),
    "duplicate name": (b"k", structured().replace(b'"id":', b'"id": "first", "id":'), None),
    "unknown type": (b"k", structured(type="modeltrail.nothing.happened.v1"), None),
    "other family": (b"k", structured(type="modeltrail.run.started.v1"), None),
    "no actor": (b"k", structured(actor=None), None),
    "far future": (b"k", structured(time="2999-01-01T00:00:00Z"), None),
    "header name not utf-8": (b"k", b"x", [("ce_id", b"\xff\xfe")]),
    "doubled header": (b"k", b"{}", [("ce_id", b"1"), ("ce_id", b"2")]),
    "many headers": (b"k", b"{}", [(f"h{i}", b"v") for i in range(5_000)]),
    "large": (b"k", b'{"a":"' + b"x" * 900_000 + b'"}', None),
}
