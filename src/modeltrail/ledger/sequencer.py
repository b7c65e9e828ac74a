"""The sequencer: a fold over one partition in offset order.

    offset <  next    CHAINED   already in the chain: compare it, never append it
    offset == next    NEXT      append it
    offset >  next    HOLE      append nothing until the broker was asked which offsets exist

It holds no clock, no random number and no identity of a worker: two workers that fold the same records from the
same head make the same bytes.
"""

from enum import Enum
from typing import NamedTuple

from modeltrail.events.judge import Judgement
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GAP_TIMESTAMP, GenesisReason, entry_hash, gap_hash, genesis_hash, preimage
from modeltrail.ledger.entry import record_hash as hash_record
from modeltrail.ledger.row import GAP, RECORD, Row

__all__ = ["Head", "Position", "Record", "Sequencer"]


class Record(NamedTuple):
    """A committed Kafka record, as it came from the broker. `timestamp` is in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...]
    value: bytes | None

    def digest(self) -> bytes:
        """Its record hash, 32 bytes."""
        return hash_record(self.key, self.headers, self.value)


class Head(NamedTuple):
    """The last entry of a chain, as the ledger holds it. A head is a record: a gap is never the last entry."""

    chain: Chain
    seq: int
    offset: int
    timestamp: int
    log_time: int
    record_hash: bytes
    entry_hash: bytes


class Position(Enum):
    """Where an offset stands, seen from a chain."""

    CHAINED = "chained"
    NEXT = "next"
    HOLE = "hole"


class Sequencer:
    """Appends to one chain. Not to be shared between threads."""

    __slots__ = ("_chain_text", "chain", "log_time", "next_offset", "next_seq", "prev_hash")

    def __init__(self, chain: Chain, *, next_seq: int, next_offset: int, prev_hash: bytes, log_time: int) -> None:
        self.chain = chain
        self.next_seq = next_seq
        self.next_offset = next_offset
        self.prev_hash = prev_hash
        self.log_time = log_time
        self._chain_text = str(chain).encode()

    @classmethod
    def begin(cls, chain: Chain, reason: GenesisReason, old_head: Head | None) -> "Sequencer":
        """Begin an epoch. `old_head` is the head of the epoch before, None for the first epoch."""
        old_hash = None if old_head is None else old_head.entry_hash
        return cls(
            chain,
            next_seq=0,
            next_offset=chain.first_offset,
            prev_hash=genesis_hash(str(chain).encode(), old_hash, reason),
            log_time=GAP_TIMESTAMP if old_head is None else old_head.log_time,
        )

    @classmethod
    def resume(cls, head: Head) -> "Sequencer":
        """Go on after the last entry of a chain."""
        return cls(
            head.chain,
            next_seq=head.seq + 1,
            next_offset=head.offset + 1,
            prev_hash=head.entry_hash,
            log_time=head.log_time,
        )

    def position(self, offset: int) -> Position:
        """Where `offset` stands; the table at the top of this module."""
        if offset == self.next_offset:
            return Position.NEXT
        return Position.CHAINED if offset < self.next_offset else Position.HOLE

    def append(self, record: Record, digest: bytes, judgement: Judgement, contract: int) -> Row:
        """Append the next record; `digest` is its record hash. ValueError where it is not the next one."""
        if record.offset != self.next_offset:
            raise ValueError(f"{self.chain}: offset {record.offset} is not the next one, {self.next_offset}")
        self.log_time = max(self.log_time, record.timestamp)
        text = preimage(self._chain_text, self.next_seq, record.offset, record.timestamp, digest)
        link = entry_hash(self.prev_hash, text)
        row = Row(
            self.chain,
            self.next_seq,
            record.offset,
            record.timestamp,
            self.log_time,
            RECORD,
            0,
            record.key,
            record.headers,
            record.value,
            digest,
            self.prev_hash,
            link,
            judgement.status,
            judgement.reason_class,
            judgement.reason,
            contract,
            judgement.mode,
            judgement.source,
            judgement.id,
            judgement.type,
            judgement.subject,
            judgement.time_us,
            judgement.actor,
            judgement.tenant,
            judgement.sequence,
            judgement.traceparent,
            judgement.correlationid,
            judgement.causationid,
            judgement.retentionclass,
        )
        self.next_seq += 1
        self.next_offset += 1
        self.prev_hash = link
        return row

    def append_gap(self, last_missing: int, contract: int) -> Row:
        """Append a gap from the next offset to `last_missing`: offsets that hold no committed record.

        To be called only when the broker was asked, and only together with the record that follows.
        """
        first_missing = self.next_offset
        if last_missing < first_missing:
            raise ValueError(f"{self.chain}: a gap that ends at {last_missing} cannot begin at {first_missing}")
        digest = gap_hash(first_missing, last_missing)
        text = preimage(self._chain_text, self.next_seq, last_missing, GAP_TIMESTAMP, digest)
        link = entry_hash(self.prev_hash, text)
        row = Row(
            self.chain,
            self.next_seq,
            last_missing,
            GAP_TIMESTAMP,
            self.log_time,
            GAP,
            first_missing,
            None,
            (),
            None,
            digest,
            self.prev_hash,
            link,
            GAP,
            "",
            "",
            contract,
            *("",) * 5,
            None,
            *("",) * 7,
        )
        self.next_seq += 1
        self.next_offset = last_missing + 1
        self.prev_hash = link
        return row
