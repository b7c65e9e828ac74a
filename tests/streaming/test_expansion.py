"""Compressed batches are bounded before they are expanded, and large ones are read piece by piece, to the same records."""

import gzip
import random
import struct
import tracemalloc

import aiokafka.codec
import cramjam
import lz4.frame
import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltrail.streaming import tolerant_records
from modeltrail.streaming.expansion import CODECS, expand, expanded_size
from modeltrail.streaming.records import to_record
from modeltrail.streaming.tolerant_records import RecordBeyondLimitError, _in_pieces, _TolerantRecords
from tests.streaming.raw_batches import NAME, PLACE, batch_of, bomb, compressed, sealed

MB = 2**20
NUMBERS = {name: number for number, name in CODECS.items()}

ENCODERS = {
    "gzip": lambda data: gzip.compress(data, 1) + gzip.compress(b""),  # two members
    "gzip of a client": aiokafka.codec.gzip_encode,
    "snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
    "snappy in blocks": aiokafka.codec.snappy_encode,
    "lz4": aiokafka.codec.lz4_encode,
    "lz4 with everything": lambda data: lz4.frame.compress(
        data, block_size=4, block_linked=False, content_checksum=True, block_checksum=True, store_size=True
    ),
    "lz4 in two frames": lambda data: aiokafka.codec.lz4_encode(data[:7]) + aiokafka.codec.lz4_encode(data[7:]),
    "zstd": aiokafka.codec.zstd_encode,
    "zstd in two frames": lambda data: aiokafka.codec.zstd_encode(data[:7]) + aiokafka.codec.zstd_encode(data[7:]),
    "zstd with a frame to skip": lambda data: (
        struct.pack("<II", 0x184D2A53, 3) + b"abc" + aiokafka.codec.zstd_encode(data)
    ),
}


def codec_of(name):
    return NUMBERS[name.split()[0]]


DATA = st.binary(max_size=2_000) | st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 30_000)).map(
    lambda drawn: drawn[0] * drawn[1]
)


@settings(deadline=None, max_examples=60)
@given(DATA, st.sampled_from(sorted(ENCODERS)))
def test_nothing_expands_beyond_its_bound_and_pieces_are_the_whole(data, name):
    payload = memoryview(ENCODERS[name](data))
    assert expanded_size(codec_of(name), payload, limit=2**40) >= len(data)
    pieces = list(expand(codec_of(name), payload))
    assert b"".join(pieces) == data
    assert all(len(piece) <= MB for piece in pieces) or codec_of(name) == 2


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_a_bound_is_near_the_truth_where_it_decides(name):
    data = random.Random(1).randbytes(4 * MB)
    bound = expanded_size(codec_of(name), memoryview(ENCODERS[name](data)), limit=32 * MB)
    assert len(data) <= bound <= 1.1 * len(data) + MB


@pytest.mark.parametrize("codec", sorted(CODECS))
@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=200))
def test_garbage_has_no_bound_and_is_told_as_damaged(codec, data):
    assert expanded_size(codec, memoryview(data), limit=32 * MB) >= 0
    try:
        expanded = b"".join(expand(codec, memoryview(data)))
    except CorruptRecordException:
        return
    assert len(expanded) <= 2**20


def test_a_codec_that_kafka_does_not_have_has_no_bound():
    assert expanded_size(7, memoryview(b"anything"), limit=1) == 0


def test_a_snappy_block_that_says_it_is_huge_is_not_expanded():
    with pytest.raises(CorruptRecordException, match="4294967295"):
        list(expand(2, memoryview(b"\xff\xff\xff\xff\x0f" + b"x" * 20)))


RECORDS = [
    (b"k", b"v" * 700, [("plain", b"1")]),
    (None, b"w", [(PLACE, b"x"), ("after", None)]),
    (b"", None, []),
    (b"k2", b"z" * 100_000, [("e\u00e9", b"")]),
    (b"k3", b"y" * 3 * MB, [(f"h{i}", b"v") for i in range(1_000)]),
]


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_batch_in_pieces_has_the_records_of_the_whole(codec):
    whole = batch_of(RECORDS, compression=codec, size=8 * MB)
    expected = [to_record(record) for record in _TolerantRecords(whole).next_batch()]
    assert [to_record(record) for record in _in_pieces(memoryview(whole))] == expected
    assert len(expected) == len(RECORDS)


@pytest.mark.parametrize("whole_max", [0, 2**25], ids=["in pieces", "whole"])
@pytest.mark.parametrize("codec", sorted(CODECS))
def test_names_that_are_not_utf_8_are_left_as_bytes_in_a_compressed_batch(codec, whole_max, monkeypatch):
    monkeypatch.setattr(tolerant_records, "WHOLE_MAX", whole_max)
    raw = compressed(sealed(batch_of(RECORDS[:3])), codec)
    [_, second, _] = [to_record(record) for record in _TolerantRecords(raw).next_batch()]
    assert second.headers == ((NAME, b"x"), (b"after", None))


