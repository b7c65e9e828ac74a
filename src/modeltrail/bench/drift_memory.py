"""`modeltrail bench drift-memory`, first half: what a drift worker holds, by models, fields and open windows.

A ledger worker chains predictions of many models, each with many fields, and then a drift worker watches all of them in
sliding windows, of which as many are open at any time as a window has panes. It is told that all was sent, and has to
check every window. This is done again with more predictions a pane: memory must not follow them.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from modeltrail.bench.bed import Bed, Ground
from modeltrail.bench.drift_stream import tell
from modeltrail.bench.filling import fill
from modeltrail.bench.ingest import Stage, wait_until
from modeltrail.bench.records import wide_features
from modeltrail.bench.usage import forget_peak, peak_mb, resident_mb
from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.events.fields import Data
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured, SlidingWindow

__all__ = ["MemoryPlan", "measure_memory", "pane_prediction"]

_FAMILIES = ("predictions", "models", "checks", "alerts")
_PARTITIONS = 4
_PANE_S = 3600
_MORE_PANES = 8
"""Panes of event time beyond those of one window."""
_START = datetime(2026, 1, 5, tzinfo=UTC)
_END = "2026-03-01T00:00:00Z"
_READY_S = 300.0
_CHECKED_S = 7200.0
_SAMPLE = 5_000
_BATCH_RECORDS = 200


@dataclass(frozen=True)
class MemoryPlan:
    """What to measure: `models` with `fields` monitored fields each, `panes` open windows, and one run for each `rows`.

    `rows`: predictions of a model in a pane.
    """

    models: int = 10
    fields: int = 100
    panes: int = 60
    rows: Sequence[int] = (25, 100)

    def events(self, rows: int) -> int:
        """Return how many predictions there are with so many in a pane."""
        return self.models * (self.panes + _MORE_PANES) * rows

    @property
    def checks(self) -> int:
        """How many windows hold a prediction."""
        return self.models * (self.panes + _MORE_PANES + self.panes - 1)


def measure_memory(ground: Ground, plan: MemoryPlan, stage: Stage) -> dict[str, Any]:
    """Return the figures by name: `rss_mb_max`, the most that the drift worker took in any run, and each run's own."""
    runs = [_run(ground, plan, rows, stage) for rows in plan.rows]
    return {
        "models": plan.models,
        "monitored_fields": plan.fields,
        "open_windows": plan.panes,
        "rss_mb_max": max(run["rss_mb_max"] for run in runs),
        "store_mb_max": max(run["store_mb_max"] for run in runs),
        "runs": runs,
    }


def _run(ground: Ground, plan: MemoryPlan, rows: int, stage: Stage) -> dict[str, Any]:
    events = plan.events(rows)
    of = f"{rows} rows a pane"
    with Bed(ground, partitions=_PARTITIONS, families=_FAMILIES) as bed:
        asyncio.run(tell(bed, _configured(plan)))
        fill(
            bed.settings(), bed.topic, _PARTITIONS, events, transactions=0, advance=stage(f"{of}: filling", events),
            value=lambda number: pane_prediction(plan, number, rows), batch_records=_BATCH_RECORDS,
        )  # fmt: skip
        told = stage(f"{of}: chaining", events)
        bed.start_worker()
        wait_until(lambda: bed.entries() >= events, within=_READY_S + events / 500, what="a ledger of all predictions")
        told(events)
        end = _START + timedelta(days=365)
        advanced = [
            MonitorAdvanced(model_id=model, through=end.strftime("%Y-%m-%dT%H:%M:%SZ")) for model in _models(plan)
        ]
        asyncio.run(tell(bed, advanced))
        store = ground.pids.get("store")
        if store is not None:
            forget_peak(store)
        before = 0.0 if store is None else resident_mb(store)
        watcher = bed.start_worker("drift")  # it is not ready before it has made the last check
        _wait_for_checks(bed, plan.checks, stage(f"{of}: checking", plan.checks))
        figures = {
            "events": events,
            "rows_a_pane": rows,
            "checks": _checks(bed),
            "rss_mb_max": round(peak_mb(watcher.pid)),
            "rss_mb_after": round(resident_mb(watcher.pid)),
            "store_mb_before": round(before),
            "store_mb_max": 0 if store is None else round(peak_mb(store)),
        }
        bed.stop_workers()
        return figures


def _wait_for_checks(bed: Bed, checks: int, advance: Any) -> None:
    seen = 0

    def all_there() -> bool:
        nonlocal seen
        found = _checks(bed)
        advance(found - seen)
        seen = found
        return found >= checks

    wait_until(all_there, within=_CHECKED_S, what="a check of every window")


def _checks(bed: Bed) -> int:
    client = bed.client()
    try:
        return int(client.command("SELECT uniqExact(check_id) FROM checks WHERE kind = 'drift'"))
    finally:
        client.close()


def _models(plan: MemoryPlan) -> list[str]:
    return [f"model-{number:02}" for number in range(plan.models)]


def _configured(plan: MemoryPlan) -> list[Data]:
    """Return a baseline and a monitor of all fields for each model."""
    window = SlidingWindow(kind="sliding", size_s=plan.panes * _PANE_S, step_s=_PANE_S)
    told: list[Data] = []
    for at, model in enumerate(_models(plan)):
        rows = [wide_features(number * plan.models + at, plan.fields) for number in range(_SAMPLE)]
        frame = {name: [row[name] for row in rows] for name in rows[0]}
        told.append(Baseline.from_frame(frame, model_id=model, model_version="1.0.0").to_event())
        told.append(MonitorConfigured(monitor_id=f"bench-{model}", model_id=model, window=window))
    return told


def pane_prediction(plan: MemoryPlan, number: int, rows: int) -> bytes:
    """Return the value of record `number`: models take turns, and event time goes on by a pane each `rows` of each."""
    at = _START + timedelta(seconds=_PANE_S * (number // plan.models) / rows)
    document = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "bench",
        "type": "modeltrail.prediction.recorded.v1",
        "subject": f"p-{number}",
        "time": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor": "bench",
        "data": {
            "prediction_id": f"p-{number}",
            "item_id": f"i-{number}",
            "model_id": _models(plan)[number % plan.models],
            "model_version": "1.0.0",
            "kind": "binary",
            "label": "late",
            "features": wide_features(number, plan.fields),
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()
