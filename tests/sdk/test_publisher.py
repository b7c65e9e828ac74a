"""Publishing to a real broker: what was acknowledged is there, and what was refused is not."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modeltrail import kafka_client
from modeltrail.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    InvalidEventError,
    NotDurableError,
)
from modeltrail.events.actions import ActionRecorded
from modeltrail.events.encode import Event
from modeltrail.events.judge import judge
from modeltrail.ledger.entry import record_hash
from modeltrail.sdk import Publisher, PublishManyError
from modeltrail.settings import Kafka, Settings
from tests.sdk.conftest import Installation, prediction


@contextlib.contextmanager
def frozen(broker):
    """Stop the broker's process as a debugger would; all of its threads stand still inside of the block."""
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 10
        while not all(" T " in (task / "stat").read_text() for task in Path(f"/proc/{broker.pid}/task").iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield
    finally:
        os.kill(broker.pid, signal.SIGCONT)


def publisher(place, **options):
    sdk = options.pop("sdk", {})
    return Publisher(**{"source": "urn:test", "actor": "tester", "settings": place.settings(**sdk), **options})


async def test_a_published_event_is_in_the_log_as_the_delivery_says(place):
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction(1), headers=[("trace", b"x")])

    (record,) = await place.records(expected=1)
    assert (record.topic, record.partition, record.offset) == (delivery.topic, delivery.partition, delivery.offset)
    assert record.timestamp == delivery.timestamp
    assert record.key == b"item-1"
    assert dict(record.headers)["trace"] == b"x"
    headers = [(name.encode(), value) for name, value in record.headers]
    assert record_hash(record.key, headers, record.value) == delivery.record_hash


async def test_the_worker_will_judge_a_published_event_valid_with_these_attributes(place):
    async with publisher(place, tenant="t1") as open_publisher:
        await open_publisher.publish(
            prediction(1), subject="s", id="i", time="2026-01-02T03:04:05Z", actor="me", source="urn:me", key="k"
        )

    (record,) = await place.records(expected=1)
    judgement = judge(record.topic, record.key, record.headers, record.value)
    assert judgement.status == "valid", judgement.reason
    assert (judgement.source, judgement.id, judgement.subject) == ("urn:me", "i", "s")
    assert (judgement.actor, judgement.tenant, judgement.time_us) == ("me", "t1", 1_767_323_045_000_000)
    assert record.key == b"k"


async def test_id_and_time_are_filled_in_and_ids_differ(place):
    async with publisher(place) as open_publisher:
        first, second = await asyncio.gather(*(open_publisher.publish(prediction(1)) for _ in range(2)))

    assert first.id != second.id
    for record in await place.records(expected=2):
        assert judge(record.topic, record.key, record.headers, record.value).status == "valid"


async def test_families_go_to_topics_of_their_own(place):
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(ActionRecorded(action="login", resource_type="session"), subject="u")

    assert delivery.topic == place.topic("actions")


async def test_numbers_of_a_source_have_no_hole_and_refused_events_take_none(place):
    async with publisher(place, first_sequence=5) as open_publisher:
        await open_publisher.publish(prediction(1))
        with pytest.raises(InvalidEventError):
            await open_publisher.publish(prediction(2), subject="")
        await asyncio.gather(*(open_publisher.publish(prediction(number)) for number in range(10)))
        await open_publisher.publish(prediction(3), source="urn:other")

    numbers = {}
    for record in await place.records(expected=12):
        found = judge(record.topic, record.key, record.headers, record.value)
        numbers.setdefault(found.source, []).append(int(found.sequence))
    assert sorted(numbers["urn:test"]) == list(range(5, 16))
    assert numbers["urn:other"] == [5]


async def test_an_event_without_source_is_refused_before_anything_is_sent(place):
    async with publisher(place, source=None) as open_publisher:
        with pytest.raises(InvalidEventError, match="source: None: is required"):
            await open_publisher.publish(prediction())

    assert await place.records() == []


async def test_a_header_that_the_publisher_writes_cannot_be_given(place):
    async with publisher(place) as open_publisher:
        with pytest.raises(InvalidEventError, match="headers: 'CE_id'"):
            await open_publisher.publish(prediction(), headers=[("CE_id", b"x")])


async def test_attributes_beside_a_whole_event_are_a_mistake(place):
    event = Event.of(prediction(), source="urn:x", actor="a")
    async with publisher(place) as open_publisher:
        with pytest.raises(TypeError, match="subject"):
            await open_publisher.publish(event, subject="other")
        await open_publisher.publish(event)


async def test_a_missing_topic_is_one_line_and_is_not_created_by_asking(place):
    missing = Installation(place.broker, f"{place.prefix}x")
    async with publisher(missing) as open_publisher:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=f"no topic {missing.topic()}"):
                await open_publisher.publish(prediction())


async def test_an_event_that_the_topic_cannot_take_is_refused(place):
    huge = prediction(features={f"f{number}": "x" * 60_000 for number in range(80)})
    async with publisher(place) as open_publisher:
        with pytest.raises(InvalidEventError, match="must fit"):
            await open_publisher.publish(huge)
        await open_publisher.publish(prediction())


