"""By column or one by one, the same entries: a batch is only a quicker way through the same fold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.events.judge import Judgement, judge
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entries import STATUS, TYPE, Entries
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.records import Record, Records
from modeltrail.ledger.sequencer import Sequencer
from tests.events.records import headers, structured, value

CHAIN = Chain("c%d-%s", "modeltrail.predictions", 3, 0, 5)
VALID = (structured(), ()), (value(), tuple((name.encode(), content) for name, content in headers()))

texts = st.none() | st.binary(max_size=6)
header_lists = st.lists(st.tuples(st.binary(max_size=4), texts), max_size=3).map(tuple)
contents = st.tuples(texts, header_lists) | st.sampled_from(VALID)


@st.composite
def logs(draw):
    """Records in offset order, with holes among them."""
    offsets = draw(st.lists(st.integers(5, 40), min_size=1, max_size=20, unique=True).map(sorted))
    records = []
    for offset in offsets:
        content, named = draw(contents)
        records.append(Record(offset, draw(st.integers(-1, 100)), draw(texts), named, content))
    return records


def judged(record):
    return judge(CHAIN.topic, record.key, record.headers, record.value)


def begin():
    return Sequencer.begin(CHAIN, GenesisReason.START, None)


def one_by_one(records):
    sequencer, rows = begin(), []
    for record in records:
        if record.offset > sequencer.next_offset:
            rows.append(sequencer.append_gap(record.offset - 1, 1))
        rows.append(sequencer.append(record, record.digest(), judged(record), 1))
    return rows


def in_batches(records, cuts):
    sequencer, entries = begin(), Entries()
    for first, last in zip([0, *cuts], [*cuts, len(records)], strict=True):
        if first < last:
            part = Records.of(records)[first:last]
            entries.extend(Entries([sequencer.extend(part, [judged(record) for record in part], 1)]))
    return entries


@given(logs(), st.data())
def test_batches_of_any_size_make_the_entries_that_records_make_one_by_one(records, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=3)))
    entries, rows = in_batches(records, cuts), one_by_one(records)
    assert list(entries) == rows
    assert len(entries) == len(rows)
    assert [entries[at] for at in range(-len(rows), 0)] == rows == entries[:]
    assert entries[1:-1] == rows[1:-1]
    assert list(entries.judged(STATUS)) == [row.status for row in rows]
    assert list(entries.judged(TYPE)) == [row.type for row in rows]
    assert list(entries.rejected()) == [row for row in rows if row.status == "rejected"]
    times = [row.timestamp for row in rows if row.kind == "record"]
    assert entries.times() == (min(times), max(times))


@given(logs())
def test_records_by_column_are_the_records(records):
    batch = Records.of(records)
    assert list(batch) == records
    assert [batch[at] for at in range(len(records))] == records
    assert batch.digests() == [record.digest() for record in records]
    assert batch.sizes() == [
        len(r.key or b"") + len(r.value or b"") + sum(len(n) + len(v or b"") for n, v in r.headers) for r in records
    ]
    for offset in range(4, 42):
        assert batch.position(offset) == sum(record.offset < offset for record in records)
    first, last = records[0].offset, records[-1].offset
    assert batch.follow(first) is (last - first + 1 == len(records))
    assert not batch.follow(first + 1)


def test_no_records_have_no_columns():
    assert list(Records.of([])) == []
    assert len(Entries()) == 0
    with pytest.raises(IndexError):
        Entries()[0]


def test_headers_that_repeat_are_hashed_as_those_that_do_not():
    many = [Record(n, 0, b"k", ((b"h%d" % (n % 90), b"v"),), b"") for n in range(400)]
    assert Records.of(many).digests() == [record.digest() for record in many]


def test_what_was_appended_already_is_refused_and_changes_nothing():
    sequencer = begin()
    judgement = Judgement("rejected", "r", "not_json", "")
    sequencer.extend(Records.of([Record(5, 1, None, (), b"x")]), [judgement], 1)
    before = sequencer.next_seq, sequencer.next_offset, sequencer.prev_hash, sequencer.log_time
    twice = Records.of([Record(6, 1, None, (), b"x"), Record(6, 1, None, (), b"x")])
    for records in (Records.of([Record(5, 1, None, (), b"x")]), twice):
        with pytest.raises(ValueError, match="not the next one"):
            sequencer.extend(records, [judgement] * len(records), 1)
    assert before == (sequencer.next_seq, sequencer.next_offset, sequencer.prev_hash, sequencer.log_time)
