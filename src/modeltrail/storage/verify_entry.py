"""One entry and its neighbours, read from the ledger and checked here."""

from collections.abc import Sequence
from typing import NamedTuple

from modeltrail.errors import ConfigurationError, NotVerifiableError
from modeltrail.ledger.chain import Chain, parse_chain
from modeltrail.ledger.entry import GenesisReason, genesis_hash
from modeltrail.ledger.findings import Finding, Kind, finding
from modeltrail.ledger.row import Row
from modeltrail.ledger.verification import Before, ChainVerifier, Judge
from modeltrail.storage.verify_reader import LedgerReader, Position

__all__ = ["EntryFound", "find_by_hash", "find_by_id", "find_position", "read_entry"]


class EntryFound(NamedTuple):
    """What stands at a position.

    `rows` are the different rows there: one, unless the chain forks. `linked` says whether the first of them follows
    from the entry before (or from the genesis of a first epoch), None where that could not be checked.
    """

    chain: str
    seq: int
    rows: tuple[Row, ...]
    before: Row | None
    after: Row | None
    linked: bool | None
    findings: tuple[Finding, ...]


def find_position(reader: LedgerReader, place: str, seq: int) -> Position:
    """Return the position that `place` and `seq` name.

    `place` is a chain's text, TOPIC/PARTITION (its newest epoch) or TOPIC/PARTITION/EPOCH. Raises ConfigurationError
    for anything else and where chains of several clusters fit, NotVerifiableError where no chain does.
    """
    try:
        return str(parse_chain(place)), seq
    except ValueError:
        pass
    topic, *numbers = place.split("/")
    if not topic or len(numbers) not in (1, 2) or not all(part.isascii() and part.isdecimal() for part in numbers):
        raise ConfigurationError(f"{place!r}: expected TOPIC/PARTITION, TOPIC/PARTITION/EPOCH or a chain")
    if int(numbers[0]) >= 2**32:
        raise ConfigurationError(f"{place!r}: a partition is a number below 2^32")
    rows = reader.rows("chains_of", topic=topic, partition=int(numbers[0]))
    chains = [chain for row in rows if (chain := _parsed(row[0])) is not None]
    if len(numbers) == 2:
        chains = [chain for chain in chains if chain.epoch == int(numbers[1])]
    if not chains:
        raise NotVerifiableError(f"the ledger has no chain of {place}")
    if len({chain.cluster for chain in chains}) > 1:
        names = ", ".join(sorted(str(chain) for chain in chains)[:8])
        raise ConfigurationError(f"{place!r}: chains of several clusters fit; name one: {names}")
    return str(max(chains, key=lambda chain: chain.order)), seq


def _parsed(text: str) -> Chain | None:
    try:
        return parse_chain(text)
    except ValueError:
        return None  # `verify` reports a name that is none; nothing can be looked up under it


def find_by_id(reader: LedgerReader, source: str, event_id: str) -> Sequence[Position]:
    """Return where an event stands, in the order that counts: the first one does, later ones are repeats."""
    found = [(chain, seq) for chain, seq in reader.rows("by_id", source=source, id=event_id)]
    if not found:
        raise NotVerifiableError(f"the ledger has no event {event_id!r} of source {source!r}")
    return found


def find_by_hash(reader: LedgerReader, digest: str) -> Sequence[Position]:
    """Return where an entry with this hash (64 hex digits) stands."""
    wanted = digest.lower()
    if len(wanted) != 64 or any(character not in "0123456789abcdef" for character in wanted):
        raise ConfigurationError(f"--hash {digest!r}: expected the 64 hex digits of an entry hash")
    found = [(chain, seq) for chain, seq in reader.rows("by_hash", hash=wanted)]
    if not found:
        raise NotVerifiableError(f"the ledger has no entry {wanted}")
    return found


def read_entry(reader: LedgerReader, position: Position, *, judge: Judge | None, contract: int) -> EntryFound:
    """Read what stands at `position` with its neighbours, and compute its hashes again.

    Raises NotVerifiableError where nothing stands there.
    """
    chain, seq = position
    near: dict[int, list[Row]] = {}
    for row in reader.stream(chain, seq - 1, seq + 1):
        rows = near.setdefault(row.seq, [])
        if row not in rows:
            rows.append(row)
    if seq not in near:
        raise NotVerifiableError(f"{chain}: the ledger has no entry at seq {seq}")
    before, row = near.get(seq - 1, [None])[-1], near[seq][0]
    start = Before(seq - 1, None, None, None)
    if before is not None:
        start = Before(before.seq, before.offset, before.log_time, before.entry_hash, before.kind)
    verifier = ChainVerifier(chain, start, judge=judge, contract=contract)
    findings = [found for each in near[seq] for found in verifier.feed(each)]
    linked = None if before is None else row.prev_hash == before.entry_hash
    if seq == 0 and parse_chain(chain).epoch == 0:
        linked = row.prev_hash == genesis_hash(chain.encode(), None, GenesisReason.START)
        if not linked:
            findings.append(finding(Kind.GENESIS, chain, 0))
    return EntryFound(
        chain,
        seq,
        tuple(near[seq]),
        before,
        near.get(seq + 1, [None])[0],
        linked,
        tuple(sorted(findings, key=lambda found: found.order)),
    )
