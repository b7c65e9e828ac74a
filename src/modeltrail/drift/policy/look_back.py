"""Earlier windows: which of them are merged with the one in question.

    tumbling   |---|---|---|-x-|        all of them, newest first
    sliding    |-x-|   |-x-|   |-x-|    those that do not overlap: of windows of an hour every 5 minutes, one in twelve
                 |---|   |---|
    baseline   ....|new baseline: the look-back begins here|---|-x-|

Merged are the counts of first results, never those of superseding ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.checks.content import CountKey, Segment
from modeltrail.drift.policy.alerts import Span
from modeltrail.drift.policy.policy import SCALES
from modeltrail.drift.windows.closing import Window, window_of
from modeltrail.events.checks import CheckCompleted, CheckField, LookBack

__all__ = ["WindowCounts", "disjoint", "span_of"]


def span_of(window: Window) -> Span:
    """Return a window as two integers: its times, or [index, index + 1)."""
    if window.index is not None:
        return Span(window.index, window.index + 1)
    if window.start_us is None or window.end_us is None:
        raise ValueError(f"window {window}: expected start and end, or an index")
    return Span(window.start_us, window.end_us)


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """What the first check of an earlier window counted, by field and segment, and from what."""

    check_id: str
    window: Window
    monitor_sha256: str
    baseline_sha256: str
    rows: int
    counts: Mapping[CountKey, FieldCounts]
    listed: LookBack

    @property
    def span(self) -> Span:
        """The window as two integers."""
        return span_of(self.window)

    @classmethod
    def of_check(cls, check: CheckCompleted) -> "WindowCounts":
        """Read what a drift check carries. ValueError for a check without window or baseline: it counted nothing."""
        window = check.window
        if window is None or check.baseline is None:
            raise ValueError(
                f"check {check.check_id}: {check.kind}, {check.status}: expected one that counted a window"
            )
        return cls(
            check.check_id,
            window_of(window, {}),
            check.monitor.sha256,
            check.baseline.sha256,
            check.rows,
            {_key(each): _counts(each) for each in check.fields if each.counts},
            LookBack(check_id=check.check_id, start=window.start, end=window.end, index=window.index),
        )


def _key(each: CheckField) -> CountKey:
    segment = None if each.segment is None else Segment(each.segment.by, each.segment.value)
    return CountKey(each.role, each.name, segment)


def _counts(each: CheckField) -> FieldCounts:
    return FieldCounts.of(each.counts, each.missing, each.unseen, each.mistyped)


def disjoint(
    window: Window, earlier: Sequence[WindowCounts], *, monitor_sha256: str, baseline_sha256: str
) -> list[WindowCounts]:
    """Return the windows to merge with `window`, newest first, at most 15: those before it that do not overlap.

    `earlier` is in any order and may hold overlapping windows, later ones, and the window itself. The look-back ends
    where another baseline was in force, and for windows by count where another monitor was, because their numbers then
    began anew.
    """
    found: list[WindowCounts] = []
    begin = span_of(window).start
    for each in sorted(earlier, key=lambda counted: counted.span, reverse=True):
        if each.span.end > begin or each.window.is_run != window.is_run:
            continue
        if each.baseline_sha256 != baseline_sha256 or (window.is_run and each.monitor_sha256 != monitor_sha256):
            break
        found.append(each)
        begin = each.span.start
        if len(found) == max(SCALES) - 1:
            break
    return found
