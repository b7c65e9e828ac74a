"""The topics of an installation: names from the settings, and whether the broker has them."""

from collections.abc import Mapping
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


async def create_topics(settings: Settings) -> dict[str, int]:
    """Create the topics that are missing; returns their names and partitions.

    Every topic has append time, so that no producer decides about the order of time, and is never compacted.
    """
    client_args = kafka_client_args(settings)
    async with broker_errors(settings):
        admin = AIOKafkaAdminClient(**client_args)
        try:
            await admin.start()
            existing = set(await admin.list_topics())
            wanted = {name: count for name, count in required_topics(settings).items() if name not in existing}
            if not wanted:
                return {}
            replicas = min(REPLICAS, len((await admin.describe_cluster())["brokers"]))
            topics = [_new_topic(name, count, replicas, settings) for name, count in wanted.items()]
            answer = await admin.create_topics(topics)
        finally:
            await admin.close()
    for name, code, *reason in answer.topic_errors:
        if code not in {0, TopicAlreadyExistsError.errno}:
            why = reason[0] if reason and reason[0] else for_code(code).description
            raise ConfigurationError(f"the broker does not create {name}: {why}")
    return wanted


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
