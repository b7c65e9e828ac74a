"""Every statistic against an independent oracle: scipy on the same shares, or on the values before they were binned."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import mutual_info_score

from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.rows.columns import Column
from modeltrail.drift.statistics.distances import (
    chi_square,
    debiased,
    jensen_shannon,
    kl,
    ks,
    psi,
    psi_debiased,
    share_psi,
    wasserstein_normalised,
)
from tests.drift.samples import counts_pair, drawn, numbers

CLOSE = {"rel": 1e-9, "abs": 1e-12}


def smoothed(counts):
    return np.array(counts) + 0.5


def binned(sample, current):
    """The counts of both on the bins of the sample."""
    reference = Reference.from_column("feature", "x", Column.from_numbers(sample))
    return reference, reference.sample.counts, reference.count(Column.from_numbers(current)).counts


@given(counts_pair)
def test_psi_is_the_sum_of_both_relative_entropies_of_scipy(pair):
    q, p = map(smoothed, pair)
    assert float(psi(*pair)) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), **CLOSE)
    assert float(psi(*pair)) == pytest.approx(float(psi(*pair[::-1])), **CLOSE)


@given(counts_pair.map(lambda pair: (pair[0][:7], pair[1][:7])).filter(lambda pair: any(pair[0]) and any(pair[1])))
def test_the_last_digit_is_that_of_the_c_library(pair):
    # A few bins are summed from the left; numpy's own logarithm differs from the C library's by processor.
    q, p = (smoothed(side) / smoothed(side).sum() for side in pair)
    wanted = 0.0
    for left, right in zip(p.tolist(), q.tolist(), strict=True):
        wanted += (left - right) * math.log(left / right)
    assert float(psi(*pair)) == wanted


@given(counts_pair)
def test_kl_is_the_relative_entropy_of_scipy(pair):
    q, p = map(smoothed, pair)
    assert float(kl(*pair)) == pytest.approx(stats.entropy(p, q), **CLOSE)


@given(counts_pair)
def test_jensen_shannon_is_that_of_scipy(pair):
    # Of nearly equal shares scipy takes the root of a difference that rounding may make negative.
    wanted = np.nan_to_num(jensenshannon(pair[1], pair[0], base=2))
    assert float(jensen_shannon(*pair)) == pytest.approx(wanted, rel=1e-6, abs=1e-7)
    assert 0 <= float(jensen_shannon(*pair)) <= 1


@given(counts_pair)
def test_jensen_shannon_is_what_a_bin_tells_about_its_side_as_scikit_learn_measures_it(pair):
    left, right = (np.minimum(side, 1000) for side in pair)  # scikit-learn multiplies counts as integers
    equal_sides = np.array([left * right.sum(), right * left.sum()])
    bits = mutual_info_score(None, None, contingency=equal_sides) / math.log(2)
    assert float(jensen_shannon(left, right)) ** 2 == pytest.approx(bits, rel=1e-6, abs=1e-9)


def test_jensen_shannon_is_0_of_equal_shares_and_1_of_disjoint_ones():
    assert float(jensen_shannon([1, 2, 0], [10, 20, 0])) == pytest.approx(0, abs=1e-8)
    assert float(jensen_shannon([1, 2, 0], [0, 0, 7])) == 1


@given(counts_pair)
def test_chi_square_is_that_of_scipy_without_bins_that_are_empty_in_both(pair):
    table = np.array(pair)
    table = table[:, table.sum(axis=0) > 0]
    found = chi_square(*pair)
    if table.shape[1] == 1:
        assert found == (0, 0)
        return
    wanted = stats.chi2_contingency(table, correction=False)
    assert found.statistic == pytest.approx(wanted.statistic, rel=1e-8, abs=1e-8)
    assert found.degrees == wanted.dof


@given(numbers, numbers)
def test_binned_ks_is_below_the_exact_one_by_no_more_than_its_bound(sample, current):
    reference, q, p = binned(sample, current)
    found = ks(q, p, reference.points)
    with np.errstate(divide="ignore"):  # only the statistic is wanted; of 1 and 1 values scipy has no p-value
        exact = stats.ks_2samp(sample, current, method="asymp").statistic
    assert found.statistic <= exact + 1e-12
    assert exact <= found.statistic + found.bound + 1e-12
    assert found.bound <= 1 / min(250, sample.size) + 1e-12


@pytest.mark.parametrize("kind", ["normal", "heavy", "zeros", "rounded"])
def test_with_10_000_rows_binning_costs_less_than_a_250th(kind):
    sample, current = drawn(1, kind, 10_000), 1.1 * drawn(2, kind, 5000) + 0.03
    reference, q, p = binned(sample, current)
    exact = stats.ks_2samp(sample, current).statistic
    assert -1e-12 <= exact - ks(q, p, reference.points).statistic <= 1 / 250


def test_the_ks_of_atoms_is_exact():
    sample, current = drawn(3, "integers", 3000), np.minimum(drawn(4, "integers", 2000) + 1, 23)
    reference, q, p = binned(sample, current)
    found = ks(q, p, reference.points)
    assert found.statistic == pytest.approx(stats.ks_2samp(sample, current).statistic, abs=1e-12)
    assert found.bound == 0


@given(numbers, numbers)
def test_wasserstein_is_that_of_scipy_on_values_cut_off_at_the_outer_edges_within_its_bound(sample, current):
    reference, q, p = binned(sample, current)
    edges, std = reference.edges, reference.std
    found = wasserstein_normalised(edges, q, p, std)
    if std == 0:
        assert found is None
        return
    if edges.size < 2:
        assert found is None
        return
    low, high = edges[0], edges[-1]
    exact = stats.wasserstein_distance(np.clip(sample, low, high) / std, np.clip(current, low, high) / std)
    both = (q / q.sum() + p / p.sum())[1:-1]
    bound = float(np.sum(np.diff(edges) / std * both))
    assert abs(found - exact) <= bound * (1 + 1e-9) + 1e-9 * max(1.0, exact)


def test_wasserstein_of_a_shift_is_the_shift_in_standard_deviations():
    sample = drawn(5, "normal", 20_000) * 7 + 100
    reference, q, p = binned(sample, sample + 7 * 0.3)
    assert wasserstein_normalised(reference.edges, q, p, reference.std) == pytest.approx(0.3, abs=0.01)


def test_wasserstein_where_the_difference_crosses_zero_within_a_bin():
    # Shares .5 .5 0 against 0 1 0 in bins of width 2: cumulated .5 to 0 over one bin, a triangle.
    edges = np.array([0.0, 2.0, 4.0])
    assert wasserstein_normalised(edges, [1, 1, 0, 0], [0, 2, 0, 0], 1.0) == pytest.approx(0.5 * 2 / 2)
    # From +.5 to -.5 over one bin: two triangles of height .5 and half the width.
    assert wasserstein_normalised(edges, [0, 2, 0, 2], [1, 0, 2, 1], 1.0) is not None
    assert wasserstein_normalised(edges, [0, 4, 0, 0], [2, 0, 2, 0], 1.0) == pytest.approx(0.5 + 0.5)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 500), st.integers(1, 500))
def test_the_psi_of_a_share_is_that_of_two_bins(hits, current_hits, others, current_others):
    m, n = hits + others, current_hits + current_others
    wanted = psi([hits, others], [current_hits, current_others])
    assert float(share_psi(hits, m, current_hits, n)) == pytest.approx(float(wanted), **CLOSE)


@given(counts_pair)
def test_debiasing_takes_off_what_is_expected_and_stops_at_zero(pair):
    n, m, bins = sum(pair[1]), sum(pair[0]), len(pair[0])
    raw = float(psi(*pair))
    assert float(psi_debiased(*pair)) == pytest.approx(max(0, raw - (bins - 1) * (1 / n + 1 / m)), **CLOSE)
    assert float(psi_debiased(*pair, phi=3)) == pytest.approx(max(0, raw - 3 * (bins - 1) * (1 / n + 1 / m)), **CLOSE)
    assert float(debiased(raw, bins, n, m)) == float(psi_debiased(*pair))


def test_the_debiased_psi_of_nothing_is_about_nothing():
    random = np.random.default_rng(6)
    shares = np.full(10, 0.1)
    reference, windows = random.multinomial(10_000, shares, 2000), random.multinomial(200, shares, 2000)
    raw = psi(reference, windows)
    assert np.mean(raw) == pytest.approx(9 * (1 / 200 + 1 / 10_000), rel=0.05)
    assert np.mean(raw - 9 * (1 / 200 + 1 / 10_000)) == pytest.approx(0, abs=0.003)


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_statistics_of_many_windows_at_once_are_those_of_each(reference, windows, seed):
    current = np.random.default_rng(seed).integers(1, 9, (windows, 3))
    for statistic in (psi, psi_debiased, kl, jensen_shannon):
        assert statistic(reference, current).tolist() == pytest.approx(
            [float(statistic(reference, row)) for row in current], **CLOSE
        )


@pytest.mark.parametrize("n", [1, 2, 10**9, 2**52])
def test_tiny_and_huge_counts_have_finite_distances(n):
    reference, current = [n, 0, n], [0, n, 0]
    for value in (
        *(float(statistic(reference, current)) for statistic in (psi, kl, jensen_shannon)),
        *ks(reference, current),
        *chi_square(reference, current),
    ):
        assert math.isfinite(value)
    assert ks(reference, current).statistic == 0.5
    assert float(jensen_shannon(reference, current)) == 1


@pytest.mark.parametrize("statistic", [psi, psi_debiased, kl, jensen_shannon, ks, chi_square])
@pytest.mark.parametrize(
    ("reference", "current", "words"),
    [
        ([1, 2], [0, 0], "current: no rows"),
        ([0, 0], [1, 2], "reference: no rows"),
        ([1, 2], [1, 2, 3], "expected the same bins"),
        ([], [], "at least one"),
    ],
)
def test_a_side_without_rows_has_no_distance(statistic, reference, current, words):
    with pytest.raises(ValueError, match=words):
        statistic(reference, current)
