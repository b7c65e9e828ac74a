"""Races of the commit protocol: deliveries that jump, lanes that are replaced under a commit, zombies, rebalances.

The last test plays seeded games: several workers, some of which do not notice that they lost their share, with
crashes at any call, inserts that land late, batches that get lost on the way and placements in the middle of work.
Whatever happens, the ledger equals the fold of the log, and nothing is acknowledged before it is announced.
"""

import asyncio
import random
from collections import defaultdict, deque

import pytest

from modeltrail.errors import BrokerUnavailableError, RowsRefusedError, StoreUnavailableError, TamperError
from modeltrail.events.judge import judge
from modeltrail.ingest.committer import BlockLimits
from modeltrail.ingest.service import Ingest, IngestOptions
from tests.ingest.world import (
    P0,
    P1,
    CrashError,
    FastClock,
    Fault,
    MemoryFlow,
    MemoryLog,
    MemoryOutbox,
    MemoryStore,
    Quiet,
    Worker,
    World,
    fold,
)


async def turns(count=60):
    for _ in range(count):
        await asyncio.sleep(0)


def log_of(count, partition=P0):
    world = World()
    world.write(partition, *[b"not json %d" % i for i in range(count)])
    return world


def unannounced(world, partition):
    """Offsets of rejected rows whose reject was never sent."""
    sent = {(reject.chain, reject.seq) for reject in world.rejects}
    return sorted(
        row.offset
        for row in world.ledger()
        if row.chain.of == partition and row.status == "rejected" and (str(row.chain), row.seq) not in sent
    )


def batch(world, partition, first, last):
    return [world.logs[partition][offset] for offset in range(first, last + 1)]


class Running:
    """A worker whose deliveries are made by hand."""

    def __init__(self, world, partitions=(P0,), **options):
        self.worker = Worker(world, partitions, **options)
        self.world, self.partitions = world, partitions
        self.ingest, self.flow = self.worker.ingest, self.worker.flow

    async def __aenter__(self):
        self.task = asyncio.create_task(self.ingest.run())
        self.ingest.assign(self.partitions, self.flow.generation())
        await turns()
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def accept(self, partition, first, last):
        await self.ingest.accept(partition, batch(self.world, partition, first, last), self.flow.generation())

    def lane(self, partition):
        return next(lane for lane in self.ingest.lanes if lane.partition == partition)


async def stored_but_not_announced(count):
    """A log of which all is stored and nothing announced, because the worker died in between."""
    world = log_of(count)
    world.faults = [Fault("send", "before", "crash", 1)]
    with pytest.raises(CrashError):
        await Worker(world, batch=count, limits=BlockLimits(count, 1 << 20, 0.0)).run()
    world.faults = []
    assert len(world.chain(P0)) == count
    assert world.committed[P0] == 0
    return world


async def test_a_batch_lost_on_the_way_is_announced_again_although_it_is_chained():
    world = await stored_but_not_announced(10)
    async with Running(world) as run:
        await run.accept(P0, 5, 9)  # 0 to 4 were fetched and lost
        await turns()
        assert unannounced(world, P0) == [] or world.committed[P0] <= unannounced(world, P0)[0]


async def test_a_batch_after_the_head_acknowledges_nothing_that_was_not_announced():
    world = await stored_but_not_announced(10)
    world.write(P0, *[b"later"] * 5)
    async with Running(world) as run:
        await run.accept(P0, 10, 14)  # it was in the engine's queue when the partition was placed again
        await turns()
        assert world.committed[P0] <= unannounced(world, P0)[0]


async def test_a_hole_after_the_head_is_not_a_reason_to_skip_what_is_to_be_announced_again():
    world = await stored_but_not_announced(10)
    world.write(P0, *[b"later"] * 10)
    async with Running(world) as run:
        await run.accept(P0, 15, 19)
        await turns()
        assert run.flow.positions[P0] == 0