async def test_a_broker_without_producer_ids_is_named_once_and_used_all_the_same(own_broker, tmp_path, caplog):
    place = Installation(own_broker, "modeltrail")
    await place.create()
    with caplog.at_level(logging.WARNING, logger=kafka_client.__name__):
        for _ in range(2):
            async with publisher(place) as open_publisher:
                await open_publisher.publish(prediction())

    said = [record.message for record in caplog.records if record.name == kafka_client.__name__]
    assert len(said) == 1
    assert "without idempotence" in said[0]


async def test_no_broker_is_one_line_within_seconds():
    nobody = Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:9"))
    with pytest.raises(BrokerUnavailableError, match=r"nothing listens at 127\.0\.0\.1:9"):
        async with asyncio.timeout(10):
            await Publisher(source="urn:x", actor="a", settings=nobody).__aenter__()


async def test_something_that_is_not_kafka_is_one_line_within_seconds():
    async def hang_up(_reader, writer):
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        other = Settings(kafka=Kafka(bootstrap_servers=f"127.0.0.1:{port}"))
        with pytest.raises(BrokerUnavailableError, match="closes the connection"):
            await Publisher(source="urn:x", actor="a", settings=other).__aenter__()


async def test_a_server_that_never_answers_is_given_up_within_the_time():
    writers = []

    async def listen_only(_reader, writer):
        writers.append(writer)

    server = await asyncio.start_server(listen_only, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        other = Settings(kafka=Kafka(bootstrap_servers=f"127.0.0.1:{port}"))
        with pytest.raises(BrokerUnavailableError, match="does not answer"):
            async with asyncio.timeout(kafka_client.CONNECT_TIMEOUT_S + 6):
                await Publisher(source="urn:x", actor="a", settings=other).__aenter__()
    finally:
        server.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_a_publisher_that_was_not_opened_says_so(place):
    with pytest.raises(BrokerUnavailableError, match="not open"):
        await publisher(place).publish(prediction())


async def test_broker_killed_while_publishing_is_not_durable_and_memory_stays_bounded(own_broker):
    place = Installation(own_broker, "modeltrail")
    await place.create()
    sent = 0

    def stream():
        nonlocal sent
        for sent in range(1, 1_000_000):
            if sent == 3000:
                own_broker.kill()
            yield prediction(sent)

    async with asyncio.timeout(60):
        with pytest.raises(PublishManyError) as caught:
            async with publisher(place, sdk={"request_timeout_s": 2, "max_in_flight": 500}) as open_publisher:
                await open_publisher.publish_many(stream())

    assert isinstance(caught.value.cause, NotDurableError)
    assert 2000 < caught.value.summary.published < 3000 + 500
    assert sent < 3000 + 2 * 500, "the stream is not read on while nothing is acknowledged"


async def test_a_broker_that_hangs_does_not_hang_the_publisher(own_broker):
    place = Installation(own_broker, "modeltrail")
    await place.create()
    async with asyncio.timeout(30):
        async with publisher(place, sdk={"request_timeout_s": 2}) as open_publisher:
            await open_publisher.publish(prediction())
            with frozen(own_broker), pytest.raises(NotDurableError, match="may or may not be in the log"):
                await open_publisher.publish(prediction())


async def test_closing_ends_while_the_broker_hangs(own_broker):
    place = Installation(own_broker, "modeltrail")
    await place.create()
    open_publisher = await publisher(place, sdk={"request_timeout_s": 30}).__aenter__()
    await open_publisher.publish(prediction())
    with frozen(own_broker):
        waiting = asyncio.create_task(open_publisher.publish(prediction()))
        await asyncio.wait([waiting], timeout=0.2)
        async with asyncio.timeout(10):
            await open_publisher.close(flush_s=1)
            with pytest.raises(NotDurableError):
                await waiting


async def test_publishing_goes_on_when_the_broker_is_back(own_broker):
    place = Installation(own_broker, "modeltrail")
    await place.create()
    async with publisher(place, sdk={"request_timeout_s": 2}) as open_publisher:
        await open_publisher.publish(prediction())
        own_broker.kill()
        with pytest.raises(NotDurableError):
            await open_publisher.publish(prediction())
        own_broker.start()
        await place.create()
        async with asyncio.timeout(30):
            while True:
                try:
                    delivery = await open_publisher.publish(prediction())
                except NotDurableError:
                    continue
                break
    assert delivery.offset >= 0


SCRIPT = """
import asyncio, sys
from modeltrail.sdk import Publisher
from modeltrail.settings import load
from tests.sdk.conftest import prediction

async def main():
    async with Publisher(source="urn:x", actor="a", settings=load(overrides={
        "kafka.bootstrap_servers": sys.argv[1], "topics.prefix": sys.argv[2]})) as publisher:
        number = 0
        while True:
            await publisher.publish(prediction(number))
            number += 1
            if number == 20:
                print("running", flush=True)

asyncio.run(main())
"""


def test_ctrl_c_ends_a_producer_at_once_and_without_noise_of_ours(place):
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, place.broker.bootstrap_servers, place.prefix],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        assert child.stdout.readline() == "running\n"
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=15)
    assert "KeyboardInterrupt" in errors.splitlines()[-1]
    assert "Unclosed" not in errors
    assert "never retrieved" not in errors
