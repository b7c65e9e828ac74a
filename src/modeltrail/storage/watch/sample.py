"""The rows of a baseline that is made of the ledger: every field that the predictions of a range have.

They are in memory all at once: a baseline's bins are cut at quantiles, and its tolerance comes from the order of time.
A column holds what it needs: 8 bytes a number, 5 a text.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.rows.columns import NULL, NUMBER, TEXT, Column, Columns, FieldKey, Strata
from modeltrail.errors import InvalidEventError
from modeltrail.storage.watch.content import Chunk, Wanted, read_content, read_labelled
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.scope import Scope

__all__ = ["read_sample"]


def read_sample(
    reader: Reader, scope: Scope, *, by: Sequence[str] = (), positive: str | None = None, labelled: bool = False
) -> Chunk:
    """Return all predictions of the scope at once, by event time, and in watch order within an instant.

    Every field is there that has a value in one of them. `by`: strata, or features, to split by. `labelled`: with their
    outcomes up to the cut. Memory: 5 to 9 bytes a row and field (13 where a field has both numbers and texts), and 32 a
    row. InvalidEventError where the scope holds no prediction.
    """
    content = scope.content()
    names: Sequence[str] = ()
    if content is not None:
        names = reader.ask("watch/names", **content, model_id=scope.model_id, model_version=scope.model_version)[0][0]
    read = read_labelled if labelled else read_content
    wanted = Wanted(tuple(names), tuple(sorted(by)), frozenset(names), positive)
    chunks: list[Chunk] = []
    fields: dict[FieldKey, list[Column]] = {}
    strata: dict[str, list[Strata]] = {}
    for chunk in read(reader, scope, wanted):
        for key, column in chunk.columns.fields.items():
            fields.setdefault(key, []).append(_small(column.kinds, column.numbers, column.codes, column.dictionary))
        for name, part in chunk.columns.strata.items():
            strata.setdefault(name, []).append(part)
        empty = Columns(0, {})
        chunks.append(Chunk(empty, chunk.times_us, chunk.log_times, chunk.places, chunk.duplicates, chunk.features))
    if not chunks:
        raise InvalidEventError("rows", 0, f"must be at least one prediction of {scope.model_id} {scope.model_version}")
    times, log_times = (np.concatenate(each) for each in zip(*((c.times_us, c.log_times) for c in chunks), strict=True))
    places = np.concatenate([chunk.places for chunk in chunks])
    order = np.lexsort((places[:, 1], places[:, 0], log_times, times))
    joined: dict[FieldKey, Column] = {}
    while fields:
        key, parts = fields.popitem()
        if (found := _column(parts, order)) is not None:
            joined[key] = found
    return Chunk(
        Columns(len(order), joined, {name: _strata(parts, order) for name, parts in strata.items()}),
        times[order],
        log_times[order],
        places[order],
        sum(chunk.duplicates for chunk in chunks),
        frozenset().union(*(chunk.features for chunk in chunks)),
    )


def _column(parts: list[Column], order: NDArray[np.intp]) -> Column | None:
    """Return a column of all parts, in an order; None where no row has a value."""
    kinds = np.concatenate([part.kinds for part in parts])[order]
    if not (kinds > NULL).any():
        return None
    numbers = np.concatenate([part.numbers for part in parts])[order]
    codes, dictionary = _coded([(part.codes, part.dictionary) for part in parts])
    return _small(kinds, numbers, codes[order], dictionary)


def _strata(parts: list[Strata], order: NDArray[np.intp]) -> Strata:
    codes, dictionary = _coded([(part.codes, part.dictionary) for part in parts])
    return Strata(codes[order], dictionary)


def _coded(parts: Iterable[tuple[NDArray[np.int32], Sequence[str]]]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return codes with one dictionary for all parts; what is negative, or no code of a text, stays as it is."""
    place: dict[str, int] = {}
    found = []
    for codes, dictionary in parts:
        table = np.array([place.setdefault(text, len(place)) for text in dictionary], dtype=np.int32)
        inside = (codes >= 0) & (codes < table.size)
        found.append(np.where(inside, table[np.where(inside, codes, 0)], codes) if table.size else codes)
    return np.concatenate(found).astype(np.int32, copy=False), tuple(place)


def _small(
    kinds: NDArray[np.uint8], numbers: NDArray[np.float64], codes: NDArray[np.int32], dictionary: Sequence[str]
) -> Column:
    """Return a column in which what no row needs takes no memory."""
    if not (kinds == NUMBER).any():
        numbers = np.broadcast_to(np.float64(0.0), kinds.shape)
    if not (kinds == TEXT).any():
        codes, dictionary = np.broadcast_to(np.int32(0), kinds.shape), ()
    return Column(kinds, numbers, codes, dictionary)
