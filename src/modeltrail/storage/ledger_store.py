"""The ledger in ClickHouse, as the commit protocol needs it.

Reads go along the primary index, so that they stay quick in a ledger of any size: the names of a partition's chains
are walked one by one, a head is read backwards from the end of its chain.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar, cast

from modeltrail.errors import StoreUnavailableError, TamperError
from modeltrail.ingest.protocols import Opening, Stored
from modeltrail.ledger.chain import Chain, PartitionId, parse_chain
from modeltrail.ledger.entry import GenesisReason, genesis_hash
from modeltrail.ledger.row import GAP, Row
from modeltrail.ledger.sequencer import Head
from modeltrail.storage.arrow_rows import COLUMNS, to_stream
from modeltrail.storage.daemon_threads import DaemonThreads
from modeltrail.storage.memory import give_back
from modeltrail.storage.projections import fill
from modeltrail.storage.queries import sql
from modeltrail.storage.server_errors import STORE_FAILURES, translate

__all__ = ["ClickHouseStore"]

T = TypeVar("T")

TAIL = 100_000
"""Positions at the end of a chain that are checked to be contiguous whenever its head is read."""

_PAGE = 50_000
_OPENING_REASONS = (GenesisReason.REPLACED, GenesisReason.RETENTION)

_LARGE = 8 * 2**20
"""Bytes of a block whose memory is given back at once."""

_ONE_BLOCK = {
    # One insert is one block and so one part: it is there whole or not at all.
    "async_insert": 0,
    "max_insert_block_size": 10_000_000,
    "min_insert_block_size_rows": 10_000_000,
    "min_insert_block_size_bytes": 4 * 2**30,
    "materialized_views_ignore_errors": 0,
    # Repeats are merged when they are read; sorting them out at the insert costs a microsecond a row.
    "optimize_on_insert": 0,
}


class ClickHouseStore:
    """Implements `ingest.protocols.Store`. `connect` makes a clickhouse-connect client for the ledger's database.

    Calls run in threads of their own, so that the event loop never waits: one for inserts, one for filling typed
    tables again, two for reads. `insert_timeout_s` bounds one insert.
    """

    def __init__(self, connect: Callable[[], Any], *, insert_timeout_s: float = 30.0, replicated: bool = False) -> None:
        self._connect = connect
        self._client: Any = None
        self._seen_up: tuple[int, float, object] | None = None
        self._reads = {"select_sequential_consistency": 1} if replicated else {}
        self._insert_timeout_s = insert_timeout_s
        # The server itself ends an insert in time: a new epoch waits out what could still land.
        self._writes = _ONE_BLOCK | {"max_execution_time": insert_timeout_s, "timeout_overflow_mode": "throw"}
        self._writes |= {"insert_quorum": "auto"} if replicated else {}
        self._writer = DaemonThreads(1, "ledger-insert")
        self._reader = DaemonThreads(2, "ledger-read")
        self._filler = DaemonThreads(1, "ledger-fill")

    def close(self) -> None:
        """Begin no further call and close the client; what is under way ends by its own timeout."""
        for pool in (self._writer, self._reader, self._filler):
            pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()
            self._client = None

    async def ping(self) -> None:
        """Return when the ledger answers a query; raises as every other method does."""
        await self._read(lambda: self._rows("SELECT 1", {}))

    async def head(self, partition: PartitionId) -> Head | None:
        """See `Store.head`."""
        return await self._read(lambda: self._head(partition))

    async def chained(self, partition: PartitionId, first: int, last: int) -> Mapping[int, Stored]:
        """See `Store.chained`."""
        return await self._read(lambda: self._chained(partition, first, last))

    async def last(self, partition: PartitionId) -> Head | None:
        """See `Store.last`."""
        return await self._read(lambda: self._last(partition))

    async def chained_at_or_before(
        self, partition: PartitionId, offset: int, floor: int, *, newest: Chain | None = None
    ) -> Stored | None:
        """See `Store.chained_at_or_before`."""
        return await self._read(lambda: self._at_or_before(partition, offset, floor, newest))

    async def entry_hashes(self, chain: Chain, seq: int) -> Collection[bytes]:
        """See `Store.entry_hashes`."""
        parameters = {"chain": str(chain), "seq": seq}
        return await self._read(lambda: [row[0] for row in self._rows(sql("ledger/entry_hashes"), parameters)])

    async def late_blocks(self, partition: PartitionId) -> Sequence[tuple[Chain, int, int]]:
        """See `Store.late_blocks`. Looks at the newest epoch and the one before it."""
        return await self._read(lambda: self._late_blocks(partition))

    async def insert(self, rows: Sequence[Row], appended_at: int) -> None:
        """See `Store.insert`."""
        try:
            async with asyncio.timeout(self._insert_timeout_s + 5.0):
                await self._call(self._writer, lambda: self._insert(rows, appended_at))
        except TimeoutError:
            raise StoreUnavailableError(
                f"the insert did not end within {self._insert_timeout_s:g} s; it may still take effect"
            ) from None

    async def restarted(self) -> bool:
        """See `Store.restarted`. A replicated ledger has a quorum instead, and servers with times of their own."""
        return False if self._reads else await self._call(self._writer, self._restarted)

    async def fill(self, chain: Chain, first_seq: int, last_seq: int) -> None:
        """See `Store.fill`."""
        await self._call(self._filler, lambda: fill(self._connected(), str(chain), first_seq, last_seq))

    # In the threads, from here on.

    def _restarted(self) -> bool:
        asked = time.monotonic()
        uptime, table = self._rows(sql("ledger/incarnation"), {})[0]
        before, self._seen_up = self._seen_up, (uptime, time.monotonic(), table)
        # From the answer before to this question: an answer that was long on its way is no restart. The server counts
        # whole seconds, so a little less than expected is none either.
        return before is not None and (table != before[2] or uptime < before[0] + (asked - before[1]) - 2.0)

    def _insert(self, rows: Sequence[Row], appended_at: int) -> None:
        # As a view of memory: bytes would be sent again by the driver itself when the connection ends early, while
        # the first attempt may still be under way, and beyond the time that an insert is given.
        block = memoryview(to_stream(rows, appended_at))
        try:
            self._connected().raw_insert(
                "ledger", column_names=COLUMNS, insert_block=block, settings=self._writes, fmt="ArrowStream"
            )
        finally:
            if len(block) >= _LARGE:
                del block
                give_back()

    def _head(self, partition: PartitionId) -> Head | None:
        for chain in reversed(self._chains(partition)):
            head = self._head_of(chain)
            if head is not None:
                return head
        return None

    def _head_of(self, chain: Chain) -> Head | None:
        """Return the last record of the contiguous part of a chain; None where even its beginning is missing."""
        through = 2**63 - 1
        while (head := self._last_of(chain, through)) is not None:
            through = self._contiguous(chain, head.seq)
            if through >= head.seq:
                return head
        return None

    def _last(self, partition: PartitionId) -> Head | None:
        ends = (self._last_of(chain, 2**63 - 1) for chain in reversed(self._chains(partition)))
        return next((end for end in ends if end is not None), None)

    def _last_of(self, chain: Chain, through: int) -> Head | None:
        """Return the last record of a chain up to position `through`."""
        while found := self._rows(sql("ledger/head"), {"chain": str(chain), "through": through}):
            seq, offset, timestamp, log_time, kind, record_hash, entry_hash = found[0]
            if kind != GAP:
                return Head(chain, seq, offset, timestamp, log_time, record_hash, entry_hash)
            through = seq - 1
        return None

    def _contiguous(self, chain: Chain, seq: int) -> int:
        """Return the last position before the first missing one among the last `TAIL` up to `seq`."""
        since = max(0, seq - TAIL + 1)
        parameters = {"chain": str(chain), "since": since}
        positions, entries, first, last = self._rows(sql("ledger/tail"), parameters)[0]
        if entries > positions:
            fork = self._rows(sql("ledger/forked"), parameters)[0][0]
            raise TamperError(str(chain), int(fork), "two different entries stand at this position")
        if first > since:
            return since - 1
        if positions == last - since + 1:
            return seq
        return min(seq, int(self._rows(sql("ledger/before_hole"), parameters)[0][0]))

    def _chains(self, partition: PartitionId) -> list[Chain]:
        """Return the chains of a partition in the order of their epochs and first offsets, as numbers."""
        chains: list[Chain] = []
        after = prefix = partition.prefix
        while found := self._rows(sql("ledger/next_chain"), {"prefix": prefix, "after": after}):
            after = found[0][0]
            chains.append(parse_chain(after))
        return sorted(chains, key=lambda chain: chain.order)

    def _chained(self, partition: PartitionId, first: int, last: int) -> dict[int, Stored]:
        stored: dict[int, Stored] = {}
        for chain in self._chains(partition):  # a newer epoch replaces what an older one has at an offset
            if chain.first_offset > last:
                continue
            parameters = {"chain": str(chain), "first": first, "last": last}
            for row in self._rows(sql("ledger/chained"), parameters):
                stored[row[1]] = Stored(chain, *row)
        return stored

    def _at_or_before(self, partition: PartitionId, offset: int, floor: int, newest: Chain | None) -> Stored | None:
        for chain in reversed(self._chains(partition)):
            if chain.first_offset > offset or (newest is not None and chain.order > newest.order):
                continue
            parameters = {"chain": str(chain), "offset": offset, "floor": floor}
            found = self._rows(sql("ledger/at_or_before"), parameters)
            if found:
                return Stored(chain, *found[0])
        return None

    def _opening(self, chain: Chain, chains: Sequence[Chain]) -> Opening | None:
        """Find the entry of the epoch before that the genesis of `chain` commits to, from its end backwards."""
        genesis = {bytes(row[0]) for row in self._rows(sql("ledger/genesis"), {"chain": str(chain)})}
        name = str(chain).encode()
        for old in chains:
            if old.epoch != chain.epoch - 1:
                continue
            through = 2**63 - 1
            while page := self._rows(sql("ledger/links"), {"chain": str(old), "through": through, "limit": _PAGE}):
                for seq, offset, timestamp, log_time, record_hash, entry_hash in page:
                    for reason in _OPENING_REASONS:
                        if genesis_hash(name, entry_hash, reason) in genesis:
                            head = Head(old, seq, offset, timestamp, log_time, record_hash, entry_hash)
                            return Opening(chain, reason, head)
                through = page[-1][0] - 1
        return None

    def _late_blocks(self, partition: PartitionId) -> list[tuple[Chain, int, int]]:
        chains = self._chains(partition)
        late: list[tuple[Chain, int, int]] = []
        newest = max((chain.epoch for chain in chains), default=0)
        for chain in chains:
            if chain.epoch != newest or newest == 0:
                continue
            opening = self._opening(chain, chains)
            if opening is None:
                continue
            old = opening.old_head
            last = self._rows(sql("ledger/head"), {"chain": str(old.chain), "through": 2**63 - 1})[0][0]
            if last > old.seq:
                late.append((old.chain, old.seq + 1, last))
        return late

    def _rows(self, text: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        result = self._connected().query(text, parameters=dict(parameters), settings=self._reads)
        return list(result.result_rows)

    def _connected(self) -> Any:
        if self._client is None:
            self._client = self._connect()
        return self._client

    async def _read(self, work: Callable[[], T]) -> T:
        return await self._call(self._reader, work)

    async def _call(self, pool: Executor, work: Callable[[], T]) -> T:
        def translated() -> T:
            try:
                return work()
            except STORE_FAILURES as error:
                raise translate(error) from None

        # Under no name: an error would hold the frame that holds the future that holds the error, and so the block.
        return await cast("Awaitable[T]", asyncio.get_running_loop().run_in_executor(pool, translated))
