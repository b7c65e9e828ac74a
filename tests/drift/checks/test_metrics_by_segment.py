"""Metrics in each segment of a monitor: what they are of, what they are compared with, and that few rows raise nothing.

The oracle is scikit-learn on the rows of the segment.
"""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as oracle

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.check import evaluate
from modeltrail.drift.checks.content import WindowContent
from modeltrail.drift.checks.monitor import Monitor
from modeltrail.drift.checks.plan import content_plan
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.rows.samples import read_columns
from modeltrail.errors import InvalidEventError
from modeltrail.events.alerts import AlertRaised
from modeltrail.events.checks import CheckCompleted
from tests.drift.checks.test_check import closing, configured

ORIGINS = ("EWR", "JFK", "LGA")
POLICY = Policy()
OF = {"model_id": "m", "model_version": "1"}


def binary(seed, rows=1_500, right=0.8, wrong_in=None, origins=ORIGINS):
    """A window; in the segment `wrong_in` half of what was called is wrong."""
    rng = np.random.default_rng(seed)
    origin = rng.choice(origins, rows)
    truth = rng.random(rows) < 0.4
    called = np.where(rng.random(rows) < np.where(origin == wrong_in, 0.5, right), truth, ~truth)
    return {
        "origin": origin,
        "score": np.where(called, 0.55, 0.05) + 0.4 * rng.random(rows),
        "label": np.where(called, "late", "on time"),
        "outcome": np.where(truth, "late", "on time"),
    }


def multiclass(seed, rows=1_500):
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    called = np.where(rng.random(rows) < 0.7, truth, rng.integers(0, 3, rows))
    names = np.array(["bus", "car", "train"])
    return {"origin": rng.choice(ORIGINS, rows), "label": names[called], "outcome": names[truth]}


def regression(seed, rows=1_500):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(5, 15, rows)
    return {"origin": rng.choice(ORIGINS, rows), "value": truth + rng.normal(0, 1, rows), "outcome": truth}


def baseline_of(frame, **options):
    return Baseline.from_frame(frame, **OF, segments=("origin",), **options)


BINARY = baseline_of(binary(0, 6_000), positive_label="late")
ALL_OF_BINARY = ("accuracy", "error_rate", "precision", "recall", "f1", "auc", "brier", "log_loss")


def monitor_of(baseline, *metrics, max_drop=0.1, **settings):
    asked = [{"metric": metric, "max_drop": max_drop} for metric in metrics]
    return Monitor(baseline, segments=["origin"], performance=asked, **settings)


def late(frame, of, rows):
    return frame[of][rows] == "late"


def by_scikit_learn(frame, metric, rows):
    """The figure of a metric over some rows of a frame."""
    macro = {"average": "macro", "zero_division": 0}
    if metric in ("mae", "rmse", "mape"):
        named = {
            "mae": oracle.mean_absolute_error,
            "rmse": oracle.root_mean_squared_error,
            "mape": oracle.mean_absolute_percentage_error,
        }
        return named[metric](frame["outcome"][rows], frame["value"][rows])
    if metric in ("auc", "brier", "log_loss"):
        named = {"auc": oracle.roc_auc_score, "brier": oracle.brier_score_loss, "log_loss": oracle.log_loss}
        return named[metric](late(frame, "outcome", rows), frame["score"][rows])
    truth, called = frame["outcome"][rows], frame["label"][rows]
    if "late" in truth:
        truth, called, macro = truth == "late", called == "late", {"zero_division": 0}
    named = {
        "accuracy": lambda: oracle.accuracy_score(truth, called),
        "error_rate": lambda: oracle.zero_one_loss(truth, called),
        "precision": lambda: oracle.precision_score(truth, called, **macro),
        "recall": lambda: oracle.recall_score(truth, called, **macro),
        "f1": lambda: oracle.f1_score(truth, called, **macro),
    }
    return named[metric]()


@pytest.mark.parametrize(
    ("make", "options", "names"),
    [
        (binary, {"positive_label": "late"}, ALL_OF_BINARY),
        (multiclass, {}, ("accuracy", "error_rate", "precision", "recall", "f1")),
        (regression, {}, ("mae", "rmse", "mape")),
    ],
)
def test_figures_and_references_are_scikit_learns_over_the_rows_of_the_segment(make, options, names):
    before, now = make(0, 6_000), make(1)
    found = monitor_of(baseline_of(before, **options), *names).check_performance(now).metrics
    assert len(found) == len(names) * (1 + len(ORIGINS))
    for each in found:
        where = [frame["origin"] == each.segment.value if each.segment else slice(None) for frame in (now, before)]
        assert each.value == pytest.approx(by_scikit_learn(now, each.metric, where[0]), rel=1e-12)
        assert each.reference == pytest.approx(by_scikit_learn(before, each.metric, where[1]), rel=1e-12)
        assert each.low <= each.value <= each.high
        assert each.n == now["origin"][where[0]].size
        assert (each.coverage, each.state) == (1.0, "stable")
        assert each.reference_of == ("segment" if each.segment else None)
    assert {each.segment.value for each in found if each.segment} == set(ORIGINS)


