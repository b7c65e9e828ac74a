"""The sequencer: a fold over one partition in offset order.

    offset <  next    CHAINED   already in the chain: compare it, never append it
    offset == next    NEXT      append it
    offset >  next    HOLE      append nothing until the broker was asked which offsets exist

It holds no clock, no random number and no identity of a worker: two workers that fold the same records from the
same head make the same bytes.
"""

from binascii import hexlify
from collections.abc import Sequence
from enum import Enum
from hashlib import sha256
from itertools import accumulate
from typing import NamedTuple

from modeltrail.events.judge import Judgement
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entries import GAP_JUDGEMENT, Run
from modeltrail.ledger.entry import (
    GAP_TIMESTAMP,
    GenesisReason,
    entry_hash,
    gap_hash,
    genesis_hash,
    preimage,
    preimage_format,
)
from modeltrail.ledger.records import Record, Records
from modeltrail.ledger.row import GAP, RECORD, Row

__all__ = ["Head", "Position", "Record", "Sequencer"]


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

    __slots__ = ("_chain_text", "_linked", "chain", "log_time", "next_offset", "next_seq", "prev_hash")

    def __init__(self, chain: Chain, *, next_seq: int, next_offset: int, prev_hash: bytes, log_time: int) -> None:
        self.chain = chain
        self.next_seq = next_seq
        self.next_offset = next_offset
        self.prev_hash = prev_hash
        self.log_time = log_time
        self._chain_text = str(chain).encode()
        # The preimage after prev_hash as one format, so that nothing is copied twice.
        self._linked = preimage_format(self._chain_text)

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

    def extend(self, records: Records, judgements: Sequence[Judgement], contract: int) -> Run:
        """Append records in offset order, and a gap before each that is not the next one.

        The same entries as `append` and `append_gap` make one by one. `records` are not empty; ValueError where one of
        them was appended already.
        As with `append_gap`, whoever calls has asked the broker about every hole.
        """
        digests = records.digests()
        judged = list(judgements)
        gaps: dict[int, int] = {}
        if not records.follow(self.next_offset):
            records, digests, judged, gaps = self._with_gaps(records, digests, judged)
        offsets, timestamps = records.offsets, records.timestamps
        log_times = list(accumulate(timestamps, max, initial=self.log_time))[1:]
        first_seq, first_prev, link, linked = self.next_seq, self.prev_hash, self.prev_hash, self._linked
        entry_hashes = [
            link := sha256(linked % (link, seq, offset, timestamp, hexlify(digest))).digest()
            for seq, offset, timestamp, digest in zip(
                range(first_seq, first_seq + len(offsets)), offsets, timestamps, digests, strict=True
            )
        ]
        self.log_time = log_times[-1]
        self.next_seq += len(offsets)
        self.next_offset = offsets[-1] + 1
        self.prev_hash = link
        columns = tuple(zip(*judged, strict=True))
        return Run(
            self.chain, first_seq, records, log_times, gaps, digests, first_prev, entry_hashes, columns, contract
        )

    def _with_gaps(
        self, records: Records, digests: list[bytes], judgements: list[Judgement]
    ) -> tuple[Records, list[bytes], list[Judgement], dict[int, int]]:
        """Return the same columns with gaps among them, and the first missing offset of each gap by its place."""
        offsets, expected = records.offsets, self.next_offset
        before = [at for at, offset in enumerate(offsets) if offset != (offsets[at - 1] + 1 if at else expected)]
        whole, all_digests, all_judgements = Records.of(()), list[bytes](), list[Judgement]()
        gaps: dict[int, int] = {}
        for begin, end in zip([0, *before], [*before, len(offsets)], strict=True):
            whole.extend(records[begin:end])
            all_digests += digests[begin:end]
            all_judgements += judgements[begin:end]
            if end == len(offsets):
                break
            expected = offsets[end - 1] + 1 if end else self.next_offset
            if offsets[end] < expected:
                raise ValueError(f"{self.chain}: offset {offsets[end]} is not the next one, {expected}")
            gaps[len(all_digests)] = expected
            last = offsets[end] - 1
            whole.extend(Records([last], [GAP_TIMESTAMP], [None], [()], [None]))
            all_digests.append(gap_hash(expected, last))
            all_judgements.append(GAP_JUDGEMENT)
        return whole, all_digests, all_judgements, gaps

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
