"""What is announced: receipts and rejects after an insert, and the ledger's own alerts. Pure."""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

from modeltrail.events.alerts import AlertRaised
from modeltrail.events.encode import Event
from modeltrail.events.notices import Block, Reject
from modeltrail.events.refusal import ReasonClass
from modeltrail.ingest.lane import Again
from modeltrail.ingest.protocols import Notices, Opening
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entries import STATUS, TYPE, Entries
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.row import GAP, Row
from modeltrail.ledger.sequencer import Record

__all__ = ["alert", "announce", "epoch_alert", "late_block_alert", "partition_alert"]

REJECT_PAYLOAD_LIMIT = 600_000
"""Bytes of key, headers and value that still fit into a reject of a broker's default maximum of 1 MB in base64."""

ALERT_SOURCE = "modeltrail/ledger"


def announce(shares: Iterable[tuple[Entries, Sequence[Again]]]) -> Notices:
    """Make the messages of one commit: of each lane its newly stored rows and those that were read again."""
    blocks: list[Block] = []
    rejects: list[Reject] = []
    for rows, again in shares:
        for chain, group in groupby(again, key=lambda item: item.stored.chain):
            items = list(group)
            blocks.append(_block_of_again(chain, items))
            rejects.extend(_reject_of_again(item) for item in items if item.judgement.status == "rejected")
        if rows:
            blocks.append(_block(rows))
            rejects.extend(_reject(row) for row in rows.rejected())
    return Notices(blocks, rejects, ())


def _block(rows: Entries) -> Block:
    first, last = rows[0], rows[-1]
    min_time, max_time = rows.times()
    statuses, types = Counter(rows.judged(STATUS)), Counter(rows.judged(TYPE))
    types.pop("", None)
    return Block(
        chain=str(first.chain),
        first_seq=first.seq,
        last_seq=last.seq,
        first_offset=first.gap_first if first.kind == GAP else first.offset,
        last_offset=last.offset,
        head=last.entry_hash.hex(),
        min_time=min_time,
        max_time=max_time,
        rows=dict(types),
        rejected=statuses["rejected"],
        gaps=statuses[GAP],
    )


def _block_of_again(chain: Chain, items: Sequence[Again]) -> Block:
    first, last = items[0].stored, items[-1].stored
    return Block(
        chain=str(chain),
        first_seq=first.seq,
        last_seq=last.seq,
        first_offset=first.offset,
        last_offset=last.offset,
        head=last.entry_hash.hex(),
        min_time=min(item.stored.timestamp for item in items),
        max_time=max(item.stored.timestamp for item in items),
        rows=dict(Counter(item.judgement.type for item in items if item.judgement.type)),
        rejected=sum(item.judgement.status == "rejected" for item in items),
        gaps=(last.seq - first.seq + 1) - len(items),
    )


def _reject(row: Row) -> Reject:
    record = Record(row.offset, row.timestamp, row.key, row.headers, row.value)
    return _make_reject(row.chain, row.seq, record, row.record_hash, row.reason, row.reason_class)


def _reject_of_again(item: Again) -> Reject:
    stored = item.stored
    return _make_reject(
        stored.chain, stored.seq, item.record, stored.record_hash, item.judgement.reason, item.judgement.reason_class
    )


def _make_reject(chain: Chain, seq: int, record: Record, digest: bytes, reason: str, reason_class: str) -> Reject:
    size = len(record.key or b"") + len(record.value or b"")
    size += sum(len(name) + len(content or b"") + 16 for name, content in record.headers)
    fits = size <= REJECT_PAYLOAD_LIMIT
    return Reject(
        chain=str(chain),
        seq=seq,
        offset=record.offset,
        timestamp=record.timestamp,
        record_hash=digest.hex(),
        reason=reason,
        reason_class=ReasonClass(reason_class).value,
        payload_included=fits,
        key_base64=_b64(record.key) if fits else None,
        headers_base64=[(_b64(name) or "", _b64(content)) for name, content in record.headers] if fits else [],
        value_base64=_b64(record.value) if fits else None,
    )


def _b64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def alert(
    kind: str, condition: str, *, severity: str, subject: str, message: str, evidence: dict[str, object], now_ms: int
) -> Event:
    """Make an `alert.raised`. Its id follows from kind and condition: a repeat is recognised as one."""
    alert_id = hashlib.sha256(f"{kind}\n{condition}\n".encode()).hexdigest()
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    data = AlertRaised.model_validate(
        {
            "alert_id": alert_id,
            "kind": kind,
            "severity": severity,
            "subject": subject,
            "message": message,
            "opened_at": now.isoformat(timespec="milliseconds"),
            "evidence": evidence,
        }
    )
    return Event.of(data, source=ALERT_SOURCE, actor="modeltrail", id=alert_id, time=now, subject=subject)


def epoch_alert(opening: Opening, *, now_ms: int, memory_only: bool) -> Event:
    """Say that a new epoch began and why. On a broker that keeps nothing this is no more than information."""
    chain, old = opening.chain, opening.old_head
    before = f"{old.chain} seq {old.seq} offset {old.offset}"
    if opening.reason is GenesisReason.RETENTION and chain.first_offset > old.offset + 1:
        message = (
            f"{chain.of}: records {old.offset + 1} to {chain.first_offset - 1} were deleted from the log before they"
            f" were chained; a new epoch begins at offset {chain.first_offset} (before it: {before})"
        )
    elif opening.reason is GenesisReason.RETENTION:
        message = (
            f"{chain.of}: the store lost the beginning of {old.chain}, and the log does not hold all of it any more;"
            f" a new epoch begins at offset {chain.first_offset} (before it: {before})"
        )
    else:
        message = (
            f"{chain.of}: the log is not the one that was chained (topic re-created, log torn, compacted or reset);"
            f" a new epoch begins at offset {chain.first_offset} (before it: {before})"
        )
    return alert(
        "epoch_opened",
        str(chain),
        severity="info" if memory_only else "critical",
        subject=str(chain.of),
        message=message,
        evidence={
            "chain": str(chain),
            "reason": str(opening.reason),
            "old_chain": str(old.chain),
            "old_seq": old.seq,
            "old_head": old.entry_hash.hex(),
        },
        now_ms=now_ms,
    )


def late_block_alert(chain: Chain, first_seq: int, last_seq: int, *, now_ms: int) -> Event:
    """Say that entries landed in an epoch after the next one had begun. They are valid."""
    return alert(
        "late_block",
        f"{chain}\n{first_seq}\n{last_seq}",
        severity="warning",
        subject=str(chain.of),
        message=(
            f"{chain}: entries {first_seq} to {last_seq} were stored after the next epoch had begun;"
            " they are valid and listed by verification"
        ),
        evidence={"chain": str(chain), "first_seq": first_seq, "last_seq": last_seq},
        now_ms=now_ms,
    )


def partition_alert(kind: str, partition: PartitionId, condition: str, message: str, *, now_ms: int) -> Event:
    """Say that a partition (partition_stopped) or a chain (chain_refused) is out of service."""
    return alert(
        kind,
        f"{partition.prefix}\n{condition}",
        severity="critical",
        subject=str(partition),
        message=f"{partition}: {message}",
        evidence={"partition": str(partition), "condition": condition},
        now_ms=now_ms,
    )
