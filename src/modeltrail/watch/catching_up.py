"""The fold of what came since a model was left off, over its own predictions only, a bounded number at a time.

    part 1          part 2              part 3
    ------ahead-----|---+---------------|--x             x closes something: the fold ends before it
                        ^ a monitor that counts begins: here the cut is asked for

Entries of others only matter for cuts. A cut is needed where something closes, and the fold ends before that; and where
a monitor begins to count predictions, and there it is asked for.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np

from modeltrail.drift.windows.narrow import Change, NarrowRows
from modeltrail.drift.windows.order import Cut, Position
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.monitors import CountWindow, MonitorConfigured
from modeltrail.watch.protocols import Part

__all__ = ["CatchUp", "summed_up"]

Cuts = Callable[[Collection[int]], Awaitable[Mapping[int, Cut]]]
"""Returns for each log_time the last entry before it of every chain."""

Next = Callable[[int, int, int], Awaitable[Part]]
"""Returns predictions behind one log_time and through another, at most so many or all of one log_time."""


def summed_up(rows: NarrowRows, serves: Callable[[str], bool]) -> dict[str, Mapping[str, Any]]:
    """Return the fold of each model that is served, of rows that nothing was in force for.

    These need not be all: the first and the last in event time and the last in log time are what a monitor begins with.
    """
    watch = Watch(serves=serves)
    watch.feed(rows)
    found = {rows.models[code] for code in np.unique(rows.model).tolist()} if len(rows) else set()
    # No cut: what is in them by their rows says nothing about what stands between these.
    return {model: {**watch.snapshot(model), "cut": {}} for model in found if serves(model)}


@dataclass(slots=True)
class CatchUp:
    """Folds what follows some folds: `changes` all there are, in any order, and what `following` returns.

    `through` is how far the fold may go; `run` lowers it to where it went. `most` predictions are asked for at a time,
    of about 60 bytes each.
    """

    folds: Iterable[Mapping[str, Any]]
    changes: Sequence[Change]
    serves: Callable[[str], bool]
    following: Next
    cuts: Cuts
    through: int
    most: int

    async def run(self) -> Watch:
        """Return the watch after all up to `through`, or before the first entry at which something closes."""
        watch = self._restored(self.folds)
        changes = sorted(self._passed(self.changes), key=itemgetter(0))
        cuts = await self._begun(watch, changes)
        behind = -1
        while behind < self.through:
            rows, until = await self.following(behind, self.through, self.most)
            part = [change for change in changes if behind < change.position.log_time <= until]
            ahead = [watch.snapshot(model) for model in watch.models]
            closed = _fed(watch, rows, part, cuts)
            if closed is not None:
                self.through = closed.log_time - 1
                watch = self._restored(ahead)
                _fed(watch, rows.through(self.through)[0], self._passed(part), cuts)
                break
            behind = until
        return watch

    def _passed(self, changes: Iterable[Change]) -> list[Change]:
        return [change for change in changes if change.position.log_time <= self.through]

    def _restored(self, folds: Iterable[Mapping[str, Any]]) -> Watch:
        watch = Watch(serves=self.serves)
        for fold in folds:
            watch.restore(fold)
        return watch

    async def _begun(self, watch: Watch, changes: Sequence[Change]) -> dict[Position, Cut]:
        """Return the cuts at which monitors begin to count that no fold has read."""
        begins = [
            change.position
            for change in changes
            if isinstance(change.told, MonitorConfigured)
            and _counts(change.told)
            and self.serves(change.told.model_id)
            and not watch.has_read(change.told.model_id, change.position)
        ]
        if not begins:
            return {}
        moments = {log_time for begin in begins for log_time in (begin.log_time, begin.log_time + 1)}
        before = await self.cuts(moments)
        return {begin: _cut_at(begin, before[begin.log_time], before[begin.log_time + 1]) for begin in begins}


def _counts(monitor: MonitorConfigured) -> bool:
    """Whether a monitor counts predictions from the entry on that configured it."""
    return monitor.enabled and (isinstance(monitor.window, CountWindow) or monitor.learn is not None)


def _cut_at(position: Position, earlier: Cut, through: Cut) -> dict[str, int]:
    """Return the cut before a position, of those before and through its log time."""
    own = position.chain
    cut = {
        chain: last
        for chain, last in through.items()
        if chain != own and Position.at(position.log_time, chain, 0)[:6] < position[:6]
    }
    cut |= {chain: last for chain, last in earlier.items() if chain not in cut and chain != own}
    return cut | ({own: position.seq - 1} if position.seq else {})


def _fed(watch: Watch, rows: NarrowRows, changes: Sequence[Change], cuts: Mapping[Position, Cut]) -> Position | None:
    """Fold entries in order, and stop at what closes something: return that."""
    rest, waiting = rows.in_watch_order(), list(changes)
    for begin in [*(change.position for change in changes if change.position in cuts), None]:
        if begin is None:
            part, now = rest, waiting
        else:
            before = _standing_before(rest, begin)
            part, rest = rest.take(slice(None, before)), rest.take(slice(before, None))
            now = [change for change in waiting if change.position < begin]
            waiting = waiting[len(now) :]
        closings = watch.feed(part, now)
        if closings:
            return min(closing.x for closing in closings)
        if begin is not None:
            watch.take_as_read(cuts[begin])
    return None


def _standing_before(rows: NarrowRows, position: Position) -> int:
    """Return how many rows, in watch order, stand before a position."""
    low, high = np.searchsorted(rows.log_time, [position.log_time, position.log_time + 1]).tolist()
    while low < high and rows.position(low) < position:
        low += 1
    return int(low)
