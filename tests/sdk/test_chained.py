"""Waiting for the ledger: whatever happens to block messages, the answer is right or there is none."""

import asyncio

import pytest

from modeltrail.errors import ConfigurationError, NotVerifiableError, UnavailableError
from modeltrail.sdk import Publisher
from modeltrail.sdk import blocks as blocks_module
from tests.sdk.conftest import Installation, block, prediction


def publisher(place, **options):
    return Publisher(source="urn:test", actor="tester", settings=place.settings(), **options)


async def test_the_block_that_covers_the_record_tells_chain_and_seq(place):
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        waiting = asyncio.create_task(delivery.chained())
        other = 1 - delivery.partition
        await place.announce(
            block(place, other, 0, 10),
            block(place, delivery.partition, delivery.offset + 1, delivery.offset + 9),
            block(place, delivery.partition, 0, delivery.offset, first_seq=100, last_seq=100 + delivery.offset),
        )
        chained = await waiting

    assert chained.chain == f"cluster/{place.topic()}/{delivery.partition}/0-0"
    assert chained.seq == 100 + delivery.offset
    assert chained.entry_hash is None
    assert chained.block.head == "ab" * 32


async def test_a_block_that_came_before_anybody_asked_is_found(place):
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        await place.announce(block(place, delivery.partition, 0, 5))
        assert (await delivery.chained()).seq == delivery.offset
        # and again, out of memory, and for a record whose block came long before it is asked for
        assert (await delivery.chained()).seq == delivery.offset


async def test_many_wait_for_one_block(place):
    async with publisher(place) as open_publisher:
        deliveries = []
        await open_publisher.publish_many(map(prediction, range(200)), on_delivery=deliveries.append)
        waiting = [asyncio.create_task(delivery.chained()) for delivery in deliveries]
        await place.announce(block(place, 0, 0, 500), block(place, 1, 0, 500))
        places = await asyncio.gather(*waiting)

    assert [chained.seq for chained in places] == [delivery.offset for delivery in deliveries]


async def test_doubled_late_and_foreign_messages_change_nothing(place):
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        right = block(place, delivery.partition, 0, 5)
        foreign = block(place, delivery.partition, 0, 5, chain=f"cluster/{place.prefix}.runs/{delivery.partition}/0-0")
        await place.announce(b"not a block", b'{"chain": 1}', b"", foreign, right, right)
        assert (await delivery.chained()).chain == right.chain
        await place.announce(right)
        second = await open_publisher.publish(prediction())
        assert (await second.chained()).seq == second.offset


async def test_gaps_make_the_seq_unknown_without_the_store(place):
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        await place.announce(block(place, delivery.partition, 0, 90, last_seq=80, gaps=3))
        chained = await delivery.chained()

    assert chained.seq is None
    assert "only the store knows" in chained.reason


async def test_a_block_of_another_log_at_the_same_offset_is_not_ours(place):
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        other_epoch = block(
            place, delivery.partition, 0, 5, chain=f"cluster/{place.topic()}/{delivery.partition}/1-0",
            min_time=delivery.timestamp + 1, max_time=delivery.timestamp + 2,
        )  # fmt: skip
        await place.announce(other_epoch)
        with pytest.raises(UnavailableError, match="is a ledger worker running"):
            await delivery.chained(timeout=1.5)
        new_epoch = block(
            place, delivery.partition, 0, 5, chain=f"cluster/{place.topic()}/{delivery.partition}/1-0",
            min_time=delivery.timestamp, max_time=delivery.timestamp,
        )  # fmt: skip
        await place.announce(new_epoch)
        assert (await delivery.chained()).chain.endswith("/1-0")


async def test_forgotten_blocks_are_read_again_from_before_the_record(place, monkeypatch):
    monkeypatch.setattr(blocks_module, "REMEMBERED", 4)
    async with publisher(place) as open_publisher:
        first = await open_publisher.publish(prediction())
        await place.announce(block(place, first.partition, 0, first.offset))
        assert (await first.chained()).seq == first.offset
        far = first.offset + 1000
        await place.announce(*(block(place, first.partition, far + n, far + n) for n in range(20)))
        last = await open_publisher.publish(prediction())
        await place.announce(block(place, last.partition, last.offset, last.offset))
        assert (await last.chained()).seq == last.offset
        assert (await first.chained()).seq == first.offset


async def test_reading_ends_when_nobody_waits_and_begins_again(place, monkeypatch):
    monkeypatch.setattr(blocks_module, "IDLE_S", 0.1)
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        await place.announce(block(place, delivery.partition, 0, 5))
        for _ in range(2):
            assert (await delivery.chained()).seq == delivery.offset
            reading = open_publisher._watcher._reading
            if reading is not None:
                await asyncio.wait([reading], timeout=10)
            assert open_publisher._watcher._reading is None


async def test_the_position_for_new_records_is_taken_again_after_a_while(place, monkeypatch):
    monkeypatch.setattr(blocks_module, "REFRESH_S", 0.0)
    async with publisher(place) as open_publisher:
        first = await open_publisher.publish(prediction())
        await place.announce(block(place, 0, 0, 5), block(place, 1, 0, 5))
        await open_publisher.publish(prediction())
        refreshing = open_publisher._watcher._refreshing
        if refreshing is not None:
            await refreshing
        last = await open_publisher.publish(prediction())
    assert first.blocks_from == 0
    assert last.blocks_from == 2


async def test_without_a_blocks_topic_publishing_works_and_waiting_says_why_not(shared_broker):
    place = Installation(shared_broker, "noblocks")
    await place.create(families=("predictions",))
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        with pytest.raises(ConfigurationError, match=r"no topic noblocks\.blocks"):
            await delivery.chained()


async def test_closing_ends_the_waiting(place):
    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        waiting = asyncio.create_task(delivery.chained(timeout=60))
        await asyncio.wait([waiting], timeout=0.2)
    with pytest.raises(UnavailableError, match="closed"):
        await waiting
    with pytest.raises(UnavailableError, match="closed"):
        await delivery.chained()


async def test_a_delivery_without_a_place_cannot_be_verified(place):
    from dataclasses import replace

    async with publisher(place) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        with pytest.raises(NotVerifiableError):
            await replace(delivery, offset=-1).chained()


async def test_a_replaced_blocks_topic_is_noticed(own_broker, monkeypatch):
    monkeypatch.setattr(blocks_module, "LOOK_S", 0.2)
    place = Installation(own_broker, "modeltrail")
    await place.create()
    await place.announce(*(block(place, 0, 0, 0) for _ in range(5)))
    async with publisher(place) as open_publisher:
        own_broker.kill()
        own_broker.start()
        await place.create()
        delivery = await open_publisher.publish(prediction())
        await place.announce(block(place, delivery.partition, 0, 0))
        assert (await delivery.chained()).seq == 0
