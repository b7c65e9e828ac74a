"""New epochs and first chains under races: what must be waited for, announced, or not believed."""

import asyncio

import pytest

from modeltrail.ingest.block import BlockLimits
from modeltrail.ledger.entry import GenesisReason
from tests.ingest.test_races import Running, log_of, stored_but_not_announced
from tests.ingest.world import P0, CrashError, Fault, Worker, fold, turns, unannounced


async def test_what_still_agrees_and_was_not_announced_is_announced_when_a_new_epoch_begins():
    world = await stored_but_not_announced(10)
    old = world.store.head(P0)
    world.tear(P0, 6, *[b"rewritten"] * 8)
    await Worker(world).run()
    assert world.chain(P0, 1) == fold(world, P0, epoch=1, first=6, old_head=old, reason=GenesisReason.REPLACED)
    assert [offset for offset in unannounced(world, P0) if offset < 6] == []


async def test_a_log_whose_beginning_moved_before_anything_was_stored_waits_for_the_first_block():
    world = log_of(20)
    world.faults = [Fault("insert", "before", "crash", 1)]
    with pytest.raises(CrashError):
        await Worker(world, batch=10, limits=BlockLimits(10, 1 << 20, 0.0)).run()
    world.faults = []
    first_block = fold(world, P0)[:10]
    world.expire(P0, 4)
    worker = Worker(world, memory_only=False, settle_s=36.0)
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        if seconds == 36.0:
            world.store.insert(first_block)  # it was on its way
        await asyncio.sleep(0)

    worker.ingest._intake._clock.sleep = sleep
    await worker.run()
    assert 36.0 in slept
    assert {row.chain.first_offset for row in world.ledger()} == {0}
    assert world.chain(P0) == fold(world, P0, first=0)


async def test_a_group_that_never_committed_makes_nobody_wait():
    world = log_of(20)
    world.expire(P0, 4)
    worker = Worker(world, memory_only=False, settle_s=36.0)

    async def sleep(seconds):
        assert seconds < 36.0
        await asyncio.sleep(0)

    worker.ingest._intake._clock.sleep = sleep
    await worker.run()
    assert world.chain(P0) == fold(world, P0)


async def test_an_entry_that_is_not_seen_for_a_moment_opens_no_epoch():
    world = await stored_but_not_announced(10)
    worker = Worker(world)
    store = worker.ingest._intake._store
    chained, times = store.chained, []

    async def old_answer(partition, first, last):
        times.append(first)
        return {} if len(times) == 1 else await chained(partition, first, last)

    store.chained = old_answer
    await worker.run()
    assert len(times) > 1
    assert world.chain(P0) == fold(world, P0)
    assert world.chain(P0, 1) == []
    assert world.alerts == []


async def test_offsets_that_a_gap_covers_and_that_hold_a_record_now_open_an_epoch():
    world = log_of(5)
    world.write(P0, None, b"after a marker")
    await Worker(world).run()
    record = world.records(P0)[4]
    world.records(P0)[5] = record._replace(offset=5)
    world.committed[P0] = 0
    await Worker(world).run()
    assert [row.chain.first_offset for row in world.chain(P0, 1)][:1] == [5]


async def test_pieces_that_nobody_may_store_any_more_keep_nobody_busy():
    world = log_of(10)
    async with Running(world, limits=BlockLimits(1_000, 1 << 20, 0.05)) as run:
        await run.accept(P0, 0, 6)
        run.flow.mine += 1  # a newer generation, whose share is not known yet
        await turns()
        clock = run.worker.ingest._committer._clock
        clock.now += 10_000  # they are of age
        run.ingest._committer._ready.set()
        await turns()
        asked = clock.now
        await asyncio.sleep(0.1)
        assert clock.now == asked
