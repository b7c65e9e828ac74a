"""From aiokafka's records to ours."""

from collections.abc import Sequence
from typing import Any

from modeltrail.ledger.sequencer import Record

__all__ = ["to_record", "to_records"]


def to_record(record: Any) -> Record:
    """Return a consumer record as it stood in the log, header names as bytes."""
    headers = record.headers
    if headers:
        headers = tuple([(name if type(name) is bytes else name.encode(), content) for name, content in headers])
    return Record(record.offset, record.timestamp, record.key, headers or (), record.value)


def to_records(records: Sequence[Any]) -> list[Record]:
    """Return a batch of consumer records, in their order."""
    return [to_record(record) for record in records]
