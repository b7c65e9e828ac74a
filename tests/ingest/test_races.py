"""Races of the commit protocol: deliveries that jump, lanes that are replaced under a commit, zombies, rebalances.

Each of them was met by a seeded simulation first, `modeltrail lab`.
"""

import asyncio

import pytest

from modeltrail.errors import RowsRefusedError, StoreUnavailableError, TamperError
from modeltrail.ingest.block import BlockLimits
from tests.ingest.world import P0, P1, CrashError, Fault, MemoryFlow, Worker, World, fold, turns, unannounced


def log_of(count, partition=P0):
    world = World()
    world.write(partition, *[b"not json %d" % i for i in range(count)])
    return world


def batch(world, partition, first, last):
    return [world.records(partition)[offset] for offset in range(first, last + 1)]


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
        await self.ingest.accept(partition, batch(self.world, partition, first, last), self.worker.placement(partition))

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
        for first in range(0, 70, 7):
            await run.accept(P0, first, first + 6)
        assert P0 in run.flow.paused
        await run.accept(P0, 77, 83)  # from the engine's queue; 70 to 76 got lost
        for _ in range(40):
            await run.worker._deliver(P0)
            await turns(5)
        assert len(run.lane(P0).pieces) <= 20


async def test_a_partition_that_was_paused_flows_again_when_its_pieces_are_in_a_block():
    world = log_of(70)
    async with Running(world) as run:
        held = asyncio.Event()
        original = run.worker.ingest._committer._store.insert

        async def slow(rows, appended_at):
            await held.wait()
            await original(rows, appended_at)

        run.worker.ingest._committer._store.insert = slow
        for first in range(0, 63, 7):
            await run.accept(P0, first, first + 6)
            await turns()
        assert P0 in run.flow.paused
        assert world.chain(P0) == []
        held.set()
        await turns(200)
        assert P0 not in run.flow.paused
        await run.accept(P0, 63, 69)
        await turns(100)
        assert world.chain(P0) == fold(world, P0)


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


async def test_a_store_that_lost_a_block_while_it_is_compared_opens_no_epoch():
    world = await stored_but_not_announced(10)
    whole = world.rows
    async with Running(world) as run:
        world.lose(lambda row: row.seq >= 5)
        await run.accept(P0, 0, 9)
        for _ in range(20):
            await run.worker._deliver(P0)
            await turns()
    assert [row.chain.epoch for row in world.ledger()] == [0] * 10
    assert world.rows == whole
    assert world.alerts == []


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
    world.faults = [Fault("send", "before", "crash", world.calls["send"] + 2)]  # the first says that an epoch begins
    with pytest.raises(CrashError):
        await committing(world, batch=10).run(polls=20)
    assert len(world.chain(P0, 1)) == 10
    world.faults = []
    world.write(P0, *[b"after"] * 25)
    await committing(world).run()
    assert unannounced(world, P0) == []


@pytest.mark.parametrize("size", [30, 45], ids=["as long", "longer"])
async def test_a_log_that_was_replaced_behind_the_reader_is_not_chained_to_the_old_one(size):
    world = log_of(30)
    async with Running(world) as run:
        await run.accept(P0, 0, 29)
        await turns(100)
        old = world.chain(P0)
        assert len(old) == 30
        world.recreate(P0, *[b"new %d" % i for i in range(size)])
        if size > 30:  # the reader's next fetch succeeds
            await run.accept(P0, 30, size - 1)
        else:  # and this one would bring nothing for ever
            await run.ingest.look_for_replaced_logs()
        await turns(100)
        assert run.flow.positions[P0] == 0
        await run.accept(P0, 0, size - 1)
        await turns(100)
        assert world.chain(P0) == old
        assert [row.offset for row in world.chain(P0, 1)] == list(range(size))


async def test_a_log_that_was_lost_is_announced_although_nobody_writes_to_it():
    world = log_of(30)
    await committing(world).run()
    world.recreate(P0)
    await committing(world).run()
    assert [alert.data.kind for alert in world.alerts] == ["epoch_opened"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_no_epoch_begins_before_its_alert_is_out(when):
    world = log_of(30)
    await committing(world).run()
    world.recreate(P0, b"new")
    world.faults = [Fault("send", when, "crash", world.calls["send"] + 1)]
    with pytest.raises(CrashError):
        await committing(world).run(polls=20)
    assert world.chain(P0, 1) == []
    world.faults = []
    await committing(world).run()
    assert len(world.chain(P0, 1)) == 1
    assert len({alert.id for alert in world.alerts}) == 1


async def test_offsets_that_somebody_moved_beyond_the_ledger_hide_nothing_that_is_not_announced():
    world = log_of(30)
    await committing(world).run()
    world.committed[P0] = 5_000
    async with Running(world) as run:
        assert world.committed[P0] == 29
        world.write(P0, *[b"later"] * 5)
        await run.accept(P0, 29, 34)
        await turns(100)
        assert world.committed[P0] == 35


async def test_a_partition_that_nobody_leads_holds_up_no_other():
    world = log_of(30)
    world.write(P1, *[b"x"] * 10)
    world.leaderless.add(P1)
    async with Running(world, (P0, P1)) as run:
        await run.accept(P0, 0, 19)
        await turns(100)
        assert len(world.chain(P0)) == 20
        world.leaderless = {P0}
        await run.accept(P0, 20, 29)
        await turns(100)
        assert len(world.chain(P0)) == 20  # whose record is it?
        await run.accept(P1, 0, 9)
        await turns(100)
        assert len(world.chain(P1)) == 10
        world.leaderless.clear()
        await turns(100)
        await run.accept(P0, run.flow.positions[P0], 29)
        await turns(100)
        assert len(world.chain(P0)) == 30


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
