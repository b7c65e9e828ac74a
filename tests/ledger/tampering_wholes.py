"""More named attacks: on what several rows, chains or columns make together. `ATTACKS` are all of them."""

from modeltrail.ledger.entry import GenesisReason, entry_hash, gap_hash, genesis_hash, netstring, preimage, record_hash
from modeltrail.ledger.findings import Kind
from modeltrail.ledger.row import GAP
from modeltrail.ledger.sequencer import Sequencer
from tests.ledger.genuine import A0, A1, A2, B0, append, event, fold, head_of, relink, renumber
from tests.ledger.tampering import ATTACKS, EVIL, attack, change

__all__ = ["ATTACKS"]

A3 = A2._replace(epoch=3, first_offset=90)


def log_times(rows, base):
    """Make the log times of a later epoch go on from the one before; they are in no hash."""
    rows[:] = [row._replace(log_time=max(base, row.log_time)) for row in rows]


def renamed(ledger, old, new, **begin):
    """Move the rows of a chain to another name, with every hash and the genesis made anew."""
    rows = [row._replace(chain=new) for row in ledger.pop(old)]
    rows[0] = rows[0]._replace(prev_hash=genesis_hash(str(new).encode(), **begin))
    relink(rows, 0)
    ledger[new] = rows
    return rows


# Fields shifted across a separator: what is hashed is text, so that lengths must tell the fields apart.


@attack("content moves from a header's name to its value", A1, 2, Kind.RECORD_HASH)
def _(ledger):
    (name, value), *rest = ledger[A1][2].headers
    change(ledger[A1], 2, headers=((name[:-1], name[-1:] + value), *rest))


@attack("a header swallows the one after it", A1, 3, Kind.RECORD_HASH)
def _(ledger):
    (name, value), (next_name, next_value), *rest = ledger[A1][3].headers
    swallowed = value + b"," + netstring(next_name) + netstring(next_value)[:-1]
    change(ledger[A1], 3, headers=((name, swallowed), *rest))


@attack("headers move into the value", A1, 4, Kind.RECORD_HASH)
def _(ledger):
    row = ledger[A1][4]
    packed = b"".join(netstring(name) + netstring(value) for name, value in row.headers)
    change(ledger[A1], 4, headers=(), value=netstring(packed) + row.value)


@attack("the value becomes the key", A1, 5, Kind.RECORD_HASH)
def _(ledger):
    row = ledger[A1][5]
    change(ledger[A1], 5, key=row.value, value=row.key)


@attack("a null header value becomes the text of null", A0, 6, Kind.RECORD_HASH)
def _(ledger):
    (name, _none), *rest = ledger[A0][6].headers
    change(ledger[A0], 6, headers=((name, b"-"), *rest))


@attack("a digit moves from the timestamp to the offset", A1, 6, Kind.ENTRY_HASH)
def _(ledger):
    row = ledger[A1][6]
    digits = str(row.timestamp)
    change(ledger[A1], 6, offset=int(f"{row.offset}{digits[0]}"), timestamp=int(digits[1:]))


# Columns that no hash covers.


@attack("the source is changed beside the record", B0, 16, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 16, source="elsewhere")


@attack("the subject is changed beside the record", B0, 16, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 16, subject="item-0")


@attack("the type is changed beside the record", B0, 17, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 17, type="modeltrail.run.started.v1")


@attack("the content mode is changed beside the record", B0, 17, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 17, mode="structured")


@attack("a tenant is made up beside the record", B0, 18, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 18, tenant="somebody else")


@attack("a correlation id is made up beside the record", B0, 18, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 18, correlationid="made up")


@attack("a causation id is made up beside the record", B0, 19, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 19, causationid="made up")


