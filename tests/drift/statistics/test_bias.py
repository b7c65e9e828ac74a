"""Gaps between groups: plain shares and means, and a p-value that knows how many pairs were looked at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from modeltrail.drift.rows.columns import Strata
from modeltrail.drift.statistics.bias import (
    BIAS_METRICS,
    MAX_GROUPS,
    MIN_GROUP,
    MIN_UNBOUNDED,
    GapResult,
    Groups,
    p_beyond_gap,
)

CARRIERS = [f"c{i:02}" for i in range(16)]


def strata(codes, names):
    return Strata(np.asarray(codes, dtype=np.int32), names)


def selection(hits_and_rows):
    """Groups of which so many rows of so many were called positive."""
    groups = Groups("carrier")
    for code, (hits, rows) in enumerate(hits_and_rows):
        called = np.arange(rows) < hits
        groups.add(strata(np.zeros(rows), [CARRIERS[code]]), called=called, has_label=np.ones(rows, bool))
    return groups


def scored(codes, names, scores, truth=None):
    groups = Groups("carrier")
    known = None if truth is None else np.ones(len(codes), bool)
    groups.add(strata(codes, names), scores=scores, truth=truth, has_truth=known)
    return groups


def random_rows(rng, rows, names):
    codes = rng.integers(-1, len(names), rows).astype(np.int32)
    scores = rng.random(rows)
    return {
        "codes": codes,
        "called": scores > 0.4,
        "has_label": rng.random(rows) < 0.9,
        "scores": np.where(rng.random(rows) < 0.9, scores, np.nan),
        "truth": rng.random(rows) < scores,
        "has_truth": rng.random(rows) < 0.8,
    }


def added(groups, rows, pick, names):
    columns = {name: values[pick] for name, values in rows.items()}
    groups.add(strata(columns.pop("codes"), names), **columns)
    return groups


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_figures_are_those_of_a_plain_computation_by_group(seed):
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, 900, CARRIERS[:3])
    groups = added(Groups("carrier"), rows, slice(None), CARRIERS[:3])
    for metric in BIAS_METRICS:
        expected = {}
        for code in range(3):
            here = rows["codes"] == code
            labelled, judged = here & rows["has_label"], here & rows["has_label"] & rows["has_truth"]
            numbers = here & ~np.isnan(rows["scores"])
            both = numbers & rows["has_truth"]
            expected[CARRIERS[code]] = {
                "selection_rate": rows["called"][labelled].mean(),
                "mean_score": rows["scores"][numbers].mean(),
                "true_positive_rate": oracle.recall_score(rows["truth"][judged], rows["called"][judged]),
                "false_positive_rate": 1
                - oracle.recall_score(rows["truth"][judged], rows["called"][judged], pos_label=False),
                "calibration": rows["scores"][both].mean() - rows["truth"][both].mean(),
            }[metric]
        found = groups.measure(metric)
        assert {group.value: group.figure for group in found.groups} == pytest.approx(expected)
        assert found.value == pytest.approx(max(expected.values()) - min(expected.values()))
        assert expected[found.highest] == max(expected.values())
        assert expected[found.lowest] == min(expected.values())
        assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    "pair", [((3, 40), (20, 50)), ((10, 100), (30, 3000)), ((0, 30), (5, 30)), ((50, 50), (45, 50))]
)
def test_for_no_gap_at_all_the_p_value_is_fishers_on_both_sides(pair):
    (low, rows), (high, others) = sorted(pair, key=lambda each: each[0] / each[1])
    one_sided = stats.fisher_exact([[low, rows - low], [high, others - high]], alternative="less").pvalue
    assert p_beyond_gap(selection(pair).measure("selection_rate"), 0) == pytest.approx(min(1, 2 * one_sided), rel=1e-6)


def test_unbounded_means_are_compared_by_welchs_t_of_the_wider_spread():
    rng = np.random.default_rng(2)
    numbers = rng.normal(10, 2, 400)
    codes = np.arange(400) % 2
    numbers[codes == 1] += 1
    found = scored(codes, CARRIERS[:2], numbers).measure("mean_score")
    welch = stats.ttest_ind(numbers[codes == 0], numbers[codes == 1], equal_var=False).pvalue
    assert welch < p_beyond_gap(found, 0) < 10 * welch


def test_the_extreme_pair_among_sixteen_is_not_news():
    # 150 windows of sixteen carriers which are all alike: at most 7 expected, 21 is five standard deviations more.
    rng = np.random.default_rng(7)
    sizes = np.array([40, 60, 80, 100, 150, 200, 300, 400] * 2)
    naive, ours, covered = 0, 0, 0
    for _ in range(150):
        hits = rng.binomial(sizes, 0.2)
        found = selection(zip(hits.tolist(), sizes.tolist(), strict=True)).measure("selection_rate")
        picked = [
            (group.hits, group.trials - group.hits)
            for group in found.groups
            if group.value in (found.lowest, found.highest)
        ]
        naive += stats.fisher_exact(picked).pvalue < 0.05
        ours += p_beyond_gap(found, 0) < 0.05
        covered += found.low == 0
    assert naive > 50, "what testing the picked pair alone would have raised"
    assert ours <= 21
    assert covered >= 129


def test_small_groups_that_lack_the_rare_high_scores_are_not_news():
    rng = np.random.default_rng(8)
    codes = np.repeat(np.arange(8), [30] * 4 + [300] * 4)
    raised = 0
    for _ in range(60):  # three expected at most, ten are four standard deviations more
        scores = np.where(rng.random(len(codes)) < 0.03, 0.9, 0.01)
        raised += p_beyond_gap(scored(codes, CARRIERS[:8], scores).measure("mean_score"), 0) < 0.05
    assert raised <= 10


def test_the_interval_of_a_gap_between_two_groups_covers():
    rng = np.random.default_rng(9)
    covered = {"selection_rate": 0, "mean_score": 0}
    for _ in range(400):
        hits = rng.binomial(200, [0.2, 0.35])
        found = selection([(hits[0], 200), (hits[1], 200)]).measure("selection_rate")
        covered["selection_rate"] += found.low <= 0.15 <= found.high
        scores = np.concatenate([rng.beta(2, 8, 100), rng.beta(3.5, 6.5, 100)])
        found = scored(np.repeat([0, 1], 100), CARRIERS[:2], scores).measure("mean_score")
        covered["mean_score"] += found.low <= 0.15 <= found.high
    assert all(358 <= count <= 398 for count in covered.values()), covered


def test_a_gap_is_found_and_the_allowed_one_is_not_raised():
    found = selection([(100, 1000), (100, 1000), (250, 1000), (3, 12)]).measure("selection_rate")
    assert (found.value, found.lowest, found.highest) == (0.15, "c00", "c02")
    assert p_beyond_gap(found, 0) < 1e-9
    assert p_beyond_gap(found, 0.1) < 0.05
    assert p_beyond_gap(found, 0.15) > 0.5
    assert p_beyond_gap(found, 0.1, overdispersion=5) > p_beyond_gap(found, 0.1)
    assert found.too_small == (("c03", 12),)
    assert (found.n, found.pairs) == (3000, 3)


def test_the_p_value_grows_with_what_is_allowed():
    for found in (
        selection([(5, 50), (20, 60), (9, 70)]).measure("selection_rate"),
        scored(np.arange(90) % 3, CARRIERS[:3], np.linspace(0, 1, 90) ** (1 + np.arange(90) % 3)).measure("mean_score"),
    ):
        values = [p_beyond_gap(found, gap) for gap in (0, 0.01, 0.05, 0.1, 0.3, 0.6, 1)]
        assert values == sorted(values)
        assert values[-1] == 1


def test_constant_groups_are_compared_without_dividing_by_zero():
    codes = np.arange(400) % 2
    assert p_beyond_gap(scored(codes, CARRIERS[:2], np.full(400, 0.5)).measure("mean_score"), 0) == 1
    assert p_beyond_gap(scored(codes, CARRIERS[:2], codes * 1.0).measure("mean_score"), 0.1) < 1e-9
    assert p_beyond_gap(scored(codes, CARRIERS[:2], 5.0 + codes).measure("mean_score"), 2) > 0.99
    assert p_beyond_gap(scored(codes, CARRIERS[:2], np.full(400, 5.0)).measure("mean_score"), 0) == 1


@pytest.mark.parametrize(
    ("groups", "metric", "reason"),
    [
        (selection([(9, MIN_GROUP), (3, MIN_GROUP - 1)]), "selection_rate", "1 values of carrier have 30 or more"),
        (Groups("carrier"), "mean_score", "0 values of carrier"),
        (selection([(9, 90), (3, 90)]), "true_positive_rate", "0 values of carrier"),
        (scored(np.arange(90) % 2, "ab", np.full(90, 1.5), np.ones(90, bool)), "calibration", "90 scores are no prob"),
        (scored(np.arange(90) % 2, "ab", np.full(90, 1e200)), "mean_score", "90 scores are beyond 1e+150"),
        (scored(np.arange(180) % 2, "ab", np.full(180, 7.0)), "mean_score", f"{MIN_UNBOUNDED} or more"),
        (scored(range(MAX_GROUPS + 1), [str(i) for i in range(MAX_GROUPS + 1)], np.ones(MAX_GROUPS + 1)), "mean_score", "more than 1000 values"),
    ],
)  # fmt: skip
def test_where_there_is_no_gap_there_is_a_reason(groups, metric, reason):
    found = groups.measure(metric)
    assert reason in found.reason
    assert found.value is None
    assert p_beyond_gap(found, 0.1) is None


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="metric 'fairness': expected one of selection_rate"):
        Groups("carrier").measure("fairness")
    found = GapResult("carrier", "selection_rate", 0)
    with pytest.raises(ValueError, match=r"max_gap -0\.1"):
        p_beyond_gap(found, -0.1)
    with pytest.raises(ValueError, match="overdispersion 0"):
        p_beyond_gap(found, 0.1, overdispersion=0)
    with pytest.raises(ValueError, match="groups by 'origin': expected 'carrier'"):
        _ = Groups("carrier") + Groups("origin")


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_neither_order_nor_chunks_change_a_bit_of_any_gap(seed, random):
    rng = np.random.default_rng(seed)
    names = CARRIERS[:4]
    rows = random_rows(rng, 600, names)
    whole = added(Groups("carrier"), rows, slice(None), names)
    order = rng.permutation(600)
    parts, start = [], 0
    while start < 600:
        end = start + random.randint(1, 250)
        parts.append(added(Groups("carrier"), rows, order[start:end], names))
        start = end
    random.shuffle(parts)
    total = Groups("carrier")
    for part in parts:
        total = part + total
    for metric in BIAS_METRICS:
        assert total.measure(metric) == whole.measure(metric)
        assert p_beyond_gap(total.measure(metric), 0.02) == p_beyond_gap(whole.measure(metric), 0.02)


def test_too_many_values_are_too_many_in_any_order():
    names = [str(i) for i in range(MAX_GROUPS + 1)]
    some = scored(range(600), names, np.ones(600))
    others = scored(range(600, MAX_GROUPS + 1), names, np.ones(MAX_GROUPS - 599))
    few = scored(range(10), names, np.ones(10))
    assert not (some + few).too_many
    assert (some + others + few).too_many
    assert (few + (others + some)).groups == {}
