"""The commit: store, announce, acknowledge, in this order, one block at a time.

    0. ask          whether the records come from the log that the chain was placed in.
    1. insert       one block of what waits in all lanes; afterwards its rows and typed rows are durable.
                    A crash before it: nothing happened. A crash inside it: the block is there whole, or not at
                    all; the next placement reads the head back and goes on after it.
    2. send         receipts (blocks), rejects and alerts, each acknowledged by all in-sync replicas.
                    A crash before it ends: the group's offset still lies before the block, so that its records
                    are read again, compared, and announced again.
    3. acknowledge  the watermark of each partition moves. A crash before it: as after 1.

There is at most one insert in flight, so that the blocks of a chain become durable in order. An insert that did
not return success is never believed either way: the head is read back before anything else happens.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain as flatten
from itertools import zip_longest

from modeltrail.errors import RowsRefusedError, UnavailableError
from modeltrail.ingest.announcing import announce
from modeltrail.ingest.block import BlockLimits
from modeltrail.ingest.lane import Again, Lane, Piece
from modeltrail.ingest.lanes import RETRY_S, Lanes
from modeltrail.ingest.protocols import Clock, Flow, Log, Notices, Observer, Outbox, Store
from modeltrail.ledger.entries import Entries

__all__ = ["Committer"]

REFUSALS = 3
"""So often the store has to refuse the same rows before that is believed: a request that was cut or garbled on its
way is refused just as rows that do not parse are."""


@dataclass(slots=True)
class _Share:
    """What one lane has in a block."""

    lane: Lane
    pieces: list[Piece]
    rows: Entries
    again: list[Again]

    @property
    def size(self) -> int:
        return sum(piece.size for piece in self.pieces)


class Committer:
    """Drains all lanes into the ledger. `ready` is set by whoever adds a piece."""

    def __init__(
        self,
        lanes: Lanes,
        store: Store,
        log: Log,
        flow: Flow,
        outbox: Outbox,
        clock: Clock,
        observer: Observer,
        *,
        limits: BlockLimits,
        resume_below: int,
        ready: asyncio.Event,
    ) -> None:
        self._lanes = lanes
        self._store = store
        self._log = log
        self._flow = flow
        self._outbox = outbox
        self._clock = clock
        self._observer = observer
        self._limits = limits
        self._resume_below = resume_below
        self._ready = ready
        self._hurry = 0
        self._done = asyncio.Condition()

    async def run(self) -> None:
        """Commit for ever; to be cancelled."""
        while True:
            shares = self._take()
            if shares:
                await self._commit(shares)
                async with self._done:
                    self._done.notify_all()
            else:
                await self._wait()

    async def drain(self, wanted: Sequence[Piece]) -> None:
        """Commit without waiting for full blocks until `wanted` are settled or given up."""
        self._hurry += 1
        self._ready.set()
        try:
            async with self._done:
                await self._done.wait_for(lambda: not any(piece in piece.lane.pieces for piece in wanted))
        finally:
            self._hurry -= 1

    async def _wait(self) -> None:
        """Wait for a piece, or for the oldest one to come of age."""
        self._ready.clear()
        # What a lane holds that is not held any more is nobody's to commit; it goes with the lane.
        held = [lane for lane in self._lanes if lane.pieces and self._lanes.holds(lane)]
        oldest = min((lane.pieces[0].since for lane in held), default=None)
        if oldest is None:
            await self._ready.wait()
            return
        age = self._clock.monotonic() - oldest
        try:
            await asyncio.wait_for(self._ready.wait(), max(0.001, self._limits.age_s - age))
        except TimeoutError:
            return

    def _take(self) -> list[_Share]:
        """Take what waits, in order, from all lanes in turn, if it is time; the pieces stay in their lanes."""
        waiting = [lane for lane in self._lanes if lane.pieces and self._lanes.holds(lane)]
        if not waiting or not self._due(waiting):
            return []
        shares = [_Share(lane, [], Entries(), []) for lane in waiting]
        rows = size = 0
        for turn in zip_longest(*(lane.pieces for lane in waiting)):
            for share, piece in zip(shares, turn, strict=True):
                if piece is None or rows >= self._limits.rows or size >= self._limits.size:
                    continue
                share.pieces.append(piece)
                share.rows.extend(piece.rows)
                share.again.extend(piece.again)
                rows += len(piece.rows)
                size += piece.size
        return [share for share in shares if share.pieces]

    def _due(self, waiting: Sequence[Lane]) -> bool:
        if self._hurry:
            return True
        rows = size = 0
        oldest = self._clock.monotonic() - self._limits.age_s
        for piece in flatten.from_iterable(lane.pieces for lane in waiting):
            if piece.since <= oldest or not piece.rows:
                return True
            rows += len(piece.rows)
            size += piece.size
        return rows >= self._limits.rows or size >= self._limits.size

    async def _commit(self, shares: list[_Share]) -> None:
        shares = await self._of_the_same_log(shares)
        stored = await self._insert(shares)
        stored.extend(share for share in shares if not share.rows)
        if stored:
            notices = announce((share.rows, share.again) for share in stored)
            if not await self._send(notices, stored):
                return
            for share in stored:
                self._acknowledge(share)

    async def _of_the_same_log(self, shares: list[_Share]) -> list[_Share]:
        """Step 0. Return the shares whose records come from the log that their chain was placed in."""
        new = [share.lane for share in shares if share.rows]
        waited = False
        while any(self._lanes.holds(lane) for lane in new):
            try:
                names = await self._log.incarnations([lane.partition for lane in new])
            except UnavailableError as error:
                waited = True
                self._observer.waiting("log", error)
                await self._clock.sleep(RETRY_S)
            else:
                self._lanes.compare_logs(new, names)
                break
        if waited:
            self._observer.going_on("log")
        return [share for share in shares if not share.rows or self._lanes.holds(share.lane)]

    async def _insert(self, shares: Sequence[_Share]) -> list[_Share]:
        """Step 1. Return the shares that are durable; the others were given up or refused."""
        pending = [share for share in shares if share.rows]
        stored: list[_Share] = []
        appended_at = self._clock.now_ms()
        doubtful = waited = False
        refusals = 0
        try:
            while pending := [share for share in pending if self._lanes.holds(share.lane)]:
                try:
                    if await self._lanes.look_for_restart():
                        break
                    if doubtful:
                        there, pending = await self._read_back(pending)
                        stored += there
                        if not pending:
                            break
                    if not all(self._lanes.holds(share.lane) for share in pending):
                        continue  # somebody else noticed meanwhile what makes these rows wrong
                    started = self._clock.monotonic()
                    doubtful = True
                    for share in pending:
                        self._lanes.doubts.begun(share.lane)
                    await self._store.insert(Entries.joined(share.rows for share in pending), appended_at)
                except RowsRefusedError as error:
                    self._ended(pending, known=False)
                    if len(pending) > 1:
                        # One chain must not hold up the others: the block goes in again, chain by chain.
                        for share in pending:
                            stored += await self._insert([share])
                        break
                    refusals += 1
                    if refusals == REFUSALS:
                        await self._refuse(pending[0], error)
                        break
                    waited = True
                    self._observer.waiting("store", error)
                    await self._clock.sleep(RETRY_S)
                except UnavailableError as error:
                    self._ended(pending, known=False)
                    waited = True
                    self._observer.waiting("store", error)
                    await self._clock.sleep(RETRY_S)
                else:
                    self._ended(pending, known=True)
                    seconds = self._clock.monotonic() - started
                    rows, size = sum(len(share.rows) for share in pending), sum(share.size for share in pending)
                    self._observer.inserted(rows, size, seconds)
                    stored += pending
                    break
        finally:
            if waited:
                self._observer.going_on("store")
        return stored

    def _ended(self, pending: Sequence[_Share], *, known: bool) -> None:
        for share in pending:
            self._lanes.doubts.ended(share.lane, known=known)

    async def _read_back(self, pending: Sequence[_Share]) -> tuple[list[_Share], list[_Share]]:
        """After an insert that did not return success: which shares are there, and which are to be inserted."""
        there: list[_Share] = []
        missing: list[_Share] = []
        for share in pending:
            first, last = share.rows[0], share.rows[-1]
            found = set(await self._store.entry_hashes(last.chain, last.seq))
            if found == {last.entry_hash}:
                await self._store.fill(last.chain, first.seq, last.seq)
                there.append(share)
            elif found:
                condition = f"{last.chain} {last.seq}"
                message = f"{last.chain} seq {last.seq}: another entry stands at this position"
                await self._lanes.stop(share.lane, "partition_stopped", condition, message)
            elif first.seq > 0 and set(await self._store.entry_hashes(first.chain, first.seq - 1)) != {first.prev_hash}:
                self._lanes.place_again(share.lane, f"the ledger no longer holds {first.chain} seq {first.seq - 1}")
            else:
                missing.append(share)
        return there, missing

    async def _refuse(self, share: _Share, error: RowsRefusedError) -> None:
        first, last = share.rows[0], share.rows[-1]
        message = f"the store refuses entries {first.seq} to {last.seq} of {first.chain} for good: {error}"
        await self._lanes.stop(share.lane, "chain_refused", f"{first.chain} {first.seq}", message)

    async def _send(self, notices: Notices, stored: Sequence[_Share]) -> bool:
        """Step 2. False when every lane was given up meanwhile: whoever has them now announces."""
        waited = False
        try:
            while True:
                try:
                    await self._outbox.send(notices)
                except UnavailableError as error:
                    if not any(self._lanes.holds(share.lane) for share in stored):
                        return False
                    waited = True
                    self._observer.waiting("broker", error)
                    await self._clock.sleep(RETRY_S)
                else:
                    return True
        finally:
            if waited:
                self._observer.going_on("broker")

    def _acknowledge(self, share: _Share) -> None:
        """Step 3."""
        lane = share.lane
        if share.rows:
            self._observer.chained(lane.partition, share.rows)
        lane.settle(share.pieces)
        if not self._lanes.holds(lane):
            return
        self._flow.durable(lane.partition, share.pieces[-1].next_offset, lane.generation)
        if lane.paused and len(lane.pieces) < self._resume_below:
            lane.paused = False
            self._flow.resume(lane.partition)
