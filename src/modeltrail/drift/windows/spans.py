"""Windows of event time: which are open, which close, and what came late.

One `Spans` follows one monitor's windows for one purpose: drift, or performance after one delay of the truth. A window
is due when the watermark reaches its end plus lateness plus delay; it closes at the entry x that makes it due.

    window 1  |--a--b--|                         closes at x1, once the lateness is over
    window 2           |--c-----|                closes at x2
    late                  b'                     of window 1, after x1: supersedes at x2
    none of   |........|                         without entries no check; late entries alone still give one

Late entries count for `horizon` steps, a step being an entry that closes a window in time. Those that come still later,
so that no window will ever hold them, are numbered in the version's next check. An entry whose time is too far ahead of
its log time opens no window and makes none late; it counts where another entry closes the window.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.schedule import Panes
from modeltrail.drift.windows.stretch import NEVER, Stretch

__all__ = ["Due", "Spans"]

_ALWAYS = 2**62


class Due(NamedTuple):
    """A window of a version that is to be checked now."""

    version: str
    start_us: int
    end_us: int
    late: bool
    supersedes: Closing | str | None
    """The check before, or its id."""
    too_late: int
    """Entries of the version since its check before that no window holds any more."""


@dataclass(slots=True)
class _Open:
    """What is known of a version's windows."""

    panes: dict[int, int] = field(default_factory=dict)
    """Panes with entries, until their last window has closed: start to the end up to which silence has closed its
    windows (NEVER where it has not)."""
    dirty: set[int] = field(default_factory=set)
    """Ends of passed windows that got entries since."""
    checks: dict[int, Closing | str] = field(default_factory=dict)
    """The last check of each window that is closed and within the horizon, by the window's end."""
    too_late: int = 0


class _Seen(NamedTuple):
    """The rows of a stretch that may change which windows of a version are open or dirty, m rows."""

    rows: NDArray[np.int64]
    panes: NDArray[np.int64]
    first_late: NDArray[np.int64]
    last_late: NDArray[np.int64]
    """Ends of windows that hold the row and were passed before it; none where first is greater than last."""
    in_time: NDArray[np.bool_]
    """Whether a window that holds it has not been passed."""


