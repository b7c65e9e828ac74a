"""The lanes of one worker: which partitions it has, and how one of them is placed, stopped or given up."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping

from modeltrail.errors import TamperError, UnavailableError
from modeltrail.events.encode import Event
from modeltrail.ingest.announcing import epoch_alert, late_block_alert, partition_alert
from modeltrail.ingest.doubts import Doubts
from modeltrail.ingest.lane import Lane, LaneState, Piece
from modeltrail.ingest.placing import Placed, Placer
from modeltrail.ingest.protocols import Clock, Flow, Notices, Observer, Outbox, Store
from modeltrail.ledger.chain import PartitionId

__all__ = ["Lanes"]

RETRY_S = 1.0
"""Pause between two attempts at a dependency that does not answer."""


class Lanes:
    """Owns the lanes and the background tasks that place them.

    `failed` is called with an error that no waiting can mend; the worker then stops.
    """

    def __init__(
        self,
        store: Store,
        flow: Flow,
        outbox: Outbox,
        placer: Placer,
        clock: Clock,
        observer: Observer,
        doubts: Doubts,
        *,
        memory_only: bool,
    ) -> None:
        self._store = store
        self._flow = flow
        self._outbox = outbox
        self._placer = placer
        self._clock = clock
        self._observer = observer
        self._memory_only = memory_only
        self._lanes: dict[PartitionId, Lane] = {}
        self._placing: dict[PartitionId, asyncio.Task[None]] = {}
        self._contradicted: set[PartitionId] = set()
        self._announced: set[str] = set()
        self._restarts = 0
        self._numbers = 0
        self.doubts = doubts
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def get(self, partition: PartitionId) -> Lane | None:
        """Return the lane of a partition if batches are taken for it."""
        lane = self._lanes.get(partition)
        return lane if lane is not None and lane.state is LaneState.OPEN else None

    def placements(self) -> dict[PartitionId, int]:
        """Return the number of the placement of each partition for which batches are taken."""
        return {lane.partition: lane.number for lane in self if lane.state is LaneState.OPEN}

    def holds(self, lane: Lane) -> bool:
        """Whether `lane` is still the one through which its partition goes."""
        return (
            self._lanes.get(lane.partition) is lane
            and lane.state is LaneState.OPEN
            and lane.generation == self._flow.generation()
        )

    @property
    def assigned(self) -> bool:
        """Whether every partition that was given to this worker is placed."""
        return not self._placing

    @property
    def placing(self) -> list[PartitionId]:
        """Partitions whose placement is under way."""
        return list(self._placing)

    @property
    def stopped(self) -> list[PartitionId]:
        """Partitions that are out of service until somebody acts."""
        return [*(lane.partition for lane in self if lane.state is LaneState.STOPPED), *sorted(self._contradicted)]

    def place(self, partition: PartitionId, generation: int, *, disagrees_at: int | None = None) -> None:
        """Place a partition in the background; a placement of it that is under way is given up."""
        self._forget(partition)
        task = asyncio.create_task(self._place(partition, generation, disagrees_at), name=f"place {partition}")
        self._placing[partition] = task
        task.add_done_callback(lambda done: self._placed(partition, done))

    def place_again(self, lane: Lane, why: str, *, disagrees_at: int | None = None) -> None:
        """Give up a lane's unstored pieces and place its partition again: what it knows is not true any more."""
        if self._lanes.get(lane.partition) is not lane or lane.state is not LaneState.OPEN:
            return
        self._observer.reread(lane.partition, lane.sequencer.next_offset, why)
        self._flow.pause(lane.partition)
        self.place(lane.partition, lane.generation, disagrees_at=disagrees_at)

    def compare_logs(self, lanes: Iterable[Lane], names: Mapping[PartitionId, str]) -> None:
        """Place again whatever has another log behind it now; `names` are what `Log.incarnations` says.

        A reader does not notice that by itself where the new log reaches as far as its position.
        """
        for lane in lanes:
            if names.get(lane.partition) != lane.log:
                self.place_again(lane, "a leader was elected, or the topic created again")

    async def look_for_restart(self) -> bool:
        """Ask whether the store was restarted. If so its last blocks may be gone: every partition is placed again.

        Raises StoreUnavailableError when it does not answer.
        """
        if not await self._store.restarted():
            return False
        self._restarts += 1  # whoever is being placed begins again too
        for lane in self:
            self.place_again(lane, "the store was restarted")
        return True

    async def stop(self, lane: Lane, kind: str, condition: str, message: str) -> None:
        """Take one partition out of service, with a critical alert; the rest goes on."""
        if self._lanes.get(lane.partition) is not lane or lane.state is LaneState.STOPPED:
            return  # whoever has the partition now will meet the same
        lane.state = LaneState.STOPPED
        lane.pieces.clear()
        self._flow.pause(lane.partition)
        self._observer.stopped(lane.partition, kind, message)
        await self._alert(partition_alert(kind, lane.partition, condition, message, now_ms=self._clock.now_ms()))

    def fail_with(self, task: asyncio.Task[None]) -> None:
        """End the worker if a task of it has failed: no waiting can mend that."""
        if not task.cancelled() and (error := task.exception()) is not None and not self.failure.done():
            self.failure.set_result(error)

    def keep_only(self, partitions: Collection[PartitionId]) -> None:
        """Give up whatever is not among `partitions`: an assignment names all that this worker has."""
        self.revoke(partition for partition in self._known() if partition not in partitions)

    def revoke(self, partitions: Iterable[PartitionId]) -> None:
        """Give partitions up: nothing of theirs is stored or acknowledged from here on."""
        for partition in partitions:
            self._forget(partition)

    def close(self) -> None:
        """Give everything up."""
        self.revoke(self._known())

    def _known(self) -> list[PartitionId]:
        return list(dict.fromkeys((*self._lanes, *self._placing, *sorted(self._contradicted))))

    async def look_for_late_blocks(self) -> None:
        """Alert on entries that landed in an epoch after the next one had begun."""
        for lane in self:
            if lane.state is LaneState.OPEN and lane.sequencer.chain.epoch > 0:
                for chain, first, last in await self._store.late_blocks(lane.partition):
                    await self._alert(late_block_alert(chain, first, last, now_ms=self._clock.now_ms()))

    def unsettled(self, partitions: Iterable[PartitionId]) -> list[Piece]:
        """Return the pieces of these partitions that are not stored and announced yet."""
        return [piece for name in partitions if (lane := self.get(name)) is not None for piece in lane.pieces]

    def _forget(self, partition: PartitionId) -> None:
        self._contradicted.discard(partition)
        lane = self._lanes.pop(partition, None)
        if lane is not None:
            lane.pieces.clear()
        task = self._placing.pop(partition, None)
        if task is not None:
            task.cancel()

    def _placed(self, partition: PartitionId, task: asyncio.Task[None]) -> None:
        if self._placing.get(partition) is task:
            del self._placing[partition]
        self.fail_with(task)

    async def _place(self, partition: PartitionId, generation: int, disagrees_at: int | None) -> None:
        placed = await self._placed_patiently(partition, generation, disagrees_at)
        if placed is None:
            return
        if generation != self._flow.generation():
            return
        self._numbers += 1
        lane = Lane(partition, generation, placed.sequencer, placed.start, placed.log, self._numbers)
        self._lanes[partition] = lane
        self._observer.placed(
            partition,
            placed.sequencer.chain,
            placed.sequencer.next_seq,
            placed.start,
            opened=placed.opening is not None,
        )
        await self._flow.read_from(partition, placed.start)

    async def _placed_patiently(
        self, partition: PartitionId, generation: int, disagrees_at: int | None
    ) -> Placed | None:
        """Place as soon as store and broker answer; None where the share changed, or the ledger contradicts itself."""
        placed: Placed | None = None
        refilled = waited = False
        restarts = self._restarts
        try:
            while generation == self._flow.generation():
                try:
                    if placed is None:
                        # The store tells a restart from one question to the next: the first has to come before a
                        # head is read, the last after it.
                        await self.look_for_restart()
                        restarts, refilled = self._restarts, False
                        doubted = self.doubts.logs(partition)
                        placed = await self._placer.place(partition, disagrees_at=disagrees_at)
                        if await self.doubts.outlast(partition, placed.log) or doubted - {placed.log}:
                            placed = None  # the head was read before those rows had landed
                            continue
                    if placed.refill is not None and not refilled:
                        await self._store.fill(*placed.refill)
                        refilled = True
                    if not placed.knows_committed:
                        # What the group committed in another log, or before the store lost a block, says nothing.
                        await self._flow.commit_start(partition, placed.start)
                    if placed.opening is not None:
                        # Before its first entry, and without one: a log that was lost is news although nobody
                        # writes to it.
                        now_ms = self._clock.now_ms()
                        await self._alert(epoch_alert(placed.opening, now_ms=now_ms, memory_only=self._memory_only))
                    await self.look_for_restart()
                    if restarts != self._restarts:
                        placed = None
                        continue
                except UnavailableError as error:
                    waited = True
                    self._observer.waiting("placement", error)
                    await self._clock.sleep(RETRY_S)
                except TamperError as error:
                    await self._stop_unplaced(partition, error)
                    return None
                else:
                    return placed
            return None
        finally:
            if waited:
                self._observer.going_on("placement")

    async def _stop_unplaced(self, partition: PartitionId, error: TamperError) -> None:
        message = f"the ledger contradicts itself ({error}); the partition waits for a person"
        self._contradicted.add(partition)
        self._observer.stopped(partition, "partition_stopped", message)
        await self._alert(
            partition_alert("partition_stopped", partition, str(error), message, now_ms=self._clock.now_ms())
        )

    async def _alert(self, event: Event) -> None:
        """Send an alert once per condition and process; the id makes a repeat by another process one with it."""
        alert_id = event.id or ""
        if alert_id in self._announced:
            return
        waited = False
        try:
            while True:
                try:
                    await self._outbox.send(Notices((), (), (event,)))
                except UnavailableError as error:
                    waited = True
                    self._observer.waiting("broker", error)
                    await self._clock.sleep(RETRY_S)
                else:
                    self._announced.add(alert_id)
                    return
        finally:
            if waited:
                self._observer.going_on("broker")
