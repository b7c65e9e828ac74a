"""The table of where reading starts, row by row, and that it has no hole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.ledger.chain import Chain
from modeltrail.ledger.placement import Bounds, Case, start_of_same_epoch, where_to_start
from modeltrail.ledger.sequencer import Head


def head(offset):
    return Head(Chain("c", "t", 0, 0, 0), offset, offset, 0, 0, b"", b"")


@pytest.mark.parametrize(
    ("h", "begin", "end", "case"),
    [
        (None, 0, 0, Case.FIRST),
        (None, 7, 9, Case.FIRST),
        (9, 0, 9, Case.REPLACED),  # the head's own offset is not written yet
        (9, 0, 0, Case.REPLACED),
        (9, 0, 10, Case.COMPARE),
        (9, 9, 10, Case.COMPARE),
        (9, 10, 10, Case.EXPIRED),
        (9, 10, 50, Case.EXPIRED),
        (9, 11, 50, Case.LOST),
    ],
)
def test_the_table(h, begin, end, case):
    assert where_to_start(None if h is None else head(h), Bounds(begin, end)) is case


@pytest.mark.parametrize(
    ("h", "committed", "begin", "start"),
    [(9, 4, 0, 4), (9, 50, 0, 9), (9, 10, 0, 9), (9, 4, 6, 6), (9, None, 3, 3), (9, None, 0, 0)],
)
def test_reading_starts_at_what_was_not_acknowledged_and_never_after_the_head(h, committed, begin, start):
    assert start_of_same_epoch(head(h), committed, Bounds(begin, 100)) == start


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_no_unread_record_is_ever_skipped_in_the_same_epoch(h, begin, size, committed):
    bounds = Bounds(begin, begin + size)
    case = where_to_start(head(h), bounds)
    if case is Case.COMPARE:
        assert bounds.begin <= start_of_same_epoch(head(h), committed, bounds) <= h
    elif case is Case.EXPIRED:
        assert bounds.begin == h + 1
    elif case is Case.LOST:
        assert bounds.begin > h + 1
    else:
        assert bounds.end <= h
