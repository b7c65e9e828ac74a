"""A store that is restarted without its last blocks, at every moment at which a worker could miss it."""

import asyncio

from tests.ingest.test_races import Running, log_of
from tests.ingest.world import P0, P1, Worker, fold, turns


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
