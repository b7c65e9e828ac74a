r"""The entry, format version 1: the bytes that are hashed, and nothing else.

What is hashed is text, so that anyone can recompute it in any language, SQL included:

    record_hash = SHA-256( netstring(key) netstring(headers) netstring(value) )
    netstring(b) = <decimal length> ":" <bytes> ","        a null key, header value or value is "-,"
    headers     = for each header in record order: netstring(name) netstring(value)

    preimage    = "modeltrail-entry/v1\n"
                  <chain> "\n"
                  <seq> "\n"               decimal, from 0
                  <offset> "\n"            decimal Kafka offset
                  <timestamp> "\n"         decimal Kafka record timestamp, milliseconds
                  <record_hash> "\n"       64 lowercase hex digits

    entry_hash  = SHA-256( prev_hash preimage )            prev_hash: 32 raw bytes
    genesis     = SHA-256( "modeltrail-genesis/v1\n" <chain> "\n" <old head, hex, or "-"> "\n" <reason> "\n" )
    leaf_hash   = SHA-256( 0x00 preimage )                 RFC 6962, section 2.1
    gap         : record_hash = SHA-256( "gap\n" <first missing> "\n" <last missing> "\n" ),
                  offset = last missing, timestamp = -1

A change to any byte is a new version; old versions stay verifiable.
"""

from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256

__all__ = [
    "GAP_TIMESTAMP",
    "GenesisReason",
    "Headers",
    "entry_hash",
    "gap_hash",
    "genesis_hash",
    "leaf_hash",
    "netstring",
    "preimage",
    "preimage_format",
    "record_hash",
]

Headers = Iterable[tuple[bytes, bytes | None]]
"""Kafka headers in record order: name bytes (not always UTF-8) and value."""

GAP_TIMESTAMP = -1
"""A gap has no record and so no timestamp."""


class GenesisReason(StrEnum):
    """Why a chain begins."""

    START = "start"
    """The partition had never been chained."""
    RETENTION = "retention"
    """The log lost its beginning before it was read."""
    REPLACED = "replaced"
    """The log is not the one that was chained: topic re-created, torn tail, broker reset."""


def netstring(value: bytes | None) -> bytes:
    """`<decimal length>:<bytes>,`, or `-,` for null. After Bernstein's netstrings, plus null."""
    return b"-," if value is None else b"%d:%b," % (len(value), value)


def record_hash(key: bytes | None, headers: Headers, value: bytes | None) -> bytes:
    """SHA-256 (32 bytes) over a Kafka record as it was produced."""
    # Two netstrings in one format: with about ten headers a record this is half of the cost of hashing.
    packed = b"".join(
        [
            b"%d:%b,-," % (len(name), name)
            if content is None
            else b"%d:%b,%d:%b," % (len(name), name, len(content), content)
            for name, content in headers
        ]
    )
    return sha256(b"%b%d:%b,%b" % (netstring(key), len(packed), packed, netstring(value))).digest()


def gap_hash(first_missing: int, last_missing: int) -> bytes:
    """SHA-256 (32 bytes) that stands for the offsets first..last, which hold no committed record."""
    return sha256(b"gap\n%d\n%d\n" % (first_missing, last_missing)).digest()


def preimage(chain: bytes, seq: int, offset: int, timestamp: int, record_digest: bytes) -> bytes:
    """The text of an entry. `chain` is the chain's text in ASCII, `timestamp` milliseconds."""
    return b"modeltrail-entry/v1\n%b\n%d\n%d\n%d\n%b\n" % (
        chain,
        seq,
        offset,
        timestamp,
        record_digest.hex().encode(),
    )


def preimage_format(chain: bytes) -> bytes:
    """A format of prev_hash, seq, offset, timestamp and record hash in hex: what `entry_hash` hashes, in one step."""
    return b"%bmodeltrail-entry/v1\n" + chain.replace(b"%", b"%%") + b"\n%d\n%d\n%d\n%b\n"


def entry_hash(prev_hash: bytes, text: bytes) -> bytes:
    """SHA-256 (32 bytes) that links a preimage to the entry before it (or to the genesis)."""
    return sha256(prev_hash + text).digest()


def leaf_hash(text: bytes) -> bytes:
    """The Merkle leaf of a preimage: SHA-256 over a zero byte and the text (RFC 6962, section 2.1)."""
    return sha256(b"\x00" + text).digest()


def genesis_hash(chain: bytes, old_head: bytes | None, reason: GenesisReason) -> bytes:
    """What the first entry of a chain links to: the chain's name, the head before it, and why it begins."""
    before = "-" if old_head is None else old_head.hex()
    return sha256(b"modeltrail-genesis/v1\n%b\n%b\n%b\n" % (chain, before.encode(), reason.encode())).digest()
