"""The sequencer is a fold: whatever the order of delivery, the same log gives the same bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.events.judge import judge
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GenesisReason, entry_hash, gap_hash, genesis_hash, preimage
from modeltrail.ledger.row import GAP
from modeltrail.ledger.sequencer import Head, Position, Record, Sequencer

CHAIN = Chain("c", "modeltrail.predictions", 3, 0, 5)


def record(offset, *, timestamp=None, value=b"v"):
    return Record(offset, 1000 + offset if timestamp is None else timestamp, b"k", ((b"h", None),), value)


def append(sequencer, item):
    return sequencer.append(item, item.digest(), judge("modeltrail.predictions", item.key, item.headers, item.value), 1)


def begin():
    return Sequencer.begin(CHAIN, GenesisReason.START, None)


def fold(records):
    sequencer, rows = begin(), []
    for item in records:
        if sequencer.position(item.offset) is Position.HOLE:
            rows.append(sequencer.append_gap(item.offset - 1, 1))
        rows.append(append(sequencer, item))
    return rows


def test_the_first_entry_links_to_the_genesis_and_each_one_to_the_one_before():
    rows = fold([record(5), record(6), record(9)])
    name = str(CHAIN).encode()
    before = genesis_hash(name, None, GenesisReason.START)
    for row in rows:
        assert row.prev_hash == before
        before = entry_hash(before, preimage(name, row.seq, row.offset, row.timestamp, row.record_hash))
        assert row.entry_hash == before
    assert [(row.seq, row.offset, row.kind) for row in rows][2] == (2, 8, GAP)
    assert rows[2].record_hash == gap_hash(7, 8)


def test_positions():
    sequencer = begin()
    assert sequencer.position(4) is Position.CHAINED
    assert sequencer.position(5) is Position.NEXT
    assert sequencer.position(6) is Position.HOLE


def test_a_record_out_of_turn_is_refused_and_changes_nothing():
    sequencer = begin()
    with pytest.raises(ValueError, match="not the next one"):
        append(sequencer, record(6))
    with pytest.raises(ValueError, match="cannot begin"):
        sequencer.append_gap(4, 1)
    assert append(sequencer, record(5)).seq == 0


def test_log_time_never_goes_back():
    rows = fold([record(5, timestamp=50), record(6, timestamp=10), record(9, timestamp=60)])
    assert [row.log_time for row in rows] == [50, 50, 50, 60]


def test_a_new_epoch_commits_to_the_old_head_and_keeps_its_log_time():
    last = fold([record(5, timestamp=77)])[-1]
    head = Head(CHAIN, last.seq, last.offset, last.timestamp, last.log_time, last.record_hash, last.entry_hash)
    chain = CHAIN._replace(epoch=1, first_offset=0)
    sequencer = Sequencer.begin(chain, GenesisReason.REPLACED, head)
    row = append(sequencer, record(0, timestamp=1))
    assert row.prev_hash == genesis_hash(str(chain).encode(), last.entry_hash, GenesisReason.REPLACED)
    assert row.log_time == 77


offsets = st.lists(st.integers(5, 200), min_size=1, max_size=40, unique=True).map(sorted)


@given(offsets, st.data())
def test_any_deliveries_with_repeats_and_restarts_give_the_same_chain(log, data):
    records = [record(offset, value=b"v%d" % offset) for offset in log]
    expected = fold(records)
    sequencer, rows, stored = begin(), [], {}
    position = 0
    while position < len(records):
        if rows and data.draw(st.booleans()):  # a restart: only what is stored survives
            last = max(stored)
            row = stored[last]
            sequencer = Sequencer.resume(
                Head(CHAIN, row.seq, row.offset, row.timestamp, row.log_time, row.record_hash, row.entry_hash)
            )
        back = data.draw(st.integers(0, position))
        size = data.draw(st.integers(1, 10))
        for item in records[position - back : position - back + size]:
            match sequencer.position(item.offset):
                case Position.CHAINED:
                    continue
                case Position.HOLE:
                    previous = [r.offset for r in records if r.offset < item.offset]
                    if previous and previous[-1] >= sequencer.next_offset:
                        continue  # the broker could fill it: a delivery fault, read again
                    rows.append(sequencer.append_gap(item.offset - 1, 1))
                case Position.NEXT:
                    pass
            rows.append(append(sequencer, item))
            stored[rows[-1].seq] = rows[-1]
        position = sum(1 for item in records if item.offset < sequencer.next_offset)
    assert rows == expected
