"""Rows in columns: what a window or a baseline sample is read into before it is counted.

A value of an event is one of four things, and which one decides how it is counted: absent (the event does not name the
field), null, a number, or text. Booleans are the texts "true" and "false". Nothing is converted on the way in, so that
a feature that turns from number to text is seen as that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ABSENT", "NULL", "NUMBER", "TEXT", "Column", "Columns", "FieldKey", "Strata", "number_text"]

ABSENT, NULL, NUMBER, TEXT = 0, 1, 2, 3
"""The kinds of a value."""

_INT64_BOUND = 2.0**63


class FieldKey(NamedTuple):
    """The name of a field in baselines and windows: its role, and its name within it."""

    role: str
    name: str


def number_text(value: float) -> str:
    """Return the text of a finite number as a category: the shortest that reads back, integers without ".0".

    Integers of 64 bits are written out (`1000000`, never `1e+06`); minus zero is `0`.
    """
    if value.is_integer() and -_INT64_BOUND <= value < _INT64_BOUND:
        return str(int(value))
    return repr(value)


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """The values of one stratum, n rows: `codes` int32[n] (-1 where there is none), each an index of `dictionary`."""

    codes: NDArray[np.int32]
    dictionary: Sequence[str]

    def mask(self, value: str) -> NDArray[np.bool_]:
        """Return which rows have this value, bool[n]."""
        if value not in self.dictionary:
            return np.zeros(self.codes.shape, dtype=np.bool_)
        return np.equal(self.codes, self.dictionary.index(value))


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The values of one field, n rows.

    `kinds` uint8[n]; `numbers` float64[n], looked at where the kind is NUMBER; `codes` int32[n], looked at where the
    kind is TEXT, each an index of `dictionary` (which may hold texts that no row has, and may repeat none).
    ValueError where the lengths differ.
    """

    kinds: NDArray[np.uint8]
    numbers: NDArray[np.float64]
    codes: NDArray[np.int32]
    dictionary: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.kinds.shape == self.numbers.shape == self.codes.shape or self.kinds.ndim != 1:
            shapes = f"{self.kinds.shape}, {self.numbers.shape}, {self.codes.shape}"
            raise ValueError(f"kinds, numbers, codes: shapes {shapes}: expected one length")

    def __len__(self) -> int:
        return self.kinds.size

    @classmethod
    def from_numbers(cls, values: ArrayLike, nulls: NDArray[np.bool_] | None = None) -> "Column":
        """Return a column of numbers; NaN stays a number here and is counted as missing. `nulls` marks null rows."""
        numbers = np.ascontiguousarray(values, dtype=np.float64)
        kinds = np.full(numbers.shape, NUMBER, dtype=np.uint8)
        if nulls is not None:
            kinds[nulls] = NULL
        return cls(kinds, numbers, np.zeros(numbers.shape, dtype=np.int32))

    @classmethod
    def from_codes(cls, codes: ArrayLike, dictionary: Sequence[str]) -> "Column":
        """Return a column of texts from indexes of `dictionary`; a negative index is null."""
        indexes = np.ascontiguousarray(codes, dtype=np.int32)
        kinds = np.where(indexes < 0, np.uint8(NULL), np.uint8(TEXT))
        return cls(kinds, np.zeros(indexes.shape, dtype=np.float64), indexes, dictionary)

    @classmethod
    def from_values(cls, values: Iterable[object]) -> "Column":
        """Return a column from JSON scalars: str, bool, int, float or None. TypeError names any other value."""
        kinds: list[int] = []
        numbers: list[float] = []
        codes: list[int] = []
        dictionary: dict[str, int] = {}
        for row, value in enumerate(values):
            kind, number, code = NULL, 0.0, 0
            if isinstance(value, str | bool | np.bool_):
                text = value if isinstance(value, str) else ("true" if value else "false")
                kind, code = TEXT, dictionary.setdefault(text, len(dictionary))
            elif isinstance(value, int | float | np.integer | np.floating):
                kind, number = NUMBER, float(value)
            elif value is not None:
                raise TypeError(f"row {row}: {value!r}: expected a string, a number, true, false or null")
            kinds.append(kind)
            numbers.append(number)
            codes.append(code)
        return cls(
            np.array(kinds, dtype=np.uint8),
            np.array(numbers, dtype=np.float64),
            np.array(codes, dtype=np.int32),
            tuple(dictionary),
        )

    @classmethod
    def absent(cls, rows: int) -> "Column":
        """Return a column that no row has."""
        return cls(np.zeros(rows, dtype=np.uint8), np.zeros(rows), np.zeros(rows, dtype=np.int32))

    @property
    def text_count(self) -> int:
        """How many rows hold text."""
        return int(np.count_nonzero(self.kinds == TEXT))

    def present_numbers(self) -> NDArray[np.float64]:
        """Return the numbers that are not NaN, infinities included, in the order of the rows."""
        numbers = self.numbers[self.kinds == NUMBER]
        return np.compress(~np.isnan(numbers), numbers)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Column":
        """Return the rows of a boolean mask, of indexes or of a slice; the dictionary stays whole."""
        return Column(self.kinds[rows], self.numbers[rows], self.codes[rows], self.dictionary)

    def as_texts(self) -> tuple[NDArray[np.int32], Sequence[str]]:
        """Return the values as categories: codes int32[n] (-1 where missing) and their dictionary.

        Numbers are written by `number_text`; NaN is missing. A number and a text that are written alike are one
        category. Texts that no row holds may be in the dictionary.
        """
        text_rows = self.kinds == TEXT
        number_rows = self.kinds == NUMBER
        codes = np.where(text_rows, self.codes, np.int32(-1)).astype(np.int32)
        if not number_rows.any():
            return codes, self.dictionary
        numbers = self.numbers[number_rows]
        distinct, inverse = np.unique(numbers, return_inverse=True)
        dictionary = {text: code for code, text in enumerate(self.dictionary)}
        written = [-1 if np.isnan(value) else _code(dictionary, number_text(float(value))) for value in distinct]
        codes[number_rows] = np.array(written, dtype=np.int32)[inverse]
        return codes, tuple(dictionary)

    def as_strata(self) -> Strata:
        """Return the values as those of a stratum."""
        return Strata(*self.as_texts())

    def has_values(self, *, numeric: bool) -> bool:
        """Say whether a numeric reference could be made of it (some number is finite), or a categorical one."""
        if numeric:
            return bool(np.isfinite(self.present_numbers()).any())
        return self.text_count > 0 or self.present_numbers().size > 0


