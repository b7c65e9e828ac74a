"""A model that has died: nothing of its own moves its watermark, and yet its truth comes, weeks late.

Hours of 1 January 2024, as in `test_watch`; `T` is a tick.
"""

import json

from modeltrail.drift.windows.watch import Watch
from tests.drift.windows.timeline import BEGIN_MS, HOUR_MS, World

SILENCE = {"max_gap_s": 3600}
DAILY = {"kind": "tumbling", "size_s": 86_400}


def truth(*delays):
    metrics = zip(("auc", "f1"), delays, strict=False)
    return [{"metric": name, "max_drop": 0.1, "label_delay_s": hours * 3600} for name, hours in metrics]


def overdue(world, hour):
    """When the watch wants a tick, in hours, if it looks at the clock at an hour."""
    return [(each.due_ms - BEGIN_MS) / HOUR_MS for each in world.watch.overdue(BEGIN_MS + hour * HOUR_MS)]


def test_the_truth_of_a_dead_model_is_waited_for_by_log_time():
    """p(0.5) . T(2) . . . . . T(10.5 - 1 ms) T(10.5)     the window 0-1 waits for 9 hours: until 0.5 + 9.5."""
    world = World(silence=SILENCE, performance=truth(9)).p(0.5, log=1)
    assert world.tick(2.1).windows() == ["0-1 silence", "1-2 silence silence"]
    assert overdue(world, 10.5 - 1 / HOUR_MS) == []
    assert overdue(world, 10.6) == [10.5 - 1 / HOUR_MS]
    assert world.tick(10.5 - 1 / HOUR_MS).windows() == []
    assert world.tick(10.5).windows() == ["0-1 performance silence +32400 s"]
    assert overdue(world, 1e5) == [], "it is told once"
    assert world.tick(11).windows() == []


def test_what_came_until_the_tick_is_in_the_cut():
    world = World(silence=SILENCE, performance=truth(1)).p(0.5, log=0.5)
    world.tick(2).p(0.5, log=1.9, model=None, version=None)  # an outcome, for instance
    (closing,) = [each for each in world.feed() if each.kind == "performance"]
    assert closing.cut[str(closing_chain(world))] == 1


def closing_chain(world):
    return next(chain for chain in world.seqs if chain.topic.endswith("predictions"))


def test_several_windows_and_delays_are_over_one_after_another():
    """p(0.5) p(1.5) p(2.5) . T T T T       two windows have closed by the watermark, the last by silence."""
    world = World(silence=SILENCE, performance=truth(2, 4)).p(0.5, 1.5, 2.5)
    assert world.windows() == ["0-1", "1-2"]
    last = 2.5 + 1 / 60
    assert world.tick(last + 1.01).windows() == ["0-1 performance silence +7200 s", "2-3 silence",
                                                 f"{last:g}-{last + 1:g} silence silence"]  # fmt: skip
    assert world.tick(last + 1.5).windows() == ["1-2 performance silence +7200 s"]
    assert world.tick(last + 2.5).windows() == ["0-1 performance silence +14400 s", "2-3 performance silence +7200 s"]
    assert world.tick(last + 99).windows() == ["1-2 performance silence +14400 s", "2-3 performance silence +14400 s"]


def test_no_window_closes_before_its_own_end():
    """A day that has only begun goes on while the model is silent, and its truth is waited for after it."""
    world = World(silence=SILENCE, window=DAILY, performance=truth(0)).p(3, log=3)
    assert world.tick(5).windows() == ["0-24 silence", "3-4 silence silence"]
    assert world.tick(23.9).windows() == []
    assert world.tick(24).windows() == ["0-24 performance silence"]


def test_a_model_that_comes_back_supersedes_what_was_closed_without_it():
    """p(0.5) . T(3) . p(0.7) . p(3.1)       the window gets a row, and is checked again when the watermark passes."""
    world = World(silence=SILENCE, performance=truth(1)).p(0.5, log=0.5)
    assert "0-1 performance silence +3600 s" in world.tick(3).windows()
    assert world.p(0.7, log=3.5).windows() == ["0.5-3.5 silence silence"]
    found = world.p(3.1, log=3.6).windows()
    assert found == ["0-1 superseding", "0-1 performance superseding +3600 s"]


def test_the_truth_of_runs_is_waited_for_likewise():
    world = World(window={"kind": "count", "every": 2}, silence=SILENCE, performance=truth(3)).p(0.5, 0.6, 0.7, log=1)
    assert world.windows() == ["run 0"]
    assert world.tick(2.5).windows() == ["run 1 silence", "1-2 silence silence"]
    assert overdue(world, 9) == [4 - 0.1 - 1 / HOUR_MS], "the wait for run 0 began at 0.6, and event time is at 0.7"
    assert world.tick(3.9).windows() == ["run 0 performance silence +10800 s"]
    assert world.tick(4).windows() == ["run 1 performance silence +10800 s"]


def test_without_a_limit_of_silence_only_advancing_closes_them():
    world = World(performance=truth(2)).p(0.5, log=0.5)
    assert world.tick(1e5).windows() == []
    assert overdue(world, 1e6) == []
    assert world.advance(3, hour=1e5).windows() == ["0-1 advanced", "0-1 performance advanced +7200 s"]


def test_a_monitor_that_knows_of_silence_closes_the_windows_of_those_that_do_not():
    world = World(performance=truth(2)).configure(monitor_id="silence", silence=SILENCE).p(0.5, log=0.5)
    found = world.tick(9).feed()
    assert {(each.monitor.monitor_id, each.kind) for each in found} == {
        ("w", "drift"), ("w", "performance"), ("silence", "drift"), ("silence", "silence"),
    }  # fmt: skip


def test_a_version_that_others_have_followed_is_not_dead_for_the_watermark():
    """Version 1 is silent, version 2 moves the watermark of both: nothing is supposed."""
    world = World(model_version="1", silence=SILENCE, performance=truth(2)).p(0.5, log=0.5)
    world.p(2.9, log=5, version="2")
    assert world.windows() == ["0-1"]
    assert world.tick(5).windows() == ["0.5-1.5 silence silence"]
    assert world.tick(5.1).windows() == ["0-1 performance silence +7200 s"], "2.9 and six minutes"


def test_what_was_advanced_is_where_event_time_goes_on_from():
    """p(0.5) T(2) . . A(3, logged at 9) T(9.5) T(12)      not from the last prediction, which is half a day ago."""
    world = World(silence=SILENCE, window=DAILY, performance=truth(0)).p(0.5, log=0.5).tick(2)
    world.feed()
    assert world.advance(21, hour=9).windows() == []
    assert world.tick(11.9).windows() == []
    assert world.tick(12).windows() == ["0-24 performance silence"]


def test_a_restart_while_it_is_silent_changes_nothing():
    world = World(silence=SILENCE, window=DAILY, performance=truth(0, 5)).p(0.5, log=0.5).tick(2).advance(21, hour=9)
    world.feed()
    world.tick(12)
    (first,) = world.feed()
    again = Watch(cut=first.fold["cut"])
    again.restore(json.loads(json.dumps(first.fold)))
    assert again.overdue(BEGIN_MS + 30 * HOUR_MS)[0].due_ms == BEGIN_MS + 12 * HOUR_MS - 1
    world.watch = again
    world.seqs[next(chain for chain in world.seqs if chain.topic.endswith("checks"))] -= 1
    assert world.tick(12).feed() == [first]
    assert world.tick(17).windows() == ["0-24 performance silence +18000 s"]
