"""Silence: a model that has stopped predicting, found by log time and never by a clock.

    log time     1 2 3 . . . . . . . T . . . 14          with max_gap 5
                                     |       |
                       last: 3       |       speaks again
                                     silent: a tick, for 10 - 3 > 5

A tick is an entry that the watch itself had chained when by its clock the model was overdue. Where there was none, the
next prediction shows that the model was silent before it: both changes are told at that entry.

While a model is silent its watermark stands still, and what waits for the truth would wait for ever. So then event time
is taken to go on as log time does: a tick closes the windows whose truth would not be waited for any longer

    event time   1 2 3|                          window 0-3, whose truth is waited for until 3 + 6
    log time     1 2 3 . . . . . . . T . T
                                     |   |
                                silent   10 = 3 + 7: closed by silence, with the truth that has come by then

Without a limit of silence nobody can tell a model that is dead from one that has nothing to do: its windows wait until
it predicts again, or until `monitor.advanced` says that all has been sent.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.windows.closing import Silence

__all__ = ["Overdue", "SilenceWatch"]


class Overdue(NamedTuple):
    """A model that has been silent for too long by the clock, or that is silent and waits for no truth any longer.

    No entry of the ledger shows it yet.
    """

    model_id: str
    model_version: str
    monitor_id: str
    monitor_sha256: str
    last_ms: int
    """Log time of its last prediction."""
    due_ms: int
    """A tick shows it when its log time is greater than this."""


class SilenceWatch:
    """Whether the predictions that one monitor looks at keep coming. `began_ms`: log time of the monitor's entry."""

    def __init__(self, max_gap_s: int, began_ms: int) -> None:
        self.max_gap_s = max_gap_s
        self.began_ms = began_ms
        self.silent_version: str | None = None
        """While silent, the version of the last prediction before; its checks bear it."""
        self._told_ms = 0

    def due_ms(self, last_ms: int) -> int:
        """Return after which log time a model is silent whose last prediction had `last_ms`."""
        return max(last_ms, self.began_ms) + self.max_gap_s * 1000

    def changes(self, log_time: NDArray[np.int64], last_ms: int | None) -> NDArray[np.int64]:
        """Return which predictions, by index, show that it was silent before them, or end its silence."""
        if not log_time.size:
            return np.empty(0, dtype=np.int64)
        first = last_ms if last_ms is not None else log_time[0]
        before = np.maximum.accumulate(np.concatenate([[first], log_time[:-1]]))
        changed = log_time > np.maximum(before, self.began_ms) + self.max_gap_s * 1000
        changed[0] |= self.silent_version is not None
        return np.flatnonzero(changed)

    def would_tell(self, log_time: int, last_ms: int) -> bool:
        """Whether a tick shows that it is silent, which was not known."""
        return self.silent_version is None and log_time > self.due_ms(last_ms)

    def at_tick(self, last_ms: int, version: str) -> Silence:
        """Fall silent after a prediction of a version; return what is told."""
        self.silent_version = version
        self._told_ms = last_ms
        return Silence(silent=True, last_ms=last_ms, max_gap_s=self.max_gap_s)

    def at_prediction(self, log_time: int, last_ms: int, version: str) -> list[tuple[str, Silence]]:
        """Return what a prediction after `changes` shows, each with the version whose check it is."""
        found = []
        if self.would_tell(log_time, last_ms):
            found.append((version, self.at_tick(last_ms, version)))
        if self.silent_version is not None:
            found.append((self.silent_version, Silence(silent=False, last_ms=self._told_ms, max_gap_s=self.max_gap_s)))
            self.silent_version = None
        return found

    def give_up(self) -> tuple[str, Silence] | None:
        """Return a silence that was told, with the version whose check it is, where nobody listens any more."""
        if self.silent_version is None:
            return None
        return self.silent_version, Silence(silent=False, last_ms=self._told_ms, max_gap_s=self.max_gap_s)

    def go_on(self, before: "SilenceWatch") -> None:
        """Take over from the same monitor as it was configured before: a silence that was told is still one."""
        self.silent_version = before.silent_version
        self._told_ms = before._told_ms  # noqa: SLF001

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {"began_ms": self.began_ms, "silent": self.silent_version, "told_ms": self._told_ms}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` returned."""
        self.began_ms = state.get("began_ms", 0)
        self.silent_version = state.get("silent")
        self._told_ms = state.get("told_ms", 0)
