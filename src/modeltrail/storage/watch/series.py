"""Checks of one monitor, one after the other, each with what those before it hand on.

    closing  1          2                 3 (supersedes 1)
             compute -> compute -------> compute
                  carry of the unit, counts for the look-back, rows of what is superseded

A unit is a kind of check with its label delay: drift checks carry on from drift checks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.results import CheckResult
from modeltrail.drift.policy.look_back import WindowCounts
from modeltrail.drift.windows.closing import Closing
from modeltrail.storage.watch.compute import compute
from modeltrail.storage.watch.frontiers import Frontiers
from modeltrail.storage.watch.look_back import Earlier

__all__ = ["compute_series"]


def compute_series(
    frontiers: Frontiers, closings: Iterable[Closing], baseline_of: Callable[[Closing], Baseline | None]
) -> Iterator[tuple[Closing, CheckResult]]:
    """Yield each closing of a monitor and a version, in watch order, with its check. Raises what `compute` raises."""
    reader, earlier = frontiers.reader, Earlier(frontiers.reader)
    carries: dict[tuple[str, int], Mapping[str, Any]] = {}
    rows_of: dict[str, int] = {}

    def recount(closing: Closing) -> WindowCounts:
        return WindowCounts.of_check(compute(reader, closing, baseline_of(closing), frontiers=frontiers).check)

    for closing in closings:
        unit = (closing.kind, closing.label_delay_s)
        result = compute(
            reader,
            closing,
            baseline_of(closing),
            earlier=earlier.of(closing, recount),
            carry=carries.get(unit, {}),
            rows_before=rows_of.get(closing.supersedes or "", 0),
            frontiers=frontiers,
        )
        carries[unit] = result.carry
        earlier.note(result.check, closing)
        rows_of[closing.check_id] = result.check.rows
        yield closing, result