@attack("a trace is made up beside the record", B0, 19, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 19, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")


@attack("a counter is made up beside the record", B0, 20, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 20, sequence="7")


@attack("an envelope is given to a rejected record", B0, 4, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 4, id="event-0", type="modeltrail.action.recorded.v1")


@attack("a valid record is given a class of rejection", B0, 20, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 20, reason_class="schema")


@attack(
    "a valid record is called rejected, and nothing is left of its envelope", B0, 21, Kind.JUDGEMENT, only_here=True
)
def _(ledger):
    empty = dict.fromkeys(("source", "id", "type", "subject", "actor", "tenant", "retentionclass"), "")
    change(ledger[B0], 21, status="rejected", reason_class="schema", time_us=None, **empty)


# Rows that were never chained, and rows that are there again.


@attack("an entry is inserted and the rest is linked again", B0, 8, Kind.OFFSET)
def _(ledger):
    rows = ledger[B0]
    rows.insert(7, append(Sequencer.resume(head_of(rows[6])), event(rows[7].offset, tag="forged-")))
    renumber(rows)
    relink(rows, 7)


@attack("an entry is there again at the next position", B0, 8, Kind.ENTRY_HASH)
def _(ledger):
    rows = ledger[B0]
    rows[8:] = [rows[7], *rows[8:]]
    renumber(rows)


@attack("a row with another log time is inserted beside the genuine one", B0, 9, Kind.LOG_TIME)
def _(ledger):
    ledger[B0].insert(10, ledger[B0][9]._replace(log_time=ledger[B0][9].log_time + 1))


@attack("a row with another previous hash is inserted beside the genuine one", B0, 9, Kind.FORK)
def _(ledger):
    row = ledger[B0][9]._replace(prev_hash=bytes(32))
    text = preimage(str(row.chain).encode(), row.seq, row.offset, row.timestamp, row.record_hash)
    ledger[B0].insert(10, row._replace(entry_hash=entry_hash(row.prev_hash, text)))


@attack("payloads of two partitions change places", A0, 1, Kind.RECORD_HASH)
def _(ledger):
    one, two = ledger[A0][1].value, ledger[B0][1].value
    change(ledger[A0], 1, value=two)
    change(ledger[B0], 1, value=one)


@attack("a partition is passed off as another one", B0._replace(partition=7), 0, Kind.GENESIS)
def _(ledger):
    other = ledger.own(B0)._replace(partition=7)
    ledger[other] = [row._replace(chain=other) for row in ledger.pop(B0)]


@attack("a timestamp is changed and the rest is linked again", B0, 24, Kind.HEAD_DIFFERS, needs_heads=True)
def _(ledger):
    change(ledger[B0], 12, timestamp=ledger[B0][12].timestamp + 1)
    relink(ledger[B0], 12)


@attack("everything is linked again from the first entry", B0, 24, Kind.HEAD_DIFFERS, needs_heads=True)
def _(ledger):
    genesis = Sequencer.begin(ledger.own(B0), GenesisReason.START, None)
    ledger[B0] = fold(genesis, 29, tag="forged-")


# Whole parts of the table.


@attack("a month of the table is dropped", B0, 8, Kind.MISSING)
def _(ledger):
    del ledger[B0][8:17]
    del ledger[A0][20:]
    del ledger[A1][:4]


@attack("the newest month of the table is dropped", B0, 24, Kind.HEAD_MISSING, needs_heads=True)
def _(ledger):
    del ledger[B0][17:]
    del ledger[A2]


@attack("an older copy of the table is restored", B0, 24, Kind.HEAD_MISSING, needs_heads=True)
def _(ledger):
    del ledger[B0][3:]
    del ledger[A1][5:]
    del ledger[A2]


@attack("an older copy of one epoch is restored", A1, 0, Kind.GENESIS)
def _(ledger):
    del ledger[A0][24:]


# Epochs.


@attack("an epoch is added that commits to nothing", A3, 0, Kind.GENESIS)
def _(ledger):
    made_up = head_of(ledger[A2][-1])._replace(entry_hash=bytes(32))
    ledger[A3] = fold(Sequencer.begin(ledger.own(A3), GenesisReason.REPLACED, made_up), 95)


@attack("an epoch is added beside a genuine one, and commits to nothing", A1._replace(first_offset=25), 0, Kind.GENESIS)
def _(ledger):
    beside = ledger.own(A1)._replace(first_offset=25)
    ledger[beside] = fold(Sequencer.begin(beside, GenesisReason.REPLACED, head_of(ledger[B0][-1])), 31)


@attack("an epoch is added that leaves one out", A3._replace(epoch=4), 0, Kind.EPOCH_MISSING)
def _(ledger):
    far = ledger.own(A3)._replace(epoch=4)
    ledger[far] = fold(Sequencer.begin(far, GenesisReason.REPLACED, head_of(ledger[A2][-1])), 95)


@attack(
    "a partition is added whose first epoch is not the first", B0._replace(partition=9, epoch=1), 0, Kind.EPOCH_MISSING
)
def _(ledger):
    new = ledger.own(B0)._replace(partition=9, epoch=1)
    ledger[new] = fold(Sequencer.begin(new, GenesisReason.REPLACED, head_of(ledger[B0][-1])), 15)


@attack("an epoch gets another number and is linked again", A2._replace(epoch=3), 0, Kind.EPOCH_MISSING)
def _(ledger):
    old = ledger[A1][-1]
    rows = renamed(
        ledger, A2, ledger.own(A2)._replace(epoch=3), old_head=old.entry_hash, reason=GenesisReason.RETENTION
    )
    log_times(rows, old.log_time)


@attack("an epoch begins later and is linked again", A1._replace(first_offset=21), 0, Kind.OFFSET)
def _(ledger):
    old = ledger[A0][-1]
    rows = renamed(
        ledger, A1, ledger.own(A1)._replace(first_offset=21), old_head=old.entry_hash, reason=GenesisReason.REPLACED
    )
    log_times(rows, old.log_time)


@attack("the beginning of an epoch is cut off and the rest is linked again", A2, 0, Kind.GENESIS)
def _(ledger):
    old = ledger[A0][-1]
    del ledger[A1][:3]
    renumber(ledger[A1])
    later = ledger.own(A1)._replace(first_offset=ledger[A1][0].offset)
    log_times(renamed(ledger, A1, later, old_head=old.entry_hash, reason=GenesisReason.RETENTION), old.log_time)


@attack("an epoch commits to another entry of the one before", A2, 0, Kind.LOG_TIME)
def _(ledger):
    ledger[A1][-1] = ledger[A1][-1]._replace(timestamp=2**45)
    relink(ledger[A1], len(ledger[A1]) - 1)
    log_times(ledger[A1], ledger[A0][-1].log_time)
    rows = renamed(ledger, A2, ledger.own(A2), old_head=ledger[A1][-1].entry_hash, reason=GenesisReason.RETENTION)
    log_times(rows, ledger[A1][3].log_time)


# Gaps.


@attack("a gap holds a key", A0, 10, Kind.GAP_CONTENT)
def _(ledger):
    change(ledger[A0], 10, key=b"smuggled")


@attack("a gap holds the envelope of an event", A0, 10, Kind.GAP_CONTENT)
def _(ledger):
    row = ledger[A0][9]
    change(ledger[A0], 10, id=row.id, source=row.source, type=row.type, actor=row.actor, time_us=row.time_us)


@attack("a gap has a time", A0, 18, Kind.GAP_CONTENT)
def _(ledger):
    change(ledger[A0], 18, timestamp=ledger[A0][17].timestamp)


@attack("a gap holds a value that its hash covers, and the rest is linked again", A2, 0, Kind.GAP_CONTENT)
def _(ledger):
    row = ledger[A2][0]
    digest = record_hash(None, (), EVIL)
    text = preimage(str(row.chain).encode(), row.seq, row.offset, row.timestamp, digest)
    ledger[A2][0] = row._replace(value=EVIL, record_hash=digest, entry_hash=entry_hash(row.prev_hash, text))
    base = row.log_time
    relink(ledger[A2], 1)
    log_times(ledger[A2], base)


@attack("a gap is put where nothing is missing, and the rest is linked again", B0, 6, Kind.OFFSET)
def _(ledger):
    rows = ledger[B0]
    gap = Sequencer.resume(head_of(rows[4])).append_gap(rows[5].offset, rows[5].contract)
    assert gap.record_hash == gap_hash(gap.gap_first, gap.offset)
    assert gap.kind == GAP
    rows.insert(5, gap)
    renumber(rows)
    relink(rows, 5)


@attack("a gap stands for more than is missing, and the rest is linked again", A2, 1, Kind.OFFSET)
def _(ledger):
    base = ledger[A2][0].log_time
    change(ledger[A2], 0, offset=ledger[A2][0].offset + 1)
    relink(ledger[A2], 0)
    log_times(ledger[A2], base)
