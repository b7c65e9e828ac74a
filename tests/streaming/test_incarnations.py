"""A log has a name, told by the broker, that changes when the topic is created again. On the embedded broker."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from modeltrail.embedded.tansu import TansuBroker
from modeltrail.errors import BrokerUnavailableError
from modeltrail.ledger.chain import PartitionId
from modeltrail.streaming.incarnations import Incarnations


@pytest.fixture
async def broker(tmp_path):
    running = TansuBroker(tmp_path / "broker")
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def names(broker):
    asked = Incarnations({"bootstrap_servers": broker.bootstrap_servers})
    yield asked
    await asked.stop()


async def create(broker, *topics, again=False):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        if again:
            await admin.delete_topics(list(topics))
        answer = await admin.create_topics([NewTopic(topic, 2, 1) for topic in topics])
        assert all(error[1] == 0 for error in answer.topic_errors), answer
    finally:
        await admin.close()


async def test_the_name_changes_with_the_topic_and_with_nothing_else(broker, names):
    await create(broker, "a", "b")
    a, b = [PartitionId("c", "a", number) for number in (0, 1)], PartitionId("c", "b", 0)
    before = await names.of([*a, b])
    assert set(before) == {*a, b}
    assert await names.of([*a, b]) == before
    await create(broker, "a", again=True)
    after = await names.of([*a, b])
    assert after[b] == before[b]
    assert all(after[partition] != before[partition] for partition in a)


async def test_what_has_no_topic_is_left_out(broker, names):
    await create(broker, "a")
    there, gone = PartitionId("c", "a", 0), PartitionId("c", "gone", 0)
    assert set(await names.of([there, gone, PartitionId("c", "a", 7)])) == {there}
    assert await names.of([]) == {}


async def test_many_may_ask_at_the_same_time(broker, names):
    await create(broker, "a")
    answers = await asyncio.gather(*(names.of([PartitionId("c", "a", 0)]) for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)


async def test_a_broker_that_is_away_is_waited_for_and_asked_again(broker, names):
    await create(broker, "a")
    wanted = [PartitionId("c", "a", 0)]
    assert await names.of(wanted)
    broker.kill()
    with pytest.raises(BrokerUnavailableError):
        await names.of(wanted)
    broker.start()
    await create(broker, "a")  # it forgets its topics
    assert await names.of(wanted)
