"""What the service does when something goes wrong, and where the clock has a say."""

import asyncio

from modeltrail.errors import InvalidEventError, ModeltrailError
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.lab.drift.log import DAY_US, EVENT_START_US, MODELS, PREDICTIONS, Log, Prediction, a_baseline, advanced
from modeltrail.lab.drift.stores import SHARES
from modeltrail.lab.drift.world import Trouble
from modeltrail.watch.session import share_of
from tests.watch.worlds import OddWorld

DAYS = 5


def small_log(*, models=("m",), end=True, last_s=None, **monitor):
    """A prediction of each model an hour, ten a second of the clock, in daily windows; then the end is told."""
    log = Log()
    for model in models:
        log.at(0.0, MODELS, told=a_baseline(model))
        log.at(0.0, MODELS, told=MonitorConfigured(monitor_id=f"{model}-d", model_id=model, **monitor))
    for hour in range(24 * DAYS):
        for model in models:
            at = EVENT_START_US + hour * DAY_US // 24
            log.at(1 + hour / 10, PREDICTIONS[hour % 2], prediction=Prediction(model, "1", at))
    for model in models if end else ():
        told = advanced(model, EVENT_START_US + DAYS * DAY_US)
        log.at(last_s or 2 + 24 * DAYS / 10, MODELS, told=told)
    return log


def checks(published, model="m", kind="drift"):
    return [each for each in published.checks.values() if each.model_id == model and each.kind == kind]


def test_a_check_that_cannot_be_computed_fails_by_name_and_others_go_on():
    world = OddWorld(small_log(models=("m", "n")))
    world.fails = {"m": ModeltrailError("fields.0: 'x': must be a field of the baseline"), "n": ValueError("7")}
    published = world.run(rest_s=120)
    for model, error in (("m", "fields.0: 'x': must be a field of the baseline"), ("n", "ValueError: 7 (not a fault")):
        failed = checks(published, model)
        assert len(failed) == DAYS
        assert {each.status for each in failed} == {"failed"}
        assert all(each.error.startswith(error) for each in failed)
        assert {each.baseline.id for each in failed} == {"b-1"}


def test_a_check_that_cannot_be_sent_is_said_to_have_failed():
    world = OddWorld(small_log(models=("m", "n")))
    world.refuses = {"m"}
    published = world.run()
    assert {each.status for each in checks(published, "m")} == {"failed"}
    assert "must be at most 1000000 bytes" in checks(published, "m")[0].error
    assert {each.status for each in checks(published, "n")} == {"completed"}


def test_a_baseline_that_cannot_be_learned_stops_nothing():
    log = Log()
    log.at(0.0, MODELS, told=MonitorConfigured(monitor_id="m-d", model_id="m", learn={"predictions": 100}))
    log.script += small_log(models=()).script
    for hour in range(24 * DAYS):
        log.at(1 + hour / 10, PREDICTIONS[0], prediction=Prediction("m", "1", EVENT_START_US + hour * DAY_US // 24))
    world = OddWorld(log)
    learned = world.run()
    assert [each for each in learned.events if each.startswith("learned-")]
    world = OddWorld(log)
    world.fails = {"m": InvalidEventError("fields", [], "must have at least one field with a value")}
    assert {each.status for each in checks(world.run())} == {"failed"}


def test_after_max_wait_a_window_closes_without_a_silent_partition_and_says_so():
    log = small_log()
    world = OddWorld(log)
    world.never_idle = {PREDICTIONS[2]}
    assert checks(world.run(rest_s=800)) == []
    world = OddWorld(log)
    world.never_idle = {PREDICTIONS[2]}
    found = checks(world.run(rest_s=1000))
    assert len(found) == DAYS
    assert {tuple(each.incomplete) for each in found} == {("t.predictions/2",)}
    assert {each.check_id for each in found} == {each.check_id for each in checks(OddWorld(log).run())}


def test_where_producers_set_the_time_an_idle_partition_is_waited_for_longer():
    def first_check_s(*, producer_time):
        log = small_log(end=False)
        world = OddWorld(log, Trouble(grace_s=None))
        world.producer_time = producer_time
        world.run(rest_s=60)
        return log.end_s, world.published_first_s

    end_s, soon = first_check_s(producer_time=False)
    _, late = first_check_s(producer_time=True)
    assert soon < end_s
    assert late > soon + 5


def test_silence_is_found_by_a_tick_when_every_producer_is_dead():
    world = OddWorld(small_log(end=False, silence={"max_gap_s": 30}))
    published = world.run(rest_s=120)
    ticks, silences = checks(published, kind="tick"), checks(published, kind="silence")
    assert 1 <= len(ticks) <= 3
    assert len(silences) == 1
    assert silences[0].cut.entry.chain.startswith("c/t.checks/")
    assert len(checks(published)) == DAYS


def test_a_model_that_keeps_predicting_gets_no_tick():
    world = OddWorld(small_log(end=False, silence={"max_gap_s": 30}))
    assert checks(world.run(rest_s=10), kind="tick") == []


def test_each_model_belongs_to_one_share_whoever_asks():
    # crc32 by its published check value: the same in every process and on every machine
    assert share_of("123456789", 1 << 32) == 0xCBF43926
    assert share_of("123456789", SHARES) == 0xCBF43926 % SHARES


def test_a_share_is_given_up_in_time_whatever_is_under_way():
    world = OddWorld(small_log())
    given_up = []

    async def hang(*_):
        await asyncio.sleep(10**6)

    def take_away():
        worker = world.workers["w0"]

        async def give_up():
            began = world.loop.time()
            await worker.service.give_up()
            given_up.append(world.loop.time() - began)

        world.loop.spawn(worker.process, give_up(), name="give up")

    world.hang = hang
    world.loop.after(40.0, take_away)
    world.run()
    assert len(given_up) == 1
    assert 9.9 < given_up[0] < 10.1
