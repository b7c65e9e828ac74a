"""A seeded game over the world in memory: workers, zombies, rebalances, and faults at any call.

A member has what the engine puts between fetch and intake: a queue, a position, a watermark. The group fences, as
Kafka does: offsets of a member that lost its share are not taken. Every commit of an offset is checked when it is
made: what lies before it must have been announced.
"""

import asyncio
import random
from collections import defaultdict, deque

from modeltrail.errors import BrokerUnavailableError, StoreUnavailableError
from modeltrail.events.judge import judge
from modeltrail.ingest.committer import BlockLimits
from modeltrail.ingest.service import Ingest, IngestOptions
from tests.ingest.world import (
    P0,
    P1,
    CrashError,
    FastClock,
    MemoryFlow,
    MemoryLog,
    MemoryOutbox,
    MemoryStore,
    Quiet,
    World,
)


async def turns(count=60):
    for _ in range(count):
        await asyncio.sleep(0)


def unannounced(world, partition):
    """Offsets of rejected rows whose reject was never sent."""
    sent = {(reject.chain, reject.seq) for reject in world.rejects}
    return sorted(
        row.offset
        for row in world.ledger()
        if row.chain.of == partition and row.status == "rejected" and (str(row.chain), row.seq) not in sent
    )


class Seat:
    """The world as one worker sees it: calls take a while, fail, take effect late, or are the worker's last."""

    def __init__(self, world, rng, odds):
        self._world, self._rng, self._odds = world, rng, odds
        self.dead = False
        self.late = []

    def __getattr__(self, name):
        return getattr(self._world, name)

    async def act(self, call, effect, partition=None):
        self.alive()
        await self._pause()
        dice = self._rng.random()
        if dice < self._odds["fail"]:
            raise self._failure(call)
        if call == "insert" and dice < self._odds["fail"] + self._odds["late"]:
            self.late.append(asyncio.create_task(self._later(effect)))
            raise self._failure(call)
        result = effect()
        await self._pause()
        if self._rng.random() < self._odds["fail"]:
            raise self._failure(call)
        return result

    def alive(self):
        if self.dead:
            raise CrashError

    async def _pause(self):
        for _ in range(self._rng.choice((0, 1, 1, 3, 12))):
            await asyncio.sleep(0)
            self.alive()

    async def _later(self, effect):
        for _ in range(self._rng.randrange(400)):
            await asyncio.sleep(0)
        effect()

    def _failure(self, call):
        if call.startswith(("insert", "head", "fill", "hashes", "chained")):
            return StoreUnavailableError("injected")
        return BrokerUnavailableError("injected")


class GroupFlow(MemoryFlow):
    """A member of a group that fences: offsets of members that lost their share are not taken."""

    def __init__(self, seat, game):
        super().__init__(seat)
        self.game = game
        self.watermarks = {}

    async def commit_start(self, partition, offset):
        def effect():
            if self.game.generation != self.mine:
                raise BrokerUnavailableError("not a member of this generation")
            self.game.commit(partition, offset)

        await self.world.act("commit", effect, partition)

    async def read_from(self, partition, offset):
        await self.world._pause()
        self.watermarks.setdefault(partition, offset)
        await super().read_from(partition, offset)

    def durable(self, partition, next_offset, generation):
        self.world.alive()
        if generation == self.mine and next_offset > self.watermarks.get(partition, 0):
            self.watermarks[partition] = next_offset

    def commit_all(self):
        if self.mine == self.game.generation:
            for partition, offset in self.watermarks.items():
                if offset > (self.game.world.committed.get(partition) or -1):
                    self.game.commit(partition, offset)


