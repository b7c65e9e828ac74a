"""What comes late: it counts again, or it is numbered."""

import json

import pytest

from modeltrail.drift.windows.watch import Watch
from tests.drift.windows.timeline import P0, P1, World, told


def test_a_late_entry_supersedes_at_the_next_closing():
    r"""|0--p--1--p--l(0.5)--2--p       l belongs to a window that has closed."""
    world = World().p(0.2, 1.1)
    assert world.windows() == ["0-1"]
    assert world.p(0.5, log=1.2).windows() == []
    assert world.p(2.1).windows() == ["0-1 superseding", "1-2"]
    assert world.p(3.1).windows() == ["2-3"], "once"
    first, superseding, *_ = world.made
    assert superseding.supersedes == first.check_id
    assert superseding.cut != first.cut


def test_late_entries_of_a_window_that_had_none_give_its_first_check():
    """|0--p--1-----2--p--l(1.5)--3--p."""
    world = World().p(0.2, 2.1).p(1.5, log=2.3).p(3.1)
    assert world.windows() == ["0-1", "1-2 late", "2-3"]


@pytest.mark.parametrize(("horizon", "steps", "counted"), [(4, 3, True), (4, 4, False), (1, 0, True), (0, 0, False)])
def test_late_entries_count_for_as_many_steps_as_the_horizon_has(horizon, steps, counted):
    """|0-p-1-p-2-p-...   l(0.5) after the window has been closed for some steps."""
    world = World(late_horizon=horizon).p(0.2, 1.1)
    world.p(*(hour + 0.1 for hour in range(2, 2 + steps)))
    last = 1.1 + steps
    world.p(0.5, log=last + 0.2).p(last + 1)
    assert ("0-1 superseding" in world.windows()) == counted


def numbered(closings):
    """What closes, with how many entries came too late for any window."""
    return [f"{told(closing)} too late: {closing.too_late}" for closing in closings]


def test_what_comes_after_the_last_chance_is_numbered_in_the_next_check_and_changes_none():
    r"""|0--p--1--p--2--p--l(0.5)--l(0.6)--k(1.5)--3--p      l counts no more, k does: one step is allowed."""
    world = World(late_horizon=1).p(0.2, 1.1, 2.1)
    assert numbered(world.feed()) == ["0-1 too late: 0", "1-2 too late: 0"]
    assert world.p(0.5, 0.6, 1.5, log=2.2).windows() == []
    assert numbered(world.p(3.1).feed()) == ["1-2 superseding too late: 2", "2-3 too late: 0"]
    assert numbered(world.p(4.1).feed()) == ["3-4 too late: 0"], "once"


def test_each_version_and_each_delay_numbers_what_came_too_late_for_its_own_windows():
    """Version 2 is late by two hours: too late for drift, and in time for the truth that is waited for."""
    performance = [{"metric": "auc", "max_drop": 0.1, "label_delay_s": 4 * 3600}]
    world = World(late_horizon=0, performance=performance).p(0.2, 1.1, 2.1)
    world.feed()
    world.p(0.5, log=2.2, version="2").p(2.5, version="2").p(3.1)
    assert [(each.model_version, each.too_late) for each in world.feed()] == [("1", 0), ("2", 1)]
    world.p(5.1)
    found = [(each.kind, each.model_version, each.too_late) for each in world.feed() if each.kind == "performance"]
    assert found == [("performance", "1", 0), ("performance", "2", 0)]


def test_what_is_sent_for_windows_before_the_monitor_is_too_late_and_a_wrong_clock_is_not():
    """p(5.2) | monitor | p(0.5) p(1.5), p(9) logged at 5.3, p(6.1)."""
    world = World(monitor_id="other").p(5.2).configure(5.25).p(0.5, 1.5, log=5.3).p(9, log=5.3).p(6.1)
    mine = [closing for closing in world.feed() if closing.monitor.monitor_id == "w"]
    assert numbered(mine) == ["5-6 too late: 2"]


def test_a_restart_goes_on_numbering_what_came_too_late():
    world = World(late_horizon=0).p(0.2, 1.1)
    world.feed()
    world.p(0.5, log=1.2).p(2.1).p(0.6, log=2.2)
    (before,) = world.feed()
    assert before.too_late == 1
    world.p(3.1)
    (whole,) = world.feed()
    again = Watch(cut=whole.fold["cut"])
    again.restore(json.loads(json.dumps(whole.fold)))
    world.watch = again
    world.seqs[P0] -= 1
    (found,) = world.p(3.1).feed()
    assert found == whole
    assert found.too_late == 1


def test_an_entry_that_comes_behind_its_place_is_late_and_in_the_next_cut():
    """The second chain is given up; what it brings then stands before an entry that has closed a window."""
    world = World().p(0.2, 1.1)
    assert world.windows(incomplete=["modeltrail.predictions/1"]) == ["0-1 max_wait"]
    assert world.made[0].incomplete == ("modeltrail.predictions/1",)
    assert world.p(0.5, chain=P1).windows() == []
    assert world.p(2.1).windows() == ["0-1 superseding", "1-2"]
    assert str(P1) not in world.made[0].cut
    assert world.made[1].cut[str(P1)] == 0
