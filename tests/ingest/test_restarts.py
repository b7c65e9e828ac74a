"""A store that is restarted without its last blocks, at every moment at which a worker could miss it."""

import asyncio

import pytest

from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GenesisReason
from tests.ingest.test_races import Running, log_of
from tests.ingest.world import P0, P1, Worker, fold, turns
from tests.ledger.genuine import head_of


async def stored(count, *partitions):
    """A log of which all is stored, announced and acknowledged."""
    world = log_of(count)
    for partition in partitions:
        world.write(partition, *[b"more %d" % i for i in range(count)])
    await Worker(world, (P0, *partitions)).run()
    return world


def lose(world, partition, since):
    world.lose(lambda row: row.chain.of == partition and row.seq >= since)
    world.store.restarts += 1


async def delivered(run, count=30):
    for _ in range(count):
        for partition in run.worker.partitions:
            await run.worker._deliver(partition)
        await turns(10)


async def test_a_restart_between_the_placement_and_the_first_insert_leaves_no_hole():
    world = await stored(20)
    async with Running(world) as run:
        await run.worker._deliver(P0)  # placed, and what is read again is taken in
        lose(world, P0, 10)
        world.write(P0, *[b"later"] * 5)
        await delivered(run)
    assert world.chain(P0) == fold(world, P0)


async def test_a_restart_while_nothing_is_inserted_is_noticed_by_whoever_looks():
    world = await stored(20)
    async with Running(world) as run:
        await delivered(run, 3)
        lose(world, P0, 10)
        await run.ingest.look_for_restart()
        await delivered(run)
    assert world.chain(P0) == fold(world, P0)


async def test_a_restart_that_somebody_else_noticed_first_keeps_rows_out_that_no_longer_fit():
    world = await stored(10)
    async with Running(world) as run:
        await delivered(run, 3)
        world.write(P0, *[b"later"] * 5)
        store = run.worker.ingest._committer._store
        asked, gate = store.restarted, asyncio.Event()

        async def answered_late():
            answer = await asked()
            await gate.wait()
            return answer

        store.restarted = answered_late
        await run.accept(P0, 10, 14)
        await turns()  # the committer was told that there was no restart, and has not heard it yet
        store.restarted = asked
        lose(world, P0, 5)
        await run.ingest.look_for_restart()
        gate.set()
        await turns()
        seqs = [row.seq for row in world.chain(P0)]
        assert seqs == list(range(len(seqs)))
        await delivered(run)
    assert world.chain(P0) == fold(world, P0)


async def test_a_restart_that_is_noticed_while_a_partition_is_placed_reads_its_head_again():
    world = await stored(10, P1)
    world.expire(P1, 10)  # nothing is left that would be read again and compared
    async with Running(world, (P0, P1)) as run:
        await delivered(run, 3)
        gate = asyncio.Event()
        committed = run.flow.committed

        async def answered_late(partition):
            if partition == P1:
                await gate.wait()
            return await committed(partition)

        run.flow.committed = answered_late
        run.ingest.lanes.place_again(run.lane(P1), "something")
        await turns()  # the head of P1 is read
        lose(world, P1, 5)
        await run.ingest.look_for_restart()
        gate.set()
        await turns()
        world.write(P1, *[b"later"] * 5)
        await delivered(run)
    assert [row.seq for row in world.chain(P1)] == [0, 1, 2, 3, 4]
    assert [(row.seq, row.offset) for row in world.chain(P1, 1)] == [(seq, 10 + seq) for seq in range(5)]


async def without_the_first_block(world, partition, seqs, epoch=0):
    """The store lost the first block of a chain, which it had called durable, and a later one is there."""
    world.lose(lambda row: row.chain.of == partition and row.chain.epoch == epoch and row.seq < seqs)
    world.store.restarts += 1


async def test_the_first_block_that_the_store_lost_is_filled_again():
    world = await stored(20)
    before = world.chain(P0)
    await without_the_first_block(world, P0, 7)
    await Worker(world).run()
    assert world.chain(P0) == before == fold(world, P0)
    assert world.alerts == []


@pytest.mark.parametrize("begin", [1, 7, 20])
async def test_the_first_block_that_store_and_log_lost_is_an_epoch_with_an_alert(begin):
    """0 to 6 are gone from the store, and what lies before `begin` from the log: the hole cannot be filled."""
    world = await stored(20)
    last = head_of(world.chain(P0)[-1])
    await without_the_first_block(world, P0, 7)
    world.expire(P0, begin)
    world.write(P0, *[b"later"] * 5)
    await Worker(world).run()
    assert [row.seq for row in world.chain(P0)] == list(range(7, 20))
    assert world.chain(P0, 1) == fold(world, P0, reason=GenesisReason.RETENTION, old_head=last, epoch=1)
    (alert,) = world.alerts
    assert "the store lost the beginning of cluster/modeltrail.predictions/0/0-0" in alert.data.message
    assert alert.data.evidence["old_seq"] == 19


async def test_the_first_block_that_the_store_lost_is_not_filled_with_another_log():
    world = await stored(20)
    last = head_of(world.chain(P0)[-1])
    await without_the_first_block(world, P0, 7)
    world.recreate(P0, *[b"other %d" % i for i in range(25)])
    await Worker(world).run()
    assert [row.seq for row in world.chain(P0)] == list(range(7, 20))
    assert world.chain(P0, 1) == fold(world, P0, reason=GenesisReason.REPLACED, old_head=last, epoch=1)
    assert "is not the one that was chained" in world.alerts[0].data.message


async def test_what_is_left_of_a_later_epoch_says_nothing_about_the_records_before_it():
    world = await stored(20)
    world.recreate(P0, *[b"other %d" % i for i in range(15)])
    await Worker(world).run()
    before = world.chain(P0, 1)
    assert len(before) == 15
    await without_the_first_block(world, P0, 7, epoch=1)
    await Worker(world).run()
    assert world.chain(P0, 1) == before
    assert {row.chain.epoch for row in world.ledger()} == {0, 1}


async def test_typed_rows_of_what_stands_behind_a_hole_are_filled_before_the_next_epoch():
    """The store lost 13 to 18, the views failed for 22 to 24, and the log was replaced: nobody inserts them again."""
    world = await stored(25)
    world.lose(lambda row: 13 <= row.seq <= 18)
    world.store.restarts += 1
    chain = Chain(*P0, 0, 0)
    world.typed.difference_update((chain, seq) for seq in range(22, 25))
    world.recreate(P0, *[b"other %d" % i for i in range(30)])
    await Worker(world).run()
    assert {(row.chain, row.seq) for row in world.ledger()} == world.typed
    assert len(world.chain(P0, 1)) == 30