def test_coverage_is_that_of_the_segment():
    """A third of the predictions of one airport wait for their truth; of all together nine in ten have theirs."""
    frame = binary(1, 3_000)
    frame["outcome"] = frame["outcome"].astype(object)
    waiting = np.flatnonzero(frame["origin"] == "JFK")[::4]
    frame["outcome"][waiting] = None
    found = {
        each.segment.value if each.segment else None: each
        for each in monitor_of(BINARY, "accuracy").check_performance(frame).metrics
    }
    rows = int((frame["origin"] == "JFK").sum())
    assert found["JFK"].coverage == pytest.approx((rows - waiting.size) / rows)
    assert (found["JFK"].state, found["JFK"].n) == ("insufficient_data", rows - waiting.size)
    assert found["JFK"].reason == "the truth of 75 % of the predictions is known, 90% needed"
    assert [found[name].state for name in (None, "EWR", "LGA")] == ["stable"] * 3
    assert found["EWR"].coverage == 1.0


def test_the_segment_that_got_worse_is_raised_by_name_and_no_other():
    monitor = monitor_of(BINARY, "accuracy", "brier", max_drop=0.2)
    times = {"start": "2013-07-01T00:00:00Z", "end": "2013-07-08T00:00:00Z"}
    result = monitor.check_performance(binary(1, 3_000, wrong_in="JFK"), **times)
    assert (result.status, result.state) == ("completed", "warning")
    (alert,) = (each for each in result.alerts if each.data.evidence["metric"] == "accuracy")
    assert isinstance(alert.data, AlertRaised)
    assert alert.data.kind == "performance"
    (jfk,) = (
        each for each in result.metrics if each.metric == "accuracy" and each.segment and each.segment.value == "JFK"
    )
    assert alert.data.message == (
        f"m 1: `accuracy` where `origin` is JFK is {jfk.value:.3g}, {jfk.low:.3g} to {jfk.high:.3g} "
        f"({jfk.reference:.3g} in the baseline, may be 0.2 worse) over {jfk.n:,} predictions whose truth is known, "
        "2013-07-01 to 2013-07-08"
    )
    evidence = alert.data.evidence
    assert evidence["condition"] == {
        "kind": "performance", "name": "accuracy", "segment": {"by": "origin", "value": "JFK"},
    }  # fmt: skip
    assert (evidence["reference_of"], evidence["value"], evidence["n"]) == ("segment", jfk.value, jfk.n)
    states = {(each.metric, each.segment.value if each.segment else None): each.state for each in result.metrics}
    assert {name for name, state in states.items() if state != "stable"} == {("accuracy", "JFK")}
    assert CheckCompleted.model_validate_json(result.to_event().model_dump_json()) == result.check


def test_alerts_of_segments_have_ids_of_their_own_and_each_its_own_end():
    monitor = monitor_of(BINARY, "accuracy", max_drop=0.1)
    windows = [None, "EWR", "EWR", "EWR"]
    results = [
        monitor.check_performance(binary(seed, 3_000, 0.8 if wrong_in else 0.5, wrong_in))
        for seed, wrong_in in enumerate(windows)
    ]
    raised = {str(each.condition.segment): each.alert_id for each in results[0].check.alerts}
    assert len(raised) == len(set(raised.values())) == 1 + len(ORIGINS)
    ended = [each.data for each in results[2].alerts]
    assert {each.evidence["condition"]["segment"]["value"] for each in ended} == {"JFK", "LGA"}
    assert {each.evidence["reason"] for each in ended} == {"quiet"}
    assert any("`accuracy` where `origin` is JFK is back within what is allowed" in each.message for each in ended)
    assert [each.condition.segment.value for each in results[3].check.alerts if each.condition.segment] == ["EWR"]


def test_the_error_budget_covers_segments_too():
    """Just significant alone, which among four tests is no longer so."""
    frame = binary(11, 1_500, right=0.69)
    alone = Monitor(BINARY, performance=[{"metric": "accuracy", "max_drop": 0.07}]).check_performance(frame)
    split = monitor_of(BINARY, "accuracy", max_drop=0.07).check_performance(frame)
    assert 0.0125 < alone.metrics[0].p_value < 0.05
    assert alone.metrics[0].p_value == split.metrics[0].p_value
    assert min(each.p_value for each in split.metrics) > 0.0125
    assert (alone.state, split.state) == ("warning", "stable")


