"""Figures of performance: scikit-learn's values, honest intervals, a reason where there is no figure."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from modeltrail.drift.statistics.auc import area_interval, hanley_mcneil
from modeltrail.drift.statistics.metrics import METRICS, MIN_CLASS, MIN_ROWS, Area, Share, f1_of_share, share_of_f1
from modeltrail.drift.statistics.metrics import wilson_interval as wilson
from modeltrail.drift.statistics.multiclass import MAX_CELLS, MulticlassOutcomes
from modeltrail.drift.statistics.performance import BinaryOutcomes, RegressionOutcomes, empty_outcomes
from tests.drift.statistics.ranked import area_under_curve

BINARY = {
    "accuracy": lambda truth, called, _: oracle.accuracy_score(truth, called),
    "error_rate": lambda truth, called, _: oracle.zero_one_loss(truth, called),
    "precision": lambda truth, called, _: oracle.precision_score(truth, called),
    "recall": lambda truth, called, _: oracle.recall_score(truth, called),
    "f1": lambda truth, called, _: oracle.f1_score(truth, called),
    "auc": lambda truth, _, scores: oracle.roc_auc_score(truth, scores),
    "brier": lambda truth, _, scores: oracle.brier_score_loss(truth, scores),
    "log_loss": lambda truth, _, scores: oracle.log_loss(truth, scores, labels=[False, True]),
}
REGRESSION = {
    "mape": oracle.mean_absolute_percentage_error,
    "mae": oracle.mean_absolute_error,
    "rmse": oracle.root_mean_squared_error,
}


def binary_rows(rng, rows, ties=None):
    logits = rng.normal(-0.5, 1.2, rows)
    scores = 1 / (1 + np.exp(-logits))
    truth = rng.random(rows) < scores
    if ties:
        scores = np.round(scores * ties) / ties
    return truth, scores > 0.4, scores


def binary(truth, called=None, scores=None, **options):
    outcomes = BinaryOutcomes(**options)
    outcomes.add(truth, called, None, scores)
    return outcomes


def regression(truth, predicted):
    outcomes = RegressionOutcomes()
    outcomes.add(np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float))
    return outcomes


def multiclass(truth, labels, classes):
    outcomes = MulticlassOutcomes()
    outcomes.add(np.asarray(truth, np.int32), np.asarray(labels, np.int32), classes)
    return outcomes


@given(st.integers(0, 2**32 - 1), st.integers(200, 1500), st.sampled_from([None, 2, 10]))
@settings(max_examples=40, deadline=None)
def test_binary_figures_are_scikit_learns_with_ties_and_scores_of_0_and_1(seed, rows, ties):
    truth, called, scores = binary_rows(np.random.default_rng(seed), rows, ties)
    outcomes = binary(truth, called, scores)
    for metric, expected in BINARY.items():
        found = outcomes.measure(metric)
        assert found.value == pytest.approx(expected(truth, called, scores), rel=1e-12, abs=1e-15), metric
        assert found.reason is None
        assert found.low <= found.value <= found.high
        assert found.variance == found.se * found.se


@given(st.integers(0, 2**32 - 1), st.integers(MIN_ROWS, 500), st.sampled_from([1e-120, 1.0, 1e60]))
@settings(max_examples=40, deadline=None)
def test_regression_figures_are_scikit_learns(seed, rows, scale):
    rng = np.random.default_rng(seed)
    truth = rng.lognormal(1, 1, rows) * rng.choice([-1, 1], rows) * scale
    predicted = truth + rng.normal(0, 1, rows) * scale
    outcomes = regression(truth, predicted)
    for metric, expected in REGRESSION.items():
        if metric == "mape" and scale < 1e-10:
            continue  # scikit-learn puts its own epsilon for the truth
        assert outcomes.measure(metric).value == pytest.approx(expected(truth, predicted), rel=1e-12), metric


@given(st.integers(0, 2**32 - 1), st.integers(100, 800), st.integers(2, 7))
@settings(max_examples=40, deadline=None)
def test_multiclass_figures_are_scikit_learns_over_the_classes_with_enough_rows(seed, rows, width):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(width)) * 0.9 + 0.1 / width
    truth = rng.choice(width, rows, p=weights)
    labels = np.where(rng.random(rows) < 0.7, truth, rng.integers(0, width, rows))
    outcomes = multiclass(truth, labels, [f"c{i}" for i in range(width)])
    sizes = np.bincount(truth, minlength=width)
    assume((sizes >= 5).sum() >= 2)  # a macro mean over one class is refused
    options = {"labels": np.flatnonzero(sizes >= 5), "average": "macro", "zero_division": 0}
    for metric, expected in (
        ("accuracy", oracle.accuracy_score(truth, labels)),
        ("error_rate", oracle.zero_one_loss(truth, labels)),
        ("precision", oracle.precision_score(truth, labels, **options)),
        ("recall", oracle.recall_score(truth, labels, **options)),
        ("f1", oracle.f1_score(truth, labels, **options)),
    ):
        found = outcomes.measure(metric)
        assert found.value == pytest.approx(expected, rel=1e-12), metric
        if metric not in {"accuracy", "error_rate"}:
            assert (found.note is not None) == bool(((sizes > 0) & (sizes < 5)).any())


def test_the_standard_error_of_a_macro_mean_is_what_the_bootstrap_says():
    rng = np.random.default_rng(3)
    truth = rng.choice(4, 2000, p=[0.5, 0.3, 0.15, 0.05])
    labels = np.where(rng.random(2000) < 0.75, truth, rng.integers(0, 4, 2000))
    names = list("abcd")
    drawn = {"precision": [], "recall": [], "f1": []}
    for _ in range(400):
        rows = rng.integers(0, 2000, 2000)
        again = multiclass(truth[rows], labels[rows], names)
        for metric, values in drawn.items():
            values.append(again.measure(metric).value)
    for metric, values in drawn.items():
        assert multiclass(truth, labels, names).measure(metric).se == pytest.approx(np.std(values), rel=0.15), metric


def test_delongs_variance_is_that_of_the_textbook_by_pairs():
    rng = np.random.default_rng(4)
    high, low = np.round(rng.normal(1, 1, 37), 1), np.round(rng.normal(0, 1, 53), 1)
    kernel = (high[:, None] > low[None, :]) + 0.5 * (high[:, None] == low[None, :])
    expected = np.var(kernel.mean(axis=1), ddof=1) / 37 + np.var(kernel.mean(axis=0), ddof=1) / 53
    scores, positive = np.concatenate([high, low]), np.arange(90) < 37
    area, variance = area_under_curve(scores, positive)
    assert area == pytest.approx(kernel.mean(), rel=1e-14)
    assert variance == pytest.approx(expected, rel=1e-12)
    assert variance == pytest.approx(hanley_mcneil(area, 37, 53), rel=0.2)


def test_a_perfect_ranking_is_certain_of_nothing():
    low, high = area_interval(1.0, 0.0, 20, 20, 1.96)
    assert high == 1.0
    assert 0.8 < low < 0.95
    assert area_interval(0.0, 0.0, 20, 20, 1.96) == (0.0, pytest.approx(1 - low))
    assert area_interval(1.0, 0.0, 2000, 2000, 1.96)[0] > 0.998


def test_the_interval_of_a_share_is_wilsons_and_never_empty():
    # statsmodels.stats.proportion.proportion_confint(k, n, method="wilson"), printed once
    assert wilson(5, 50) == pytest.approx((0.043476, 0.213602), abs=5e-6)
    assert wilson(0, 30) == pytest.approx((0.0, 0.113516), abs=5e-6)
    assert wilson(30, 30)[1] == 1.0


def test_f1_is_a_function_of_a_share_and_back():
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert share_of_f1(f1_of_share(share)) == pytest.approx(share)
    truth, called, _ = binary_rows(np.random.default_rng(1), 500)
    found = binary(truth, called).measure("f1")
    assert found.basis == Share(int((truth & called).sum()), int((truth | called).sum()))


@pytest.mark.parametrize(
    ("metric", "outcomes", "reason"),
    [
        ("auc", binary(np.ones(50, bool), None, np.linspace(0, 1, 50)), "50 positive and 0 negative rows"),
        ("auc", binary(np.ones(50, bool), np.ones(50, bool)), "no row has a score"),
        ("auc", binary(np.arange(50) > 5, None, np.linspace(0, 1, 50), keep_scores=False), "were not kept"),
        ("recall", binary(np.zeros(50, bool), np.ones(50, bool)), "0 rows are positive"),
        ("precision", binary(np.ones(50, bool), np.zeros(50, bool)), "0 rows were called positive"),
        ("f1", binary(np.zeros(50, bool), np.zeros(50, bool)), "0 rows are positive or were called so"),
        ("accuracy", binary(np.ones(MIN_CLASS - 1, bool), np.ones(MIN_CLASS - 1, bool)), "9 rows have a label"),
        ("accuracy", binary(np.zeros(0, bool), np.zeros(0, bool)), "0 rows have a label"),
        ("brier", binary(np.ones(50, bool), None, np.full(50, 1.5)), "50 of 50 scores are no probabilities"),
        ("log_loss", binary(np.ones(29, bool), None, np.full(29, 0.5)), "29 rows have a score and its truth"),
        ("mape", binary(np.ones(50, bool), np.ones(50, bool)), "not defined for a binary model"),
        ("mape", regression(np.arange(50), np.ones(50)), "1 of 50 true numbers are 0"),
        ("mae", regression(np.ones(29), np.ones(29)), "29 rows have a predicted"),
        ("rmse", regression(np.full(50, 1e308), np.full(50, -1e308)), "50 rows have a predicted and a true number"),
        ("mape", regression(np.full(50, 5e-324), np.ones(50)), "have a loss beyond"),
        ("auc", regression(np.ones(50), np.ones(50)), "not defined for a regression"),
        ("auc", multiclass([0, 1] * 50, [0, 1] * 50, "ab"), "a score of every class"),
        ("rmse", multiclass([0, 1] * 50, [0, 1] * 50, "ab"), "not defined for a multiclass model"),
        ("f1", multiclass([0] * 100, [0, 1] * 50, "ab"), "1 classes have 5 or more"),
        ("recall", multiclass([0, 1] * 10, [0, 1] * 10, "ab"), "20 rows have a label"),
        ("f1", multiclass(range(MAX_CELLS + 1), range(MAX_CELLS + 1), [str(i) for i in range(MAX_CELLS + 1)]), "more than"),
    ],
)  # fmt: skip
def test_where_there_is_no_figure_there_is_a_reason(metric, outcomes, reason):
    found = outcomes.measure(metric)
    assert reason in found.reason
    assert (found.value, found.se, found.low, found.high, found.variance) == (None,) * 5


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_every_metric_answers_for_no_rows_and_an_unknown_one_is_refused(kind):
    outcomes = empty_outcomes(kind)
    for metric in METRICS:
        found = outcomes.measure(metric)
        assert (found.value, found.n) == (None, 0)
        assert found.reason
    with pytest.raises(ValueError, match="metric 'f2': expected one of accuracy"):
        outcomes.measure("f2")


def test_scores_are_kept_only_where_the_area_is_asked_for():
    assert empty_outcomes("binary", ["f1", "auc"]).keep_scores
    assert not empty_outcomes("binary", ["f1"]).keep_scores


def test_rows_without_label_or_score_count_for_what_they_have():
    truth = np.arange(100) % 2 == 0
    outcomes = BinaryOutcomes()
    outcomes.add(truth, truth, np.arange(100) < 60, np.where(np.arange(100) < 80, 0.5, np.nan))
    assert outcomes.measure("accuracy").n == 60
    assert outcomes.measure("brier").n == 80
    assert outcomes.measure("auc").basis == Area(40, 40)
    assert outcomes.rows == 80


def test_perfect_and_hopeless_predictions_have_figures_and_intervals():
    rng = np.random.default_rng(0)
    truth = rng.random(200) < 0.5
    good, bad = binary(truth, truth, truth * 1.0), binary(truth, ~truth, 1.0 - truth)
    for metric, best in (("accuracy", 1), ("f1", 1), ("auc", 1), ("error_rate", 0), ("brier", 0)):
        found, worst = good.measure(metric), bad.measure(metric)
        assert (found.value, worst.value) == (best, 1 - best)
        assert found.se == 0
    assert good.measure("auc").low < 1
    assert good.measure("accuracy").low < 1
    assert bad.measure("log_loss").value == pytest.approx(-math.log(np.finfo(float).eps))
    assert regression(truth + 1, truth + 1).measure("rmse").value == 0


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_neither_order_nor_chunks_change_a_bit_of_any_figure(seed, random):
    rng = np.random.default_rng(seed)
    rows = 300
    truth, called, scores = binary_rows(rng, rows, random.choice([None, 7]))
    numbers, predicted = rng.normal(5, 3, rows), rng.normal(5, 3, rows)
    classes, labels = rng.integers(0, 4, rows).astype(np.int32), rng.integers(0, 4, rows).astype(np.int32)
    names = list("abcd")
    order = rng.permutation(rows)
    parts = {"binary": [], "regression": [], "multiclass": []}
    start = 0
    while start < rows:
        end = start + random.randint(1, 120)
        chunk = order[start:end]
        start = end
        parts["binary"].append(binary(truth[chunk], called[chunk], scores[chunk]))
        parts["regression"].append(regression(numbers[chunk], predicted[chunk]))
        # Each chunk has a dictionary of its own.
        turn = rng.permutation(4)
        place = np.argsort(turn)
        own = [names[i] for i in turn]
        parts["multiclass"].append(multiclass(place[classes[chunk]], place[labels[chunk]], own))
    whole = {
        "binary": binary(truth, called, scores),
        "regression": regression(numbers, predicted),
        "multiclass": multiclass(classes, labels, names),
    }
    for kind, pieces in parts.items():
        random.shuffle(pieces)
        total = empty_outcomes(kind)
        for piece in pieces:
            total = piece + total
        for metric in METRICS:
            assert total.measure(metric) == whole[kind].measure(metric)
