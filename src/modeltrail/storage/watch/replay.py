"""A back-test: what a monitor would have found in the ledger, had it been in force from the beginning.

    baseline, monitor | entries of all chains in watch order ... | advanced to the end
                      ^ both stand before the first entry          ^ so that windows which are over close

The same fold gives the closings and the same `compute` their checks, as in the live watch. The events that set it up
stand in a chain that no ledger has; it is taken out of every cut. Nothing is written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.results import CheckResult
from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.narrow import NO_PREDICTION, BaselineNamed, Change, NarrowRows
from modeltrail.drift.windows.order import Position
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.moment import format_moment, parse_moment
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain
from modeltrail.storage.watch.frontiers import PREDICTIONS, Frontiers
from modeltrail.storage.watch.narrow import read_narrow
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.series import compute_series

__all__ = ["Span", "replay", "rows_in_order"]

Progress = Callable[[int, int], None]
"""Gets how many closings are computed, and how many there are."""

_ADDED = Chain("back-test", "back-test.models", 0, 0, 0)
_AT_ONCE = 1_000_000
"""Entries of one chain that are read at a time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US = parse_moment("2200-12-31T23:59:59.999999Z")


@dataclass(frozen=True, slots=True)
class Span:
    """Event times [since_us, until_us) in microseconds since 1970; None: without an end on that side."""

    since_us: int | None = None
    until_us: int | None = None

    def holds(self, rows: NarrowRows, model_id: str) -> Any:
        """Return which rows are predictions of a model within the span, bool[rows]."""
        code = rows.models.index(model_id) if model_id in rows.models else NO_PREDICTION - 1
        inside = rows.model == code
        if self.since_us is not None:
            inside &= rows.time_us >= self.since_us
        if self.until_us is not None:
            inside &= rows.time_us < self.until_us
        return inside


def replay(
    reader: Reader,
    monitor: MonitorConfigured,
    baseline: Baseline,
    span: Span | None = None,
    *,
    progress: Progress | None = None,
    at_once: int = _AT_ONCE,
) -> Iterator[tuple[Closing, CheckResult]]:
    """Yield each closing of a monitor over the ledger with its check, in watch order.

    `monitor` need not be in the ledger, nor the baseline; the baseline's version is the one that is looked at. `span`:
    windows that hold a prediction of these event times; of windows by count the first begins at the first such entry.
    With `until_us` every window that is over by then closes, and what waits for the truth takes what is there now;
    without it the windows close that the predictions themselves have closed. Raises what `compute` raises.
    """
    span = span or Span()
    update = {"model_version": baseline.model_version, "baseline_id": baseline.id, "enabled": True, "learn": None}
    monitor = monitor.model_copy(update=update)
    frontiers = Frontiers(reader, suffixes=(PREDICTIONS,))
    closings = _closings(frontiers, monitor, baseline, span, at_once)
    for number, found in enumerate(compute_series(frontiers, closings, lambda _: baseline)):
        if progress is not None:
            progress(number, len(closings))
        yield found
    if progress is not None:
        progress(len(closings), len(closings))


def _closings(
    frontiers: Frontiers, monitor: MonitorConfigured, baseline: Baseline, span: Span, at_once: int
) -> list[Closing]:
    model_id, by_count = monitor.model_id, monitor.window.kind == "count"
    watch: Watch | None = None
    skipped: dict[str, int] = {}
    found: list[Closing] = []
    last_ms = 0
    parts = rows_in_order(frontiers, at_once=at_once)
    for part, counts in _runs(parts, span, model_id) if by_count else _within(parts, span, model_id):
        rows, kept = part, counts
        last_ms = max(last_ms, int(rows.log_time[-1]))
        if watch is None:
            inside = span.holds(rows, model_id)
            if not inside.any():
                skipped |= _cut_of(rows)
                continue
            if by_count:
                first = int(np.argmax(inside))
                skipped |= _cut_of(rows.take(slice(None, first)))
                rows, kept = rows.take(slice(first, None)), kept[first:]
            watch = Watch(cut=skipped, snapshots=False)
            found += watch.feed(NarrowRows.empty(), _told(monitor, baseline))
        # Entries that are left out stay in the cuts: what a window holds is read from the ledger.
        masked = np.where(kept, rows.model, np.int32(NO_PREDICTION)).astype(np.int32)
        found += watch.feed(replace(rows, model=masked))
    if watch is not None and span.until_us is not None:
        found += watch.feed(NarrowRows.empty(), [_advanced(monitor, span.until_us, last_ms)])
    return _as_of_the_ledger([each for each in found if each.kind in ("drift", "performance")])


