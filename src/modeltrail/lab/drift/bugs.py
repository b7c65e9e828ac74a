"""Deliberate mistakes of the watch, each of which the simulation has to find.

    carry-of-the-last-only     a restart takes over what the model's last check carries, and not that of each unit
    compute-what-is-published  a restart takes all that its folds close for new, and computes it from nothing
    cut-includes-x             the entry that closes a window counts as read before it
    idle-at-once               a partition that looks idle is believed at once, without the grace
    nobody-waits               a restart reads on from the end of every chain, whatever others may still bring
    one-number-cut             a restart takes a cut for one number, the same in every chain
    runs-without-a-cut         a restart does not care where predictions began to be counted
    sums-up-too-much           a restart sums up what a model predicted after its first monitor began, too

Each is put in for as long as its context is entered.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from modeltrail.drift.windows.model_watch import ModelWatch
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.lab.drift.stores import MemoryLedger
from modeltrail.ledger.chain import Chain
from modeltrail.watch import catching_up, limits, resume
from modeltrail.watch.protocols import Frontier, LastCheck, Since
from modeltrail.watch.reading import FOR_EVER
from modeltrail.watch.session import Session

__all__ = ["BUGS"]


def _carry_of_the_last_only() -> AbstractContextManager[object]:
    right = resume._carries  # noqa: SLF001

    async def wrong(given: resume.Questions, last: Sequence[LastCheck]) -> dict[resume.Unit, Mapping[str, Any]]:
        newest = {check.model_id: check for check in sorted(last, key=lambda check: check.reach)}
        return await right(given, list(newest.values()))

    return patch.object(resume, "_carries", wrong)


def _compute_what_is_published() -> AbstractContextManager[object]:
    async def wrong(_session: Session) -> None:
        await asyncio.sleep(0)

    return patch.object(Session, "_skip_published", wrong)


def _cut_includes_x() -> AbstractContextManager[object]:
    right = ModelWatch._entry  # noqa: SLF001

    def wrong(self: ModelWatch, at: int, position: Any, closed_by: Any, feed: Any) -> Any:
        return right(self, at, position, closed_by, feed)._replace(cut=self._cut(at + 1, feed))

    return patch.object(ModelWatch, "_entry", wrong)


def _idle_at_once() -> AbstractContextManager[object]:
    right = limits._frontiers  # noqa: SLF001

    def wrong(ends: Any, reading: Any, _grace_s: float) -> Any:
        return right(ends, reading, 0.0)

    return _both(patch.object(limits, "_frontiers", wrong), patch.object(Session, "_grace_s", 0.0))


def _nobody_waits() -> AbstractContextManager[object]:
    async def wrong(given: resume.Questions, ends: Mapping[Chain, Frontier]) -> tuple[int | None, bool]:
        await given.clock.sleep(0)
        return max((end.log_time for end in ends.values()), default=None), False

    return patch.object(resume, "_passed", wrong)


def _one_number_cut() -> AbstractContextManager[object]:
    right = MemoryLedger.predictions

    async def wrong(self: MemoryLedger, since: Mapping[str, Since], ends: Mapping[Chain, Frontier], **how: int) -> Any:
        far = {model_id: max(each.cut.values(), default=-1) for model_id, each in since.items()}
        same = {
            model_id: Since(dict.fromkeys(each.cut, far[model_id]), each.log_time) for model_id, each in since.items()
        }
        return await right(self, same, ends, **how)

    return patch.object(MemoryLedger, "predictions", wrong)


def _runs_without_a_cut() -> AbstractContextManager[object]:
    def wrong(_monitor: MonitorConfigured) -> bool:
        return False

    return patch.object(catching_up, "_counts", wrong)


def _sums_up_too_much() -> AbstractContextManager[object]:
    right = MemoryLedger.outermost

    async def wrong(self: MemoryLedger, before: Mapping[str, int], _: int, ends: Mapping[Chain, Frontier]) -> Any:
        return await right(self, {model_id: at and FOR_EVER for model_id, at in before.items()}, FOR_EVER, ends)

    return patch.object(MemoryLedger, "outermost", wrong)


class _both(AbstractContextManager[object]):  # noqa: N801 - used as a function
    def __init__(self, *parts: AbstractContextManager[object]) -> None:
        self._parts = parts

    def __enter__(self) -> None:
        for part in self._parts:
            part.__enter__()

    def __exit__(self, *error: object) -> None:
        for part in reversed(self._parts):
            part.__exit__(*error)  # type: ignore[arg-type]


BUGS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "carry-of-the-last-only": _carry_of_the_last_only,
    "compute-what-is-published": _compute_what_is_published,
    "cut-includes-x": _cut_includes_x,
    "idle-at-once": _idle_at_once,
    "nobody-waits": _nobody_waits,
    "one-number-cut": _one_number_cut,
    "runs-without-a-cut": _runs_without_a_cut,
    "sums-up-too-much": _sums_up_too_much,
}
"""By name: what puts the mistake in, for as long as it is entered."""
