"""The counts of earlier windows, which a check merges with its own: those of each window's first check.

A check carries its counts, so they are read from the ledger, or from memory where they were just computed. What is in
neither (computed, published, and not chained yet; or refused by the contract of this version) is counted again at that
window's own first cut.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.checks.content import CountKey
from modeltrail.drift.policy.look_back import WindowCounts, disjoint
from modeltrail.drift.policy.policy import SCALES
from modeltrail.drift.windows.closing import Closing, Window
from modeltrail.drift.windows.order import Position
from modeltrail.errors import StoreUnavailableError
from modeltrail.events.checks import CheckCompleted, CheckEntry, LookBack
from modeltrail.events.monitors import MonitorConfigured, SlidingWindow
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import check_row, read_checks, read_monitor

__all__ = ["ROOM", "Earlier", "Recount"]

Recount = Callable[[Closing], WindowCounts]
"""Counts the window of an earlier closing again, from the ledger."""

ROOM = 24 * 2**20
"""Bytes of counts that are remembered: some 500 windows of a hundred fields of 250 bins."""

_SPARE = 64
"""First checks of windows that were late, which may stand between the others."""

_Unit = tuple[str, str, str]


@dataclass(slots=True)
class _Known:
    """An earlier window without its counts; `closing` where it was computed here."""

    window: WindowCounts
    entry: CheckEntry
    closing: Closing | None

    def is_before(self, closing: Closing) -> bool:
        """Whether this window was closed before: a late one may be earlier in time, and yet not have been there."""
        chain, seq = self.entry.chain, self.entry.seq
        return seq <= closing.cut.get(chain, -1) or (chain, seq) == (closing.x.chain, closing.x.seq)


class _Packed:
    """The counts of a window in as few bytes as its largest count needs: two for each bin, as a rule."""

    def __init__(self, window: WindowCounts, keys: tuple[CountKey, ...]) -> None:
        parts = [window.counts[key] for key in keys]
        self._window = replace(window, counts={})
        self._keys = keys
        self._ends = np.cumsum([part.counts.size for part in parts], dtype=np.int32)
        self._others = np.array([(part.missing, part.unseen, part.mistyped) for part in parts], dtype=np.int64)
        counts = np.concatenate([np.empty(0, np.int64), *(part.counts for part in parts)])
        self._counts = counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
        self.size = 1000 + 28 * len(keys) + self._counts.nbytes

    def window(self) -> WindowCounts:
        """Return the window with its counts."""
        parts = np.split(self._counts, self._ends[:-1])[: len(self._keys)]
        found = zip(self._keys, parts, self._others.tolist(), strict=True)
        return replace(self._window, counts={key: FieldCounts(part, *others) for key, part, others in found})


class Earlier:
    """Remembers which windows were checked, and the counts of the last ones, as closings come by in their order.

    A few hundred bytes a window, of the last windows of each unit; counts up to `room` bytes. `published`: windows that
    were checked before are looked up in the ledger, too, when their unit comes by first; a back-test has none.
    """

    def __init__(self, reader: Reader, *, room: int = ROOM, published: bool = False) -> None:
        self._reader = reader
        self._room = room
        self._published = published
        self._looked_up: set[_Unit] = set()
        self._known: dict[_Unit, dict[str, _Known]] = {}
        self._counts: OrderedDict[str, _Packed] = OrderedDict()
        self._keys: dict[tuple[CountKey, ...], tuple[CountKey, ...]] = {}
        self._held = 0

    def note(self, check: CheckCompleted, closing: Closing | None = None) -> None:
        """Remember a check that was computed (with its closing) or found in the ledger.

        Only first checks of windows count, and only those that counted something.
        """
        if check.kind != "drift" or check.supersedes is not None or check.baseline is None or not check.fields:
            return
        if check.cut is None:
            raise ValueError(f"check {check.check_id}: no cut: expected one in a check of data")
        counted = WindowCounts.of_check(check)
        unit = (check.monitor.id, check.model_id, check.model_version or "")
        # To count again: the fold is large, and not needed for that.
        bare = None if closing is None else replace(closing, fold={})
        self._known.setdefault(unit, {})[check.check_id] = _Known(replace(counted, counts={}), check.cut.entry, bare)
        self._keep(counted)

    def of(self, closing: Closing, recount: Recount) -> list[WindowCounts]:
        """Return the counts of the windows that are merged with this one, newest first.

        StoreUnavailableError where one is neither in memory nor in the ledger nor can be counted again.
        """
        if closing.kind != "drift" or closing.baseline is None:
            return []
        unit = (closing.monitor.monitor_id, closing.model_id, closing.model_version)
        if self._published and unit not in self._looked_up:
            self._look_up(unit, closing.monitor)
            self._looked_up.add(unit)
        known = self._known.get(unit, {})
        most = _most(closing.monitor)
        if len(known) > 2 * most:
            newest = sorted(known.items(), key=lambda each: _end(each[1].window))[-most:]
            known = self._known[unit] = dict(newest)
        chosen = disjoint(
            closing.window,
            [each.window for each in known.values() if each.is_before(closing)],
            monitor_sha256=closing.monitor_sha256,
            baseline_sha256=closing.baseline.sha256,
        )
        wanted = [each.check_id for each in chosen]
        missing = [check_id for check_id in wanted if check_id not in self._counts]
        found = {check_id: self._counts[check_id].window() for check_id in wanted if check_id in self._counts}
        for check_id, check in read_checks(self._reader, missing).items() if missing else ():
            found[check_id] = WindowCounts.of_check(check)
        for check_id in wanted:
            if check_id not in found:
                found[check_id] = recount(
                    known[check_id].closing or self._closing_of(check_id, known[check_id], closing)
                )
        for check_id in missing:
            self._keep(found[check_id])
        return [found[check_id] for check_id in wanted]

    def _closing_of(self, check_id: str, known: _Known, later: Closing) -> Closing:
        """Return what a check was computed from that cannot be read itself; of a `later` one of its unit."""
        row = check_row(self._reader, check_id)
        if row is None:
            raise StoreUnavailableError(f"check {check_id} was in the ledger and is not found now")
        monitor = later.monitor
        if row.monitor_sha256 != later.monitor_sha256:
            monitor = read_monitor(self._reader, monitor.monitor_id, row.monitor_sha256)
        window, upto = known.window.window, row.upto or (row.frontier if known.window.window.is_run else {})
        return replace(
            later,
            monitor=monitor,
            monitor_sha256=row.monitor_sha256,
            window=replace(window, after=row.after, upto=upto),
            x=Position.at(0, known.entry.chain, known.entry.seq),
            cut=row.frontier,
            closed_by="watermark",
            late=False,
            supersedes=None,
            ended=False,
            fold={},
        )

    def _look_up(self, unit: _Unit, monitor: MonitorConfigured) -> None:
        """Take note of the last first checks of a unit, as many as a look-back may go through."""
        rows = self._reader.ask(
            "watch/earlier_checks",
            monitor_id=unit[0],
            model_id=unit[1],
            model_version=unit[2],
            most=_most(monitor),
        )
        known = self._known.setdefault(unit, {})
        for check_id, monitor_sha256, baseline_sha256, start_us, end_us, index, counted, chain, seq in rows:
            if check_id not in known:
                window_of_it = Window(start_us, end_us) if index is None else Window(index=index)
                bare = WindowCounts(
                    check_id, window_of_it, monitor_sha256, baseline_sha256, counted, {}, LookBack(check_id=check_id)
                )
                known[check_id] = _Known(bare, CheckEntry(chain=chain, seq=seq), None)

    def _keep(self, counted: WindowCounts) -> None:
        before = self._counts.pop(counted.check_id, None)
        keys = tuple(counted.counts)
        packed = _Packed(counted, self._keys.setdefault(keys, keys))
        self._counts[counted.check_id] = packed
        self._held += packed.size - (before.size if before else 0)
        while self._held > self._room and len(self._counts) > 1:
            _, last = self._counts.popitem(last=False)
            self._held -= last.size


def _most(monitor: MonitorConfigured) -> int:
    """Return how many windows a look-back may go through, those included that overlap."""
    window = monitor.window
    overlapping = -(-window.size_s // window.step_s) if isinstance(window, SlidingWindow) else 1
    return (max(SCALES) + monitor.late_horizon + 1) * overlapping + _SPARE


def _end(counted: WindowCounts) -> tuple[int, int]:
    window = counted.window
    return window.end_us or 0, -1 if window.index is None else window.index