def _within(parts: Iterator[NarrowRows], span: Span, model_id: str) -> Iterator[tuple[NarrowRows, Any]]:
    """Yield the entries with those that lie in the span."""
    for part in parts:
        yield part, span.holds(part, model_id)


def _runs(parts: Iterator[NarrowRows], span: Span, model_id: str) -> Iterator[tuple[NarrowRows, Any]]:
    """Yield the entries with all predictions of the model up to the last one that lies in the span.

    A window by count holds whatever comes, so none may be left out in between.
    """
    held = NarrowRows.empty()
    for part in parts:
        inside = np.flatnonzero(span.holds(part, model_id))
        if not inside.size:
            held = NarrowRows.concatenate([held, part])
            continue
        end = int(inside[-1]) + 1
        rows = NarrowRows.concatenate([held, part.take(slice(None, end))])
        held = part.take(slice(end, None))
        yield rows, Span().holds(rows, model_id)
    if len(held):
        yield held, np.zeros(len(held), dtype=np.bool_)


def _told(monitor: MonitorConfigured, baseline: Baseline) -> list[Change]:
    named = BaselineNamed(baseline.id, baseline.sha256, baseline.model_id, baseline.model_version)
    return [Change(Position.at(0, _ADDED, 0), named), Change(Position.at(0, _ADDED, 1), monitor)]


def _advanced(monitor: MonitorConfigured, until_us: int, last_ms: int) -> Change:
    delays = [each.label_delay_s for each in monitor.performance] + [each.label_delay_s for each in monitor.bias]
    wait_us = (monitor.window.allowed_lateness_s + max(delays, default=0)) * 1_000_000
    through = format_moment(_EPOCH + timedelta(microseconds=min(until_us + wait_us, _LAST_US)))
    told = MonitorAdvanced(model_id=monitor.model_id, through=through)
    return Change(Position.at(last_ms + 1, _ADDED, 2), told)


def _as_of_the_ledger(closings: Sequence[Closing]) -> list[Closing]:
    """Take the added chain out of the cuts. Ids follow from cuts, so those of superseded checks change with them."""
    renamed: dict[str, str] = {}
    found = []
    for closing in closings:
        window = closing.window
        made = replace(
            closing,
            cut=_without(closing.cut),
            window=replace(window, after=_without(window.after), upto=_without(window.upto)),
            supersedes=None if closing.supersedes is None else renamed[closing.supersedes],
        )
        renamed[closing.check_id] = made.check_id
        found.append(made)
    return found


def _without(cut: Mapping[str, int]) -> dict[str, int]:
    return {chain: seq for chain, seq in cut.items() if chain != str(_ADDED)}


def _cut_of(rows: NarrowRows) -> dict[str, int]:
    return {
        str(chain): int(rows.seq[here].max())
        for code, chain in enumerate(rows.chains)
        if (here := rows.chain == code).any()
    }


def rows_in_order(frontiers: Frontiers, *, at_once: int = _AT_ONCE) -> Iterator[NarrowRows]:
    """Yield the entries of all chains of predictions that are there without a hole, in watch order.

    At most `at_once` entries of each chain are in memory (about 60 bytes an entry), and those of one log time.
    """
    ends = {chain: end for chain, end in sorted(frontiers.read().items()) if end.seq >= 0}
    at = dict.fromkeys(ends, 0)
    read_to = dict.fromkeys(ends, -1)
    waiting = NarrowRows.empty()
    while at:
        chain = min(at, key=lambda each: read_to[each])
        last = min(ends[chain].seq, at[chain] + at_once - 1)
        rows = read_narrow(frontiers.reader, chain, at[chain], last)
        waiting = NarrowRows.concatenate([waiting, rows])
        at[chain], read_to[chain] = last + 1, int(rows.log_time[-1])
        if last == ends[chain].seq:
            del at[chain]
        passed, rest = (waiting, NarrowRows.empty()) if not at else waiting.through(min(read_to[c] for c in at) - 1)
        if len(passed):
            waiting = rest
            yield passed.in_watch_order()
