"""Counting rows on bins, against counting them one by one."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.drift.baselines.binning import count_field
from modeltrail.drift.baselines.counts import FieldCounts, merge
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.baselines.tally import tally_numbers
from modeltrail.drift.rows.columns import Column, number_text
from tests.drift.samples import TIES, drawn, numbers

values = st.one_of(
    TIES, st.floats(width=32), st.sampled_from(["a", "b", "", "5"]), st.none(), st.booleans(), st.integers(-9, 9)
)


def one_by_one(edges, rows):
    bins, missing, mistyped = [0] * (len(edges) + 1), 0, 0
    for value in rows:
        if value is None or (isinstance(value, float) and value != value):
            missing += 1
        elif isinstance(value, str | bool):
            mistyped += 1
        else:
            bins[sum(1 for edge in edges if edge <= value)] += 1
    return FieldCounts.of(bins, missing=missing, mistyped=mistyped)


@pytest.mark.parametrize("repeats", [1, 100], ids=["looked up", "sorted"])
@given(sample=numbers, rows=st.lists(values, min_size=1, max_size=40))
def test_numbers_are_counted_as_one_by_one(repeats, sample, rows):
    reference = Reference.from_column("feature", "x", Column.from_numbers(sample))
    column = Column.from_values(rows * repeats)
    one = one_by_one(reference.edges.tolist(), rows)
    assert count_field(reference, column) == merge([one] * repeats, reference.bins)


@pytest.mark.parametrize("n", [10, 999, 1000, 5000])
def test_infinities_fall_into_the_outer_bins_and_nan_is_missing(n):
    sample = drawn(1, "normal", 2000)
    reference = Reference.from_column("feature", "x", Column.from_numbers(sample))
    found = count_field(reference, Column.from_numbers(np.tile([np.inf, -np.inf, np.nan, np.nan, 0.0], n // 5)))
    assert found.missing == 2 * (n // 5)
    assert found.counts[0] == found.counts[-1] == n // 5
    assert found.n == 5 * (n // 5)


@given(st.lists(values, min_size=1, max_size=60), st.lists(values, max_size=60))
def test_categories_are_counted_as_one_by_one(sample, rows):
    def text(value):
        if value is None or (isinstance(value, float) and value != value):
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if isinstance(value, str) else number_text(float(value))

    known = {text(value) for value in sample} - {None}
    if not known:
        return
    reference = Reference.from_column("feature", "c", Column.from_values(sample), kind="categorical")
    assert set(reference.categories) == known
    found = count_field(reference, Column.from_values(rows))
    wanted = Counter(map(text, rows))
    assert dict(zip(reference.categories, found.counts.tolist(), strict=True)) == {name: wanted[name] for name in known}
    assert found.missing == wanted[None]
    assert found.unseen == sum(count for name, count in wanted.items() if name is not None and name not in known)
    assert found.n == len(rows)


@given(numbers, st.integers(0, 3000), st.integers(0, 2**32 - 1))
def test_chunks_and_masks_add_up_to_the_whole(sample, at, seed):
    reference = Reference.from_column("feature", "x", Column.from_numbers(sample))
    column = Column.from_numbers(drawn(seed, "rounded", 3000))
    whole = count_field(reference, column)
    assert (
        count_field(reference, column.take(slice(0, at))) + count_field(reference, column.take(slice(at, None)))
        == whole
    )
    mask = np.random.default_rng(seed).random(3000) < 0.3
    assert count_field(reference, column, mask) + count_field(reference, column, ~mask) == whole


def test_no_rows_are_zeros():
    reference = Reference.from_column("feature", "c", Column.from_values(["a", "b"]))
    assert count_field(reference, Column.from_values([])) == FieldCounts.zeros(2)
    assert tally_numbers(np.array([1.0]), Column.from_values([])) == FieldCounts.zeros(2)


def test_a_feature_that_turns_into_text_is_mistyped_and_not_missing():
    reference = Reference.from_column("feature", "x", Column.from_numbers(drawn(3, "normal", 500)))
    found = count_field(reference, Column.from_values(["1.5", "2", None, 0.5]))
    assert (found.mistyped, found.missing, found.binned) == (2, 1, 1)
