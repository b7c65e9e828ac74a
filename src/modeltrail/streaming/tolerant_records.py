"""Reading record batches that aiokafka stops at, or that it would not survive.

aiokafka decodes header names while it iterates a batch, and raises on the first one that is not UTF-8, at every
poll and for ever: one such record would block its partition. Kafka itself does not restrict the bytes. So a batch
that fails this way is parsed again here, with header names left as bytes. Everything else about a batch (checksum,
codec, transactions, control records) stays with aiokafka.

It expands a compressed batch as a whole, whatever comes out: a megabyte of zstd may be gigabytes. A batch that may
expand beyond `WHOLE_MAX` is expanded piece by piece here, each record is handed over as soon as it is there, and one
answer holds no more than about `ANSWER_BYTES`. Only a single record beyond `RECORD_MAX` cannot be handed over.

A batch that cannot be read at all (bad checksum, unknown codec, such a record) makes aiokafka drop what it had
gathered before it, of that partition and of all others in the same poll. Here what came before it is delivered, and
whoever subscribed with `on_unreadable` is told about the batch, at every attempt to read it.

A consumer whose value deserializer is `as_it_stands` gets the records of the compiled reader themselves, by the list.
That steps into the client's private unpacking; a test compares it with the client over logs of every kind, and fails
where a release of the client changes that method.

Record format: Kafka protocol guide, "Record" (message format version 2).
"""

import struct
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain as flatten
from itertools import islice
from typing import Any, NamedTuple

import cramjam
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import decode_varint

from modeltrail.streaming.expansion import CODECS, expand, expanded_size

__all__ = [
    "ANSWER_BYTES",
    "RECORD_MAX",
    "WHOLE_MAX",
    "RecordBeyondLimitError",
    "as_it_stands",
    "install",
    "on_unreadable",
]

WHOLE_MAX = 32 * 2**20
"""Bytes up to which a batch is expanded as a whole, by aiokafka's compiled reader."""

RECORD_MAX = 32 * 2**20
"""Bytes of the largest record that is taken out of a batch that is expanded piece by piece."""

ANSWER_BYTES = 8 * 2**20
"""Bytes of one partition's records after which no more are gathered in the same poll. A batch that expands to less is
counted as a whole."""

MANY = 10_000
"""Records of a batch that are not all made at once: each costs more than the few bytes that it may have."""

_HEADER = _DefaultRecordBatchPy.HEADER_STRUCT.size
_CODEC_BYTE = _DefaultRecordBatchPy.ATTRIBUTES_OFFSET + 1

_COUNT = struct.Struct(">i")
_COUNT_OFFSET = _HEADER - _COUNT.size


class RecordBeyondLimitError(CorruptRecordException):  # type: ignore[misc]
    """A record expands beyond RECORD_MAX."""


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

    def __init__(self, batch: Any, raw: memoryview, owner: "_TolerantRecords", size: int) -> None:
        self._batch = batch
        self._raw = raw
        self._owner = owner
        self._size = size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        return flatten.from_iterable(self.lists())

    def lists(self) -> Iterator[list[Any]]:
        """Yield all records at once, or one by one where they are many bytes."""
        records: Iterable[Any]
        if self._size > WHOLE_MAX and self._batch.compression_type:
            records = _in_pieces(self._raw)
        elif _COUNT.unpack_from(self._raw, _COUNT_OFFSET)[0] > MANY:
            records = self._one_by_one()
        else:
            try:
                records = list(self._batch)
            except UnicodeDecodeError:
                records = _parse(self._raw)
            except Exception as error:
                if not isinstance(error.__cause__, UnicodeDecodeError):
                    raise
                records = _parse(self._raw)
            else:
                if self._size <= ANSWER_BYTES:
                    self._owner.count(self._size)
                    yield records
                    return
        yield from ([record] for record in self._counted(records))

    def _one_by_one(self) -> Iterator[Any]:
        done = 0
        try:
            for record in self._batch:
                yield record
                done += 1
        except Exception as error:
            if not isinstance(error, UnicodeDecodeError) and not isinstance(error.__cause__, UnicodeDecodeError):
                raise
        else:
            return
        yield from islice(_parse(self._raw), done, None)

    def _counted(self, records: Iterable[Any]) -> Iterator[Any]:
        for record in records:
            self._owner.count(len(record.value or b"") + len(record.key or b"") + 100 * len(record.headers))
            yield record