class Member:
    """A worker with the engine's queue between its fetches and its intake."""

    def __init__(self, game):
        self.game = game
        self.seat = Seat(game.world, game.rng, game.odds)
        self.flow = GroupFlow(self.seat, game)
        self.queue = deque()
        self.partitions = set()
        self.ingest = Ingest(
            store=MemoryStore(self.seat),
            log=MemoryLog(self.seat),
            flow=self.flow,
            outbox=MemoryOutbox(self.seat),
            clock=FastClock(),
            observer=Quiet(),
            judge=judge,
            options=IngestOptions(limits=BlockLimits(20, 1 << 20, 0.0), settle_s=0.0, memory_only=True),
        )
        self.tasks = [asyncio.create_task(self.ingest.run()), asyncio.create_task(self._agent())]

    async def _agent(self):
        while True:
            self.seat.alive()
            if self.queue:
                partition, records, generation = self.queue.popleft()
                if generation == self.flow.mine:
                    await self.ingest.accept(partition, records, self.flow.generation())
            await asyncio.sleep(0)

    def fetch(self, partition, *, lost=False):
        position = self.flow.positions.get(partition)
        if position is None or partition in self.flow.paused or len(self.queue) > 6:
            return
        log = self.game.world.logs[partition]
        records = [log[o] for o in sorted(log) if o >= position][: self.game.rng.randrange(1, 8)]
        if records:
            self.flow.positions[partition] = records[-1].offset + 1
            if not lost:
                self.queue.append((partition, records, self.flow.mine))

    async def lose(self, within_s):
        await self.ingest.give_up(self.partitions, within_s=within_s)
        self.flow.commit_all()
        self.queue.clear()
        self.flow.watermarks.clear()
        self.flow.positions.clear()

    def get(self, partitions, generation):
        self.flow.mine = generation
        self.partitions = set(partitions)
        self.flow.paused.update(partitions)
        self.ingest.assign(partitions, generation)

    async def end(self):
        self.seat.dead = True
        for task in self.tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self.tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self.ingest.lanes.close()
        await asyncio.gather(*self.seat.late)


class Game:
    """Some workers over one world, driven by a seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.odds = self.rng.choice(
            [{"fail": 0.0, "late": 0.0}, {"fail": 0.03, "late": 0.05}, {"fail": 0.15, "late": 0.2}]
        )
        self.world = World()
        self.generation = 0
        self.members = []
        self.zombies = []
        self.problems = []

    def commit(self, partition, offset):
        missing = [missed for missed in self._not_announced(partition) if missed < offset]
        if missing:
            self.problems.append(f"{partition}: {offset} was acknowledged, {missing} are not announced")
        self.world.committed[partition] = offset

    def _not_announced(self, partition):
        sent = {reject.seq for reject in self.world.rejects if reject.chain.startswith(partition.prefix)}
        rows = {row.offset: row.seq for row in self.world.rows.values() if row.chain.of == partition}
        return [offset for offset in sorted(self.world.logs[partition]) if rows.get(offset) not in sent]

    async def rebalance(self):
        """Everybody loses everything, but whoever does not notice; then the members get their shares."""
        self.generation += 1
        unaware = [m for m in self.members if len(self.members) > 1 and self.rng.random() < 0.15]
        for member in unaware:
            self.members.remove(member)
            self.zombies.append(member)
        for member in self.members:
            await member.lose(self.rng.choice((0, 0, 0.002)))
        shares = defaultdict(set)
        if self.members:
            for partition in (P0, P1):
                shares[self.rng.choice(self.members)].add(partition)
        for member in self.members:
            member.get(shares[member], self.generation)

    async def step(self):
        world, rng = self.world, self.rng
        move = rng.random()
        everybody = self.members + self.zombies
        if move < 0.15:
            world.write(
                rng.choice((P0, P1)), *[rng.choice((b"x", b"y", None)) for _ in range(rng.randrange(1, 9))], b"z"
            )
        elif move < 0.75 and everybody:
            rng.choice(everybody).fetch(rng.choice((P0, P1)), lost=rng.random() < 0.06)
        elif move < 0.82 and everybody:
            member = rng.choice(everybody)
            lane = member.ingest.lanes.get(rng.choice((P0, P1)))
            if lane is not None:
                member.ingest.lanes.place_again(lane, "out of range")
        elif move < 0.90 and self.members:
            rng.choice(self.members).flow.commit_all()
        elif move < 0.93 and everybody:
            member = rng.choice(everybody)
            (self.members if member in self.members else self.zombies).remove(member)
            await member.end()
            await self.rebalance()
        elif move < 0.97 and len(self.members) < 3:
            self.members.append(Member(self))
            await self.rebalance()
        await turns(rng.randrange(12))

    async def play(self, steps):
        self.members.append(Member(self))
        await self.rebalance()
        for _ in range(steps):
            await self.step()
            for member in self.members + self.zombies:
                for task in member.tasks:
                    if task.done():
                        task.result()
        self.odds.update(fail=0.0, late=0.0)
        for member in self.members + self.zombies:
            await member.end()
        self.members, self.zombies = [Member(self)], []
        await self.rebalance()
        last = self.members[0]
        for _ in range(600):
            await turns(8)
            for partition in (P0, P1):
                last.fetch(partition)
            last.flow.commit_all()
            if last.ingest.lanes.assigned and all(
                self.world.committed.get(p, 0) > max(self.world.logs[p], default=-1) for p in (P0, P1)
            ):
                break
        else:
            self.problems.append(f"never finished: {self.world.committed} of {dict(self.world.ends)}")
        await last.end()