def test_a_segment_of_which_the_baseline_knows_no_figure_is_compared_with_the_whole_and_says_so():
    before = binary(0, 6_000)
    before["outcome"] = before["outcome"].astype(object)
    before["outcome"][before["origin"] == "LGA"] = None
    monitor = monitor_of(baseline_of(before, positive_label="late"), "accuracy")
    result = monitor.check_performance(binary(1, 3_000, wrong_in="LGA"))
    found = {each.segment.value if each.segment else None: each for each in result.metrics}
    assert [found[name].reference_of for name in (None, *ORIGINS)] == [None, "segment", "segment", "whole"]
    assert found["LGA"].reference == found[None].reference
    assert "`origin` is LGA" in result.messages[0]
    assert f"({found[None].reference:.3g} in the whole baseline, may be 0.1 worse)" in result.messages[0]


def test_a_threshold_needs_no_figure_of_the_baseline():
    before = {name: values for name, values in binary(0, 6_000).items() if name != "outcome"}
    baseline = baseline_of(before, positive_label="late")
    monitor = Monitor(baseline, segments=["origin"], performance=[{"metric": "accuracy", "threshold": 0.75}])
    result = monitor.check_performance(binary(1, 3_000, wrong_in="JFK"))
    states = {each.segment.value: each.state for each in result.metrics if each.segment}
    assert states == {"EWR": "stable", "JFK": "warning", "LGA": "stable"}
    assert {each.reference for each in result.metrics} == {None}
    assert any("`accuracy` where `origin` is JFK is 0." in each and "(limit 0.75)" in each for each in result.messages)


def test_a_mean_over_classes_is_not_compared_with_one_over_others():
    """A rare class that few rows lack takes its figure along: macro precision would seem to jump."""
    rng = np.random.default_rng(5)
    before = multiclass(0, 6_000)
    before["label"], before["outcome"] = (each.astype(object) for each in (before["label"], before["outcome"]))
    rare = np.flatnonzero(rng.random(6_000) < 0.02)
    before["outcome"][rare] = "boat"
    baseline = baseline_of(before)
    found = monitor_of(baseline, "precision", "accuracy").check_performance(multiclass(1)).metrics
    split = {each.metric: each for each in found if each.segment and each.segment.value == "JFK"}
    assert (split["precision"].state, split["precision"].reference_of) == ("insufficient_data", None)
    assert split["precision"].reason == "it is a mean over 3 classes, and the baseline has none over as many"
    assert split["precision"].value == pytest.approx(
        by_scikit_learn(multiclass(1), "precision", multiclass(1)["origin"] == "JFK")
    )
    assert split["accuracy"].state == "stable"


@pytest.mark.parametrize(("rows", "reason"), [(0, "0 rows"), (9, "9 rows have a label and its truth, at least 10")])
def test_few_rows_are_insufficient_and_never_stable(rows, reason):
    frame = binary(1, 2_000, origins=("EWR", "LGA"))
    frame["origin"] = frame["origin"].astype(object)
    frame["origin"][:rows] = "JFK"
    found = monitor_of(BINARY, "accuracy", "brier").check_performance(frame).metrics
    jfk = [each for each in found if each.segment and each.segment.value == "JFK"]
    assert [(each.state, each.value, each.n, each.p_value) for each in jfk] == [
        ("insufficient_data", None, rows, None)
    ] * 2
    assert jfk[0].reason.startswith(reason)


def test_a_segment_without_rows_takes_its_alert_along():
    monitor = monitor_of(BINARY, "accuracy")
    gone = [binary(seed, 2_000, origins=("EWR", "LGA")) for seed in range(3, 3 + POLICY.gone_windows)]
    results = [monitor.check_performance(frame) for frame in (binary(1, 3_000, wrong_in="JFK"), *gone)]
    told = [(at, each) for at, result in enumerate(results) for each in result.alerts]
    assert isinstance(told[0][1].data, AlertRaised)
    (ended,) = (each for each in told if not isinstance(each[1].data, AlertRaised))
    assert ended[0] == POLICY.gone_windows
    assert ended[1].data.evidence["reason"] == "gone"
    assert "`accuracy` where `origin` is JFK has had no predictions in" in ended[1].data.message
    assert all(each.condition.segment.value == "JFK" for result in results for each in result.check.alerts)


def test_values_that_the_baseline_lacks_are_listed_and_not_compared():
    result = monitor_of(BINARY, "accuracy").check_performance(binary(1, 2_000, origins=("EWR", "SFO")))
    assert [(each.by, each.value) for each in result.check.new_segments] == [("origin", "SFO")]
    assert {each.segment.value for each in result.metrics if each.segment} == set(ORIGINS)


