"""What the watch asks the broker: whether a partition has nothing more to say, and how topics are divided."""

import aiokafka
import pytest

from modeltrail.errors import BrokerUnavailableError
from modeltrail.events.encode import Event
from modeltrail.events.models import MonitorAdvanced
from modeltrail.kafka_client import kafka_client_args
from modeltrail.streaming.drift_broker import KafkaBroker
from modeltrail.streaming.drift_publisher import KafkaPublisher
from tests.integration.events_for_tests import predictions
from tests.integration.installation import until


@pytest.fixture
async def asked(installation):
    broker = broker_of(installation)
    yield installation, broker
    await broker.stop()


def broker_of(installation):
    return KafkaBroker(
        kafka_client_args(installation.settings()),
        cluster=installation.cluster,
        watched=[installation.topic("predictions"), installation.topic("models")],
        blocks=installation.topic("blocks"),
    )


async def test_the_layout_is_what_the_broker_has(asked):
    installation, broker = asked
    layout = await broker.layout()
    assert layout.shares == installation.partitions
    assert {each for each in layout.watched if each.topic == installation.topic()} == {
        installation.partition(0), installation.partition(1)
    }  # fmt: skip
    assert installation.partition(0, "models") in layout.watched


async def test_a_partition_is_idle_when_nothing_stands_behind_what_is_known(asked):
    installation, broker = asked
    first, second = installation.partition(0), installation.partition(1)
    assert (await broker.idle({first: None, second: None})).partitions == {first, second}
    sent = await installation.produce(predictions(300), partition=0)
    assert (await broker.idle({first: None, second: None})).partitions == {second}
    assert (await broker.idle({first: 298, second: None})).partitions == {second}
    idle = await broker.idle({first: sent[-1].offset, second: None})
    assert idle.partitions == {first, second}
    assert idle.producer_time == ("Tansu" in installation.stack.broker.name)
    assert (await broker.idle({})).partitions == frozenset()


async def test_a_log_that_is_shorter_than_what_is_known_is_not_idle(asked):
    installation, broker = asked
    await installation.produce(predictions(10), partition=0)
    idle = await broker.idle({installation.partition(0): 99, installation.partition(1): None})
    assert idle.partitions == {installation.partition(1)}


@pytest.mark.kafka
async def test_an_open_transaction_is_not_idle_and_an_aborted_one_is(on_apache):
    broker = broker_of(on_apache)
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=on_apache.stack.bootstrap_servers, transactional_id=on_apache.prefix
    )
    await producer.start()
    partition = on_apache.partition(0)
    try:
        last = (await on_apache.produce(predictions(3), partition=0))[-1].offset
        await producer.begin_transaction()
        await (await producer.send(on_apache.topic(), b"{}", partition=0))
        assert (await broker.idle({partition: last})).partitions == frozenset()
        await producer.abort_transaction()

        async def idle():
            return (await broker.idle({partition: last})).partitions == {partition}

        await until(idle, within=10, what="idle behind the marker of the aborted transaction")
    finally:
        await producer.stop()
        await broker.stop()


async def test_a_broker_that_is_away_is_waited_for_and_the_next_question_is_answered(asked, monkeypatch):
    installation, broker = asked
    partition = installation.partition(0)
    monkeypatch.setattr("modeltrail.streaming.drift_broker.PATIENCE_S", 0.0)
    with pytest.raises(BrokerUnavailableError):
        await broker.idle({partition: None})
    monkeypatch.undo()
    assert (await broker.idle({partition: None})).partitions == {partition}


async def test_what_is_published_stands_in_its_topic_under_the_model(installation):
    publisher = KafkaPublisher(kafka_client_args(installation.settings()), prefix=installation.prefix)
    await publisher.start()
    try:
        data = MonitorAdvanced(model_id="m", through="2026-01-02T00:00:00Z")
        event = Event.of(data, source="tests", actor="tester", id="a-1", time="2026-01-02T03:04:05Z")
        await publisher.publish([event, event])
    finally:
        await publisher.stop()
    _, records = await installation.log_of(installation.partition(0, "models"))
    assert [(record.key, record.value) for record in records] == [(b"m", records[0].value)] * 2
