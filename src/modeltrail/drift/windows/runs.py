"""Windows by count, and learning: runs of predictions of one version, in watch order.

every 3      p p p|p p p|p p          a run closes at its last prediction, which belongs to it
truth        .....x.....x             performance waits until the watermark has gone on by the delay
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.windows.order import Cut
from modeltrail.drift.windows.stretch import NEVER, Stretch

__all__ = ["Run", "Runs", "Waiting"]


class Run(NamedTuple):
    """A run of predictions: those behind the cut `after`, up to and with the cut `upto`."""

    version: str
    number: int
    """From 0."""
    after: Cut
    upto: Cut


class Waiting(NamedTuple):
    """A run whose truth is waited for until the watermark is at `due_us`."""

    due_us: int
    label_delay_s: int
    run: Run


@dataclass(slots=True)
class _Count:
    index: int
    count: int
    after: Cut


class Runs:
    """Counts the predictions of each version. `began` is the cut behind which counting starts.

    `delays` are the delays of the truth, in seconds, that each run is waited for. With `limit`, only so many runs of a
    version are made.
    """

    def __init__(self, every: int, *, began: Cut, delays: Sequence[int] = (), limit: int | None = None) -> None:
        self._every = every
        self._began = began
        self._delays = delays
        self._limit = limit
        self._counts: dict[str, _Count] = {}
        self._waiting: list[Waiting] = []
        self._rows: dict[str, NDArray[np.int64]] = {}
        self._taken = 0

    def plan(self, stretch: Stretch, versions: list[str]) -> tuple[dict[int, str], NDArray[np.int64]]:
        """Look at the rows of a stretch.

        Return the rows that end a run, with the version, and those at which a wait for the truth is over.
        """
        self._rows = {version: stretch.rows_of[version] for version in versions if version in stretch.rows_of}
        self._taken = 0
        last: dict[int, str] = {}
        for version, rows in self._rows.items():
            counted = self._counts.get(version)
            index, count = (counted.index, counted.count) if counted else (0, 0)
            ends = rows[self._every - count - 1 :: self._every]
            if self._limit is not None:
                ends = ends[: max(self._limit - index, 0)]
            last.update(dict.fromkeys(ends.tolist(), version))
        due = [waiting.due_us for waiting in self._waiting]
        for row in last:
            due.extend(_due(int(stretch.watermark[row]), delay) for delay in self._delays if delay)
        over = np.unique(stretch.first_reaching(np.array(due, dtype=np.int64)))
        return last, over[over < len(stretch)]

    def absorb(self, until: int) -> None:
        """Count the rows of the stretch up to `until`, which is not included."""
        for version, rows in self._rows.items():
            begin, end = np.searchsorted(rows, (self._taken, until))
            if begin < end:
                self._of(version).count += int(end - begin)
        self._taken = until

    def end(self, version: str, upto: Cut, *, row: int | None = None) -> Run | None:
        """End the run of a version: at `row`, which is its last, or where it stands if it has any prediction."""
        counted = self._of(version)
        if row is None and not counted.count:
            return None
        run = Run(version, counted.index, counted.after, upto)
        self._counts[version] = _Count(counted.index + 1, 0, upto)
        if row is not None:
            self._taken = row + 1
        return run

    def begun(self, version: str, upto: Cut) -> Run:
        """Return the run that a version is in, as far as a cut."""
        counted = self._of(version)
        return Run(version, counted.index, counted.after, upto)

    def wait(self, run: Run, watermark: int) -> list[Waiting]:
        """Wait for the truth of a run that has ended; return what need not be waited for."""
        waiting = [Waiting(_due(watermark, delay), delay, run) for delay in self._delays]
        self._waiting.extend(each for each in waiting if each.label_delay_s)
        return [each for each in waiting if not each.label_delay_s]

    def over(self, watermark: int, versions: Collection[str] | None = None) -> list[Waiting]:
        """Return the runs (of some versions) whose wait is over at a watermark, and wait for them no longer."""
        over = [each for each in self._waited(versions) if each.due_us <= watermark]
        if over:
            self._waiting = [each for each in self._waiting if each not in over]
        return over

    def next_over(self, versions: Collection[str]) -> int | None:
        """Return at which watermark the next wait for a run of some versions is over; None where none is waited for."""
        return min((waiting.due_us for waiting in self._waited(versions)), default=None)

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {
            "began": dict(self._began),
            "versions": {
                version: {"index": counted.index, "count": counted.count, "after": dict(counted.after)}
                for version, counted in sorted(self._counts.items())
            },
            "waiting": [
                [due_us, delay, run.version, run.number, dict(run.after), dict(run.upto)]
                for due_us, delay, run in self._waiting
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` returned."""
        self._began = state.get("began", {})
        self._counts = {
            version: _Count(counted["index"], counted["count"], counted.get("after", {}))
            for version, counted in state.get("versions", {}).items()
        }
        self._waiting = [Waiting(due_us, delay, Run(*run)) for due_us, delay, *run in state.get("waiting", ())]

    def _waited(self, versions: Collection[str] | None) -> list[Waiting]:
        return [waiting for waiting in self._waiting if versions is None or waiting.run.version in versions]

    def _of(self, version: str) -> _Count:
        return self._counts.setdefault(version, _Count(0, 0, self._began))


def _due(watermark: int, delay_s: int) -> int:
    return (0 if watermark == NEVER else watermark) + delay_s * 1_000_000
