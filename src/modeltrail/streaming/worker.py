"""A ledger worker: one process that reads audited topics, chains every record and stores it.

start    check topics and schema, connect, join the group
run      until a signal, or until something fails that no waiting can mend
stop     take no more batches, store and announce what is in memory, commit, leave the group
"""

import asyncio
import contextlib
import gc
import logging
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faust.exceptions import ConsumerNotStarted

from modeltrail.errors import ConfigurationError, ModeltrailError, SchemaVersionError, UnavailableError
from modeltrail.events.judge import judge
from modeltrail.ingest.block import BlockLimits
from modeltrail.ingest.protocols import Notices
from modeltrail.ingest.service import Ingest, IngestOptions
from modeltrail.kafka_client import kafka_client_args
from modeltrail.ledger.chain import PartitionId
from modeltrail.settings import Settings
from modeltrail.storage.client import connect
from modeltrail.storage.ledger_store import ClickHouseStore
from modeltrail.storage.memory import keep_little
from modeltrail.storage.migrations import require_current
from modeltrail.storage.queries import sql
from modeltrail.streaming.app import make_app
from modeltrail.streaming.ending import reason_to_end, stop_engine, told
from modeltrail.streaming.http import WorkerHttp
from modeltrail.streaming.log import KafkaLog
from modeltrail.streaming.metrics import WorkerMetrics
from modeltrail.streaming.outbox import KafkaOutbox
from modeltrail.streaming.topic_watch import Change, TopicWatch, read_settings
from modeltrail.streaming.topics import audited_topics, check_topics, outbox_topics
from modeltrail.streaming.watchdog import Stuck, Watchdog

__all__ = ["run_worker"]

logger = logging.getLogger("modeltrail.worker")

LOOK_S = 2.0
"""Seconds between two looks at lag and progress."""

LATE_BLOCKS_S = 30.0
"""Seconds between two looks for blocks that landed in a closed epoch."""

ASK_STORE_S = 5.0
"""Seconds between two questions to the store: a worker without records to chain would not notice that it is away."""


class _SystemClock:
    """Implements `ingest.protocols.Clock`."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class _Parts:
    """What a running worker consists of."""

    settings: Settings
    app: Any
    ingest: Ingest
    store: ClickHouseStore
    log: KafkaLog
    outbox: KafkaOutbox
    metrics: WorkerMetrics
    http: WorkerHttp
    cluster: str = ""
    broker_error: str = ""
    store_error: str = ""

    def assigned(self) -> list[PartitionId]:
        """Return the audited partitions that the group gave to this worker, placed or not."""
        app = self.app
        try:
            given = app.consumer.assignment()
        except ConsumerNotStarted:
            return []
        return sorted(app.ingest_gate.name(tp) for tp in given if tp.topic in app.audited_topics)


async def run_worker(settings: Settings, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Run until SIGINT or SIGTERM. `on_ready` gets the address of the metrics port once the worker is started.

    Raises ModeltrailError with the reason when the worker cannot start or has to end.
    """
    # Batches are many small objects that live for a second and hold no cycles: the collector's default would spend
    # a third of the worker's time on walking them.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    keep_little()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        parts = await _prepare(settings, stack)
        await _serve(parts, stop, on_ready)


async def _prepare(settings: Settings, stack: contextlib.AsyncExitStack) -> _Parts:
    client_args = kafka_client_args(settings)
    topics = audited_topics(settings)
    cluster = await check_topics(client_args, settings)
    await asyncio.to_thread(_check_schema, settings)

    metrics = WorkerMetrics()
    store = ClickHouseStore(
        lambda: connect(settings.clickhouse, answer_timeout_s=settings.worker.insert_timeout_s),
        insert_timeout_s=settings.worker.insert_timeout_s,
        replicated=settings.clickhouse.replicated,
    )
    stack.callback(store.close)
    log = KafkaLog(client_args)
    stack.push_async_callback(log.stop)
    outbox = KafkaOutbox(client_args, outbox_topics(settings))
    await outbox.start()
    stack.push_async_callback(outbox.stop)

    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="modeltrail-engine-", ignore_cleanup_errors=True))
    app = make_app(settings, cluster=cluster, topics=topics, scratch=Path(scratch))
    worker = settings.worker
    ingest = Ingest(
        store=store,
        log=log,
        flow=app.ingest_gate,
        outbox=outbox,
        clock=_SystemClock(),
        observer=metrics,
        judge=judge,
        options=IngestOptions(
            limits=BlockLimits(worker.block_rows, worker.block_bytes, worker.block_seconds),
            queue_limit=worker.queue_batches,
            settle_s=worker.insert_timeout_s + 5.0 + worker.session_timeout_s,
            memory_only=settings.kafka.memory_only,
        ),
    )
    app.ingest_gate.ingest = ingest
    parts = _Parts(settings, app, ingest, store, log, outbox, metrics, None)  # type: ignore[arg-type]
    parts.cluster = cluster
    parts.http = WorkerHttp(worker.http_host, worker.http_port, metrics.registry, lambda: _not_ready(parts))
    await parts.http.start()
    stack.push_async_callback(parts.http.stop)
    return parts


def _check_schema(settings: Settings) -> None:
    client = connect(settings.clickhouse)
    try:
        require_current(client)
        found = client.query(sql("ledger/engine")).result_rows
        if not found:
            raise SchemaVersionError(
                f"clickhouse.database: {settings.clickhouse.database} has no table ledger, although its schema is"
                " current: somebody moved it away; put it back, or run `modeltrail migrate` on an empty database"
            )
        engine = found[0][0]
        if engine.startswith("Replicated") and not settings.clickhouse.replicated:
            raise ConfigurationError(
                f"clickhouse.replicated: false, and the ledger is a {engine}: heads would be read from a replica that"
                " is behind; set it to true"
            )
    finally:
        client.close()


