"""Counting rows on bins: the one place where every value of a stream passes, so it is made for speed.

A thousand values or more are sorted once and the *edges* are looked up among them, which costs a sort and a few hundred
binary searches; fewer are looked up one by one among the edges.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.rows.columns import NUMBER, TEXT, Column

__all__ = ["tally_numbers", "tally_texts"]

_SORT_FROM = 1000
"""From so many values on, sorting them is quicker than looking each up."""


def tally_numbers(edges: NDArray[np.float64], column: Column) -> FieldCounts:
    """Count numbers on bins edges[i-1] <= v < edges[i]; infinities fall into the outer bins, NaN is missing.

    Text is mistyped; absent and null are missing. `edges` float64[k], strictly increasing; counts have k + 1 bins.
    """
    is_number = column.kinds == NUMBER
    found = int(np.count_nonzero(is_number))
    rows = len(column)
    numbers = column.numbers if found == rows else column.numbers[is_number]
    mistyped = 0 if found == rows else int(np.count_nonzero(column.kinds == TEXT))
    if found >= _SORT_FROM:
        ordered = np.sort(numbers)
        # NaN sorts behind everything, infinity included.
        valid = int(np.searchsorted(ordered, np.nan))
        below = np.searchsorted(ordered[:valid], edges)
        counts = np.diff(below, prepend=0, append=valid)
    else:
        numbers = numbers[~np.isnan(numbers)]
        valid = numbers.size
        counts = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=edges.size + 1)
    return FieldCounts(counts.astype(np.int64, copy=False), missing=rows - mistyped - valid, mistyped=mistyped)


def tally_texts(lookup: Mapping[str, int], column: Column) -> FieldCounts:
    """Count categories; those that `lookup` (category to bin) lacks are unseen. Numbers are taken as their text."""
    codes, dictionary = column.as_texts()
    # One place more at the end for unseen, and one at the front for missing (code -1).
    outside = len(lookup) + 1
    bins = np.array([0, *(lookup.get(text, outside - 1) + 1 for text in dictionary)], dtype=np.int64)
    counts = np.bincount(bins[codes + 1], minlength=outside + 1)
    return FieldCounts(
        counts[1:outside].astype(np.int64, copy=False), missing=int(counts[0]), unseen=int(counts[outside])
    )
