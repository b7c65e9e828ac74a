"""Ask everything, broker and store at the same time, and bring back one finding for each check.

The whole takes less than 15 s: the broker's part is cut off after BROKER_S, the store's asks nothing after STORE_S and
waits for no single answer longer than a few seconds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient

from modeltrail.doctor.append_time import Probe, judge_append_time, probe_append_time, probe_topic
from modeltrail.doctor.broker import (
    Cluster,
    judge_auto_create,
    judge_cluster_id,
    judge_connection,
    judge_memory_only,
    read_cluster,
)
from modeltrail.doctor.findings import BROKER_CHECKS, Finding, Findings, Report, refused, skipped
from modeltrail.doctor.log_ends import GroupProgress, LogEnd, judge_lag, read_group, read_log_ends
from modeltrail.doctor.measures import judge_clock, local_disk
from modeltrail.doctor.rights import UserRole
from modeltrail.doctor.store import examine_store
from modeltrail.doctor.topics import judge_topics
from modeltrail.errors import BrokerUnavailableError, ModeltrailError
from modeltrail.kafka_client import KAFKA_FAILURES, broker_errors, kafka_client_args
from modeltrail.settings import Settings
from modeltrail.streaming.topics import audited_topics, required_topics

__all__ = ["examine"]

T = TypeVar("T")

BROKER_S = 12.0
CONNECT_S = 4.0
READ_S = 4.0
"""Seconds for the log ends, and for the probe."""
STORE_S = 8.0


async def examine(
    settings: Settings,
    *,
    probe: bool = True,
    role: UserRole | None = None,
    directory: Path | None = None,
    tell: Callable[[Finding], None] | None = None,
) -> Report:
    """Look at everything and return what was found.

    Without `probe` no topic is created, and append time is judged by the records that are there. `role` is what the
    store's user is meant for, `directory` where free disk is looked at (default: here), `tell` is called with each
    finding as it comes, also from another thread. Raises nothing for what is wrong with broker or store.
    """
    found = Findings(tell)
    found.add(local_disk(directory or Path.cwd()))
    store = asyncio.to_thread(examine_store, settings, found, role=role, deadline=time.monotonic() + STORE_S)
    await asyncio.gather(_examine_broker(settings, found, probe=probe), store)
    return found.report()


async def _examine_broker(settings: Settings, found: Findings, *, probe: bool) -> None:
    reason = "there is no connection to the broker"
    try:
        async with asyncio.timeout(BROKER_S) as limit:
            try:
                args = kafka_client_args(settings)
                admin = AIOKafkaAdminClient(**args, request_timeout_ms=int(CONNECT_S * 1000))
                try:
                    async with broker_errors(settings, timeout_s=CONNECT_S):
                        await admin.start()
                        cluster = await read_cluster(admin, list(required_topics(settings)))
                    await _judge_cluster(settings, found, cluster, admin, args, probe=probe)
                finally:
                    await admin.close()
            except ModeltrailError as error:
                found.add(refused("broker.connection", error))
    except TimeoutError:
        if not limit.expired():
            raise
        reason = f"the broker at {settings.kafka.bootstrap_servers} did not answer within {BROKER_S:g} s"
        if not found.has("broker.connection"):
            found.add(refused("broker.connection", BrokerUnavailableError(reason)))
    found.fill(BROKER_CHECKS, reason)


async def _judge_cluster(
    settings: Settings, found: Findings, cluster: Cluster, admin: Any, args: dict[str, Any], *, probe: bool
) -> None:
    found.add(judge_connection(cluster, settings.kafka.bootstrap_servers))
    found.add(judge_cluster_id(cluster))
    found.add(judge_auto_create(cluster))
    found.add(judge_memory_only(cluster, settings))
    for finding in judge_topics(cluster, settings):
        found.add(finding)

    audited = [cluster.topics[name] for name in audited_topics(settings) if name in cluster.topics]
    ends: list[LogEnd] | str = "there is no audited topic"
    if audited:
        ends = await _within(READ_S, read_log_ends(args, audited))
    progress: GroupProgress | str | None = "there is no audited topic"
    if not isinstance(ends, str):
        progress = await _within(READ_S, read_group(admin, settings.worker.group, ends))
    if isinstance(ends, str):
        found.add(skipped("worker.lag", ends))
    elif isinstance(progress, str):
        found.add(skipped("worker.lag", progress))
    else:
        found.add(judge_lag(progress, ends, settings))

    stamped: Probe | str = "no probe was wanted"
    if probe:
        stamped = await _within(READ_S, probe_append_time(admin, args, probe_topic(settings)))
    found.add(judge_append_time(stamped, ends, settings))
    if isinstance(stamped, str):
        found.add(skipped("clock.broker", f"the clock is read from a probe record: {stamped}"))
    elif not stamped.stamped:
        found.add(skipped("clock.broker", "the broker's clock is in no record: it keeps the producer's time"))
    else:
        found.add(judge_clock("clock.broker", "the broker", list(stamped.readings)))


async def _within(seconds: float, question: Awaitable[T]) -> T | str:
    """Return the answer, or a text that says why there is none."""
    try:
        async with asyncio.timeout(seconds):
            return await question
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except KAFKA_FAILURES as error:
        return f"the broker refuses to answer ({type(error).__name__})"
