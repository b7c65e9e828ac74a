"""Whatever happens to the workers, the same log gives the same checks and alerts.

Seeds draw the log and, apart from it, the disturbances; what is published is compared with an undisturbed run.
"""

import pytest

from tests.watch.world import Trouble, World, differences, drawn_log

UNDISTURBED = {}


def undisturbed(seed):
    if seed not in UNDISTURBED:
        UNDISTURBED[seed] = World(drawn_log(seed)).run()
    return UNDISTURBED[seed]


def assert_alike(seed, trouble):
    world = World(drawn_log(seed), trouble)
    disturbed = world.run()
    assert differences(disturbed, undisturbed(seed)) == []
    assert disturbed.digest == undisturbed(seed).digest
    return world


@pytest.mark.parametrize("seed", range(4))
def test_a_run_has_something_to_say(seed):
    checks = undisturbed(seed).checks
    assert len(checks) > 60
    assert {check["kind"] for check in checks.values()} == {"drift", "performance"}
    assert any(check["supersedes"] for check in checks.values())


@pytest.mark.parametrize("seed", range(4))
def test_chains_at_different_speeds(seed):
    assert_alike(seed, Trouble(seed=seed + 1, chain_lag_s=8.0))
