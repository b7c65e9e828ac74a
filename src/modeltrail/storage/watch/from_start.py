"""A check again from the first entry of the ledger on: that its window closed there, and all that led to it.

    predictions, models, ticks, in watch order ... x        the fold gives the closings of the model
           checks of its unit, each after the one before    each is computed, and hands on what it carries

`recompute` takes from a check which entry closed it, and from the one before what state the alerts were in. Here
nothing is taken from any check.
"""

from collections.abc import Iterator
from typing import Any

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.results import CheckResult
from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.narrow import NarrowRows
from modeltrail.drift.windows.watch import Watch
from modeltrail.errors import NotVerifiableError
from modeltrail.events.checks import CheckCompleted
from modeltrail.storage.watch.frontiers import PREDICTIONS, Frontiers
from modeltrail.storage.watch.history import told
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import read_baseline
from modeltrail.storage.watch.replay import rows_in_order
from modeltrail.storage.watch.series import compute_series

__all__ = ["from_start"]


def from_start(reader: Reader, check: CheckCompleted) -> CheckResult | None:
    """Return the result of a check, computed from the ledger alone.

    None where nothing closes in this way: its monitor, its window, or the entry and the cut that it names, do not
    follow from the entries before it. NotVerifiableError where that entry is not there, and for a tick; else as
    `compute`. Reads every entry up to that one, a few numbers of each, and computes every check of its unit before it.
    """
    frontiers = Frontiers(reader)
    line = [closing for closing in _closings(frontiers, check) if _unit(closing) == _unit_of(check)]
    ids = [closing.check_id for closing in line]
    if check.check_id not in ids:
        return None
    baselines: dict[str, Baseline] = {}

    def baseline_of(closing: Closing) -> Baseline | None:
        if closing.baseline is None:
            return None
        sha256 = closing.baseline.sha256
        if sha256 not in baselines:
            baselines[sha256] = read_baseline(reader, sha256)
        return baselines[sha256]

    for _, result in compute_series(frontiers, line[: ids.index(check.check_id) + 1], baseline_of):
        last = result
    return last


def _closings(frontiers: Frontiers, check: CheckCompleted) -> list[Closing]:
    """Return the closings of the model of a check, up to those of the entry that closed it."""
    if check.kind == "tick" or check.cut is None:
        raise NotVerifiableError(f"check {check.check_id} of kind {check.kind}: expected one of a window")
    found = frontiers.reader.ask("watch/entry", chain=check.cut.entry.chain, seq=check.cut.entry.seq)
    if not found:
        raise NotVerifiableError(f"{_entry(check)}: the entry that closed the window is not in the ledger")
    last_ms = int(found[0][0])
    parts = told(frontiers.reader, frontiers.read())
    entries = NarrowRows.concatenate([part.rows for part in parts])
    changes = [change for part in parts for change in part.changes]
    watch = Watch(serves=lambda model_id: model_id == check.model_id)
    closings: list[Closing] = []
    behind = -1
    for rows in _predictions(frontiers.reader, last_ms):
        through = last_ms if rows is None else min(last_ms, int(rows.log_time[-1]))
        others = entries.take((entries.log_time > behind) & (entries.log_time <= through))
        now = [change for change in changes if behind < change.position.log_time <= through]
        mine = NarrowRows.empty() if rows is None else rows.through(through)[0]
        closings += watch.feed(NarrowRows.concatenate([mine, others]), now)
        behind = through
    return closings


def _predictions(reader: Reader, last_ms: int) -> Iterator[NarrowRows | None]:
    """Yield the entries of chains of predictions in watch order up to a log time, and None behind the last."""
    for rows in rows_in_order(Frontiers(reader, suffixes=(PREDICTIONS,))):
        yield rows
        if int(rows.log_time[-1]) >= last_ms:
            return
    yield None


def _unit(closing: Closing) -> tuple[Any, ...]:
    return closing.monitor.monitor_id, closing.model_version, closing.kind, closing.label_delay_s


def _unit_of(check: CheckCompleted) -> tuple[Any, ...]:
    delay = check.window.label_delay_s if check.window else None
    return check.monitor.id, check.model_version or "", check.kind, delay or 0


def _entry(check: CheckCompleted) -> str:
    return "(no entry)" if check.cut is None else f"{check.cut.entry.chain} seq {check.cut.entry.seq}"
