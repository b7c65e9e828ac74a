"""Named attacks on the ledger of `genuine`, each with the first position where it must be found."""

from collections.abc import Callable
from dataclasses import dataclass

from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GenesisReason, genesis_hash, record_hash
from modeltrail.ledger.findings import Kind
from modeltrail.ledger.row import GAP
from modeltrail.ledger.sequencer import Sequencer
from tests.ledger.genuine import A0, A1, A2, B0, Ledger, append, event, relink, renumber


def change(rows, seq, **columns):
    rows[seq] = rows[seq]._replace(**columns)


@dataclass(frozen=True)
class Attack:
    """What is done, and what must be found first, where. `only_here` is what SQL cannot see by itself."""

    name: str
    do: Callable[[Ledger], None]
    chain: Chain | str
    seq: int | None
    kind: Kind
    only_here: bool = False
    needs_heads: bool = False


ATTACKS: list[Attack] = []


def attack(name, chain, seq, kind, **flags):
    def register(do):
        ATTACKS.append(Attack(name, do, chain, seq, kind, **flags))
        return do

    return register


EVIL = b'{"action":"closed","resource_type":"item","resource_id":"5"}'


@attack("a payload is changed", A0, 5, Kind.RECORD_HASH)
def _(ledger):
    change(ledger[A0], 5, value=EVIL)


@attack("one bit of a payload is changed", A0, 7, Kind.RECORD_HASH)
def _(ledger):
    value = ledger[A0][7].value
    change(ledger[A0], 7, value=value[:-2] + bytes([value[-2] ^ 1]) + value[-1:])


@attack("a payload is taken out", A0, 5, Kind.RECORD_HASH)
def _(ledger):
    change(ledger[A0], 5, value=None)


@attack("a null payload becomes an empty one", A0, 6, Kind.RECORD_HASH)
def _(ledger):
    change(ledger[A0], 6, value=b"")


@attack("a key is changed", B0, 3, Kind.RECORD_HASH)
def _(ledger):
    change(ledger[B0], 3, key=b"other")


@attack("a null key becomes an empty one", B0, 4, Kind.RECORD_HASH)
def _(ledger):
    change(ledger[B0], 4, key=b"")


@attack("a header value is changed", A1, 2, Kind.RECORD_HASH)
def _(ledger):
    headers = ledger[A1][2].headers
    change(ledger[A1], 2, headers=(*headers[:-2], (b"ce_actor", b"nobody"), headers[-1]))


@attack("a header name is changed", A1, 2, Kind.RECORD_HASH)
def _(ledger):
    headers = ledger[A1][2].headers
    change(ledger[A1], 2, headers=((b"CE_specversion", b"1.0"), *headers[1:]))


@attack("headers are reordered", A1, 4, Kind.RECORD_HASH)
def _(ledger):
    change(ledger[A1], 4, headers=tuple(reversed(ledger[A1][4].headers)))


@attack("a header is added", A1, 4, Kind.RECORD_HASH)
def _(ledger):
    change(ledger[A1], 4, headers=(*ledger[A1][4].headers, (b"x", None)))


@attack("content moves from the key to the value", A1, 4, Kind.RECORD_HASH)
def _(ledger):
    row = ledger[A1][4]
    change(ledger[A1], 4, key=row.key[:-1], value=row.key[-1:] + row.value)


@attack("a timestamp is changed", A0, 14, Kind.ENTRY_HASH)
def _(ledger):
    change(ledger[A0], 14, timestamp=ledger[A0][14].timestamp - 1)


@attack("an offset is changed", A0, 14, Kind.ENTRY_HASH)
def _(ledger):
    change(ledger[A0], 14, offset=ledger[A0][14].offset + 1)


@attack("payload and record hash are changed together", A0, 9, Kind.ENTRY_HASH)
def _(ledger):
    row = ledger[A0][9]
    change(ledger[A0], 9, value=EVIL, record_hash=record_hash(row.key, row.headers, EVIL))


@attack("payload, record hash and entry hash are changed together", A0, 10, Kind.LINK)
def _(ledger):
    change(ledger[A0], 9, value=EVIL)
    relink(ledger[A0], 9, 9)


@attack("an entry hash is changed", A0, 15, Kind.ENTRY_HASH)
def _(ledger):
    change(ledger[A0], 15, entry_hash=bytes(32))


@attack("a previous hash is changed", A0, 15, Kind.ENTRY_HASH)
def _(ledger):
    change(ledger[A0], 15, prev_hash=bytes(32))


@attack("a log time is raised", A0, 16, Kind.LOG_TIME)
def _(ledger):
    change(ledger[A0], 16, log_time=ledger[A0][16].log_time + 1)


@attack("the last log time is raised", B0, 24, Kind.LOG_TIME)
def _(ledger):
    change(ledger[B0], 24, log_time=2**62)


@attack("the log time of a later epoch forgets the one before", A1, 0, Kind.LOG_TIME)
def _(ledger):
    change(ledger[A1], 0, log_time=ledger[A1][0].timestamp)


