"""Batches that the engine still holds from before a placement: they may come from a log that was rewritten since."""

from tests.ingest.test_races import Running, batch, log_of
from tests.ingest.world import P0, fold, turns


async def test_a_batch_that_was_fetched_before_the_partition_was_placed_again_is_not_taken():
    world = log_of(6)
    async with Running(world) as run:
        held, placement = batch(world, P0, 0, 5), run.worker.placement(P0)
        world.tear(P0, 4, *[b"rewritten"] * 4)
        await run.ingest.look_for_replaced_logs()
        await turns()
        assert run.worker.placement(P0) != placement
        await run.ingest.accept(P0, held, placement)
        for _ in range(20):
            await run.worker._deliver(P0)
            await turns(10)
    assert world.chain(P0) == fold(world, P0)


async def test_a_batch_of_a_partition_that_is_not_placed_is_not_taken():
    world = log_of(6)
    async with Running(world) as run:
        placement = run.worker.placement(P0)
        run.ingest.lanes.revoke([P0])
        await run.ingest.accept(P0, batch(world, P0, 0, 5), placement)
        await turns()
        assert run.worker.placement(P0) == 0
    assert world.ledger() == []


async def test_what_a_poll_under_way_took_past_the_reader_while_the_partition_was_placed_is_read_again():
    """No record follows that would show the hole."""
    world = log_of(6)
    async with Running(world) as run:
        old = run.worker.placement(P0)
        world.tear(P0, 4, *[b"rewritten"] * 4)
        await run.ingest.look_for_replaced_logs()
        await turns()
        assert run.worker.placement(P0) not in (0, old)
        end = world.logs[P0].end
        passed = batch(world, P0, run.worker.flow.positions[P0], end - 1)
        run.worker.flow.positions[P0] = end
        await run.ingest.accept(P0, passed, old)
        for _ in range(20):
            await run.worker._deliver(P0)
            await turns(10)
    assert world.chain(P0) == fold(world, P0)
