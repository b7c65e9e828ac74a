"""`modeltrail bench scale`: what an event costs with more partitions, a larger ledger, a second worker.

Each step has a bed of its own. Workers are ready before the first record is written, so that neither their start nor
a rebalance is measured, and what they cost is counted until the last record is durable. Flat is the goal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modeltrail.bench.bed import Bed, Ground
from modeltrail.bench.filling import fill
from modeltrail.bench.ingest import Stage, wait_until, watch_worker

__all__ = ["ScalePlan", "Step", "measure_scale"]

_OLD_ENTRIES = (Path(__file__).parent / "sql" / "old_entries.sql").read_text(encoding="utf-8")
_OLD_BLOCK = 500_000
_READY_S = 120.0
_FIRST_RECORDS = 2_000


@dataclass(frozen=True)
class Step:
    """One point of the curve; `ledger_millions` is how many million entries are there before."""

    partitions: int = 4
    ledger_millions: int = 0
    workers: int = 1


@dataclass(frozen=True)
class ScalePlan:
    """The points of the curve: one thing is varied at a time."""

    events: int = 300_000
    partitions: Sequence[int] = (4, 16, 64)
    ledger_millions: Sequence[int] = (0, 5, 20)
    workers: Sequence[int] = (1, 2)

    def steps(self) -> list[Step]:
        """Return the steps in the order in which they are measured, each once."""
        steps = [Step(partitions=number) for number in self.partitions]
        steps += [Step(ledger_millions=millions) for millions in self.ledger_millions]
        steps += [Step(partitions=16, workers=number) for number in self.workers]
        return list(dict.fromkeys(steps))


def measure_scale(ground: Ground, plan: ScalePlan, stage: Stage) -> dict[str, Any]:
    """Return `steps`, each with its figures. What one step makes is removed before the next."""
    return {"events": plan.events, "steps": [_measure(ground, plan.events, step, stage) for step in plan.steps()]}


def _measure(ground: Ground, events: int, step: Step, stage: Stage) -> dict[str, Any]:
    what = f"{step.partitions} partitions, {step.ledger_millions} million entries, {step.workers} workers"
    with Bed(ground, partitions=step.partitions) as bed:
        if step.ledger_millions:
            older = step.ledger_millions * 1_000_000
            _enlarge(bed, older, stage(f"{what}: older entries", older))
        told = stage(what, events)
        workers = [bed.start_worker() for _ in range(step.workers)]
        wait_until(lambda: all(worker.ready() for worker in workers), within=_READY_S, what="workers that are ready")
        # Every chain has begun before the clock starts.
        first = max(_FIRST_RECORDS, step.partitions)
        before = bed.entries()
        fill(bed.settings(), bed.topic, step.partitions, first, transactions=0, advance=lambda _: None)
        wait_until(lambda: bed.entries() >= before + first, within=_READY_S, what="the first entries")

        def write() -> None:
            fill(bed.settings(), bed.topic, step.partitions, events, transactions=0, advance=_quietly)

        measured = watch_worker(bed, workers, events, told, meanwhile=write)
        bed.stop_workers()
    return {
        "partitions": step.partitions,
        "ledger_millions": step.ledger_millions,
        "workers": step.workers,
        "events_per_s": round(measured.events_per_s),
        "cpu_us_per_event": round(measured.cpu_us, 2),
        "store_cpu_us_per_event": round(measured.store_cpu_us, 2),
        "rss_mb_max": round(measured.rss_mb_max),
    }


def _quietly(_more: int) -> None:
    """Progress is told by what is durable."""


def _enlarge(bed: Bed, entries: int, advance: Callable[[int], None]) -> None:
    client = bed.client()
    try:
        for first in range(0, entries, _OLD_BLOCK):
            count = min(_OLD_BLOCK, entries - first)
            parameters = {"cluster": "older", "first": first, "count": count}
            client.command(_OLD_ENTRIES, parameters=parameters, settings={"max_insert_threads": 2})
            advance(count)
    finally:
        client.close()
