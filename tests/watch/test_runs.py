"""Whatever happens to the workers, the same log gives the same checks and alerts.

Seeds draw the log and, apart from it, the disturbances; what is published is compared with an undisturbed run.
"""

import pytest

from tests.watch.world import Trouble, World, differences, drawn_log

LOGS = range(3)
UNDISTURBED = {}


def undisturbed(log_seed):
    if log_seed not in UNDISTURBED:
        UNDISTURBED[log_seed] = World(drawn_log(log_seed)).run()
    return UNDISTURBED[log_seed]


def run_alike(log_seed, trouble):
    world = World(drawn_log(log_seed), trouble)
    disturbed = world.run()
    assert differences(disturbed, undisturbed(log_seed)) == []
    assert disturbed.digest == undisturbed(log_seed).digest
    return world


@pytest.mark.parametrize("log_seed", LOGS)
def test_a_run_has_something_to_say(log_seed):
    checks = undisturbed(log_seed).checks
    assert len(checks) > 60
    assert {check["kind"] for check in checks.values()} == {"drift", "performance"}
    assert any(check["supersedes"] for check in checks.values())


@pytest.mark.parametrize("log_seed", LOGS)
def test_chains_at_different_speeds(log_seed):
    run_alike(log_seed, Trouble(seed=1 + log_seed, chain_lag_s=8.0))


@pytest.mark.parametrize("log_seed", LOGS)
def test_block_messages_that_are_lost(log_seed):
    run_alike(log_seed, Trouble(seed=11 + log_seed, chain_lag_s=1.0, lost_blocks=0.95))


@pytest.mark.parametrize("log_seed", LOGS)
def test_a_worker_that_is_killed_again_and_again(log_seed):
    world = run_alike(log_seed, Trouble(seed=21 + log_seed, chain_lag_s=2.0, kill_every_s=7.0))
    assert world.deaths > 3
    assert world.resumed > 3


@pytest.mark.parametrize("log_seed", LOGS)
def test_three_workers_that_die_freeze_and_come_back(log_seed):
    trouble = Trouble(seed=31 + log_seed, workers=3, chain_lag_s=2.0, kill_every_s=9.0, freeze_every_s=8.0)
    world = run_alike(log_seed, trouble)
    assert world.deaths > 3


@pytest.mark.parametrize("log_seed", LOGS)
def test_store_and_broker_that_are_away_and_acknowledgements_that_are_lost(log_seed):
    run_alike(log_seed, Trouble(seed=41 + log_seed, chain_lag_s=1.0, outage_every_s=6.0, unacknowledged=0.1))


@pytest.mark.parametrize("log_seed", LOGS)
def test_little_memory(log_seed):
    run_alike(log_seed, Trouble(seed=51 + log_seed, chain_lag_s=8.0, read_rows=7))


@pytest.mark.parametrize("seed", range(100, 106))
def test_everything_at_once(seed):
    trouble = Trouble(
        seed=seed, workers=2, chain_lag_s=5.0, lost_blocks=0.3, kill_every_s=12.0, freeze_every_s=15.0,
        outage_every_s=15.0, unacknowledged=0.05, read_rows=40,
    )  # fmt: skip
    run_alike(seed % len(LOGS), trouble)
