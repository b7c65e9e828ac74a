"""When a window closes, timeline by timeline.

Hours of 1 January 2024; a prediction `p` stands in the log a minute after its event time unless said otherwise.
"""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from modeltrail.drift.windows.closing import learned_baseline_id, window_of
from modeltrail.drift.windows.narrow import BaselineNamed, Change, NarrowRows, Tick, told_by
from modeltrail.drift.windows.order import Position
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.moment import format_moment
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain

P0, P1 = (Chain("c", "modeltrail.predictions", number, 0, 0) for number in (0, 1))
MODELS = Chain("c", "modeltrail.models", 0, 0, 0)
CHECKS = Chain("c", "modeltrail.checks", 0, 0, 0)
BEGIN_MS = 1_704_067_200_000
HOUR_MS = 3_600_000


class World:
    """A log under way, and the watch of it."""

    def __init__(self, **monitor):
        self.watch = Watch()
        self.seqs = {}
        self.rows, self.changes, self.made = [], [], []
        self.configure(**monitor)

    def _place(self, chain, hour):
        self.seqs[chain] = self.seqs.get(chain, -1) + 1
        return Position.at(BEGIN_MS + round(hour * HOUR_MS), chain, self.seqs[chain])

    def p(self, *hours, log=None, chain=P0, version="1", model="m"):
        for hour in hours:
            position = self._place(chain, hour + 1 / 60 if log is None else log)
            self.rows.append((position, BEGIN_MS * 1000 + round(hour * HOUR_MS * 1000), model, version))
        return self

    def tell(self, told, hour=0.0, chain=MODELS):
        self.changes.append(Change(self._place(chain, hour), told))
        return self

    def configure(self, hour=0.0, **monitor):
        monitor = {"monitor_id": "w", "model_id": "m", "window": {"kind": "tumbling", "size_s": 3600}} | monitor
        return self.tell(MonitorConfigured.model_validate(monitor), hour)

    def advance(self, through, hour):
        at = datetime.fromtimestamp(BEGIN_MS / 1000 + through * 3600, tz=UTC)
        return self.tell(MonitorAdvanced(model_id="m", through=format_moment(at)), hour)

    def tick(self, hour):
        return self.tell(Tick("m"), hour, CHECKS)

    def feed(self, **more):
        parts = [
            NarrowRows.of_chain(
                position.of,
                seq=[position.seq],
                log_time=[position.log_time],
                time_us=[time],
                model=[model],
                version=[v],
            )
            for position, time, model, v in self.rows
        ]
        found = self.watch.feed(NarrowRows.concatenate(parts), self.changes, **more)
        self.rows, self.changes = [], []
        self.made += found
        return found

    def windows(self, **more):
        """What closes, as `start-end` in hours, with what is unusual about it."""
        return [told(closing) for closing in self.feed(**more)]


