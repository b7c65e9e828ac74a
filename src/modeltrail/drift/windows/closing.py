"""A closing: what is to be checked, up to where the ledger is read for it, and what closed it.

A closing is everything that a check is computed from, beside the ledger itself. Two runs over one log give the same
closings, however the log was cut into batches and however often the reader began anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, NamedTuple

from modeltrail.drift.windows.order import Cut, Position
from modeltrail.events.canonical import content_hash
from modeltrail.events.checks import CheckCut, CheckEntry, CheckKind, CheckWindow, check_id
from modeltrail.events.moment import format_moment, parse_moment
from modeltrail.events.monitors import MonitorConfigured

__all__ = [
    "BaselineRef",
    "ClosedBy",
    "Closing",
    "ClosingKind",
    "Silence",
    "Window",
    "learned_baseline_id",
    "window_of",
]

ClosingKind = Literal["drift", "performance", "silence", "learn"]
ClosedBy = Literal["watermark", "advanced", "silence", "count", "max_wait", "configured"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BaselineRef(NamedTuple):
    """The baseline that is in force."""

    baseline_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Window:
    """A span of event time [start_us, end_us), or a run of predictions in watch order.

    A run holds the entries of the model and version behind the cut `after`, up to and with the cut `upto`; `index`
    counts runs of a monitor from 0. Times are microseconds since 1970.
    """

    start_us: int | None = None
    end_us: int | None = None
    index: int | None = None
    after: Cut = field(default_factory=dict)
    upto: Cut = field(default_factory=dict)

    @property
    def is_run(self) -> bool:
        """Whether it is a run of predictions and not a span of time."""
        return self.index is not None


@dataclass(frozen=True, slots=True)
class Silence:
    """How a model's silence changed. Times are log times, in milliseconds since 1970."""

    silent: bool
    """True: it has just been found silent. False: it speaks again."""
    last_ms: int
    """Its last prediction before this entry."""
    max_gap_s: int


@dataclass(frozen=True)
class Closing:
    """One thing to be checked.

    kind        drift and performance: a window. silence: a model fell silent or speaks again; its window goes from
                the last prediction to the moment when it was overdue or to the one at which it spoke again, by log
                time. learn: a baseline is to be made from a run of predictions.
    x           the entry that closed it
    cut         up to where the ledger is read: all entries before x; by count and for learning, x too
    late        the window was passed before: this one supersedes an earlier check of it, or is the first one of a
                window whose first entries came too late
    supersedes  id of the check that it replaces, None if there was none
    too_late    predictions since the check before (of this monitor, version, kind and delay) that came when every
                window which held them was beyond the horizon for late ones; repeats are not told apart
    label_delay_s  of a performance check: how long the truth was waited for; it holds the metrics with that delay
    incomplete  partitions that were not waited for
    ended       nothing is looked at: the monitor was changed, and does not make such checks any more; what they told
                is over. Its window is the instant that the watermark had reached, or the run that had begun
    fold        the state of the model's watch before x: `Watch.restore` goes on from there
    """

    kind: ClosingKind
    model_id: str
    model_version: str
    monitor: MonitorConfigured
    monitor_sha256: str
    baseline: BaselineRef | None
    window: Window
    x: Position
    cut: Cut
    closed_by: ClosedBy
    late: bool = False
    supersedes: str | None = None
    too_late: int = 0
    label_delay_s: int = 0
    silence: Silence | None = None
    incomplete: tuple[str, ...] = ()
    ended: bool = False
    fold: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def check_id(self) -> str:
        """The id of the check: 64 hex digits that follow from monitor, model, version, kind, window and cut."""
        if self.kind == "learn":
            return content_hash(
                {
                    "monitor": self.monitor_sha256,
                    "model": self.model_id,
                    "version": self.model_version,
                    "kind": self.kind,
                    "window": self.check_window,
                    "cut": self.check_cut,
                }
            )
        kind: CheckKind = self.kind
        return check_id(
            monitor_sha256=self.monitor_sha256,
            model_id=self.model_id,
            model_version=self.model_version,
            kind=kind,
            window=self.check_window,
            cut=self.check_cut,
        )

    @cached_property
    def check_window(self) -> CheckWindow:
        """The window as the contract writes it."""
        window = self.window
        return CheckWindow(
            start=None if window.start_us is None else _moment(window.start_us),
            end=None if window.end_us is None else _moment(window.end_us),
            index=window.index,
            after=dict(window.after),
            upto=dict(window.upto) if window.upto != self.cut else {},
            label_delay_s=self.label_delay_s if self.kind == "performance" else None,
        )

    @cached_property
    def check_cut(self) -> CheckCut:
        """The cut as the contract writes it."""
        return CheckCut(entry=CheckEntry(chain=self.x.chain, seq=self.x.seq), frontier=dict(self.cut))


def window_of(window: CheckWindow, cut: Cut) -> Window:
    """Return the window of a check with this cut, as `Closing.check_window` wrote it."""
    upto = window.upto or (cut if window.index is not None else {})
    return Window(
        None if window.start is None else parse_moment(window.start),
        None if window.end is None else parse_moment(window.end),
        window.index,
        window.after,
        upto,
    )


def learned_baseline_id(closing: Closing) -> str:
    """Return the id of the baseline that a closing of kind `learn` asks for: the same in every run."""
    return f"learned-{closing.check_id}"


def _moment(time_us: int) -> str:
    return format_moment(_EPOCH + timedelta(microseconds=time_us))
