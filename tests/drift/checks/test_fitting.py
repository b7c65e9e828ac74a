"""Checks that would not fit an event."""

import numpy as np
import pytest

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.fitting import CHECK_MAX_BYTES, fitted
from modeltrail.drift.checks.monitor import Monitor
from modeltrail.drift.policy.look_back import WindowCounts
from modeltrail.events.checks import CheckCompleted

FLAGS = 40


def frame(seed, rows=300, share=0.3):
    rng = np.random.default_rng(seed)
    made = {f"flag_{at:02}": (rng.random(rows) < 0.3).tolist() for at in range(FLAGS)}
    return made | {"moved": (rng.random(rows) < share).tolist()}


CHECK = Monitor(Baseline.from_frame(frame(0, 3_000), model_id="m", model_version="1")).check(frame(1, share=0.8)).check


def size(check):
    return len(check.model_dump_json(exclude_none=True, exclude_defaults=True))


def test_what_fits_stays_whole():
    assert fitted(CHECK) is CHECK
    assert size(CHECK) < CHECK_MAX_BYTES


@pytest.mark.parametrize("share", [0.95, 0.8, 0.6])
def test_details_go_and_counts_states_and_alerts_stay(share):
    limit = int(share * size(CHECK))
    found = fitted(CHECK, limit)
    assert size(found) <= limit
    assert CheckCompleted.model_validate_json(found.model_dump_json()) == found
    assert WindowCounts.of_check(found).counts == WindowCounts.of_check(CHECK).counts
    assert [each.state for each in found.fields] == [each.state for each in CHECK.fields]
    assert [each.statistics["psi_debiased"] for each in found.fields] == [
        each.statistics["psi_debiased"] for each in CHECK.fields
    ]
    assert (found.alerts, found.carry, found.check_id) == (CHECK.alerts, CHECK.carry, CHECK.check_id)
    reduced = [each for each in found.fields if not each.top]
    assert {each.state for each in reduced} == {"stable"}
    assert all(each.reason == "details are left out, so that the check fits an event" for each in reduced)
    assert next(each for each in found.fields if each.name == "moved").top


def test_where_nothing_else_is_left_those_that_moved_are_told_in_short():
    found = fitted(CHECK, 1_000)
    moved = next(each for each in found.fields if each.name == "moved")
    assert (moved.state, moved.top, set(moved.p_values)) == ("critical", [], {"corrected"})
    assert moved.counts


def judged(seed, rows=4_000):
    rng = np.random.default_rng(seed)
    truth, by = rng.random(rows) < 0.4, rng.integers(0, 30, rows)
    called = np.where(rng.random(rows) < np.where((by == 7) & (seed > 0), 0.1, 0.9), truth, ~truth)
    return {"by": [f"s{at}" for at in by], "label": called, "outcome": truth}


def test_of_metrics_in_segments_that_are_as_they_were_the_details_go_first():
    baseline = Baseline.from_frame(judged(0), model_id="m", model_version="1", segments=("by",))
    asked = [{"metric": metric, "max_drop": 0.1} for metric in ("accuracy", "recall")]
    check = Monitor(baseline, segments=["by"], performance=asked).check_performance(judged(1)).check
    assert fitted(check) is check
    limit = int(0.8 * size(check))
    found = fitted(check, limit)
    assert size(found) <= limit
    assert CheckCompleted.model_validate_json(found.model_dump_json()) == found
    kept = [(each.metric, each.segment, each.state, each.value, each.n, each.p_value) for each in check.metrics]
    assert [(e.metric, e.segment, e.state, e.value, e.n, e.p_value) for e in found.metrics] == kept
    whole = [each for each in found.metrics if each.segment is None or each.segment.value == "s7"]
    assert all(each.low is not None and each.variance is not None for each in whole)
    assert {each.state for each in whole} > {"critical"}
    rest = [each for each in found.metrics if each not in whole]
    assert {each.low for each in rest} == {None}
    assert {each.reason for each in rest} == {"details are left out, so that the check fits an event"}
