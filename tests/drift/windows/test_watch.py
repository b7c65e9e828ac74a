"""When a window closes, timeline by timeline.

Hours of 1 January 2024; a prediction `p` stands in the log a minute after its event time unless said otherwise.
"""

import json

import numpy as np
import pytest

from modeltrail.drift.windows.closing import learned_baseline_id, window_of
from modeltrail.drift.windows.narrow import BaselineNamed, NarrowRows, told_by
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.models import MonitorAdvanced
from tests.drift.windows.timeline import BEGIN_MS, HOUR_MS, MODELS, P0, World, told


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
