"""A worker as a process: the ingest itself, and around it what the stream engine does for it.

The engine's part follows `streaming.transport` and `streaming.gate`: a poll asks for partitions and placements as they
are when it begins, and returns what stands at the reader's positions when it ends; batches wait in a queue between
fetch and intake, partitions are given up with a bounded drain and a commit, offsets are committed by a timer, a reader
outside the log has its partition placed again.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modeltrail.errors import UnavailableError
from modeltrail.ingest.block import BlockLimits
from modeltrail.ingest.protocols import Flow
from modeltrail.ingest.service import Ingest, IngestOptions
from modeltrail.lab.ledger import SimStore
from modeltrail.lab.link import CrashError, Link
from modeltrail.lab.log import SimLog, version_of
from modeltrail.lab.loop import Process
from modeltrail.lab.outbox import SimOutbox
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.placement import Bounds
from modeltrail.ledger.row import Row
from modeltrail.ledger.sequencer import Head, Record

if TYPE_CHECKING:
    from modeltrail.lab.group import Share
    from modeltrail.lab.world import World

__all__ = ["CLIENT_S", "INSERT_S", "SETTLE_S", "Worker"]

INSERT_S = 4.0
"""How long the store may take for one insert."""
CLIENT_S = 1.0
"""How much longer a worker waits for its answer."""
SETTLE_S = 8.0
"""Insert, client and session timeout together."""
DRAIN_S = 1.5
COMMIT_S = 1.0
LATE_BLOCKS_S = 6.0
LOGS_S = 3.0
STUCK_S = 15.0
QUEUE = 6
_AT_ONCE = 0.5
"""How many polls find records that lie ready; the others are under way until the next turn of the engine."""


class _Clock:
    """`ingest.protocols.Clock` in virtual time, whose wall clock jumps with the world's."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def now_ms(self) -> int:
        return self._world.now_ms()

    def monotonic(self) -> float:
        return self._world.loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Observer:
    """`ingest.protocols.Observer`: what a worker waits for, and what it says in a trace."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self.waits: set[str] = set()

    def chained(self, partition: PartitionId, rows: Sequence[Row]) -> None:
        pass

    def inserted(self, rows: int, size: int, seconds: float) -> None:
        pass

    def waiting(self, dependency: str, error: Exception) -> None:
        self.waits.add(dependency)
        self._worker.tell(f"waits for {dependency}: {error}")

    def going_on(self, dependency: str) -> None:
        self.waits.discard(dependency)

    def placed(self, partition: PartitionId, chain: Chain, next_seq: int, start: int, *, opened: bool) -> None:
        opens = " opens" if opened else ""
        self._worker.tell(
            f"places {partition.partition}:{opens} {_short(chain)}, next seq {next_seq}, reads from {start}"
        )

    def stopped(self, partition: PartitionId, kind: str, message: str) -> None:
        self._worker.tell(f"stops {partition.partition} ({kind}): {message}")
        self._worker.world.stopped(partition, kind, message)

    def reread(self, partition: PartitionId, offset: int, why: str) -> None:
        self._worker.tell(f"reads {partition.partition} again at {offset}: {why}")


class _Store(SimStore):
    """A store that is watched: nobody may insert again before having read back."""

    def __init__(self, worker: "Worker", link: Link) -> None:
        world = worker.world
        super().__init__(world.ledger, world.store_calls(link), insert=lambda rows: world.watch.insert(worker, rows))
        self._worker = worker
        self._doubt: set[Chain] = set()
        self._read_at: dict[PartitionId, float] = {}

    async def head(self, partition: PartitionId) -> Head | None:
        found = await super().head(partition)
        self._read_at[partition] = self._worker.world.loop.time()
        if self._doubt:
            self._doubt = {chain for chain in self._doubt if chain.of != partition}
        return found

    async def entry_hashes(self, chain: Chain, seq: int) -> Sequence[bytes]:
        found = await super().entry_hashes(chain, seq)
        self._doubt.discard(chain)
        return found

    async def insert(self, rows: Sequence[Row], appended_at: int) -> None:
        rows = list(rows)
        chains = dict.fromkeys(row.chain for row in rows)
        for chain in chains:
            if chain in self._doubt:
                self._worker.world.problem(f"{_short(chain)}: {self._worker.name} inserts again and did not read back")
        if self._worker.world.trace is not None:
            spans = [(chain, [row for row in rows if row.chain == chain]) for chain in chains]
            what = ", ".join(f"{_short(chain)} seq {own[0].seq} to {own[-1].seq}" for chain, own in spans)
            self._worker.tell(f"inserts {what}")
        began = self._worker.world.loop.time()
        try:
            await super().insert(rows, appended_at)
        except UnavailableError:
            self._doubt.update(chain for chain in chains if self._read_at.get(chain.of, -1.0) < began)
            raise


class _Log(SimLog):
    """A log that remembers which version a worker was told about."""

    def __init__(self, worker: "Worker") -> None:
        super().__init__(worker.world.logs, worker.to_broker.call)
        self._worker = worker

    async def bounds(self, partition: PartitionId, *, expected_end: int) -> Bounds:  # noqa: ARG002 - always certain
        worker, log = self._worker, self._logs[partition]

        def effect() -> tuple[Bounds, int]:
            return log.bounds(), log.version.number

        bounds, worker.told_version[partition] = await self._call("bounds", effect, partition)
        return bounds


class Worker(Flow):
    """One process. `ingest_type` may be one with a deliberate mistake."""

    def __init__(self, world: "World", name: str, ingest_type: type[Ingest]) -> None:
        self.world = world
        self.name = name
        self.process = Process(name)
        self.to_store = Link(world.store, self.process)
        self.to_broker = Link(world.broker, self.process)
        self.observer = _Observer(self)
        self.ingest: Ingest | None = None
        self.flowing = False
        self.joining = False
        self.shares: tuple[PartitionId, ...] = ()
        self.told_version: dict[PartitionId, int] = {}
        self.placed_version: dict[PartitionId, int] = {}
        self.positions: dict[PartitionId, int] = {}
        self.paused: set[PartitionId] = set()
        self._ingest_type = ingest_type
        self._generation = 0
        self._watermarks: dict[PartitionId, int] = {}
        self._acknowledged: dict[PartitionId, int | None] = {}
        self._queue: deque[tuple[PartitionId, list[Record], int, int]] = deque()
        self._poll: dict[PartitionId, int] = {}
        self._lossy: set[PartitionId] = set()
        self._arrived: asyncio.Event
        self._committing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._progress_at = world.loop.time()
        self._comparing: asyncio.Task[None] | None = None
        self._commit_at = self._late_at = self._logs_at = 0.0
        self._sequence = 0.0

    @property
    def places(self) -> bool:
        """Whether a placement is under way."""
        return self.ingest is not None and not self.ingest.lanes.assigned

    def tell(self, text: str) -> None:
        """Write a line of the trace."""
        if self.world.trace is not None:
            self.world.tell(self.name, text)

    def start(self) -> None:
        """Begin to live."""
        self.world.loop.spawn(self.process, self._main(), name=self.name)

    # The process

    async def _main(self) -> None:
        world = self.world
        self._arrived = asyncio.Event()
        options = world.options
        self.ingest = self._ingest_type(
            store=_Store(self, self.to_store),
            log=_Log(self),
            flow=self,
            outbox=SimOutbox(world.topics, self.to_broker.call, rng=world.rng, torn=world.faults.torn_sends),
            clock=_Clock(world),
            observer=self.observer,
            judge=world.judge,
            options=IngestOptions(
                limits=BlockLimits(options.block_rows, 1 << 20, options.block_age_s),
                queue_limit=options.queue_limit,
                settle_s=SETTLE_S,
            ),
        )
        agents = [
            asyncio.create_task(self.ingest.run(), name="ingest"),
            asyncio.create_task(self._agent(), name="agent"),
        ]
        self.joining = True
        agents.append(asyncio.create_task(self._join(), name="join"))
        self._tick()
        try:
            await asyncio.gather(*agents[:2])
        except CrashError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever ends a worker is a finding
            world.problem(f"{self.name} ended: {type(error).__name__}: {error}")

    async def _agent(self) -> None:
        assert self.ingest is not None  # noqa: S101 - set before this begins
        while True:
            while self._queue:
                partition, records, generation, placement = self._queue.popleft()
                if generation == self._generation:  # the engine skips what an older generation fetched
                    await self.ingest.accept(partition, records, placement)
            self._look_for_passed_records(self.ingest)
            self._arrived.clear()
            await self._arrived.wait()

    def _tick(self) -> None:
        """One turn of the engine: heartbeat, fetch, and the timers."""
        world, rnd = self.world, self.world.rng.random
        now = world.loop.time()
        if self.process.dying:
            return
        world.loop.call_later(0.1 + 0.7 * rnd(), self._tick)
        if self.to_broker.cut or world.broker.down:
            return
        if not self.joining and not world.group.heartbeat(self):
            self.joining = True
            task = asyncio.create_task(self._rejoin(), name="rejoin")
            task.add_done_callback(self._ended)
            return
        if self.joining:
            world.group.heartbeat(self)
        if not self.flowing:
            self._poll = {}  # what it would return now is dropped, and read again from where it is placed
        if self.flowing:
            self._end_poll()
            if rnd() < _AT_ONCE:
                self._begin_poll()
                self._end_poll()
            self._begin_poll()
            if now >= self._commit_at and (self._committing is None or self._committing.done()):
                self._commit_at = now + COMMIT_S
                if self._behind():
                    self._committing = asyncio.create_task(self._commit(), name="commit offsets")
            if now >= self._late_at and (self._looking is None or self._looking.done()):
                self._late_at = now + LATE_BLOCKS_S
                self._looking = asyncio.create_task(self._look_for_late_blocks(), name="late blocks")
            if now - self._progress_at > STUCK_S and self._stuck():
                self.tell("made no progress and ends, to be started again")
                world.loop.after(0.0, world.end, self)
                world.loop.after(1.0, world.replace, self)
                self._progress_at = now
            if now >= self._logs_at and (self._comparing is None or self._comparing.done()):
                self._logs_at = now + LOGS_S
                self._comparing = asyncio.create_task(self._look_for_replaced_logs(), name="replaced logs")

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and isinstance(task.exception(), Exception):
            self.world.problem(f"{self.name} ended: {task.exception()!r}")

    def _begin_poll(self) -> None:
        """Fix what is asked for: the partitions that flow now, each with the number of its placement."""
        flowing = [name for name in self.shares if name not in self.paused]
        placements = self.ingest.placements() if flowing and self.ingest else {}
        self._poll = {name: placements.get(name, 0) for name in flowing}

    def _end_poll(self) -> None:
        """Take what the poll under way returns, also of partitions that were paused or placed again since it began.

        It comes from where the reader stands by now.
        """
        poll, self._poll = self._poll, {}
        for partition, placement in poll.items():
            self._fetch(partition, placement)

    def _fetch(self, partition: PartitionId, placement: int) -> None:
        position = self.positions.get(partition)
        if position is None or len(self._queue) >= QUEUE:
            return
        world, log, faults = self.world, self.world.logs[partition], self.world.faults
        if position < log.begin or position > log.end:
            self.tell(f"stands outside log {partition.partition} with {position}")
            lane = self.ingest.lanes.get(partition) if self.ingest else None
            if lane is not None and self.ingest is not None:
                self.ingest.lanes.place_again(lane, "the reader stands outside the log")
            return
        rnd = world.rng.random
        records = log.fetch(position, 1 + int(rnd() * world.options.batch))
        if not records:
            return
        self.positions[partition] = records[-1].offset + 1
        if faults.lost_batches and rnd() < faults.lost_batches:
            self._lossy.add(partition)
            if rnd() < 0.5 or len(records) == 1:
                self.tell(f"loses a batch of {partition.partition} on the way")
                return
            del records[int(rnd() * (len(records) - 1))]
        batch = (partition, records, self._generation, placement)
        self._queue.append(batch)
        if faults.lost_batches and rnd() < faults.lost_batches:
            self._queue.append(batch)
        self._arrived.set()

    def _look_for_passed_records(self, ingest: Ingest) -> None:
        """Nothing waits to be taken in: a reader that stands beyond what was taken has passed records for good."""
        placing = ingest.lanes.placing
        for lane in ingest.lanes:
            partition = lane.partition
            if partition in placing or partition in self._lossy or not ingest.lanes.holds(lane):
                continue
            if self.positions.get(partition, 0) > lane.cursor:
                self.world.problem(
                    f"{self.name} reads {partition} from {self.positions[partition]}, and took in what lies before"
                    f" {lane.cursor}: nobody reads what lies between"
                )

    # The group

    async def _join(self) -> None:
        world = self.world
        while True:
            if self.to_broker.cut or world.broker.down:
                await asyncio.sleep(0.5)
                continue
            answer = world.group.join(self)
            try:
                async with asyncio.timeout(10.0):
                    share: Share = await answer
            except TimeoutError:
                continue
            break
        self._generation = share.generation
        self.shares = share.partitions
        self.paused = set(share.partitions)
        self.joining = False
        self.flowing = True
        self._progress_at = world.loop.time()
        if self.ingest is not None:
            self.ingest.assign(share.partitions, share.generation)

    async def _rejoin(self) -> None:
        self.flowing = False
        if self.ingest is not None:
            await self.ingest.give_up(self.shares, within_s=DRAIN_S)
        await self._commit()
        self._queue.clear()
        self._lossy.clear()
        self._watermarks.clear()
        self._acknowledged.clear()
        self.positions.clear()
        self.shares = ()
        await self._join()

    async def leave(self) -> None:
        """Stop in good order."""
        self.flowing = False
        if self.ingest is not None:
            await self.ingest.give_up(self.shares, within_s=DRAIN_S)
        await self._commit()
        self.world.group.leave(self)
        self.world.loop.after(0.0, self.world.end, self)

    def _behind(self) -> bool:
        return any(offset > (self._acknowledged.get(name) or -1) for name, offset in self._watermarks.items())

    async def _commit(self) -> None:
        for partition in list(self._watermarks):
            offset = self._watermarks.get(partition, -1)
            if offset > (self._acknowledged.get(partition) or -1):
                try:
                    await self._commit_one(partition, offset)
                except UnavailableError:
                    return
                if self._watermarks.get(partition, -1) >= offset:
                    self._acknowledged[partition] = offset

    async def _commit_one(self, partition: PartitionId, offset: int) -> None:
        generation, world = self._generation, self.world
        self._sequence += 1
        sequence = self._sequence
        latest = world.commit_order

        def effect() -> None:
            key = (self.name, partition)
            if latest.get(key, 0.0) > sequence:
                return  # requests of one connection are served in order
            latest[key] = sequence
            world.group.commit(self, generation, partition, offset)

        await self.to_broker.call("commit", effect, partition)

    def _stuck(self) -> bool:
        """Whether records wait to be read, while nobody is waited for and nothing moves."""
        if self.ingest is None or self.observer.waits or not self.ingest.lanes.assigned or self.ingest.lanes.stopped:
            return False
        return any(self.world.logs[partition].existing(offset, 1_000) for partition, offset in self._watermarks.items())

    async def _look_for_late_blocks(self) -> None:
        try:
            if self.ingest is not None:
                await self.ingest.lanes.look_for_late_blocks()
        except UnavailableError:
            return

    async def _look_for_replaced_logs(self) -> None:
        try:
            if self.ingest is not None:
                await self.ingest.look_for_replaced_logs()
                await self.ingest.look_for_restart()
        except UnavailableError:
            return

    # Flow

    def generation(self) -> int:
        """See `Flow.generation`."""
        return self._generation

    async def committed(self, partition: PartitionId) -> int | None:
        """See `Flow.committed`."""
        committed = self.world.group.committed
        found: int | None = await self.to_broker.call("committed", lambda: committed.get(partition), partition)
        return found

    async def commit_start(self, partition: PartitionId, offset: int) -> None:
        """See `Flow.commit_start`."""
        self.placed_version[partition] = self.told_version[partition]
        self._watermarks[partition] = offset  # first: the timer must not commit the old one behind this
        await self._commit_one(partition, offset)
        self._acknowledged[partition] = offset or None

    async def read_from(self, partition: PartitionId, offset: int) -> None:
        """See `Flow.read_from`."""
        self._watermarks[partition] = min(offset, self._watermarks.get(partition, offset))
        # From here on the timer commits for this lane: what it says is about the log that the lane was placed in.
        placed = [lane.log for lane in self.ingest.lanes if lane.partition == partition] if self.ingest else []
        self.placed_version[partition] = version_of(placed[0]) if placed else -1
        await asyncio.sleep(self.world.rng.random() * 0.02)
        if partition not in self.shares:
            return
        self.positions[partition] = offset
        self.paused.discard(partition)

    def pause(self, partition: PartitionId) -> None:
        """See `Flow.pause`."""
        self.paused.add(partition)

    def resume(self, partition: PartitionId) -> None:
        """See `Flow.resume`."""
        self.paused.discard(partition)

    def durable(self, partition: PartitionId, next_offset: int, generation: int) -> None:
        """See `Flow.durable`."""
        if self.process.dying:
            return
        if generation == self._generation and next_offset > self._watermarks.get(partition, 0):
            self._watermarks[partition] = next_offset
            self._progress_at = self.world.loop.time()


def _short(chain: Chain) -> str:
    return f"{chain.partition}/{chain.epoch}-{chain.first_offset}"
