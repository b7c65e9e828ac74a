"""P-values against scipy, and against what they promise: as many small ones as they say where nothing changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from modeltrail.drift.statistics.distances import chi_square, psi, share_psi
from modeltrail.drift.statistics.significance import (
    chi_square_p_value,
    effective_rows,
    ks_p_value,
    psi_p_value,
    rejection_limit,
    share_p_value,
)

M = 10_000
DECILES = np.full(10, 0.1)


def share_below(p_values, alpha):
    return float(np.mean(np.asarray(p_values) < alpha))


# -- PSI -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [200, 1000, 5000])
def test_n_eff_times_psi_follows_chi_square_where_nothing_changed(n):
    random = np.random.default_rng(n)
    reference, windows = random.multinomial(M, DECILES, 20_000), random.multinomial(n, DECILES, 20_000)
    values = psi(reference, windows)
    p = psi_p_value(values, 10, n, M)
    # The design measured .045/.009/.0011 at 200 rows and .053/.011/.0012 at 5,000.
    assert 0.035 < share_below(p, 0.05) < 0.065
    assert 0.006 < share_below(p, 0.01) < 0.014
    assert share_below(p, 0.001) < 0.0025
    assert float(np.mean(values * effective_rows(n, M))) == pytest.approx(9, rel=0.06)


def test_with_an_epsilon_instead_of_smoothing_it_does_not():
    random = np.random.default_rng(1)
    reference, windows = random.multinomial(M, DECILES, 5000), random.multinomial(50, DECILES, 5000)
    q, p = reference / M, np.maximum(windows / 50, 1e-4)
    with_floor = np.sum((p - q) * np.log(p / q), axis=1) * effective_rows(50, M)
    assert share_below(stats.chi2.sf(with_floor, 9), 0.001) > 0.02
    assert share_below(psi_p_value(psi(reference, windows), 10, 50, M), 0.001) < 0.004


def test_without_tolerance_it_is_the_chi_square_of_scipy():
    values = np.linspace(0, 0.2, 50)
    wanted = stats.chi2.sf(values * 500 * M / (500 + M), 9)
    assert psi_p_value(values, 10, 500, M) == pytest.approx(wanted, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("n", [1000, 5000])
def test_a_change_of_exactly_the_tolerance_is_found_no_more_often_than_promised(n):
    delta0 = 0.02
    tilt = np.linspace(-1, 1, 10)
    low, high = 0.0, 1.0
    for _ in range(60):  # tilt the deciles until their PSI is delta0
        middle = (low + high) / 2
        shifted = DECILES * (1 + middle * tilt)
        low, high = (
            (middle, high) if np.sum((shifted - DECILES) * np.log(shifted / DECILES)) < delta0 else (low, middle)
        )
    random = np.random.default_rng(n)
    values = psi(random.multinomial(M, DECILES, 10_000), random.multinomial(n, DECILES * (1 + low * tilt), 10_000))
    p = psi_p_value(values, 10, n, M, delta0=delta0)
    assert 0.03 < share_below(p, 0.05) < 0.07
    assert share_below(psi_p_value(values, 10, n, M), 0.05) > 0.3


def test_overdispersion_makes_rows_worth_less():
    # Sessions of 5 alike events: PSI as of a fifth of the rows.
    random = np.random.default_rng(3)
    reference, windows = random.multinomial(M, DECILES, 5000), 5 * random.multinomial(200, DECILES, 5000)
    values = psi(reference, windows)
    assert share_below(psi_p_value(values, 10, 1000, M), 0.01) > 0.8
    assert share_below(psi_p_value(values, 10, 1000, M, phi=5), 0.01) < 0.02


def test_one_bin_shows_nothing():
    assert psi_p_value([0.0, 0.0], 1, 100, M).tolist() == [1, 1]


@pytest.mark.parametrize("n", [1, 10, 10**6, 10**9, 10**12])
def test_p_values_are_probabilities_for_every_n(n):
    values = np.array([0.0, 1e-9, 0.004, 0.005, 0.0051, 0.3, 40.0])
    for p in (
        psi_p_value(values, 10, n, M, delta0=0.005),
        psi_p_value(values, 10, n, n, delta0=0.005, phi=2.5),
        ks_p_value(np.minimum(values, 1), n, M, d0=0.02),
        chi_square_p_value(values * n, 9),
    ):
        assert ((p >= 0) & (p <= 1)).all()
        assert (np.diff(p) <= 1e-12).all()


# -- KS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(20, 30), (50, 500), (200, M), (5000, M)])
def test_the_p_value_of_ks_is_near_the_exact_one_of_scipy(n, m):
    n_eff = n * m / (n + m)
    for d in np.array([0.3, 0.8, 1.2, 1.6, 2.0]) / np.sqrt(n_eff):
        wanted = stats.kstwo.sf(d, round(n_eff))
        assert float(ks_p_value(d, n, m)) == pytest.approx(wanted, rel=0.15, abs=0.01)


def test_ks_is_calibrated_on_continuous_samples():
    random = np.random.default_rng(4)
    p = [ks_p_value(stats.ks_2samp(*random.normal(size=(2, 400))).statistic, 400, 400) for _ in range(800)]
    assert 0.02 < share_below(p, 0.05) < 0.08


def test_within_the_tolerance_ks_finds_nothing():
    assert float(ks_p_value(0.019, 10**7, 10**7, d0=0.02)) == 1
    assert float(ks_p_value(0.03, 10**7, 10**7, d0=0.02)) < 1e-9


# -- chi-square ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=2, max_size=12))
def test_the_p_value_of_chi_square_is_that_of_scipy(pairs):
    left, right = zip(*pairs, strict=True)
    wanted = stats.chi2_contingency([left, right], correction=False)
    assert float(chi_square_p_value(*chi_square(left, right))) == pytest.approx(wanted.pvalue, rel=1e-6, abs=1e-12)


def test_a_single_category_shows_nothing():
    assert float(chi_square_p_value(*chi_square([5], [9]))) == 1


# -- shares ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(50, 2000), st.integers(1000, 100_000))
def test_unseen_before_the_p_value_is_the_larger_of_two_exact_binomial_ones_of_scipy(hits, n, m):
    hits = min(hits, n)
    against_share = stats.binomtest(hits, n, 0.5 / (m + 1), alternative="greater").pvalue
    against_rows = stats.binomtest(hits, hits, n / (n + m), alternative="greater").pvalue
    wanted = max(against_share, against_rows)
    assert share_p_value(0, m, hits, n) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize(
    ("share", "n", "m"),
    [
        (0.0001, 1000, M),
        (0.001, 200, M),
        (0.003, 1000, M),
        (0.0004, 5000, M),
        (0.01, 5000, 200),
        (0.05, 1000, M),
        (0.3, 500, M),
        (0.01, 2000, M),
    ],
)
def test_a_share_that_did_not_change_is_found_no_more_often_than_promised(share, n, m):
    random = np.random.default_rng(round(n * share * 1e6))
    before, after = random.binomial(m, share, 2000), random.binomial(n, share, 2000)
    p = [share_p_value(int(b), m, int(a), n) for b, a in zip(before, after, strict=True)]
    assert share_below(p, 0.05) < 0.075
    assert share_below(p, 0.001) < 0.005


def test_where_five_are_expected_it_is_the_psi_of_two_bins():
    wanted = psi_p_value(share_psi(300, M, 60, 1000), 2, 1000, M, delta0=0.005)
    assert share_p_value(300, M, 60, 1000, delta0=0.005) == float(wanted)


def test_a_fall_is_found_too_where_enough_was_expected():
    assert share_p_value(3000, M, 200, 1000) < 1e-6


def test_nothing_in_a_hundred_is_no_proof_of_nothing_in_5000():
    # Known to be (0 + 1/2) / 101, forty in 5,000 would be beyond belief; but nothing in a hundred may be 1 in 100.
    assert stats.binomtest(40, 5000, 0.5 / 101, alternative="greater").pvalue < 0.01
    assert share_p_value(0, 100, 40, 5000) > 0.3


def test_the_tolerance_of_a_share_is_a_psi():
    few, many = share_p_value(0, M, 3, 1000, delta0=0.005), share_p_value(0, M, 30, 1000, delta0=0.005)
    assert few > 0.05 > share_p_value(0, M, 3, 1000)
    assert many < 1e-6


def test_hits_of_one_session_are_worth_less():
    assert share_p_value(0, M, 10, 1000) < 1e-6 < share_p_value(0, M, 10, 1000, phi=5) < 0.05
    assert share_p_value(0, M, 1, 1000, phi=50) <= 1


@pytest.mark.parametrize("arguments", [(0, 100, 0, 100), (0, 1, 0, 1), (4, 10_000, 0, 1000)])
def test_no_hits_are_no_rise(arguments):
    assert share_p_value(*arguments) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1, 0, 1, 10), "reference: 1 hits of 0"),
        ((0, 0, 1, 10), "at least 1"),
        ((0, 10, 11, 10), "current: 11 hits of 10"),
        ((-1, 10, 1, 10), "reference: -1"),
    ],
)
def test_shares_that_cannot_be_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        share_p_value(*arguments)


# -- many at once ----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.one_of(st.floats(0, 1), st.floats(0, 0.02), st.just(0.01)), max_size=40), st.sampled_from([0.01, 0.05])
)
def test_benjamini_hochberg_rejects_what_scipy_does(p_values, fdr):
    limit = rejection_limit(p_values, fdr)
    if not p_values:
        assert limit == -1.0
        return
    found = np.array(p_values) <= limit
    adjusted = stats.false_discovery_control(p_values)
    clear = np.abs(adjusted - fdr) > 1e-12  # a tie to the last digit may go either way
    assert (found == (adjusted <= fdr))[clear].all()


@pytest.mark.parametrize("p_values", [[1.1], [-0.1], [float("nan")], [[0.1]]])
def test_what_is_no_list_of_p_values_is_refused(p_values):
    with pytest.raises(ValueError, match="p_values"):
        rejection_limit(p_values, 0.05)
