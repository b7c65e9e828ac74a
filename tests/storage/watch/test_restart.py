"""A ledger that knows nothing yet goes on behind the last checks as one that has computed them all."""

from modeltrail.watch.protocols import Frontier
from modeltrail.watch.resume import Unit
from tests.storage.watch.test_compute import WINDOWS, World, ledgers, run

__all__ = ["ledgers"]


def lasting(check):
    return check.model_copy(update={"duration_ms": None})


async def test_the_last_check_of_each_unit_is_enough_to_go_on(own, ledgers):
    """Look-back, late predictions that were counted before, and what is carried, come from the ledger."""
    world = World(own, performance=[{"metric": "accuracy", "max_drop": 0.9, "label_delay_s": 3600}])
    closings = world.closings()
    live = await run(ledgers(own.database), closings, world.publish)
    for known in range(2, len(closings)):
        successor = ledgers(own.database)
        within = {world.checks.chain: Frontier(known - 1, 10**9)}
        last = {Unit.of(check): check for check in await successor.last_checks(within)}
        assert {check.check_id for check in last.values()} == {
            {Unit.of(closing): closing.check_id for closing in closings[:known]}[unit] for unit in last
        }
        carries = await successor.published([check.check_id for check in last.values()])
        following = {unit: carries[check.check_id] for unit, check in last.items()}
        for closing, before in zip(closings[known:], live[known:], strict=True):
            found = await successor.compute(closing, following.get(Unit.of(closing)))
            assert lasting(found.check) == lasting(before.check)
            assert [each.data for each in found.events[:-1]] == [each.data for each in before.events[:-1]]
            following[Unit.of(closing)] = found.carry
    assert max(len(each.check.look_back) for each in live) == WINDOWS - 1
    assert any(closing.supersedes for closing in closings)
