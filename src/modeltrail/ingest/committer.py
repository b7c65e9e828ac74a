"""The commit: store, announce, acknowledge, in this order, one block after the other.

    0. ask          whether the records come from the log that the chain was placed in.
    1. insert       one block of what waits in all lanes; afterwards its rows and typed rows are durable.
                    A crash before it: nothing happened. A crash inside it: the block is there whole, or not at
                    all; the next placement reads the head back and goes on after it.
    2. send         receipts (blocks), rejects and alerts, each acknowledged by all in-sync replicas.
                    A crash before it ends: the group's offset still lies before the block, so that its records
                    are read again, compared, and announced again.
    3. acknowledge  the watermark of each partition moves. A crash before it: as after 1.

There is at most one insert in flight, so that the blocks of a chain become durable in order, and at most one block
whose steps 2 and 3 are under way: while they wait for the broker, the next block is inserted. A crash then leaves two
blocks that are read again from the group's offset and announced again. An insert that did not return success is never
believed either way: the head is read back before anything else happens.
"""

import asyncio
from collections.abc import Sequence

from modeltrail.errors import RowsRefusedError, UnavailableError
from modeltrail.ingest.announcing import announce
from modeltrail.ingest.block import BlockLimits, Share, is_due, take
from modeltrail.ingest.lane import Lane, Piece
from modeltrail.ingest.lanes import RETRY_S, Lanes
from modeltrail.ingest.protocols import Clock, Flow, Log, Notices, Observer, Outbox, Store
from modeltrail.ledger.entries import Entries

__all__ = ["Committer"]

REFUSALS = 3
"""So often the store has to refuse the same rows before that is believed: a request that was cut or garbled on its
way is refused just as rows that do not parse are."""


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
        self._behind: asyncio.Task[None] | None = None
        """Announces the block that was stored last."""
        self._done = asyncio.Condition()

    async def run(self) -> None:
        """Commit for ever; to be cancelled."""
        try:
            while True:
                shares = self._take()
                if shares:
                    await self._commit(shares)
                else:
                    await self._wait()
        finally:
            if self._behind is not None:
                self._behind.cancel()
                await asyncio.gather(self._behind, return_exceptions=True)

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
        oldest = min((next(lane.waiting()).since for lane in self._waiting()), default=None)
        if oldest is None:
            await self._ready.wait()
            return
        age = self._clock.monotonic() - oldest
        try:
            await asyncio.wait_for(self._ready.wait(), max(0.001, self._limits.age_s - age))
        except TimeoutError:
            return

    def _waiting(self) -> list[Lane]:
        """Return the lanes that have something for a block: what a lane that is not held has is nobody's."""
        return [lane for lane in self._lanes if lane.waits and self._lanes.holds(lane)]

    def _take(self) -> list[Share]:
        """Take a block if it is time, and let records flow for the next one."""
        waiting = self._waiting()
        if not waiting or not (self._hurry or is_due(waiting, self._limits, self._clock.monotonic())):
            return []
        shares = take(waiting, self._limits)
        for lane in waiting:
            if lane.paused and lane.waits < self._resume_below:
                lane.paused = False
                self._flow.resume(lane.partition)
        return shares

    async def _commit(self, shares: list[Share]) -> None:
        """Store a block, and let its announcement follow behind the one before it."""
        stored = await self._stored(shares)
        await self._announced()
        if stored:
            self._behind = asyncio.create_task(self._announce(stored), name="announce")
            self._behind.add_done_callback(self._lanes.fail_with)  # also while a block waits for a store that is away

    async def _stored(self, shares: list[Share]) -> list[Share]:
        """Steps 0 and 1. Return what is to be announced; the rest was given up or refused."""
        shares = await self._of_the_same_log(shares)
        stored = await self._insert(shares)
        stored.extend(share for share in shares if not share.rows)
        await self._tell()
        return stored

    async def _announced(self) -> None:
        """Wait until the block before is announced and acknowledged."""
        if self._behind is not None:
            await self._behind
            self._behind = None

    async def _announce(self, stored: Sequence[Share]) -> None:
        """Steps 2 and 3."""
        notices = announce((share.rows, share.again) for share in stored)
        if await self._send(notices, stored):
            for share in stored:
                self._acknowledge(share)
        await self._tell()

    async def _tell(self) -> None:
        """Let those look who wait for pieces to be settled or given up."""
        async with self._done:
            self._done.notify_all()

    async def _of_the_same_log(self, shares: list[Share]) -> list[Share]:
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

    async def _insert(self, shares: Sequence[Share]) -> list[Share]:
        """Step 1. Return the shares that are durable; the others were given up or refused."""
        pending = [share for share in shares if share.rows]
        stored: list[Share] = []
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

    def _ended(self, pending: Sequence[Share], *, known: bool) -> None:
        for share in pending:
            self._lanes.doubts.ended(share.lane, known=known)

    async def _read_back(self, pending: Sequence[Share]) -> tuple[list[Share], list[Share]]:
        """After an insert that did not return success: which shares are there, and which are to be inserted."""
        there: list[Share] = []
        missing: list[Share] = []
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

    async def _refuse(self, share: Share, error: RowsRefusedError) -> None:
        first, last = share.rows[0], share.rows[-1]
        message = f"the store refuses entries {first.seq} to {last.seq} of {first.chain} for good: {error}"
        await self._lanes.stop(share.lane, "chain_refused", f"{first.chain} {first.seq}", message)

    async def _send(self, notices: Notices, stored: Sequence[Share]) -> bool:
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

    def _acknowledge(self, share: Share) -> None:
        """Step 3."""
        lane = share.lane
        if share.rows:
            self._observer.chained(lane.partition, share.rows)
        lane.settle(share.pieces)
        if self._lanes.holds(lane):
            self._flow.durable(lane.partition, share.pieces[-1].next_offset, lane.generation)
