"""From Arrow to numpy: texts, numbers that may be null, and lists of a fixed length a row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modeltrail.drift.rows.columns import ABSENT, NUMBER, TEXT, Column

__all__ = [
    "codes_of",
    "digests",
    "distinct_texts",
    "either",
    "integers",
    "number_column",
    "numbers",
    "scalars",
    "text_column",
]


def integers(column: Any, dtype: Any = np.int64) -> NDArray[Any]:
    """Return a column of integers without nulls."""
    return np.asarray(column.to_numpy(), dtype=dtype)


def numbers(column: Any) -> NDArray[np.float64]:
    """Return a column of doubles, NaN where it is null."""
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def digests(column: Any) -> NDArray[np.uint64]:
    """Return a column of 16 bytes each as uint64[n, 2]."""
    begin = column.offset * 16
    raw = memoryview(column.buffers()[1])[begin : begin + len(column) * 16]
    return np.frombuffer(raw, dtype=np.uint64).reshape(-1, 2)


def codes_of(column: Any) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return a column of texts as codes int32[n], -1 where it is null, and their dictionary."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = coded.indices.cast(pa.int32()).fill_null(-1).to_numpy()
    return np.asarray(codes, dtype=np.int32), tuple(_decoded(coded.dictionary))


def text_column(column: Any) -> Column:
    """Return a column of texts; null is null."""
    return Column.from_codes(*codes_of(column))


def number_column(column: Any) -> Column:
    """Return a column of doubles; null is null."""
    values = numbers(column)
    nulls = np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)
    return Column.from_numbers(np.where(nulls, 0.0, values), nulls)


def distinct_texts(column: Any) -> frozenset[str]:
    """Return the texts in a column of lists of texts."""
    return frozenset(_decoded(column.flatten().unique()))


def scalars(kinds: Any, values: Any, texts: Any, fields: int) -> list[Column]:
    """Return as many columns as the lists of each row are long, `fields`.

    `kinds`, `values` and `texts` are columns of lists: kinds, doubles and texts. ValueError where a list is not
    as long as it should be, or a number is not there: then the server read a document otherwise than the contract did.
    """
    rows = len(kinds)
    kind = np.asarray(kinds.flatten().to_numpy(), dtype=np.uint8)
    value = numbers(values.flatten())
    text = texts.flatten()
    if not kind.size == value.size == len(text) == rows * fields:
        raise ValueError(f"{rows} rows, {fields} fields: {kind.size} kinds, {value.size} numbers, {len(text)} texts")
    if np.isnan(value[kind == NUMBER]).any():
        raise ValueError(f"{rows} rows, {fields} fields: a number that the contract took could not be read")
    kind, value = kind.reshape(rows, fields), value.reshape(rows, fields)
    return [_scalar(kind[:, at], value[:, at], text, at, fields) for at in range(fields)]


def _scalar(kinds: NDArray[np.uint8], values: NDArray[np.float64], texts: Any, at: int, fields: int) -> Column:
    kinds = np.ascontiguousarray(kinds)
    codes: NDArray[np.int32] = np.zeros(kinds.size, dtype=np.int32)
    dictionary: Sequence[str] = ()
    rows = np.flatnonzero(kinds == TEXT)
    if rows.size:
        codes[rows], dictionary = codes_of(texts.take(pa.array(rows * fields + at)))
    return Column(kinds, np.where(kinds == NUMBER, values, 0.0), codes, dictionary)


def either(column: Column, other: Column, *, where: int = ABSENT) -> Column:
    """Return the rows of `column`, and those of `other` where its kind is `where`."""
    absent = column.kinds == where
    if not absent.any():
        return column
    place = {text: code for code, text in enumerate(column.dictionary)}
    table = np.array([place.setdefault(text, len(place)) for text in other.dictionary] or [0], dtype=np.int32)
    codes = np.where(other.kinds == TEXT, table[np.where(other.kinds == TEXT, other.codes, 0)], np.int32(0))
    return Column(
        np.where(absent, other.kinds, column.kinds),
        np.where(absent, other.numbers, column.numbers),
        np.where(absent, codes, column.codes).astype(np.int32),
        tuple(place),
    )


def _decoded(texts: Any) -> list[Any]:
    return texts.cast(pa.binary()).cast(pa.string()).to_pylist() if len(texts) else []