async def _serve(parts: _Parts, stop: asyncio.Event, on_ready: Callable[[str], None] | None) -> None:
    app = parts.app

    @app.on_before_shutdown.connect
    async def drain(*_args: Any, **_kwargs: Any) -> None:
        # Agents are alive and the consumer is open: the last chance to store, announce and commit.
        app.consumer.stop_flow()
        await parts.ingest.give_up(parts.assigned(), within_s=parts.settings.worker.drain_s)
        await app.consumer.commit()

    starting = asyncio.create_task(app.start(), name="start")
    crashed = asyncio.create_task(app._crashed.wait(), name="crashed")  # noqa: SLF001 - Faust has no public one
    stopping = asyncio.create_task(stop.wait(), name="signal")
    committing = asyncio.create_task(parts.ingest.run(), name="ingest")
    looking = asyncio.create_task(_look_after(parts), name="look")
    asking = asyncio.create_task(_ask_store(parts), name="ask")
    guarding = asyncio.create_task(_watch_topics(parts), name="topics")
    watched = {starting, crashed, stopping, committing, looking, asking, guarding}
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
        tasks = (starting, crashed, stopping, committing, looking, asking, guarding)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if reason is not None:
        raise reason
    if app.crash_reason is not None:
        raise told(app.crash_reason)


async def _look_after(parts: _Parts) -> None:
    """Measure lag, look for late blocks, and end a worker that is stuck."""
    next_late_look = time.monotonic() + LATE_BLOCKS_S
    known: set[PartitionId] = set()
    watchdog = Watchdog()
    while True:
        await asyncio.sleep(LOOK_S)
        lanes = {lane.partition: lane for lane in parts.ingest.lanes}
        stopped, placing = set(parts.ingest.lanes.stopped), set(parts.ingest.lanes.placing)
        held = {*lanes, *stopped}
        for gone in known - held:
            parts.metrics.forget(gone)
        known = held
        try:
            await parts.ingest.look_for_replaced_logs()
            ends = await parts.log.ends(lanes)
            parts.broker_error = ""
        except UnavailableError as error:
            parts.broker_error = str(error)
        else:
            reading = {}
            for partition, end in ends.items():
                watermark = parts.app.ingest_gate.watermark(partition)
                if watermark is not None:
                    stable_end = max(end, parts.app.ingest_gate.stable_end(partition))
                    parts.metrics.lag(partition, stable_end - watermark)
                    if partition not in stopped | placing:
                        reading[partition] = (watermark, stable_end)
            now, waiting = time.monotonic(), bool(parts.metrics.unavailable)
            stuck = watchdog.look(
                now, reading=reading, placing=set(parts.assigned()) - stopped - set(reading), waiting=waiting
            )
            if stuck is not None:
                await _end_if_stuck(parts, stuck, reading)
                watchdog.excuse(stuck, now)
            if time.monotonic() >= next_late_look:
                next_late_look = time.monotonic() + LATE_BLOCKS_S
                await _look_for_late_blocks(parts)


async def _end_if_stuck(parts: _Parts, stuck: Stuck, reading: Mapping[PartitionId, tuple[int, int]]) -> None:
    if stuck.watermark is not None:
        try:
            if not await parts.log.existing(stuck.partition, stuck.watermark, reading[stuck.partition][1] - 1):
                return  # nothing but the marker of a transaction
        except UnavailableError as error:
            parts.broker_error = str(error)
            return
    raise ModeltrailError(f"{stuck}: ending to be restarted")


async def _look_for_late_blocks(parts: _Parts) -> None:
    try:
        await parts.ingest.lanes.look_for_late_blocks()
    except UnavailableError as error:
        parts.metrics.waiting("late block look", error)
    else:
        parts.metrics.unavailable.pop("late block look", None)


async def _watch_topics(parts: _Parts) -> None:
    """Alert where somebody changed what the audit rests on."""
    client_args, topics = kafka_client_args(parts.settings), audited_topics(parts.settings)

    async def send(changes: Sequence[Change]) -> None:
        for change in changes:
            logger.warning("%s: %s is %s", change.topic, change.setting, change.now)
        now_ms = time.time_ns() // 1_000_000
        events = [change.event(parts.cluster, now_ms) for change in changes]
        await parts.outbox.send(Notices((), (), events))

    def assigned() -> list[PartitionId]:
        return parts.assigned() if parts.app.ingest_gate.joined else []

    await TopicWatch().run(lambda: read_settings(client_args, topics), assigned, send)


async def _ask_store(parts: _Parts) -> None:
    """Keep readiness true to the store while nothing is inserted, and notice a restart that lost its last blocks."""
    while True:
        await asyncio.sleep(ASK_STORE_S)
        try:
            await parts.store.ping()
            await parts.ingest.look_for_restart()
        except ModeltrailError as error:
            parts.store_error = str(error)
        else:
            parts.store_error = ""


def _not_ready(parts: _Parts) -> dict[str, Any]:
    failing: dict[str, Any] = {}
    if parts.broker_error:
        failing["broker"] = parts.broker_error
    if parts.store_error:
        failing["store"] = parts.store_error
    for dependency, why in parts.metrics.unavailable.items():
        failing[f"waiting for {dependency}"] = why
    if not parts.app.ingest_gate.joined or not parts.ingest.lanes.assigned:
        failing["assignment"] = "partitions are being placed"
    stopped = parts.ingest.lanes.stopped
    if stopped:
        failing["stopped partitions"] = [str(partition) for partition in stopped]
    return failing
