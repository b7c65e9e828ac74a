"""Frames of users as columns: pandas, polars, Arrow, or a mapping of names to sequences. None of them is needed here.

A frame is read by the Arrow PyCapsule interface where it has one (`__arrow_c_stream__`: pandas 2.2, polars, pyarrow),
else as a mapping, else by its `to_dict("list")`. Values keep their kinds as in an event: numbers stay numbers, booleans
are the texts "true" and "false", null and NaN are missing.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modeltrail.drift.rows.columns import Column
from modeltrail.errors import InvalidEventError
from modeltrail.events.moment import parse_moment

__all__ = ["Frame", "check_names", "read_frame"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame that was read: its columns in order, points in time apart, and what is wrong with columns not read.

    `times` int64[rows], microseconds since 1970 in UTC, the least int64 where there is none. `unread` maps the names of
    columns that no field can be made of (lists, bytes ...) to the type that they have.
    """

    rows: int
    columns: dict[str, Column] = field(default_factory=dict)
    times: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Names of all columns, readable or not."""
        return {*self.columns, *self.times, *self.unread}

    def column(self, name: str) -> Column:
        """Return a column of values. InvalidEventError where it holds points in time, or what cannot be read."""
        if name in self.columns:
            return self.columns[name]
        found = "points in time" if name in self.times else self.unread[name]
        raise InvalidEventError(
            name, found, "must hold numbers, texts or booleans; convert it, or give it the role ignore or time"
        )

    def time(self, name: str) -> NDArray[np.int64]:
        """Return a column of points in time, int64[rows]; RFC 3339 texts are read too. InvalidEventError otherwise."""
        found = self.times.get(name)
        if found is None:
            codes, dictionary = self.column(name).as_texts()
            found = np.full(self.rows, _NO_TIME)
            for code in np.unique(codes[codes >= 0]).tolist():
                try:
                    found[codes == code] = parse_moment(dictionary[code])
                except ValueError as error:
                    raise InvalidEventError(name, dictionary[code], str(error)) from None
        if (missing := np.flatnonzero(found == _NO_TIME)).size:
            raise InvalidEventError(name, None, f"must have a time in every row, and has none in row {int(missing[0])}")
        return found


def read_frame(frame: Any) -> Frame:
    """Read a frame. InvalidEventError where it is none, has no rows, or its columns differ in length or share names."""
    if hasattr(frame, "to_dict"):  # pandas: to Arrow two columns of one name are a ValueError, to_dict keeps the last
        check_names(getattr(frame, "columns", ()))
    if hasattr(frame, "__arrow_c_stream__"):
        try:
            table = pa.table(frame)
        except pa.ArrowException:
            # A pandas column of mixed objects has no Arrow type, and is read value by value.
            if not hasattr(frame, "to_dict"):
                raise
        else:
            index = "__index_level_"  # pandas writes an index without a name under this one
            check_names(table.column_names)
            parts = {name: table[name] for name in table.column_names if not name.startswith(index)}
            return _frame(parts, table.num_rows)
    if not isinstance(frame, Mapping) and hasattr(frame, "to_dict"):
        frame = frame.to_dict("list")
    if not isinstance(frame, Mapping):
        kind = f"a {type(frame).__name__}"
        raise InvalidEventError("frame", kind, "must be a data frame, an Arrow table, or a mapping of names to values")
    check_names(frame)
    parts = {str(name): values if hasattr(values, "__len__") else list(values) for name, values in frame.items()}
    lengths = {name: len(values) for name, values in parts.items()}
    for name, length in lengths.items():
        if length != next(iter(lengths.values())):
            first = next(iter(lengths))
            raise InvalidEventError(name, length, f"must have as many rows as {first!r}, {lengths[first]}")
    return _frame(parts, next(iter(lengths.values()), 0))


def check_names(names: Iterable[object]) -> None:
    """Check that no two columns have one name. InvalidEventError names the column."""
    name, count = max(Counter(map(str, names)).items(), key=lambda each: each[1], default=("", 0))
    if count > 1:
        raise InvalidEventError("column", name, f"must be the name of one column, and {count} have it")


def _frame(parts: Mapping[str, Any], rows: int) -> Frame:
    if rows == 0:
        raise InvalidEventError("frame", f"{len(parts)} columns, no rows", "must have at least one row")
    frame = Frame(rows)
    for name, values in parts.items():
        if isinstance(values, pa.ChunkedArray | pa.Array):
            _read_arrow(frame, name, values)
        else:
            _read_sequence(frame, name, values)
    return frame


def _read_arrow(frame: Frame, name: str, values: Any) -> None:
    kind = values.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        values = values.cast(kind)
    if pa.types.is_boolean(kind):
        values, kind = values.cast(pa.string()), pa.string()
    if pa.types.is_null(kind):
        frame.columns[name] = Column.from_codes(np.full(frame.rows, -1), ())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = values.cast(pa.float64(), safe=False)
        nulls = np.asarray(numbers.is_null())
        frame.columns[name] = Column.from_numbers(np.asarray(numbers.fill_null(0.0)), nulls)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        encoded = values.cast(pa.large_string()).dictionary_encode()
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        codes = np.asarray(encoded.indices.fill_null(-1))
        frame.columns[name] = Column.from_codes(codes, encoded.dictionary.to_pylist())
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        times = values.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False).cast(pa.int64())
        frame.times[name] = np.asarray(times.fill_null(_NO_TIME))
    else:
        frame.unread[name] = str(kind)


def _read_sequence(frame: Frame, name: str, values: Any) -> None:
    array = values if isinstance(values, np.ndarray) else getattr(values, "to_numpy", lambda: None)()
    if array is None or array.dtype.kind == "O":
        _read_objects(frame, name, list(values))
    elif array.ndim != 1:
        frame.unread[name] = f"an array of shape {array.shape}"
    elif array.dtype.kind in "fiu":
        frame.columns[name] = Column.from_numbers(array)
    elif array.dtype.kind == "b":
        frame.columns[name] = Column.from_codes(array.astype(np.int32), ("false", "true"))
    elif array.dtype.kind == "U":
        dictionary, codes = np.unique(array, return_inverse=True)
        frame.columns[name] = Column.from_codes(codes, dictionary.tolist())
    elif array.dtype.kind == "M":
        times = array.astype("datetime64[us]").astype(np.int64)  # NaT is the least int64
        frame.times[name] = times
    else:
        frame.unread[name] = f"an array of {array.dtype}"


def _read_objects(frame: Frame, name: str, values: list[object]) -> None:
    if any(isinstance(value, datetime) for value in values):
        frame.times[name] = np.array([_microseconds(value, name) for value in values], dtype=np.int64)
        return
    try:
        # In a pandas column of objects, NaN is how null is written.
        frame.columns[name] = Column.from_values(
            None if isinstance(value, float) and math.isnan(value) else value for value in values
        )
    except TypeError as error:
        frame.unread[name] = str(error)


def _microseconds(value: object, name: str) -> int:
    if value is None or value != value:  # noqa: PLR0124 - NaT alone differs from itself
        return int(_NO_TIME)
    if not isinstance(value, datetime):
        raise InvalidEventError(name, str(value), "must be a datetime, like other values of this column")
    aware = value if value.utcoffset() is not None else value.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND
