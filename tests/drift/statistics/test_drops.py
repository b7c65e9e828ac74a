"""P-values for a drop beyond the allowed: exact where there is an exact test, and no smaller than they say."""

import numpy as np
import pytest
from scipy import stats

from modeltrail.drift.statistics.drops import MetricReference, p_beyond_drop, p_beyond_threshold, worsening
from modeltrail.drift.statistics.exact import Moments
from modeltrail.drift.statistics.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    f1_of_share,
    mean_result,
    share_result,
    unavailable,
)
from modeltrail.drift.statistics.multiclass import MulticlassOutcomes
from modeltrail.drift.statistics.performance import BinaryOutcomes, RegressionOutcomes

LEVELS = (0.05, 0.01)


def binary(rng, rows, drop=0.0):
    logits = rng.normal(-0.7, 1.2, rows)
    scores = 1 / (1 + np.exp(-logits))
    outcomes = BinaryOutcomes()
    noise = rng.random(rows) < drop
    truth = np.where(noise, rng.random(rows) < 0.35, rng.random(rows) < scores)
    outcomes.add(truth, scores > 0.4, None, scores)
    return outcomes


def regression(rng, rows, sigma=1.0):
    truth = rng.uniform(5, 15, rows)
    outcomes = RegressionOutcomes()
    outcomes.add(truth, truth + rng.normal(0, sigma, rows))
    return outcomes


def multiclass(rng, rows, right=0.7):
    truth = rng.choice(4, rows, p=[0.5, 0.3, 0.15, 0.05])
    outcomes = MulticlassOutcomes()
    outcomes.add(truth, np.where(rng.random(rows) < right, truth, rng.integers(0, 4, rows)), list("abcd"))
    return outcomes


def reference(result):
    return MetricReference.known(result.metric, result.value, result.n, variance=result.variance)


@pytest.mark.parametrize(("hits", "of"), [(0, 30), (40, 50), (30, 30), (9_900, 10_000), (500_000, 1_000_000)])
def test_a_share_against_a_known_border_is_the_exact_binomial_test(hits, of):
    falling, growing = share_result("recall", hits, of, "rows"), share_result("error_rate", hits, of, "rows")
    for border in (0.02, 0.5, 0.9):
        less = stats.binomtest(hits, of, border, alternative="less").pvalue
        greater = stats.binomtest(hits, of, border, alternative="greater").pvalue
        assert p_beyond_threshold(falling, border) == pytest.approx(less, rel=1e-9, abs=1e-300)
        assert p_beyond_threshold(growing, border) == pytest.approx(greater, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    ("hits", "of", "known", "rows"), [(30, 60, 200, 300), (5, 40, 90, 300), (700, 1000, 1500, 2000)]
)
def test_a_share_against_an_uncertain_reference_is_fishers_exact_test(hits, of, known, rows):
    reference = MetricReference.known("recall", known / rows, rows)
    fisher = stats.fisher_exact([[hits, of - hits], [known, rows - known]], alternative="less").pvalue
    assert p_beyond_drop(share_result("recall", hits, of, "rows"), reference, 0) == pytest.approx(fisher, rel=1e-6)
    mirrored = MetricReference.known("error_rate", 1 - known / rows, rows)
    found = p_beyond_drop(share_result("error_rate", of - hits, of, "rows"), mirrored, 0)
    assert found == pytest.approx(fisher, rel=1e-6)


def test_a_reference_of_nothing_but_hits_weighs_as_its_rows():
    """A hundred rows without an error say that errors are few, not that there are none."""
    reference = MetricReference.known("recall", 1.0, 100, variance=0.0)
    fisher = stats.fisher_exact([[97, 3], [100, 0]], alternative="less").pvalue
    assert p_beyond_drop(share_result("recall", 97, 100, "rows"), reference, 0) == pytest.approx(fisher, rel=1e-6)
    mirrored = MetricReference.known("error_rate", 0.0, 100, variance=0.0)
    assert p_beyond_drop(share_result("error_rate", 3, 100, "rows"), mirrored, 0) == pytest.approx(fisher, rel=1e-6)


def test_f1_is_tested_as_the_share_that_it_is_a_function_of():
    outcomes = BinaryOutcomes(true_positives=60, false_positives=20, false_negatives=20, true_negatives=900)
    found = p_beyond_threshold(outcomes.measure("f1"), f1_of_share(0.7))
    assert found == pytest.approx(stats.binomtest(60, 100, 0.7, alternative="less").pvalue)


def test_a_mean_is_students_t_and_with_a_reference_welchs():
    rng = np.random.default_rng(1)
    losses, others = rng.gamma(2, 1, 80), rng.gamma(2, 0.9, 300)
    result, before = (mean_result("mae", Moments.of(values), "rows") for values in (losses, others))
    assert p_beyond_threshold(result, 1.7) == pytest.approx(
        stats.ttest_1samp(losses, 1.7, alternative="greater").pvalue, rel=1e-9
    )
    assert p_beyond_drop(result, reference(before), 0.1) == pytest.approx(
        stats.ttest_ind(losses, others + 0.1, equal_var=False, alternative="greater").pvalue, rel=1e-9
    )


def test_rmse_is_tested_as_the_mean_squared_error():
    rng = np.random.default_rng(2)
    outcomes = regression(rng, 200)
    squared = mean_result("brier", outcomes.squared, "rows")  # any mean
    assert p_beyond_threshold(outcomes.measure("rmse"), 0.9) == pytest.approx(p_beyond_threshold(squared, 0.81))


