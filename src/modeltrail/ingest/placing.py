"""Placing a partition: read the head back from the ledger, decide which log this is, and where to go on.

ClickHouse holds the truth about progress; the group's committed offset is only a hint. What is not a function of
the readable log opens a new epoch, never a silent continuation.
"""

from typing import NamedTuple

from modeltrail.errors import BrokerUnavailableError
from modeltrail.ingest.protocols import Clock, Flow, Log, Opening, Store, Stored
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.placement import Bounds, Case, start_of_same_epoch, where_to_start
from modeltrail.ledger.sequencer import Head, Sequencer

__all__ = ["Placed", "Placer"]


class Placed(NamedTuple):
    """Where a partition goes on: reading starts at offset `start`."""

    sequencer: Sequencer
    start: int
    committed: int | None
    opening: Opening | None
    """Where a new epoch begins here: why."""
    refill: tuple[Chain, int, int] | None
    """Entries that are stored but whose typed rows may be missing: chain, first and last seq."""
    log: str
    """What `Log.incarnations` called the log, asked before anything else about it."""

    @property
    def knows_committed(self) -> bool:
        """Whether the committed offset can be one of this chain: it has entries, up to that offset."""
        return (
            self.committed is not None and self.sequencer.next_seq > 0 and self.committed <= self.sequencer.next_offset
        )


