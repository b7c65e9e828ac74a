"""Rows that may still land while the log they came from is rewritten: no position gets two different entries."""

import asyncio

from modeltrail.errors import StoreUnavailableError
from modeltrail.ingest.block import BlockLimits
from modeltrail.ledger.entry import GenesisReason
from tests.ingest.test_races import Running, log_of
from tests.ingest.world import P0, fold, turns


def positions(world):
    return [(row.chain, row.seq) for row in world.ledger()]


async def delivered(run, count=40):
    for _ in range(count):
        await run.worker._deliver(P0)
        await turns(10)


async def test_an_insert_under_way_ends_before_its_partition_is_placed_in_a_rewritten_log():
    world = log_of(10)
    async with Running(world, limits=BlockLimits(7, 1 << 20, 0.0)) as run:
        store = run.worker.ingest._committer._store
        insert, gate = store.insert, asyncio.Event()

        async def slow(rows, appended_at):
            await gate.wait()
            await insert(rows, appended_at)

        store.insert = slow
        await run.accept(P0, 0, 6)
        await turns()
        world.tear(P0, 5, *[b"rewritten"] * 7)
        await run.ingest.look_for_replaced_logs()
        await delivered(run)
        gate.set()
        await delivered(run)
    assert len(positions(world)) == len(set(positions(world)))
    old = max((row for row in world.chain(P0) if row.chain.epoch == 0), key=lambda row: row.seq)
    assert old.seq == 6
    first = world.chain(P0, 1)[0]
    assert first.offset == 5
    assert [row.value for row in world.chain(P0, 1)] == [b"rewritten"] * 7


async def test_an_insert_that_failed_and_lands_late_ends_before_its_partition_is_placed_in_a_rewritten_log():
    world = log_of(10)
    async with Running(world, limits=BlockLimits(7, 1 << 20, 0.0), memory_only=False, settle_s=0.4) as run:
        store = run.worker.ingest._committer._store
        insert = store.insert
        on_its_way = []

        async def failed(rows, appended_at):
            on_its_way[:] = rows
            raise StoreUnavailableError("no answer")

        store.insert = failed
        await run.accept(P0, 0, 6)
        await turns()
        assert len(on_its_way) == 7
        world.tear(P0, 5, *[b"rewritten"] * 7)
        await run.ingest.look_for_replaced_logs()
        await delivered(run, 3)
        assert world.ledger() == []
        world.store.insert(on_its_way)
        store.insert = insert
        await delivered(run, 100)
    assert len(positions(world)) == len(set(positions(world)))
    assert [row.value for row in world.chain(P0, 1)] == [b"rewritten"] * 7


async def test_an_insert_that_ends_while_its_partition_is_placed_in_a_rewritten_log_is_seen():
    world = log_of(10)
    async with Running(world, limits=BlockLimits(7, 1 << 20, 0.0)) as run:
        store, flow = run.worker.ingest._committer._store, run.flow
        insert, committed = store.insert, flow.committed
        landing, placing = asyncio.Event(), asyncio.Event()

        async def slow(rows, appended_at):
            await landing.wait()
            await insert(rows, appended_at)

        async def answered_late(partition):
            await placing.wait()
            return await committed(partition)

        store.insert, flow.committed = slow, answered_late
        await run.accept(P0, 0, 6)
        await turns()
        world.recreate(P0, *[b"new"] * 7)
        await run.ingest.look_for_replaced_logs()
        await turns()  # there was no head when it was asked for
        landing.set()
        await turns()
        assert len(world.ledger()) == 7
        placing.set()
        await delivered(run)
    assert len(positions(world)) == len(set(positions(world)))
    assert [row.value for row in world.chain(P0, 1)] == [b"new"] * 7


async def test_an_election_alone_makes_nobody_wait():
    world = log_of(10)
    async with Running(world, memory_only=False, settle_s=1000.0) as run:
        await delivered(run)
        world.logs[P0].elections += 1
        world.write(P0, b"later")
        await run.ingest.look_for_replaced_logs()
        await delivered(run)
    assert world.chain(P0) == fold(world, P0, reason=GenesisReason.START)