def _parse(raw: memoryview) -> Iterator[_Record]:
    batch = _DefaultRecordBatchPy(raw)
    batch._maybe_uncompress()  # noqa: SLF001 - the only way to the decompressed bytes
    buffer, pos = batch._buffer, batch._pos  # noqa: SLF001
    for _ in range(batch._num_records):  # noqa: SLF001
        _, pos = decode_varint(buffer, pos)  # length
        record, pos = _parse_record(batch, buffer, pos)
        yield record


def _in_pieces(raw: memoryview) -> Iterator[_Record]:
    """Yield the records of a compressed batch, holding no more than one of them expanded."""
    batch = _DefaultRecordBatchPy(raw[:_HEADER])
    pieces = expand(batch.compression_type, raw[_HEADER:])
    held = bytearray()

    def hold(size: int) -> None:
        while len(held) < size:
            piece = next(pieces, None)
            if piece is None:
                raise CorruptRecordException("the batch ends inside a record")
            held.extend(piece)

    for _ in range(batch._num_records):  # noqa: SLF001
        hold(1)
        while held[min(len(held), 5) - 1] >= 0x80 and len(held) < 5:  # the length takes up to five bytes
            hold(len(held) + 1)
        size, pos = decode_varint(held, 0)
        if not 0 <= size <= RECORD_MAX:
            raise RecordBeyondLimitError(f"a record of {size} bytes, and {RECORD_MAX} is the most that is taken")
        hold(pos + size)
        record, end = _parse_record(batch, held, pos)
        if end != pos + size:
            raise CorruptRecordException("a record is not as long as it says")
        del held[:end]
        yield record
    if held or next(pieces, None):
        raise CorruptRecordException("the batch goes on after its last record")


def _parse_record(batch: Any, buffer: bytearray, pos: int) -> tuple[_Record, int]:
    """Return the record that stands at `pos`, behind its length, and where it ends."""
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
    append_time = batch.timestamp_type == batch.LOG_APPEND_TIME
    timestamp = batch.max_timestamp if append_time else batch.first_timestamp + time_delta
    offset = batch.base_offset + offset_delta
    return _Record(offset, timestamp, batch.timestamp_type, key, value, headers), pos


def _nullable(buffer: bytearray, pos: int) -> tuple[bytes | None, int]:
    size, pos = decode_varint(buffer, pos)
    if size < 0:
        return None, pos
    if pos + size > len(buffer):
        raise CorruptRecordException("a record ends inside a field")
    return bytes(buffer[pos : pos + size]), pos + size


class _TolerantRecords:
    """Stands in for aiokafka's MemoryRecords in its fetcher."""

    def __init__(self, data: bytes) -> None:
        self._records = MemoryRecords(data)
        self._slices = _MemoryRecordsPy(data)
        self._room = ANSWER_BYTES
        self.full = False
        """Whether one answer has as many bytes as it should have."""

    def answer(self) -> None:
        """Begin another answer."""
        self._room = ANSWER_BYTES
        self.full = False

    def count(self, size: int) -> None:
        """Take note of bytes that are handed over."""
        self._room -= size
        self.full = self._room <= 0

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
        codec = raw[_CODEC_BYTE] & 7
        size = expanded_size(codec, raw[_HEADER:], limit=WHOLE_MAX) if codec in CODECS else len(raw)
        return _Batch(batch, raw, self, size)


Unreadable = Callable[[Any, int, str], None]
"""Called with aiokafka's partition, the offset at or after which the batch stands, and why it cannot be read."""

_listeners: list[Unreadable] = []


def on_unreadable(listener: Unreadable) -> None:
    """Be told of batches that cannot be read. Called in the thread of the consumer that met one."""
    _listeners.append(listener)


_UNREADABLE = (
    CorruptRecordException,
    UnsupportedCodecError,
    cramjam.DecompressionError,
    OSError,  # of gzip
    EOFError,  # likewise
    zlib.error,
    ValueError,
    IndexError,
    RuntimeError,
)