class Spans:
    """See the module. `base` is the watermark at which this began: what had been passed then is never looked at."""

    def __init__(self, panes: Panes, *, extra_us: int, horizon: int, base: int) -> None:
        self._panes = panes
        self._extra = extra_us
        self._horizon = horizon
        self._base = base
        self._steps: list[int] = []
        self._open: dict[str, _Open] = {}
        self._seen: dict[str, _Seen] = {}
        self._absorbed = 0

    def suppose(self, version: str, first_us: int, last_us: int) -> None:
        """Take it that a version has entries in every pane from one time to another, as far as windows are open.

        Where a monitor begins in the middle of its windows, only the ledger knows: a check without rows is none.
        """
        low = max(first_us, self._base - self._extra - self._panes.reach_us)
        opened = self._open.setdefault(version, _Open())
        opened.panes.update(dict.fromkeys(self._panes.between(low, last_us).tolist(), NEVER))

    def plan(self, stretch: Stretch, versions: list[str]) -> NDArray[np.int64]:
        """Look at the rows of a stretch, and return those rows at which a window closes in time, rising."""
        self._seen = {}
        self._absorbed = 0
        low, high = [], []
        for version in versions:
            rows = stretch.sane_rows_of.get(version)
            if rows is not None and rows.size:
                self._seen[version], first, last = self._look(stretch, rows)
                low.append(first)
                high.append(last)
        for opened in self._open.values():
            first, last = self._waiting(opened, stretch.before)
            low.append(first)
            high.append(last)
        if not low:
            return np.empty(0, dtype=np.int64)
        ends = self._panes.ends(np.concatenate(low), np.concatenate(high))
        rows = np.unique(stretch.first_reaching(ends + self._extra))
        return rows[rows < len(stretch)]

    def absorb(self, until: int) -> None:
        """Take in the rows of the stretch up to `until`, which is not included."""
        for version, seen in self._seen.items():
            begin, end = np.searchsorted(seen.rows, (self._absorbed, until))
            if begin == end:
                continue
            rows = slice(begin, end)
            opened = self._open.setdefault(version, _Open())
            in_time = seen.in_time[rows]
            opened.panes.update(dict.fromkeys(seen.panes[rows][in_time].tolist(), NEVER))
            first_late, last_late = seen.first_late[rows], seen.last_late[rows]
            if (first_late <= last_late).any():
                ends = self._panes.ends(first_late, last_late)
                opened.dirty.update(ends[ends + self._extra > self._passed_for_good].tolist())
                opened.too_late += int((~in_time & (last_late + self._extra <= self._passed_for_good)).sum())
        self._absorbed = until

    def close(self, before: int, watermark: int) -> list[Due]:
        """Close what becomes due when the watermark goes from one instant to another, in order of version and end.

        Windows that got late entries come with them; nothing comes where no window closes in time.
        """
        ended: dict[str, list[int]] = {}
        for version, opened in self._open.items():
            first, last = self._waiting(opened, before)
            ends = self._panes.ends(first, np.minimum(last, watermark - self._extra))
            if ends.size:
                ended[version] = ends.tolist()
        if not ended:
            return []
        due = self._made(ended)
        self._steps = [*self._steps, watermark][-self._horizon - 1 :]
        self._forget(watermark)
        return due

    def close_early(self, watermark: int, versions: list[str], *, supposed: int = _ALWAYS) -> list[Due]:
        """Close every open window that ends by the end of the version's last pane, though it is not due.

        `supposed`: only what would be due if the watermark were there.
        """
        ended: dict[str, list[int]] = {}
        for version in versions:
            opened = self._open.get(version)
            if opened is None or not (opened.panes or opened.dirty):
                continue
            until = min(self._last_early(opened), supposed - self._extra)
            ends = self._early(opened, watermark, until)
            if ends or opened.dirty:
                ended[version] = ends
            if ends:
                opened.panes = {pane: max(until, closed) for pane, closed in opened.panes.items()}
        due = self._made(ended) if ended else []
        self._forget(watermark)
        return due

    def next_early(self, watermark: int, versions: list[str]) -> int | None:
        """Return from which supposed watermark on `close_early` closes another window; None where none is open."""
        ends = [
            end
            for version in versions
            if (opened := self._open.get(version)) is not None
            for end in self._early(opened, watermark, self._last_early(opened))[:1]
        ]
        return min(ends) + self._extra if ends else None

    def checked(self, version: str, end_us: int, closing: Closing) -> None:
        """Remember the check of a window, as long as a late entry may supersede it."""
        self._open[version].checks[end_us] = closing

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {
            "base": _instant(self._base),
            "steps": self._steps,
            "versions": {
                version: {
                    "panes": [
                        [pane] if closed == NEVER else [pane, closed] for pane, closed in sorted(opened.panes.items())
                    ],
                    "dirty": sorted(opened.dirty),
                    "checks": [
                        [end, check if isinstance(check, str) else check.check_id]
                        for end, check in sorted(opened.checks.items())
                    ],
                    "too_late": opened.too_late,
                }
                for version, opened in sorted(self._open.items())
                if opened.panes or opened.dirty or opened.checks or opened.too_late
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` returned."""
        self._base = NEVER if state.get("base") is None else state["base"]
        self._steps = list(state.get("steps", ()))
        self._open = {
            version: _Open(
                {pane[0]: pane[1] if len(pane) > 1 else NEVER for pane in opened.get("panes", ())},
                set(opened.get("dirty", ())),
                dict(opened.get("checks", ())),
                opened.get("too_late", 0),
            )
            for version, opened in state.get("versions", {}).items()
        }

    @property
    def _passed_for_good(self) -> int:
        """What was due at this watermark or before is beyond the horizon."""
        if not self._horizon:
            return _ALWAYS
        return self._steps[0] if len(self._steps) > self._horizon else self._base

    def _look(self, stretch: Stretch, rows: NDArray[np.int64]) -> tuple[_Seen, NDArray[np.int64], NDArray[np.int64]]:
        """Choose the rows that matter: the first of each run in one pane, and those of windows that were passed."""
        watermark = stretch.watermark[rows]
        panes = self._panes.starts(stretch.time_us[rows])
        chosen = self._panes.first_ends(panes) + self._extra <= watermark
        chosen[0] = True
        chosen[1:] |= panes[1:] != panes[:-1]
        rows, panes, watermark = rows[chosen], panes[chosen], watermark[chosen]
        first, last = self._panes.first_ends(panes), self._panes.last_ends(panes)
        waiting = self._panes.next_ends(panes, watermark - self._extra)
        seen = _Seen(rows, panes, first, np.minimum(last, waiting - 1), waiting <= last)
        return seen, waiting, last

    def _waiting(self, opened: _Open, watermark: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each pane the first and the last end of its windows that are still to close."""
        panes = np.fromiter(opened.panes, dtype=np.int64, count=len(opened.panes))
        closed = np.fromiter(opened.panes.values(), dtype=np.int64, count=len(opened.panes))
        return (
            self._panes.next_ends(panes, np.maximum(closed, watermark - self._extra)),
            self._panes.last_ends(panes),
        )

    def _last_early(self, opened: _Open) -> int:
        """Return the end of the last window that may close early: later ones would hold less and less."""
        if not opened.panes:
            return NEVER
        return int(self._panes.first_ends(np.array([max(opened.panes)], dtype=np.int64))[0])

    def _early(self, opened: _Open, watermark: int, until: int) -> list[int]:
        """Return the ends of the windows that are still to close and end at an instant or before, rising."""
        first, last = self._waiting(opened, watermark)
        ends: list[int] = self._panes.ends(first, np.minimum(last, until)).tolist()
        return ends

    def _made(self, ended: Mapping[str, list[int]]) -> list[Due]:
        """Return what is to be checked: windows that ended, and all that got late entries, of every version."""
        due = []
        for version, opened in sorted(self._open.items()):
            ends = set(ended.get(version, ()))
            for end in sorted(ends | opened.dirty):
                before = opened.checks.get(end)
                late = before is not None or end not in ends
                start = max(0, self._panes.start_of(end))  # an event without a time is often one of 1970
                due.append(Due(version, start, end, late, before, opened.too_late))
                opened.too_late = 0
            opened.dirty = set()
        return due

    def _forget(self, watermark: int) -> None:
        passed = self._passed_for_good
        for opened in self._open.values():
            panes = np.fromiter(opened.panes, dtype=np.int64, count=len(opened.panes))
            closed = np.fromiter(opened.panes.values(), dtype=np.int64, count=len(opened.panes))
            last = self._panes.last_ends(panes)
            for pane in panes[(last + self._extra <= watermark) | (last <= closed)].tolist():
                del opened.panes[pane]
            for end in [end for end in opened.checks if end + self._extra <= min(passed, watermark)]:
                del opened.checks[end]


def _instant(watermark: int) -> int | None:
    return None if watermark == NEVER else watermark
