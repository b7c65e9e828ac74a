"""The fold of one model: from its predictions and the changes of its watch to what is to be checked.

Predictions come by the million, closings and changes by the thousand. So each stretch of predictions between two
changes is looked at in whole columns, to find the rows at which something closes; only these are gone through one by
one, and the state before each is what a fold row by row would have had there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.windows.closing import ClosedBy, Closing, ClosingKind, Silence, Window
from modeltrail.drift.windows.feed import Feed, Predictions
from modeltrail.drift.windows.narrow import BaselineNamed, Change, Tick
from modeltrail.drift.windows.order import Cut, Position, joined
from modeltrail.drift.windows.registry import Baselines, MonitorInForce, Unit
from modeltrail.drift.windows.runs import Run
from modeltrail.drift.windows.silence import Overdue
from modeltrail.drift.windows.spans import Due, Spans
from modeltrail.drift.windows.stretch import NEVER, Stretch
from modeltrail.events.canonical import content_hash
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.moment import parse_moment
from modeltrail.events.monitors import MonitorConfigured

__all__ = ["FOLD_FORMAT", "ModelWatch"]

FOLD_FORMAT = 1
"""The form of `Closing.fold`."""


class _Entry(NamedTuple):
    """The entry that closes something: its row in the feed, what stands before it, and the state before it."""

    x: Position
    at: int
    cut: Cut
    closed_by: ClosedBy
    incomplete: tuple[str, ...]
    fold: Mapping[str, Any]


@dataclass(slots=True)
class _Known:
    """What is known of a version: first and last event time (None where all are too far ahead), last log time."""

    first_us: int | None
    last_us: int | None
    last_ms: int


class _Plan(NamedTuple):
    """The rows of a stretch at which something of one monitor may close."""

    spans: list[tuple[int | None, Spans, frozenset[int]]]
    ends: Mapping[int, str]
    over: frozenset[int]
    learned: Mapping[int, str]
    silence: frozenset[int]

    def rows(self) -> set[int]:
        return {*self.ends, *self.over, *self.learned, *self.silence}.union(*(rows for _, _, rows in self.spans))


class ModelWatch:
    """The watch of one model. Feed it with predictions and changes in watch order."""

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        self._watermark = NEVER
        self._advanced_ms = 0
        self._known: dict[str, _Known] = {}
        self._baselines = Baselines()
        self._monitors: dict[str, MonitorInForce] = {}
        self._read: Cut = {}
        """Entries up to here are in the state already."""
        self._made: list[Closing] = []
        self._absorbed = 0

    def feed(self, predictions: Predictions, changes: Sequence[tuple[int, Change]], feed: Feed) -> list[Closing]:
        """Fold predictions and changes, each change with the row of the feed that it stands before."""
        self._made = []
        begin = 0
        for at, change in changes:
            end = int(np.searchsorted(predictions.at, at))
            self._fold(predictions, slice(begin, end), feed)
            self._tell(change, at, feed)
            begin = end
        self._fold(predictions, slice(begin, None), feed)
        return self._made

    def is_read(self, chain: str, seq: int) -> bool:
        """Whether an entry is in the state already."""
        return seq <= self._read.get(chain, -1)

    @property
    def read(self) -> Cut:
        """The cut that the state was restored at; empty where it was not."""
        return self._read

    def has_monitor(self, monitor_id: str) -> bool:
        """Whether a monitor is in force here."""
        return monitor_id in self._monitors

    def overdue(self, now_ms: int) -> list[Overdue]:
        """Return each monitor that wants a tick, by the clock.

        Either the model has been silent for too long, which no entry shows, or it is silent and the wait for the truth
        of one of its windows is over.
        """
        found = []
        for monitor_id, in_force in sorted(self._monitors.items()):
            last = self._last(in_force)
            silence = in_force.silence
            if silence is None or last is None:
                continue
            last_ms, version = last
            due_ms = silence.due_ms(last_ms) if silence.silent_version is None else self._truth_due_ms(in_force)
            if due_ms is not None and now_ms > due_ms:
                found.append(Overdue(self.model_id, version, monitor_id, in_force.sha256, last_ms, due_ms))
        return found

    def snapshot(self, cut: Cut) -> dict[str, Any]:
        """Return the state as JSON; `cut` is what it has been fed with."""
        return {
            "format": FOLD_FORMAT,
            "model": self.model_id,
            "cut": dict(cut),
            "watermark": None if self._watermark == NEVER else self._watermark,
            # One that predictions have followed counts no more, and is not known where these alone were summed up.
            "advanced_ms": self._advanced_ms if self._moved_ms == self._advanced_ms else 0,
            "versions": {
                version: [known.first_us, known.last_us, known.last_ms]
                for version, known in sorted(self._known.items())
            },
            "baselines": self._baselines.snapshot(),
            "monitors": [in_force.snapshot() for _, in_force in sorted(self._monitors.items())],
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "ModelWatch":
        """Return what `snapshot` was taken of. ValueError for another format."""
        if state.get("format") != FOLD_FORMAT:
            raise ValueError(f"fold.format: {state.get('format')!r}: expected {FOLD_FORMAT}")
        found = cls(state["model"])
        found._read = dict(state.get("cut", {}))
        watermark = state.get("watermark")
        found._watermark = NEVER if watermark is None else watermark
        found._advanced_ms = state.get("advanced_ms", 0)
        found._known = {version: _Known(*known) for version, known in state.get("versions", {}).items()}
        found._baselines.restore(found.model_id, state.get("baselines", []))
        for monitor in state.get("monitors", ()):
            in_force = MonitorInForce.restored(monitor)
            found._monitors[in_force.monitor.monitor_id] = in_force
        return found

    # ---- predictions

    def _fold(self, predictions: Predictions, rows: slice, feed: Feed) -> None:
        part = predictions.take(rows)
        if not part.at.size:
            return
        stretch = Stretch(part.at, part.time_us, part.log_time, part.version, part.versions, self._watermark)
        self._absorbed = 0
        plans = {monitor_id: self._planned(in_force, stretch) for monitor_id, in_force in self._monitors.items()}
        for row in sorted(set().union(*(plan.rows() for plan in plans.values()))):
            self._absorb(stretch, row)
            entry = self._entry(int(part.at[row]), feed.position(int(part.at[row])), "watermark", feed)
            for monitor_id, plan in plans.items():
                self._close(self._monitors[monitor_id], plan, stretch, row, entry, feed)
        self._absorb(stretch, len(stretch))

    def _planned(self, in_force: MonitorInForce, stretch: Stretch) -> _Plan:
        versions = [version for version in stretch.rows_of if in_force.watches(version)]
        spans = [(delay, spans, frozenset(spans.plan(stretch, versions).tolist())) for delay, spans in in_force.spans]
        ends: Mapping[int, str] = {}
        over: list[int] = []
        if in_force.runs is not None:
            ends, rows = in_force.runs.plan(stretch, versions)
            over = rows.tolist()
        learned: Mapping[int, str] = {}
        if in_force.learning is not None:
            unknown = [each for each in versions if self._baselines.for_version(in_force.monitor, each) is None]
            learned, _ = in_force.learning.plan(stretch, unknown)
        silence: list[int] = []
        if in_force.silence is not None:
            looked_at = np.sort(np.concatenate([np.empty(0, np.int64), *(stretch.rows_of[each] for each in versions)]))
            last = self._last(in_force)
            changes = in_force.silence.changes(stretch.log_time[looked_at], None if last is None else last[0])
            silence = looked_at[changes].tolist()
        return _Plan(spans, ends, frozenset(over), learned, frozenset(silence))

    def _absorb(self, stretch: Stretch, until: int) -> None:
        """Bring the state to where it is before row `until`."""
        for in_force in self._monitors.values():
            for _, spans in in_force.spans:
                spans.absorb(until)
            for runs in (in_force.runs, in_force.learning):
                if runs is not None:
                    runs.absorb(until)
        for version, rows in stretch.rows_of.items():
            begin, end = np.searchsorted(rows, (self._absorbed, until))
            if begin < end:
                self._know(version, stretch, rows[begin:end])
        self._watermark = stretch.watermark_before(until)
        self._absorbed = until

    def _know(self, version: str, stretch: Stretch, rows: NDArray[np.int64]) -> None:
        known = self._known.setdefault(version, _Known(None, None, int(stretch.log_time[rows[0]])))
        known.last_ms = max(known.last_ms, int(stretch.log_time[rows].max()))
        sane = stretch.time_us[rows[stretch.sane[rows]]]
        if sane.size:
            first, last = int(sane.min()), int(sane.max())
            known.first_us = first if known.first_us is None else min(known.first_us, first)
            known.last_us = last if known.last_us is None else max(known.last_us, last)

    def _close(
        self, in_force: MonitorInForce, plan: _Plan, stretch: Stretch, row: int, entry: _Entry, feed: Feed
    ) -> None:
        watermark = int(stretch.watermark[row])
        if row in plan.silence and in_force.silence is not None:
            last = self._last(in_force)
            if last is not None:
                now_ms = int(stretch.log_time[row])
                due_ms = in_force.silence.due_ms(last[0])
                for version, silence in in_force.silence.at_prediction(now_ms, *last):
                    self._silence(in_force, version, silence, due_ms if silence.silent else now_ms, entry)
        for delay, spans, rows in plan.spans:
            if row in rows:
                for due in spans.close(self._watermark, watermark):
                    self._span(in_force, delay, spans, due, entry)
        if in_force.runs is not None:
            for waiting in in_force.runs.over(watermark) if row in plan.over else ():
                self._run(in_force, waiting.run, waiting.label_delay_s, entry)
        here = entry._replace(closed_by="max_wait" if feed.incomplete else "count", cut=self._cut(entry.at + 1, feed))
        if row in plan.ends and in_force.runs is not None:
            run = in_force.runs.end(plan.ends[row], here.cut, row=row)
            if run is not None:
                self._ended(in_force, run, watermark, here)
        if row in plan.learned and in_force.learning is not None:
            run = in_force.learning.end(plan.learned[row], here.cut, row=row)
            if run is not None:
                window = Window(index=run.number, after=run.after, upto=run.upto)
                self._make("learn", in_force, run.version, window, here)

    # ---- changes

    def _tell(self, change: Change, at: int, feed: Feed) -> None:
        match change.told:
            case MonitorConfigured() as monitor:
                self._configure(monitor, change.position, at, feed)
            case BaselineNamed() as named:
                self._baselines.register(named)
            case MonitorAdvanced(through=through):
                self._advance(parse_moment(through), change.position, at, feed)
            case Tick():
                self._tick(change.position, at, feed)

    def _configure(self, monitor: MonitorConfigured, position: Position, at: int, feed: Feed) -> None:
        before = self._monitors.get(monitor.monitor_id)
        if monitor.model_id != self.model_id or not monitor.enabled:
            if before is not None:
                self._end(before, None, self._entry(at, position, "configured", feed))
                del self._monitors[monitor.monitor_id]
            return
        if before is not None and before.sha256 == content_hash(monitor):
            return
        in_force = MonitorInForce(
            monitor, began=self._cut(at, feed), base=self._watermark, began_ms=position.log_time
        )  # fmt: skip
        if before is not None:
            self._end(before, in_force, self._entry(at, position, "configured", feed))
        for version, known in self._known.items():
            if in_force.watches(version) and known.first_us is not None and known.last_us is not None:
                for _, spans in in_force.spans:
                    spans.suppose(version, known.first_us, known.last_us)
        if before is not None and before.silence is not None and in_force.silence is not None:
            in_force.silence.go_on(before.silence)
        self._monitors[monitor.monitor_id] = in_force

    def _end(self, before: MonitorInForce, after: MonitorInForce | None, entry: _Entry) -> None:
        """Say of every line of checks that is not gone on with that it is over; alerts that it left open are, too."""
        for unit in sorted(before.units):
            if after is not None and after.makes(unit):
                after.units.add(unit)
                continue
            window = Window(max(0, self._watermark), max(0, self._watermark))
            if before.runs is not None:
                run = before.runs.begun(unit.version, entry.cut)
                window = Window(index=run.number, after=run.after, upto=run.upto)
            delay = unit.label_delay_s
            self._make(unit.kind, before, unit.version, window, entry, label_delay_s=delay, ended=True)
        told = None if before.silence is None or (after and after.silence) else before.silence.give_up()
        if told is not None:
            version, silence = told
            window = Window(silence.last_ms * 1000, entry.x.log_time * 1000)
            self._make("silence", before, version, window, entry, silence=silence, ended=True)

    def _advance(self, through: int, position: Position, at: int, feed: Feed) -> None:
        if through <= self._watermark:
            return
        entry = self._entry(at, position, "advanced", feed)
        for in_force in self._monitors.values():
            for delay, spans in in_force.spans:
                for due in spans.close(self._watermark, through):
                    self._span(in_force, delay, spans, due, entry)
            if in_force.runs is not None:
                for waiting in in_force.runs.over(through):
                    self._run(in_force, waiting.run, waiting.label_delay_s, entry)
        self._watermark = through
        self._advanced_ms = position.log_time

    def _tick(self, position: Position, at: int, feed: Feed) -> None:
        told, silent = [], []
        for in_force in self._monitors.values():
            last, silence = self._last(in_force), in_force.silence
            if silence is None or last is None:
                continue
            if silence.would_tell(position.log_time, last[0]):
                told.append((in_force, silence, last))
            elif silence.silent_version is not None:
                silent.append(in_force)
        supposed = self._supposed(position.log_time)
        due = [each for in_force in silent if (each := self._truth_due(in_force)) is not None and each <= supposed]
        if not told and not due:
            return
        entry = self._entry(at, position, "silence", feed)
        for in_force, silence, last in told:
            self._silence(in_force, last[1], silence.at_tick(*last), silence.due_ms(last[0]), entry)
            self._close_early(self._watched(in_force), entry)
        for in_force in [*silent, *(in_force for in_force, _, _ in told)]:
            self._close_truth(self._watched(in_force), supposed, entry)

    def _close_early(self, versions: list[str], entry: _Entry) -> None:
        """Close what is open of these versions, whoever watches them; see `_close_truth` for the truth of them."""
        for in_force in self._monitors.values():
            mine = [version for version in versions if in_force.watches(version)]
            if in_force.drift is not None:
                for due in in_force.drift.close_early(self._watermark, mine):
                    self._span(in_force, None, in_force.drift, due, entry)
            if in_force.runs is not None:
                for version in mine:
                    run = in_force.runs.end(version, entry.cut)
                    if run is not None:
                        self._ended(in_force, run, self._watermark, entry)

    def _close_truth(self, versions: list[str], supposed: int, entry: _Entry) -> None:
        """Close the windows of these versions whose truth would not be waited for any longer at a watermark."""
        for in_force in self._monitors.values():
            mine = [version for version in versions if in_force.watches(version)]
            for delay, spans in in_force.performance.items():
                for due in spans.close_early(self._watermark, mine, supposed=supposed):
                    self._span(in_force, delay, spans, due, entry)
            if in_force.runs is not None:
                for waiting in in_force.runs.over(supposed, mine):
                    self._run(in_force, waiting.run, waiting.label_delay_s, entry)

    def _truth_due(self, silent: MonitorInForce) -> int | None:
        """Return from which watermark on `_close_truth` closes anything more of what a silent monitor looks at."""
        found: list[int | None] = []
        for in_force in self._monitors.values():
            mine = [version for version in self._watched(silent) if in_force.watches(version)]
            found += [spans.next_early(self._watermark, mine) for spans in in_force.performance.values()]
            if in_force.runs is not None:
                found.append(in_force.runs.next_over(mine))
        return min((due for due in found if due is not None), default=None)

    def _truth_due_ms(self, silent: MonitorInForce) -> int | None:
        """Return the last log time at which a tick does not close anything more, None where nothing is waited for."""
        due = self._truth_due(silent)
        return None if due is None else self._moved_ms + -(-(due - self._event_time) // 1000) - 1

    def _supposed(self, log_time: int) -> int:
        """Return where the watermark would be had it gone on, since it moved last, as log time has."""
        return self._event_time + max(0, log_time - self._moved_ms) * 1000

    @property
    def _event_time(self) -> int:
        return 0 if self._watermark == NEVER else self._watermark

    @property
    def _moved_ms(self) -> int:
        """Log time of the last prediction, or of the last `monitor.advanced` behind it that moved the watermark."""
        return max((self._advanced_ms, *(known.last_ms for known in self._known.values())))

    def _watched(self, in_force: MonitorInForce) -> list[str]:
        return [version for version in self._known if in_force.watches(version)]

    # ---- closings

    def _cut(self, at: int, feed: Feed) -> Cut:
        return joined(self._read, feed.cut(at)) if self._read else feed.cut(at)

    def _entry(self, at: int, position: Position, closed_by: ClosedBy, feed: Feed) -> _Entry:
        cut = self._cut(at, feed)
        if feed.incomplete:
            closed_by = "max_wait"
        return _Entry(position, at, cut, closed_by, feed.incomplete, self.snapshot(cut) if feed.snapshots else {})

    def _last(self, in_force: MonitorInForce) -> tuple[int, str] | None:
        """Return log time and version of the last prediction that a monitor looks at."""
        return max(
            ((known.last_ms, version) for version, known in self._known.items() if in_force.watches(version)),
            default=None,
        )

    def _span(self, in_force: MonitorInForce, delay: int | None, spans: Spans, due: Due, entry: _Entry) -> None:
        closing = self._make(
            "drift" if delay is None else "performance",
            in_force,
            due.version,
            Window(due.start_us, due.end_us),
            entry,
            late=due.late,
            supersedes=due.supersedes.check_id if isinstance(due.supersedes, Closing) else due.supersedes,
            too_late=due.too_late,
            label_delay_s=delay or 0,
        )
        spans.checked(due.version, due.end_us, closing)

    def _ended(self, in_force: MonitorInForce, run: Run, watermark: int, entry: _Entry) -> None:
        if in_force.runs is not None:
            window = Window(index=run.number, after=run.after, upto=run.upto)
            self._make("drift", in_force, run.version, window, entry)
            for waiting in in_force.runs.wait(run, watermark):
                self._run(in_force, run, waiting.label_delay_s, entry)

    def _run(self, in_force: MonitorInForce, run: Run, delay: int, entry: _Entry) -> None:
        window = Window(index=run.number, after=run.after, upto=run.upto)
        self._make("performance", in_force, run.version, window, entry, label_delay_s=delay)

    def _silence(self, in_force: MonitorInForce, version: str, silence: Silence, end_ms: int, entry: _Entry) -> None:
        window = Window(silence.last_ms * 1000, end_ms * 1000)
        self._make("silence", in_force, version, window, entry._replace(closed_by="silence"), silence=silence)

    def _make(
        self,
        kind: ClosingKind,
        in_force: MonitorInForce,
        version: str,
        window: Window,
        entry: _Entry,
        *,
        late: bool = False,
        supersedes: str | None = None,
        too_late: int = 0,
        label_delay_s: int = 0,
        silence: Silence | None = None,
        ended: bool = False,
    ) -> Closing:
        baseline = None if kind in {"silence", "learn"} else self._baselines.for_version(in_force.monitor, version)
        closing = Closing(
            kind=kind,
            model_id=self.model_id,
            model_version=version,
            monitor=in_force.monitor,
            monitor_sha256=in_force.sha256,
            baseline=baseline,
            window=window,
            x=entry.x,
            cut=entry.cut,
            closed_by=entry.closed_by,
            late=late,
            supersedes=supersedes,
            too_late=too_late,
            label_delay_s=label_delay_s,
            silence=silence,
            incomplete=entry.incomplete,
            ended=ended,
            fold=entry.fold,
        )
        if kind in {"drift", "performance"} and not ended:
            in_force.units.add(Unit(version, kind, label_delay_s))
        self._made.append(closing)
        return closing