def test_a_segment_that_the_baseline_does_not_split_by_fails_by_name():
    monitor = configured(segments=["carrier"], performance=[{"metric": "accuracy", "max_drop": 0.1}])
    with pytest.raises(InvalidEventError) as refused:
        content_plan(monitor, BINARY, "performance")
    assert (refused.value.field, refused.value.value) == ("segments.0", "carrier")


def test_a_monitor_that_no_longer_splits_takes_the_alerts_of_segments_along():
    asked = {"performance": [{"metric": "accuracy", "max_drop": 0.1}]}

    def checked(number, frame, monitor, carry):
        at = closing(number, monitor, kind="performance")
        content = WindowContent.empty(content_plan(monitor, BINARY, "performance"))
        content.add(read_columns(frame, {})[0])
        return evaluate(at, BINARY, content, carry=carry)

    raised = checked(0, binary(1, 3_000, wrong_in="JFK"), configured(segments=["origin"], **asked), {})
    assert [each.condition.segment.value for each in raised.check.alerts] == ["JFK"]
    after = checked(1, binary(2, 3_000, wrong_in="JFK"), configured(**asked), raised.carry)
    (ended,) = after.alerts
    assert ended.data.evidence["reason"] == "unwatched"
    assert "`accuracy` where `origin` is JFK is not watched any more" in ended.data.message


def in_sessions(baseline, phi, *, learned):
    """The baseline whose rows come `phi` at a time; `learned`: its segments know it too."""
    whole = {key: replace(each, phi=phi, learned=True) for key, each in baseline.references.items()}
    parts = {
        segment: {key: replace(each, phi=phi, learned=True) if learned else each for key, each in fields.items()}
        for segment, fields in baseline.segments.items()
    }
    return replace(baseline, references=whole, segments=parts)


@pytest.mark.parametrize("learned", [True, False])
def test_rows_that_come_in_sessions_weigh_less_in_segments_also_where_these_taught_nothing(learned):
    frame = binary(3, 1_500, right=0.72)

    def p_values(baseline):
        found = monitor_of(baseline, "accuracy", "brier", max_drop=0.02).check_performance(frame).metrics
        return [each.p_value for each in found if each.segment]

    alone, together = p_values(BINARY), p_values(in_sessions(BINARY, 5.0, learned=learned))
    assert all(one < other for one, other in zip(alone, together, strict=True) if one < 0.4)
    assert min(alone) < min(together) / 3


def test_few_sessions_are_too_few_for_tests_that_are_right_in_large_samples_only():
    """A hundred rows of an airport that come eight at a time are a dozen: too few for a mean, enough for a share."""
    baseline = in_sessions(BINARY, 8.0, learned=True)
    found = monitor_of(baseline, "accuracy", "brier", "auc").check_performance(binary(1, 300)).metrics
    whole = {each.metric: each.state for each in found if each.segment is None}
    jfk = {each.metric: each for each in found if each.segment and each.segment.value == "JFK"}
    assert set(whole.values()) == {"stable"}
    assert (jfk["accuracy"].state, jfk["accuracy"].reason) == ("stable", None)
    assert {jfk[name].state for name in ("brier", "auc")} == {"insufficient_data"}
    assert jfk["brier"].reason == (
        f"{jfk['brier'].n} rows are worth {jfk['brier'].n / 8:.3g} independent ones, at least 30 are needed"
    )
    assert jfk["brier"].value is not None


MANY = [f"s{at:02}" for at in range(40)]


@pytest.mark.parametrize("rows", [12, 40])
def test_forty_small_segments_in_which_nothing_happens_raise_nothing(rows):
    """The hardest case: no drop is allowed, and each segment has 120 rows in the baseline, where luck lasts."""
    names = ("accuracy", "precision", "recall", "f1", "auc", "brier", "log_loss")
    raised = tested = found = 0
    for seed in range(3):
        baseline = baseline_of(binary(seed, 120 * len(MANY), origins=MANY), positive_label="late")
        monitor = monitor_of(baseline, *names, max_drop=0.0)
        for window in range(5):
            result = monitor.check_performance(binary(1_000 * seed + window + 7, rows * len(MANY), origins=MANY))
            raised += len(result.alerts)
            states = [each.state for each in result.metrics if each.segment]
            tested += sum(state != "insufficient_data" for state in states)
            found += sum(state not in ("stable", "insufficient_data") for state in states)
    assert tested > 500
    assert raised == 0
    assert found <= 15  # one a window: of everything that is found five in a hundred may be nothing