def _code(dictionary: dict[str, int], text: str) -> int:
    return dictionary.setdefault(text, len(dictionary))


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Rows of predictions: `rows` of them, their fields by (role, name), and the strata that they are split by.

    Roles are feature, prediction (name "value"), score ("score"), label ("label") and confidence ("confidence").
    ValueError where a column is not as long as the others.
    """

    rows: int
    fields: Mapping[FieldKey, Column]
    strata: Mapping[str, Strata] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for (role, name), column in self.fields.items():
            if len(column) != self.rows:
                raise ValueError(f"{role} {name!r}: {len(column)} rows: expected {self.rows}")
        for name, strata in self.strata.items():
            if strata.codes.size != self.rows:
                raise ValueError(f"stratum {name!r}: {strata.codes.size} rows: expected {self.rows}")

    def column(self, role: str, name: str) -> Column:
        """Return the column of a field; one that no event of these rows has is absent in all of them."""
        found = self.fields.get(FieldKey(role, name))
        return Column.absent(self.rows) if found is None else found

    def stratum(self, name: str) -> Strata:
        """Return the stratum of this name, or else the feature of this name as one."""
        if name in self.strata:
            return self.strata[name]
        return self.column("feature", name).as_strata()

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Columns":
        """Return the rows of a boolean mask, of indexes or of a slice."""
        fields = {key: column.take(rows) for key, column in self.fields.items()}
        strata = {name: Strata(part.codes[rows], part.dictionary) for name, part in self.strata.items()}
        taken = np.arange(self.rows)[rows].size
        return Columns(taken, fields, strata)
