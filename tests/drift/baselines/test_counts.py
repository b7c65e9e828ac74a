"""Counts merge exactly, whatever the order and the grouping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.drift.baselines.counts import FieldCounts, merge

BINS = 5
rows = st.integers(0, 2**40)
parts = st.builds(FieldCounts.of, st.lists(rows, min_size=BINS, max_size=BINS), rows, rows, rows)


@given(st.lists(parts, max_size=8), st.randoms(use_true_random=False))
def test_panes_merge_alike_in_any_order_and_any_grouping(panes, random):
    together = merge(panes, BINS)
    shuffled = list(panes)
    random.shuffle(shuffled)
    while len(shuffled) > 1:
        at = random.randrange(len(shuffled) - 1)
        shuffled[at : at + 2] = [shuffled[at] + shuffled[at + 1]]
    assert merge(shuffled, BINS) == together
    assert together.n == sum(pane.n for pane in panes)
    assert together.counts.tolist() == [sum(int(pane.counts[at]) for pane in panes) for at in range(BINS)]


@given(parts)
def test_every_row_is_in_exactly_one_place(pane):
    assert pane.n == pane.binned + pane.missing + pane.unseen + pane.mistyped
    assert pane + FieldCounts.zeros(BINS) == pane
    assert hash(pane) == hash(FieldCounts.zeros(BINS) + pane)


def test_counts_differ_when_one_row_is_elsewhere():
    pane = FieldCounts.of([1, 2], missing=3)
    others = [FieldCounts.of([2, 1], 3), FieldCounts.of([1, 2], 0, 3), FieldCounts.of([1, 2], 0, 0, 3)]
    assert all(pane != other for other in others)
    assert pane != "something else"


def test_counts_cannot_be_changed_behind_the_back_of_a_pane():
    mine = np.array([1, 2])
    pane = FieldCounts(mine)
    mine[0] = 9
    assert pane.counts.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        pane.counts[0] = 9


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FieldCounts.of([1, -1]), "counts: -1"),
        (lambda: FieldCounts.of([1], missing=-2), "missing: -2"),
        (lambda: FieldCounts.of([1], unseen=-3), "unseen: -3"),
        (lambda: FieldCounts.of([1], mistyped=-4), "mistyped: -4"),
        (lambda: FieldCounts.of([]), "at least one bin"),
        (lambda: FieldCounts.of([[1], [2]]), "one dimension"),
        (lambda: FieldCounts.of([1]) + FieldCounts.of([1, 2]), "2 bins: expected 1"),
    ],
)
def test_counts_that_cannot_be_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_counts_add_to_nothing_else():
    with pytest.raises(TypeError):
        FieldCounts.of([1]) + 1
