"""Verification of one chain: feed its rows in order, get findings.

Every physical row is checked against its own hashes, and every position against the one before it:

    chain      the text of the chain is that of its columns
    content    record_hash follows from key, headers, value; entry_hash from prev_hash and the entry's text
    kind       a gap holds no content; a record has no first missing offset
    order      seq counts without holes; prev_hash is the entry hash before; an offset is the one after the last;
               a gap starts there instead, and a record follows it; log_time is the running maximum
    repeats    the same row again is the same entry; another row at the same position is a fork

A row that stands after a hole is not compared with what stands before the hole. The reason text is not compared:
no hash covers it. A judge, where one is given, reads the record again and its reading is compared with the columns.
"""

from collections.abc import Callable
from typing import NamedTuple

from modeltrail.events.judge import Judgement
from modeltrail.ledger.chain import parse_chain
from modeltrail.ledger.entry import GAP_TIMESTAMP, entry_hash, gap_hash, preimage, record_hash
from modeltrail.ledger.findings import Finding, Kind, finding
from modeltrail.ledger.row import GAP, RECORD, Row

__all__ = ["Before", "ChainVerifier", "Judge", "Link", "check_order"]

Judge = Callable[[str, bytes | None, tuple[tuple[bytes, bytes | None], ...], bytes | None], Judgement]
"""Reads a record: topic, key, headers, value."""

_STATUS_OF_RECORD = frozenset({"valid", "rejected"})
_MODE = Row._fields.index("mode")
_EMPTY_IN_GAP = tuple(None if name == "time_us" else "" for name in Row._fields[_MODE:])


class Before(NamedTuple):
    """What stands before the first row to check; None where it is not known and not compared."""

    seq: int
    offset: int | None
    log_time: int | None
    entry_hash: bytes | None
    kind: str = RECORD


class Link(NamedTuple):
    """A row as far as its place in the order of a chain is concerned."""

    seq: int
    offset: int
    timestamp: int
    log_time: int
    kind: str
    gap_first: int
    prev_hash: bytes
    entry_hash: bytes


def check_order(chain: str, before: Before | Link | Row, row: Link | Row) -> list[Finding]:
    """Compare a row with what stands before it; return what is wrong, most often nothing.

    A row after a hole is compared with nothing: what is missing is all that can be said.
    """
    if row.seq > before.seq + 1:
        first, last = before.seq + 1, row.seq - 1
        which = f"{first}" if first == last else f"{first} to {last}"
        return [finding(Kind.MISSING, chain, first, which)]
    found: list[Finding] = []
    if before.entry_hash is not None and row.prev_hash != before.entry_hash:
        found.append(finding(Kind.LINK, chain, row.seq))
    if before.offset is not None:
        begins = row.gap_first if row.kind == GAP else row.offset
        if begins != before.offset + 1:
            found.append(finding(Kind.OFFSET, chain, row.seq, f"expected {before.offset + 1}, found {begins}"))
        elif row.kind == GAP and before.kind == GAP:
            found.append(finding(Kind.OFFSET, chain, row.seq, "a gap follows a gap"))
    if before.log_time is not None:
        expected = max(before.log_time, row.timestamp)
        if row.log_time != expected:
            found.append(finding(Kind.LOG_TIME, chain, row.seq, f"expected {expected}, found {row.log_time}"))
    return found


