"""Which windows hold an event time: panes, and the windows that are made of them.

A pane is a span of event time that belongs to the same windows whole. It is known by its start; a window is known by
its end. All are microseconds since 1970, half open.

    tumbling     |--pane--|--pane--|          each pane is a window
    schedule     |-pane-|----pane----|        each pane is a window, from one time of the calendar to the next
    sliding      |p|p|p|p|p|p|                each window is `size / step` panes
                 |-----|
                   |-----|
                     |-----|
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

import numpy as np
from cronsim import CronSim
from numpy.typing import NDArray

from modeltrail.events.monitors import CRON_NAMES, CountWindow, ScheduleWindow, SlidingWindow, Window
from modeltrail.events.zones import zone

__all__ = ["ORIGIN_US", "CalendarPanes", "EvenPanes", "Panes", "panes_of"]

Times = NDArray[np.int64]

ORIGIN_US = 4 * 86_400 * 1_000_000
"""Monday 1970-01-05T00:00Z: even windows are aligned to it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BACK = tuple(timedelta(hours=3 * 8**power) for power in range(7))
"""How far behind an instant the calendar is walked from, at first: three hours to ninety years.

Never less than three hours: cron reads a wall clock, and the same hour may come twice.
"""
_WALK = 64
_KNOWN_MAX = 200_000


class Panes(Protocol):
    """How event time is divided."""

    def starts(self, times: Times) -> Times:
        """Return the start of the pane of each time."""
        ...

    def first_ends(self, starts: Times) -> Times:
        """Return for each pane the end of the first window that holds it, which is the end of the pane."""
        ...

    def last_ends(self, starts: Times) -> Times:
        """Return for each pane the end of the last window that holds it."""
        ...

    def next_ends(self, starts: Times, instants: Times) -> Times:
        """Return for each pane the end of the first window that holds it and ends after an instant.

        Where no window does, anything greater than the pane's last end.
        """
        ...

    def ends(self, first: Times, last: Times) -> Times:
        """Return all ends of windows in any of the ranges from `first` to `last`, both included: sorted, each once."""
        ...

    def start_of(self, end: int) -> int:
        """Return the start of the window with this end."""
        ...

    def between(self, first: int, last: int) -> Times:
        """Return the starts of all panes from that of one time to that of another; none where they end before."""
        ...

    @property
    def reach_us(self) -> int:
        """How long after the end of a pane the last window ends that holds it."""
        ...


class EvenPanes:
    """Tumbling and sliding windows."""

    def __init__(self, size_us: int, step_us: int) -> None:
        self._size = size_us
        self._step = step_us

    def starts(self, times: Times) -> Times:  # noqa: D102
        return times - (times - ORIGIN_US) % self._step

    def first_ends(self, starts: Times) -> Times:  # noqa: D102
        return starts + self._step

    def last_ends(self, starts: Times) -> Times:  # noqa: D102
        return starts + self._size

    def next_ends(self, starts: Times, instants: Times) -> Times:  # noqa: D102
        ends: Times = np.maximum(starts, instants - (instants - ORIGIN_US) % self._step) + self._step
        return ends

    def ends(self, first: Times, last: Times) -> Times:  # noqa: D102
        return np.concatenate(
            [np.empty(0, dtype=np.int64)]
            + [np.arange(low, high + 1, self._step, dtype=np.int64) for low, high in _apart(first, last, self._step)]
        )

    def start_of(self, end: int) -> int:  # noqa: D102
        return end - self._size

    def between(self, first: int, last: int) -> Times:  # noqa: D102
        return np.arange(first - (first - ORIGIN_US) % self._step, last + 1, self._step, dtype=np.int64)

    @property
    def reach_us(self) -> int:  # noqa: D102
        return self._size - self._step


