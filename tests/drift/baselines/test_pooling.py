"""Pools of bins that expect enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.drift.baselines.pooling import pool as make_pools


def pool(reference, rows, *, ordered):
    """Return which pool each bin goes to."""
    pools = make_pools(np.array(reference), rows, ordered=ordered)
    assert pools.starts[0] == 0
    numbers = np.empty(len(reference), dtype=np.int64)
    numbers[pools.order] = np.searchsorted(pools.starts, np.arange(len(reference)), side="right") - 1
    assert (
        pools.sums(np.array([reference, reference])).tolist()
        == [np.bincount(numbers, weights=reference).astype(np.int64).tolist()] * 2
    )
    return numbers


counts = st.lists(st.integers(0, 1000), min_size=1, max_size=30).filter(any)


@given(counts, st.integers(1, 2000), st.booleans())
def test_every_pool_expects_enough_or_there_is_only_one(reference, rows, ordered):
    pools = pool(reference, rows, ordered=ordered)
    number = int(pools.max()) + 1
    assert sorted(set(pools.tolist())) == list(range(number))
    expected = np.bincount(pools, weights=reference) / sum(reference) * rows
    assert number == 1 or (expected >= 5 - 1e-9).all()


@given(counts, st.integers(1, 2000))
def test_ordered_bins_are_pooled_with_neighbours(reference, rows):
    assert (np.diff(pool(reference, rows, ordered=True)) >= 0).all()


@given(counts)
def test_bins_that_expect_enough_stay_alone(reference):
    reference = [count + 1 for count in reference]
    pools = pool(reference, 5 * sum(reference), ordered=True)
    assert pools.tolist() == list(range(len(reference)))


@pytest.mark.parametrize(
    ("reference", "rows", "ordered", "pools"),
    [
        ([10, 10, 10], 15, True, [0, 1, 2]),
        ([10, 10, 10], 10, True, [0, 0, 0]),
        ([10, 10, 10, 10], 20, True, [0, 1, 2, 3]),
        ([10, 10, 10, 10], 10, True, [0, 0, 1, 1]),
        ([1, 97, 1, 1], 100, False, [0, 0, 0, 0]),
        ([1, 93, 3, 3], 100, False, [1, 0, 1, 1]),
        ([90, 2, 2, 6], 100, False, [0, 1, 1, 1]),
        ([90, 5, 5], 100, False, [0, 1, 2]),
    ],
)
def test_what_is_left_over_joins_the_last_pool(reference, rows, ordered, pools):
    assert pool(reference, rows, ordered=ordered).tolist() == pools
