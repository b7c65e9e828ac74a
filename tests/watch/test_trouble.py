"""Checks that cannot be computed now: who waits, for how long, and what is published of it in the end."""

import pytest

from modeltrail.drift.windows import model_watch
from modeltrail.errors import (
    AccessError,
    ConfigurationError,
    InvalidEventError,
    MissingExtraError,
    RowsRefusedError,
    SchemaVersionError,
    StoreUnavailableError,
    TamperError,
    UnknownStoreError,
)
from modeltrail.lab.drift.computing import differences
from modeltrail.lab.drift.log import PREDICTIONS
from modeltrail.lab.drift.stores import Unobserved
from modeltrail.watch.set_aside import UNFORESEEN_S, outlook_of
from tests.watch.test_service import DAYS, checks, small_log
from tests.watch.worlds import OddWorld

MEMORY = StoreUnavailableError("ClickHouse cannot take work now (code 241): memory limit")
UNKNOWN = UnknownStoreError(4711, "ClickHouse answered with an error that is not known here (code 4711)")


def run_failing(error, *, until_s=float("inf"), rest_s=200.0):
    """Two models, of which the checks of m fail; the log ends after 15 s."""
    world = OddWorld(small_log(models=("m", "n")))
    world.fails, world.fails_until_s = {"m": error}, until_s
    return world, world.run(rest_s=rest_s)


def undisturbed():
    return OddWorld(small_log(models=("m", "n"))).run()


@pytest.mark.parametrize(
    ("error", "outlook"),
    [
        (MEMORY, "passes"),
        (AccessError("a right is missing"), "passes"),
        (SchemaVersionError("run migrate"), "passes"),
        (UNKNOWN, "unforeseen"),
        (RowsRefusedError(53, "type mismatch"), "unforeseen"),
        (ValueError("7"), "unforeseen"),
        (MissingExtraError("server", "a check"), "unforeseen"),
        (TamperError("c", 1, "two entries"), "passes"),
        (MemoryError(), "unforeseen"),
        (OSError(12, "no memory"), "unforeseen"),
        (InvalidEventError("fields", [], "must have one"), "data"),
        (ConfigurationError("the names are too long"), "data"),
    ],
)
def test_what_an_error_says_about_another_attempt(error, outlook):
    assert outlook_of(error) == outlook


@pytest.mark.parametrize("error", [MEMORY, AccessError("no right"), UNKNOWN, ValueError("7")])
def test_an_error_that_passes_leaves_no_trace(error):
    _, published = run_failing(error, until_s=40.0)
    assert differences(published, undisturbed()) == []


def test_while_one_model_waits_for_hours_the_others_are_checked_and_nothing_is_said_of_it():
    world, published = run_failing(MEMORY, rest_s=3600)
    assert checks(published, "m") == []
    assert len(checks(published, "n")) == DAYS
    assert max(at for at, model in world.attempts if model == "n") < 30
    # Only the first of its checks is tried, ever more rarely.
    assert 60 < len([at for at, model in world.attempts if model == "m"]) < 80


def test_an_error_that_nobody_foresaw_is_given_a_minute_once_and_then_said():
    world, published = run_failing(UNKNOWN)
    failed = checks(published, "m")
    assert [each.status for each in failed] == ["failed"] * DAYS
    assert all("code 4711) (not a fault of the data; modeltrail " in each.error for each in failed)
    tried = [at for at, model in world.attempts if model == "m"]
    first_given_up = max(at for at in tried if at <= tried[0] + 2 * UNFORESEEN_S)
    assert first_given_up - tried[0] >= UNFORESEEN_S
    assert len(tried) <= 7 + DAYS


def test_a_fault_of_the_data_is_said_at_once():
    world, published = run_failing(InvalidEventError("fields", [], "must have one"))
    assert [each.status for each in checks(published, "m")] == ["failed"] * DAYS
    assert len([at for at, model in world.attempts if model == "m"]) == DAYS


def test_who_takes_over_goes_on_with_what_was_set_aside():
    world = OddWorld(small_log(models=("m", "n")))
    world.fails, world.fails_until_s = {"m": MEMORY}, 90.0
    world.loop.after(60.0, world._share_out)
    assert differences(world.run(rest_s=200), undisturbed()) == []
    assert world.beginnings > 1


