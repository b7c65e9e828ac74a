"""A small genuine ledger in memory, and how to forge consistent hashes over a changed one.

Partition 0 has three epochs (the log was replaced, then lost its beginning), with gaps; partition 1 has one.
"""

from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GenesisReason, entry_hash, gap_hash, preimage, record_hash
from modeltrail.ledger.row import GAP, Row
from modeltrail.ledger.sequencer import Head, Record, Sequencer

TOPIC = "modeltrail.actions"
A0 = Chain("cluster", TOPIC, 0, 0, 0)
A1 = Chain("cluster", TOPIC, 0, 1, 20)
A2 = Chain("cluster", TOPIC, 0, 2, 70)
B0 = Chain("cluster", TOPIC, 1, 0, 5)

CLUSTER = "cluster"


class Ledger(dict[Chain | str, list[Row]]):
    """The rows of each chain; a row's own `chain` are the columns, the key is the text.

    Chains are named as above, whatever cluster the ledger is of: many ledgers fit into one table.
    """

    def __init__(self, chains=(), *, cluster=CLUSTER):
        super().__init__()
        self.cluster = cluster
        for chain, rows in dict(chains).items():
            self[chain] = rows

    def own(self, chain):
        """The chain of this ledger that has this name."""
        return chain._replace(cluster=self.cluster) if getattr(chain, "cluster", "") == CLUSTER else chain

    def __getitem__(self, chain):
        return super().__getitem__(self.own(chain))

    def __setitem__(self, chain, rows):
        super().__setitem__(self.own(chain), rows)

    def __delitem__(self, chain):
        super().__delitem__(self.own(chain))

    def get(self, chain, default=None):
        return super().get(self.own(chain), default)

    def pop(self, chain):
        return super().pop(self.own(chain))

    def copy(self):
        """Another ledger with the same rows in lists of its own."""
        return Ledger({chain: list(rows) for chain, rows in self.items()}, cluster=self.cluster)


def event(offset, *, tag=""):
    """An event in binary mode. The timestamps go back now and then, as those of producers do."""
    number = f"{tag}{offset}"
    headers = (
        (b"ce_specversion", b"1.0"),
        (b"ce_id", f"event-{number}".encode()),
        (b"ce_source", b"tests"),
        (b"ce_type", b"modeltrail.action.recorded.v1"),
        (b"ce_time", b"2014-01-01T00:00:00Z"),
        (b"ce_subject", f"item-{number}".encode()),
        (b"ce_actor", b"clerk"),
        (b"content-type", b"application/json"),
    )
    value = f'{{"action":"opened","resource_type":"item","resource_id":"{number}"}}'.encode()
    return Record(offset, 1_388_534_400_000 + 10 * offset - (35 if offset % 7 == 3 else 0), b"item", headers, value)


def poison(offset):
    """What no contract accepts, with everything null that can be."""
    return Record(offset, 1_388_534_400_000, None, ((b"\xff\xfe", None), (b"", b"\x00")), None)


def append(sequencer, record):
    judgement = judge(sequencer.chain.topic, record.key, record.headers, record.value)
    return sequencer.append(record, record.digest(), judgement, CONTRACT_VERSION)


def fold(sequencer, upto, *, gaps=(), poisoned=(), tag=""):
    """Append up to offset `upto`; `gaps` are (first, last) offsets without a record."""
    rows = []
    starts = dict(gaps)
    while sequencer.next_offset <= upto:
        offset = sequencer.next_offset
        if offset in starts:
            rows.append(sequencer.append_gap(starts[offset], CONTRACT_VERSION))
        else:
            rows.append(append(sequencer, poison(offset) if offset in poisoned else event(offset, tag=tag)))
    return rows


def head_of(row):
    return Head(row.chain, row.seq, row.offset, row.timestamp, row.log_time, row.record_hash, row.entry_hash)


def genuine(cluster=CLUSTER) -> Ledger:
    """Build the ledger. seq 10 and 18 of A0 and seq 0 of A2 are gaps."""
    ledger = Ledger(cluster=cluster)

    def begin(chain, reason, old=None):
        return Sequencer.begin(ledger.own(chain), reason, None if old is None else head_of(ledger[old][-1]))

    ledger[A0] = fold(begin(A0, GenesisReason.START), 34, gaps=[(10, 12), (20, 20)], poisoned=(6,))
    ledger[A1] = fold(begin(A1, GenesisReason.REPLACED, A0), 31, tag="new-")
    ledger[A2] = fold(begin(A2, GenesisReason.RETENTION, A1), 79, gaps=[(70, 71)])
    ledger[B0] = fold(begin(B0, GenesisReason.START), 29, poisoned=(9,))
    return ledger


def relink(rows, first, last=None):
    """Make the hashes of rows first..last follow from their content and from each other."""
    end = len(rows) - 1 if last is None else last
    for index in range(first, end + 1):
        row = rows[index]
        if row.kind == GAP:
            digest = gap_hash(row.gap_first, row.offset)
        else:
            digest = record_hash(row.key, row.headers, row.value)
        prev = rows[index - 1].entry_hash if index else row.prev_hash
        log_time = max(rows[index - 1].log_time if index else row.timestamp, row.timestamp)
        text = preimage(str(row.chain).encode(), row.seq, row.offset, row.timestamp, digest)
        rows[index] = row._replace(
            record_hash=digest, prev_hash=prev, entry_hash=entry_hash(prev, text), log_time=log_time
        )


def renumber(rows):
    rows[:] = [row._replace(seq=seq) for seq, row in enumerate(rows)]
