"""Rows of the ledger as one Arrow record batch: how a block goes to the store."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from modeltrail.ledger.row import Row

__all__ = ["COLUMNS", "to_stream"]

_TEXT = pa.string()
_DIGEST = pa.binary(32)
_HEADER = pa.struct([("name", pa.binary()), ("value", pa.binary())])
_HEADERS = pa.list_(_HEADER)

_AFTER_CHAIN: tuple[tuple[str, Any], ...] = (
    ("seq", pa.int64()),
    ("offset", pa.int64()),
    ("timestamp", pa.int64()),
    ("log_time", pa.int64()),
    ("kind", _TEXT),
    ("gap_first", pa.int64()),
    ("key", pa.binary()),
    ("headers", _HEADERS),
    ("value", pa.binary()),
    ("record_hash", _DIGEST),
    ("prev_hash", _DIGEST),
    ("entry_hash", _DIGEST),
    ("status", _TEXT),
    ("reason_class", _TEXT),
    ("reason", _TEXT),
    ("contract", pa.uint16()),
    ("mode", _TEXT),
    ("source", _TEXT),
    ("id", _TEXT),
    ("type", _TEXT),
    ("subject", _TEXT),
    ("time", pa.timestamp("us", "UTC")),
    ("actor", _TEXT),
    ("tenant", _TEXT),
    ("sequence", _TEXT),
    ("traceparent", _TEXT),
    ("correlationid", _TEXT),
    ("causationid", _TEXT),
    ("retentionclass", _TEXT),
)

_SCHEMA = pa.schema(
    [
        ("chain", _TEXT),
        ("cluster", _TEXT),
        ("topic", _TEXT),
        ("partition", pa.uint32()),
        ("epoch", pa.uint32()),
        ("first_offset", pa.int64()),
        *_AFTER_CHAIN,
        ("appended_at", pa.timestamp("ms", "UTC")),
    ]
)

COLUMNS: tuple[str, ...] = tuple(_SCHEMA.names)
"""The columns of the table `ledger`, in the order of the batch."""


def to_stream(rows: Sequence[Row], appended_at: int) -> bytes:
    """Return `rows` as an Arrow IPC stream of one record batch. `appended_at` is in milliseconds since 1970."""
    columns = list(zip(*rows, strict=True))
    chains = columns[0]
    names = {chain: str(chain) for chain in set(chains)}
    arrays = [
        pa.array([names[chain] for chain in chains], _TEXT),
        pa.array([chain.cluster for chain in chains], _TEXT),
        pa.array([chain.topic for chain in chains], _TEXT),
        pa.array([chain.partition for chain in chains], pa.uint32()),
        pa.array([chain.epoch for chain in chains], pa.uint32()),
        pa.array([chain.first_offset for chain in chains], pa.int64()),
    ]
    for (name, kind), column in zip(_AFTER_CHAIN, columns[1:], strict=True):
        arrays.append(_headers(column) if name == "headers" else pa.array(column, kind))
    arrays.append(pa.array([appended_at] * len(rows), pa.timestamp("ms", "UTC")))
    batch = pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _headers(column: Sequence[Sequence[tuple[bytes, bytes | None]]]) -> Any:
    """Headers as a list array built from flat columns: about ten headers a record make this the widest column."""
    ends = [0]
    total = 0
    for headers in column:
        total += len(headers)
        ends.append(total)
    flat = [header for headers in column for header in headers]
    names = pa.array([name for name, _ in flat], pa.binary())
    values = pa.array([content for _, content in flat], pa.binary())
    pairs = pa.StructArray.from_arrays([names, values], fields=list(_HEADER))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pairs, type=_HEADERS)
