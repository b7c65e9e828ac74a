"""A Kafka log in memory: what it holds, what a reader of committed records sees of it, and all that it has been.

    offset      0   1   2   3   4   5   6   7   8
                r   r   C   t   t   r   A   u   .        C, A: markers; t: aborted; u: of an open transaction
                            begin 3             stable end 7, end 8

A version is a log that nobody rewrote: a torn tail or a topic that is created again begins another one. Versions keep
what they ever held, also what expired, so that a run can be compared with each of them afterwards.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from modeltrail.ingest.protocols import Log
from modeltrail.lab.link import Call
from modeltrail.ledger.chain import PartitionId
from modeltrail.ledger.placement import Bounds
from modeltrail.ledger.sequencer import Record

__all__ = ["PartitionLog", "SimLog", "Transaction", "Version", "version_of"]


@dataclass(slots=True)
class Version:
    """What one log held: `records` are the committed ones, `shared` is the first offset that is its own."""

    number: int
    shared: int
    records: dict[int, Record] = field(default_factory=dict)
    end: int = 0
    _digests: dict[int, bytes] = field(default_factory=dict)

    def digest(self, offset: int) -> bytes:
        """Return the record hash of the record at `offset`, computed once."""
        found = self._digests.get(offset)
        if found is None:
            found = self._digests[offset] = self.records[offset].digest()
        return found


@dataclass(slots=True, eq=False)
class Transaction:
    """Records that were written and not committed yet."""

    records: dict[int, Record] = field(default_factory=dict)


class PartitionLog:
    """The log of one partition."""

    def __init__(self, partition: PartitionId) -> None:
        self.partition = partition
        self.version = Version(0, 0)
        self.versions = [self.version]
        self.begin = 0
        self.lost: list[tuple[int, int]] = []
        """Moves of the beginning: from, to."""
        self.open: list[Transaction] = []
        self.elections = 0

    @property
    def end(self) -> int:
        """The next offset to be written."""
        return self.version.end

    @property
    def stable_end(self) -> int:
        """The end that a reader of committed records sees."""
        if not self.open:
            return self.version.end
        return min((min(each.records) for each in self.open if each.records), default=self.version.end)

    def write(
        self,
        timestamp: int,
        key: bytes | None,
        headers: tuple[tuple[bytes, bytes | None], ...],
        value: bytes | None,
        transaction: Transaction | None = None,
    ) -> Record:
        """Append one record."""
        record = Record(self.version.end, timestamp, key, headers, value)
        self.version.end += 1
        (self.version.records if transaction is None else transaction.records)[record.offset] = record
        return record

    def begin_transaction(self) -> Transaction:
        """Open a transaction; what follows its first record is hidden until it ends."""
        transaction = Transaction()
        self.open.append(transaction)
        return transaction

    def end_transaction(self, transaction: Transaction, *, commit: bool) -> None:
        """Write the marker that ends a transaction."""
        if transaction not in self.open:
            return  # it was torn away
        self.open.remove(transaction)
        if transaction.records:
            self.version.end += 1
            if commit:
                self.version.records.update(transaction.records)

    def truncate(self, end: int) -> None:
        """Cut the tail off; what is written next stands at offsets that were used before."""
        self.open.clear()
        old = self.version
        kept = {offset: record for offset, record in old.records.items() if offset < end}
        self.version = Version(old.number + 1, end, kept, end)
        self.versions.append(self.version)
        self.begin = min(self.begin, end)

    def recreate(self) -> None:
        """Delete the topic and create it again."""
        self.truncate(0)

    def expire(self, begin: int) -> None:
        """Delete what lies before `begin`, as retention and DeleteRecords do."""
        begin = min(begin, self.stable_end)
        if begin > self.begin:
            self.lost.append((self.begin, begin))
            self.begin = begin

    def name(self) -> str:
        """Return the topic's id and the leader's epoch, as it were: no two versions share a name."""
        return f"{self.version.number}.{self.elections}"

    def last(self) -> int:
        """Return the offset of the last record that can be read, -1 if there is none."""
        records = self.version.records
        return next((offset for offset in range(self.stable_end - 1, self.begin - 1, -1) if offset in records), -1)

    def bounds(self) -> Bounds:
        """Return the beginning and the stable end."""
        return Bounds(self.begin, self.stable_end)

    def read(self, offset: int) -> Record | None:
        """Return the committed record at `offset`."""
        return self.version.records.get(offset) if self.begin <= offset < self.stable_end else None

    def existing(self, first: int, last: int) -> set[int]:
        """Return the offsets in first..last that hold a committed record."""
        records = self.version.records
        return {offset for offset in range(max(first, self.begin), min(last + 1, self.stable_end)) if offset in records}

    def fetch(self, position: int, most: int) -> list[Record]:
        """Return at most `most` committed records from `position` on."""
        records = self.version.records
        found: list[Record] = []
        for offset in range(position, self.stable_end):
            record = records.get(offset)
            if record is not None:
                found.append(record)
                if len(found) == most:
                    break
        return found


def version_of(name: str) -> int:
    """Return the number of the version that `PartitionLog.name` names."""
    return int(name.partition(".")[0])


class SimLog(Log):
    """`ingest.protocols.Log` over logs in memory."""

    def __init__(self, logs: Mapping[PartitionId, PartitionLog], call: Call) -> None:
        self._logs = logs
        self._call = call

    async def bounds(self, partition: PartitionId, *, expected_end: int) -> Bounds:  # noqa: ARG002 - always certain
        """See `Log.bounds`."""
        return await self._call("bounds", self._logs[partition].bounds, partition)

    async def read(self, partition: PartitionId, offset: int) -> Record | None:
        """See `Log.read`."""
        return await self._call("read", lambda: self._logs[partition].read(offset), partition)

    async def existing(self, partition: PartitionId, first: int, last: int) -> set[int]:
        """See `Log.existing`."""
        return await self._call("existing", lambda: self._logs[partition].existing(first, last), partition)

    async def incarnations(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, str]:
        """See `Log.incarnations`."""
        wanted = list(partitions)
        return await self._call("incarnations", lambda: {name: self._logs[name].name() for name in wanted})
