"""Batches whose header names are not UTF-8 are read with the names as bytes; all others as aiokafka reads them."""

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords

from modeltrail.streaming import tolerant_records
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
    with pytest.raises(Exception, match=r"utf-8|UTF-8|codec"):
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


class Held:
    """As much of aiokafka's FetchResult as `getall` looks at."""

    def __init__(self, data):
        self._topic_partition = "tp"
        self._partition_records = fetcher.PartitionRecords(
            "tp", _TolerantRecords(data), [], 0, None, None, check_crcs=True, isolation_level=fetcher.READ_COMMITTED
        )
        self.position = 0

    def check_assignment(self, _tp):
        return True

    def has_more(self):
        return self._partition_records is not None

    def _update_position(self):
        self.position = self._partition_records.next_fetch_offset


def test_what_stands_before_an_unreadable_batch_is_delivered_and_the_batch_is_told(monkeypatch):
    told = []
    monkeypatch.setattr(tolerant_records, "_listeners", [lambda *what: told.append(what)])
    monkeypatch.setattr(fetcher.PartitionRecords, "_consumer_record", lambda _self, _tp, record: record)
    good = batch_of(RECORDS)
    broken = bytearray(good)
    broken[-1] ^= 0xFF
    held = Held(good + bytes(broken))
    assert [record.offset for record in tolerant_records._getall(held)] == [0, 1, 2, 3]
    assert (held.position, told) == (4, [])
    held = Held(bytes(broken))
    assert tolerant_records._getall(held) == []
    assert told[0][:2] == ("tp", 0)
    assert "CRC" in told[0][2]
    assert not held.has_more()
