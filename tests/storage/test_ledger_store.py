"""The ledger in ClickHouse answers as the commit protocol needs it, on the real engine."""

import contextlib
import gc
import itertools
import weakref

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from modeltrail.embedded.credentials import Role
from modeltrail.errors import RowsRefusedError, StoreUnavailableError, TamperError
from modeltrail.events.judge import judge
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.sequencer import Head, Record, Sequencer
from modeltrail.storage import ledger_store
from modeltrail.storage.client import connect
from modeltrail.storage.ledger_store import ClickHouseStore
from tests.faults.proxy import Fault, StoreProxy, entries
from tests.integration.installation import until
from tests.storage.conftest import address_of, login

_numbers = itertools.count(1000)


@pytest.fixture
def ledger(store, migrated):
    made = ClickHouseStore(lambda: login(store, Role.WRITER, migrated))
    yield made
    made.close()


@pytest.fixture
def partition():
    return PartitionId("cluster", "t.predictions", next(_numbers))


def rows_of(sequencer, offsets):
    rows = []
    for offset in offsets:
        if offset > sequencer.next_offset:
            rows.append(sequencer.append_gap(offset - 1, 1))
        record = Record(offset, 1000 + offset, b"k", ((b"\xff", b"x"), (b"h", None)), b"\xfe%d" % offset)
        judged = judge("t.predictions", record.key, record.headers, record.value)
        rows.append(sequencer.append(record, record.digest(), judged, 1))
    return rows


def first_epoch(partition, offsets):
    begin = next(iter(offsets))
    return rows_of(Sequencer.begin(Chain(*partition, 0, begin), GenesisReason.START, None), offsets)


def head_of(row):
    return Head(row.chain, row.seq, row.offset, row.timestamp, row.log_time, row.record_hash, row.entry_hash)


async def test_an_insert_without_a_whole_answer_is_sent_once_and_may_have_taken_effect(store, migrated, partition):
    address = address_of(store, Role.WRITER, migrated)
    with StoreProxy(store.port) as proxy:
        ledger = ClickHouseStore(lambda: connect(address.model_copy(update={"port": proxy.port})))
        assert await ledger.head(partition) is None
        sequencer = Sequencer.begin(Chain(*partition, 0, 0), GenesisReason.START, None)
        for number, cut in enumerate((0, 1, 12, 17, 40, 200)):
            proxy.add(Fault(entries, cut_after=cut))
            rows = rows_of(sequencer, [2 * number, 2 * number + 1])
            with pytest.raises(StoreUnavailableError):
                await ledger.insert(rows, 1000)
            assert proxy.inserts == number + 1
            assert await ledger.head(partition) == head_of(rows[-1])
        ledger.close()


async def test_an_answer_that_was_long_on_its_way_is_no_restart(store, migrated):
    """Every partition would be placed again."""
    address = address_of(store, Role.WRITER, migrated)
    with StoreProxy(store.port) as proxy:
        ledger = ClickHouseStore(lambda: connect(address.model_copy(update={"port": proxy.port})))
        assert not await ledger.restarted()
        held_back = proxy.add(Fault(lambda request: "uptime()" in request.statement, delay_s=3.5))
        assert not await ledger.restarted()
        assert held_back.hits == 1
        assert not await ledger.restarted()
        ledger.close()


async def test_an_answer_to_a_question_is_whole_or_none(store, migrated, partition, ledger):
    """An empty result would say that nothing is chained, and open an epoch that nothing asked for."""
    rows = first_epoch(partition, range(3))
    await ledger.insert(rows, 1000)
    address = address_of(store, Role.READER, migrated)
    with StoreProxy(store.port) as proxy:
        asked = ClickHouseStore(lambda: connect(address.model_copy(update={"port": proxy.port})))
        assert set(await asked.chained(partition, 0, 2)) == {0, 1, 2}
        for cut in (*range(0, 500, 20), lambda dice, length: length - 1 - dice.randrange(20)):
            fault = proxy.add(Fault(lambda request: "BETWEEN" in request.statement, times=None, cut_after=cut))
            with pytest.raises(StoreUnavailableError):
                await asked.chained(partition, 0, 2)
            assert fault.hits
            proxy.normal()
        asked.close()