def _in_words(error: BaseException) -> str:
    """Say why a batch cannot be read, and what to do about it."""
    if isinstance(error, RecordBeyondLimitError):
        return f"{error.args[0]}; delete the log's records up to it (kafka-delete-records) and restart the worker"
    if isinstance(error, UnsupportedCodecError):
        return f"{error.args[0]}; install it and restart the worker"
    what = (
        error.args[0]
        if error.args and isinstance(error, CorruptRecordException)
        else f"{type(error).__name__}: {error}"
    )
    return f"{what}; the log is damaged there"


def _tell(result: Any, error: BaseException) -> None:
    position = result._partition_records.next_fetch_offset  # noqa: SLF001
    for listener in _listeners:
        listener(result._topic_partition, position, _in_words(error))  # noqa: SLF001


def _getall(self: Any, max_records: int | None = None) -> list[Any]:
    """Stand in for FetchResult.getall: return what can be read, and leave what cannot to the next fetch."""
    if not self.check_assignment(self._topic_partition) or not self.has_more():
        return []
    records = self._partition_records._records  # noqa: SLF001
    if type(records) is not _TolerantRecords:  # fetched before `install`
        return _clients_getall(self, max_records)  # type: ignore[no-any-return]
    gathered: list[Any] = []
    records.answer()
    if self._partition_records._value_deserializer is as_it_stands:  # noqa: SLF001
        return _gather(self, gathered, max_records)
    try:
        for record in self._partition_records:
            gathered.append(record)
            if records.full or (max_records is not None and len(gathered) >= max_records):
                self._update_position()
                return gathered
    except _UNREADABLE as error:
        if not gathered:
            _tell(self, error)
    self._update_position()
    self._partition_records = None
    return gathered


def _gather(result: Any, gathered: list[Any], max_records: int | None) -> list[Any]:
    """Do what `_getall` does, batch by batch instead of record by record."""
    partition = result._partition_records  # noqa: SLF001
    lists = partition.__dict__.setdefault("lists", _lists(weakref.proxy(partition)))
    rest: list[Any] = partition.__dict__.get("rest", [])
    try:
        while rest or (rest := next(lists, [])):
            room = len(rest) if max_records is None else max_records - len(gathered)
            gathered += rest[:room]
            partition.next_fetch_offset = gathered[-1].offset + 1
            partition.rest = rest = rest[room:]
            if partition._records.full or (max_records is not None and len(gathered) >= max_records):  # noqa: SLF001
                result._update_position()  # noqa: SLF001
                return gathered
    except _UNREADABLE as error:
        if not gathered:
            _tell(result, error)
    result._update_position()  # noqa: SLF001
    result._partition_records = None  # noqa: SLF001
    return gathered


def _lists(self: Any) -> Iterator[list[Any]]:
    """Stand in for PartitionRecords._unpack_records: the records as the compiled reader made them, by the list."""
    records = self._records
    while records.has_next():
        batch = records.next_batch()
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        if self._isolation_level == fetcher.READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                self.next_fetch_offset = batch.next_offset
                continue
        if batch.is_control_batch:
            self.next_fetch_offset = batch.next_offset
            continue
        for found in batch.lists() if type(batch) is _Batch else ([record] for record in batch):
            begin = self.next_fetch_offset
            wanted = found if found and found[0].offset >= begin else [r for r in found if r.offset >= begin]
            if wanted:
                yield wanted
        self.next_fetch_offset = batch.next_offset


def as_it_stands(value: bytes | None) -> bytes | None:
    """Deserialize a value for a consumer that wants the reader's own records: offset, timestamp, key, value, headers.

    Building the client's record for each costs as much as reading it.
    """
    return value


def _unpack_records(self: Any) -> Iterator[Any]:
    """Stand in for the client's method of this name, whose generator keeps the answer it reads alive in a circle.

    An answer is a megabyte for each partition, and the collector hardly ever runs in a worker.
    """
    return _clients_unpack(weakref.proxy(self))  # type: ignore[no-any-return]


_clients_getall = fetcher.FetchResult.getall
_clients_unpack = fetcher.PartitionRecords._unpack_records  # noqa: SLF001 - a test pins its text


def install() -> None:
    """Make every aiokafka consumer of this process read such batches. Safe to call twice."""
    fetcher.MemoryRecords = _TolerantRecords
    fetcher.FetchResult.getall = _getall
    fetcher.PartitionRecords._unpack_records = _unpack_records  # noqa: SLF001