async def test_what_is_read_again_behind_waiting_rows_does_not_hold_the_watermark_back():
    world = await stored_but_not_announced(10)
    world.write(P0, *[b"later"] * 5)
    async with Running(world) as run:
        run.ingest.lanes.get(P0).sequencer  # noqa: B018 - the lane is open
        held = asyncio.Event()
        original = run.worker.ingest._committer._store.insert

        async def slow(rows, appended_at):
            await held.wait()
            await original(rows, appended_at)

        run.worker.ingest._committer._store.insert = slow
        await run.accept(P0, 10, 12)
        await turns()  # it is in the block that is being committed
        await run.accept(P0, 13, 14)
        await run.accept(P0, 0, 9)
        await run.accept(P0, 10, 14)
        held.set()
        await turns(200)
        assert unannounced(world, P0) == []
        assert world.committed[P0] == 15


async def test_reading_a_hole_again_does_not_release_the_brake():
    world = log_of(400)

    async def away(rows, appended_at):
        raise StoreUnavailableError("away")

    async with Running(world) as run:
        run.worker.ingest._committer._store.insert = away
        for first in range(0, 28, 7):
            await run.accept(P0, first, first + 6)
        assert P0 in run.flow.paused
        await run.accept(P0, 35, 41)  # from the engine's queue; 28 to 34 got lost
        for _ in range(40):
            await run.worker._deliver(P0)
            await turns(5)
        assert len(run.lane(P0).pieces) <= 10


async def test_a_refusal_that_comes_late_does_not_pause_the_partition_of_a_newer_lane():
    world = log_of(40)
    async with Running(world) as run:
        held = asyncio.Event()
        original = run.worker.ingest._committer._store.insert

        async def refused_late(rows, appended_at):
            run.worker.ingest._committer._store.insert = original
            await held.wait()
            raise RowsRefusedError(469, "refused")

        run.worker.ingest._committer._store.insert = refused_late
        await run.accept(P0, 0, 6)
        await turns()
        old = run.lane(P0)
        run.ingest.lanes.revoke([P0])
        run.flow.mine += 1
        run.ingest.assign([P0], run.flow.generation())
        await turns()
        held.set()
        await turns()
        assert run.lane(P0) is not old
        assert P0 not in run.flow.paused or run.ingest.lanes.stopped == [P0]


class CommittingFlow(MemoryFlow):
    """`commit_start` says where a partition begins, whatever was committed before."""

    async def commit_start(self, partition, offset):
        def effect():
            self.world.committed[partition] = offset

        await self.world.act("commit", effect, partition)


def committing(world, **options):
    worker = Worker(world, **options)
    flow = CommittingFlow(world)
    worker.flow = flow
    lanes = worker.ingest.lanes
    lanes._flow = lanes._placer._flow = worker.ingest._intake._flow = worker.ingest._committer._flow = flow
    return worker


async def test_a_committed_offset_of_the_log_before_acknowledges_nothing_of_the_new_one():
    world = log_of(30)
    await committing(world).run()
    assert world.committed[P0] == 30
    world.recreate(P0, *[b"new %d" % i for i in range(10)])
    world.faults = [Fault("send", "before", "crash", world.calls["send"] + 1)]
    with pytest.raises(CrashError):
        await committing(world, batch=10).run(polls=20)
    assert len(world.chain(P0, 1)) == 10
    world.faults = []
    world.write(P0, *[b"after"] * 25)
    await committing(world).run()
    assert unannounced(world, P0) == []


async def test_whoever_was_waited_for_is_said_to_answer_again():
    world = log_of(30)
    async with Running(world, (P0, P1)) as run:
        head = run.ingest.lanes._placer._store.head

        async def away(partition):
            raise StoreUnavailableError("away")

        run.ingest.lanes._placer._store.head = away
        run.ingest.lanes.revoke([P0, P1])
        run.ingest.assign([P0, P1], run.flow.generation())
        await turns()
        run.ingest.lanes.revoke([P0, P1])  # a rebalance while nobody answers
        run.ingest.lanes._placer._store.head = head
        run.ingest.assign([P0, P1], run.flow.generation())
        await turns()
        assert run.ingest.lanes.assigned
        assert still_waiting(run.worker.observer) == set()


