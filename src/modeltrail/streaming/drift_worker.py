"""A drift worker: one process that watches models and publishes checks and alerts.

start    check topics and schema, connect, join the group of block messages
run      until a signal, or until something fails that no waiting can mend
stop     end between two checks, leave the group

It keeps nothing: whoever has its share next goes on from the checks in the ledger.
"""

import asyncio
import contextlib
import logging
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from modeltrail.errors import ModeltrailError
from modeltrail.events.registry import BLOCKS, topic_name
from modeltrail.kafka_client import kafka_client_args
from modeltrail.settings import Settings
from modeltrail.storage.client import connect
from modeltrail.storage.memory import keep_little
from modeltrail.storage.migrations import require_current
from modeltrail.storage.watch.ledger import WatchLedger
from modeltrail.streaming.drift_app import make_drift_app
from modeltrail.streaming.drift_broker import KafkaBroker
from modeltrail.streaming.drift_metrics import DriftMetrics
from modeltrail.streaming.drift_publisher import KafkaPublisher
from modeltrail.streaming.ending import reason_to_end, stop_engine, told
from modeltrail.streaming.http import WorkerHttp
from modeltrail.streaming.topics import check_topics
from modeltrail.watch.service import WatchOptions, WatchService

__all__ = ["run_drift_worker"]

logger = logging.getLogger("modeltrail.drift")

ASK_S = 5.0
"""Seconds between two questions to the store and the broker: a watch with nothing to read would not notice."""


SHOWN = 10
"""Models and chains that are named where it says why a worker is not ready."""


class _SystemClock:
    """Implements `watch.protocols.Clock`."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class _Parts:
    """What a running worker consists of."""

    app: Any
    watch: WatchService
    ledger: WatchLedger
    broker: KafkaBroker
    metrics: DriftMetrics
    http: WorkerHttp


async def run_drift_worker(settings: Settings, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Run until SIGINT or SIGTERM. `on_ready` gets the address of the metrics port once the worker is started.

    Raises ModeltrailError with the reason when the worker cannot start or has to end.
    """
    keep_little()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        parts = await _prepare(settings, stack)
        await _serve(parts, stop, on_ready)


async def _prepare(settings: Settings, stack: contextlib.AsyncExitStack) -> _Parts:
    client_args, prefix, drift = kafka_client_args(settings), settings.topics.prefix, settings.drift
    cluster = await check_topics(client_args, settings)
    await asyncio.to_thread(_check_schema, settings)
    watched, blocks = [topic_name(family, prefix) for family in ("predictions", "models")], topic_name(BLOCKS, prefix)
    ticking = [topic_name("checks", prefix)]

    metrics = DriftMetrics()
    ledger = WatchLedger(
        lambda: connect(settings.clickhouse),
        replicated=settings.clickhouse.replicated,
        tampered=metrics.tampered,
    )
    stack.callback(ledger.close)
    broker = KafkaBroker(client_args, cluster=cluster, watched=watched, blocks=blocks, ticking=ticking)
    stack.push_async_callback(broker.stop)
    publisher = KafkaPublisher(client_args, prefix=prefix)
    await publisher.start()
    stack.push_async_callback(publisher.stop)
    watch = WatchService(
        ledger=ledger,
        broker=broker,
        publisher=publisher,
        clock=_SystemClock(),
        observer=metrics,
        options=WatchOptions(
            poll_s=drift.poll_s,
            grace_s=drift.watch_grace_s,
            max_wait_s=drift.max_wait_s,
            read_rows=drift.read_rows,
            drain_s=drift.drain_s,
        ),
    )
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="modeltrail-engine-", ignore_cleanup_errors=True))
    app = make_drift_app(settings, cluster=cluster, blocks=blocks, scratch=Path(scratch))
    app.ingest_gate.watch = watch
    http = WorkerHttp(
        drift.http_host,
        drift.http_port,
        metrics.registry,
        lambda: _not_ready(app, watch, metrics),
        setting="drift.http_port",
    )
    await http.start()
    stack.push_async_callback(http.stop)
    return _Parts(app, watch, ledger, broker, metrics, http)


def _check_schema(settings: Settings) -> None:
    client = connect(settings.clickhouse)
    try:
        require_current(client)
    finally:
        client.close()


async def _serve(parts: _Parts, stop: asyncio.Event, on_ready: Callable[[str], None] | None) -> None:
    app = parts.app

    @app.on_before_shutdown.connect
    async def end_between_checks(*_args: Any, **_kwargs: Any) -> None:
        app.consumer.stop_flow()
        await parts.watch.give_up()

    starting = asyncio.create_task(app.start(), name="start")
    crashed = asyncio.create_task(app._crashed.wait(), name="crashed")  # noqa: SLF001 - Faust has no public one
    stopping = asyncio.create_task(stop.wait(), name="signal")
    watching = asyncio.create_task(parts.watch.run(), name="watch")
    asking = asyncio.create_task(_ask(parts), name="ask")
    watched = {starting, crashed, stopping, watching, asking}
    try:
        while True:
            done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if done == {starting} and starting.exception() is None:
                watched.discard(starting)
                logger.info("started; health and metrics on %s", parts.http.address)
                if on_ready is not None:
                    on_ready(parts.http.address)
                continue
            break
        reason = reason_to_end(app, done - {stopping, crashed})
    except BaseException as error:
        reason = error
        raise
    finally:
        await stop_engine(app, starting, reason)
        tasks = (starting, crashed, stopping, watching, asking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if reason is not None:
        raise reason
    if app.crash_reason is not None:
        raise told(app.crash_reason)


async def _ask(parts: _Parts) -> None:
    """Keep readiness true to store and broker while there is nothing to read."""
    while True:
        await asyncio.sleep(ASK_S)
        # Under names of their own: that a question like this is answered does not say that the watch goes on.
        for name, question in (("store to answer", parts.ledger.frontiers), ("broker to answer", parts.broker.layout)):
            try:
                await question()
            except ModeltrailError as error:
                parts.metrics.waiting(name, error)
            else:
                parts.metrics.going_on(name)


def _not_ready(app: Any, watch: WatchService, metrics: DriftMetrics) -> dict[str, Any]:
    failing: dict[str, Any] = {f"waiting for {what}": why for what, why in metrics.unavailable.items()}
    if metrics.aside:
        some = islice(sorted(metrics.aside.items()), SHOWN)
        failing["models set aside"] = {"count": len(metrics.aside), "some": dict(some)}
    if metrics.tampered_chains:
        failing["tampered"] = dict(islice(metrics.tampered_chains.items(), SHOWN))
    if not app.ingest_gate.joined:
        failing["assignment"] = "the group has not given this worker its share yet"
    elif not watch.began:
        failing["ledger"] = "the last checks are being read"
    return failing
