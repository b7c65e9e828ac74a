"""With the address of the store, `chained` tells the exact place and the entry hash, and does not believe a block."""

import pytest
from pydantic import SecretStr

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.store_launcher import Store
from modeltrail.errors import AccessError, NotDurableError, NotVerifiableError
from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.sequencer import Record, Sequencer
from modeltrail.sdk import Publisher
from modeltrail.settings import ClickHouse
from modeltrail.storage import migrations
from modeltrail.storage.client import connect
from tests.sdk.conftest import block, prediction
from tests.storage.maker import insert


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    store.start()
    client = connect(address(store, Role.MIGRATOR))
    migrations.apply(client)
    client.close()
    yield store
    store.stop()


def address(store, role, **other):
    user = store.credentials[role]
    return ClickHouse(
        **{
            "host": store.host,
            "port": store.port,
            "user": user.user,
            "password": SecretStr(user.password),
            "database": store.database,
            **other,
        }
    )


def publisher(place, store, **other):
    return Publisher(
        source="urn:test", actor="tester", settings=place.settings(), store=address(store, Role.READER, **other)
    )


async def chain_all(place, store, partition):
    """Chain a partition as a worker does, with a gap after its first record; returns rows by offset."""
    chain = Chain("cluster", place.topic(), partition, 0, 0)
    sequencer = Sequencer.begin(chain, GenesisReason.START, None)
    rows = []
    for found in await place.records():
        if found.partition == partition:
            headers = tuple((name.encode(), value) for name, value in found.headers)
            record = Record(found.offset, found.timestamp, found.key, headers, found.value)
            judgement = judge(found.topic, found.key, headers, found.value)
            rows.append(sequencer.append(record, record.digest(), judgement, CONTRACT_VERSION))
    client = connect(address(store, Role.WRITER))
    insert(client, rows)
    client.close()
    return {row.offset: row for row in rows}


async def test_place_and_entry_hash_come_from_the_ledger(place, store):
    async with publisher(place, store) as open_publisher:
        deliveries = [await open_publisher.publish(prediction(number)) for number in range(6)]
        last = deliveries[-1]
        rows = await chain_all(place, store, last.partition)
        # a block with gaps: without the store nobody could tell the seq
        await place.announce(block(place, last.partition, 0, last.offset, last_seq=0, gaps=1))
        chained = await last.chained()

    assert chained.seq == rows[last.offset].seq
    assert chained.entry_hash == rows[last.offset].entry_hash
    assert chained.chain == f"cluster/{place.topic()}/{last.partition}/0-0"
    assert rows[last.offset].record_hash == last.record_hash


async def test_a_block_without_entries_in_the_store_is_not_believed(place, store):
    async with publisher(place, store) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        await place.announce(block(place, delivery.partition, 0, 5))
        with pytest.raises(NotVerifiableError, match="the store has no such entry"):
            await delivery.chained()


async def test_another_record_at_our_offset_means_that_ours_is_lost(place, store):
    from dataclasses import replace

    async with publisher(place, store) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        await chain_all(place, store, delivery.partition)
        await place.announce(block(place, delivery.partition, 0, 5))
        with pytest.raises(NotDurableError, match="the log was replaced"):
            await replace(delivery, record_hash=bytes(32)).chained()


async def test_a_wrong_password_of_the_store_is_one_line(place, store):
    async with publisher(place, store, password=SecretStr("wrong")) as open_publisher:
        delivery = await open_publisher.publish(prediction())
        await place.announce(block(place, delivery.partition, 0, 5))
        with pytest.raises(AccessError) as caught:
            await delivery.chained()
    assert "\n" not in str(caught.value)