async def test_an_alert_that_had_to_wait_leaves_nobody_waiting():
    world = log_of(5)
    world.refused = {P0}
    world.faults = [Fault("send", "before", "fail", 1)]
    worker = Worker(world)
    await worker.run()
    await turns()
    assert [alert.data.kind for alert in world.alerts] == ["chain_refused"]
    assert still_waiting(worker.observer) == set()


async def test_an_intake_that_waited_for_a_lane_that_is_gone_leaves_nobody_waiting():
    world = await stored_but_not_announced(10)
    async with Running(world) as run:

        async def away(partition, first, last):
            raise StoreUnavailableError("away")

        run.worker.ingest._intake._store.chained = away
        accepting = asyncio.create_task(run.accept(P0, 0, 9))
        await turns()
        run.ingest.lanes.revoke([P0])
        await accepting
        assert still_waiting(run.worker.observer) == set()


def still_waiting(observer):
    waiting = set()
    for name, args, _ in observer.seen:
        if name == "waiting":
            waiting.add(args[0])
        elif name == "going_on":
            waiting.discard(args[0])
    return waiting


async def test_a_partition_whose_ledger_contradicts_itself_is_listed_as_stopped():
    world = log_of(5)
    worker = Worker(world, (P0, P1))

    async def forked(partition):
        if partition == P0:
            raise TamperError("chain", 3, "two different entries stand at this position")
        return await type(worker.ingest.lanes._placer._store).head(worker.ingest.lanes._placer._store, partition)

    worker.ingest.lanes._placer._store.head = forked
    running = asyncio.create_task(worker.ingest.run())
    worker.ingest.assign((P0, P1), worker.flow.generation())
    await turns()
    stopped = worker.ingest.lanes.stopped
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [alert.data.kind for alert in world.alerts] == ["partition_stopped"]
    assert stopped == [P0]


async def test_typed_rows_of_a_closed_epoch_are_filled_too():
    world = log_of(20)
    world.faults = [Fault("insert", "after", "crash", 1)]
    with pytest.raises(CrashError):
        await Worker(world).run()
    world.faults = []
    world.typed.clear()  # the ledger's part was written, its views failed
    world.recreate(P0, b"new")
    await Worker(world).run()
    assert {(row.chain, row.seq) for row in world.ledger()} <= world.typed


async def test_giving_up_ends_as_soon_as_nothing_is_left_to_wait_for():
    world = log_of(20)
    async with Running(world) as run:

        async def away(rows, appended_at):
            raise StoreUnavailableError("away")

        run.worker.ingest._committer._store.insert = away
        await run.accept(P0, 0, 6)
        giving_up = asyncio.create_task(run.ingest.give_up([P0], within_s=30))
        await turns()
        assert not giving_up.done()
        run.ingest.lanes.place_again(run.lane(P0), "somebody else noticed something")
        await turns(200)
        done = giving_up.done()
        giving_up.cancel()
        await asyncio.gather(giving_up, return_exceptions=True)
        assert done


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
            world.write(rng.choice((P0, P1)), *[rng.choice((b"x", b"y", None)) for _ in range(rng.randrange(1, 9))], b"z")
        elif move < 0.75 and everybody:
            rng.choice(everybody).fetch(rng.choice((P0, P1)), lost=rng.random() < 0.06)
        elif move < 0.82 and everybody:
            member = rng.choice(everybody)
            lane = member.ingest.lanes.get(rng.choice((P0, P1)))
            if lane is not None:
                member.ingest.lanes.place_again(lane, "out of range")
        elif move < 0.90 and self.members:
            rng.choice(self.members).flow.commit_all()
        elif move < 0.94 and everybody:
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


@pytest.mark.parametrize("seed", range(300))
async def test_a_game_of_workers_zombies_and_faults_ends_with_the_fold_of_the_log(seed):
    game = Game(seed)
    await game.play(60)
    for partition in (P0, P1):
        assert game.world.chain(partition) == fold(game.world, partition)
    assert {row.chain.epoch for row in game.world.ledger()} <= {0}
    assert game.problems == []
    assert [offset for p in (P0, P1) for offset in unannounced(game.world, p)] == []
