"""Rows of the ledger as one Arrow record batch: how a block goes to the store.

Entries come by column and are handed over by column; rows (of tests, of whoever has a few) one by one.
"""

from collections.abc import Iterable, Sequence
from itertools import chain as flatten
from typing import Any

import numpy as np
import pyarrow as pa

from modeltrail.events.judge import Judgement
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entries import Entries
from modeltrail.ledger.row import GAP, RECORD, Row

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

TIME_US = Judgement._fields.index("time_us")

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


def to_stream(rows: Sequence[Row], appended_at: int) -> Any:
    """Return `rows` as an Arrow IPC stream of one record batch, in a buffer of Arrow's.

    `appended_at` is in milliseconds since 1970.
    """
    if isinstance(rows, Entries):
        arrays = [*_chains([(run.chain, len(run)) for run in rows.runs]), *_of_entries(rows)]
    else:
        arrays = [*_chains([(row.chain, 1) for row in rows]), *_of_rows(rows)]
    arrays.append(_repeated(appended_at, len(rows), pa.timestamp("ms", "UTC")))
    batch = pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)
    size = pa.MockOutputStream()  # a buffer that grows would be copied, and half empty at the end
    _write(batch, size)
    buffer = pa.allocate_buffer(size.size())
    _write(batch, pa.FixedSizeBufferWriter(buffer))
    return buffer


def _write(batch: Any, sink: Any) -> None:
    with pa.ipc.new_stream(sink, _SCHEMA) as writer:
        writer.write_batch(batch)


def _chains(chains: Sequence[tuple[Chain, int]]) -> list[Any]:
    """Name and parts of each chain, as many times as it has consecutive entries."""
    times = np.array([count for _, count in chains])
    which = pa.array(np.repeat(np.arange(len(chains)), times))
    columns = [[str(chain) for chain, _ in chains], *zip(*[chain for chain, _ in chains], strict=True)]
    return [pa.array(column, _SCHEMA.types[at]).take(which) for at, column in enumerate(columns)]


def _of_rows(rows: Sequence[Row]) -> list[Any]:
    columns = list(zip(*rows, strict=True))[1:]
    return [
        _headers(column) if name == "headers" else pa.array(column, kind)
        for (name, kind), column in zip(_AFTER_CHAIN, columns, strict=True)
    ]


def _of_entries(entries: Entries) -> list[Any]:
    """The columns after those of the chain, without a row in between."""
    runs, count = entries.runs, len(entries)
    status, reason, reason_class, *envelope = [
        _column([run.judged[at] for run in runs], pa.timestamp("us", "UTC") if at == TIME_US else _TEXT)
        for at in range(len(Judgement._fields))
    ]
    if any(run.gaps for run in runs):
        gaps = [run.gaps.get(at, 0) for run in runs for at in range(len(run))]
        kinds = pa.array([GAP if at in run.gaps else RECORD for run in runs for at in range(len(run))], _TEXT)
        gap_first = pa.array(gaps, pa.int64())
    else:
        kinds, gap_first = _repeated(RECORD, count, _TEXT), _repeated(0, count, pa.int64())
    return [
        pa.array(np.concatenate([np.arange(run.first_seq, run.first_seq + len(run)) for run in runs])),
        _column([run.records.offsets for run in runs], pa.int64()),
        _column([run.records.timestamps for run in runs], pa.int64()),
        _column([run.log_times for run in runs], pa.int64()),
        kinds,
        gap_first,
        pa.array(_flat(run.records.keys for run in runs), pa.binary()),
        _headers(_flat(run.records.headers for run in runs)),
        pa.array(_flat(run.records.values for run in runs), pa.binary()),
        _digests(_flat(run.record_hashes for run in runs)),
        _digests(_flat(link for run in runs for link in ([run.prev_hash], run.entry_hashes[:-1]))),
        _digests(_flat(run.entry_hashes for run in runs)),
        status,
        reason_class,
        reason,
        _column([[run.contract] * len(run) for run in runs], pa.uint16()),
        *envelope,
    ]


def _flat(parts: Iterable[Sequence[Any]]) -> list[Any]:
    return list(flatten.from_iterable(parts))


def _column(parts: Sequence[Sequence[Any]], kind: Any) -> Any:
    """One column of all runs; most columns of an envelope hold one value for thousands of entries."""
    first = parts[0][0]
    if all(part[0] == first and part[-1] == first and part.count(first) == len(part) for part in parts):
        return _repeated(first, sum(map(len, parts)), kind)
    return pa.array(_flat(parts), kind)


def _repeated(value: Any, count: int, kind: Any) -> Any:
    return pa.repeat(pa.scalar(value, kind), count)


def _digests(digests: Sequence[bytes]) -> Any:
    return pa.Array.from_buffers(_DIGEST, len(digests), [None, pa.py_buffer(b"".join(digests))])


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
