"""What is in force for a model: its baselines and its monitors, with the windows that each monitor follows."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from modeltrail.drift.windows.closing import BaselineRef, ClosingKind
from modeltrail.drift.windows.narrow import BaselineNamed
from modeltrail.drift.windows.order import Cut
from modeltrail.drift.windows.runs import Runs
from modeltrail.drift.windows.schedule import panes_of
from modeltrail.drift.windows.silence import SilenceWatch
from modeltrail.drift.windows.spans import Spans
from modeltrail.drift.windows.stretch import NEVER
from modeltrail.events.canonical import content_hash
from modeltrail.events.monitors import CountWindow, MonitorConfigured

__all__ = ["Baselines", "MonitorInForce", "Unit"]


class Baselines:
    """The baselines of one model. An id stays with the content that it was first registered with."""

    def __init__(self) -> None:
        self._known: dict[str, BaselineNamed] = {}
        self._newest: dict[str, BaselineRef] = {}

    def register(self, named: BaselineNamed) -> None:
        """Take note of a registration; a repeat of one is nothing new."""
        if named.baseline_id not in self._known:
            self._known[named.baseline_id] = named
            self._newest[named.model_version] = BaselineRef(named.baseline_id, named.sha256)

    def for_version(self, monitor: MonitorConfigured, version: str) -> BaselineRef | None:
        """Return the baseline that a monitor compares a version with: the one it names, or the newest."""
        if monitor.baseline_id is None:
            return self._newest.get(version)
        named = self._known.get(monitor.baseline_id)
        return None if named is None else BaselineRef(named.baseline_id, named.sha256)

    def snapshot(self) -> list[list[str]]:
        """Return the baselines as JSON, in order of their registration."""
        return [[named.baseline_id, named.sha256, named.model_version] for named in self._known.values()]

    def restore(self, model_id: str, state: list[list[str]]) -> None:
        """Go on from what `snapshot` returned."""
        for baseline_id, sha256, version in state:
            self.register(BaselineNamed(baseline_id, sha256, model_id, version))


class Unit(NamedTuple):
    """One line of checks of a monitor: each begins with what the one before it carried."""

    version: str
    kind: ClosingKind
    label_delay_s: int


class MonitorInForce:
    """A monitor from the entry that configured it: what it follows, and how far it has come.

    `began` is the cut before that entry, `base` the model's watermark and `began_ms` the log time at it.
    """

    def __init__(self, monitor: MonitorConfigured, *, began: Cut, base: int, began_ms: int) -> None:
        self.monitor = monitor
        self.sha256 = content_hash(monitor)
        self.units: set[Unit] = set()
        """Of which there were checks."""
        self.delays = delays = sorted(
            {each.label_delay_s for each in monitor.performance} | {each.label_delay_s for each in monitor.bias}
        )
        self.drift: Spans | None = None
        self.performance: dict[int, Spans] = {}
        self.runs: Runs | None = None
        panes = panes_of(monitor.window)
        if panes is not None:
            lateness = monitor.window.allowed_lateness_s
            self.drift, *waiting = (
                Spans(panes, extra_us=(lateness + delay) * 1_000_000, horizon=monitor.late_horizon, base=base)
                for delay in (0, *delays)
            )
            self.performance = dict(zip(delays, waiting, strict=True))
        elif isinstance(monitor.window, CountWindow):
            self.runs = Runs(monitor.window.every, began=began, delays=delays)
        self.learning: Runs | None = None
        if monitor.learn is not None and monitor.baseline_id is None:
            self.learning = Runs(monitor.learn.predictions, began=began, limit=1)
        self.silence: SilenceWatch | None = None
        if monitor.silence is not None and monitor.silence.max_gap_s is not None:
            self.silence = SilenceWatch(monitor.silence.max_gap_s, began_ms)

    @property
    def spans(self) -> list[tuple[int | None, Spans]]:
        """Windows of event time by their purpose: None for drift, else the delay of the truth in seconds."""
        drift: list[tuple[int | None, Spans]] = [] if self.drift is None else [(None, self.drift)]
        return drift + list(self.performance.items())

    def watches(self, version: str) -> bool:
        """Whether it looks at a version."""
        return self.monitor.model_version in {None, version}

    def makes(self, unit: Unit) -> bool:
        """Whether it makes checks of a unit."""
        return self.watches(unit.version) and (unit.kind == "drift" or unit.label_delay_s in self.delays)

    def snapshot(self) -> dict[str, Any]:
        """Return monitor and state as JSON."""
        return {
            "monitor": self.monitor.model_dump(mode="json", exclude_defaults=True),
            "spans": [[delay, spans.snapshot()] for delay, spans in self.spans],
            "runs": self.runs and self.runs.snapshot(),
            "learning": self.learning and self.learning.snapshot(),
            "silence": self.silence and self.silence.snapshot(),
            "units": [list(unit) for unit in sorted(self.units)],
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "MonitorInForce":
        """Return what `snapshot` was taken of."""
        found = cls(MonitorConfigured.model_validate(state["monitor"]), began={}, base=NEVER, began_ms=0)
        found.units = {Unit(*unit) for unit in state.get("units", ())}
        of_purpose = dict(found.spans)
        for delay, spans in state.get("spans", ()):
            of_purpose[delay].restore(spans)
        parts = (("runs", found.runs), ("learning", found.learning), ("silence", found.silence))
        for name, part in parts:
            if part is not None:
                part.restore(state.get(name) or {})
        return found
