"""The lab's parts under direct control: a log, a ledger, a group and an outbox that fail on demand.

A fault is named by the call and by when it strikes: `before` the call took effect, or `after` (it took effect, and
the caller is told that it failed). A crash ends the worker at that point; the world stays as it is.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from modeltrail.errors import BrokerUnavailableError, RowsRefusedError, StoreUnavailableError
from modeltrail.events.judge import judge
from modeltrail.ingest.block import BlockLimits
from modeltrail.ingest.service import Ingest, IngestOptions
from modeltrail.lab.ledger import Key, Ledger, SimStore
from modeltrail.lab.link import CrashError
from modeltrail.lab.log import PartitionLog, SimLog
from modeltrail.lab.outbox import SimOutbox, Topics
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.sequencer import Sequencer

__all__ = ["CrashError"]

TOPIC = "modeltrail.predictions"
P0 = PartitionId("cluster", TOPIC, 0)
P1 = PartitionId("cluster", TOPIC, 1)


async def turns(count=60):
    for _ in range(count):
        await asyncio.sleep(0)


def unannounced(world, partition):
    """Offsets of rejected rows whose reject was never sent."""
    return sorted(
        row.offset
        for row in world.ledger()
        if row.chain.of == partition
        and row.status == "rejected"
        and (str(row.chain), row.seq) not in world.topics.rejected
    )


@dataclass
class Fault:
    call: str
    when: str  # before, after
    what: str  # fail, crash
    nth: int = 1
    partition: PartitionId | None = None


class Logs(dict):
    """The logs, made when they are first named."""

    def __missing__(self, partition):
        self[partition] = PartitionLog(partition)
        return self[partition]


@dataclass
class World:
    logs: Logs = field(default_factory=Logs)
    store: Ledger = field(default_factory=lambda: Ledger(lambda: 0.0))
    topics: Topics = field(default_factory=Topics)
    leaderless: set = field(default_factory=set)
    committed: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)
    generation: int = 0
    calls: dict = field(default_factory=lambda: defaultdict(int))
    refused: set = field(default_factory=set)  # partitions whose rows the store never takes
    garbled: dict = field(default_factory=dict)  # partition -> how many of its next inserts arrive garbled

    def __post_init__(self):
        self.store.refuses = lambda row: row.chain.of in self.refused

    @property
    def rows(self):
        return {Key(row.chain, row.seq, row.entry_hash): row for row in self.store.rows()}

    @property
    def typed(self):
        return self.store.typed

    @property
    def blocks(self):
        return self.topics.blocks

    @property
    def rejects(self):
        return self.topics.rejects

    @property
    def alerts(self):
        return self.topics.alerts

    def records(self, partition):
        """What the log holds, by offset."""
        return self.logs[partition].version.records

    def write(self, partition, *values, timestamp=1000):
        log = self.logs[partition]
        for value in values:
            if value is None:  # a transaction marker, or an aborted record
                log.version.end += 1
            else:
                log.write(timestamp + log.end, b"k", (), value)

    def recreate(self, partition, *values, timestamp=500_000):
        self.logs[partition].recreate()
        self.write(partition, *values, timestamp=timestamp)

    def tear(self, partition, end, *values, timestamp=9000):
        self.logs[partition].truncate(end)
        self.write(partition, *values, timestamp=timestamp)

    def expire(self, partition, before):
        self.logs[partition].expire(before)

    def lose(self, which):
        """Lose rows of the ledger and restart it: which is seen only by whoever asks."""
        self.store.lose(which)

    async def act(self, call, effect, partition=None):
        """Run one call of the world, with the fault that is due for it."""
        await asyncio.sleep(0)
        self.calls[call] += 1
        fault = next(
            (
                f
                for f in self.faults
                if f.call == call and f.nth == self.calls[call] and f.partition in (None, partition)
            ),
            None,
        )
        if fault and fault.when == "before":
            self._strike(fault)
        result = effect()
        await asyncio.sleep(0)
        if fault and fault.when == "after":
            self._strike(fault)
        return result

    def _strike(self, fault):
        if fault.what == "crash":
            raise CrashError
        if fault.call.startswith(("insert", "head", "fill", "hashes", "chained", "uptime")):
            raise StoreUnavailableError("injected")
        raise BrokerUnavailableError("injected")

    def ledger(self):
        """All rows in order; what a reader with FINAL sees."""
        return self.store.rows()

    def chain(self, partition, epoch=0):
        return [row for row in self.ledger() if row.chain.of == partition and row.chain.epoch == epoch]


class MemoryStore(SimStore):
    def __init__(self, world):
        super().__init__(world.store, world.act)
        self.world = world

    async def insert(self, rows, appended_at):
        partitions = {row.chain.of: None for row in rows}
        for partition in partitions:
            if self.world.garbled.get(partition, 0):
                self.world.garbled[partition] -= 1
                raise RowsRefusedError(33, "cannot read all data")
        await super().insert(rows, appended_at)
        for partition in partitions:
            await self.world.act(f"insert:{partition.partition}", lambda: None)


class MemoryLog(SimLog):
    def __init__(self, world):
        super().__init__(world.logs, world.act)
        self.world = world

    async def incarnations(self, partitions):
        return await super().incarnations([p for p in partitions if p not in self.world.leaderless])


class MemoryFlow:
    def __init__(self, world):
        self.world = world
        self.positions = {}
        self.paused = set()
        self.mine = world.generation

    def generation(self):
        return self.mine

    async def committed(self, partition):
        return await self.world.act("committed", lambda: self.world.committed.get(partition), partition)

    async def commit_start(self, partition, offset):
        await self.world.act("commit", lambda: self.world.committed.update({partition: offset}), partition)

    async def read_from(self, partition, offset):
        self.positions[partition] = offset
        self.paused.discard(partition)

    def pause(self, partition):
        self.paused.add(partition)

    def resume(self, partition):
        self.paused.discard(partition)

    def durable(self, partition, next_offset, generation):
        if generation == self.mine and next_offset > self.world.committed.get(partition, 0):
            self.world.committed[partition] = next_offset


class Quiet:
    """An observer that remembers what it was told."""

    def __init__(self):
        self.seen = []

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.seen.append((name, args, kwargs))


class FastClock:
    """Waits take no time: what is tested is the order of things, never their duration."""

    def __init__(self):
        self.now = 1_700_000_000_000

    def now_ms(self):
        self.now += 1
        return self.now

    def monotonic(self):
        self.now += 1
        return self.now / 1000

    async def sleep(self, seconds):
        await asyncio.sleep(0)


class Worker:
    """A worker over the world: polls, hands over batches, and can be crashed."""

    def __init__(self, world, partitions=(P0,), *, batch=7, memory_only=True, settle_s=0.0, limits=None):
        world.generation += 1
        self.world = world
        self.partitions = partitions
        self.batch = batch
        self.flow = MemoryFlow(world)
        self.observer = Quiet()
        self.ingest = Ingest(
            store=MemoryStore(world),
            log=MemoryLog(world),
            flow=self.flow,
            outbox=SimOutbox(world.topics, world.act),
            clock=FastClock(),
            observer=self.observer,
            judge=judge,
            options=IngestOptions(
                limits=limits or BlockLimits(20, 1 << 20, 0.0), settle_s=settle_s, memory_only=memory_only
            ),
        )

    async def run(self, *, polls=200):
        """Deliver until everything is acknowledged; raises CrashError where a fault ends the process."""
        running = asyncio.create_task(self.ingest.run())
        self.ingest.assign(self.partitions, self.flow.generation())
        try:
            for _ in range(polls):
                for _ in range(20):
                    await asyncio.sleep(0)
                if running.done():
                    running.result()
                if self.finished():
                    return
                for partition in self.partitions:
                    await self._deliver(partition)
            raise AssertionError(f"not finished: {self.flow.positions} {self.world.committed}")
        finally:
            self.stopped = self.ingest.lanes.stopped
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def finished(self):
        if not self.ingest.lanes.assigned:
            return False
        lanes = {lane.partition: lane for lane in self.ingest.lanes}
        return all(
            p in self.ingest.lanes.stopped
            or (
                p in lanes
                and not lanes[p].pieces
                and lanes[p].sequencer.next_offset > self._last(p)
                and self.flow.positions.get(p, -1) > self._last(p)
                and self.world.committed.get(p, -1) > self._last(p)
            )
            for p in self.partitions
        )

    def placement(self, partition):
        return self.ingest.placements().get(partition, 0)

    def _last(self, partition):
        return self.world.logs[partition].last()

    async def _deliver(self, partition):
        position = self.flow.positions.get(partition)
        if position is None or partition in self.flow.paused:
            return
        batch = self.world.logs[partition].fetch(position, self.batch)
        if batch:
            self.flow.positions[partition] = batch[-1].offset + 1
            await self.ingest.accept(partition, batch, self.placement(partition))


def fold(world, partition, *, epoch=0, first=None, old_head=None, reason=GenesisReason.START):
    """The chain that a log folds to, made without the ingest: what every run must equal."""
    log = world.records(partition)
    begin = world.logs[partition].begin if first is None else first
    sequencer = Sequencer.begin(Chain(*partition, epoch, begin), reason, old_head)
    rows = []
    for offset in sorted(o for o in log if o >= begin):
        if offset > sequencer.next_offset:
            rows.append(sequencer.append_gap(offset - 1, 1))
        record = log[offset]
        judgement = judge(partition.topic, record.key, record.headers, record.value)
        rows.append(sequencer.append(record, record.digest(), judgement, 1))
    return rows
