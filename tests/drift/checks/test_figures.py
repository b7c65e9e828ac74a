"""Metrics and gaps of a check: how many rows they speak of, how dependent rows weigh, and how alerts about them end."""

from dataclasses import replace

import numpy as np
import pytest

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.content import WindowContent
from modeltrail.drift.checks.figures import gap_figure, metric_figure
from modeltrail.drift.checks.monitor import Monitor
from modeltrail.drift.checks.plan import content_plan
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.rows.samples import read_columns
from modeltrail.events.monitors import BiasMonitor, PerformanceMonitor
from tests.drift.checks.test_check import configured

POLICY = Policy()


def frame(seed, count=2_000, right=0.8, each=1):
    """Rows that come `each` at a time, all alike; the label is right in a share of them."""
    rng = np.random.default_rng(seed)
    late = rng.random(count // each) < 0.3
    label = np.where(rng.random(count // each) < right, late, ~late)
    made = {
        "label": np.where(label, "late", "on time"),
        "score": np.where(label, 0.8, 0.2) + 0.1 * rng.random(count // each),
        "outcome": np.where(late, "late", "on time"),
        "origin": rng.choice(["EWR", "JFK"], count // each),
    }
    return {name: np.repeat(values, each) for name, values in made.items()}


BASELINE = Baseline.from_frame(frame(0, 5_000), model_id="m", model_version="1", positive_label="late")
IN_SESSIONS = replace(
    BASELINE,
    references={
        key: replace(each, phi=5.0) if key.role in {"label", "score"} else each
        for key, each in BASELINE.references.items()
    },
)


def content_of(rows, asked, baseline=BASELINE):
    name = "bias" if isinstance(asked, BiasMonitor) else "performance"
    content = WindowContent.empty(content_plan(configured(**{name: [asked.model_dump()]}), baseline, "performance"))
    content.add(read_columns(rows, {})[0])
    return content


def metric(rows, baseline=BASELINE, **asked):
    monitor = PerformanceMonitor(**asked)
    return metric_figure(monitor, baseline, content_of(rows, monitor), POLICY, "window 0")


def gap(rows, baseline=BASELINE, **asked):
    monitor = BiasMonitor(**asked)
    return gap_figure(monitor, baseline, content_of(rows, monitor), POLICY, "window 0")


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "f1", "auc", "brier"])
def test_a_metric_speaks_of_all_predictions_whose_truth_is_known(name):
    rows = frame(1)
    rows["outcome"] = rows["outcome"].astype(object)
    rows["outcome"][:100] = None
    found = metric(rows, metric=name, max_drop=0.05)
    assert found.part.n == 1_900
    assert "over 1,900 predictions whose truth is known, window 0" in found.sentence


def test_dependent_rows_weigh_less_in_metrics_and_gaps():
    rows = frame(2, right=0.72)
    rows["origin"] = np.where(rows["label"] == "late", np.where(np.arange(2_000) % 3, "JFK", "EWR"), "EWR")
    for ask, asked in (
        (metric, {"metric": "accuracy", "max_drop": 0.04}),
        (metric, {"metric": "brier", "threshold": 0.2}),
        (gap, {"by": "origin", "metric": "selection_rate", "max_gap": 0.7}),
    ):
        alone, together = (ask(rows, baseline, **asked).part.p_value for baseline in (BASELINE, IN_SESSIONS))
        assert 0 < alone < together / 3, asked
    assert (BASELINE.output_phi, IN_SESSIONS.output_phi) == (1.0, 5.0)


def test_sessions_of_equal_rows_do_not_raise_where_nothing_happened():
    """A thousand rows, five at a time: a share of 200, which taken for one of 1,000 is beyond 2.5 points too often."""
    rng = np.random.default_rng(3)
    raised = {1.0: 0, 5.0: 0}
    for baseline in (BASELINE, IN_SESSIONS):
        for _ in range(60):
            found = metric(
                frame(int(rng.integers(2**32)), 1_000, each=5), baseline, metric="accuracy", max_drop=0.0
            )  # fmt: skip
            raised[baseline.output_phi] += found.part.p_value < 0.05
    assert raised[1.0] >= 8, "what would be raised as if rows were independent"
    assert raised[5.0] <= 8, "three expected, eight are three standard deviations more"


@pytest.mark.parametrize(
    ("asked", "good", "bad"),
    [
        ({"metric": "accuracy", "threshold": 0.75}, 0.8, 0.6),
        ({"metric": "error_rate", "threshold": 0.25}, 0.8, 0.6),
    ],
)
def test_an_alert_at_a_threshold_ends_though_the_model_was_never_far_from_it(asked, good, bad):
    """Usual .8, allowed .75: of the way from perfect to the limit .8 is used, more than hysteresis lets pass."""
    unknown = Baseline.from_frame(
        {name: values for name, values in frame(0, 5_000).items() if name != "outcome"},
        model_id="m", model_version="1", positive_label="late",
    )  # fmt: skip
    assert not unknown.event.performance
    monitor = Monitor(unknown, performance=[asked])
    told = [
        [each.transition for each in monitor.check_performance(frame(seed, right=right)).check.alerts]
        for seed, right in enumerate([good, bad, bad, good, good])
    ]
    assert told == [[], ["raised"], ["open"], ["open"], ["resolved"]]


def test_a_figure_that_hovers_at_its_threshold_does_not_end_an_alert():
    unknown = replace(BASELINE, event=BASELINE.event.model_copy(update={"performance": []}))
    monitor = Monitor(unknown, performance=[{"metric": "accuracy", "threshold": 0.75}])
    told = [
        [each.transition for each in monitor.check_performance(frame(seed, 20_000, right=right)).check.alerts]
        for seed, right in enumerate([0.6, 0.756, 0.757, 0.756, 0.757])
    ]
    assert told == [["raised"], ["open"], ["open"], ["open"], ["open"]]


def test_a_metric_that_a_kind_of_model_has_not_says_so():
    found = metric(frame(1), metric="mape", max_drop=0.1)
    assert found.part.reason == "mape is not defined for a binary model"
    assert found.hypothesis is None
