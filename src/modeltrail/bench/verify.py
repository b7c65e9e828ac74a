"""`modeltrail bench verify`: entries a second and memory of both verifiers, over a ledger that a worker has just made.

Beside them, in the same run: the rate at which the worker made the ledger, and the rate at which one core computes the
two SHA-256 of such entries and does nothing else, which no single-threaded verifier can exceed.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modeltrail.bench.bed import Bed, Ground
from modeltrail.bench.filling import fill
from modeltrail.bench.ingest import Stage, watch_worker
from modeltrail.bench.records import prediction
from modeltrail.bench.usage import cpu_seconds, forget_peak, peak_mb, resident_mb
from modeltrail.errors import ModeltrailError
from modeltrail.ledger.entry import netstring, preimage

__all__ = ["VerifyPlan", "measure_verify"]

_LIMIT_ENTRIES = 100_000
_TIMESTAMP = 1_767_323_045_000


@dataclass(frozen=True)
class VerifyPlan:
    """What to measure."""

    entries: int = 2_000_000
    rounds: int = 3
    partitions: int = 4


@dataclass(frozen=True)
class _Verified:
    """One verification by `modeltrail verify`, as a process of its own."""

    entries_per_s: float
    cpu_us: float
    store_cpu_us: float
    rss_mb: float
    store_mb: float


def measure_verify(ground: Ground, plan: VerifyPlan, stage: Stage) -> dict[str, Any]:
    """Return the figures by name: medians over the rounds, and every round under `each`."""
    rounds: list[dict[str, float]] = []
    with Bed(ground, partitions=plan.partitions) as bed:
        fill(
            bed.settings(), bed.topic, plan.partitions, plan.entries,
            transactions=0, advance=stage("filling the topic", plan.entries),
        )  # fmt: skip
        told = stage("the worker makes the ledger", plan.entries)
        made = watch_worker(bed, [bed.start_worker()], plan.entries, told)
        bed.stop_workers()
        store_before = resident_mb(ground.pids["store"]) if "store" in ground.pids else 0.0
        for number in range(1, plan.rounds + 1):
            of = f"round {number} of {plan.rounds}"
            in_sql = _verify(bed, plan.entries, stage(f"{of}: in ClickHouse", plan.entries))
            here = _verify(bed, plan.entries, stage(f"{of}: in Python", plan.entries), "--recompute")
            limit = _limit(stage(f"{of}: SHA-256 alone", _LIMIT_ENTRIES))
            rounds.append(
                {
                    "sql_entries_per_s": in_sql.entries_per_s,
                    "ingest_events_per_s": made.events_per_s,
                    "python_entries_per_s": here.entries_per_s,
                    "sha256_limit_entries_per_s": limit,
                    "ratio_to_limit": in_sql.entries_per_s / limit,
                    "sql_ratio_to_ingest": in_sql.entries_per_s / made.events_per_s,
                    "python_ratio_to_ingest": here.entries_per_s / made.events_per_s,
                    "python_ratio_to_limit": here.entries_per_s / limit,
                    "rss_mb_max": max(in_sql.rss_mb, here.rss_mb),
                    "sql_store_mb_max": in_sql.store_mb,
                    "python_store_mb_max": here.store_mb,
                    "sql_cpu_us_per_entry": in_sql.cpu_us + in_sql.store_cpu_us,
                    "python_cpu_us_per_entry": here.cpu_us,
                    "python_store_cpu_us_per_entry": here.store_cpu_us,
                }
            )
    medians = {name: round(statistics.median(each[name] for each in rounds), 3) for name in rounds[0]}
    return {
        "entries": plan.entries,
        "rounds": plan.rounds,
        "partitions": plan.partitions,
        **medians,
        "store_mb_before": store_before,
        "each": rounds,
    }


def _verify(bed: Bed, entries: int, advance: Callable[[int], None], *options: str) -> _Verified:
    """Run `modeltrail verify` without the typed tables. Raises ModeltrailError if it does not verify everything."""
    store = bed.ground.pids.get("store")
    if store is not None:
        forget_peak(store)
    store_before = 0.0 if store is None else cpu_seconds(store)
    process = subprocess.Popen(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "modeltrail.cli.main", "verify", "--json", "--no-projections", *options],
        env=bed.environ(bed.ground.writer), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with process:
        said = (process.stdout.read() if process.stdout else "").splitlines()
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0  # the process is waited for; what counts is what it said
    report = json.loads(said[-1]) if said else {}
    if not report.get("verified") or report.get("entries") != entries:
        raise ModeltrailError(f"the ledger of the benchmark did not verify: {said[-1][:300] if said else 'no report'}")
    advance(entries)
    return _Verified(
        entries_per_s=entries / report["seconds"],
        cpu_us=(used.ru_utime + used.ru_stime) / entries * 1e6,
        store_cpu_us=0.0 if store is None else (cpu_seconds(store) - store_before) / entries * 1e6,
        rss_mb=used.ru_maxrss * 1024 / 1e6,
        store_mb=0.0 if store is None else peak_mb(store),
    )


def _limit(advance: Callable[[int], None]) -> float:
    """Entries a second whose two hashes one core can compute, with everything else done beforehand."""
    records = [netstring(b"delays") + b"0:," + netstring(prediction(number)) for number in range(_LIMIT_ENTRIES)]
    chain = b"k" * 22 + b"/modeltrail.predictions/0/0-0"
    entries = [bytes(32) + preimage(chain, n, n, _TIMESTAMP, bytes(32)) for n in range(_LIMIT_ENTRIES)]
    sha256 = hashlib.sha256
    began = time.perf_counter()
    for record, entry in zip(records, entries, strict=True):
        sha256(record).digest()
        sha256(entry).digest()
    seconds = time.perf_counter() - began
    advance(_LIMIT_ENTRIES)
    return _LIMIT_ENTRIES / seconds
