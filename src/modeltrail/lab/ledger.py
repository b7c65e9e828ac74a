"""A ledger in memory: what stands in it, what ever stood in it, and the reads that the commit protocol makes.

Rows are kept by chain, position and entry hash, as a reader sees them who merges identical repeats. Every insert is
a block: a store that loses its last block loses the rows that stand in no other.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from modeltrail.errors import RowsRefusedError, StoreUnavailableError, TamperError
from modeltrail.ingest.protocols import Opening, Store, Stored
from modeltrail.lab.link import Call
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entry import GenesisReason, genesis_hash
from modeltrail.ledger.row import RECORD, Row
from modeltrail.ledger.sequencer import Head

__all__ = ["Key", "Ledger", "SimStore"]

_LATER = (GenesisReason.REPLACED, GenesisReason.RETENTION)


class Key(NamedTuple):
    """What makes a row the same row."""

    chain: Chain
    seq: int
    entry_hash: bytes


class Ledger:
    """The tables. `now` returns seconds, for reads that see the past."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.chains: dict[PartitionId, dict[Chain, dict[int, dict[bytes, Row]]]] = {}
        self.blocks: list[list[Row]] = []
        self.standing: Counter[Key] = Counter()
        self.landed: dict[Key, float] = {}
        """Every row that was ever durable, and since when."""
        self.typed: set[tuple[Chain, int]] = set()
        self.restarts = 0
        self.read_only = False
        self.views_fail = False
        self.refuses: Callable[[Row], bool] | None = None
        """Says which rows are never taken."""
        self._unseen_since: float | None = None

    # Writes

    def insert(self, rows: Sequence[Row]) -> None:
        """Store a block; its typed rows too, unless the views fail, which is raised after the fact."""
        if self.read_only:
            raise StoreUnavailableError("read-only")
        if self.refuses is not None and any(self.refuses(row) for row in rows):
            raise RowsRefusedError(469, "constraint violated")
        now = self._now()
        self.blocks.append(list(rows))
        for row in rows:
            key = Key(row.chain, row.seq, row.entry_hash)
            self.standing[key] += 1
            self.landed.setdefault(key, now)
            chains = self.chains.setdefault(row.chain.of, {})
            chains.setdefault(row.chain, {}).setdefault(row.seq, {})[row.entry_hash] = row
        if self.views_fail:
            self.typed.update((row.chain, row.seq) for row in rows[: len(rows) // 2])
            raise StoreUnavailableError("a view failed")
        self.typed.update((row.chain, row.seq) for row in rows)

    def fill(self, chain: Chain, first_seq: int, last_seq: int) -> None:
        """Fill the typed tables for a range of what stands in the ledger."""
        if self.read_only or self.views_fail:
            raise StoreUnavailableError("cannot fill")
        positions = self.chains.get(chain.of, {}).get(chain, {})
        self.typed.update((chain, seq) for seq in range(first_seq, last_seq + 1) if seq in positions)

    def lose_last_blocks(self, count: int) -> list[Row]:
        """Restart without the last blocks; return the rows that are gone."""
        self.restarts += 1
        gone: list[Row] = []
        for _ in range(min(count, len(self.blocks))):
            for row in self.blocks.pop():
                key = Key(row.chain, row.seq, row.entry_hash)
                self.standing[key] -= 1
                if not self.standing[key]:
                    del self.standing[key]
                    gone.append(row)
                    self._remove(row)
        return gone

    def lose(self, which: Callable[[Row], bool]) -> None:
        """Lose some rows and their typed rows, whatever block they came in."""
        for row in [row for row in self.rows() if which(row)]:
            del self.standing[Key(row.chain, row.seq, row.entry_hash)]
            self._remove(row)

    def _remove(self, row: Row) -> None:
        chains = self.chains[row.chain.of]
        entries = chains[row.chain][row.seq]
        del entries[row.entry_hash]
        if not entries:
            del chains[row.chain][row.seq]
            self.typed.discard((row.chain, row.seq))
        if not chains[row.chain]:
            del chains[row.chain]

    # Reads

    def of(self, partition: PartitionId) -> list[Chain]:
        """Return the chains of a partition, oldest first."""
        return sorted(self.chains.get(partition, ()), key=lambda chain: chain.order)

    def rows(self) -> list[Row]:
        """Return all rows in order, each once."""
        every = [
            row
            for chains in self.chains.values()
            for positions in chains.values()
            for entries in positions.values()
            for row in entries.values()
        ]
        return sorted(every, key=lambda row: (row.chain, row.seq, row.entry_hash))

    def as_of(self, then: float, read: Callable[[], object]) -> object:
        """Return what `read` returns without the rows that became durable after `then`."""
        self._unseen_since = then
        try:
            return read()
        finally:
            self._unseen_since = None

    def _entries(self, chain: Chain) -> Mapping[int, Mapping[bytes, Row]]:
        positions = self.chains.get(chain.of, {}).get(chain, {})
        since = self._unseen_since
        if since is None:
            return positions
        seen: dict[int, dict[bytes, Row]] = {}
        for seq, entries in positions.items():
            old = {
                digest: row for digest, row in entries.items() if self.landed[Key(row.chain, row.seq, digest)] <= since
            }
            if old:
                seen[seq] = old
        return seen

    def _records(self, chain: Chain) -> Iterator[Row]:
        for entries in self._entries(chain).values():
            for row in entries.values():
                if row.kind == RECORD:
                    yield row

    def head(self, partition: PartitionId) -> Head | None:
        """See `Store.head`."""
        for chain in reversed(self.of(partition)):
            positions = self._entries(chain)
            seq = -1
            while seq + 1 in positions:
                seq += 1
                if len(positions[seq]) > 1:
                    raise TamperError(str(chain), seq, "two different entries stand at this position")
            while seq >= 0:
                row = next(iter(positions[seq].values()))
                if row.kind == RECORD:
                    return _head(row)
                seq -= 1
        return None

    def chained(self, partition: PartitionId, first: int, last: int) -> dict[int, Stored]:
        """See `Store.chained`."""
        found: dict[int, Stored] = {}
        for chain in self.of(partition):
            for row in self._records(chain):
                if first <= row.offset <= last:
                    found[row.offset] = _stored(row)
        return found

    def record_at(self, partition: PartitionId, offset: int) -> Row | None:
        """Return the record at `offset` as the newest epoch that holds it has it."""
        for chain in reversed(self.of(partition)):
            for entries in reversed(self.chains[partition][chain].values()):
                for row in reversed(entries.values()):
                    if row.offset == offset and row.kind == RECORD:
                        return row
        return None

    def last(self, partition: PartitionId) -> Head | None:
        """See `Store.last`."""
        for chain in reversed(self.of(partition)):
            rows = list(self._records(chain))
            if rows:
                return _head(max(rows, key=lambda row: row.seq))
        return None

    def at_or_before(
        self, partition: PartitionId, offset: int, floor: int, newest: Chain | None = None
    ) -> Stored | None:
        """See `Store.chained_at_or_before`."""
        for chain in reversed(self.of(partition)):
            if chain.first_offset <= offset and (newest is None or chain.order <= newest.order):
                rows = [row for row in self._records(chain) if floor <= row.offset <= offset]
                if rows:
                    return _stored(max(rows, key=lambda row: row.offset))
        return None

    def entry_hashes(self, chain: Chain, seq: int) -> list[bytes]:
        """See `Store.entry_hashes`."""
        return sorted(self._entries(chain).get(seq, ()))

    def opening(self, chain: Chain) -> Opening | None:
        """Return why a chain of an epoch after the first began, read out of its genesis; None if it cannot be told."""
        genesis = {row.prev_hash for row in self._entries(chain).get(0, {}).values()}
        name = str(chain).encode()
        for old in self.of(chain.of):
            if old.epoch == chain.epoch - 1:
                for row in self._records(old):
                    for reason in _LATER:
                        if genesis_hash(name, row.entry_hash, reason) in genesis:
                            return Opening(chain, reason, _head(row))
        return None

    def late_blocks(self, partition: PartitionId) -> list[tuple[Chain, int, int]]:
        """See `Store.late_blocks`."""
        chains = self.of(partition)
        newest = max((chain.epoch for chain in chains), default=0)
        late: list[tuple[Chain, int, int]] = []
        for chain in chains:
            opening = self.opening(chain) if chain.epoch == newest > 0 else None
            if opening is not None:
                old = opening.old_head
                last = max(self._entries(old.chain))
                if last > old.seq:
                    late.append((old.chain, old.seq + 1, last))
        return late


def _head(row: Row) -> Head:
    return Head(row.chain, row.seq, row.offset, row.timestamp, row.log_time, row.record_hash, row.entry_hash)


def _stored(row: Row) -> Stored:
    return Stored(row.chain, row.seq, row.offset, row.timestamp, row.record_hash, row.entry_hash)


class SimStore(Store):
    """`ingest.protocols.Store` over a ledger in memory.

    `call` runs a read or a write there. `insert` is what an insert does, where it does more than `Ledger.insert`.
    """

    def __init__(
        self, ledger: Ledger, call: Call, *, insert: Callable[[Sequence[Row]], Callable[[], None]] | None = None
    ) -> None:
        self._ledger = ledger
        self._call = call
        self._insert = insert
        self._restarts: int | None = None

    async def head(self, partition: PartitionId) -> Head | None:
        """See `Store.head`."""
        return await self._call("head", lambda: self._ledger.head(partition), partition)

    async def chained(self, partition: PartitionId, first: int, last: int) -> Mapping[int, Stored]:
        """See `Store.chained`."""
        return await self._call("chained", lambda: self._ledger.chained(partition, first, last), partition)

    async def last(self, partition: PartitionId) -> Head | None:
        """See `Store.last`."""
        return await self._call("last", lambda: self._ledger.last(partition), partition)

    async def chained_at_or_before(
        self, partition: PartitionId, offset: int, floor: int, *, newest: Chain | None = None
    ) -> Stored | None:
        """See `Store.chained_at_or_before`."""
        return await self._call(
            "chained_before", lambda: self._ledger.at_or_before(partition, offset, floor, newest), partition
        )

    async def entry_hashes(self, chain: Chain, seq: int) -> Sequence[bytes]:
        """See `Store.entry_hashes`."""
        return await self._call("hashes", lambda: self._ledger.entry_hashes(chain, seq), chain.of)

    async def insert(self, rows: Sequence[Row], appended_at: int) -> None:  # noqa: ARG002 - not hashed, not kept
        """See `Store.insert`."""
        rows = list(rows)  # made once
        partitions = {row.chain.of: None for row in rows}
        effect = (lambda: self._ledger.insert(rows)) if self._insert is None else self._insert(rows)
        await self._call("insert", effect, next(iter(partitions)) if len(partitions) == 1 else None)

    async def restarted(self) -> bool:
        """See `Store.restarted`: the first answer is what later ones are compared with."""
        restarts = await self._call("uptime", lambda: self._ledger.restarts)
        before, self._restarts = self._restarts, restarts
        return before is not None and before != restarts

    async def fill(self, chain: Chain, first_seq: int, last_seq: int) -> None:
        """See `Store.fill`."""
        await self._call("fill", lambda: self._ledger.fill(chain, first_seq, last_seq), chain.of)

    async def late_blocks(self, partition: PartitionId) -> Sequence[tuple[Chain, int, int]]:
        """See `Store.late_blocks`."""
        return await self._call("late_blocks", lambda: self._ledger.late_blocks(partition), partition)
