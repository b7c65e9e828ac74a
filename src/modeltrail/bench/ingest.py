"""`modeltrail bench ingest`: events a second and CPU an event from a filled topic to durable in the ledger.

One worker as users run it: validation, constraints and typed tables on. In every round, beside it and over the same
records: a plain aiokafka `getmany` loop, and an agent of stock Faust that does nothing (over fewer records, as it is
slow and steady).
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from modeltrail.bench.bed import Bed, Ground, Worker
from modeltrail.bench.filling import fill
from modeltrail.bench.usage import cpu_seconds, peak_mb, resident_mb
from modeltrail.errors import UnavailableError

__all__ = ["IngestPlan", "Ingested", "Stage", "measure_ingest", "wait_until", "watch_worker"]

Stage = Callable[[str, int], Callable[[int], None]]
"""Told what begins and how many events that is; returns what is told of progress."""

_LOOK_S = 0.05
_SILENT_S = 180.0
_SHARE_OF_FAUST = 5
_RESIDENT_EVERY = 100_000


@dataclass(frozen=True)
class IngestPlan:
    """What to measure. `transactions` is the number of records in a transaction, 0 for none."""

    events: int = 1_000_000
    rounds: int = 3
    partitions: int = 4
    transactions: int = 0


@dataclass(frozen=True)
class Ingested:
    """One run of workers. CPU is in microseconds an event, memory in units of 10^6 bytes."""

    events_per_s: float
    cpu_us: float
    store_cpu_us: float
    broker_cpu_us: float
    rss_mb_max: float
    rss_mb: list[float]
    """Resident memory of the first worker, every 100,000 events."""


def measure_ingest(ground: Ground, plan: IngestPlan, stage: Stage) -> dict[str, Any]:
    """Return the figures by name: medians over the rounds, and every round under `each`."""
    rounds: list[dict[str, float]] = []
    memory: list[float] = []
    with Bed(ground, partitions=plan.partitions) as filled:
        advance = stage("filling the topic", plan.events)
        fill(
            filled.settings(), filled.topic, plan.partitions, plan.events,
            transactions=plan.transactions, advance=advance,
        )  # fmt: skip
        for number in range(1, plan.rounds + 1):
            of = f"round {number} of {plan.rounds}"
            loop = run_peer(filled, "getmany", plan.events, stage(f"{of}: getmany", plan.events))
            with Bed(ground, partitions=plan.partitions, topics_of=filled) as bed:
                told = stage(f"{of}: the worker", plan.events)
                ours = watch_worker(bed, [bed.start_worker()], plan.events, told)
                bed.stop_workers()
            fewer = max(1, plan.events // _SHARE_OF_FAUST)
            stock = run_peer(filled, "faust", fewer, stage(f"{of}: stock Faust", fewer))
            rounds.append(_figures(ours, loop, stock))
            memory = ours.rss_mb
    medians = {name: round(statistics.median(each[name] for each in rounds), 3) for name in rounds[0]}
    return {
        "events": plan.events,
        "rounds": plan.rounds,
        "partitions": plan.partitions,
        "transactions": plan.transactions,
        **medians,
        "rss_mb_every_100k": [round(size) for size in memory],
        "each": rounds,
    }


def _figures(ours: Ingested, loop: Mapping[str, float], stock: Mapping[str, float]) -> dict[str, float]:
    loop_cpu = loop["cpu_seconds"] / loop["events"] * 1e6
    loop_rate, stock_rate = loop["events"] / loop["seconds"], stock["events"] / stock["seconds"]
    return {
        "events_per_s": ours.events_per_s,
        "stock_faust_events_per_s": stock_rate,
        "getmany_events_per_s": loop_rate,
        "ratio_to_stock_faust": ours.events_per_s / stock_rate,
        "ratio_to_getmany": ours.events_per_s / loop_rate,
        "cpu_us_per_event": ours.cpu_us,
        "cpu_ratio_to_getmany": ours.cpu_us / loop_cpu,
        "rss_mb_max": ours.rss_mb_max,
        "getmany_cpu_us_per_event": loop_cpu,
        "stock_faust_cpu_us_per_event": stock["cpu_seconds"] / stock["events"] * 1e6,
        "store_cpu_us_per_event": ours.store_cpu_us,
        "broker_cpu_us_per_event": ours.broker_cpu_us,
    }


def run_peer(bed: Bed, peer: str, events: int, advance: Callable[[int], None]) -> dict[str, float]:
    """Let a peer read `events` records of the bed's topic. Raises UnavailableError if it fails."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "modeltrail.bench.peers", peer, bed.topic, str(events)],
        env=bed.environ(bed.ground.writer), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise UnavailableError(
            f"the peer {peer} failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )
    advance(events)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def watch_worker(
    bed: Bed,
    workers: list[Worker],
    events: int,
    advance: Callable[[int], None],
    *,
    meanwhile: Callable[[], None] | None = None,
) -> Ingested:
    """Measure `workers` until `events` more entries are durable than at the call.

    `meanwhile` is run at the start of the clock, in a thread; it may be what writes the events. Without it the clock
    starts when the first block is there, so that the start of the process is not counted.
    Raises UnavailableError if nothing arrives for three minutes, and what `meanwhile` raises.
    """
    before = bed.entries()
    if meanwhile is None:
        _count_until(bed, before + 1)
    start, began, used = bed.entries(), time.monotonic(), _used(bed, workers)
    resident: list[float] = []

    def look(entries: int, more: int) -> None:
        advance(more)
        while (entries - start) // _RESIDENT_EVERY >= len(resident):
            resident.append(resident_mb(workers[0].pid))

    with ThreadPoolExecutor(1) as pool:
        written = None if meanwhile is None else pool.submit(meanwhile)
        end = _count_until(bed, before + events, look)
        if written is not None:
            written.result()
    seconds, counted = time.monotonic() - began, end - start
    if not counted:
        raise UnavailableError(f"all {events} events were in the first block: measure with more of them")
    cpu, store, broker = ((now - then) / counted * 1e6 for now, then in zip(_used(bed, workers), used, strict=True))
    peak = max(peak_mb(worker.pid) for worker in workers)
    return Ingested(counted / seconds, cpu, store, broker, peak, resident)


def wait_until(condition: Callable[[], bool], *, within: float, what: str) -> None:
    """Poll a condition. Raises UnavailableError when it does not come true `within` so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise UnavailableError(f"{what}: not there after {within:.0f} s")
        time.sleep(_LOOK_S)


def _count_until(bed: Bed, wanted: int, look: Callable[[int, int], None] = lambda _entries, _more: None) -> int:
    seen, changed = bed.entries(), time.monotonic()
    while seen < wanted:
        time.sleep(_LOOK_S)
        now = bed.entries()
        if now > seen:
            look(now, now - seen)
            seen, changed = now, time.monotonic()
        elif time.monotonic() - changed > _SILENT_S:
            raise UnavailableError(f"nothing was chained for {_SILENT_S:.0f} s, at {seen:,} of {wanted:,} entries")
    return seen


def _used(bed: Bed, workers: list[Worker]) -> tuple[float, float, float]:
    """CPU seconds of the workers, the store and the broker; 0 for those that were not started here."""
    others = [cpu_seconds(bed.ground.pids[name]) if name in bed.ground.pids else 0.0 for name in ("store", "broker")]
    return sum(cpu_seconds(worker.pid) for worker in workers), others[0], others[1]