def test_a_batch_without_compression_is_left_to_the_client_whatever_its_size(monkeypatch):
    monkeypatch.setattr(tolerant_records, "WHOLE_MAX", 10)
    assert len(list(_TolerantRecords(batch_of(RECORDS, size=8 * MB)).next_batch())) == len(RECORDS)


class Held:
    """As much of aiokafka's FetchResult as `getall` looks at."""

    def __init__(self, data):
        self._topic_partition = "tp"
        self._partition_records = fetcher.PartitionRecords(
            "tp", _TolerantRecords(data), [], 0, None, None, check_crcs=True, isolation_level=fetcher.READ_COMMITTED
        )

    def check_assignment(self, _tp):
        return True

    def has_more(self):
        return self._partition_records is not None

    def _update_position(self):
        self.position = self._partition_records.next_fetch_offset


@pytest.mark.parametrize("codec", [0, *CODECS])
def test_one_answer_has_about_eight_megabytes_and_the_next_goes_on_where_it_ended(codec, monkeypatch):
    monkeypatch.setattr(fetcher.PartitionRecords, "_consumer_record", lambda _self, _tp, record: record)
    raw = bomb(codec, records=40, size=MB)
    held, sizes, offsets = Held(raw), [], []
    while held.has_more():
        found = tolerant_records._getall(held, 5_000)
        sizes.append(len(found))
        offsets += (record.offset for record in found)
    assert offsets == list(range(40))
    assert max(sizes) == 8


def test_small_batches_are_gathered_as_before(monkeypatch):
    monkeypatch.setattr(fetcher.PartitionRecords, "_consumer_record", lambda _self, _tp, record: record)
    small = batch_of([(b"k", b"v", [])])
    held = Held(small * 100)
    assert len(tolerant_records._getall(held, 5_000)) == 1  # all of them begin at offset 0: repeats are skipped
    assert not held.has_more()


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_payload_that_is_not_of_its_codec_is_told_and_ends_nothing(codec, monkeypatch):
    told = []
    monkeypatch.setattr(tolerant_records, "_listeners", [lambda *what: told.append(what)])
    header = bytearray(batch_of([(b"k", b"v", [])])[:61])
    header[22] |= codec
    struct.pack_into(">i", header, 8, 61 - 12 + 16)
    held = Held(sealed(bytes(header) + b"no codec made it"))
    assert tolerant_records._getall(held) == []
    assert told[0][:2] == ("tp", 0)
    assert "damaged" in told[0][2]


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_a_bomb_is_read_record_by_record_in_little_memory(codec):
    raw = bomb(NUMBERS[codec], records=200, size=MB)
    assert len(raw) < 1.2 * MB
    batch = _TolerantRecords(raw).next_batch()
    assert batch.validate_crc()
    tracemalloc.start()
    try:
        sizes = [len(record.value) for record in batch]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes == [MB] * 200
    assert peak < 12 * MB


def test_a_record_beyond_the_limit_is_told_and_those_before_it_are_there():
    raw = bomb(NUMBERS["zstd"], records=3, size=MB, last=tolerant_records.RECORD_MAX)
    found = []
    with pytest.raises(RecordBeyondLimitError, match="33554432"):
        found += (len(record.value) for record in _in_pieces(memoryview(raw)))
    records = _in_pieces(memoryview(raw))
    assert [len(next(records).value) for _ in range(3)] == [MB] * 3
    with pytest.raises(RecordBeyondLimitError):
        next(records)


@pytest.mark.parametrize("codec", [0, 4])
def test_a_batch_of_many_records_that_are_almost_nothing_is_not_made_at_once(codec):
    raw = bomb(codec, records=400_000, size=0)
    batch = _TolerantRecords(raw).next_batch()
    tracemalloc.start()
    try:
        offsets = sum(1 for record in batch if record.value == b"")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert offsets == 400_000
    assert peak < 16 * MB


@pytest.mark.parametrize("at", [0, 3, 4])
def test_one_name_that_is_not_utf_8_among_many_records(at, monkeypatch):
    monkeypatch.setattr(tolerant_records, "MANY", 2)
    records = [(b"k", b"%d" % number, [(PLACE if number == at else "h", b"1")]) for number in range(5)]
    found = [to_record(record) for record in _TolerantRecords(sealed(batch_of(records))).next_batch()]
    assert [record.value for record in found] == [b"0", b"1", b"2", b"3", b"4"]
    assert [record.headers[0][0] == NAME for record in found] == [number == at for number in range(5)]


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_batch_that_is_cut_or_goes_on_is_told_as_damaged(codec, monkeypatch):
    monkeypatch.setattr(tolerant_records, "WHOLE_MAX", 0)
    few = bytearray(batch_of(RECORDS[:3], compression=codec))
    for count, words in ((4, "ends inside"), (2, "goes on")):
        struct.pack_into(">i", few, 57, count)
        with pytest.raises(CorruptRecordException, match=words):
            list(_in_pieces(memoryview(bytes(few))))
