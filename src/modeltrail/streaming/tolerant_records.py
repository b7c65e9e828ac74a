"""Reading record batches that aiokafka stops at.

aiokafka decodes header names while it iterates a batch, and raises on the first one that is not UTF-8, at every
poll and for ever: one such record would block its partition. Kafka itself does not restrict the bytes. So a batch
that fails this way is parsed again here, with header names left as bytes. Everything else about a batch (checksum,
codec, transactions, control records) stays with aiokafka.

A batch that cannot be read at all (bad checksum, unknown codec) makes aiokafka drop what it had gathered before it, of
that partition and of all others in the same poll. Here what came before it is delivered, and whoever subscribed with
`on_unreadable` is told about the batch, at every attempt to read it.

Record format: Kafka protocol guide, "Record" (message format version 2).
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import decode_varint

__all__ = ["install", "on_unreadable"]


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


Unreadable = Callable[[Any, int, str], None]
"""Called with aiokafka's partition, the offset at or after which the batch stands, and why it cannot be read."""

_listeners: list[Unreadable] = []


def on_unreadable(listener: Unreadable) -> None:
    """Be told of batches that cannot be read. Called in the thread of the consumer that met one."""
    _listeners.append(listener)


def _getall(self: Any, max_records: int | None = None) -> list[Any]:
    """Stand in for FetchResult.getall: return what can be read, and leave what cannot to the next fetch."""
    if not self.check_assignment(self._topic_partition) or not self.has_more():
        return []
    gathered: list[Any] = []
    try:
        for record in self._partition_records:
            gathered.append(record)
            if max_records is not None and len(gathered) >= max_records:
                self._update_position()
                return gathered
    except (CorruptRecordException, UnsupportedCodecError, ValueError, IndexError, RuntimeError) as error:
        if not gathered:
            position = self._partition_records.next_fetch_offset
            for listener in _listeners:
                listener(self._topic_partition, position, f"{type(error).__name__}: {error}")
    self._update_position()
    self._partition_records = None
    return gathered


def install() -> None:
    """Make every aiokafka consumer of this process read such batches. Safe to call twice."""
    fetcher.MemoryRecords = _TolerantRecords
    fetcher.FetchResult.getall = _getall
