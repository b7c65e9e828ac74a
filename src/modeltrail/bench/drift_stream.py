"""`modeltrail bench drift`, second half: what it costs the ingest that models are watched, on real broker and store.

The same events are chained twice in every round: by a ledger worker alone, and by one beside a drift worker that
watches all their fields in windows which close while the events flow.
"""

import asyncio
import statistics
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka
import numpy as np

from modeltrail.bench.bed import Bed, Ground, Worker
from modeltrail.bench.filling import fill
from modeltrail.bench.ingest import Stage, wait_until, watch_worker
from modeltrail.bench.records import WIDE_DAYS, wide_features, wide_prediction
from modeltrail.bench.usage import cpu_seconds
from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.events.encode import Event, encode_structured
from modeltrail.events.fields import Data
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured, TumblingWindow
from modeltrail.events.registry import topic_name
from modeltrail.kafka_client import kafka_client_args

__all__ = ["StreamPlan", "measure_stream", "tell"]

_FAMILIES = ("predictions", "models", "checks", "alerts")
_READY_S = 120.0
_CLOSED_S = 600.0
_SAMPLE = 10_000
_DAY_S = 86_400
_BATCH_RECORDS = 1_000


@dataclass(frozen=True)
class StreamPlan:
    """What to measure: `events` predictions with `fields` monitored fields, in windows of a day of event time."""

    events: int = 300_000
    rounds: int = 3
    partitions: int = 4
    fields: int = 20


def measure_stream(ground: Ground, plan: StreamPlan, stage: Stage) -> dict[str, Any]:
    """Return the figures by name: medians over the rounds, and every round under `each`.

    `ingest_share_with_drift`: rate of chaining with both roles over that of the ledger role alone. `us_per_event`: CPU
    of the drift worker, and what the store used more than without it, in microseconds an event, until all windows have
    been checked.
    """
    rounds: list[dict[str, float]] = []
    with Bed(ground, partitions=plan.partitions, families=_FAMILIES) as filled:
        asyncio.run(tell(filled, _configured(plan)))
        advance = stage("filling the topic", plan.events)
        fill(
            filled.settings(), filled.topic, plan.partitions, plan.events, transactions=0, advance=advance,
            value=lambda number: wide_prediction(number, plan.events, plan.fields), batch_records=_BATCH_RECORDS,
        )  # fmt: skip
        asyncio.run(tell(filled, [MonitorAdvanced(model_id="delays", through="2027-01-01T00:00:00Z")]))
        for number in range(1, plan.rounds + 1):
            of = f"round {number} of {plan.rounds}"
            alone = _run(ground, filled, plan, stage, f"{of}: ledger alone", drift=False)
            both = _run(ground, filled, plan, stage, f"{of}: ledger and drift", drift=True)
            rounds.append(
                {
                    "ingest_events_per_s": alone["rate"],
                    "ingest_with_drift_events_per_s": both["rate"],
                    "ingest_share_with_drift": both["rate"] / alone["rate"],
                    "us_per_event": both["drift_us"] + max(0.0, both["store_us"] - alone["store_us"]),
                    "worker_us_per_event": both["drift_us"],
                    "checks": both["checks"],
                    "behind_s": both["behind_s"],
                }
            )
    medians = {name: round(statistics.median(each[name] for each in rounds), 3) for name in rounds[0]}
    return {"events": plan.events, "monitored_fields": plan.fields, "rounds": plan.rounds, **medians, "each": rounds}


def _run(ground: Ground, filled: Bed, plan: StreamPlan, stage: Stage, of: str, *, drift: bool) -> dict[str, float]:
    with Bed(ground, partitions=plan.partitions, topics_of=filled, families=_FAMILIES) as bed:
        watcher: Worker | None = None
        if drift:
            watcher = bed.start_worker("drift")
            wait_until(watcher.ready, within=_READY_S, what="the drift worker")
        store_before = _store(ground)
        drift_before = 0.0 if watcher is None else cpu_seconds(watcher.pid)
        ours = watch_worker(bed, [bed.start_worker()], plan.events, stage(of, plan.events))
        chained_at, checks = time.monotonic(), 0
        if watcher is not None:
            wait_until(lambda: _closed(bed) >= WIDE_DAYS, within=_CLOSED_S, what="a check of every window")
            checks = _closed(bed)
        used = 0.0 if watcher is None else cpu_seconds(watcher.pid) - drift_before
        figures = {
            "rate": ours.events_per_s,
            "drift_us": used / plan.events * 1e6,
            "store_us": (_store(ground) - store_before) / plan.events * 1e6,
            "checks": float(checks),
            "behind_s": time.monotonic() - chained_at,
        }
        bed.stop_workers()
        return figures


def _store(ground: Ground) -> float:
    return cpu_seconds(ground.pids["store"]) if "store" in ground.pids else 0.0


def _closed(bed: Bed) -> int:
    client = bed.client()
    try:
        return int(client.command("SELECT uniqExact(check_id) FROM checks WHERE kind = 'drift'"))
    finally:
        client.close()


def _configured(plan: StreamPlan) -> list[Data]:
    """Return a baseline that is made of a sample of the events, and a monitor of all its fields."""
    numbers = np.linspace(0, plan.events - 1, min(_SAMPLE, plan.events)).astype(int).tolist()
    rows = [wide_features(number, plan.fields) for number in numbers]
    baseline = Baseline.from_frame(
        {name: [row[name] for row in rows] for name in rows[0]}, model_id="delays", model_version="1.0.0"
    )
    window = TumblingWindow(kind="tumbling", size_s=_DAY_S)
    return [baseline.to_event(), MonitorConfigured(monitor_id="bench", model_id="delays", window=window)]


async def tell(bed: Bed, told: Sequence[Data]) -> None:
    """Publish events of the family `models`; returns once they are acknowledged."""
    producer = aiokafka.AIOKafkaProducer(**kafka_client_args(bed.settings()), acks="all")
    await producer.start()
    try:
        for data in told:
            event = Event.of(data, source="bench", actor="bench", id=uuid.uuid4().hex, time="2026-01-01T00:00:00Z")
            key, headers, value = encode_structured(event)
            await producer.send_and_wait(topic_name("models", bed.prefix), value, key=key, headers=headers)
    finally:
        await producer.stop()