@attack("a record is called a gap", A0, 8, Kind.GAP_CONTENT)
def _(ledger):
    change(ledger[A0], 8, kind=GAP)


@attack("a record is of no known kind", A0, 8, Kind.KIND)
def _(ledger):
    change(ledger[A0], 8, kind="tombstone")


@attack("a status is of no known kind", A0, 8, Kind.KIND)
def _(ledger):
    change(ledger[A0], 8, status="approved")


@attack("a valid record is called rejected", B0, 12, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 12, status="rejected", reason_class="schema")


@attack("a rejected record is called valid", B0, 4, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 4, status="valid", reason_class="", reason="")


@attack("the id is changed beside the record", B0, 12, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 12, id="event-0")


@attack("the actor is changed beside the record", B0, 13, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 13, actor="somebody else")


@attack("the time is changed beside the record", B0, 14, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 14, time_us=ledger[B0][14].time_us + 1)


@attack("the retention class is changed beside the record", B0, 15, Kind.JUDGEMENT)
def _(ledger):
    change(ledger[B0], 15, retentionclass="none")


@attack("the partition is changed beside the chain", B0, 6, Kind.CHAIN_NAME)
def _(ledger):
    change(ledger[B0], 6, chain=ledger.own(B0)._replace(partition=2))


@attack("the cluster is changed beside the chain", B0, 6, Kind.CHAIN_NAME)
def _(ledger):
    change(ledger[B0], 6, chain=B0._replace(cluster="other"))


@attack("the first entry is deleted", B0, 0, Kind.MISSING)
def _(ledger):
    del ledger[B0][0]


@attack("an entry is deleted", B0, 7, Kind.MISSING)
def _(ledger):
    del ledger[B0][7]


@attack("several entries are deleted", B0, 7, Kind.MISSING)
def _(ledger):
    del ledger[B0][7:12]


@attack("an entry is deleted and the rest is numbered anew", B0, 7, Kind.ENTRY_HASH)
def _(ledger):
    del ledger[B0][7]
    renumber(ledger[B0])


@attack("an entry is deleted and the rest is linked again", B0, 7, Kind.OFFSET)
def _(ledger):
    del ledger[B0][7]
    renumber(ledger[B0])
    relink(ledger[B0], 7)


@attack("the first entry is deleted and the rest is linked again", B0, 0, Kind.OFFSET)
def _(ledger):
    genesis = ledger[B0][0].prev_hash
    del ledger[B0][0]
    renumber(ledger[B0])
    change(ledger[B0], 0, prev_hash=genesis)
    relink(ledger[B0], 0)


@attack("the last entry is deleted", B0, 24, Kind.HEAD_MISSING, needs_heads=True)
def _(ledger):
    del ledger[B0][-1]


@attack("the chain is cut off", B0, 24, Kind.HEAD_MISSING, needs_heads=True)
def _(ledger):
    del ledger[B0][10:]


@attack("the chain is cut off after a gap", A0, 10, Kind.ENDS_IN_GAP)
def _(ledger):
    del ledger[A0][11:]


@attack("a whole partition is deleted", B0, 24, Kind.HEAD_MISSING, needs_heads=True)
def _(ledger):
    del ledger[B0]


@attack("the end of an older epoch is deleted", A1, 0, Kind.GENESIS)
def _(ledger):
    del ledger[A0][-1]


@attack("an older epoch is linked again from some entry to its end", A1, 0, Kind.GENESIS)
def _(ledger):
    change(ledger[A0], 25, value=EVIL)
    relink(ledger[A0], 25)


@attack("the first epoch is deleted", A1, 0, Kind.EPOCH_MISSING)
def _(ledger):
    del ledger[A0]


@attack("an epoch in the middle is deleted", A2, 0, Kind.EPOCH_MISSING)
def _(ledger):
    del ledger[A1]


@attack("the newest epoch is deleted", A2, 8, Kind.HEAD_MISSING, needs_heads=True)
def _(ledger):
    del ledger[A2]


@attack("an epoch gets another number", A2, 0, Kind.EPOCH_MISSING)
def _(ledger):
    other = ledger.own(A1)._replace(epoch=3)
    ledger[other] = [row._replace(chain=other) for row in ledger.pop(A1)]


@attack("two epochs change places", A1._replace(first_offset=70), 0, Kind.GENESIS)
def _(ledger):
    one, two = ledger.own(A1)._replace(first_offset=70), ledger.own(A2)._replace(first_offset=20)
    first, second = ledger.pop(A1), ledger.pop(A2)
    ledger[one] = [row._replace(chain=one) for row in second]
    ledger[two] = [row._replace(chain=two) for row in first]


@attack("a first epoch begins for another reason", B0, 0, Kind.GENESIS)
def _(ledger):
    change(ledger[B0], 0, prev_hash=genesis_hash(str(ledger.own(B0)).encode(), None, GenesisReason.REPLACED))
    relink(ledger[B0], 0)


@attack("a later epoch begins as if it were the first", A1, 0, Kind.GENESIS)
def _(ledger):
    change(ledger[A1], 0, prev_hash=genesis_hash(str(ledger.own(A1)).encode(), None, GenesisReason.START))
    relink(ledger[A1], 0)


