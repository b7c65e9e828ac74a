"""Which earlier windows are merged with the one in question."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.drift.policy.alerts import Span
from modeltrail.drift.policy.look_back import WindowCounts, disjoint, span_of
from modeltrail.drift.windows.closing import Window
from modeltrail.events.checks import LookBack

IDS = {"monitor_sha256": "m" * 64, "baseline_sha256": "b" * 64}


def counted(window, *, monitor="m" * 64, baseline="b" * 64):
    return WindowCounts("0" * 64, window, monitor, baseline, 1, {}, LookBack(check_id="0" * 64))


def spans(found):
    return [tuple(each.span) for each in found]


def test_tumbling_windows_are_all_merged_newest_first():
    earlier = [counted(Window(10 * at, 10 * at + 10)) for at in range(5)]
    assert spans(disjoint(Window(50, 60), earlier, **IDS)) == [(40, 50), (30, 40), (20, 30), (10, 20), (0, 10)]


def test_of_sliding_windows_only_those_that_do_not_overlap():
    """Windows of 20 every 5; asked is 40 to 60.

    0   5   10  15  20  25  30  35  40          60
    |-------x-------|                           x merged
                    |-------x-------|
                                    |---asked---|
    """
    earlier = [counted(Window(5 * at, 5 * at + 20)) for at in range(12)]
    assert spans(disjoint(Window(40, 60), earlier, **IDS)) == [(20, 40), (0, 20)]


def test_no_more_than_sixteen_with_the_one_in_question():
    earlier = [counted(Window(at, at + 1)) for at in range(40)]
    assert len(disjoint(Window(40, 41), earlier, **IDS)) == 15


def test_the_look_back_ends_where_another_baseline_was_in_force():
    earlier = [counted(Window(at, at + 1), baseline=("b" if at >= 3 else "a") * 64) for at in range(6)]
    assert spans(disjoint(Window(6, 7), earlier, **IDS)) == [(5, 6), (4, 5), (3, 4)]


def test_numbers_of_count_windows_belong_to_their_monitor():
    earlier = [counted(Window(index=at), monitor=("m" if at >= 2 else "n") * 64) for at in range(4)]
    assert spans(disjoint(Window(index=4), earlier, **IDS)) == [(3, 4), (2, 3)]
    assert disjoint(Window(0, 10), earlier, **IDS) == []


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30)), max_size=40), st.integers(0, 100))
def test_no_two_that_are_merged_overlap_and_none_comes_after(windows, start):
    earlier = [counted(Window(begin, begin + length)) for begin, length in windows]
    found = disjoint(Window(start, start + 10), earlier, **IDS)
    ends = [Span(start, start + 10), *(each.span for each in found)]
    assert all(older.end <= newer.start for newer, older in itertools.pairwise(ends))
    assert found or not any(each.span.end <= start for each in earlier)


def test_a_window_without_times_or_number_is_none():
    with pytest.raises(ValueError, match="expected start and end"):
        span_of(Window())
