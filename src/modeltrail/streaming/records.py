"""From aiokafka's records to ours."""

from collections.abc import Sequence
from typing import Any

from modeltrail.ledger.records import Headers, Record, Records

__all__ = ["to_record", "to_records"]


def to_record(record: Any) -> Record:
    """Return a consumer record as it stood in the log, header names as bytes."""
    return Record(record.offset, record.timestamp, record.key, _headers(record.headers), record.value)


def to_records(records: Sequence[Any]) -> Records:
    """Return a batch of consumer records, in their order."""
    return Records(
        [record.offset for record in records],
        [record.timestamp for record in records],
        [record.key for record in records],
        [_headers(record.headers) if record.headers else () for record in records],
        [record.value for record in records],
    )


def _headers(headers: Sequence[tuple[Any, bytes | None]]) -> Headers:
    return tuple([(name if type(name) is bytes else name.encode(), content) for name, content in headers])
