"""How alerts end that no window speaks about any more, and what is no evidence for or against one."""

from dataclasses import replace

import numpy as np
import pytest

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.check import ended, failed, silence_changed
from modeltrail.drift.policy.alerts import follow, from_json, to_json
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.windows.closing import BaselineRef, Silence, Window
from modeltrail.events.checks import CheckCompleted
from tests.drift.checks.test_check import BASELINE, HOUR, checked, closing, configured, rows, series
from tests.drift.timelines import DEFAULT, FIELD, alert_name, played, tumbling, verdict


def emptied(line, policy=DEFAULT):
    """Fold a timeline in which `o` is a window without any row of the subject."""
    tracks, drawn = {}, ""
    names = {"raised": "R", "escalated": "E", "open": "-", "resolved": "X"}
    for mark, span in zip(line, tumbling(len(line)), strict=True):
        found = [] if mark in "o?" else [verdict(mark)]
        empty = {FIELD} if mark == "o" else set()
        tracks, happened = follow(
            from_json(to_json(tracks)), found, span, policy, alert_name(span), "", {FIELD}, empty
        )  # fmt: skip
        drawn += names[happened[0].kind] if happened else "."
    return drawn, happened


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("W" + "o" * 16, "R" + "-" * 15 + "X"),
        ("W" + "?" * 20, "R" + "-" * 20),  # too few rows is not none
        ("W" + "o" * 15 + "?" + "o" * 15, "R" + "-" * 31),
        ("W" + "o" * 15 + "w" + "o" * 15, "R" + "-" * 31),
        ("W" + "o" * 16 + "oW", "R" + "-" * 15 + "X.R"),
        ("o" * 20, "." * 20),
    ],
)
def test_an_alert_about_what_is_not_there_any_more_ends_after_sixteen_windows(line, wanted):
    assert emptied(line)[0] == wanted


def test_it_says_why():
    (resolved,) = emptied("W" + "o" * 16)[1]
    assert (resolved.reason, resolved.verdict) == ("gone", None)


def test_the_alert_of_a_segment_that_vanishes_is_resolved_in_words():
    monitor = configured(segments=["dest"], fields=["delay"])
    moved = rows(1, 3_000)
    moved["delay"] = np.where(np.array(moved["dest"]) == "JFK", moved["delay"] + 60, moved["delay"])
    without = [rows(seed, 200, dest=["EWR", "LGA"] * 100) for seed in range(2, 18)]
    results = series([moved, *without], monitor)
    assert any("`delay` where `dest` is JFK moved" in message for message in results[0].messages)
    ends = [message for result in results for message in result.messages if "is JFK has had no predictions" in message]
    assert ends == [results[-1].messages[-1]]
    assert "`delay` where `dest` is JFK has had no predictions in 16 windows, 1970-01-01 16:00" in ends[0]


def test_a_threshold_of_nothing_at_all_does_not_keep_an_alert_for_ever():
    policy = Policy(psi_warning=0.0)
    assert played("ww..", policy)[0] == ".R-X"


OTHER = Baseline.from_frame(
    rows(90, 5_000), model_id="flights", model_version="1.0.0", positive_label="late", segments=("dest",)
)


def test_what_held_against_another_baseline_is_no_second_window():
    monitor = configured(fields=["delay"], policy={"raise_at": "critical"}, thresholds={"psi_critical": 9.0})
    before = checked(closing(0, monitor), rows(1, shift=15)).carry
    again = rows(2, shift=15)
    same = checked(closing(1, monitor), again, before)
    changed = checked(closing(1, monitor, baseline=BaselineRef(OTHER.id, OTHER.sha256)), again, before, baseline=OTHER)
    windows = [found.carry["alerts"][0]["holds"]["warning"][0] for found in (same, changed)]
    assert windows == [2, 1]


def test_an_open_alert_outlives_a_change_of_baseline():
    raised = checked(closing(0), rows(1, shift=15))
    at = closing(1, baseline=BaselineRef(OTHER.id, OTHER.sha256))
    still = checked(at, rows(2, shift=15), raised.carry, baseline=OTHER)
    assert [(each.alert_id, each.transition) for each in still.check.alerts] == [
        (raised.check.alerts[0].alert_id, "open")
    ]


def test_that_predictions_keep_coming_is_not_no_drift():
    monitor = configured(silence={"rate_factor": 3}, fields=["delay"])
    results = series([rows(seed, 2) for seed in range(6)], monitor)
    assert results[5].check.silence.condition == "predicting"
    assert {(each.status, each.state) for each in results} == {("insufficient_data", None)}


