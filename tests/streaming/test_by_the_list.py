"""Records by the list are the records of the client, one by one, whatever stands in the log."""

import gc
import inspect
import struct
import weakref
from hashlib import sha256

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltrail.streaming import tolerant_records
from modeltrail.streaming.records import to_records

TP = TopicPartition("t", 0)
UNPACKS = {"0.14": "b803e6d46480732c7a7faa8e784b338bcdd4e707ea67fba96c013654b04b8a08"}
"""SHA-256 of the client's `PartitionRecords._unpack_records`, which `_lists` stands in for."""


@pytest.fixture(autouse=True, scope="module")
def _installed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)
        patch.setattr(fetcher.FetchResult, "getall", fetcher.FetchResult.getall)
        patch.setattr(fetcher.PartitionRecords, "_unpack_records", fetcher.PartitionRecords._unpack_records)
        tolerant_records.install()
        yield


class Assignment:
    """What a fetch result asks of the client's subscription."""

    active = True
    paused = False

    def __init__(self, position):
        self.position = position

    def state_value(self, _tp):
        return self

    def consumed_to(self, position):
        self.position = position


def batch_of(base, deltas, *, producer=-1, transactional=False, control=None, compression=0):
    builder = DefaultRecordBatchBuilder(
        2, compression, is_transactional=int(transactional), producer_id=producer, producer_epoch=0, base_sequence=0,
        batch_size=1 << 20,
    )  # fmt: skip
    for delta in deltas:
        key = b"k%d" % delta if control is None else struct.pack(">hh", 0, control)
        builder.append(delta, 1_000 + delta, key=key, value=b"v" * delta or None, headers=[("h", b"%d" % delta)])
    batch = bytearray(builder.build())
    struct.pack_into(">q", batch, 0, base)
    if control is not None:
        at = DefaultRecordBase.ATTRIBUTES_OFFSET
        (attributes,) = struct.unpack_from(">h", batch, at)
        struct.pack_into(">h", batch, at, attributes | 0x20)
        struct.pack_into(">I", batch, DefaultRecordBase.CRC_OFFSET, calc_crc32c(bytes(batch[at:])))
    return bytes(batch)


@st.composite
def logs(draw):
    """Bytes of a fetch, the aborted transactions that came with it, and the offset after its end."""
    data, aborted, offset, open_since = b"", [], draw(st.integers(0, 5)), {}
    for _ in range(draw(st.integers(1, 6))):
        producer = draw(st.sampled_from([-1, 7, 8]))
        deltas = draw(st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True).map(sorted))
        transactional = producer > 0 and draw(st.booleans())
        if transactional:
            open_since.setdefault(producer, offset)
        data += batch_of(
            offset, deltas, producer=producer, transactional=transactional, compression=draw(st.sampled_from([0, 1]))
        )
        offset += deltas[-1] + 1 + draw(st.integers(0, 2))
        if open_since and draw(st.booleans()):
            ends, since = open_since.popitem()
            abort = draw(st.booleans())
            if abort:
                aborted.append((ends, since))
            data += batch_of(offset, [0], producer=ends, transactional=True, control=0 if abort else 1)
            offset += 1
    return data, aborted, offset


def read(data, aborted, begin, limit, deserializer, isolation):
    """Every answer of the client with the position after it."""
    assignment, answers = Assignment(begin), []
    records = fetcher.PartitionRecords(
        TP, fetcher.MemoryRecords(data), aborted, begin, None, deserializer, True, isolation
    )
    result = fetcher.FetchResult(TP, assignment=assignment, partition_records=records, backoff=0)
    while result.has_more():
        answers.append((list(to_records(result.getall(limit))), assignment.position))
    return answers


@settings(deadline=None)
@given(logs(), st.integers(0, 12), st.none() | st.integers(1, 6), st.sampled_from([0, 1]))
def test_lists_give_what_the_client_gives_at_the_same_positions(log, begin, limit, isolation):
    data, aborted, _ = log
    expected = read(data, aborted, begin, limit, None, isolation)
    assert read(data, aborted, begin, limit, tolerant_records.as_it_stands, isolation) == expected


@settings(deadline=None)
@given(logs(), st.data())
def test_a_damaged_batch_is_told_at_the_same_position_after_the_same_records(log, data):
    whole, aborted, _ = log
    at = data.draw(st.integers(20, len(whole) - 1))
    damaged = whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :]
    told = []
    tolerant_records.on_unreadable(lambda _tp, position, reason: told.append((position, reason)))
    try:
        outcomes = []
        for deserializer in (None, tolerant_records.as_it_stands):
            try:
                answers = read(damaged, aborted, 0, 3, deserializer, 1)
            except Exception as error:  # noqa: BLE001 - whatever it is, it has to be the same
                answers = repr(error)
            outcomes.append((answers, told[:]))
            told.clear()
        assert outcomes[0] == outcomes[1]
    finally:
        tolerant_records._listeners.pop()


@pytest.mark.parametrize("deserializer", [None, tolerant_records.as_it_stands])
@pytest.mark.parametrize("taken", [None, 1, 3, 4])
def test_an_answer_that_is_dropped_is_gone_without_the_collector(deserializer, taken):
    data = batch_of(0, [0, 1]) + batch_of(2, [0, 1])
    records = fetcher.PartitionRecords(TP, fetcher.MemoryRecords(data), [], 0, None, deserializer, True, 1)
    result = fetcher.FetchResult(TP, assignment=Assignment(0), partition_records=records, backoff=0)
    gone = weakref.ref(records)
    del records
    gc.disable()
    try:
        if taken:
            assert len(result.getall(taken)) == taken
        del result
        assert gone() is None
    finally:
        gc.enable()


def test_the_client_unpacks_as_it_did_when_its_method_was_stood_in_for():
    source = inspect.getsource(tolerant_records._clients_unpack)
    assert sha256(source.encode()).hexdigest() in UNPACKS.values()