def told(closing):
    window = closing.window
    if window.is_run:
        span = f"run {window.index}"
    else:
        start, end = ((us // 1000 - BEGIN_MS) / HOUR_MS for us in (window.start_us, window.end_us))
        span = f"{start:g}-{end:g}"
    marks = [closing.kind] if closing.kind != "drift" else []
    marks += [closing.closed_by] if closing.closed_by not in {"watermark", "count"} else []
    marks += ["superseding"] if closing.supersedes else ["late"] if closing.late else []
    marks += [f"+{closing.label_delay_s} s"] if closing.label_delay_s else []
    return " ".join([span, *marks])


def test_a_window_closes_at_the_first_entry_past_its_end_which_is_not_part_of_it():
    """|0--p--p--1--p      the third closes the first window."""
    world = World().p(0.2, 0.7, 1.3)
    assert world.windows() == ["0-1"]
    (closing,) = world.made
    assert closing.x.seq == 2
    assert closing.cut == {str(MODELS): 0, str(P0): 1}


def test_an_entry_at_the_very_end_of_a_window_is_past_it():
    """|0--p--p|1."""
    assert World().p(0.2, 1.0).windows() == ["0-1"]


def test_lateness_is_waited_for():
    """|0--p--1--p(1.3)-----p(1.5)   with half an hour."""
    world = World(window={"kind": "tumbling", "size_s": 3600, "allowed_lateness_s": 1800})
    assert world.p(0.2, 1.3).windows() == []
    assert world.p(1.5).windows() == ["0-1"]


def test_windows_without_entries_give_no_check():
    """|0--p--1-----2-----...-----9--p."""
    assert World().p(0.2, 9.5).windows() == ["0-1"]


def test_one_entry_closes_several_windows_that_wait():
    """|0-p-1-p-2-p-3  two hours of lateness, then a jump."""
    world = World(window={"kind": "tumbling", "size_s": 3600, "allowed_lateness_s": 7200})
    assert world.p(0.2, 1.2, 2.2, 8).windows() == ["0-1", "1-2", "2-3"]
    assert len({closing.x for closing in world.made}) == 1
    assert len({json.dumps(closing.fold) for closing in world.made}) == 1


def test_a_wrong_clock_closes_nobodys_window():
    """|0--p--F(5.2, logged at 0.3)--p--1--p."""
    world = World().p(0.2).p(5.2, log=0.3).p(0.5)
    assert world.windows() == []
    assert world.p(1.1).windows() == ["0-1"]


def test_five_minutes_ahead_of_the_log_is_no_wrong_clock():
    """|0--p--|1  p(1.0) logged at 0.92, then p(1.0) logged a millisecond too early."""
    world = World().p(0.2).p(1.0, log=1 - 1 / 12 - 1 / HOUR_MS)
    assert world.windows() == []
    assert world.p(1.0, log=1 - 1 / 12).windows() == ["0-1"]


def test_an_entry_with_a_wrong_clock_alone_opens_no_window():
    assert World().p(5.2, log=0.3).p(9.0).windows() == []


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


def test_outcomes_move_nothing_but_are_in_the_cut():
    world = World().p(0.2, 0.3).p(7.0, log=0.5, model=None, version=None).p(1.1)
    assert world.windows() == ["0-1"]
    assert world.made[0].cut[str(P0)] == 2


def test_the_watermark_is_the_models_and_each_version_has_its_own_checks():
    """version 1: p(0.2)    version 2: p(0.4), p(1.1)."""
    world = World().p(0.2).p(0.4, 1.1, version="2")
    world.feed()
    assert [(told(closing), closing.model_version) for closing in world.made] == [("0-1", "1"), ("0-1", "2")]


def test_other_models_close_nothing():
    assert World().p(0.2).p(5.0, model="other").windows() == []


def test_advancing_closes_what_has_been_sent():
    """|0--p--1--p--A(2)."""
    world = World().p(0.2, 1.1).advance(2, hour=1.5)
    assert world.windows() == ["0-1", "1-2 advanced"]
    assert world.made[1].x.topic == "modeltrail.models"
    assert world.advance(1, hour=1.6).windows() == []


def test_sliding_windows_close_one_after_another():
    """size 2, step 1:  |0--p--1-----2-----3."""
    world = World(window={"kind": "sliding", "size_s": 7200, "step_s": 3600})
    assert world.p(0.5, 1.5, 2.5, 5).windows() == ["-1-1", "0-2", "1-3", "2-4"]


@pytest.mark.parametrize(
    "window",
    [
        {"kind": "sliding", "size_s": 7200, "step_s": 3600},
        {"kind": "tumbling", "size_s": 7 * 86_400},
        {"kind": "schedule", "cron": "0 0 * * 1", "timezone": "UTC"},
    ],
)
def test_a_window_never_begins_before_the_first_time_that_an_event_can_have(window):
    world = World(window=window)
    world.p(-BEGIN_MS / HOUR_MS, log=0.5).p(1)  # a producer that left the time at zero
    world.feed()
    first = world.made[0]
    assert first.check_window.start == "1970-01-01T00:00:00.000000Z"
    assert window_of(first.check_window, first.cut) == first.window


def test_performance_waits_for_the_truth_once_for_each_delay():
    """|0--p--1 drift and f1 .. 3 auc."""
    world = World(
        performance=[
            {"metric": "auc", "max_drop": 0.1, "label_delay_s": 7200},
            {"metric": "rmse", "max_drop": 0.1, "label_delay_s": 7200},
            {"metric": "f1", "max_drop": 0.1},
        ]
    )
    assert world.p(0.2, 1.1).windows() == ["0-1", "0-1 performance"]
    assert world.p(2.9).windows() == ["1-2", "1-2 performance"]
    assert world.p(3.0).windows() == ["0-1 performance +7200 s", "2-3", "2-3 performance"]
    assert len({closing.check_id for closing in world.made}) == len(world.made)


def test_two_delays_that_end_at_one_entry_are_two_checks():
    delays = [{"metric": name, "max_drop": 0.1, "label_delay_s": delay} for name, delay in (("auc", 60), ("f1", 90))]
    world = World(performance=delays).p(0.2).advance(5, hour=1)
    assert len(world.feed()) == 3
    assert len({closing.check_id for closing in world.made}) == 3


def test_a_run_closes_at_its_last_prediction_which_belongs_to_it():
    """p p p|p p."""
    world = World(window={"kind": "count", "every": 3}).p(0.1).p(7, log=0.15).p(0.2, 0.3, 0.4)
    assert world.windows() == ["run 0"]
    (closing,) = world.made
    assert closing.cut[str(P0)] == closing.x.seq == 2
    assert closing.window.after == {}
    assert world.p(0.5).windows() == ["run 1"]
    assert world.made[1].window.after == closing.cut


def test_the_truth_of_a_run_is_waited_for_by_the_watermark():
    """p p|p(1.0)--p(1.6)   the run is what it was, the cut is later."""
    performance = [{"metric": "auc", "max_drop": 0.1, "label_delay_s": 3600}]
    world = World(window={"kind": "count", "every": 2}, performance=performance).p(0.1, 0.6, 1.0)
    assert world.windows() == ["run 0"]
    assert world.p(1.6).windows() == ["run 0 performance +3600 s", "run 1"]
    waited = world.made[1]
    assert (waited.window.upto[str(P0)], waited.cut[str(P0)]) == (1, 2)


@pytest.mark.parametrize("of", [{}, {"window": {"kind": "count", "every": 2}, "performance": []}])
def test_the_contract_says_all_that_a_window_is(of):
    world = World(**of).p(0.2, 0.3, 1.2)
    world.feed()
    for closing in world.made:
        assert window_of(closing.check_window, closing.cut) == closing.window


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


def test_silence_is_shown_by_a_tick_and_closes_what_is_open():
    """|0--p . . . T(3) . . p(4)    with max_gap of an hour."""
    world = World(silence={"max_gap_s": 3600}).p(0.25, log=0.25)
    assert world.tick(1.25).windows() == [], "an hour is not more than an hour"
    world.feed()
    assert [each.due_ms for each in world.watch.overdue(BEGIN_MS + 2 * HOUR_MS)] == [BEGIN_MS + HOUR_MS * 5 // 4]
    assert world.tick(3).windows() == ["0-1 silence", "0.25-1.25 silence silence"]
    assert world.watch.overdue(BEGIN_MS + 9 * HOUR_MS) == []
    assert world.tick(3.5).windows() == [], "told once"
    assert world.p(0.5, log=4).windows() == ["0.25-4 silence silence"]
    assert [closing.silence.silent for closing in world.made if closing.silence] == [True, False]
    assert world.p(1.1, log=4.1).windows() == ["0-1 superseding"]


def test_silence_that_nobody_noticed_is_told_when_it_is_over():
    """|0--p . . . . . p(4)."""
    world = World(silence={"max_gap_s": 3600}, window={"kind": "tumbling", "size_s": 86_400}).p(0.2, 4)
    assert [closing.silence.silent for closing in world.feed()] == [True, False]


def learning(**more):
    world = World(learn={"predictions": 100}, **more)
    return world.p(*(hour / 200 for hour in range(99)))


def test_a_baseline_is_learned_from_the_first_predictions():
    world = learning()
    assert world.windows() == []
    world.p(0.6, 0.7)
    assert world.windows() == ["run 0 learn"]
    (closing,) = world.made
    assert closing.cut[str(P0)] == closing.x.seq == 99
    assert learned_baseline_id(closing) == f"learned-{closing.check_id}"
    assert world.p(*(0.7 + hour / 1000 for hour in range(200))).windows() == [], "once"
    assert world.p(1.1).windows() == ["0-1"]
    assert world.made[-1].baseline is None
    world.tell(BaselineNamed("learned", "a" * 64, "m", "1"), 1.5).p(2.1).feed()
    assert world.made[-1].baseline.baseline_id == "learned"


def test_nothing_is_learned_where_there_is_a_baseline():
    world = learning().tell(BaselineNamed("b", "b" * 64, "m", "1"), 0.3).p(0.6, 0.7)
    assert world.windows() == []


def test_learning_goes_on_after_a_restart():
    world = learning().p(0.6, 1.1, 1.2)
    found = world.feed()
    assert [closing.kind for closing in found] == ["learn", "drift"]
    watch = Watch(cut=found[0].fold["cut"])
    watch.restore(json.loads(json.dumps(found[0].fold)))
    again = World(learn={"predictions": 100})
    again.watch = watch
    again.p(*(hour / 200 for hour in range(99))).p(0.6, 1.1, 1.2)
    assert again.feed() == found


def test_a_state_of_another_form_is_refused():
    with pytest.raises(ValueError, match=r"fold\.format"):
        Watch().restore({"format": 99, "model": "m"})


def test_what_tells_the_watch_nothing_is_left_out():
    assert told_by(MonitorAdvanced(model_id="m", through="2024-01-01T00:00:00Z")) is not None
    assert told_by("anything else") is None


def columns(times_us, chain=P0):
    count = times_us.size
    zeros = np.zeros(count, np.int32)
    return NarrowRows((chain,), ("m",), ("1",), zeros, np.arange(count), times_us // 1000, times_us, zeros, zeros)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ({"kind": "tumbling", "size_s": 86_400}, 399),
        ({"kind": "schedule", "cron": "@daily", "timezone": "Europe/Berlin"}, 400),
        ({"kind": "schedule", "cron": "@weekly"}, 57),
        ({"kind": "count", "every": 1000}, 38),
    ],
)
def test_four_hundred_days_in_one_go(window, expected):
    """Every quarter of an hour from 1 January 2024, over two turns of the year's clocks and one of the year."""
    world = World(window=window)
    rows = columns(BEGIN_MS * 1000 + np.arange(400 * 96, dtype=np.int64) * 900_000_000)
    found = world.watch.feed(rows, world.changes)
    assert len(found) == expected
    ends = [closing.window.end_us or closing.window.index for closing in found]
    assert ends == sorted(set(ends))
    assert not any(closing.late for closing in found)


@pytest.mark.parametrize("window", [{"kind": "tumbling", "size_s": 60}, {"kind": "schedule", "cron": "* * * * *"}])
def test_windows_of_a_minute_with_gaps_of_months(window):
    """Three predictions in three years: the million and a half windows between are not looked at."""
    world = World(window=window, late_horizon=4)
    months = np.array([0, 11, 36], dtype=np.int64) * 30 * 24
    found = world.watch.feed(columns(BEGIN_MS * 1000 + months * HOUR_MS * 1000), world.changes)
    assert [told(closing) for closing in found] == ["0-0.0166667", "7920-7920.02"]
