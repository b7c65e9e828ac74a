"""Reading record batches whose header names are not UTF-8.

aiokafka decodes header names while it iterates a batch, and raises on the first one that is not UTF-8, at every
poll and for ever: one such record would block its partition. Kafka itself does not restrict the bytes. So a batch
that fails this way is parsed again here, with header names left as bytes. Everything else about a batch (checksum,
codec, transactions, control records) stays with aiokafka.

Record format: Kafka protocol guide, "Record" (message format version 2).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import decode_varint

__all__ = ["install"]


class _Record(NamedTuple):
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[bytes, bytes | None]]
    checksum: None = None


class _Batch:
    """An aiokafka batch that is parsed again, from the same bytes, where a header name is not UTF-8."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            records = list(self._batch)
        except UnicodeDecodeError:
            return _parse(self._raw)
        except Exception as error:
            if isinstance(error.__cause__, UnicodeDecodeError):
                return _parse(self._raw)
            raise
        return iter(records)


def _parse(raw: memoryview) -> Iterator[_Record]:
    batch = _DefaultRecordBatchPy(raw)
    batch._maybe_uncompress()  # noqa: SLF001 - the only way to the decompressed bytes
    buffer, pos = batch._buffer, batch._pos  # noqa: SLF001
    append_time = batch.timestamp_type == batch.LOG_APPEND_TIME
    for _ in range(batch._num_records):  # noqa: SLF001
        _, pos = decode_varint(buffer, pos)  # length
        _, pos = decode_varint(buffer, pos)  # attributes
        time_delta, pos = decode_varint(buffer, pos)
        offset_delta, pos = decode_varint(buffer, pos)
        key, pos = _nullable(buffer, pos)
        value, pos = _nullable(buffer, pos)
        count, pos = decode_varint(buffer, pos)
        headers: list[tuple[bytes, bytes | None]] = []
        for _ in range(count):
            name, pos = _nullable(buffer, pos)
            content, pos = _nullable(buffer, pos)
            headers.append((name or b"", content))
        yield _Record(
            batch.base_offset + offset_delta,
            batch.max_timestamp if append_time else batch.first_timestamp + time_delta,
            batch.timestamp_type,
            key,
            value,
            headers,
        )


def _nullable(buffer: bytearray, pos: int) -> tuple[bytes | None, int]:
    size, pos = decode_varint(buffer, pos)
    if size < 0:
        return None, pos
    return bytes(buffer[pos : pos + size]), pos + size


class _TolerantRecords:
    """Stands in for aiokafka's MemoryRecords in its fetcher."""

    def __init__(self, data: bytes) -> None:
        self._records = MemoryRecords(data)
        self._slices = _MemoryRecordsPy(data)

    def size_in_bytes(self) -> int:
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        raw = self._slices._next_slice  # noqa: SLF001 - the same walk over the same bytes, one step ahead
        self._slices._cache_next()  # noqa: SLF001
        batch = self._records.next_batch()
        if raw is None or raw[_MemoryRecordsPy.MAGIC_OFFSET] < 2:
            return batch
        return _Batch(batch, raw)


def install() -> None:
    """Make every aiokafka consumer of this process read such batches. Safe to call twice."""
    fetcher.MemoryRecords = _TolerantRecords
