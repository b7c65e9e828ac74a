"""Panes and windows: every time has one pane, on any calendar, and gaps cost nothing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltrail.drift.windows.schedule import CalendarPanes, EvenPanes, panes_of
from modeltrail.events.monitors import CountWindow, ScheduleWindow
from tests.drift.slow_watch import calendar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3_600_000_000


def us(*parts):
    return (datetime(*parts, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def times(*instants):
    return np.array(instants, dtype=np.int64)


def windows(cron, zone, first, last):
    """The windows that hold the hours from `first` to `last`, as texts."""
    panes = CalendarPanes(cron, zone)
    starts = np.unique(panes.starts(np.arange(first, last, HOUR, dtype=np.int64)))
    ends = panes.first_ends(starts)
    return [
        f"{EPOCH + timedelta(microseconds=start):%m-%d %H:%M} {(end - start) / HOUR:g} h"
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


CALENDARS = [
    ("0 0 * * *", "Europe/Berlin", (2024, 3, 30, 12), (2024, 4, 1), ["03-29 23:00 24 h", "03-30 23:00 23 h", "03-31 22:00 24 h"]),
    ("0 0 * * *", "Europe/Berlin", (2024, 10, 26, 12), (2024, 10, 28), ["10-25 22:00 24 h", "10-26 22:00 25 h", "10-27 23:00 24 h"]),
    ("@daily", "America/New_York", (2024, 3, 9, 12), (2024, 3, 11, 5), ["03-09 05:00 24 h", "03-10 05:00 23 h", "03-11 04:00 24 h"]),
    ("@daily", "America/New_York", (2024, 11, 2, 12), (2024, 11, 4, 6), ["11-02 04:00 24 h", "11-03 04:00 25 h", "11-04 05:00 24 h"]),
    # 02:30 does not exist on 31 March: it happens when the clock is set forward, 01:00 UTC.
    ("30 2 * * *", "Europe/Berlin", (2024, 3, 30, 12), (2024, 4, 1), ["03-30 01:30 23.5 h", "03-31 01:00 23.5 h"]),
    # 02:30 comes twice on 27 October: it happens the first time, 00:30 UTC.
    ("30 2 * * *", "Europe/Berlin", (2024, 10, 26, 12), (2024, 10, 27, 12), ["10-26 00:30 24 h", "10-27 00:30 25 h"]),
    ("@weekly", "UTC", (2024, 12, 28), (2025, 1, 7), ["12-23 00:00 168 h", "12-30 00:00 168 h", "01-06 00:00 168 h"]),
    ("0 0 1 1 *", "UTC", (2024, 12, 31, 22), (2025, 1, 1, 2), ["01-01 00:00 8784 h", "01-01 00:00 8760 h"]),
    ("0 0 29 2 *", "UTC", (2024, 2, 28, 22), (2024, 2, 29, 2), ["02-29 00:00 35064 h", "02-29 00:00 35064 h"]),
]  # fmt: skip


@pytest.mark.parametrize(("cron", "zone", "first", "last", "expected"), CALENDARS)
def test_a_calendar_divides_time_as_people_there_would(cron, zone, first, last, expected):
    assert windows(cron, zone, us(*first), us(*last)) == expected


def test_an_hour_that_comes_twice_is_two_windows_and_one_that_is_left_out_is_none():
    assert windows("@hourly", "Europe/Berlin", us(2024, 10, 26, 22), us(2024, 10, 27, 3)) == [
        "10-26 22:00 1 h", "10-26 23:00 1 h", "10-27 00:00 1 h", "10-27 01:00 1 h", "10-27 02:00 1 h",
    ]  # fmt: skip
    assert windows("@hourly", "Europe/Berlin", us(2024, 3, 31), us(2024, 3, 31, 3)) == [
        "03-31 00:00 1 h", "03-31 01:00 1 h", "03-31 02:00 1 h",
    ]  # fmt: skip


CRONS = [
    "@hourly",
    "@daily",
    "*/40 * * * *",
    "30 2 * * *",
    "50 1,2 * * *",
    "15 */2 * * 0",
    "0 0 * * MON#1",
    "5 2 31 3 *",
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
SPAN = datetime(2024, 1, 15, tzinfo=UTC), datetime(2025, 1, 15, tzinfo=UTC)
YEARS = datetime(2023, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = {}


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(CRONS),
    st.sampled_from(ZONES),
    st.lists(st.integers(us(2024, 3, 1), us(2024, 11, 30)), min_size=1, max_size=12),
    st.lists(st.integers(-4 * HOUR, 4 * HOUR), min_size=1, max_size=6),
)
def test_each_time_finds_its_pane_whatever_was_asked_before(cron, zone, instants, near):
    """Near the changes of the clock, too; against all times of the schedule, written out."""
    if (cron, zone) not in KNOWN:
        KNOWN[cron, zone] = np.array(
            calendar(cron, zone, *(YEARS if cron.endswith("31 3 *") else SPAN)), dtype=np.int64
        )
    every = KNOWN[cron, zone]
    changes = [us(2024, 3, 10, 7), us(2024, 3, 31, 1), us(2024, 4, 6, 15), us(2024, 10, 27, 1), us(2024, 11, 3, 6)]
    asked = times(*instants, *(change + offset for change in changes for offset in near))
    panes = CalendarPanes(cron, zone)
    halves = np.array_split(asked, 2)
    starts = np.concatenate([panes.starts(half) for half in halves])
    at = np.searchsorted(every, asked, "right")
    assert starts.tolist() == every[at - 1].tolist()
    assert panes.first_ends(starts).tolist() == every[at].tolist()
    assert [panes.start_of(end) for end in every[at].tolist()] == every[at - 1].tolist()


def test_hourly_windows_two_centuries_apart_are_found_without_those_between():
    panes = CalendarPanes("@hourly", "Europe/Berlin")
    asked = times(us(1971, 5, 5, 5, 30), us(2024, 1, 1, 0, 30), us(2199, 12, 31, 23, 30))
    assert (asked - panes.starts(asked)).tolist() == [HOUR // 2] * 3
    assert panes._starts.size == 4, "three panes and the one that holds nothing"


def test_even_windows_begin_on_a_monday():
    week = EvenPanes(7 * 24 * HOUR, 7 * 24 * HOUR)
    assert week.starts(times(us(2013, 7, 3), us(2013, 7, 8) - 1, us(2013, 7, 8), 0)).tolist() == [
        us(2013, 7, 1), us(2013, 7, 1), us(2013, 7, 8), us(1970, 1, 5) - 7 * 24 * HOUR,
    ]  # fmt: skip


def test_sliding_windows_are_runs_of_panes():
    """|-----| size 3, step 1: the pane [2, 3) is in the windows that end at 3, 4 and 5."""
    panes = EvenPanes(3 * HOUR, HOUR)
    origin = us(1970, 1, 5)
    start = panes.starts(times(origin + 2 * HOUR + 5))
    assert start.tolist() == [origin + 2 * HOUR]
    ends = panes.ends(panes.first_ends(start), panes.last_ends(start)) - origin
    assert ends.tolist() == [3 * HOUR, 4 * HOUR, 5 * HOUR]
    assert panes.next_ends(start, times(origin + 3 * HOUR)).tolist() == [origin + 4 * HOUR], "ends after, not at"
    assert panes.start_of(origin + 4 * HOUR) == origin + HOUR
    assert panes.between(origin + HOUR + 1, origin + 3 * HOUR).tolist() == [origin + n * HOUR for n in (1, 2, 3)]
    assert panes.between(origin + HOUR, origin).tolist() == []


def test_ends_of_many_ranges_are_given_once_and_in_order():
    panes = EvenPanes(10 * HOUR, HOUR)
    first, last = times(8, 1, 2, 30, 50) * HOUR, times(9, 3, 4, 29, 50) * HOUR
    assert (panes.ends(first, last) // HOUR).tolist() == [1, 2, 3, 4, 8, 9, 50]


def test_a_window_by_count_divides_no_time():
    assert panes_of(CountWindow(kind="count", every=5)) is None
    assert isinstance(panes_of(ScheduleWindow(kind="schedule", cron="@daily")), CalendarPanes)