def test_a_rate_that_changed_is_told_though_there_is_too_little_to_compare():
    monitor = configured(silence={"rate_factor": 3}, fields=["delay"])
    last = series([*(rows(seed, 2) for seed in range(6)), rows(9, 18)], monitor)[-1]
    assert (last.status, last.state, last.check.silence.condition) == ("insufficient_data", "warning", "fast")


def test_a_window_that_silence_closed_has_no_rate():
    monitor = configured(silence={"rate_factor": 3, "max_gap_s": 60})
    results = series([rows(seed) for seed in range(6)], monitor)
    assert results[5].check.silence is not None
    closed = checked(closing(6, monitor, closed_by="silence"), rows(9, 40), results[5].carry)
    assert closed.check.silence is None
    assert not [each for each in closed.alerts if each.data.kind == "silence"]


def test_alerts_of_a_monitor_that_is_switched_off_are_resolved_and_begin_anew():
    monitor = configured()
    results = series([rows(1, shift=15)], monitor)
    at = closing(1, monitor, ended=True, closed_by="configured", window=Window(HOUR, HOUR))
    over = ended(at, BASELINE, carry=results[0].carry)
    assert (over.status, over.state, over.check.closed_by) == ("skipped", None, "configured")
    assert CheckCompleted.model_validate_json(over.to_event().model_dump_json()) == over.check
    (alert,) = over.alerts
    assert alert.data.alert_id == results[0].alerts[0].data.alert_id
    assert alert.data.evidence["reason"] == "unwatched"
    assert "`delay` is not watched any more" in alert.data.message
    assert ended(at, BASELINE, carry=over.carry).alerts == ()
    again = checked(closing(2, monitor), rows(3, shift=15), over.carry)
    assert again.alerts[0].data.evidence["predecessor"] == alert.data.alert_id


def test_a_window_that_closes_again_after_its_monitor_was_switched_off_and_on_raises_another_alert():
    """|0--R silence--off on----| R   and once more: an id that was resolved would stay resolved."""
    monitor, carry, told = configured(silence={"max_gap_s": 60}), {}, []
    for closed_by, shift in (("silence", 15), ("silence", 16), ("watermark", 17)):
        raised = checked(closing(0, monitor, closed_by=closed_by), rows(shift, shift=shift), carry)
        off = closing(0, monitor, ended=True, closed_by="configured", window=Window(HOUR // 2, HOUR // 2))
        over = ended(off, BASELINE, carry=raised.carry)
        told += [raised.alerts[0].data, over.alerts[0].data]
        carry = over.carry
    raised, resolved = told[::2], told[1::2]
    assert len({each.alert_id for each in raised}) == 3
    assert [each.alert_id for each in resolved] == [each.alert_id for each in raised]
    assert [each.evidence["predecessor"] for each in raised[1:]] == [each.alert_id for each in raised[:2]]
    later = checked(closing(1, monitor), rows(9, shift=15), carry)
    assert later.alerts[0].data.alert_id == checked(closing(1, monitor), rows(9, shift=15)).alerts[0].data.alert_id


def test_a_silence_that_nobody_listens_to_any_more_is_resolved():
    told = Silence(silent=True, last_ms=1_000, max_gap_s=60)
    raised = silence_changed(closing(0, kind="silence", silence=told), BASELINE)
    at = closing(1, kind="silence", silence=replace(told, silent=False), ended=True, closed_by="configured")
    over = ended(at, None, carry=raised.carry)
    assert [each.data.alert_id for each in over.alerts] == [raised.alerts[0].data.alert_id]
    assert "is not watched any more" in over.alerts[0].data.message


@pytest.mark.parametrize(("waiting", "kept"), [(100, True), (10_000, False)])
def test_a_fold_that_fits_no_event_is_not_carried_and_the_alerts_are(waiting, kept):
    """Thousands of runs that wait for their truth, each with two cuts: a restart reads on from an earlier check."""
    raised = checked(closing(0), rows(1, shift=15))
    fold = {
        "waiting": [[at, 60, "1.0.0", at, {"chain": at}, {"chain": at, "of another": 10 * at}] for at in range(waiting)]
    }
    found = checked(closing(1, fold=fold), rows(2, shift=15), raised.carry)
    assert ("fold" in found.carry) is kept
    assert found.carry["alerts"]
    assert ("fold" in failed(closing(1, fold=fold), BASELINE, ValueError("x")).carry) is kept