@attack("another row is inserted at a position", B0, 7, Kind.FORK)
def _(ledger):
    rows = ledger[B0]
    other = rows[7]._replace(value=EVIL)
    forged = [rows[6], other]
    relink(forged, 1)
    rows.insert(8, forged[1])


@attack("a row with another status is inserted beside the genuine one", B0, 7, Kind.FORK)
def _(ledger):
    ledger[B0].insert(8, ledger[B0][7]._replace(status="rejected", reason_class="schema"))


@attack("a row with another payload and the genuine hashes is inserted", B0, 7, Kind.RECORD_HASH)
def _(ledger):
    ledger[B0].insert(8, ledger[B0][7]._replace(value=EVIL))


@attack("a row is inserted far beyond the end", B0, 25, Kind.MISSING)
def _(ledger):
    ledger[B0].append(ledger[B0][-1]._replace(seq=2**60))


@attack("a row is inserted before the beginning", B0, -1, Kind.POSITION)
def _(ledger):
    ledger[B0].insert(0, ledger[B0][0]._replace(seq=-1))


@attack("two entries change places", A0, 23, Kind.ENTRY_HASH)
def _(ledger):
    rows = ledger[A0]
    rows[23], rows[25] = rows[25]._replace(seq=23), rows[23]._replace(seq=25)


@attack("two entries change places and the rest is linked again", B0, 13, Kind.OFFSET)
def _(ledger):
    rows = ledger[B0]
    rows[13], rows[15] = rows[15]._replace(seq=13), rows[13]._replace(seq=15)
    relink(rows, 13)


@attack("two payloads change places", A0, 23, Kind.RECORD_HASH)
def _(ledger):
    rows = ledger[A0]
    first, second = rows[23].value, rows[25].value
    change(rows, 23, value=second)
    change(rows, 25, value=first)


@attack("rows of two partitions change places", A0, 6, Kind.ENTRY_HASH)
def _(ledger):
    one, two = ledger[A0][6], ledger[B0][6]
    ledger[A0][6], ledger[B0][6] = two._replace(chain=ledger.own(A0)), one._replace(chain=ledger.own(B0))


@attack("a range is linked again", B0, 18, Kind.LINK)
def _(ledger):
    change(ledger[B0], 12, value=EVIL)
    relink(ledger[B0], 12, 17)


@attack("the chain is linked again from some entry to its end", B0, 24, Kind.HEAD_DIFFERS, needs_heads=True)
def _(ledger):
    rows = ledger[B0]
    record = event(rows[12].offset, tag="forged-")
    forged = append(Sequencer(ledger.own(B0), next_seq=12, next_offset=record.offset, prev_hash=rows[11].entry_hash,
                              log_time=rows[11].log_time), record)  # fmt: skip
    rows[12] = forged
    relink(rows, 13)


@attack("a gap holds a value", A0, 10, Kind.GAP_CONTENT)
def _(ledger):
    change(ledger[A0], 10, value=b"smuggled")


@attack("a gap holds a header", A0, 10, Kind.GAP_CONTENT)
def _(ledger):
    change(ledger[A0], 10, headers=((b"smuggled", None),))


@attack("a gap holds a text beside the record", A0, 18, Kind.GAP_CONTENT)
def _(ledger):
    change(ledger[A0], 18, subject="smuggled")


@attack("a gap gives a reason", A0, 18, Kind.GAP_CONTENT)
def _(ledger):
    change(ledger[A0], 18, reason="smuggled")


@attack("a gap is called valid", A0, 18, Kind.GAP_CONTENT)
def _(ledger):
    change(ledger[A0], 18, status="valid")


@attack("a gap begins earlier", A0, 10, Kind.RECORD_HASH)
def _(ledger):
    change(ledger[A0], 10, gap_first=9)


@attack("a gap begins later, and the rest is linked again", A2, 0, Kind.OFFSET)
def _(ledger):
    change(ledger[A2], 0, gap_first=71)
    relink(ledger[A2], 0)
    first = ledger[A1][-1].log_time
    ledger[A2][:] = [row._replace(log_time=max(first, row.log_time)) for row in ledger[A2]]


@attack("a gap is cut in two, and the rest is linked again", A2, 1, Kind.OFFSET)
def _(ledger):
    rows = ledger[A2]
    rows[0:1] = [rows[0]._replace(offset=70), rows[0]._replace(gap_first=71)]
    base = rows[0].log_time
    renumber(rows)
    relink(rows, 0)
    rows[:] = [row._replace(log_time=max(base, row.log_time)) for row in rows]


@attack("a record is swallowed by a gap, and the rest is linked again", A2, 8, Kind.HEAD_MISSING, needs_heads=True)
def _(ledger):
    rows = ledger[A2]
    base = rows[0].log_time
    rows[0:2] = [rows[0]._replace(offset=rows[1].offset)]
    renumber(rows)
    relink(rows, 0)
    rows[:] = [row._replace(log_time=max(base, row.log_time)) for row in rows]
