"""What the fold is fed with: a few numbers of each entry, and the events that change what is watched."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modeltrail.drift.windows.narrow import NO_PREDICTION, Change, NarrowRows, told_by
from modeltrail.drift.windows.order import Position
from modeltrail.ledger.chain import Chain
from modeltrail.storage.watch.arrow_columns import codes_of, integers
from modeltrail.storage.watch.frontiers import CHANGES, is_of
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import read_data

__all__ = ["named", "read_changes", "read_narrow"]

_AT_ONCE = 1000
"""Entries of a chain of `models` that are read at a time: a baseline among them has up to a megabyte."""


def read_narrow(reader: Reader, chain: Chain, first: int, last: int) -> NarrowRows:
    """Return every entry first..last of a chain of predictions, each once, in order of seq.

    Memory: about 60 bytes an entry. Raises what `Reader.ask` raises.
    """
    batches = reader.columns("watch/narrow", chain=str(chain), first=first, last=last).to_batches()
    parts = [part for batch in batches if len(part := _rows(batch, chain))]
    rows = NarrowRows.concatenate(parts)
    # Identical rows stand next to each other, and may be in two batches.
    again = np.zeros(len(rows), dtype=np.bool_)
    again[1:] = rows.seq[1:] == rows.seq[:-1]
    return rows.take(~again) if again.any() else rows


def _rows(batch: Any, chain: Chain) -> NarrowRows:
    models, model_codes = named(batch.column("model_id"), NO_PREDICTION)
    versions, version_codes = named(batch.column("model_version"), 0)
    return NarrowRows(
        (chain,),
        models,
        versions,
        np.zeros(batch.num_rows, dtype=np.int32),
        integers(batch.column("seq")),
        integers(batch.column("log_time")),
        integers(batch.column("time_us")),
        model_codes,
        version_codes,
    )


def named(column: Any, nothing: int) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return names and codes; the empty text, which names nothing, has the code `nothing`."""
    codes, dictionary = codes_of(column)
    names = tuple(name for name in dictionary if name)
    place = {name: code for code, name in enumerate(names)}
    table = np.array([place.get(name, nothing) for name in dictionary], dtype=np.int32)
    return names, table[codes] if codes.size else codes


def read_changes(reader: Reader, chain: Chain, first: int, last: int) -> list[Change]:
    """Return what the entries first..last of a chain of `models` or `checks` tell the watch, in order of seq.

    Of `checks` these are the ticks. What the contract of this version refuses tells nothing, and the log says so.
    Raises what `Reader.ask` raises.
    """
    step = _AT_ONCE if is_of(chain, CHANGES) else max(1, last - first + 1)
    changes: list[Change] = []
    for begin in range(first, last + 1, step):
        changes += _changes(reader, chain, begin, min(last, begin + step - 1))
    return changes


def _changes(reader: Reader, chain: Chain, first: int, last: int) -> list[Change]:
    rows = reader.columns("watch/changes", chain=str(chain), first=first, last=last)
    kinds, modes, values = (rows.column(name).cast(pa.binary()).to_pylist() for name in ("type", "mode", "value"))
    changes: list[Change] = []
    for seq, log_time, kind, mode, value in zip(
        rows.column("seq").to_pylist(), rows.column("log_time").to_pylist(), kinds, modes, values, strict=True
    ):
        data = read_data(kind.decode(), mode.decode(), value, f"at {seq} of {chain}")
        if (told := told_by(data)) is not None:
            changes.append(Change(Position.at(log_time, chain, seq), told))
    return changes
