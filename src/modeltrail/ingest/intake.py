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
from modeltrail.ledger.row import Row
from modeltrail.ledger.sequencer import Record

__all__ = ["Intake", "Judge"]

T = TypeVar("T")

Judge = Callable[[str, bytes | None, tuple[tuple[bytes, bytes | None], ...], bytes | None], Judgement]

PIECE_BYTES = 8 * 2**20
"""A piece is closed at this size, so that a batch of large records does not become one block of gigabytes."""

ROW_OVERHEAD = 600
"""Bytes that a row costs beside its payload: hashes, chain, envelope."""


class Intake:
    """Turns batches into pieces.

    A partition is paused when `limit` pieces wait in its lane and, in all lanes, twice as much as makes a `block`.
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

    async def accept(self, partition: PartitionId, records: Sequence[Record], generation: int) -> None:
        """Take one batch of one partition, in offset order.

        A batch of another generation, or of a partition that is not placed, is dropped: it is read again.
        """
        lane = self._lanes.get(partition)
        if lane is None or lane.generation != generation:
            return
        records = [record for record in records if record.offset >= lane.cursor]
        records = await self._without_unproven_holes(lane, records)
        if not records or not self._lanes.holds(lane):
            return
        split = next(
            (i for i, record in enumerate(records) if record.offset >= lane.sequencer.next_offset), len(records)
        )
        if split:
            again = await self._compare(lane, records[:split])
            if again is None or not self._lanes.holds(lane):
                return
            lane.cursor = records[split - 1].offset + 1
            size = sum(_payload(item.record) for item in again)
            self._push(lane, Piece(lane, [], again, size, lane.cursor, self._clock.monotonic()))
        if split < len(records):
            self._append(lane, records[split:])
            lane.cursor = lane.sequencer.next_offset

    async def _compare(self, lane: Lane, records: Sequence[Record]) -> list[Again] | None:
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

    async def _without_unproven_holes(self, lane: Lane, records: Sequence[Record]) -> Sequence[Record]:
        """Return the records up to the first hole that the broker could fill; ask it once for all holes."""
        holes: list[tuple[int, int]] = []
        expected = lane.cursor
        for record in records:
            if record.offset > expected:
                holes.append((expected, record.offset))
            expected = record.offset + 1
        if not holes:
            return records
        first, last = holes[0][0], holes[-1][1]
        existing = await self._patiently(lane, lambda: self._log.existing(lane.partition, first, last))
        if existing is None:
            return []
        bounds = await self._patiently(lane, lambda: self._log.bounds(lane.partition, expected_end=last + 1))
        if bounds is None:
            return []
        present = set(existing)
        if bounds.begin > first or bounds.end <= last:
            self._lanes.place_again(lane, f"offsets {first} to {last} are no longer in the log")
            return []
        for start, neighbour in holes:
            if any(start <= offset < neighbour for offset in present):
                self._observer.reread(lane.partition, start, "a record was not delivered")
                await self._flow.read_from(lane.partition, start)
                if lane.paused:  # reading from somewhere lets records flow
                    self._flow.pause(lane.partition)
                return [record for record in records if record.offset < start]
            if neighbour not in present:
                self._lanes.place_again(lane, f"the record at offset {neighbour} is no longer in the log")
                return []
        return records

    def _append(self, lane: Lane, records: Sequence[Record]) -> None:
        """Validate, hash and link; push pieces of bounded size."""
        sequencer, judge, topic = lane.sequencer, self._judge, lane.partition.topic
        rows: list[Row] = []
        size = 0
        now = self._clock.monotonic()
        for record in records:
            if record.offset < sequencer.next_offset:
                continue
            if record.offset > sequencer.next_offset:
                rows.append(sequencer.append_gap(record.offset - 1, CONTRACT_VERSION))
            judgement = judge(topic, record.key, record.headers, record.value)
            rows.append(sequencer.append(record, record.digest(), judgement, CONTRACT_VERSION))
            size += ROW_OVERHEAD + _payload(record)
            if size >= PIECE_BYTES:
                self._push(lane, Piece(lane, rows, [], size, sequencer.next_offset, now))
                rows, size = [], 0
        if rows:
            self._push(lane, Piece(lane, rows, [], size, sequencer.next_offset, now))

    def _push(self, lane: Lane, piece: Piece) -> None:
        lane.pieces.append(piece)
        if not lane.paused and len(lane.pieces) >= self._limit and self._enough_waits():
            lane.paused = True
            self._flow.pause(lane.partition)
        self._ready.set()

    def _enough_waits(self) -> bool:
        """Whether two more blocks are ready. Pausing earlier would starve the committer: a resume takes a poll."""
        rows = size = 0
        for lane in self._lanes:
            for piece in lane.pieces:
                rows += len(piece.rows) + len(piece.again)
                size += piece.size
        return rows >= 2 * self._block.rows or size >= 2 * self._block.size

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


def _payload(record: Record) -> int:
    size = len(record.key or b"") + len(record.value or b"")
    for name, content in record.headers:
        size += len(name) + len(content or b"")
    return size
