"""A monitor without a server: frames in, the same results out."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.monitor import Monitor
from modeltrail.errors import InvalidEventError


def frame(seed, rows=1_000, shift=0.0):
    rng = np.random.default_rng(seed)
    score = rng.random(rows)
    return {
        "delay": rng.standard_normal(rows) + shift,
        "origin": rng.choice(["EWR", "JFK"], rows).tolist(),
        "score": score,
        "label": np.where(score > 0.5, "late", "on time").tolist(),
        "truth": np.where(rng.random(rows) < score, "late", "on time").tolist(),
    }


BASELINE = Baseline.from_frame(frame(0, 5_000), model_id="flights", model_version="1.0.0", positive_label="late")


def test_frame_after_frame_is_window_after_window():
    monitor = Monitor(BASELINE)
    results = [monitor.check(frame(seed, shift=shift)) for seed, shift in ((1, 0), (2, 1), (3, 1), (4, 0), (5, 0))]
    assert [each.transition for result in results for each in result.check.alerts] == [
        "raised", "open", "open", "resolved",
    ]  # fmt: skip
    assert [result.check.window.index for result in results] == [0, 1, 2, 3, 4]
    assert results[1].state == "critical"
    assert {each.name: each.state for each in results[1].fields}["delay"] == "critical"
    assert len({result.check.check_id for result in results}) == 5


def test_merged_look_backs_reach_over_frames():
    monitor = Monitor(BASELINE)
    for seed in range(4):
        result = monitor.check(frame(seed, 300))
    assert [each.index for each in result.check.look_back] == [2, 1, 0]
    assert "effect_4" in result.fields[0].statistics


def test_windows_may_have_times_which_sentences_speak_of():
    monitor = Monitor(BASELINE)
    result = monitor.check(frame(1, shift=1), start=datetime(2013, 7, 1, tzinfo=UTC), end="2013-07-08T00:00:00Z")
    assert "over 1,000 predictions, 2013-07-01 to 2013-07-08; " in result.messages[0]
    assert result.alerts[0].data.opened_at == "2013-07-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("times", "field"),
    [
        ({"start": "2013-07-01T00:00:00Z"}, "end"),
        ({"start": "2013-07-08T00:00:00Z", "end": "2013-07-01T00:00:00Z"}, "end"),
        ({"start": "yesterday", "end": "2013-07-01T00:00:00Z"}, "start"),
        ({"start": datetime(2013, 7, 1), "end": "2013-07-08T00:00:00Z"}, "start"),  # noqa: DTZ001
    ],
)
def test_a_window_that_is_none_is_refused_by_name(times, field):
    with pytest.raises(InvalidEventError) as refused:
        Monitor(BASELINE).check(frame(1), **times)
    assert refused.value.field == field


def test_a_result_is_printed_in_a_line_for_each_field_the_worst_first():
    some = frame(1, shift=1) | {"origin": ["EWR", "LGA"] * 500}
    head, *lines = repr(Monitor(BASELINE).check(some)).splitlines()
    assert head == "CheckResult: critical, flights 1.0.0, 1,000 predictions, window 0"
    assert [line.split()[:2] for line in lines] == [
        ["delay", "critical"], ["origin", "critical"], ["label", "stable"], ["score", "stable"],
    ]  # fmt: skip
    assert re.fullmatch(r"  delay   critical  PSI 0\.\d\d", lines[0])
    assert lines[1].endswith(", 50 % unseen")


def test_a_result_of_performance_is_printed_with_what_it_was_in_the_baseline():
    monitor = Monitor(
        BASELINE,
        performance=[{"metric": "auc", "max_drop": 0.05}],
        bias=[{"by": "origin", "metric": "selection_rate", "max_gap": 0.2}],
    )
    result = monitor.check_performance(frame(1), start="2013-07-01T00:00:00Z", end="2013-07-08T00:00:00Z")
    head, auc, gap = repr(result).splitlines()
    assert head == "CheckResult: stable, flights 1.0.0, 1,000 predictions, 2013-07-01 to 2013-07-08"
    assert re.fullmatch(r"  auc                       stable  0\.\d+ instead of 0\.\d+", auc)
    assert re.fullmatch(r"  selection_rate by origin  stable  gap [\d.]+, (EWR to JFK|JFK to EWR)", gap)


def test_a_result_without_enough_data_says_so_and_many_fields_are_not_all_printed():
    many = {f"f{at:02}": [1.0, 2.0] for at in range(30)}
    result = Monitor(Baseline.from_frame(many, model_id="flights", model_version="1.0.0")).check(many)
    head, *lines, last = repr(result).splitlines()
    assert head == "CheckResult: insufficient data, flights 1.0.0, 2 predictions, window 0"
    assert len(lines) == 20
    assert re.match(r"  f00  insufficient_data  2 rows", lines[0])
    assert last == "  and 10 more, the worst of them insufficient data"


def test_counts_of_bins_are_not_printed_with_a_field():
    field = Monitor(BASELINE).check(frame(1)).fields[0]
    assert field.counts
    assert " counts=" not in repr(field)
    assert "edges=" not in repr(BASELINE.event.fields[0])


def test_performance_and_gaps():
    monitor = Monitor(
        BASELINE,
        performance=[{"metric": "auc", "max_drop": 0.05}, {"metric": "brier", "max_drop": 0.05, "label_delay_s": 60}],
        bias=[{"by": "origin", "metric": "selection_rate", "max_gap": 0.2}],
    )
    fine = monitor.check_performance(frame(1))
    assert (fine.state, [each.metric for each in fine.metrics], fine.gaps[0].by) == (
        "stable",
        ["auc", "brier"],
        "origin",
    )
    wrong = frame(2)
    wrong["truth"] = ["late", "on time"] * 500
    bad = monitor.check_performance(wrong)
    assert {each.metric for each in bad.metrics if each.state == "critical"} == {"auc", "brier"}
    assert bad.check.window.index == 1


def test_a_monitor_that_asks_for_no_performance_says_so():
    with pytest.raises(InvalidEventError, match="must have a metric"):
        Monitor(BASELINE).check_performance(frame(1))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"policy": {"preset": "strict"}}, "preset"),
        ({"fields": ["delai"]}, "fields.0"),
        ({"segments": ["carrier"]}, "segments.0"),
        ({"threshold": 1}, "threshold"),
        ({"thresholds": {"psi_warning": 0.5, "psi_critical": 0.25}}, "psi_critical"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused_by_name(settings, named):
    with pytest.raises(InvalidEventError) as refused:
        Monitor(BASELINE, **settings)
    assert named in refused.value.field


SPLIT = Baseline.from_frame(frame(0, 500), model_id="flights", model_version="1.0.0", segments=["origin"])
SHORT = f"{SPLIT.sha256[:12]}..."


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fields": ["delai"]}, f"fields.0: 'delai': must be a field of the baseline {SHORT}; did you mean 'delay'?"),
        (
            {"fields": ["delay", "x"]},
            f"fields.1: 'x': must be a field of the baseline {SHORT}; there are delay, label, origin, score",
        ),
        ({"segments": ["orgin"]}, f"must be a segment of the baseline {SHORT}; did you mean 'origin'?"),
        ({"segments": ["delay"]}, f"{SHORT}; make a baseline with `--segment delay` (segments=['delay'] in Python)"),
        ({"segments": "origin"}, "monitor.segments: 'origin': must be a list"),
        ({"performance": [{"metric": "acu", "max_drop": 0.1}]}, "; did you mean 'auc'?"),
        ({"policy": {"preset": "sensitiv"}}, "; did you mean 'sensitive'?"),
    ],
)
def test_the_nearest_name_is_said_or_what_to_do(settings, words):
    with pytest.raises(InvalidEventError) as refused:
        Monitor(SPLIT, **settings)
    assert words in str(refused.value)


def test_what_is_no_baseline_is_refused_with_how_to_make_one():
    with pytest.raises(
        InvalidEventError, match=r"^baseline: 'a dict': must be a Baseline; make one with Baseline.from"
    ):
        Monitor(frame(1))


def test_presets_and_numbers_of_the_policy_are_in_the_result():
    result = Monitor(BASELINE, policy={"preset": "tolerant", "fdr": 0.1}, thresholds={"psi_warning": 0.2}).check(
        frame(1)
    )
    policy = result.check.policy
    assert (policy["preset"], policy["fdr"], policy["delta0"], policy["psi_warning"]) == ("tolerant", 0.1, 0.01, 0.2)


def test_the_type_of_a_frame_does_not_matter():
    pa = pytest.importorskip("pyarrow")
    mapping = frame(1)
    one, other = (Monitor(BASELINE).check(made) for made in (mapping, pa.table(mapping)))
    assert one.check == other.check
