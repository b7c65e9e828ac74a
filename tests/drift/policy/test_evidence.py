"""From counts to tests: what has too little data, what is merged, and which p-values come out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import kolmogorov
from scipy.stats import chi2_contingency, ncx2

from modeltrail.drift.baselines.counts import FieldCounts, merge
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.policy.evidence import Question, ask, kept_bins, merged_counts
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.policy.states import Subject, judge
from modeltrail.drift.rows.columns import Column

POLICY = Policy()
SUBJECT = Subject("drift", "feature", "x")


def numeric(values):
    return Reference.from_column("feature", "x", Column.from_numbers(values))


def categorical(values):
    return Reference.from_column("feature", "x", Column.from_values(values))


def normal(n, seed=1, shift=0.0):
    return np.random.default_rng(seed).standard_normal(n) + shift


def asked(reference, *windows, policy=POLICY, tolerance=None):
    counts = [each if isinstance(each, FieldCounts) else reference.count(each) for each in windows]
    return ask([Question(SUBJECT, reference, counts, policy.delta0 if tolerance is None else tolerance)], policy)


def trials(found, aspect="distribution"):
    return {trial.scale: trial for each in found.hypotheses if each.aspect == aspect for trial in each.trials}


def test_p_values_are_those_of_the_formulas():
    reference = numeric(normal(10_000))
    window = reference.count(Column.from_numbers(normal(2_000, 2, 0.1)))
    found = asked(reference, window)
    n, m = 2_000, 10_000
    n_eff = n * m / (n + m)
    before, now = reference.coarse(reference.sample) + 0.5, reference.coarse(window) + 0.5
    p, q = before / before.sum(), now / now.sum()
    psi = np.sum((q - p) * np.log(q / p))
    table = [reference.coarse(reference.sample), reference.coarse(window)]
    pearson = chi2_contingency(table, correction=False).statistic
    distance = np.max(np.abs(np.cumsum(window.counts) / n - np.cumsum(reference.sample.counts) / m))
    root = np.sqrt(n_eff)
    named = found.p_values[SUBJECT]
    assert named["psi_1"] == pytest.approx(ncx2.sf(min(n_eff * psi, pearson), p.size - 1, n_eff * 0.005))
    assert named["ks_1"] == pytest.approx(kolmogorov((root + 0.12 + 0.11 / root) * max(0, distance - 0.02)))
    (hypothesis,) = [each for each in found.hypotheses if each.aspect == "distribution"]
    assert hypothesis.p == min(1.0, 6 * min(named["psi_1"], named["ks_1"]))
    assert trials(found)[1].effect == pytest.approx(max(0, psi - (p.size - 1) * (1 / n + 1 / m)))


def test_scales_are_tested_as_soon_as_there_are_windows_for_them():
    reference = numeric(normal(5_000))
    windows = [Column.from_numbers(normal(300, seed)) for seed in range(20)]
    for count, scales in ((1, {1}), (3, {1}), (4, {1, 4}), (15, {1, 4}), (16, {1, 4, 16}), (20, {1, 4, 16})):
        found = trials(asked(reference, *windows[:count]))
        assert set(found) == scales
        assert all(found[scale].n == 300 * scale for scale in scales)


@given(st.lists(st.lists(st.integers(0, 50), min_size=7, max_size=7), min_size=1, max_size=17))
def test_merged_at_once_is_merged_one_by_one(rows):
    windows = [FieldCounts.of(row[:4], *row[4:]) for row in rows]
    assert merged_counts(windows) == merge(windows, 4)


@pytest.mark.parametrize(("rows", "enough"), [(1, False), (24, False), (30, True), (200, True)])
def test_fewer_than_five_bins_are_no_answer(rows, enough):
    found = asked(numeric(normal(10_000)), Column.from_numbers(normal(rows, 2)))
    assert bool(trials(found)) is enough
    assert (SUBJECT not in found.insufficient) is enough
    if not enough:
        assert "too few" in found.insufficient[SUBJECT]


@pytest.mark.parametrize(
    ("values", "rows", "enough"),
    [
        (["true"] * 500 + ["false"] * 500, 8, False),
        (["true"] * 500 + ["false"] * 500, 10, True),  # a field with two values has two bins
        (["true"] * 990 + ["false"] * 10, 200, False),  # expects two
        (["true"] * 990 + ["false"] * 10, 600, True),
        (["a"] * 600 + ["b"] * 399 + ["rare"], 100, True),  # the rare one is pooled, and costs nothing
    ],
)
def test_a_field_with_fewer_values_than_five_needs_all_that_it_can_have(values, rows, enough):
    window = np.random.default_rng(1).choice(values, rows).tolist()
    assert bool(trials(asked(categorical(values), Column.from_values(window)))) is enough


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=30).filter(lambda counts: sum(counts) > 0),
    st.integers(10, 100_000),
)
@settings(max_examples=200)
def test_every_bin_that_is_left_expects_five(counts, rows):
    texts = [f"c{at:02}" for at in range(len(counts))]
    sample = FieldCounts.of(counts)
    reference = replace(categorical(["x"]), sample=sample, categories=tuple(texts), groups=np.arange(len(counts)))
    kept = kept_bins(reference, rows, POLICY)
    if kept is None:
        return
    order, starts = kept
    assert sorted(order.tolist()) == list(range(len(counts)))
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    expected = np.add.reduceat(np.array(counts)[order], starts) / sum(counts) * rows
    assert starts.size == 1 or (expected >= 5 - 1e-9).all()


def test_sessions_need_more_rows_for_the_same_number_of_bins():
    reference = replace(numeric(normal(10_000)), phi=5.0)
    assert not trials(asked(reference, Column.from_numbers(normal(100, 2))))
    assert trials(asked(reference, Column.from_numbers(normal(150, 2))))


def test_a_constant_that_takes_another_value_is_seen():
    reference = numeric(np.full(1_000, 3.0))
    assert judge(asked(reference, Column.from_numbers(np.full(100, 3.0))).hypotheses, POLICY)[0].state == "stable"
    (verdict,) = judge(asked(reference, Column.from_numbers(np.full(100, 4.0))).hypotheses, POLICY)
    assert (verdict.state, verdict.aspect) == ("critical", "unseen")


def test_a_value_that_nearly_always_holds_is_tested_as_a_share():
    reference = categorical(["no"] * 9_990 + ["yes"] * 10)
    (verdict,) = judge(asked(reference, Column.from_values(["no"] * 190 + ["yes"] * 10)).hypotheses, POLICY)
    assert (verdict.state, verdict.aspect) == ("warning", "distribution")
    found = asked(reference, Column.from_values(["no"] * 199 + ["yes"]))
    assert judge(found.hypotheses, POLICY)[0].state == "stable"


@pytest.mark.parametrize("aspect", ["missing", "unseen", "mistyped"])
def test_a_share_of_which_the_reference_has_none_is_tested_exactly(aspect):
    reference = categorical(["a", "b"] * 2_500) if aspect == "unseen" else numeric(normal(5_000))
    new = {"missing": None, "unseen": "new", "mistyped": "text"}[aspect]
    usual = ["a", "b"] * 100 if aspect == "unseen" else normal(200, 2).tolist()
    for hits, state in ((1, "stable"), (20, "critical")):
        window = Column.from_values([new] * hits + usual[hits:])
        found = asked(reference, window)
        assert trials(found, aspect)[1].n == 200
        assert judge(found.hypotheses, POLICY)[0].state == state


def test_a_share_of_less_than_fifty_rows_is_not_tested():
    reference = numeric(normal(5_000))
    assert "missing" not in {
        each.aspect for each in asked(reference, Column.from_values([None] * 20 + normal(29, 2).tolist())).hypotheses
    }


def test_a_window_without_any_value_says_so_and_is_critical_all_the_same():
    found = asked(numeric(normal(5_000)), Column.from_values([None] * 100))
    assert found.insufficient[SUBJECT] == "none of 100 rows has a value that the baseline knows"
    (verdict,) = judge(found.hypotheses, POLICY)
    assert (verdict.state, verdict.aspect) == ("critical", "missing")


def test_nothing_asked_nothing_found():
    assert ask([], POLICY).hypotheses == []
    assert judge([], POLICY) == []