async def test_an_empty_ledger_has_no_head(ledger, partition):
    assert await ledger.head(partition) is None
    assert await ledger.chained(partition, 0, 100) == {}
    assert await ledger.chained_at_or_before(partition, 50, 0) is None


async def test_the_head_is_the_last_entry_and_duplicates_do_not_count(ledger, partition):
    rows = first_epoch(partition, [5, 6, 9, 10])
    await ledger.insert(rows, 1000)
    await ledger.insert(rows[1:], 2000)
    assert await ledger.head(partition) == head_of(rows[-1])
    assert await ledger.entry_hashes(rows[2].chain, 2) == [rows[2].entry_hash]
    assert await ledger.entry_hashes(rows[2].chain, 99) == []


async def test_neighbouring_partitions_are_not_mistaken_for_one_another(ledger, partition):
    near = partition._replace(partition=int(f"{partition.partition}0"))
    rows = first_epoch(near, [0, 1])
    await ledger.insert(rows, 1000)
    assert await ledger.head(partition) is None
    assert await ledger.head(near) == head_of(rows[-1])


async def test_epochs_compare_as_numbers(ledger, partition):
    rows = first_epoch(partition, [0, 1])
    await ledger.insert(rows, 1000)
    old = head_of(rows[-1])
    for epoch in (2, 9, 10):
        chain = Chain(*partition, epoch, 7)
        rows = rows_of(Sequencer.begin(chain, GenesisReason.REPLACED, old), [7, 8])
        await ledger.insert(rows, 1000)
    assert (await ledger.head(partition)).chain.epoch == 10
    sibling = rows_of(Sequencer.begin(Chain(*partition, 10, 100), GenesisReason.REPLACED, old), [100])
    await ledger.insert(sibling, 1000)
    assert (await ledger.head(partition)).chain.first_offset == 100


async def test_a_record_in_two_epochs_is_found_in_the_newest(ledger, partition):
    rows = first_epoch(partition, [0, 1, 2, 5])
    await ledger.insert(rows, 1000)
    chain = Chain(*partition, 1, 2)
    later = rows_of(Sequencer.begin(chain, GenesisReason.REPLACED, head_of(rows[-1])), [2, 3])
    await ledger.insert(later, 1000)
    stored = await ledger.chained(partition, 1, 3)
    assert [(offset, entry.chain.epoch, entry.seq) for offset, entry in sorted(stored.items())] == [
        (1, 0, 1),
        (2, 1, 0),
        (3, 1, 1),
    ]
    assert stored[3].entry_hash == later[1].entry_hash
    found = await ledger.chained_at_or_before(partition, 4, 0)
    assert (found.chain.epoch, found.offset) == (1, 3)
    assert (await ledger.chained_at_or_before(partition, 1, 0)).offset == 1
    assert await ledger.chained_at_or_before(partition, 1, 2) is None
    older = await ledger.chained_at_or_before(partition, 4, 0, newest=rows[0].chain)
    assert (older.chain.epoch, older.offset) == (0, 2)


async def test_what_is_left_of_a_chain_without_its_beginning_is_no_head_but_has_a_last_record(ledger, partition):
    assert await ledger.last(partition) is None
    rows = first_epoch(partition, [0, 1, 2, 5])
    await ledger.insert(rows[3:4], 1000)  # a gap only
    assert await ledger.last(partition) is None
    await ledger.insert(rows[2:], 1000)
    assert await ledger.head(partition) is None
    assert await ledger.last(partition) == head_of(rows[-1])
    later = rows_of(Sequencer.begin(rows[0].chain.next_epoch(3), GenesisReason.RETENTION, head_of(rows[-1])), [3, 4, 6])
    await ledger.insert(later[1:], 1000)
    assert await ledger.head(partition) is None
    assert await ledger.last(partition) == head_of(later[-1])
    await ledger.insert(rows, 1000)
    assert await ledger.head(partition) == head_of(rows[-1])


async def test_a_hole_cuts_the_chain_before_it(ledger, partition):
    rows = first_epoch(partition, range(10))
    await ledger.insert(rows[:4], 1000)
    await ledger.insert(rows[6:], 1000)
    assert await ledger.head(partition) == head_of(rows[3])


