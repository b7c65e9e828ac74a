"""`modeltrail bench drift-memory`, second half: one window of millions of rows, and what its check takes.

A ledger is filled directly, without the typed tables, which no check reads. Then each piece of work runs in a process
of its own that is set up as a drift worker is:

    drift         the check of all fields
    performance   area under the curve, Brier score, log loss and error rate against outcomes that came later
    learn         a baseline that is learned from the first predictions of the same window
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, cast, get_args

from modeltrail.bench.bed import Bed, Ground
from modeltrail.bench.ingest import Stage
from modeltrail.bench.usage import forget_peak, peak_mb, resident_mb
from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.windows.closing import BaselineRef, Closing, Window
from modeltrail.drift.windows.order import Position
from modeltrail.errors import UnavailableError
from modeltrail.events.canonical import content_hash
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain
from modeltrail.settings import load
from modeltrail.storage.client import connect
from modeltrail.storage.memory import keep_little
from modeltrail.storage.watch.compute import compute, learn
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.sample import read_sample
from modeltrail.storage.watch.scope import Scope

__all__ = ["PARTITIONS", "WindowPlan", "measure_window"]

PARTITIONS = 4
"""Rows are even multiples of it."""

Work = Literal["drift", "performance", "learn"]

_SQL = Path(__file__).parent / "sql"
_CLUSTER = "bench"
_FIRST_MS = 1_767_225_600_000
_SPAN_MS = 30 * 86_400_000
_DELAY_S = 60 * 86_400
_BLOCK = 250_000
_METRICS = ("auc", "brier", "log_loss", "error_rate")
_UNREAD = ("predictions_from_ledger", "outcomes_from_ledger")


@dataclass(frozen=True)
class WindowPlan:
    """What to measure: windows of so many predictions.

    `rows`: with `fields` fields, which are all compared; `learned`: the first of them, to learn a baseline from;
    `outcomes`: without features, each with its outcome.
    """

    rows: int = 5_000_000
    fields: int = 20
    outcomes: int = 2_000_000
    learned: int = 1_000_000
    least: ClassVar[int] = 10_000
    """Rows that the baseline is made of."""


def measure_window(ground: Ground, plan: WindowPlan, stage: Stage) -> Iterator[dict[str, Any]]:
    """Yield the figures of each piece of work: seconds, and peaks of worker and store in units of 10^6 bytes."""
    wanted: list[tuple[int, int, bool, dict[Work, int]]] = [
        (plan.rows, plan.fields, False, {"drift": plan.rows, "learn": min(plan.rows, plan.learned)}),
        (plan.outcomes, 0, True, {"performance": plan.outcomes}),
    ]
    for rows, fields, labelled, works in wanted:
        if not rows:
            continue
        with Bed(ground, partitions=PARTITIONS) as bed:
            fill_window(bed, rows, fields, labelled=labelled, stage=stage)
            for work, count in works.items():
                if not count:
                    continue
                told = stage(f"{work} over {count:,} rows", count)
                yield _measure(bed, work, count, rows) | {"fields": fields}
                told(count)


def fill_window(bed: Bed, rows: int, fields: int, *, labelled: bool, stage: Stage) -> None:
    """Insert a window of `rows` predictions with `fields` features, and, with `labelled`, their outcomes."""
    migrator = connect(load(environ=bed.environ(bed.ground.migrator)).clickhouse)
    try:
        for view in _UNREAD:
            migrator.command(f"DROP VIEW {view}")
    finally:
        migrator.close()
    client = bed.client()
    try:
        for name in ("predictions", "outcomes") if labelled else ("predictions",):
            text = (_SQL / f"window_{name}.sql").read_text(encoding="utf-8")
            advance = stage(f"{rows:,} {name} with {fields} features", rows)
            for first in range(0, rows, _BLOCK):
                count = min(_BLOCK, rows - first)
                whole = {"cluster": _CLUSTER, "rows": rows, "fields": fields, "first_ms": _FIRST_MS}
                client.command(text, parameters={**whole, "span_ms": _SPAN_MS, "first": first, "count": count})
                advance(count)
    finally:
        client.close()


def _measure(bed: Bed, work: Work, count: int, rows: int) -> dict[str, Any]:
    store = bed.ground.pids.get("store")
    if store is not None:
        forget_peak(store)
    before = 0.0 if store is None else resident_mb(store)
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", __name__, work, str(count), str(rows)],
        env=bed.environ(bed.ground.writer), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise UnavailableError(f"{work} over {count} rows failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if store is not None:
        figures |= {"store_mb_before": round(before)}
    return {"work": work, "rows": count, **figures, "store_mb_max": 0 if store is None else round(peak_mb(store))}


def _work(work: Work, count: int, rows: int) -> dict[str, Any]:
    """Do one piece of work in this process."""
    keep_little()
    client = connect(load().clickhouse)
    reader = Reader(client)
    scope = Scope(_run(WindowPlan.least), _upto(2 * rows), "delays", "1.0.0")
    baseline = Baseline.from_columns(
        read_sample(reader, scope, labelled=work == "performance").columns,
        model_id="delays", model_version="1.0.0", kind="binary", positive_label="late",
    )  # fmt: skip
    works: dict[Work, Callable[[], dict[str, Any]]] = {
        "drift": lambda: _check(reader, _closing(work, rows, baseline), baseline),
        "performance": lambda: _check(reader, _closing(work, rows, baseline), baseline),
        "learn": lambda: {"learned": learn(reader, _closing(work, count, baseline)).event.rows},
    }
    pid = os.getpid()
    before = resident_mb(pid)
    forget_peak(pid)
    began = time.perf_counter()
    said = works[work]()
    seconds = time.perf_counter() - began
    client.close()
    return {
        "seconds": round(seconds, 1), "rss_mb_before": round(before), "rss_mb_max": round(peak_mb(pid)), **said,
    }  # fmt: skip


def _check(reader: Reader, closing: Closing, baseline: Baseline) -> dict[str, Any]:
    check = compute(reader, closing, baseline).check
    if check.status != "completed" or check.error:
        raise UnavailableError(f"the check says {check.status}: {check.error}")
    return {"counted": check.rows, "metrics": {each.metric: each.value for each in check.metrics}}


def _run(rows: int) -> Window:
    """Return a window of the first rows of all partitions."""
    return Window(index=0, upto=_upto(rows))


def _upto(entries: int) -> dict[str, int]:
    return dict.fromkeys(_CHAINS, entries // PARTITIONS - 1)


def _closing(work: Work, rows: int, baseline: Baseline) -> Closing:
    """Return the closing of the whole window, or of a run of `rows` predictions to learn from."""
    told: dict[str, Any] = {"monitor_id": "bench", "model_id": "delays"}
    told |= {"window": {"kind": "tumbling", "size_s": _SPAN_MS // 1000}, "policy": {}}
    if work == "performance":
        told["performance"] = [{"metric": name, "max_drop": 0.1, "label_delay_s": _DELAY_S} for name in _METRICS]
    monitor = MonitorConfigured.model_validate(told)
    window = _run(rows) if work == "learn" else Window(_FIRST_MS * 1000, (_FIRST_MS + _SPAN_MS) * 1000)
    return Closing(
        kind=work, model_id="delays", model_version="1.0.0", monitor=monitor, monitor_sha256=content_hash(monitor),
        baseline=BaselineRef(baseline.id, baseline.sha256), window=window,
        x=Position.at(_FIRST_MS + 2 * _SPAN_MS, Chain(_CLUSTER, "modeltrail.models", 0, 0, 0), 0),
        cut=_upto(2 * rows if work == "performance" else rows), closed_by="watermark",
        label_delay_s=_DELAY_S if work == "performance" else 0,
    )  # fmt: skip


_CHAINS = [str(Chain(_CLUSTER, "modeltrail.predictions", number, 0, 0)) for number in range(PARTITIONS)]


if __name__ == "__main__":
    _name, _count, _rows = sys.argv[1:]
    if _name not in get_args(Work):
        raise SystemExit(f"{_name!r}: expected one of {', '.join(get_args(Work))}")
    print(json.dumps(_work(cast("Work", _name), int(_count), int(_rows))))  # noqa: T201 - read by `_measure`
