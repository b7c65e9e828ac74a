"""Runs from seeds: they hold, and a seed always makes the same run."""

import os
import subprocess
import sys

import pytest

from modeltrail.lab.many import play_many
from modeltrail.lab.run import MODES, play

SCRIPT = """
from modeltrail.lab.run import MODES, play
for seed in range(40):
    for mode in MODES:
        outcome = play(seed, mode=mode)
        print(seed, mode, outcome.steps, outcome.rows, outcome.seconds, outcome.problem)
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first", range(0, 200, 100))
def test_everything_holds(mode, first):
    tally = play_many(range(first, first + 100), modes=[mode])
    assert tally.failed is None, tally.failed
    assert tally.runs == 100
    assert tally.rows > 1_000


def test_a_seed_makes_the_same_run_in_every_process():
    printed = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(printed) == 1
    assert printed.pop().count("\n") == 80


def test_watching_a_run_does_not_change_it():
    for seed in range(30):
        seen, unseen = play(seed, trace=True), play(seed)
        assert (seen.steps, seen.rows, seen.seconds) == (unseen.steps, unseen.rows, unseen.seconds)
        assert len(seen.trace) > 20


def test_seeds_make_runs_of_every_kind():
    tally = play_many(range(200), modes=["liveness"])
    assert tally.chains > 250
    assert sum(tally.tolerated.values()) > 0
