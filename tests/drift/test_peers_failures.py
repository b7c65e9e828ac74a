"""What common drift tools get wrong, each as a test that their method fails and ours passes.

The method of the peer is written out here, in a few lines or by scipy. On bins, missing and unseen values, atoms and
small samples; what needs the policy (uncorrected tests, thresholds, overlapping windows) is tested with the policy.
"""

import numpy as np
import pytest
from scipy import stats

from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.rows.columns import Column
from modeltrail.drift.statistics.distances import ks, psi, psi_debiased, share_psi
from modeltrail.drift.statistics.significance import ks_p_value, psi_p_value, share_p_value

CRITICAL = 0.25
WARNING = 0.1


def psi_of_shares(q, p, floor):
    """The textbook: empty bins are raised to a small share."""
    q, p = np.maximum(q / np.sum(q), floor), np.maximum(p / np.sum(p), floor)
    return float(np.sum((p - q) * np.log(p / q)))


def psi_on_edges(edges, reference, current, floor=1e-4):
    return psi_of_shares(np.histogram(reference, edges)[0], np.histogram(current, edges)[0], floor)


class Ours:
    """What our statistics say about a field."""

    def __init__(self, sample, current, kind=None):
        self.reference = Reference.from_column("feature", "x", column(sample), kind=kind)
        self.before, self.now = self.reference.sample, self.reference.count(column(current))
        self.n, self.m = self.now.binned, self.before.binned

    @property
    def coarse(self):
        return self.reference.coarse(self.before), self.reference.coarse(self.now)

    @property
    def effect(self):
        return float(psi_debiased(*self.coarse))

    @property
    def p_psi(self):
        return float(psi_p_value(psi(*self.coarse), self.reference.groups.size, self.n, self.m, delta0=0.005))

    @property
    def p_ks(self):
        found = ks(self.before.counts, self.now.counts, self.reference.points)
        return float(ks_p_value(found.statistic, self.n, self.m, d0=0.02))

    def share(self, before, now):
        """Effect and p-value of a share: (hits, rows) of the reference and of the window."""
        effect = float(share_psi(*before, *now))
        return effect, share_p_value(*before, *now, delta0=0.005)

    @property
    def missing(self):
        return self.share((self.before.missing, self.before.n), (self.now.missing, self.now.n))

    @property
    def unseen(self):
        present = self.now.n - self.now.missing
        return self.share((0, self.before.n - self.before.missing), (self.reference.unseen(self.now), present))

    @property
    def mistyped(self):
        return self.share((self.before.mistyped, self.before.n), (self.now.mistyped, self.now.n))


def column(values):
    return Column.from_numbers(values) if isinstance(values, np.ndarray) else Column.from_values(values)


def normal(seed, n, loc=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(loc, scale, n)


# -- bins ------------------------------------------------------------------------------------------------------------


def test_bins_over_reference_and_current_one_outlier_hides_a_shift_of_half_a_sigma():
    sample, current = normal(1, 10_000), normal(2, 5000, loc=0.5)
    with_outlier = current.copy()
    with_outlier[0] = 1e4

    def peer(window):
        return psi_on_edges(np.histogram_bin_edges(np.concatenate([sample, window]), 10), sample, window)

    assert peer(current) > 0.2
    assert peer(with_outlier) < 0.001
    ours = Ours(sample, with_outlier)
    assert ours.effect > 0.2
    assert max(ours.p_psi, ours.p_ks) < 1e-9
    assert ours.effect == pytest.approx(Ours(sample, current).effect, abs=0.002)


def test_equal_width_bins_over_the_range_of_the_reference_a_heavy_tail_hides_a_shift():
    random = np.random.default_rng(3)
    sample = random.lognormal(0, 2, 10_000)
    current = random.lognormal(0.7, 2, 5000)
    assert psi_on_edges(np.histogram_bin_edges(sample, 10), sample, current) < 0.05
    ours = Ours(sample, current)
    assert ours.effect > WARNING
    assert max(ours.p_psi, ours.p_ks) < 1e-9


def test_bins_that_end_at_the_range_of_the_reference_do_not_see_what_is_beyond():
    sample = normal(4, 10_000)
    current = np.concatenate([normal(5, 4000), np.full(1000, 1e6)])
    assert psi_on_edges(np.histogram_bin_edges(sample, 10), sample, current) < 0.02
    ours = Ours(sample, current)
    assert ours.effect > WARNING
    assert max(ours.p_psi, ours.p_ks) < 1e-9


# -- atoms -----------------------------------------------------------------------------------------------------------


def atom(seed, n, at):
    random = np.random.default_rng(seed)
    return np.where(random.random(n) < 0.6, at, random.uniform(0, 10, n))


def closed_left(edges, values):
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=edges.size + 1)


def closed_right(edges, values):
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=edges.size + 1)


@pytest.mark.parametrize(("slipped", "counted"), [(4.999, closed_right), (5.001, closed_left)])
def test_plain_quantile_edges_do_not_see_most_of_the_mass_slip_by_a_thousandth(slipped, counted):
    sample, current = atom(6, 10_000, 5.0), atom(7, 5000, slipped)
    deciles = np.unique(np.quantile(sample, np.arange(1, 10) / 10))
    assert psi_of_shares(counted(deciles, sample), counted(deciles, current), 1e-4) < 0.02
    ours = Ours(sample, current)
    assert ours.effect > CRITICAL
    assert max(ours.p_psi, ours.p_ks) < 1e-9


