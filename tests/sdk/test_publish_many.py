"""Streams: in order, complete, bounded, and exact about what is durable."""

import asyncio

import pytest

from modeltrail.errors import ConfigurationError, InvalidEventError
from modeltrail.events.encode import Event
from modeltrail.events.judge import judge
from modeltrail.sdk import Publisher, PublishManyError
from tests.sdk.conftest import prediction


def publisher(place, **sdk):
    return Publisher(source="urn:test", actor="tester", settings=place.settings(**sdk))


def bad():
    return Event.of(prediction().model_copy(update={"label": ""}), source="u", actor="a")


async def test_everything_arrives_once_and_in_order_of_each_item(place):
    deliveries = []
    async with publisher(place, max_in_flight=64) as open_publisher:
        summary = await open_publisher.publish_many(
            (prediction(number % 50, prediction_id=f"{number:06}") for number in range(3000)),
            on_delivery=deliveries.append,
        )

    assert (summary.published, summary.failed) == (3000, 0)
    assert summary.topics == {place.topic(): 3000}
    assert summary.seconds > 0
    records = await place.records(expected=3000)
    assert len({(record.partition, record.offset) for record in records}) == 3000
    assert [delivery.id for delivery in deliveries] == [delivery.id for delivery in dict.fromkeys(deliveries)]
    at = {(delivery.partition, delivery.offset): delivery.id for delivery in deliveries}
    for record in records:
        assert judge(record.topic, record.key, record.headers, record.value).id == at[record.partition, record.offset]
    for partition in (0, 1):
        offsets = [delivery.offset for delivery in deliveries if delivery.partition == partition]
        assert offsets == sorted(offsets)
        assert summary.last[place.topic(), partition].offset == offsets[-1]


async def test_an_async_stream_is_taken_too(place):
    async def stream():
        for number in range(10):
            await asyncio.sleep(0)
            yield prediction(number)

    async with publisher(place) as open_publisher:
        assert (await open_publisher.publish_many(stream())).published == 10


async def test_a_stream_of_nothing(place):
    async with publisher(place) as open_publisher:
        summary = await open_publisher.publish_many([])
    assert (summary.published, summary.failed, summary.topics) == (0, 0, {})


async def test_the_first_failure_ends_the_stream_and_tells_what_is_durable(place):
    read = []

    def stream():
        for number in range(100):
            read.append(number)
            yield bad() if number == 40 else prediction(number)

    async with publisher(place) as open_publisher:
        with pytest.raises(PublishManyError, match=r"event 40: data\.label") as caught:
            await open_publisher.publish_many(stream())

    assert isinstance(caught.value.cause, InvalidEventError)
    assert isinstance(caught.value.__cause__, InvalidEventError)
    assert caught.value.summary.published == 40
    assert caught.value.exit_code == 1
    assert read[-1] == 40
    assert len(await place.records(expected=40)) == 40


async def test_failures_are_told_in_order_and_the_rest_is_published(place):
    seen = []
    async with publisher(place) as open_publisher:
        summary = await open_publisher.publish_many(
            [bad() if number % 10 == 3 else prediction(number) for number in range(50)],
            on_delivery=lambda _: seen.append("published"),
            on_error=lambda index, _event, error: seen.append((index, error.field)),
        )

    assert (summary.published, summary.failed) == (45, 5)
    assert [entry for entry in seen if entry != "published"] == [(n, "data.label") for n in (3, 13, 23, 33, 43)]
    assert [position for position, entry in enumerate(seen) if entry != "published"] == [3, 13, 23, 33, 43]


async def test_the_exit_code_is_that_of_the_cause(place):
    place.prefix += "missing"
    async with publisher(place) as open_publisher:
        with pytest.raises(PublishManyError) as caught:
            await open_publisher.publish_many([prediction()])
    assert isinstance(caught.value.cause, ConfigurationError)
    assert caught.value.exit_code == 2


async def test_no_more_than_the_window_waits_for_an_acknowledgement(place):
    read = acknowledged = furthest = 0

    def stream():
        nonlocal read, furthest
        for number in range(2000):
            furthest = max(furthest, read - acknowledged)
            read += 1
            yield prediction(number)

    def count(_delivery):
        nonlocal acknowledged
        acknowledged += 1

    async with publisher(place, max_in_flight=32) as open_publisher:
        await open_publisher.publish_many(stream(), on_delivery=count)

    assert acknowledged == 2000
    assert furthest <= 32


async def test_outcomes_are_told_while_the_stream_is_silent(place):
    told = asyncio.Event()

    async def stream():
        yield prediction()
        await told.wait()

    async with publisher(place) as open_publisher, asyncio.timeout(20):
        await open_publisher.publish_many(stream(), on_delivery=lambda _: told.set())


async def test_what_a_callback_raises_ends_the_stream(place):
    def refuse(_delivery):
        raise RuntimeError("enough")

    async with publisher(place, max_in_flight=8) as open_publisher:
        with pytest.raises(RuntimeError, match="enough"):
            await open_publisher.publish_many(map(prediction, range(1000)), on_delivery=refuse)
        await open_publisher.publish(prediction())


async def test_what_the_stream_raises_ends_it(place):
    def stream():
        yield prediction()
        raise RuntimeError("no more")

    async with publisher(place) as open_publisher:
        with pytest.raises(RuntimeError, match="no more"):
            await open_publisher.publish_many(stream())