class ChainVerifier:
    """Checks the rows of one chain, fed in the order (seq, entry_hash).

    `chain` is its text; ValueError where that is no chain's name.
    """

    def __init__(self, chain: str, before: Before, *, judge: Judge | None = None, contract: int = 0) -> None:
        self.chain = chain
        self.entries = 0
        """Positions seen, each counted once."""
        self.repeats = 0
        """Rows beyond the first at a position."""
        self._parts = parse_chain(chain)
        self._text = chain.encode()
        self._judge = judge
        self._contract = contract
        self._before = before
        self._last: Row | None = None
        self._seq = before.seq

    @property
    def last(self) -> Row | None:
        """The row that was fed last."""
        return self._last

    def feed(self, row: Row) -> list[Finding]:
        """Check the next row; return what is wrong with it, most often nothing.

        Raises ValueError where rows do not come in order.
        """
        if row.seq <= self._seq:
            return self._repeat(row)
        found = check_order(self.chain, self._last or self._before, row)
        self._content(row, found)
        self.entries += 1
        self._last = row
        self._seq = row.seq
        return found

    def finish(self) -> list[Finding]:
        """Return what is wrong with where the chain ends; to be called when its last row was fed."""
        if self._last is not None and self._last.kind == GAP:
            return [finding(Kind.ENDS_IN_GAP, self.chain, self._last.seq)]
        return []

    def _repeat(self, row: Row) -> list[Finding]:
        last = self._last
        if last is None or row.seq < self._seq:
            raise ValueError(f"{self.chain}: seq {row.seq} was fed after {self._seq}")
        self.repeats += 1
        if row == last:
            return []
        found: list[Finding] = []
        if row.entry_hash != last.entry_hash:
            found.append(finding(Kind.FORK, self.chain, row.seq, "their entry hashes differ"))
        elif row.contract != last.contract:
            found.append(finding(Kind.JUDGED_DIFFERENTLY, self.chain, row.seq))
        elif _unhashed(row) != _unhashed(last):
            found.append(finding(Kind.FORK, self.chain, row.seq, "columns that no hash covers differ"))
        if row.log_time != last.log_time:
            found.append(finding(Kind.LOG_TIME, self.chain, row.seq))
        self._content(row, found)
        self._last = row
        return found

    def _content(self, row: Row, found: list[Finding]) -> None:
        if row.chain != self._parts:
            found.append(finding(Kind.CHAIN_NAME, self.chain, row.seq, f"they say {row.chain}"))
        if row.kind == GAP:
            digest = gap_hash(row.gap_first, row.offset)
            self._gap(row, found)
        else:
            digest = record_hash(row.key, row.headers, row.value)
            if row.kind != RECORD or row.gap_first != 0 or row.status not in _STATUS_OF_RECORD:
                detail = f"kind {row.kind!r}, status {row.status!r}, first missing {row.gap_first}"
                found.append(finding(Kind.KIND, self.chain, row.seq, detail))
            elif self._judge is not None:
                self._judgement(row, self._judge, found)
        if digest != row.record_hash:
            found.append(finding(Kind.RECORD_HASH, self.chain, row.seq))
        text = preimage(self._text, row.seq, row.offset, row.timestamp, row.record_hash)
        if entry_hash(row.prev_hash, text) != row.entry_hash:
            found.append(finding(Kind.ENTRY_HASH, self.chain, row.seq))

    def _gap(self, row: Row, found: list[Finding]) -> None:
        wrong = [
            name
            for name, holds in (
                ("key", row.key is None),
                ("headers", not row.headers),
                ("value", row.value is None),
                ("timestamp", row.timestamp == GAP_TIMESTAMP),
                ("first missing offset", 0 <= row.gap_first <= row.offset),
                ("status", row.status == GAP),
                ("reason", row.reason_class == "" and row.reason == ""),
                ("envelope", tuple(row[_MODE:]) == _EMPTY_IN_GAP),
            )
            if not holds
        ]
        if wrong:
            found.append(finding(Kind.GAP_CONTENT, self.chain, row.seq, ", ".join(wrong)))

    def _judgement(self, row: Row, judge: Judge, found: list[Finding]) -> None:
        read = judge(row.chain.topic, row.key, row.headers, row.value)
        if (row.status, row.reason_class) == (read.status, read.reason_class) and row[_MODE:] == _envelope(read):
            return
        differing = [name for name in _JUDGED if getattr(row, name) != getattr(read, name)]
        if row.contract == self._contract:
            kind = Kind.JUDGEMENT
        else:
            # Whoever changes a column could write any number beside it: only a version that there was excuses it.
            known = _FIRST_CONTRACT <= row.contract < self._contract
            kind = Kind.JUDGED_DIFFERENTLY if known else Kind.UNKNOWN_CONTRACT
        found.append(finding(kind, self.chain, row.seq, ", ".join(differing)))


_FIRST_CONTRACT = 1
_JUDGED = ("status", "reason_class", *Row._fields[_MODE:])


def _unhashed(row: Row) -> tuple[object, ...]:
    return (row.status, row.reason_class, *row[_MODE:])


def _envelope(read: Judgement) -> tuple[object, ...]:
    return (
        read.mode,
        read.source,
        read.id,
        read.type,
        read.subject,
        read.time_us,
        read.actor,
        read.tenant,
        read.sequence,
        read.traceparent,
        read.correlationid,
        read.causationid,
        read.retentionclass,
    )
