"""The records that benchmarks publish: predictions of about 370 bytes, in structured mode, all of them different."""

__all__ = ["prediction"]

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
