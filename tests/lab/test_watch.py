"""The watch in the lab: runs from seeds hold, deliberate mistakes are found, and a restart reads little."""

import pytest
from typer.testing import CliRunner

from modeltrail.cli.main import app
from modeltrail.lab.drift.bugs import BUGS
from modeltrail.lab.drift.computing import differences, expected
from modeltrail.lab.drift.log import drawn_log
from modeltrail.lab.drift.run import WATCH, play_watch
from modeltrail.lab.drift.world import Trouble, World
from modeltrail.lab.many import first_seed_that_finds, play_many

WITHIN = {
    "backlog-is-late": 60,
    "carry-of-the-last-only": 20,
    "closed-epochs-left-out": 60,
    "compute-what-is-published": 20,
    "cut-includes-x": 5,
    "idle-at-once": 5,
    "learns-again": 40,
    "nobody-ticks": 20,
    "nobody-waits": 120,
    "one-number-cut": 40,
    "runs-without-a-cut": 60,
    "silence-forgotten": 60,
    "sums-up-too-much": 20,
    "ticks-when-they-come": 90,
}


def test_everything_holds():
    tally = play_many(range(20), modes=[WATCH])
    assert tally.failed is None, tally.failed
    assert tally.runs == 20
    assert tally.chains > 300  # checks


def test_each_mistake_has_its_bound():
    assert set(BUGS) == set(WITHIN)


@pytest.mark.parametrize("bug", BUGS)
def test_a_deliberate_mistake_is_found(bug):
    found = first_seed_that_finds(bug, range(WITHIN[bug]))
    assert found is not None
    assert play_watch(found.seed, bug=bug).problem == found.problem
    assert play_watch(found.seed).problem == ""


def a_log(seed):
    return drawn_log(seed, days=20, a_day=5, models=3)


@pytest.mark.parametrize("seed", range(2))
def test_many_entries_of_one_moment_and_memory_for_fewer(seed):
    world = World(a_log(seed), Trouble(read_rows=1))
    assert differences(world.run(settle_s=600.0), expected(world.chains())) == []
    assert world.problems == []


@pytest.mark.parametrize("seed", [1, 2, 5, 7, 8, 9])  # logs that last for minutes; models without monitor, and by count
def test_a_restart_reads_little_of_what_was_checked(seed):
    quiet = World(a_log(seed))
    quiet.run()
    restarted = World(a_log(seed), Trouble(seed=61 + seed, kill_every_s=2.0))
    assert differences(restarted.run(settle_s=600.0), expected(restarted.chains())) == []
    assert restarted.deaths > 7
    # From the first entry on, each of these sessions would have read half of the log on average.
    more = restarted.rows_read - quiet.rows_read + restarted.rows_asked_for
    assert more < restarted.deaths * quiet.rows_read / 4


def test_the_command_says_which_seed_failed_and_how_to_repeat_it():
    failed = CliRunner().invoke(app, ["lab", "--watch", "--seeds", "5", "--bug", "cut-includes-x"])
    assert failed.exit_code == 1
    assert "modeltrail lab --from 0 --seeds 1 --watch --bug cut-includes-x" in failed.output
    assert CliRunner().invoke(app, ["lab", "--watch", "--seeds", "2"]).exit_code == 0
    assert CliRunner().invoke(app, ["lab", "--watch", "--safety"]).exit_code != 0
