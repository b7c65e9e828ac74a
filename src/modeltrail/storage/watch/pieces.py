"""How a large window is cut into pieces, read one after the other: bounded memory, time in step with the rows.

    chain 0   |....... piece 0 .......|.. piece 1
    chain 1   ..|... piece 2 ...|                     each a range of positions, with about as many predictions

Repeats of an event may stand in different pieces. Which events are repeated is asked beforehand, of two narrow columns;
their rows are set aside and compared with each other. Where there are too many of them to be set aside, the pieces go
by the hash of the event instead, so that its repeats are in one piece; each is then looked for in all of the window.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeltrail.storage.watch.arrow_columns import digests, integers
from modeltrail.storage.watch.reader import Reader

__all__ = ["Piece", "Pieces", "cut_up"]

_CELLS = 4
"""Cells of a piece: it is full to three quarters at least."""
_EVENTS = 4_000_000
"""Events that are compared at a time in ClickHouse, 16 bytes each."""


@dataclass(frozen=True)
class Piece:
    """One piece: the parameters of the query that choose it; `ranks` int64 are those of its chains in the window."""

    parameters: Mapping[str, Any]
    ranks: NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """A window cut up. `repeated` uint64, ascending: halves of the hashes of events that may be in several pieces.

    `first_log_time` is that of the first prediction, of all models, None where there is none.
    """

    pieces: tuple[Piece, ...]
    first_log_time: int | None
    repeated: NDArray[np.uint64]

    def set_aside(self, events: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which rows may have repeats in other pieces; `events` uint64[n, 2] are the hashes of theirs."""
        return np.isin(events[:, 0], self.repeated)


def cut_up(reader: Reader, content: Mapping[str, Any], most: int) -> Pieces:
    """Cut a window, as `Scope.content` chooses it, into pieces of about `most` predictions of all models."""
    survey = reader.columns("watch/survey", **content, step=max(1, most // _CELLS)).combine_chunks()
    rank, cell, entries, log_time = (
        integers(survey.column(name).combine_chunks()) for name in ("rank", "cell", "entries", "first_log_time")
    )
    total = int(entries.sum())
    if not total:
        return Pieces((), None, _NOTHING)
    first_log_time = int(log_time.min())
    everything = np.arange(len(content["chains"]))
    if total <= most:
        whole = Piece({**content, "parts": 1, "part": 0}, everything)
        return Pieces((whole,), first_log_time, _NOTHING)
    repeated = _repeated(reader, content, total, most)
    if repeated is None:
        parts = -(-total // most)
        hashed = tuple(Piece({**content, "parts": parts, "part": part}, everything) for part in range(parts))
        return Pieces(hashed, first_log_time, _NOTHING)
    step = max(1, most // _CELLS)
    ranges = tuple(_range(content, step, rank[part], cell[part]) for part in _filled(entries, most))
    return Pieces(ranges, first_log_time, repeated)


_NOTHING = np.empty(0, dtype=np.uint64)


def _repeated(reader: Reader, content: Mapping[str, Any], total: int, most: int) -> NDArray[np.uint64] | None:
    """Return what is repeated, None where that would be more than `most` rows."""
    found, rows = [_NOTHING], 0
    parts = -(-total // _EVENTS)
    for part in range(parts):
        table = reader.columns("watch/repeated", **content, parts=parts, part=part, most=most)
        table = table.combine_chunks()
        if table.num_rows:
            rows += int(integers(table.column("times").combine_chunks()).sum())
            found.append(digests(table.column("event").combine_chunks())[:, 0])
        if rows > most:
            return None
    return np.unique(np.concatenate(found))


def _filled(entries: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Yield runs of cells with at most `most` entries together, or of a single cell."""
    begin = held = 0
    for at, count in enumerate(entries.tolist()):
        if held and held + count > most:
            yield slice(begin, at)
            begin, held = at, 0
        held += count
    yield slice(begin, len(entries))


def _range(content: Mapping[str, Any], step: int, rank: NDArray[np.int64], cell: NDArray[np.int64]) -> Piece:
    """Return the piece of some cells, which follow each other."""
    ranks, firsts = np.unique(rank, return_index=True)
    lasts = [*(firsts[1:] - 1), len(rank) - 1]
    of_window = [(content["lows"][each], content["highs"][each]) for each in ranks.tolist()]
    lows = [max(low, int(cell[at]) * step) for (low, _), at in zip(of_window, firsts, strict=True)]
    highs = [min(high, (int(cell[at]) + 1) * step - 1) for (_, high), at in zip(of_window, lasts, strict=True)]
    chosen = {"chains": [content["chains"][each] for each in ranks.tolist()], "lows": lows, "highs": highs}
    bounds = {"low": min(lows), "high": max(highs), "parts": 1, "part": 0}
    return Piece({**content, **chosen, **bounds}, ranks)
