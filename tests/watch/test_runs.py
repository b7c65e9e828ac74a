"""Whatever happens to the workers, the same log gives the same checks and alerts: one trouble at a time.

`modeltrail lab --watch` draws all of them at once (`tests/lab/test_watch.py`).
"""

import pytest

from modeltrail.events.monitors import MonitorConfigured
from modeltrail.lab.drift.computing import differences, expected
from modeltrail.lab.drift.log import (
    CHECKS,
    DAY_US,
    EVENT_START_US,
    MODELS,
    PREDICTIONS,
    Log,
    Prediction,
    a_baseline,
    drawn_log,
)
from modeltrail.lab.drift.world import Trouble, World

LOGS = range(3)


def a_log(log_seed):
    return drawn_log(log_seed, days=40, a_day=12, models=3)


def run_alike(log_seed, trouble):
    world = World(a_log(log_seed), trouble)
    assert differences(world.run(settle_s=600.0), expected(world.chains())) == []
    assert world.problems == []
    return world


def test_the_runs_have_something_to_say():
    told = [expected(a_log(log_seed).chains()).checks.values() for log_seed in LOGS]
    assert min(len(checks) for checks in told) > 60
    together = [check for checks in told for check in checks]
    assert {check.kind for check in together} == {"drift", "performance", "silence"}
    assert any(check.supersedes for check in together)


@pytest.mark.parametrize("log_seed", LOGS)
def test_nothing_is_in_the_way(log_seed):
    run_alike(log_seed, Trouble())


@pytest.mark.parametrize("log_seed", LOGS)
def test_chains_at_different_speeds(log_seed):
    run_alike(log_seed, Trouble(seed=1 + log_seed, chain_lag_s=8.0))


@pytest.mark.parametrize("log_seed", LOGS)
def test_block_messages_that_are_lost_and_that_come_twice(log_seed):
    run_alike(log_seed, Trouble(seed=11 + log_seed, chain_lag_s=1.0, lost_blocks=0.9, doubled_blocks=0.5))


@pytest.mark.parametrize("log_seed", LOGS)
def test_a_worker_that_is_killed_again_and_again(log_seed):
    world = run_alike(log_seed, Trouble(seed=21 + log_seed, chain_lag_s=2.0, kill_every_s=5.0))
    assert world.deaths > 3


@pytest.mark.parametrize("log_seed", LOGS)
def test_three_workers_that_die_freeze_and_come_back(log_seed):
    trouble = Trouble(seed=31 + log_seed, workers=3, chain_lag_s=2.0, kill_every_s=3.0, freeze_every_s=8.0)
    world = run_alike(log_seed, trouble)
    assert world.deaths > 3


@pytest.mark.parametrize("log_seed", LOGS)
def test_store_and_broker_that_are_away_and_acknowledgements_that_are_lost(log_seed):
    run_alike(log_seed, Trouble(seed=41 + log_seed, chain_lag_s=1.0, outage_every_s=6.0, unacknowledged=0.1))


@pytest.mark.parametrize("log_seed", LOGS)
def test_little_memory(log_seed):
    run_alike(log_seed, Trouble(seed=51 + log_seed, chain_lag_s=8.0, read_rows=7))


@pytest.mark.parametrize("tick_lag_s", [0.0, 15.0])
def test_ticks_that_are_chained_behind_the_predictions_that_came_after_them(tick_lag_s):
    """prediction  p . . . . p . . . . p        every 14 seconds, of which 10 may be silent
    tick               T         T            stands between them, and may be chained after the next one"""
    log, silence = Log(), {"max_gap_s": 10}
    log.at(0.0, MODELS, told=a_baseline("m"))
    log.at(0.0, MODELS, told=MonitorConfigured(monitor_id="d", model_id="m", silence=silence))
    for number in range(40):
        made = Prediction("m", "1", EVENT_START_US + number * DAY_US // 4)
        log.at(1 + 14.0 * number, PREDICTIONS[number % 2], prediction=made)
    world = World(log, Trouble(seed=3))
    world.speeds[CHECKS] = tick_lag_s
    published = world.run(settle_s=600.0)
    assert differences(published, expected(world.chains())) == []
    assert world.problems == []
    assert sum(check.kind == "silence" for check in published.checks.values()) > 60
