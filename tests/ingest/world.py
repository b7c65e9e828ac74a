"""A world in memory for the commit protocol: a log, a ledger, a group and an outbox that fail on demand.

A fault is named by the call and by when it strikes: `before` the call took effect, or `after` (it took effect, and
the caller is told that it failed). A crash ends the worker at that point; the world stays as it is.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from modeltrail.errors import BrokerUnavailableError, RowsRefusedError, StoreUnavailableError
from modeltrail.events.judge import judge
from modeltrail.ingest.block import BlockLimits
from modeltrail.ingest.protocols import Opening, Stored
from modeltrail.ingest.service import Ingest, IngestOptions
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entry import GenesisReason, genesis_hash
from modeltrail.ledger.placement import Bounds
from modeltrail.ledger.row import RECORD
from modeltrail.ledger.sequencer import Head, Record, Sequencer

TOPIC = "modeltrail.predictions"
P0 = PartitionId("cluster", TOPIC, 0)
P1 = PartitionId("cluster", TOPIC, 1)


class CrashError(BaseException):
    """The process is gone."""


@dataclass
class Fault:
    call: str
    when: str  # before, after
    what: str  # fail, crash
    nth: int = 1
    partition: PartitionId | None = None


@dataclass
class World:
    logs: dict = field(default_factory=lambda: defaultdict(dict))  # partition -> {offset: Record}
    begins: dict = field(default_factory=lambda: defaultdict(int))
    ends: dict = field(default_factory=lambda: defaultdict(int))
    rows: dict = field(default_factory=dict)  # (chain, seq, entry_hash) -> Row
    lives: dict = field(default_factory=lambda: defaultdict(int))  # partition -> how often it was created again
    leaderless: set = field(default_factory=set)
    inserts: int = 0
    typed: set = field(default_factory=set)  # (chain, seq)
    committed: dict = field(default_factory=dict)
    blocks: list = field(default_factory=list)
    rejects: list = field(default_factory=list)
    alerts: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    generation: int = 0
    calls: dict = field(default_factory=lambda: defaultdict(int))
    refused: set = field(default_factory=set)  # partitions whose rows the store never takes
    garbled: dict = field(default_factory=dict)  # partition -> how many of its next inserts arrive garbled
    restarts: int = 0

    def write(self, partition, *values, timestamp=1000):
        for value in values:
            offset = self.ends[partition]
            self.ends[partition] += 1
            if value is not None:  # None: a transaction marker, or an aborted record
                self.logs[partition][offset] = Record(offset, timestamp + offset, b"k", (), value)

    def recreate(self, partition, *values, timestamp=500_000):
        self.lives[partition] += 1
        self.logs[partition].clear()
        self.begins[partition] = self.ends[partition] = 0
        self.write(partition, *values, timestamp=timestamp)

    def expire(self, partition, before):
        self.begins[partition] = before
        for offset in [o for o in self.logs[partition] if o < before]:
            del self.logs[partition][offset]

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
        if fault.call.startswith(("insert", "head", "fill", "hashes", "chained")):
            raise StoreUnavailableError("injected")
        raise BrokerUnavailableError("injected")

    def ledger(self):
        """All rows in order; what a reader with FINAL sees."""
        return sorted(self.rows.values(), key=lambda row: (row.chain, row.seq))

    def chain(self, partition, epoch=0):
        return [row for row in self.ledger() if row.chain.of == partition and row.chain.epoch == epoch]

    def heads_of(self, chain):
        return sorted(row for row in self.ledger() if row.chain == chain)


class MemoryStore:
    def __init__(self, world):
        self.world = world
        self.restarts = world.restarts

    def _chains(self, partition):
        return sorted({r.chain for r in self.world.rows.values() if r.chain.of == partition}, key=lambda c: c.order)

    def _head(self, partition):
        for chain in reversed(self._chains(partition)):
            by_seq = {r.seq: r for r in self.world.rows.values() if r.chain == chain}
            seq = -1
            while seq + 1 in by_seq:
                seq += 1
            while seq >= 0 and by_seq[seq].kind != RECORD:
                seq -= 1
            if seq >= 0:
                r = by_seq[seq]
                return Head(chain, r.seq, r.offset, r.timestamp, r.log_time, r.record_hash, r.entry_hash)
        return None

    async def head(self, partition):
        return await self.world.act("head", lambda: self._head(partition), partition)

    def _chained(self, partition, first, last):
        found = {}
        for chain in self._chains(partition):
            for r in self.world.rows.values():
                if r.chain == chain and r.kind == RECORD and first <= r.offset <= last:
                    found[r.offset] = Stored(chain, r.seq, r.offset, r.timestamp, r.record_hash, r.entry_hash)
        return found

    async def chained(self, partition, first, last):
        return await self.world.act("chained", lambda: self._chained(partition, first, last), partition)

    async def chained_at_or_before(self, partition, offset, floor):
        def effect():
            for chain in reversed(self._chains(partition)):
                if chain.first_offset > offset:
                    continue
                rows = [
                    r
                    for r in self.world.rows.values()
                    if r.chain == chain and r.kind == RECORD and floor <= r.offset <= offset
                ]
                if rows:
                    r = max(rows, key=lambda r: r.offset)
                    return Stored(chain, r.seq, r.offset, r.timestamp, r.record_hash, r.entry_hash)
            return None

        return await self.world.act("chained_before", effect, partition)

    async def entry_hashes(self, chain, seq):
        return await self.world.act(
            "hashes", lambda: {r.entry_hash for r in self.world.rows.values() if (r.chain, r.seq) == (chain, seq)}
        )

    async def restarted(self):
        before, self.restarts = self.restarts, self.world.restarts
        return before != self.restarts

    async def opening(self, chain):
        first = next(r for r in self.world.rows.values() if r.chain == chain and r.seq == 0)
        for r in self.world.rows.values():
            for reason in (GenesisReason.REPLACED, GenesisReason.RETENTION):
                if genesis_hash(str(chain).encode(), r.entry_hash, reason) == first.prev_hash:
                    head = Head(r.chain, r.seq, r.offset, r.timestamp, r.log_time, r.record_hash, r.entry_hash)
                    return Opening(chain, reason, head)
        return None

    async def late_blocks(self, partition):
        return []

    async def insert(self, rows, appended_at):
        def effect():
            self.world.inserts += 1
            for row in rows:
                self.world.rows[(row.chain, row.seq, row.entry_hash)] = row
                self.world.typed.add((row.chain, row.seq))

        partitions = {row.chain.of for row in rows}
        if partitions & self.world.refused:
            raise RowsRefusedError(469, "constraint violated")
        for partition in partitions:
            if self.world.garbled.get(partition, 0):
                self.world.garbled[partition] -= 1
                raise RowsRefusedError(33, "cannot read all data")
        await self.world.act("insert", effect, next(iter(partitions)) if len(partitions) == 1 else None)
        for partition in partitions:
            await self.world.act(f"insert:{partition.partition}", lambda: None)

    async def fill(self, chain, first_seq, last_seq):
        def effect():
            self.world.typed.update((chain, seq) for seq in range(first_seq, last_seq + 1))

        await self.world.act("fill", effect)


class MemoryLog:
    def __init__(self, world):
        self.world = world

    async def bounds(self, partition, *, expected_end):
        return await self.world.act(
            "bounds", lambda: Bounds(self.world.begins[partition], self.world.ends[partition]), partition
        )

    async def read(self, partition, offset):
        return await self.world.act("read", lambda: self.world.logs[partition].get(offset), partition)

    async def existing(self, partition, first, last):
        return await self.world.act(
            "existing", lambda: {o for o in self.world.logs[partition] if first <= o <= last}, partition
        )

    async def incarnations(self, partitions):
        led = [partition for partition in partitions if partition not in self.world.leaderless]
        return await self.world.act("incarnations", lambda: {p: str(self.world.lives[p]) for p in led})


class MemoryOutbox:
    def __init__(self, world):
        self.world = world

    async def send(self, notices):
        def effect():
            self.world.blocks.extend(notices.blocks)
            self.world.rejects.extend(notices.rejects)
            self.world.alerts.extend(notices.alerts)

        await self.world.act("send", effect)


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
            outbox=MemoryOutbox(world),
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

    def _last(self, partition):
        return max(self.world.logs[partition], default=self.world.begins[partition] - 1)

    async def _deliver(self, partition):
        position = self.flow.positions.get(partition)
        if position is None or partition in self.flow.paused:
            return
        log = self.world.logs[partition]
        batch = [log[o] for o in sorted(log) if o >= position][: self.batch]
        if batch:
            self.flow.positions[partition] = batch[-1].offset + 1
            await self.ingest.accept(partition, batch, self.flow.generation())


def fold(world, partition, *, epoch=0, first=None, old_head=None, reason=GenesisReason.START):
    """The chain that a log folds to, made without the ingest: what every run must equal."""
    log = world.logs[partition]
    begin = world.begins[partition] if first is None else first
    sequencer = Sequencer.begin(Chain(*partition, epoch, begin), reason, old_head)
    rows = []
    for offset in sorted(o for o in log if o >= begin):
        if offset > sequencer.next_offset:
            rows.append(sequencer.append_gap(offset - 1, 1))
        record = log[offset]
        judgement = judge(partition.topic, record.key, record.headers, record.value)
        rows.append(sequencer.append(record, record.digest(), judgement, 1))
    return rows
