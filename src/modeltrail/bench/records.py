"""The records that benchmarks publish: predictions in structured mode, all of them different.

`prediction` has about 370 bytes; `wide_prediction` has as many features as are wanted, and a time that goes on.
"""

import json
from datetime import UTC, datetime, timedelta

__all__ = ["WIDE_DAYS", "prediction", "wide_features", "wide_prediction"]

WIDE_DAYS = 30
"""Days of event time over which wide predictions are spread."""

_WIDE_START = datetime(2026, 1, 1, tzinfo=UTC)

_VALUE = (
    '{"specversion":"1.0","id":"e-%08d","source":"bench","type":"modeltrail.prediction.recorded.v1",'
    '"subject":"p-%08d","time":"2026-01-02T03:04:05.%06dZ","actor":"bench",'
    '"data":{"prediction_id":"p-%08d","item_id":"item-%06d","model_id":"delays","model_version":"1.0.0",'
    '"kind":"binary","score":0.%06d,"label":"%s","features":{"carrier":"UA","dep_delay":%d}}}'
)
_CYCLE = 1_000_003
"""A prime, so that items and scores do not repeat in step."""


def prediction(number: int) -> bytes:
    """Return the value of the record with this number: one valid prediction, 370 bytes or a few more."""
    drawn = number * 7919 % _CYCLE
    label = "late" if drawn % 5 == 0 else "on_time"
    values = (number, number, drawn % 1_000_000, number, drawn % 100_000, drawn % 1_000_000, label, drawn % 180)
    return (_VALUE % values).encode()


def wide_features(number: int, fields: int) -> dict[str, float | str]:
    """Return the features of the wide record with this number: three in four numbers, the others texts."""
    drawn = number * 7919 % _CYCLE
    features: dict[str, float | str] = {}
    for field in range(fields):
        mixed = (drawn * (2 * field + 3) + field * 104_729) % _CYCLE
        features[f"f{field:02}"] = f"c{mixed % 12}" if field % 4 == 3 else mixed % 10_000 / 100
    return features


def wide_prediction(number: int, events: int, fields: int) -> bytes:
    """Return the value of record `number` of `events`, with so many features; with twenty, about 600 bytes."""
    features = json.dumps(wide_features(number, fields), separators=(",", ":"))
    at = _WIDE_START + timedelta(days=WIDE_DAYS * number / events)
    return _WIDE.format(number=number, time=at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), features=features).encode()


_WIDE = (
    '{{"specversion":"1.0","id":"e-{number:08}","source":"bench","type":"modeltrail.prediction.recorded.v1",'
    '"subject":"p-{number:08}","time":"{time}","actor":"bench",'
    '"data":{{"prediction_id":"p-{number:08}","item_id":"item-{number:08}","model_id":"delays",'
    '"model_version":"1.0.0","kind":"binary","label":"late","features":{features}}}}}'
)
