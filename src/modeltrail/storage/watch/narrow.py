"""What the fold is fed with: a few numbers of each entry, and the events that change what is watched."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modeltrail.drift.narrow import NO_PREDICTION, Change, NarrowRows, told_by
from modeltrail.drift.order import Position
from modeltrail.ledger.chain import Chain
from modeltrail.storage.watch.arrow_columns import codes_of, integers
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import event_data

__all__ = ["read_changes", "read_narrow"]


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
    models, model_codes = _dictionary(batch.column("model_id"))
    versions, version_codes = _dictionary(batch.column("model_version"))
    if "" in models:  # an id is never empty: no prediction
        model_codes = np.where(model_codes == models.index(""), np.int32(NO_PREDICTION), model_codes)
    return NarrowRows(
        (chain,),
        models,
        versions,
        np.zeros(batch.num_rows, dtype=np.int32),
        integers(batch.column("seq")),
        integers(batch.column("log_time")),
        integers(batch.column("time_us")),
        model_codes.astype(np.int32),
        version_codes,
    )


def _dictionary(column: Any) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    codes, dictionary = codes_of(column)
    return dictionary, codes


def read_changes(reader: Reader, chain: Chain, first: int, last: int) -> list[Change]:
    """Return what the entries first..last of a chain of `models` or `checks` tell the watch, in order of seq.

    Of `checks` these are the ticks. Raises what `Reader.ask` raises.
    """
    rows = reader.columns("watch/changes", chain=str(chain), first=first, last=last)
    kinds, modes, values = (rows.column(name).cast(pa.binary()).to_pylist() for name in ("type", "mode", "value"))
    changes: list[Change] = []
    for seq, log_time, kind, mode, value in zip(
        rows.column("seq").to_pylist(), rows.column("log_time").to_pylist(), kinds, modes, values, strict=True
    ):
        if (told := told_by(event_data(kind.decode(), mode.decode(), value))) is not None:
            changes.append(Change(Position.at(log_time, chain, seq), told))
    return changes
