"""Deliberate mistakes of the watch, each of which the simulation has to find.

    backlog-is-late            what is in the ledger, and was not read for `max_wait_s`, is not waited for
    carry-of-the-last-only     a restart takes over what the model's last check carries, and not that of each unit
    closed-epochs-left-out     a restart takes only the newest epoch of each partition as read
    compute-what-is-published  a restart takes all that its folds close for new, and computes it from nothing
    cut-includes-x             the entry that closes a window counts as read before it
    idle-at-once               a partition that looks idle is believed at once, without the grace
    learns-again               a restart forgets that a model has learned its baseline, and what it counted for that
    nobody-ticks               nobody has it chained that time goes on while a model is silent
    nobody-waits               a restart reads on from the end of every chain, whatever others may still bring
    one-number-cut             a restart takes a cut for one number, the same in every chain
    runs-without-a-cut         a restart does not care where predictions began to be counted
    silence-forgotten          a restart forgets that a model is silent
    sums-up-too-much           a restart sums up what a model predicted after its first monitor began, too
    ticks-when-they-come       nobody waits for ticks to be chained before what stands behind them is folded

Each is put in for as long as its context is entered.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from modeltrail.drift.windows.model_watch import ModelWatch
from modeltrail.drift.windows.order import Cut
from modeltrail.drift.windows.runs import Runs
from modeltrail.drift.windows.silence import SilenceWatch
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.lab.drift.stores import MemoryLedger
from modeltrail.ledger.chain import Chain, PartitionId, parse_chain
from modeltrail.watch import catching_up, limits, resume, session
from modeltrail.watch.closings import Closings
from modeltrail.watch.protocols import Frontier, LastCheck, Since
from modeltrail.watch.reading import FOR_EVER
from modeltrail.watch.session import Session

__all__ = ["BUGS"]


def _backlog_is_late() -> AbstractContextManager[object]:
    def wrong(_session: Session, _frontiers: Mapping[Chain, Frontier]) -> int:
        return FOR_EVER

    return patch.object(Session, "_read_through", wrong)


def _carry_of_the_last_only() -> AbstractContextManager[object]:
    right = resume._carries  # noqa: SLF001

    async def wrong(given: resume.Questions, last: Sequence[LastCheck]) -> dict[resume.Unit, Mapping[str, Any]]:
        newest = {check.model_id: check for check in sorted(last, key=lambda check: check.reach)}
        # Nothing for the others: a unit that is left out would have its model folded anew.
        return {resume.Unit.of(check): {} for check in last} | await right(given, list(newest.values()))

    return patch.object(resume, "_carries", wrong)


def _closed_epochs_left_out() -> AbstractContextManager[object]:
    right = Watch.take_as_read

    def wrong(self: Watch, cut: Cut) -> None:
        newest = {parse_chain(chain).of: chain for chain in sorted(cut, key=lambda chain: parse_chain(chain).order)}
        right(self, {chain: cut[chain] for chain in newest.values()})

    return patch.object(Watch, "take_as_read", wrong)


def _compute_what_is_published() -> AbstractContextManager[object]:
    async def wrong(_closings: Closings) -> None:
        await asyncio.sleep(0)

    return patch.object(Closings, "_skip_published", wrong)


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


def _learns_again() -> AbstractContextManager[object]:
    right = Runs.restore

    def wrong(self: Runs, state: Mapping[str, Any]) -> None:
        right(self, {**state, "versions": {}} if self._limit is not None else state)

    return patch.object(Runs, "restore", wrong)


def _nobody_ticks() -> AbstractContextManager[object]:
    async def wrong(_session: Session) -> None:
        await asyncio.sleep(0)

    return patch.object(Session, "_tick", wrong)


def _nobody_waits() -> AbstractContextManager[object]:
    async def wrong(
        given: resume.Questions, ends: Mapping[Chain, Frontier], _: frozenset[PartitionId]
    ) -> tuple[int | None, bool]:
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


def _silence_forgotten() -> AbstractContextManager[object]:
    right = SilenceWatch.restore

    def wrong(self: SilenceWatch, state: Mapping[str, Any]) -> None:
        right(self, {**state, "silent": None})

    return patch.object(SilenceWatch, "restore", wrong)


def _sums_up_too_much() -> AbstractContextManager[object]:
    right = MemoryLedger.outermost

    async def wrong(self: MemoryLedger, before: Mapping[str, int], _: int, ends: Mapping[Chain, Frontier]) -> Any:
        return await right(self, {model_id: at and FOR_EVER for model_id, at in before.items()}, FOR_EVER, ends)

    return patch.object(MemoryLedger, "outermost", wrong)


def _ticks_when_they_come() -> AbstractContextManager[object]:
    def wrong(_change: Any, _serves: Any) -> bool:
        return False

    return _both(
        patch.object(resume, "listens_for_silence", wrong), patch.object(session, "listens_for_silence", wrong)
    )


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
    "backlog-is-late": _backlog_is_late,
    "carry-of-the-last-only": _carry_of_the_last_only,
    "closed-epochs-left-out": _closed_epochs_left_out,
    "compute-what-is-published": _compute_what_is_published,
    "cut-includes-x": _cut_includes_x,
    "idle-at-once": _idle_at_once,
    "learns-again": _learns_again,
    "nobody-ticks": _nobody_ticks,
    "nobody-waits": _nobody_waits,
    "one-number-cut": _one_number_cut,
    "runs-without-a-cut": _runs_without_a_cut,
    "silence-forgotten": _silence_forgotten,
    "sums-up-too-much": _sums_up_too_much,
    "ticks-when-they-come": _ticks_when_they_come,
}
"""By name: what puts the mistake in, for as long as it is entered."""
