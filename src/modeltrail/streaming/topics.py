"""The topics of an installation: names from the settings, and whether the broker has them."""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from modeltrail.errors import ConfigurationError
from modeltrail.events.registry import AUDITED_FAMILIES, BLOCKS, REJECTED, topic_name
from modeltrail.kafka_client import broker_errors, kafka_client_args
from modeltrail.ledger.chain import check_cluster_id
from modeltrail.settings import Settings
from modeltrail.streaming.outbox import OutboxTopics

__all__ = ["audited_topics", "check_topics", "create_topics", "outbox_topics", "required_topics"]


def audited_topics(settings: Settings) -> list[str]:
    """Return the topics whose every record is chained."""
    families = settings.worker.families or AUDITED_FAMILIES
    return [topic_name(family, settings.topics.prefix) for family in families]


def outbox_topics(settings: Settings) -> OutboxTopics:
    """Return the topics that a ledger worker writes."""
    prefix = settings.topics.prefix
    return OutboxTopics(topic_name(BLOCKS, prefix), topic_name(REJECTED, prefix), topic_name("alerts", prefix))


def required_topics(settings: Settings) -> dict[str, int]:
    """Return every topic of an installation with the number of partitions that it is created with."""
    names = dict.fromkeys([*audited_topics(settings), *outbox_topics(settings)])
    return {name: settings.topics.partitions_of(name) for name in names}


RETENTION_MS = {"blocks": 30 * 24 * 3600 * 1000}
"""Receipts are kept for 30 days: they are heads that stand outside the ledger."""


REPLICAS = 3
"""Replicas of a new topic where there are that many brokers; then two of them acknowledge every record."""


KNOWN_WITHIN_S = 5
"""How long a new topic may stay unknown to the broker that is asked for it."""


async def create_topics(settings: Settings) -> dict[str, int]:
    """Create the topics that are missing; returns the names and partitions of those that were created.

    Every topic has append time, so that no producer decides about the order of time, and is never compacted. Returns
    when the broker tells of every topic, so that a worker that is started next finds them; ConfigurationError where it
    refuses one, or does not tell of it within KNOWN_WITHIN_S.
    """
    required = required_topics(settings)
    created: dict[str, int] = {}
    async with broker_errors(settings):
        admin = AIOKafkaAdminClient(**kafka_client_args(settings))
        try:
            await admin.start()
            missing = required.keys() - set(await admin.list_topics())
            if not missing:
                return {}
            replicas = min(REPLICAS, len((await admin.describe_cluster())["brokers"]))
            wanted = {name: count for name, count in required.items() if name in missing}
            answer = await admin.create_topics(
                [_new_topic(name, count, replicas, settings) for name, count in wanted.items()]
            )
            for name, code, *reason in answer.topic_errors:
                if code == 0:
                    created[name] = wanted[name]
                elif code != TopicAlreadyExistsError.errno:
                    why = reason[0] if reason and reason[0] else for_code(code).description
                    raise ConfigurationError(f"the broker does not create {name}: {why}")
            await _known(admin, missing)
        finally:
            await admin.close()
    return created


async def _known(admin: AIOKafkaAdminClient, names: Collection[str], within_s: float = KNOWN_WITHIN_S) -> None:
    """Wait until a broker tells of these topics: it hears from its controller of what was created, a moment later."""
    looked_until = time.monotonic() + within_s
    while missing := set(names) - set(await admin.list_topics()):
        if time.monotonic() > looked_until:
            raise ConfigurationError(
                f"the broker created {', '.join(sorted(missing))} and does not tell of it after {within_s} s: may this "
                "user describe the topic?"
            )
        await asyncio.sleep(0.05)


def _new_topic(name: str, partitions: int, replicas: int, settings: Settings) -> NewTopic:
    configs = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"}
    retention = RETENTION_MS.get(name.removeprefix(f"{settings.topics.prefix}."))
    if retention is not None:
        configs["retention.ms"] = str(retention)
    if replicas >= REPLICAS:
        configs["min.insync.replicas"] = "2"
    return NewTopic(name, num_partitions=partitions, replication_factor=replicas, topic_configs=configs)


async def check_topics(client_args: Mapping[str, Any], settings: Settings) -> str:
    """Return the cluster id; ConfigurationError when a topic is missing or the id cannot be chained."""
    async with broker_errors(settings):
        admin = AIOKafkaAdminClient(**client_args)
        try:
            await admin.start()
            existing = set(await admin.list_topics())
            cluster = (await admin.describe_cluster())["cluster_id"]
        finally:
            await admin.close()
    missing = sorted(set(required_topics(settings)) - existing)
    if missing:
        raise ConfigurationError(
            f"the broker has no topic {', '.join(missing)}: create them first, or run 'modeltrail topics create'"
        )
    try:
        return check_cluster_id(cluster)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
