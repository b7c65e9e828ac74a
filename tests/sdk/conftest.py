"""One broker for all tests that only talk to it, topics of its own for each test."""

import asyncio
import uuid
from dataclasses import dataclass

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from modeltrail.embedded.tansu import TansuBroker
from modeltrail.events.notices import Block
from modeltrail.events.predictions import PredictionRecorded
from modeltrail.settings import Kafka, Sdk, Settings, Topics

FAMILIES = ("predictions", "classifications", "runs", "actions", "alerts", "blocks", "rejected")


@dataclass
class Installation:
    """Topics under a prefix of their own on a running broker."""

    broker: TansuBroker
    prefix: str

    def settings(self, **sdk) -> Settings:
        return Settings(
            kafka=Kafka(bootstrap_servers=self.broker.bootstrap_servers),
            topics=Topics(prefix=self.prefix),
            sdk=Sdk(**{"request_timeout_s": 10, **sdk}),
        )

    def topic(self, family: str = "predictions") -> str:
        return f"{self.prefix}.{family}"

    async def create(self, families=FAMILIES, partitions: int = 2) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.bootstrap_servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(self.topic(family), partitions, 1) for family in families])
        finally:
            await admin.close()

    async def records(self, family: str = "predictions", expected: int = 0) -> list:
        """Every record of a family's topic, at least `expected` of them."""
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.broker.bootstrap_servers, group_id=None, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            tps = [aiokafka.TopicPartition(self.topic(family), number) for number in range(2)]
            ends = await consumer.end_offsets(tps)
            consumer.assign(tps)
            found = []
            async with asyncio.timeout(20):
                while len(found) < max(expected, sum(ends.values())):
                    for batch in (await consumer.getmany(timeout_ms=100)).values():
                        found.extend(batch)
            return found
        finally:
            await consumer.stop()

    async def announce(self, *messages: Block | bytes) -> None:
        """Send block messages to every partition, as a ledger worker does."""
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=self.broker.bootstrap_servers, acks="all")
        await producer.start()
        try:
            for message in messages:
                value = message if isinstance(message, bytes) else message.encode()
                for partition in range(2):
                    await producer.send_and_wait(self.topic("blocks"), value, partition=partition)
        finally:
            await producer.stop()


@pytest.fixture(scope="session")
def shared_broker(tmp_path_factory):
    broker = TansuBroker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def own_broker(tmp_path):
    """A broker that a test may kill."""
    broker = TansuBroker(tmp_path / "broker")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
async def place(shared_broker):
    installation = Installation(shared_broker, f"t{uuid.uuid4().hex[:12]}")
    await installation.create()
    return installation


def prediction(number: int = 0, **more) -> PredictionRecorded:
    return PredictionRecorded(
        **{
            "prediction_id": f"p-{number}",
            "item_id": f"item-{number}",
            "model_id": "late-arrival",
            "model_version": "1.0.0",
            "kind": "binary",
            "score": 0.5,
            "label": "late",
            **more,
        }
    )


def block(place: Installation, partition: int, first: int, last: int, **more) -> Block:
    return Block(
        **{
            "chain": f"cluster/{place.topic()}/{partition}/0-0",
            "first_seq": first,
            "last_seq": last,
            "first_offset": first,
            "last_offset": last,
            "head": "ab" * 32,
            "min_time": 0,
            "max_time": 2**62,
            "rows": {},
            "rejected": 0,
            "gaps": 0,
            **more,
        }
    )
