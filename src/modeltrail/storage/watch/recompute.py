"""A check again, years later: from its own words back to the closing, and from the ledger to the result.

Proven is what follows from the ledger up to the cut: numbers, states, and the alerts that were raised and resolved.
Earlier windows are counted again, each at its own cut.

Taken over are, from the check, its window and cut, what closed it, and the fold that a restart goes on from; from the
one before it, the state of the alerts. `from_start` proves these, too.
"""

from collections.abc import Mapping
from typing import Any

from modeltrail.drift.checks.results import CheckResult
from modeltrail.drift.policy.look_back import WindowCounts
from modeltrail.drift.windows.closing import BaselineRef, Closing, Silence, window_of
from modeltrail.drift.windows.order import Position
from modeltrail.errors import NotVerifiableError
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.moment import parse_moment
from modeltrail.storage.watch.compute import compute
from modeltrail.storage.watch.frontiers import Frontiers
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import check_before, read_baseline, read_checks, read_monitor

__all__ = ["NOT_INPUT", "closing_of", "recompute"]

NOT_INPUT = frozenset({"duration_ms", "versions"})
"""Members of a check that no input decides."""


def closing_of(reader: Reader, check: CheckCompleted) -> Closing:
    """Return the closing that a check was computed for.

    NotVerifiableError where the ledger lacks the entry that closed it, or its monitor; ValueError for a tick.
    """
    if check.window is None or check.cut is None or check.closed_by is None or check.kind == "tick":
        raise ValueError(f"check {check.check_id} of kind {check.kind}: expected one of a window")
    entry, cut = check.cut.entry, check.cut.frontier
    found = reader.ask("watch/entry", chain=entry.chain, seq=entry.seq)
    if not found:
        raise NotVerifiableError(
            f"{entry.chain} seq {entry.seq}: the entry that closed the window is not in the ledger"
        )
    monitor = read_monitor(reader, check.monitor.id, check.monitor.sha256)
    fold: Mapping[str, Any] = check.carry.get("fold", {})
    return Closing(
        kind=check.kind,
        model_id=check.model_id,
        model_version=check.model_version or "",
        monitor=monitor,
        monitor_sha256=check.monitor.sha256,
        baseline=BaselineRef(check.baseline.id, check.baseline.sha256) if check.baseline else None,
        window=window_of(check.window, cut),
        x=Position.at(int(found[0][0]), entry.chain, entry.seq),
        cut=cut,
        closed_by=check.closed_by,
        late=check.late is not None,
        supersedes=check.supersedes,
        too_late=check.too_late,
        label_delay_s=check.window.label_delay_s or 0,
        silence=_silence(check),
        incomplete=tuple(check.incomplete),
        ended=check.closed_by == "configured" or check.status == "skipped",
        fold=fold,
    )


def _silence(check: CheckCompleted) -> Silence | None:
    told = check.silence
    if check.kind != "silence" or told is None or told.last_at is None:
        return None
    return Silence(told.condition == "silent", parse_moment(told.last_at) // 1000, int(told.max_gap_s or 0))


def recompute(reader: Reader, check: CheckCompleted) -> CheckResult:
    """Return the result of a check computed again from the ledger.

    NotVerifiableError where something that it depends on is not in the ledger; else as `compute`.
    """
    closing = closing_of(reader, check)
    frontiers = Frontiers(reader)
    before = check_before(reader, check)
    superseded = read_checks(reader, [check.supersedes]) if check.supersedes else {}
    return compute(
        reader,
        closing,
        read_baseline(reader, closing.baseline.sha256) if closing.baseline else None,
        earlier=_earlier(reader, check, frontiers),
        carry=before.carry if before else {},
        rows_before=sum(each.rows for each in superseded.values()),
        frontiers=frontiers,
    )


def _earlier(reader: Reader, check: CheckCompleted, frontiers: Frontiers) -> list[WindowCounts]:
    named = [each.check_id for each in check.look_back]
    checks = read_checks(reader, named)
    counted: list[WindowCounts] = []
    for check_id in named:
        if check_id not in checks:
            raise NotVerifiableError(f"check {check_id}, which was merged with {check.check_id}, is not in the ledger")
        closing = closing_of(reader, checks[check_id])
        baseline = read_baseline(reader, closing.baseline.sha256) if closing.baseline else None
        counted.append(WindowCounts.of_check(compute(reader, closing, baseline, frontiers=frontiers).check))
    return counted