def test_what_is_too_large_to_say_is_said_without_what_the_next_check_starts_from():
    world = OddWorld(small_log(models=("m", "n")))
    world.refuses_carries = {"m"}
    published = world.run()
    assert world.problems == []
    assert [(each.status, each.carry) for each in checks(published, "m")] == [("failed", {})] * DAYS
    assert {each.status for each in checks(published, "n")} == {"completed"}


def test_a_store_that_came_back_without_its_last_entries_is_read_anew():
    log = small_log(last_s=60.0)
    world = OddWorld(log)
    world.loop.after(40.0, world.lose, PREDICTIONS[1], 3)
    published = world.run()
    assert world.problems == []
    assert world.beginnings == 2
    found = checks(published)
    assert len(found) == DAYS
    assert {each.status for each in found} == {"completed"}
    partition = [seq for chain, seq in found[-1].cut.frontier.items() if "/1/" in chain]
    assert partition == [12 * DAYS - 1 - 3]


def test_a_tick_that_shows_nothing_is_repeated_ever_more_rarely():
    world = OddWorld(small_log(end=False, silence={"max_gap_s": 30}))
    world.ticks_land = False
    ticks = checks(world.run(rest_s=3600), kind="tick")
    assert 8 <= len(ticks) <= 14


def test_what_waits_is_told_to_whoever_counts():
    told = []

    class Counting(Unobserved):
        def set_aside(self, errors):
            told.append(dict(errors))

    world = OddWorld(small_log(models=("m", "n")))
    world.fails, world.fails_until_s = {"m": MEMORY}, 60.0
    world.observer = Counting
    world.run()
    assert {"m": str(MEMORY)} in told
    assert told[-1] == {}


def test_a_ledger_that_contradicts_itself_makes_wait_what_depends_on_it():
    told = []

    class Counting(Unobserved):
        def tampered(self, error):
            told.append(error)

    world = OddWorld(small_log(models=("m", "n")))
    error = TamperError("c/t.predictions/0/0-0", 7, "two different entries stand at this position")
    world.fails, world.observer = {"m": error}, Counting
    published = world.run(rest_s=300)
    assert world.problems == []
    assert checks(published, "m") == []
    assert len(checks(published, "n")) == DAYS
    assert set(told) == {error}


def test_what_checks_carry_from_another_version_is_done_without(monkeypatch):
    world, said = OddWorld(small_log()), []

    class Counting(Unobserved):
        def failed(self, what, error):
            said.append((what, error))

    world.observer = Counting
    world.loop.after(8.0, monkeypatch.setattr, model_watch, "FOLD_FORMAT", 2)
    world.loop.after(9.0, world._share_out)
    published = world.run()
    monkeypatch.undo()
    assert world.problems == []
    assert [each.check_id for each in checks(published)] == [
        each.check_id for each in checks(OddWorld(small_log()).run())
    ]
    assert said == [
        (
            "the last checks cannot be gone on from, the ledger is read from its first entry",
            "ValueError: fold.format: 1: expected 2",
        )
    ]


@pytest.mark.parametrize("error", [MEMORY, UNKNOWN, AccessError("no right"), SchemaVersionError("run migrate")])
def test_a_ledger_that_answers_nothing_for_a_while_is_waited_for(error):
    world = OddWorld(small_log())
    world.no_frontiers = (5.0, 65.0, error)
    found = checks(world.run(rest_s=120))
    assert world.problems == []
    assert [each.check_id for each in found] == [each.check_id for each in checks(OddWorld(small_log()).run())]


@pytest.mark.parametrize("error", [AccessError("no right"), SchemaVersionError("run migrate")])
def test_shares_are_given_out_anew_while_a_right_or_the_schema_is_being_changed(error):
    world = OddWorld(small_log())
    world.no_frontiers = (5.0, 65.0, error)
    world.loop.after(30.0, world._share_out)
    found = checks(world.run(rest_s=120))
    assert world.problems == []
    assert world.beginnings == 2
    assert len(found) == DAYS


@pytest.mark.parametrize("error", [AccessError("no right"), SchemaVersionError("run migrate")])
def test_what_is_wrong_from_the_start_is_said_by_ending(error):
    world = OddWorld(small_log())
    world.no_frontiers = (0.0, 1000.0, error)
    assert checks(world.run()) == []
    assert world.problems == [repr(error)]
