"""Verification across the chains of a partition: epochs, what each begins with, and what landed late.

    epoch 0      begins with genesis(chain, no head, start)
    epoch n      begins with genesis(chain, head of a chain of epoch n - 1, replaced or retention)

The head that an epoch commits to was the last entry of the older chain *at that time*. If the older chain is longer
today, the entries after that one are late blocks: valid, listed, no fault. If no entry of an older chain fits, the
older chain was changed. Chains of one epoch number are siblings.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entry import GAP_TIMESTAMP, GenesisReason, genesis_hash
from modeltrail.ledger.findings import Finding, Kind, finding
from modeltrail.ledger.verification import Before

__all__ = ["ChainEnds", "CommittedHead", "Edge", "EpochsChecked", "HeadSearch", "check_epochs", "is_genesis"]

_LATER = (GenesisReason.REPLACED, GenesisReason.RETENTION)


class Edge(NamedTuple):
    """The first or the last entry of a chain, as far as epochs are concerned with it."""

    seq: int
    log_time: int
    prev_hash: bytes
    entry_hash: bytes


class ChainEnds(NamedTuple):
    """A chain with its first and its last entry."""

    chain: Chain
    first: Edge
    last: Edge


class CommittedHead(NamedTuple):
    """The entry of an older chain that a genesis commits to."""

    chain: Chain
    seq: int
    log_time: int


class HeadSearch(Protocol):
    """Looks through all entries of a chain."""

    def __call__(self, older: Chain, newer: Chain, genesis: bytes) -> Edge | None:
        """Return the entry of `older` for which `is_genesis(genesis, newer, its hash)`, None if there is none."""
        ...


class EpochsChecked(NamedTuple):
    """Findings, and for each chain what stands before its first entry."""

    findings: list[Finding]
    before: dict[Chain, Before]
    committed: dict[Chain, CommittedHead]


def is_genesis(value: bytes, chain: Chain, old_head: bytes) -> bool:
    """Whether `value` begins `chain`, a later epoch, on top of `old_head`."""
    text = str(chain).encode()
    return any(value == genesis_hash(text, old_head, reason) for reason in _LATER)


def check_epochs(
    chains: Iterable[ChainEnds], search: HeadSearch, *, selected: frozenset[Chain] | None = None
) -> EpochsChecked:
    """Check how the chains of a ledger follow each other.

    `chains` are all chains of the ledger; findings are made for `selected` ones only, None for all.
    """
    partitions: dict[PartitionId, list[ChainEnds]] = defaultdict(list)
    for ends in chains:
        partitions[ends.chain.of].append(ends)
    result = EpochsChecked([], {}, {})
    for members in partitions.values():
        _partition(sorted(members, key=lambda ends: ends.chain.order), search, selected, result)
    return result


def _partition(
    members: Sequence[ChainEnds], search: HeadSearch, selected: frozenset[Chain] | None, result: EpochsChecked
) -> None:
    epochs: dict[int, list[ChainEnds]] = defaultdict(list)
    for ends in members:
        epochs[ends.chain.epoch].append(ends)
    late: dict[Chain, int] = {}
    for ends in members:
        chain = ends.chain
        if selected is not None and chain not in selected:
            continue
        for sibling in epochs[chain.epoch]:
            if sibling.chain != chain:
                result.findings.append(finding(Kind.SIBLING, str(chain), None, str(sibling.chain)))
        committed = _begin(ends, epochs, search, result)
        if committed is not None:
            result.committed[chain] = committed
            late[committed.chain] = max(late.get(committed.chain, -1), committed.seq)
    _late_blocks(members, late, result)


def _begin(
    ends: ChainEnds, epochs: Mapping[int, list[ChainEnds]], search: HeadSearch, result: EpochsChecked
) -> CommittedHead | None:
    chain, first = ends.chain, ends.first
    text = str(chain)
    start = chain.first_offset - 1
    result.before[chain] = Before(-1, start, None, None)
    if first.seq != 0:  # the entry that held the genesis is missing, which the chain's own verification tells
        return None
    if chain.epoch == 0:
        if first.prev_hash == genesis_hash(text.encode(), None, GenesisReason.START):
            result.before[chain] = Before(-1, start, GAP_TIMESTAMP, first.prev_hash)
        else:
            result.findings.append(finding(Kind.GENESIS, text, 0, "expected the genesis of a first epoch"))
        return None
    older = epochs.get(chain.epoch - 1, [])
    if not older:
        result.findings.append(finding(Kind.EPOCH_MISSING, text, 0, f"epoch {chain.epoch - 1}"))
        return None
    committed = _committed(first.prev_hash, chain, older, search)
    if committed is None:
        names = ", ".join(str(candidate.chain) for candidate in older)
        result.findings.append(finding(Kind.GENESIS, text, 0, f"it fits no entry of {names}"))
        return None
    result.before[chain] = Before(-1, start, committed.log_time, first.prev_hash)
    return committed


def _committed(genesis: bytes, chain: Chain, older: Sequence[ChainEnds], search: HeadSearch) -> CommittedHead | None:
    for ends in reversed(older):  # the greatest first offset is the one that a worker goes on from
        if is_genesis(genesis, chain, ends.last.entry_hash):
            return CommittedHead(ends.chain, ends.last.seq, ends.last.log_time)
    for ends in reversed(older):
        edge = search(ends.chain, chain, genesis)
        if edge is not None:
            return CommittedHead(ends.chain, edge.seq, edge.log_time)
    return None


def _late_blocks(members: Sequence[ChainEnds], late: Mapping[Chain, int], result: EpochsChecked) -> None:
    for ends in members:
        seq = late.get(ends.chain)
        if seq is not None and seq < ends.last.seq:
            detail = f"{seq + 1} to {ends.last.seq}, {ends.last.seq - seq} in number"
            result.findings.append(finding(Kind.LATE_BLOCK, str(ends.chain), seq + 1, detail))
