"""A model of which more waits than may: it falls behind, the others go on, and it catches up when it can."""

import pytest

from modeltrail.events.monitors import MonitorConfigured
from modeltrail.lab.drift.computing import differences, expected
from modeltrail.lab.drift.log import EVENT_START_US, MODELS, PREDICTIONS, Prediction, advanced
from modeltrail.watch import behind, set_aside
from tests.watch.test_service import DAY_US, DAYS, checks, small_log
from tests.watch.test_trouble import MEMORY
from tests.watch.worlds import FailingLedger, OddWorld

WEEKS = 4


def long_log(**monitor):
    """Two models, an hour a tenth of a second, for four times as long as the small log."""
    log = small_log(models=("m", "n"), end=False, **monitor)
    for hour in range(24 * DAYS, 24 * WEEKS * DAYS):
        for model in ("m", "n"):
            at = EVENT_START_US + hour * DAY_US // 24
            log.at(1 + hour / 10, PREDICTIONS[hour % 2], prediction=Prediction(model, "1", at))
    for model in ("m", "n"):
        log.at(3 + 24 * WEEKS * DAYS / 10, MODELS, told=advanced(model, EVENT_START_US + WEEKS * DAYS * DAY_US))
    return log


def failing(log, *, until_s=float("inf")):
    """A world in which the checks of m fail, and how many closings waited and how many models were behind, by second."""
    world, seen = OddWorld(log), {}
    world.fails, world.fails_until_s = {"m": MEMORY}, until_s

    def look(second):
        session = world.workers["w0"].service._session
        if session is not None:
            seen[second] = len(session._closings._aside), len(session._behind)

    for second in range(250):
        world.loop.after(second, look, second)
    return world, seen


@pytest.fixture(autouse=True)
def _little_may_wait(monkeypatch):
    monkeypatch.setattr(set_aside, "MOST", 3)
    monkeypatch.setattr(behind, "ROWS", 5)


def test_a_model_that_never_heals_stops_no_other_and_takes_no_more_room():
    world, seen = failing(long_log())
    published = world.run(rest_s=300)
    assert world.problems == []
    assert len(checks(published, "n")) == WEEKS * DAYS
    assert checks(published, "m") == []
    assert max(at for at, model in world.attempts if model == "n") < 24 * WEEKS * DAYS / 10 + 10
    assert max(seen.values()) == (3, 1)
    assert set(list(seen.values())[30:]) == {(3, 1)}


def test_a_model_that_heals_catches_up_and_nothing_shows_it():
    world, seen = failing(long_log(), until_s=100.0)
    published = world.run(rest_s=300)
    assert world.problems == []
    assert differences(published, OddWorld(long_log()).run()) == []
    assert seen[90] == (3, 1)
    assert seen[240] == (0, 0)


class Flaky(FailingLedger):
    async def compute(self, closing, carry):
        attempts = sum(model == "m" for _, model in self._world.attempts)
        self._world.fails = {"m": MEMORY} if attempts % 3 else {}
        return await super().compute(closing, carry)


def test_a_model_that_heals_and_falls_ill_again_begins_where_it_was_left(monkeypatch):
    monkeypatch.setattr(OddWorld, "ledger", Flaky)
    world, seen = failing(long_log())
    published = world.run(rest_s=400)
    monkeypatch.undo()
    assert world.problems == []
    assert differences(published, OddWorld(long_log()).run()) == []
    assert max(seen.values()) == (3, 1)


def test_who_takes_over_a_model_that_is_behind_goes_on_with_it():
    world, _ = failing(long_log(), until_s=100.0)
    world.loop.after(80.0, world._share_out)
    assert differences(world.run(rest_s=300), OddWorld(long_log()).run()) == []
    assert world.beginnings > 1


def test_changes_and_ticks_that_came_meanwhile_are_folded_in_their_place(monkeypatch):
    """m falls silent on the second day, is behind from then on, and its monitor is changed before it heals."""
    monkeypatch.setattr(set_aside, "MOST", 1)
    log = small_log(models=("n",))
    log.at(0.0, MODELS, told=MonitorConfigured(monitor_id="m-d", model_id="m", silence={"max_gap_s": 10}))
    for hour in range(24 * DAYS):
        at = EVENT_START_US + hour * DAY_US // 24
        second = 1 + hour / 10 if hour < 30 else 50 + hour / 10
        log.at(second, PREDICTIONS[hour % 2], prediction=Prediction("m", "1", at))
    window = {"kind": "tumbling", "size_s": 12 * 3600}
    log.at(57.0, MODELS, told=MonitorConfigured(monitor_id="m-d", model_id="m", window=window))
    log.at(70.0, MODELS, told=advanced("m", EVENT_START_US + DAYS * DAY_US))
    world = OddWorld(log)
    world.fails, world.fails_until_s = {"m": MEMORY}, 100.0
    published = world.run(rest_s=200)
    assert world.problems == []
    assert differences(published, expected(world.chains())) == []
    assert len(checks(published, kind="silence")) == 2
    assert {each.window.end[11:13] for each in checks(published)} == {"00", "12"}


def test_a_portion_never_parts_entries_of_one_log_time():
    """Each hour has one log_time: in it n and m stand in one chain, m alone in another. m's first closes the day."""
    log = small_log(models=())
    for model in ("m", "n"):
        log.at(0.0, MODELS, told=MonitorConfigured(monitor_id=f"{model}-d", model_id=model))
    for hour in range(24 * 2 * DAYS):
        for partition, model in ((0, "n"), (0, "m"), (1, "m")):
            at = EVENT_START_US + hour * DAY_US // 24
            log.at(1 + hour / 10, PREDICTIONS[partition], prediction=Prediction(model, "1", at))
    world, seen = failing(log, until_s=60.0)
    published = world.run(rest_s=200)
    assert world.problems == []
    assert seen[50] == (3, 1)
    assert differences(published, expected(world.chains())) == []
    assert len(checks(published)) == 2 * DAYS - 1