class Placer:
    """Places partitions. `settle_s` is how long a late insert of somebody else can still take effect, in seconds."""

    def __init__(self, store: Store, log: Log, flow: Flow, clock: Clock, *, settle_s: float, memory_only: bool) -> None:
        self._store = store
        self._log = log
        self._flow = flow
        self._clock = clock
        self._settle_s = 0.0 if memory_only else settle_s

    async def place(self, partition: PartitionId, *, disagrees_at: int | None = None) -> Placed:
        """Decide by the table of `ledger.placement`.

        `disagrees_at` is an offset whose record is known to differ from the entry that was chained for it.
        Raises UnavailableError when waiting may help, TamperError when the ledger contradicts itself.
        """
        head = await self._store.head(partition)
        settled = self._settle_s == 0.0
        while True:
            log = (await self._log.incarnations([partition])).get(partition)
            if log is None:
                raise BrokerUnavailableError(f"nobody leads {partition}, or its topic is gone")
            bounds = await self._log.bounds(partition, expected_end=0 if head is None else head.offset + 1)
            committed = await self._flow.committed(partition)
            case = where_to_start(head, bounds)
            if head is None:
                last = await self._store.last(partition)
                if not settled and (last is not None or committed not in (None, bounds.begin)):
                    # Somebody began elsewhere than this would: their first block may be on its way.
                    head, settled = await self._settle(partition, head)
                    continue
                if last is None:
                    return self._first(partition, bounds, committed, log)
                head = await self._store.head(partition)
                if head is None:
                    return await self._without_beginning(last, committed, bounds, log)
                continue
            if disagrees_at is not None and not await self._disagrees(partition, head, bounds, disagrees_at):
                disagrees_at = None
            if case is Case.EXPIRED:
                refill = await self._unacknowledged(head, committed, bounds)
                return Placed(Sequencer.resume(head), bounds.begin, committed, None, refill, log)
            if case is Case.COMPARE and disagrees_at is None:
                if await self._agrees(partition, head):
                    return await self._same_epoch(head, committed, bounds, log)
                now = await self._log.bounds(partition, expected_end=head.offset + 1)
                if now.begin > head.offset:
                    continue  # it expired between two questions
            if settled:
                return await self._new_epoch(partition, head, case, bounds, committed, disagrees_at, log)
            head, settled = await self._settle(partition, head)

    async def _settle(self, partition: PartitionId, before: Head | None) -> tuple[Head | None, bool]:
        """Wait until the head is final; return it, and whether it is the one from before.

        A worker that lost the partition may still have an insert under way. It ends within the insert timeout, and
        is only begun while its session lasts: after both, nobody adds to the chain any more.
        """
        await self._clock.sleep(self._settle_s)
        head = await self._store.head(partition)
        return head, head == before

    def _first(self, partition: PartitionId, bounds: Bounds, committed: int | None, log: str) -> Placed:
        chain = Chain(*partition, epoch=0, first_offset=bounds.begin)
        return Placed(Sequencer.begin(chain, GenesisReason.START, None), bounds.begin, committed, None, None, log)

    async def _without_beginning(self, last: Head, committed: int | None, bounds: Bounds, log: str) -> Placed:
        """Place where the store lost the first block of a chain; `last` is the last record that it has of it.

        A first epoch is filled again where the log still has all of it. Otherwise the next one begins, on top of
        `last`: the hole in the old one cannot be filled any more.
        """
        chain = last.chain
        same = bounds.end > last.offset and (last.offset < bounds.begin or await self._agrees(chain.of, last))
        if same and chain.epoch == 0 and bounds.begin == chain.first_offset:
            return self._first(chain.of, bounds, committed, log)
        reason = GenesisReason.RETENTION if same and bounds.begin > chain.first_offset else GenesisReason.REPLACED
        opening = Opening(chain.next_epoch(bounds.begin), reason, last)
        return await self._open(opening, bounds.begin, committed, bounds, log)

    async def _same_epoch(self, head: Head, committed: int | None, bounds: Bounds, log: str) -> Placed:
        start = start_of_same_epoch(head, committed, bounds)
        refill = await self._unacknowledged(head, committed, bounds)
        return Placed(Sequencer.resume(head), start, committed, None, refill, log)

    async def _unacknowledged(self, head: Head, committed: int | None, bounds: Bounds) -> tuple[Chain, int, int]:
        """Return the entries of the head's chain whose insert may have ended without its views.

        A committed offset beyond the head is one of entries that the store has lost since: what stands in their
        place was inserted after it was committed.
        """
        if committed is None or committed > head.offset + 1:
            committed = bounds.begin
        offset = min(head.offset, committed)
        first = await self._store.chained_at_or_before(head.chain.of, offset, head.chain.first_offset)
        return head.chain, first.seq if first is not None and first.chain == head.chain else 0, head.seq

    async def _new_epoch(
        self,
        partition: PartitionId,
        head: Head,
        case: Case,
        bounds: Bounds,
        committed: int | None,
        disagrees_at: int | None,
        log: str,
    ) -> Placed:
        if case is Case.LOST:
            reason, first, start = GenesisReason.RETENTION, bounds.begin, bounds.begin
        else:
            reason = GenesisReason.REPLACED
            top = min(head.offset, bounds.end - 1)
            if disagrees_at is not None:
                top = min(top, disagrees_at - 1)
            agreed = await self._last_agreed(partition, bounds.begin, top, head.chain)
            first = bounds.begin if agreed is None else agreed.offset + 1
            # What agrees and was perhaps not announced is read again, as in an epoch that goes on.
            start = bounds.begin if committed is None else max(bounds.begin, min(first, committed))
        return await self._open(Opening(head.chain.next_epoch(first), reason, head), start, committed, bounds, log)

    async def _open(self, opening: Opening, start: int, committed: int | None, bounds: Bounds, log: str) -> Placed:
        chain, first, through = await self._unacknowledged(opening.old_head, committed, bounds)
        last = await self._store.last(chain.of)
        if last is not None and last.chain == chain:  # what stands behind a hole is never inserted again
            through = max(through, last.seq)
        refill = chain, first, through
        return Placed(Sequencer.begin(*opening), start, committed, opening, refill, log)

    async def _agrees(self, partition: PartitionId, entry: Head | Stored) -> bool:
        """Compare offset, timestamp and record of an entry with what the broker has there now."""
        record = await self._log.read(partition, entry.offset)
        return record is not None and record.timestamp == entry.timestamp and record.digest() == entry.record_hash

    async def _disagrees(self, partition: PartitionId, head: Head, bounds: Bounds, offset: int) -> bool:
        """Look again at a record that was not the one chained: what was read of the ledger may have been old.

        An offset beyond the head is not in the ledger any more: the store lost a block, and it is read again. One
        before the beginning expired meanwhile.
        """
        if not bounds.begin <= offset <= head.offset:
            return False
        entry = await self._store.chained_at_or_before(partition, offset, offset)
        if entry is not None:
            return not await self._agrees(partition, entry)
        return await self._log.read(partition, offset) is not None  # where a gap is chained

    async def _last_agreed(self, partition: PartitionId, low: int, high: int, newest: Chain) -> Stored | None:
        """Bisect for the last chained record in low..high that the broker still has: torn logs share a beginning.

        A chain newer than `newest`, that of the head, is one that the store lost the beginning of: what is left of
        it says nothing about the records before.
        """
        agreed: Stored | None = None
        while low <= high:
            middle = (low + high) // 2
            entry = await self._store.chained_at_or_before(partition, middle, low, newest=newest)
            if entry is None:
                low = middle + 1
            elif await self._agrees(partition, entry):
                agreed, low = entry, middle + 1
            else:
                high = entry.offset - 1
        return agreed
