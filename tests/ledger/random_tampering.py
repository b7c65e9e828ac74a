"""Ledgers of any shape, tampered with anywhere, from a seed; with the place where it must be found.

What is expected follows from what was done and from the genuine ledger alone; no part of a verifier is asked.
"""

from typing import NamedTuple

from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.row import GAP
from modeltrail.ledger.sequencer import Sequencer
from tests.ledger.genuine import TOPIC, Ledger, append, event, head_of, poison, relink, renumber
from tests.ledger.tampering import EVIL

__all__ = ["Expected", "random_ledger", "tamper"]


class Expected(NamedTuple):
    """The first bad position of a chain. `needs_heads`: without kept heads nothing is wrong with what is left."""

    what: str
    chain: Chain
    seq: int
    needs_heads: bool = False


def random_ledger(random, cluster):
    """Partitions with epochs, gaps, rejects, times that go back, and now and then a late block."""
    ledger = Ledger(cluster=cluster)
    for partition in range(random.randint(1, 3)):
        _partition(random, ledger, Chain(cluster, TOPIC, partition, 0, random.choice([0, 0, 7])))
    return ledger


def _partition(random, ledger, chain):
    old = None
    for _ in range(random.choice([1, 1, 2, 3, 4])):
        reason = (
            GenesisReason.START if old is None else random.choice([GenesisReason.REPLACED, GenesisReason.RETENTION])
        )
        sequencer = Sequencer.begin(chain, reason, old)
        rows = ledger[chain] = []
        _grow(random, sequencer, rows, random.choice([1, 2, 5, 12, 25]))
        old = head_of(rows[-1])
        if random.random() < 0.2:
            _grow(random, sequencer, rows, random.randint(1, 4))  # late: the next epoch commits to an earlier entry
        chain = chain._replace(
            epoch=chain.epoch + 1, first_offset=random.choice([chain.first_offset, rows[-1].offset + 1, 3])
        )


def _grow(random, sequencer, rows, count):
    for _ in range(count):
        if random.random() < 0.15:
            rows.append(sequencer.append_gap(sequencer.next_offset + random.randrange(3), 1))
        offset = sequencer.next_offset
        record = poison(offset) if random.random() < 0.1 else event(offset, tag=f"{random.randrange(10**6)}-")
        rows.append(append(sequencer, record._replace(timestamp=record.timestamp + random.randrange(-50, 50))))


def tamper(random, ledger):
    """Tamper with `ledger` in one way at one place; return where that must be found."""
    ledger.last = {chain: rows[-1].seq for chain, rows in ledger.items()}
    while True:
        chain = random.choice(list(ledger))
        found = random.choice(_WAYS)(random, ledger, chain, len(ledger[chain]))
        if found is not None:
            return found


def _committed(ledger, chain):
    """The next epoch of a chain, and the place of the entry that it commits to."""
    for newer in ledger:
        if newer.of == chain.of and newer.epoch == chain.epoch + 1:
            # The late entries are those after the one whose hash the genesis holds: the last that fits.
            for row in reversed(ledger[chain]):
                for reason in GenesisReason:
                    if Sequencer.begin(newer, reason, head_of(row)).prev_hash == ledger[newer][0].prev_hash:
                        return newer, row.seq
    return None, None


def _tail(ledger, chain, first, committed, what):
    """What must be found where nothing is wrong within the chain, but the entries from `first` are not the same."""
    newer, head = committed
    if newer is not None and head >= first:
        return Expected(what, newer, 0)
    return Expected(what, chain, ledger.last[chain], needs_heads=True)


def _change(random, ledger, chain, count):
    seq = random.randrange(count)
    row = ledger[chain][seq]
    column = random.choice(
        ["key", "value", "headers", "offset", "timestamp", "record_hash", "prev_hash", "entry_hash", "gap_first", "kind",
         "status", "log_time", "source", "id", "subject", "actor", "correlationid", "time_us", "mode"]
    )  # fmt: skip
    old = getattr(row, column)
    if column == "headers":
        new = (*old, (b"x", None))
    elif column in ("key", "value"):
        new = random.choice([EVIL, b"", (old or b"") + b"\n", None])
    elif column in ("record_hash", "prev_hash", "entry_hash"):
        new = random.randbytes(32)
    elif isinstance(old, int) or old is None:
        new = (old or 0) + random.choice([-1, 1, 1000])
    else:
        new = f"{old}x"
    if new == old:
        return None
    ledger[chain][seq] = row._replace(**{column: new})
    return Expected(f"{column} changed", chain, seq)