def test_huge_and_tiny_losses_have_a_p_value_too():
    for scale in (1e149, 1e-140):
        result = mean_result("mae", Moments.of(np.linspace(0.5, 1, 100) * scale), "rows")
        against = MetricReference("mae", 0.5 * scale, 100, variance=(0.01 * scale) ** 2)
        assert p_beyond_drop(result, against, 0.0) < 1e-9
        assert p_beyond_drop(result, against, scale) == pytest.approx(1)


@pytest.mark.parametrize("metric", METRICS)
def test_the_p_value_grows_with_what_is_allowed_and_points_the_right_way(metric):
    rng = np.random.default_rng(3)
    make = regression if metric in {"mae", "mape", "rmse"} else binary
    worse = make(rng, 3000, 2.0 if make is regression else 0.6).measure(metric)
    before = make(rng, 3000).measure(metric)
    assert worsening(metric, worse.value, before.value) > 0
    found = [p_beyond_drop(worse, reference(before), drop) for drop in (0, 0.01, 0.05, 0.9, 100)]
    assert found == sorted(found)
    assert found[0] < 1e-3
    assert found[-1] == pytest.approx(1)
    assert p_beyond_drop(before, reference(worse), 0) > 0.9
    assert (metric in LOWER_IS_BETTER) == (worse.value > before.value)


@pytest.mark.parametrize(
    ("make", "rows", "metrics"),
    [
        (binary, 400, ("accuracy", "precision", "recall", "f1", "auc", "brier", "log_loss")),
        (regression, 300, ("mae", "rmse", "mape")),
        (multiclass, 500, ("precision", "recall", "f1")),
    ],
)
def test_intervals_cover_and_p_values_say_what_they_mean(make, rows, metrics):
    # 400 pairs of samples from one law: five standard deviations of a count are 22 for .05 and 10 for .01.
    rng = np.random.default_rng(20130701)
    law = make(rng, 300_000)
    truth = {metric: law.measure(metric).value for metric in metrics}
    small, covered = {}, dict.fromkeys(metrics, 0)
    for _ in range(400):
        now, before = make(rng, rows), make(rng, 2 * rows)
        for metric in metrics:
            result = now.measure(metric)
            covered[metric] += result.low <= truth[metric] <= result.high
            p = p_beyond_drop(result, reference(before.measure(metric)), 0)
            for level in LEVELS:
                small[metric, level] = small.get((metric, level), 0) + (p < level)
    for metric in metrics:
        assert 358 <= covered[metric] <= 400, metric
        assert small[metric, 0.05] <= 42, metric
        assert small[metric, 0.01] <= 14, metric


def test_a_drop_is_found_and_the_allowed_one_is_not_raised():
    rng = np.random.default_rng(5)
    before = reference(binary(rng, 20_000).measure("auc"))
    found = binary(rng, 5000, drop=0.3).measure("auc")
    assert p_beyond_drop(found, before, 0) < 1e-6
    assert p_beyond_drop(found, before, 0.3) > 0.99


def test_dependent_rows_weigh_less():
    for result in (
        share_result("accuracy", 700, 1000, "rows"),
        regression(np.random.default_rng(1), 500, 1.2).measure("mae"),
        binary(np.random.default_rng(1), 500).measure("auc"),
    ):
        border = {"accuracy": 0.75, "mae": 0.9, "auc": 0.85}[result.metric]
        one, five = (p_beyond_threshold(result, border, overdispersion=phi) for phi in (1, 5))
        assert one < five < 0.5
    # 1,000 rows of which five weigh as one are 200 rows
    assert p_beyond_threshold(share_result("accuracy", 700, 1000, "rows"), 0.75, overdispersion=5) == pytest.approx(
        stats.binomtest(140, 200, 0.75, alternative="less").pvalue
    )


def test_what_is_known_of_a_reference_decides_its_variance():
    known = MetricReference.known
    assert known("auc", 0.8, 100, variance=0.01, low=0, high=1).variance == 0.01
    assert known("auc", 0.8, 100, low=0.7, high=0.9).variance == pytest.approx((0.1 / 1.959964) ** 2, rel=1e-6)
    assert known("accuracy", 0.8, 100).variance == pytest.approx(0.0016)
    outcomes = BinaryOutcomes(true_positives=60, false_positives=20, false_negatives=20)
    found = outcomes.measure("f1")
    assert known("f1", found.value, found.n).variance == pytest.approx(found.variance)
    assert known("mae", 3.0, 100).variance == 0
    with pytest.raises(ValueError, match="metric 'f2'"):
        known("f2", 0.5, 10)


def test_a_result_without_value_has_no_p_value_and_bad_arguments_are_refused():
    nothing, some = unavailable("auc", 3, "too few"), share_result("recall", 40, 50, "rows")
    assert p_beyond_threshold(nothing, 0.5) is None
    assert p_beyond_drop(nothing, MetricReference("auc", 0.8, 10), 0.1) is None
    with pytest.raises(ValueError, match="reference of 'auc': expected 'recall'"):
        p_beyond_drop(some, MetricReference("auc", 0.8, 10), 0.1)
    with pytest.raises(ValueError, match="max_drop -1: expected 0 or more"):
        p_beyond_drop(some, MetricReference("recall", 0.8, 10), -1)
    with pytest.raises(ValueError, match=r"overdispersion 0\.5"):
        p_beyond_threshold(some, 0.5, overdispersion=0.5)
    perfect = share_result("recall", 50, 50, "rows")
    assert p_beyond_drop(perfect, MetricReference("recall", 1.0, 50), 0) == 1.0
    assert p_beyond_drop(some, MetricReference("recall", 0.3, 50), 0.5) == 1.0
