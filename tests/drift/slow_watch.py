"""The fold again, entry by entry and window by window, as the rules say it and without a thought for speed."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from modeltrail.drift.windows.closing import BaselineRef, Closing, Silence, Window
from modeltrail.drift.windows.narrow import BaselineNamed, Tick
from modeltrail.drift.windows.order import Position
from modeltrail.events.canonical import content_hash
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.moment import parse_moment
from modeltrail.events.monitors import CRON_NAMES, MonitorConfigured

MONDAY_US = 345_600_000_000  # 1970-01-05T00:00Z
FIVE_MINUTES_US = 300_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Prediction:
    """An entry of a chain of predictions; `model` None: something else."""

    position: Position
    time_us: int
    model: str | None
    version: str | None


def calendar(cron: str, timezone: str, first: datetime, last: datetime) -> list[int]:
    """All times of a schedule between two instants, in microseconds."""
    times = []
    for time in CronSim(CRON_NAMES.get(cron, cron), first.astimezone(ZoneInfo(timezone))):
        times.append((time.astimezone(UTC) - EPOCH) // timedelta(microseconds=1))
        if times[-1] > (last - EPOCH) // timedelta(microseconds=1):
            return sorted(set(times))
    raise AssertionError("a schedule goes on for ever")


class SlowWindows:
    """Windows and panes of a monitor by plain search."""

    def __init__(self, window, first: datetime, last: datetime):
        self.kind = window.kind
        if window.kind == "schedule":
            self.times = calendar(window.cron, window.timezone, first, last)
        else:
            self.size = window.size_s * 1_000_000
            self.step = (window.step_s if window.kind == "sliding" else window.size_s) * 1_000_000

    def of(self, time_us: int) -> list[tuple[int, int]]:
        if self.kind == "schedule":
            return [(s, e) for s, e in zip(self.times, self.times[1:], strict=False) if s <= time_us < e]
        start = MONDAY_US + (time_us - MONDAY_US) // self.step * self.step
        found = []
        while start + self.size > time_us:
            found.append((start, start + self.size))
            start -= self.step
        return found

    def pane_end(self, time_us: int) -> int:
        return min(end for _, end in self.of(time_us))

    def overlapping(self, first_us: int, last_us: int) -> set[tuple[int, int]]:
        found, time = set(), first_us
        while time <= last_us:
            found.update(self.of(time))
            time = self.pane_end(time)
        return found


@dataclass
class Purpose:
    """Drift, or performance after one delay."""

    delay: int | None
    extra: int
    base: int | None
    opened: dict[tuple[str, int], int] = field(default_factory=dict)
    dirty: dict[tuple[str, int], int] = field(default_factory=dict)
    checks: dict[tuple[str, int], str] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    pane_ends: set[tuple[str, int, int]] = field(default_factory=set)
    too_late: dict[str, int] = field(default_factory=dict)


@dataclass
class Counting:
    index: int
    count: int
    after: dict[str, int]


class SlowMonitor:
    def __init__(self, monitor, cut, watermark, log_time, first, last):
        self.monitor = monitor
        self.sha256 = content_hash(monitor)
        self.began = cut
        self.began_ms = log_time
        delays = sorted({each.label_delay_s for each in monitor.performance + monitor.bias})
        self.delays = delays
        self.windows = None
        self.purposes = []
        if monitor.window.kind != "count":
            self.windows = SlowWindows(monitor.window, first, last)
            lateness = monitor.window.allowed_lateness_s
            self.purposes = [Purpose(None, lateness * 1_000_000, watermark)]
            self.purposes += [Purpose(delay, (lateness + delay) * 1_000_000, watermark) for delay in delays]
        self.counting: dict[str, Counting] = {}
        self.waiting: list[tuple[int, int, str, Window]] = []
        self.learning: dict[str, int] = defaultdict(int)
        self.learned: set[str] = set()
        self.silent: tuple[str, int] | None = None
        self.units: set[tuple[str, str, int]] = set()

    def watches(self, version):
        return self.monitor.model_version in {None, version}

    @property
    def max_gap_s(self):
        return self.monitor.silence.max_gap_s if self.monitor.silence else None


class SlowModel:
    def __init__(self, model_id, first, last):
        self.model_id = model_id
        self.range = first, last
        self.watermark: int | None = None
        self.monitors: dict[str, SlowMonitor] = {}
        self.baselines: dict[str, BaselineNamed] = {}
        self.spans: dict[str, tuple[int, int]] = {}
        self.last: dict[str, int] = {}
        self.made: list[Closing] = []
        self.moved_ms = 0

    # ---- what comes

    def prediction(self, entry: Prediction, cut, cut_with):
        now_ms, version = entry.position.log_time, entry.version
        sane = entry.time_us <= now_ms * 1000 + FIVE_MINUTES_US
        watermark = self.watermark
        if sane:
            watermark = entry.time_us if watermark is None else max(watermark, entry.time_us)
        for slow in self.monitors.values():
            here = (slow, entry.position, cut)
            with_x = (slow, entry.position, cut_with)
            if slow.watches(version):
                self._speaks(slow, now_ms, here)
            if watermark is not None:
                self._close_due(slow, watermark, here, "watermark")
            if slow.watches(version):
                self._count(slow, version, watermark, cut_with, with_x)
                self._learn(slow, version, cut_with, with_x)
        if sane:
            for slow in self.monitors.values():
                if slow.watches(version):
                    for purpose in slow.purposes:
                        self._hold(slow, purpose, version, entry.time_us, watermark)
            low, high = self.spans.get(version, (entry.time_us, entry.time_us))
            self.spans[version] = min(low, entry.time_us), max(high, entry.time_us)
        self.watermark = watermark
        self.moved_ms = max(self.moved_ms, now_ms)
        self.last[version] = max(now_ms, self.last.get(version, now_ms))

    def told(self, position, told, cut):
        match told:
            case MonitorConfigured():
                self._configure(told, position, cut)
            case BaselineNamed():
                self.baselines.setdefault(told.baseline_id, told)
            case MonitorAdvanced():
                through = parse_moment(told.through)
                if self.watermark is None or through > self.watermark:
                    for slow in self.monitors.values():
                        self._close_due(slow, through, (slow, position, cut), "advanced")
                    self.watermark = through
                    self.moved_ms = max(self.moved_ms, position.log_time)
            case Tick():
                self._tick(position, cut)

    # ---- windows of event time

    def _close_due(self, slow, watermark, here, closed_by):
        for purpose in slow.purposes:
            due = {key: start for key, start in purpose.opened.items() if key[1] + purpose.extra <= watermark}
            if due:
                self._check(slow, purpose, due, here, closed_by)
                purpose.steps.append(watermark)
        for wait in sorted(slow.waiting, key=lambda wait: wait[0]):
            if wait[0] <= watermark:
                slow.waiting.remove(wait)
                self._make("performance", wait[2], wait[3], here, closed_by, label_delay_s=wait[1])

    def _check(self, slow, purpose, due, here, closed_by):
        for key, start in sorted({**purpose.dirty, **due}.items()):
            before = purpose.checks.get(key)
            late = before is not None or key not in due
            kind = "drift" if purpose.delay is None else "performance"
            closing = self._make(
                kind, key[0], Window(max(0, start), key[1]), here, closed_by,
                late=late, supersedes=before, label_delay_s=purpose.delay or 0,
                too_late=purpose.too_late.pop(key[0], 0),
            )  # fmt: skip
            purpose.checks[key] = closing.check_id
        for key in due:
            del purpose.opened[key]
        purpose.dirty = {}

    def _hold(self, slow, purpose, version, time_us, watermark):
        held = False
        for start, end in slow.windows.of(time_us):
            if end + purpose.extra > watermark:
                held = True
                purpose.opened[version, end] = start
                last_end = max(end for _, end in slow.windows.of(time_us))
                purpose.pane_ends.add((version, slow.windows.pane_end(time_us), last_end))
            elif not self._passed_for_good(slow, purpose, end + purpose.extra):
                held = True
                purpose.dirty[version, end] = start
        if not held:
            purpose.too_late[version] = purpose.too_late.get(version, 0) + 1

    @staticmethod
    def _passed_for_good(slow, purpose, due):
        horizon = slow.monitor.late_horizon
        if not horizon:
            return True
        if len(purpose.steps) > horizon:
            return due <= purpose.steps[-1 - horizon]  # after the last step before those that count
        return purpose.base is not None and due <= purpose.base

    # ---- runs

    def _count(self, slow, version, watermark, cut_with, with_x):
        if slow.windows is not None:
            return
        counting = slow.counting.setdefault(version, Counting(0, 0, slow.began))
        counting.count += 1
        if counting.count == slow.monitor.window.every:
            self._end_run(slow, version, watermark, cut_with, with_x, "count")

    def _end_run(self, slow, version, watermark, upto, here, closed_by):
        counting = slow.counting[version]
        window = Window(index=counting.index, after=counting.after, upto=upto)
        self._make("drift", version, window, here, closed_by)
        for delay in slow.delays:
            if delay:
                slow.waiting.append(((watermark or 0) + delay * 1_000_000, delay, version, window))
            else:
                self._make("performance", version, window, here, closed_by)
        slow.counting[version] = Counting(counting.index + 1, 0, upto)

    def _learn(self, slow, version, cut_with, with_x):
        learn = slow.monitor.learn
        if learn is None or slow.monitor.baseline_id is not None or self._baseline(slow, version):
            return
        slow.learning[version] += 1
        if slow.learning[version] == learn.predictions:
            window = Window(index=0, after=slow.began, upto=cut_with)
            self._make("learn", version, window, with_x, "count")

    # ---- silence

    def _last(self, slow):
        return max(((ms, version) for version, ms in self.last.items() if slow.watches(version)), default=None)

    def _overdue(self, slow, now_ms):
        last = self._last(slow)
        if slow.max_gap_s is None or last is None or slow.silent:
            return False
        return now_ms > max(last[0], slow.began_ms) + slow.max_gap_s * 1000

    def _fall_silent(self, slow, here):
        last_ms, version = self._last(slow)
        slow.silent = version, last_ms
        due_ms = max(last_ms, slow.began_ms) + slow.max_gap_s * 1000
        window = Window(last_ms * 1000, due_ms * 1000)
        silence = Silence(silent=True, last_ms=last_ms, max_gap_s=slow.max_gap_s)
        self._make("silence", version, window, here, "silence", silence=silence)

    def _speaks(self, slow, now_ms, here):
        if self._overdue(slow, now_ms):
            self._fall_silent(slow, here)
        if slow.silent:
            version, last_ms = slow.silent
            slow.silent = None
            silence = Silence(silent=False, last_ms=last_ms, max_gap_s=slow.max_gap_s)
            self._make("silence", version, Window(last_ms * 1000, now_ms * 1000), here, "silence", silence=silence)

    def _tick(self, position, cut):
        for teller in [slow for slow in self.monitors.values() if self._overdue(slow, position.log_time)]:
            self._fall_silent(teller, (teller, position, cut))
            for slow in self.monitors.values():
                both = [version for version in self.last if teller.watches(version) and slow.watches(version)]
                here = (slow, position, cut)
                for purpose in slow.purposes[:1]:
                    self._check_early(slow, purpose, both, here)
                for version in both:
                    if version in slow.counting and slow.counting[version].count:
                        self._end_run(slow, version, self.watermark, cut, here, "silence")
        # While a model is silent, the truth is waited for as if event time went on with log time.
        supposed = (self.watermark or 0) + max(0, position.log_time - self.moved_ms) * 1000
        for teller in [slow for slow in self.monitors.values() if slow.silent]:
            for slow in self.monitors.values():
                both = [version for version in self.last if teller.watches(version) and slow.watches(version)]
                here = (slow, position, cut)
                for purpose in slow.purposes[1:]:
                    self._check_early(slow, purpose, both, here, supposed)
                for wait in [wait for wait in slow.waiting if wait[0] <= supposed and wait[2] in both]:
                    slow.waiting.remove(wait)
                    self._make("performance", wait[2], wait[3], here, "silence", label_delay_s=wait[1])

    def _check_early(self, slow, purpose, versions, here, supposed=None):
        due = {}
        for version in versions:
            ends = [e for v, e, last in purpose.pane_ends if v == version and (v, last) in purpose.opened]
            until = max(ends, default=0)
            until = until if supposed is None else min(until, supposed - purpose.extra)
            due |= {key: start for key, start in purpose.opened.items() if key[0] == version and key[1] <= until}
        if due or any(version in versions for version, _ in purpose.dirty):
            self._check(slow, purpose, due, here, "silence")

    # ---- the rest

    def _configure(self, monitor, position, cut):
        before = self.monitors.get(monitor.monitor_id)
        if monitor.model_id != self.model_id or not monitor.enabled:
            if before:
                self._end(before, None, position, cut)
                del self.monitors[monitor.monitor_id]
            return
        if before and before.monitor == monitor:
            return
        slow = SlowMonitor(monitor, cut, self.watermark, position.log_time, *self.range)
        for version, span in self.spans.items():
            if slow.windows and slow.watches(version):
                for purpose in slow.purposes:
                    for start, end in slow.windows.overlapping(*span):
                        if end + purpose.extra > self.watermark:
                            purpose.opened[version, end] = start
                    last_pane = slow.windows.of(span[1])
                    purpose.pane_ends.add((version, min(e for _, e in last_pane), max(e for _, e in last_pane)))
        if before and before.max_gap_s is not None and slow.max_gap_s is not None:
            slow.silent = before.silent
        if before:
            self._end(before, slow, position, cut)
        self.monitors[monitor.monitor_id] = slow

    def _end(self, before, after, position, cut):
        here = (before, position, cut)
        for version, kind, delay in sorted(before.units):
            if after and after.watches(version) and (kind == "drift" or delay in after.delays):
                after.units.add((version, kind, delay))
                continue
            window = Window(max(0, self.watermark or 0), max(0, self.watermark or 0))
            if before.windows is None:
                counting = before.counting.get(version, Counting(0, 0, before.began))
                window = Window(index=counting.index, after=counting.after, upto=cut)
            self._make(kind, version, window, here, "configured", label_delay_s=delay, ended=True)
        if before.silent and (after is None or after.max_gap_s is None):
            version, last_ms = before.silent
            silence = Silence(silent=False, last_ms=last_ms, max_gap_s=before.max_gap_s)
            window = Window(last_ms * 1000, position.log_time * 1000)
            self._make("silence", version, window, here, "configured", silence=silence, ended=True)

    def _baseline(self, slow, version):
        if slow.monitor.baseline_id is not None:
            named = self.baselines.get(slow.monitor.baseline_id)
        else:
            named = next((b for b in reversed(self.baselines.values()) if b.model_version == version), None)
        return named and BaselineRef(named.baseline_id, named.sha256)

    def _make(self, kind, version, window, here, closed_by, **more):
        slow, x, cut = here
        baseline = None if kind in {"silence", "learn"} else self._baseline(slow, version)
        closing = Closing(
            kind, self.model_id, version, slow.monitor, slow.sha256, baseline, window, x, dict(cut), closed_by, **more
        )
        self.made.append(closing)
        if kind in {"drift", "performance"} and not closing.ended:
            slow.units.add((version, kind, closing.label_delay_s))
        return closing


def slow_fold(predictions, changes, first: datetime, last: datetime) -> list[Closing]:
    """All closings, each model's in the order in which they are made."""
    models: dict[str, SlowModel] = {}
    cut: dict[str, int] = {}
    entries = [(entry.position, entry) for entry in predictions] + [(change.position, change) for change in changes]
    holders = defaultdict(set)
    for change in changes:
        if isinstance(change.told, MonitorConfigured):
            holders[change.told.monitor_id].add(change.told.model_id)
    for position, entry in sorted(entries, key=lambda pair: pair[0]):
        before = dict(cut)
        told = getattr(entry, "told", None)
        if not isinstance(told, Tick):
            cut[position.chain] = position.seq
        if told is None:
            if entry.model is not None:
                model = models.setdefault(entry.model, SlowModel(entry.model, first, last))
                model.prediction(entry, before, dict(cut))
            continue
        for name in holders[told.monitor_id] if isinstance(told, MonitorConfigured) else [told.model_id]:
            models.setdefault(name, SlowModel(name, first, last)).told(position, told, before)
    return [closing for _, model in sorted(models.items()) for closing in model.made]
