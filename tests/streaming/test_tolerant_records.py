"""Batches whose header names are not UTF-8 are read with the names as bytes; all others as aiokafka reads them."""

import pytest
from aiokafka.record.memory_records import MemoryRecords

from modeltrail.streaming.records import to_record
from modeltrail.streaming.tolerant_records import _TolerantRecords
from tests.streaming.raw_batches import NAME, PLACE, batch_of, sealed

RECORDS = [
    (b"k", b"v", [("plain", b"1")]),
    (None, b"w", [(PLACE, b"x"), ("after", None)]),
    (b"", None, []),
    (b"k2", b"z" * 1_000, [("e\u00e9", b"")]),
]


def read(data, reader):
    found, records = [], reader(data)
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        found += [to_record(record) for record in batch]
    return found


def test_names_are_left_as_bytes_and_nothing_else_changes():
    found = read(sealed(batch_of(RECORDS)), _TolerantRecords)
    assert [record.offset for record in found] == [0, 1, 2, 3]
    assert [record.timestamp for record in found] == [1_000, 1_001, 1_002, 1_003]
    assert found[1].headers == ((NAME, b"x"), (b"after", None))
    assert found[3].headers == (("e\u00e9".encode(), b""),)
    assert [(record.key, record.value) for record in found] == [(key, value) for key, value, _ in RECORDS]


def test_aiokafka_itself_cannot_read_it():
    with pytest.raises(Exception, match="utf-8|UTF-8|codec"):
        read(sealed(batch_of(RECORDS)), MemoryRecords)


@pytest.mark.parametrize("compression", [0, 1, 2, 3, 4], ids=["none", "gzip", "snappy", "lz4", "zstd"])
def test_readable_batches_are_read_as_before(compression):
    data = batch_of(RECORDS, compression=compression) * 2
    assert read(data, _TolerantRecords) == read(data, MemoryRecords)


def test_a_bad_batch_between_good_ones_is_told_apart():
    good = batch_of(RECORDS)
    found = read(good + sealed(good) + good, _TolerantRecords)
    names = [record.headers[0][0] for record in found if record.offset == 1]
    assert names == [PLACE.encode(), NAME, PLACE.encode()]


def test_a_cut_batch_is_left_for_the_next_fetch():
    data = batch_of(RECORDS)
    records = _TolerantRecords(data + data[:40])
    assert records.has_next()
    records.next_batch()
    assert not records.has_next()
    assert records.size_in_bytes() == len(data) + 40
