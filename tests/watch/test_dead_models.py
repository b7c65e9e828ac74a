"""A model that has died, in a world with a clock: the watch itself has chained what closes its last windows."""

from tests.watch.test_service import DAYS, checks, small_log
from tests.watch.worlds import OddWorld

TRUTH_S = 23 * 3600 + 60
"""The last prediction is of 23:00, so that the truth of the day before is waited for a minute longer."""


def test_the_truth_of_a_dead_model_is_no_longer_waited_for_than_the_log_says():
    """|4-------p23:00 . . T 30 s: silent . . . T 60 s: the truth of day 3."""
    performance = [{"metric": "auc", "max_drop": 0.1, "label_delay_s": TRUTH_S}]
    world = OddWorld(small_log(end=False, silence={"max_gap_s": 30}, performance=performance))
    published = world.run(rest_s=150)
    told = [(each.window.start[8:10], each.closed_by) for each in checks(published, kind="performance")]
    assert sorted(told) == [("01", "watermark"), ("02", "watermark"), ("03", "watermark"), ("04", "silence")]
    last = next(each for each in checks(published, kind="performance") if each.closed_by == "silence")
    assert last.cut.entry.chain.startswith("c/t.checks/")
    assert len(checks(published)) == DAYS
    assert 2 <= len(checks(published, kind="tick")) <= 6


def test_without_a_limit_of_silence_there_are_no_ticks_and_it_is_waited_for():
    performance = [{"metric": "auc", "max_drop": 0.1, "label_delay_s": TRUTH_S}]
    published = OddWorld(small_log(end=False, performance=performance)).run(rest_s=150)
    assert len(checks(published, kind="performance")) == DAYS - 2
    assert checks(published, kind="tick") == []
