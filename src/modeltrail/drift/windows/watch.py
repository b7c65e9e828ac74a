"""The watch: from entries of the ledger in watch order to closings, and nothing beside.

    watch = Watch()
    closings = watch.feed(rows, changes)        again and again, each time what has been passed (see `passed`)

Entries that were fed before are skipped. Entries that come behind others though their place is before them (a late
block, a producer's own time, a partition that was given up) are folded when they come: they are in the next cuts, and
late where their window has closed.

A restart begins where the last closing of each model left off: `restore` takes its `fold`, and whatever is fed from
that cut on gives the same closings again, first of all those that the same entry closed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.feed import Predictions
from modeltrail.drift.windows.model_watch import ModelWatch
from modeltrail.drift.windows.narrow import Change, NarrowRows, Tick
from modeltrail.drift.windows.order import Cut, Position, joined
from modeltrail.drift.windows.silence import Overdue
from modeltrail.events.monitors import MonitorConfigured

__all__ = ["Watch"]

_KINDS = {"drift": 0, "performance": 1, "learn": 2, "silence": 3}


class Watch:
    """Folds the entries of all models, or of those that `serves` says.

    `cut` is where feeding begins: what is up to there counts as read, for the cuts of all closings. `snapshots` puts
    the state before it into each closing, which a replay that nobody goes on from can do without.
    """

    def __init__(
        self, *, cut: Cut | None = None, serves: Callable[[str], bool] | None = None, snapshots: bool = True
    ) -> None:
        self._cut = dict(cut or {})
        self._serves = serves or (lambda _: True)
        self._snapshots = snapshots
        self._models: dict[str, ModelWatch] = {}

    @property
    def cut(self) -> dict[str, int]:
        """The last seq of each chain that was fed, or that was taken as read."""
        return dict(self._cut)

    @property
    def models(self) -> list[str]:
        """The models of which anything is known."""
        return sorted(self._models)

    def restore(self, fold: Mapping[str, Any]) -> None:
        """Go on for one model from `Closing.fold`. ValueError for a format that is not known."""
        model = ModelWatch.restored(fold)
        self._models[model.model_id] = model

    def forget(self, model_id: str) -> None:
        """Know nothing of a model any more, until `restore`."""
        self._models.pop(model_id, None)

    def snapshot(self, model_id: str) -> dict[str, Any]:
        """Return the state of a model after all that was fed, as `restore` takes it. KeyError for an unknown model."""
        model = self._models[model_id]
        return model.snapshot(joined(model.read, self._cut))

    def take_as_read(self, cut: Cut) -> None:
        """Go on behind a cut: nothing up to there will be fed that changes anything, and all of it is in later cuts."""
        self._cut = joined(self._cut, cut)

    def has_read(self, model_id: str, position: Position) -> bool:
        """Whether the restored state of a model holds an entry already."""
        model = self._models.get(model_id)
        return model is not None and model.is_read(position.chain, position.seq)

    def overdue(self, now_ms: int) -> list[Overdue]:
        """Return the models that are silent by the clock while no entry shows it yet: each wants a tick."""
        return [each for _, model in sorted(self._models.items()) for each in model.overdue(now_ms)]

    def feed(
        self, rows: NarrowRows, changes: Sequence[Change] = (), *, incomplete: Sequence[str] = ()
    ) -> list[Closing]:
        """Fold entries, in any order, and return what is to be checked, in watch order of what closed it.

        At one entry: by model, monitor, version and end of the window. `incomplete` names partitions that these
        entries were not waited for; their closings say so.
        """
        fresh = [
            change
            for change in changes
            if isinstance(change.told, Tick) or change.position.seq > self._cut.get(change.position.chain, -1)
        ]
        fresh.sort(key=itemgetter(0))
        all_rows = NarrowRows.concatenate([rows, _entries(fresh)])
        feed = _Feed(self._unread(all_rows).in_watch_order(), self._cut, tuple(incomplete), snapshots=self._snapshots)
        told = self._told(fresh, feed)
        predictions = dict(feed.predictions())
        made: list[Closing] = []
        for model_id in sorted({*predictions, *told}):
            if not self._serves(model_id):
                continue
            model = self._models.setdefault(model_id, ModelWatch(model_id))
            mine = feed.behind(model.read, predictions.get(model_id, _NO_PREDICTIONS))
            made.extend(model.feed(mine, told.get(model_id, ()), feed))
        self._cut = feed.cut(len(feed.rows))
        return sorted(made, key=_place)

    def _unread(self, rows: NarrowRows) -> NarrowRows:
        last = np.array([self._cut.get(str(chain), -1) for chain in rows.chains], dtype=np.int64)
        fresh = rows.seq > last[rows.chain] if len(rows) else np.empty(0, dtype=bool)
        return rows if fresh.all() else rows.take(fresh)

    def _told(self, changes: Sequence[Change], feed: "_Feed") -> dict[str, list[tuple[int, Change]]]:
        """Return the changes of each model, each with the row of the feed that it stands before.

        A monitor that goes over to another model is told to both.
        """
        holders: dict[str, set[str]] = defaultdict(set)
        for told in (change.told for change in changes):
            if isinstance(told, MonitorConfigured):
                holders[told.monitor_id].add(told.model_id)
                holders[told.monitor_id].update(
                    model_id for model_id, model in self._models.items() if model.has_monitor(told.monitor_id)
                )
        found: dict[str, list[tuple[int, Change]]] = defaultdict(list)
        for change in changes:
            at = feed.place(change.position)
            told = change.told
            for model_id in holders[told.monitor_id] if isinstance(told, MonitorConfigured) else {told.model_id}:
                model = self._models.get(model_id)
                if model is None or not model.is_read(change.position.chain, change.position.seq):
                    found[model_id].append((at, change))
        return found


class _Feed:
    """The entries of one feed in watch order, and the cuts between them."""

    def __init__(self, rows: NarrowRows, base: Cut, incomplete: tuple[str, ...], *, snapshots: bool) -> None:
        self.rows = rows
        self.incomplete = incomplete
        self.snapshots = snapshots
        self._base = dict(base)
        self._chains = [str(chain) for chain in rows.chains]
        self._rows_of_chain = _grouped(rows.chain, len(rows.chains))
        self._memory: tuple[int, dict[str, int]] = (0, self._base)

    def cut(self, at: int) -> dict[str, int]:
        """Return the cut before row `at`."""
        if self._memory[0] != at:
            cut = dict(self._base)
            for chain, rows in zip(self._chains, self._rows_of_chain, strict=True):
                before = int(np.searchsorted(rows, at))
                if before:
                    cut[chain] = int(self.rows.seq[rows[before - 1]])
            self._memory = (at, dict(sorted(cut.items())))
        return self._memory[1]

    def position(self, at: int) -> Position:
        """Return where row `at` stands."""
        return self.rows.position(at)

    def place(self, position: Position) -> int:
        """Return how many rows stand before a position."""
        low, high = np.searchsorted(self.rows.log_time, [position.log_time, position.log_time + 1]).tolist()
        while low < high:
            middle = (low + high) // 2
            if self.position(middle) < position:
                low = middle + 1
            else:
                high = middle
        return int(low)

    def predictions(self) -> Iterator[tuple[str, Predictions]]:
        """Yield the predictions of each model."""
        rows = self.rows
        for model_id, at in zip(rows.models, _grouped(rows.model, len(rows.models)), strict=True):
            if at.size:
                yield (
                    model_id,
                    Predictions(at, rows.time_us[at], rows.log_time[at], rows.version[at], rows.versions),
                )

    def behind(self, read: Cut, predictions: Predictions) -> Predictions:
        """Leave out the predictions that a restored state holds already."""
        if not read or not predictions.at.size:
            return predictions
        last = np.array([read.get(chain, -1) for chain in self._chains], dtype=np.int64)
        rows = predictions.at
        fresh = self.rows.seq[rows] > last[self.rows.chain[rows]]
        return predictions if fresh.all() else predictions.take(fresh)


_NO_PREDICTIONS = Predictions(
    np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32), ()
)


def _grouped(codes: NDArray[np.int32], groups: int) -> list[NDArray[np.int64]]:
    """Return for each code from 0 its rows, rising; codes below 0 belong to none."""
    if groups <= 8:
        return [np.flatnonzero(codes == code).astype(np.int64, copy=False) for code in range(groups)]
    order = np.argsort(codes.astype(np.int16) if groups < 2**15 else codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(groups + 1))
    return [order[begin:end] for begin, end in pairwise(ends.tolist())]


def _entries(changes: Sequence[Change]) -> NarrowRows:
    """Return the entries of changes as rows, so that they are in the cuts; ticks have no place there."""
    by_chain: dict[str, list[Position]] = defaultdict(list)
    for position, told in changes:
        if not isinstance(told, Tick):
            by_chain[position.chain].append(position)
    return NarrowRows.concatenate(
        [
            NarrowRows.of_chain(
                positions[0].of,
                seq=[position.seq for position in positions],
                log_time=[position.log_time for position in positions],
                time_us=[0] * len(positions),
                model=[None] * len(positions),
                version=[None] * len(positions),
            )
            for positions in by_chain.values()
        ]
    )


def _place(closing: Closing) -> tuple[Any, ...]:
    window = closing.window
    return (
        closing.x,
        closing.model_id,
        closing.monitor.monitor_id,
        closing.model_version,
        closing.kind == "silence",  # it closes the others, and its window is one of log time
        window.end_us or 0,
        window.index or 0,
        _KINDS[closing.kind],
        closing.label_delay_s,
    )
