"""A row of the ledger: the entry with everything that is stored beside it.

The order of the fields is the order of the columns of the table `ledger`, but for the parts of the chain, which
follow from its text, and `appended_at`, which belongs to the insert.
"""

from typing import NamedTuple

from modeltrail.ledger.chain import Chain

__all__ = ["GAP", "RECORD", "Row"]

RECORD = "record"
GAP = "gap"


class Row(NamedTuple):
    """One entry. Times are milliseconds since 1970 but for `time_us`, which is microseconds."""

    chain: Chain
    seq: int
    offset: int
    timestamp: int
    log_time: int
    kind: str
    gap_first: int
    key: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...]
    value: bytes | None
    record_hash: bytes
    prev_hash: bytes
    entry_hash: bytes
    status: str
    reason_class: str
    reason: str
    contract: int
    mode: str
    source: str
    id: str
    type: str
    subject: str
    time_us: int | None
    actor: str
    tenant: str
    sequence: str
    traceparent: str
    correlationid: str
    causationid: str
    retentionclass: str