class CalendarPanes:
    """Windows from one time of a calendar to the next, daylight saving and all.

    Where the clock is set forward, a time that does not exist happens at the moment of the change; where it is set
    back, a time that comes twice happens the first time (each time where the hour or the minute is a star).
    Only those windows are ever looked for that somebody asks about, so that a gap of years costs nothing.
    """

    def __init__(self, cron: str, timezone: str) -> None:
        self._cron = CRON_NAMES.get(cron, cron)
        self._zone: tzinfo = UTC if timezone == "UTC" else zone(timezone)
        self._forget()

    def starts(self, times: Times) -> Times:  # noqa: D102
        if not times.size:
            return times
        at = np.searchsorted(self._starts, times, "right") - 1
        unknown = (at < 0) | (times >= self._ends[at])
        if unknown.any():
            if self._starts.size > _KNOWN_MAX:
                self._forget()
                unknown = np.ones(times.shape, dtype=bool)
            self._learn(np.sort(times[unknown]))
            at = np.searchsorted(self._starts, times, "right") - 1
        found: Times = self._starts[at]
        return found

    def first_ends(self, starts: Times) -> Times:  # noqa: D102
        self.starts(starts)
        return self._ends[np.searchsorted(self._starts, starts, "right") - 1] if starts.size else starts

    def last_ends(self, starts: Times) -> Times:  # noqa: D102
        return self.first_ends(starts)

    def next_ends(self, starts: Times, instants: Times) -> Times:  # noqa: D102
        ends = self.first_ends(starts)
        return np.where(ends > instants, ends, ends + 1)

    def ends(self, first: Times, last: Times) -> Times:  # noqa: D102
        return np.unique(first[first <= last])

    def start_of(self, end: int) -> int:  # noqa: D102
        return int(self.starts(np.array([end - 1], dtype=np.int64))[0])

    def between(self, first: int, last: int) -> Times:  # noqa: D102
        found = []
        start = self.starts(np.array([first], dtype=np.int64))
        while start[0] <= last:
            found.append(start)
            start = self.first_ends(start)
        return np.concatenate([np.empty(0, dtype=np.int64), *found])

    @property
    def reach_us(self) -> int:  # noqa: D102
        return 0

    def _forget(self) -> None:
        # The last pane is one that holds nothing, so that an index of -1 finds it, too.
        self._starts = np.array([np.iinfo(np.int64).max], dtype=np.int64)
        self._ends = self._starts.copy()

    def _learn(self, times: Times) -> None:
        starts: list[int] = []
        ends: list[int] = []
        walk: Iterator[int] = iter(())
        start = end = -1
        while times.size:
            time = int(times[0])
            start, end, walk = self._walked(time, end, walk) or self._sought(time)
            starts.append(start)
            ends.append(end)
            times = times[np.searchsorted(times, end) :]
        known, at = np.unique(np.concatenate([self._starts, np.array(starts, dtype=np.int64)]), return_index=True)
        self._ends = np.concatenate([self._ends, np.array(ends, dtype=np.int64)])[at]
        self._starts = known

    def _walked(self, time: int, end: int, walk: Iterator[int]) -> tuple[int, int, Iterator[int]] | None:
        """Go on from the pane before, a few steps at most."""
        start = end
        for _, found in zip(range(_WALK), walk, strict=False):
            if found > time:
                return start, found, walk
            start = found
        return None

    def _sought(self, time: int) -> tuple[int, int, Iterator[int]]:
        """Find the pane of a time anew."""
        instant = _EPOCH + time * _MICROSECOND
        for back in _BACK:
            start = None
            walk = self._walk(instant - back)
            for end in walk:
                if end > time:
                    if start is None:
                        break
                    return start, end, walk
                start = end
        raise ValueError(
            f"schedule {self._cron!r}: expected a time within ninety years before {instant.isoformat()}, and one after"
        )

    def _walk(self, after: datetime) -> Iterator[int]:
        """Yield the times of the schedule behind an instant, rising."""
        before = None
        for time in CronSim(self._cron, after.astimezone(self._zone)):
            time_us = (time.astimezone(UTC) - _EPOCH) // _MICROSECOND
            if before is None or time_us > before:  # several times that do not exist may all happen at the change
                before = time_us
                yield time_us


def panes_of(window: Window) -> Panes | None:
    """Return how a monitor's window divides event time; None where it counts predictions instead."""
    match window:
        case CountWindow():
            return None
        case ScheduleWindow():
            return CalendarPanes(window.cron, window.timezone)
        case SlidingWindow():
            return EvenPanes(window.size_s * 1_000_000, window.step_s * 1_000_000)
        case _:
            return EvenPanes(window.size_s * 1_000_000, window.size_s * 1_000_000)


def _apart(first: Times, last: Times, step: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges that cover the same as those from `first` to `last`, rising and apart."""
    real = first <= last
    order = np.argsort(first[real], kind="stable")
    first, last = first[real][order], np.maximum.accumulate(last[real][order])
    if first.size:
        breaks = np.flatnonzero(first[1:] > last[:-1] + step)
        for begin, end in zip([0, *(breaks + 1).tolist()], [*breaks.tolist(), first.size - 1], strict=True):
            yield int(first[begin]), int(last[end])