def _delete(random, ledger, chain, count):
    first = random.randrange(count)
    last = min(count - 1, first + random.choice([0, 0, 1, 5, 100]))
    committed = _committed(ledger, chain)
    del ledger[chain][first : last + 1]
    if last < count - 1:
        return Expected("entries deleted", chain, first)
    if not first:
        del ledger[chain]
    elif ledger[chain][-1].kind == GAP:
        return Expected("cut off after a gap", chain, first - 1)
    return _tail(ledger, chain, first, committed, "cut off")


def _swap(random, ledger, chain, count):
    if count < 2:
        return None
    one, two = sorted(random.sample(range(count), 2))
    rows = ledger[chain]
    rows[one], rows[two] = rows[two]._replace(seq=one), rows[one]._replace(seq=two)
    return Expected("entries swapped", chain, one)


def _swap_values(random, ledger, chain, count):
    if count < 2:
        return None
    one, two = sorted(random.sample(range(count), 2))
    rows = ledger[chain]
    first, second = rows[one].value, rows[two].value
    if first == second:
        return None
    rows[one], rows[two] = rows[one]._replace(value=second), rows[two]._replace(value=first)
    return Expected("values swapped", chain, one)


def _fork(random, ledger, chain, count):
    seq = random.randrange(count)
    row = ledger[chain][seq]
    if row.kind == GAP:
        return None
    forged = [*ledger[chain][:seq], row._replace(value=(row.value or b"") + b" ")]
    relink(forged, seq)
    ledger[chain].insert(seq + random.randint(0, 1), forged[seq]._replace(log_time=row.log_time))
    return Expected("another row inserted", chain, seq)


def _smuggle(random, ledger, chain, _count):
    gaps = [row.seq for row in ledger[chain] if row.kind == GAP]
    if not gaps:
        return None
    seq = random.choice(gaps)
    what = random.choice([{"value": b"x"}, {"key": b""}, {"headers": ((b"x", None),)}, {"id": "x"}, {"reason": "x"},
                          {"status": "valid"}, {"gap_first": ledger[chain][seq].gap_first + 1}, {"tenant": "x"}])  # fmt: skip
    ledger[chain][seq] = ledger[chain][seq]._replace(**what)
    return Expected(f"a gap with {', '.join(what)}", chain, seq)


def _relink(random, ledger, chain, count):
    """Change a valid record, and make hashes and links of a range or of the whole tail anew."""
    first = random.randrange(count)
    row = ledger[chain][first]
    if row.status != "valid":
        return None
    last = random.choice([count - 1, random.randrange(first, count)])
    committed = _committed(ledger, chain)
    log_time = row.log_time
    ledger[chain][first] = row._replace(value=EVIL)
    relink(ledger[chain], first, last)
    if not first:  # its log time goes on from the epoch before
        ledger[chain][:] = [one._replace(log_time=max(log_time, one.log_time)) for one in ledger[chain]]
    if last < count - 1:
        return Expected("a range linked again", chain, last + 1)
    return _tail(ledger, chain, first, committed, "the tail linked again")


def _drop_and_relink(random, ledger, chain, count):
    """Delete one entry, and number and link the rest anew: the offset tells."""
    seq = random.randrange(count - 1) if count > 1 else None
    if seq is None:
        return None
    rows = ledger[chain]
    genesis = rows[0].prev_hash
    del rows[seq]
    renumber(rows)
    rows[0] = rows[0]._replace(prev_hash=genesis)
    relink(rows, seq)
    return Expected("an entry dropped and the rest linked again", chain, seq)


_WAYS = (_change, _change, _delete, _delete, _swap, _swap_values, _fork, _smuggle, _relink, _relink, _drop_and_relink)
