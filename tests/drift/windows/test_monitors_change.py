"""Monitors and baselines that change while events flow."""

from modeltrail.drift.windows.narrow import BaselineNamed
from tests.drift.windows.timeline import BEGIN_MS, HOUR_MS, World, told


def test_a_monitor_is_in_force_for_windows_that_close_after_it():
    """|0--p--1--p--C--2--p   the window that is under way is checked with what stands before C, too."""
    world = World(monitor_id="first").p(0.2, 1.1).configure(hour=1.2, monitor_id="second").p(2.1)
    world.feed()
    assert [(told(closing), closing.monitor.monitor_id) for closing in world.made] == [
        ("0-1", "first"), ("1-2", "first"), ("1-2", "second"),
    ]  # fmt: skip


def test_a_change_of_a_monitor_replaces_it_and_a_repeat_does_not():
    world = World().p(0.2).configure(hour=0.3).configure(hour=0.4, segments=["origin"]).p(1.1)
    assert world.windows() == ["0-1"]
    assert world.made[0].monitor.segments == ["origin"]
    assert world.configure(hour=1.2, enabled=False).p(2.1).windows() == ["1.1-1.1 configured"]


def test_a_monitor_that_is_switched_off_says_of_each_line_of_its_checks_that_it_is_over():
    """|0--p--1-p C   drift and both delays of the truth had checks; a monitor without any ends in silence."""
    performance = [{"metric": "auc", "max_drop": 0.1}, {"metric": "f1", "max_drop": 0.1, "label_delay_s": 60}]
    world = World(performance=performance).p(0.2, 1.1).configure(hour=1.2, monitor_id="other")
    world.configure(hour=1.3, enabled=False, performance=performance)
    world.configure(hour=1.3, enabled=False, monitor_id="other").feed()
    over = [closing for closing in world.made if closing.ended]
    assert [(closing.kind, closing.label_delay_s, closing.closed_by) for closing in over] == [
        ("drift", 0, "configured"), ("performance", 0, "configured"), ("performance", 60, "configured"),
    ]  # fmt: skip
    assert {closing.monitor.enabled for closing in over} == {True}
    assert world.configure(hour=1.4, enabled=False).windows() == []


def test_only_lines_that_are_not_gone_on_with_are_over():
    """The delay of the truth changes, and version 2 is not looked at any more."""
    world = World(performance=[{"metric": "auc", "max_drop": 0.1}]).p(0.2, 1.1).p(0.3, 1.2, version="2")
    later = [{"metric": "auc", "max_drop": 0.1, "label_delay_s": 60}]
    world.configure(hour=1.3, performance=later).feed()
    over = [(each.kind, each.model_version, each.label_delay_s) for each in world.made if each.ended]
    assert ("performance", "1", 0) in over
    assert {kind for kind, _, _ in over} == {"performance"}
    before = len(over)
    world.configure(hour=1.4, performance=later, model_version="1").p(2.2).feed()
    over = [(each.kind, each.model_version) for each in world.made if each.ended][before:]
    assert over == [("drift", "2")]


def test_a_silence_that_nobody_listens_to_any_more_is_over():
    world = World(silence={"max_gap_s": 3600}).p(0.25, log=0.25).tick(3)
    world.feed()
    world.configure(hour=4).feed()
    last = world.made[-1]
    assert (last.kind, last.ended, last.silence.silent, last.closed_by) == ("silence", True, False, "configured")
    assert world.watch.overdue(BEGIN_MS + 99 * HOUR_MS) == []


def test_a_window_that_silence_closed_closes_again_when_its_monitor_was_switched_off_and_on():
    """|0--p--T--off on--p--|1--p   what came before is in it: nobody else would look at the rest of it."""
    silence = {"max_gap_s": 1800}
    world = (
        World(silence=silence)
        .p(0.1)
        .tick(0.7)
        .configure(hour=0.72, enabled=False)
        .configure(hour=0.75, silence=silence)
    )
    windows = world.p(0.8, 1.1).windows()
    assert windows[-1] == "0-1"
    assert "0-1 silence" in windows
    assert "0.1-0.1 configured" in windows


def test_a_monitor_that_goes_over_to_another_model_leaves_the_first():
    world = World().p(0.2).configure(hour=0.3, model_id="other").p(1.1).p(0.5, 1.2, model="other")
    assert [closing.model_id for closing in world.feed()] == ["other"]


def test_the_newest_baseline_before_the_entry_is_used():
    world = World()
    for name, hour, version in (("b1", 0.1, "1"), ("b2", 1.5, "1"), ("b1", 1.6, "1"), ("b3", 1.7, "2")):
        world.tell(BaselineNamed(name, name[1] * 64, "m", version), hour)
    world.p(0.2, 1.1, 2.1).feed()
    assert [closing.baseline.baseline_id for closing in world.made] == ["b1", "b2"]


def test_a_baseline_that_the_monitor_names_is_the_one_or_none():
    world = World(baseline_id="b9").tell(BaselineNamed("b1", "1" * 64, "m", "1"), 0.1).p(0.2, 1.1)
    assert [closing.baseline for closing in world.feed()] == [None]
