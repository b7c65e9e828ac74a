"""Bins of a numeric field: light enough, atoms alone, nothing between the bins."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from modeltrail.drift.baselines.edges import COARSE_BINS, make_edges, make_groups, point_bins
from tests.drift.samples import ANY, KINDS, WITH_ENDS, drawn, numbers


def bin_of(edges, value):
    """The bin by its definition: the last one whose left edge is not above the value."""
    return sum(1 for edge in edges if edge <= value)


def counted(edges, values):
    bins = Counter(np.searchsorted(edges, values, side="right").tolist())
    return np.array([bins[at] for at in range(edges.size + 1)], dtype=np.int64)


@given(numbers, st.sampled_from([2, 10, 50, 250]))
def test_a_bin_of_more_than_one_value_holds_at_most_its_share(values, fine_bins):
    edges = make_edges(values, fine_bins)
    counts, points = counted(edges, values), point_bins(edges)
    assert counts.sum() == values.size
    assert (counts[~points] <= max(1, values.size // fine_bins)).all() or np.unique(values).size == 1


@given(numbers, st.sampled_from([10, 250]))
def test_a_value_heavier_than_a_bin_has_one_for_itself(values, fine_bins):
    edges = make_edges(values, fine_bins)
    points = point_bins(edges)
    for value, count in Counter(values.tolist()).items():
        if count > max(1, values.size // fine_bins):
            at = bin_of(edges, value)
            assert points[at]
            assert bin_of(edges, math.nextafter(value, -math.inf)) == at - 1
            assert bin_of(edges, math.nextafter(value, math.inf)) == at + 1


@example(np.array([-5e-324]), 2)  # what follows it is -0.0
@given(st.lists(WITH_ENDS, min_size=1, max_size=40).map(np.array), st.sampled_from([2, 10, 250]))
def test_edges_are_finite_and_increase_for_every_double(values, fine_bins):
    assume(np.isfinite(values).any())
    edges = make_edges(values, fine_bins)
    assert 1 <= edges.size <= 2000
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
    assert not np.signbit(edges[edges == 0]).any()


@pytest.mark.parametrize("n", [499, 500, 749, 999, 5000])
@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_no_sample_gives_more_edges_than_the_contract_takes(n, repeats):
    for fine_bins in (250, 500):
        mixed = np.concatenate([np.repeat(np.arange(n // 2), repeats), np.arange(n) + 0.5])
        assert make_edges(mixed, fine_bins).size <= 2000


@given(st.lists(ANY, min_size=1, max_size=200).map(np.array), st.randoms(use_true_random=False))
def test_the_order_of_rows_cannot_be_seen(values, random):
    shuffled = values.tolist()
    random.shuffle(shuffled)
    assert make_edges(np.array(shuffled)).tolist() == make_edges(values).tolist()


def test_a_smooth_sample_gets_25_bins_in_each_decile():
    values = drawn(1, "normal", 10_000)
    edges = make_edges(values)
    counts = counted(edges, values)
    groups = make_groups(edges, counts)
    assert counts.tolist() == [40] * 250
    assert groups.tolist() == list(range(0, 250, 25))


@given(numbers)
def test_groups_are_runs_of_bins_none_of_them_too_heavy(values):
    edges = make_edges(values)
    counts = counted(edges, values)
    groups = make_groups(edges, counts)
    assert groups[0] == 0
    assert (np.diff(groups) > 0).all()
    assert groups[-1] < counts.size
    coarse = np.add.reduceat(counts, groups)
    tenth = values.size / COARSE_BINS
    for at, weight in enumerate(coarse.tolist()):
        members = counts[groups[at] : groups[at + 1] if at + 1 < groups.size else None]
        # Half a tenth from rounding to whole parts, a bin from cutting between bins, and no atom with company
        # but the light rest between it and the next one.
        heaviest = int(members.max())
        assert weight <= max(1.6 * tenth + 2 * heaviest, heaviest + tenth)


def test_a_heavy_atom_is_a_coarse_bin_of_its_own():
    values = np.concatenate([np.full(6000, 5.0), np.random.default_rng(2).uniform(0, 10, 4000)])
    edges = make_edges(values)
    counts = counted(edges, values)
    groups = make_groups(edges, counts).tolist()
    atom = bin_of(edges, 5.0)
    assert atom in groups
    assert atom + 1 in groups


def test_a_constant_has_bins_below_and_above():
    edges = make_edges(np.full(100, 3.0))
    assert edges.tolist() == [3.0, math.nextafter(3.0, math.inf)]
    assert make_groups(edges, np.array([0, 100, 0])).tolist() == [0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 3, 20, 249, 250, 251, 10_000])
def test_samples_of_every_size_and_kind_have_bins(kind, n):
    values = drawn(n, kind, n)
    edges = make_edges(values)
    assert counted(edges, values).sum() == n


@pytest.mark.parametrize(
    ("values", "fine_bins", "words"),
    [([], 250, "none of them finite"), ([np.inf], 250, "none of them finite"), ([1.0], 1, "expected 2 to 500")],
)
def test_a_sample_without_a_number_has_no_bins(values, fine_bins, words):
    with pytest.raises(ValueError, match=words):
        make_edges(np.array(values, dtype=np.float64), fine_bins)
