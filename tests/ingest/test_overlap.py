"""What overlaps: a block is stored while the one before it is announced, and a batch is judged in several turns.

block 1   insert | send ........ acknowledge
block 2          | insert        send ...... acknowledge
block 3          |               insert
"""

import asyncio

import pytest

from modeltrail.errors import BrokerUnavailableError
from modeltrail.ingest import intake
from modeltrail.ingest.block import BlockLimits
from tests.ingest.test_races import Running, log_of
from tests.ingest.world import P0, Worker, fold, turns, unannounced

FIVE_ROWS = BlockLimits(5, 1 << 20, 0.0)


async def never(*_):
    await asyncio.Event().wait()


class Held:
    """Holds each message to the broker until `free` is set; `error` is raised instead, where there is one."""

    def __init__(self, run):
        self.free = asyncio.Event()
        self.error = None
        self.began = 0
        self._send = run.ingest._committer._outbox.send
        run.ingest._committer._outbox.send = self.send

    async def send(self, notices):
        self.began += 1
        await self.free.wait()
        if self.error is not None:
            raise self.error
        await self._send(notices)


async def test_one_block_is_stored_while_another_is_announced_and_a_third_waits():
    world = log_of(15)
    async with Running(world, limits=FIVE_ROWS) as run:
        held = Held(run)
        for first in (0, 5, 10):
            await run.accept(P0, first, first + 4)
            await turns()
        assert [len(world.chain(P0)), held.began] == [10, 1]
        assert world.committed[P0] == 0
        held.free.set()
        await turns(100)
        assert len(world.chain(P0)) == 15
        assert unannounced(world, P0) == []
        assert world.committed[P0] == 15
        assert not run.lane(P0).pieces


@pytest.mark.parametrize("stored", [5, 10], ids=["before the second insert", "after the second insert"])
async def test_a_worker_that_dies_while_a_block_is_announced_leaves_what_the_next_one_completes(stored):
    world = log_of(15)
    async with Running(world, limits=FIVE_ROWS) as run:
        Held(run)
        await run.accept(P0, 0, 4)
        await turns()
        if stored == 5:
            run.ingest._committer._store.insert = never
        await run.accept(P0, 5, 9)
        await turns()
        assert len(world.chain(P0)) == stored
    assert unannounced(world, P0) == list(range(stored))
    await Worker(world, limits=FIVE_ROWS).run()
    assert world.chain(P0) == fold(world, P0)
    assert unannounced(world, P0) == []


async def test_blocks_are_announced_in_their_order_although_the_broker_was_away():
    world = log_of(10)
    async with Running(world, limits=FIVE_ROWS) as run:
        held = Held(run)
        await run.accept(P0, 0, 4)
        await turns()
        await run.accept(P0, 5, 9)
        held.error = BrokerUnavailableError("away")
        held.free.set()
        await turns(50)
        assert held.began > 2
        assert world.committed[P0] == 0
        held.error = None
        await turns(50)
    assert [block.first_seq for block in world.blocks] == [0, 5]
    assert world.committed[P0] == 10


@pytest.mark.parametrize("meanwhile", ["nothing waits", "the store is silent"])
async def test_an_announcement_that_no_waiting_can_mend_ends_the_worker(meanwhile):
    world = log_of(10)
    async with Running(world, limits=FIVE_ROWS) as run:
        held = Held(run)
        held.error = RuntimeError("a fault of the program")
        await run.accept(P0, 0, 4)
        await turns()
        if meanwhile == "the store is silent":
            run.ingest._committer._store.insert = never
            await run.accept(P0, 5, 9)
            await turns()
        held.free.set()
        await turns(50)
        assert run.task.done()
        with pytest.raises(RuntimeError, match="a fault of the program"):
            run.task.result()
        assert world.committed[P0] == 0


async def test_what_is_handed_over_while_a_block_is_announced_is_drained_too():
    world = log_of(8)
    async with Running(world, limits=BlockLimits(5, 1 << 20, 1e9)) as run:
        held = Held(run)
        await run.accept(P0, 0, 4)
        await turns()
        await run.accept(P0, 5, 7)
        giving_up = asyncio.create_task(run.ingest.give_up([P0], within_s=60))
        await turns()
        assert not giving_up.done()
        held.free.set()
        await giving_up
        assert [len(world.chain(P0)), world.committed[P0]] == [8, 8]
        assert unannounced(world, P0) == []


@pytest.mark.parametrize("ends", ["revoked", "placed again"])
async def test_a_batch_that_is_being_judged_when_its_partition_goes_leaves_nothing(monkeypatch, ends):
    monkeypatch.setattr(intake, "JUDGED_IN_A_TURN", 1)
    world = log_of(10)
    async with Running(world, limits=FIVE_ROWS) as run:
        lane = run.lane(P0)
        accepting = asyncio.create_task(run.accept(P0, 0, 9))
        await turns(3)
        assert not accepting.done()
        if ends == "revoked":
            run.ingest.lanes.revoke([P0])
        else:
            run.ingest.lanes.place_again(lane, "somebody says so")
        await accepting
        await turns()
        assert not lane.pieces
        assert lane.sequencer.next_offset == 0
        assert world.chain(P0) == []
