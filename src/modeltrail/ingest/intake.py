"""Taking a batch in: compare what is chained already, ask about holes, validate, hash and append in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from modeltrail.errors import UnavailableError
from modeltrail.events.judge import CONTRACT_VERSION, Judgement
from modeltrail.ingest.block import BlockLimits
from modeltrail.ingest.lane import Again, Lane, Piece
from modeltrail.ingest.lanes import RETRY_S, Lanes
from modeltrail.ingest.protocols import Clock, Flow, Log, Observer, Store
from modeltrail.ledger.chain import PartitionId
from modeltrail.ledger.entries import Entries
from modeltrail.ledger.records import Record, Records

__all__ = ["Intake", "Judge"]

T = TypeVar("T")

Judge = Callable[[str, bytes | None, tuple[tuple[bytes, bytes | None], ...], bytes | None], Judgement]

PIECE_BYTES = 8 * 2**20
"""A piece is closed at this size, so that a batch of large records does not become one block of gigabytes."""

ROW_OVERHEAD = 250
"""Bytes that a row takes in a block beside its payload: hashes, envelope, offsets of the columns. Blocks of ordinary
events are to be closed by their rows: half of what an event costs the store is the block that it comes in."""

JUDGED_IN_A_TURN = 500
"""Records, a few milliseconds of work: the committer needs several turns of the event loop from block to block."""


class Intake:
    """Turns batches into pieces.

    A partition is paused when `limit` pieces wait in its lane and, in all lanes, as much as makes a `block`.
    """

    def __init__(
        self,
        lanes: Lanes,
        store: Store,
        log: Log,
        flow: Flow,
        clock: Clock,
        observer: Observer,
        judge: Judge,
        *,
        limit: int,
        block: BlockLimits,
        ready: asyncio.Event,
    ) -> None:
        self._lanes = lanes
        self._store = store
        self._log = log
        self._flow = flow
        self._clock = clock
        self._observer = observer
        self._judge = judge
        self._limit = limit
        self._block = block
        self._ready = ready

    async def accept(self, partition: PartitionId, records: Sequence[Record], placement: int) -> None:
        """Take one batch of one partition, in offset order.

        A batch that was fetched for another placement, or for a share that is not this worker's any more, is dropped:
        it may come from a log that was rewritten since, and is read again.
        """
        lane = self._lanes.get(partition)
        if lane is None or not self._lanes.holds(lane):
            return
        if lane.number != placement:
            # A poll that was under way while the lane was placed can return records from where the lane begins: the
            # reader has passed them, and nothing else would tell if no record followed.
            await self._read_again(lane, lane.cursor)
            return
        batch = Records.of(records)
        batch = await self._without_unproven_holes(lane, batch[batch.position(lane.cursor) :])
        if not batch or not self._lanes.holds(lane):
            return
        split = batch.position(lane.sequencer.next_offset)
        if split:
            repeated = batch[:split]
            again = await self._compare(lane, repeated)
            if again is None or not self._lanes.holds(lane):
                return
            lane.cursor = repeated.offsets[-1] + 1
            size = sum(repeated.sizes())
            self._push(lane, Piece(lane, Entries(), again, size, lane.cursor, self._clock.monotonic()))
        if split < len(batch):
            await self._append(lane, batch[split:])

    async def _compare(self, lane: Lane, records: Records) -> list[Again] | None:
        """Compare records that are chained already with their entries; None where the log was replaced."""
        stored = await self._patiently(
            lane, lambda: self._store.chained(lane.partition, records[0].offset, records[-1].offset)
        )
        if stored is None:
            return None
        again: list[Again] = []
        for record in records:
            entry = stored.get(record.offset)
            if entry and entry.timestamp == record.timestamp and entry.record_hash == record.digest():
                judgement = self._judge(lane.partition.topic, record.key, record.headers, record.value)
                again.append(Again(entry, record, judgement))
            elif record.offset < lane.sequencer.chain.first_offset:
                continue  # an epoch that is closed
            else:
                why = f"the record at offset {record.offset} is not the one chained"
                self._lanes.place_again(lane, why, disagrees_at=record.offset)
                return None
        return again

    async def _without_unproven_holes(self, lane: Lane, records: Records) -> Records:
        """Return the records up to the first hole that the broker could fill; ask it once for all holes."""
        if records.follow(lane.cursor):
            return records
        holes: list[tuple[int, int]] = []
        expected = lane.cursor
        for offset in records.offsets:
            if offset > expected:
                holes.append((expected, offset))
            expected = offset + 1
        if not holes:
            return records
        first, last = holes[0][0], holes[-1][1]
        existing = await self._patiently(lane, lambda: self._log.existing(lane.partition, first, last))
        if existing is None:
            return records[:0]
        bounds = await self._patiently(lane, lambda: self._log.bounds(lane.partition, expected_end=last + 1))
        if bounds is None:
            return records[:0]
        present = set(existing)
        if bounds.begin > first or bounds.end <= last:
            self._lanes.place_again(lane, f"offsets {first} to {last} are no longer in the log")
            return records[:0]
        for start, neighbour in holes:
            if any(start <= offset < neighbour for offset in present):
                self._observer.reread(lane.partition, start, "a record was not delivered")
                await self._read_again(lane, start)
                return records[: records.position(start)]
            if neighbour not in present:
                self._lanes.place_again(lane, f"the record at offset {neighbour} is no longer in the log")
                return records[:0]
        return records

    async def _read_again(self, lane: Lane, offset: int) -> None:
        await self._flow.read_from(lane.partition, offset)
        if lane.paused:  # reading from somewhere lets records flow
            self._flow.pause(lane.partition)

    async def _append(self, lane: Lane, records: Records) -> None:
        """Validate, hash and link; push pieces of bounded size."""
        judgements = await self._judged(lane, records)
        if not self._lanes.holds(lane):
            return
        now = self._clock.monotonic()
        begin = size = 0
        for end, payload in enumerate(records.sizes(), 1):
            size += ROW_OVERHEAD + payload
            if size >= PIECE_BYTES or end == len(records):
                part = records[begin:end] if end - begin < len(records) else records
                run = lane.sequencer.extend(part, judgements[begin:end], CONTRACT_VERSION)
                lane.cursor = lane.sequencer.next_offset
                self._push(lane, Piece(lane, Entries([run]), [], size, lane.cursor, now))
                begin, size = end, 0

    async def _judged(self, lane: Lane, records: Records) -> list[Judgement]:
        """Judge a batch, and let others have their turn meanwhile: the store must not stand idle for a whole batch."""
        judge, topic = self._judge, lane.partition.topic
        judgements: list[Judgement] = []
        for start in range(0, len(records), JUDGED_IN_A_TURN):
            if start:
                await asyncio.sleep(0)
            turn = records[start : start + JUDGED_IN_A_TURN]
            judgements += [
                judge(topic, key, headers, value)
                for key, headers, value in zip(turn.keys, turn.headers, turn.values, strict=True)
            ]
        return judgements

    def _push(self, lane: Lane, piece: Piece) -> None:
        lane.pieces.append(piece)
        if not lane.paused and lane.waits >= self._limit and self._enough_waits():
            lane.paused = True
            self._flow.pause(lane.partition)
        self._ready.set()

    def _enough_waits(self) -> bool:
        """Whether the next block is ready. Pausing earlier would starve the committer: a resume takes a poll."""
        rows = size = 0
        for lane in self._lanes:
            for piece in lane.waiting():
                rows += len(piece.rows) + len(piece.again)
                size += piece.size
        return rows >= self._block.rows or size >= self._block.size

    async def _patiently(self, lane: Lane, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Ask until there is an answer; None when the lane was given up meanwhile."""
        waited = False
        try:
            while self._lanes.holds(lane):
                try:
                    answer = await ask()
                except UnavailableError as error:
                    waited = True
                    self._observer.waiting("intake", error)
                    await self._clock.sleep(RETRY_S)
                else:
                    return answer if self._lanes.holds(lane) else None
            return None
        finally:
            if waited:
                self._observer.going_on("intake")
