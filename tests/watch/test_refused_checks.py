"""Checks that a later contract refuses: whoever begins then finds them not there, and says again what they said."""

import pytest

from modeltrail.events.checks import CheckCompleted
from modeltrail.lab.drift.computing import differences
from tests.watch.test_service import DAYS, checks, small_log
from tests.watch.worlds import FailingLedger, OddWorld

PERFORMANCE = [{"metric": "auc", "max_drop": 0.1, "label_delay_s": 3600}]


class LaterContract(FailingLedger):
    """From second 8 on refuses the checks of a kind that were chained before."""

    async def published(self, check_ids):
        found = await super().published(check_ids)
        refused = self._world.refused
        return {check_id: carry for check_id, carry in found.items() if check_id not in refused}


class World(OddWorld):
    ledger = LaterContract

    def __init__(self, log, kinds):
        super().__init__(log)
        self.refused, self._kinds = set(), kinds
        self.loop.after(8.0, self._refuse)
        self.loop.after(9.0, self._share_out)

    def _refuse(self):
        told = [event.data for event in self.published if isinstance(event.data, CheckCompleted)]
        self.refused = {check.check_id for check in told if check.kind in self._kinds}


@pytest.mark.parametrize("kinds", [{"drift"}, {"performance"}, {"drift", "performance"}])
def test_what_is_refused_is_computed_anew_and_raises_nothing_twice(kinds):
    """One line of checks is refused and the other is not: nothing may start from a check that is not there."""
    log = small_log(models=("m", "n"), performance=PERFORMANCE)
    world = World(log, kinds)
    published = world.run()
    assert world.refused
    assert world.beginnings == 2
    assert world.problems == []
    assert differences(published, OddWorld(log).run()) == []
    again = [event for event in world.published if event.id in world.refused]
    assert len(again) == 2 * len(world.refused)
    assert len(checks(published)) == DAYS