def test_a_constant_that_takes_another_value():
    sample, current = np.full(10_000, 3.0), np.full(500, 3.0000001)
    deciles = np.unique(np.quantile(sample, np.arange(1, 10) / 10))
    assert psi_of_shares(closed_left(deciles, sample), closed_left(deciles, current), 1e-4) < 1e-6
    effect, p = Ours(sample, current).unseen
    assert effect > CRITICAL
    assert p < 1e-9


def test_integers_that_turn_into_fractions():
    random = np.random.default_rng(8)
    sample = random.integers(0, 20, 10_000).astype(np.float64)
    current = random.integers(0, 20, 1000) + 0.25
    edges = np.arange(0.0, 21.0)
    assert psi_on_edges(edges, sample, current) < 0.06
    effect, p = Ours(sample, current).unseen
    assert effect > CRITICAL
    assert p < 1e-9


# -- missing, mistyped -----------------------------------------------------------------------------------------------


def test_missing_values_dropped_before_the_test_60_percent_null_raise_no_alarm():
    sample, current = normal(9, 10_000), normal(10, 1000)
    current[np.random.default_rng(11).random(1000) < 0.6] = np.nan
    left = current[~np.isnan(current)]
    assert stats.ks_2samp(sample, left).pvalue > 0.05
    assert psi_on_edges(np.quantile(sample, np.arange(11) / 10), sample, left) < WARNING
    ours = Ours(sample, current)
    effect, p = ours.missing
    assert effect > CRITICAL
    assert p < 1e-9
    # And what is there is not blamed for what is not.
    assert ours.effect < 0.05
    assert min(ours.p_psi, ours.p_ks) > 0.01


def test_numbers_that_arrive_as_text_are_not_missing_and_not_zero():
    sample = normal(12, 5000)
    current = [str(value) if at % 3 == 0 else float(value) for at, value in enumerate(normal(13, 900))]
    numbers = np.array([value for value in current if isinstance(value, float)])
    assert stats.ks_2samp(sample, numbers).pvalue > 0.05
    ours = Ours(sample, current)
    effect, p = ours.mistyped
    assert effect > CRITICAL
    assert p < 1e-9
    assert ours.missing[1] == 1


# -- unseen ----------------------------------------------------------------------------------------------------------


def carriers(seed, n, new=0.0):
    random = np.random.default_rng(seed)
    known = random.choice(["UA", "AA", "DL", "B6"], n, p=[0.4, 0.3, 0.2, 0.1])
    return np.where(random.random(n) < new, "new", known).tolist()


def by_name(values, names):
    return np.array([values.count(name) for name in names], dtype=np.float64)


def test_an_unseen_category_makes_chi_square_infinite():
    sample, current = carriers(14, 10_000), carriers(15, 5000, new=0.01)
    names = ["UA", "AA", "DL", "B6", "new"]
    expected = by_name(sample, names) / len(sample) * len(current)
    with np.errstate(divide="ignore"):
        assert np.isinf(stats.chisquare(by_name(current, names), expected).statistic)
    ours = Ours(sample, current)
    assert np.isfinite(ours.effect)
    assert ours.p_psi > 0.01


def test_an_unseen_category_of_one_percent_makes_psi_a_warning():
    sample, current = carriers(16, 10_000), carriers(17, 5000, new=0.01)
    names = ["UA", "AA", "DL", "B6", "new"]
    assert psi_of_shares(by_name(sample, names), by_name(current, names), 1e-10) > 0.15
    ours = Ours(sample, current)
    effect, p = ours.unseen
    # Seen beyond doubt, and as small as it is.
    assert p < 1e-6
    assert effect < WARNING
    assert ours.effect < 0.01


def test_unseen_categories_dropped_before_the_test_half_of_all_rows_raise_no_alarm():
    sample, current = carriers(18, 10_000), carriers(19, 2000, new=0.5)
    names = ["UA", "AA", "DL", "B6"]
    table = [by_name(sample, names), by_name(current, names)]
    assert stats.chi2_contingency(table).pvalue > 0.05
    effect, p = Ours(sample, current).unseen
    assert effect > CRITICAL
    assert p < 1e-9


# -- small samples ---------------------------------------------------------------------------------------------------


def test_a_fixed_threshold_at_small_n_calls_every_other_window_a_drift():
    sample, windows = normal(20, 10_000), [normal(100 + seed, 80) for seed in range(300)]
    edges = np.quantile(sample, np.arange(1, 10) / 10)
    peer = [psi_of_shares(closed_left(edges, sample), closed_left(edges, window), 1e-4) > WARNING for window in windows]
    assert np.mean(peer) > 0.4
    reference = Reference.from_column("feature", "x", column(sample))
    whole = reference.coarse(reference.sample)
    counts = np.array([reference.coarse(reference.count(column(window))) for window in windows])
    p = psi_p_value(psi(whole, counts), 10, 80, 10_000)
    assert np.mean((psi_debiased(whole, counts) > WARNING) & (p < 0.01)) < 0.03
    assert np.median(psi_debiased(whole, counts)) < 0.02