async def test_a_lost_beginning_leaves_nothing_to_go_on_from(ledger, partition):
    rows = first_epoch(partition, range(10))
    await ledger.insert(rows[4:], 1000)
    assert await ledger.head(partition) is None


async def test_only_the_tail_is_searched_for_holes(ledger, partition, monkeypatch):
    monkeypatch.setattr(ledger_store, "TAIL", 4)
    rows = first_epoch(partition, range(20))
    await ledger.insert(rows[:3], 1000)
    await ledger.insert(rows[5:], 1000)
    assert await ledger.head(partition) == head_of(rows[-1])
    monkeypatch.setattr(ledger_store, "TAIL", 16)
    assert await ledger.head(partition) == head_of(rows[2])


async def test_a_fork_is_told_with_its_position(ledger, partition):
    rows = first_epoch(partition, range(6))
    await ledger.insert(rows, 1000)
    sequencer = Sequencer.resume(head_of(rows[2]))
    record = Record(3, 999, None, (), b"another")
    judged = judge("t.predictions", None, (), b"another")
    await ledger.insert([sequencer.append(record, record.digest(), judged, 1)], 1000)
    with pytest.raises(TamperError) as caught:
        await ledger.head(partition)
    assert caught.value.seq == 3
    assert len(await ledger.entry_hashes(rows[3].chain, 3)) == 2


async def test_a_row_whose_hash_does_not_follow_is_refused_and_stores_nothing(ledger, partition):
    rows = first_epoch(partition, range(3))
    forged = rows[1]._replace(value=b"\xff\xfeforged")
    with pytest.raises(RowsRefusedError) as caught:
        await ledger.insert([rows[0], forged], 1000)
    assert caught.value.code == 469
    assert "forged" not in str(caught.value)
    assert await ledger.head(partition) is None


async def test_late_blocks_are_those_after_the_head_that_the_next_genesis_commits_to(ledger, partition):
    rows = first_epoch(partition, range(6))
    await ledger.insert(rows[:4], 1000)
    chain = Chain(*partition, 1, 0)
    later = rows_of(Sequencer.begin(chain, GenesisReason.RETENTION, head_of(rows[3])), [0])
    await ledger.insert(later, 1000)
    assert await ledger.late_blocks(partition) == []
    await ledger.insert(rows[4:], 1000)  # a worker that lost the partition stores its last block
    assert await ledger.late_blocks(partition) == [(rows[0].chain, 4, 5)]
    assert (await ledger.head(partition)).chain == chain


async def test_everything_comes_back_byte_for_byte(ledger, partition, client):
    rows = first_epoch(partition, [3, 5])
    await ledger.insert(rows, 1234)
    found = client.query(
        "SELECT seq, hex(key), arrayMap(h -> (hex(h.1), hex(h.2)), headers), hex(value), toUnixTimestamp64Milli(appended_at)"
        " FROM ledger WHERE chain = {chain:String} ORDER BY seq",
        parameters={"chain": str(rows[0].chain)},
    ).result_rows
    assert found[0] == (0, b"k".hex().upper(), [("FF", "78"), ("68", None)], b"\xfe3".hex().upper(), 1234)
    assert found[1][1] is None
    assert found[1][3] is None


class FullClient:
    """Takes no block; tells which of them are still in memory."""

    def __init__(self):
        self.blocks = []

    def raw_insert(self, _table, *, insert_block, **_):
        self.blocks.append(weakref.ref(insert_block))
        raise DatabaseError("Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space")

    def close(self):
        pass


async def test_a_block_that_the_store_refused_is_freed_and_waits_for_no_garbage_collection(partition):
    """It is made again for every attempt, once a second, and a store can be full for a night."""
    client = FullClient()
    ledger = ClickHouseStore(lambda: client)
    gc.disable()
    try:
        for _ in range(2):
            with contextlib.suppress(StoreUnavailableError):
                await ledger.insert(first_epoch(partition, range(3)), 1)
        # the loop and the thread of the insert hold the error for a moment more
        await until(lambda: [block() for block in client.blocks] == [None, None], within=5, what="freed")
    finally:
        gc.enable()
        ledger.close()
