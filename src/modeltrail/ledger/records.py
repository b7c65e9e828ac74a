"""Committed Kafka records as they came from the broker: one, and a batch of one partition by column.

A batch is held by column because that is how it is hashed and stored; its records are made one by one only for whoever
looks at one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, overload

from modeltrail.ledger.entry import netstring
from modeltrail.ledger.entry import record_hash as hash_record

__all__ = ["Headers", "Record", "Records"]

Headers = tuple[tuple[bytes, bytes | None], ...]
"""In record order; names are bytes, which are not always UTF-8."""


class Record(NamedTuple):
    """A committed Kafka record, as it came from the broker. `timestamp` is in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    headers: Headers
    value: bytes | None

    def digest(self) -> bytes:
        """Its record hash, 32 bytes."""
        return hash_record(self.key, self.headers, self.value)


class Records(Sequence[Record]):
    """Records of one partition, by column; all columns are as long as `offsets`."""

    __slots__ = ("headers", "keys", "offsets", "timestamps", "values")

    def __init__(
        self,
        offsets: list[int],
        timestamps: list[int],
        keys: list[bytes | None],
        headers: list[Headers],
        values: list[bytes | None],
    ) -> None:
        self.offsets = offsets
        self.timestamps = timestamps
        self.keys = keys
        self.headers = headers
        self.values = values

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Records":
        """Return `records` by column, themselves if they are already."""
        if isinstance(records, Records):
            return records
        columns = zip(*records, strict=True)
        lists = [list(column) for column in columns] or [[], [], [], [], []]
        return cls(*lists)

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> "Records": ...
    def __getitem__(self, index: int | slice) -> "Record | Records":
        columns: Any = self.offsets, self.timestamps, self.keys, self.headers, self.values
        taken = [column[index] for column in columns]
        return Records(*taken) if isinstance(index, slice) else Record(*taken)

    def __iter__(self) -> Iterator[Record]:
        return map(Record, self.offsets, self.timestamps, self.keys, self.headers, self.values)

    def extend(self, other: "Records") -> None:
        """Add the records of `other` at the end."""
        self.offsets += other.offsets
        self.timestamps += other.timestamps
        self.keys += other.keys
        self.headers += other.headers
        self.values += other.values

    def follow(self, offset: int) -> bool:
        """Whether these are the records at `offset`, `offset` + 1 and so on, without a hole."""
        return self.offsets == list(range(offset, offset + len(self.offsets)))

    def position(self, offset: int) -> int:
        """Return how many records stand before `offset`; the records are in offset order."""
        return bisect_left(self.offsets, offset)

    def sizes(self) -> list[int]:
        """Return the bytes of key, headers and value of each record."""
        return [
            len(key or b"") + len(value or b"") + (_size(headers) if headers else 0)
            for key, headers, value in zip(self.keys, self.headers, self.values, strict=True)
        ]

    def digests(self) -> list[bytes]:
        """Return the record hash of each record, 32 bytes."""
        packed: dict[Headers, bytes] = {(): b"0:,"}  # few headers beside those of binary events, and always the same
        digests: list[bytes] = []
        add = digests.append
        for key, headers, value in zip(self.keys, self.headers, self.values, strict=True):
            if key is None or value is None or len(headers) > 1:
                add(hash_record(key, headers, value))
                continue
            text = packed.get(headers)
            if text is None:
                if len(packed) > 64:
                    packed.clear()
                text = packed[headers] = netstring(b"".join([netstring(n) + netstring(c) for n, c in headers]))
            add(sha256(b"%d:%b,%b%d:%b," % (len(key), key, text, len(value), value)).digest())
        return digests


def _size(headers: Headers) -> int:
    return sum([len(name) + len(content or b"") for name, content in headers])
