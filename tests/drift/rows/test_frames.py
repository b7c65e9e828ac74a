"""Frames of every make are read alike."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from modeltrail.drift.rows.columns import NULL, NUMBER, TEXT
from modeltrail.drift.rows.frames import read_frame
from modeltrail.errors import InvalidEventError

NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)
NOON_US = 1_372_680_000_000_000

VALUES = {
    "number": [1.5, None, -2.0],
    "integer": [1, 2, 3],
    "text": ["a", None, "b"],
    "flag": [True, False, True],
    "when": [NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=2)],
}


def of_mapping():
    return VALUES


def of_arrays():
    return {
        "number": np.array([1.5, np.nan, -2.0]),
        "integer": np.array([1, 2, 3], dtype=np.uint8),
        "text": np.array(["a", None, "b"], dtype=object),
        "flag": np.array([True, False, True]),
        "when": np.array([NOON_US, NOON_US + 3_600_000_000, NOON_US + 7_200_000_000]).astype("datetime64[us]"),
    }


def of_arrow():
    return pa.table(VALUES)


def of_arrow_arrays():
    table = pa.table(VALUES)
    return {name: table[name].combine_chunks() for name in table.column_names}


def of_arrow_dictionaries():
    table = pa.table(VALUES)
    return table.set_column(2, "text", table["text"].dictionary_encode())


def of_arrow_in_chunks():
    table = pa.table(VALUES)
    return pa.concat_tables([table.slice(0, 1), table.slice(1)])


def of_pandas():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(VALUES)


def of_pandas_with_an_index():
    frame = of_pandas()
    return frame.set_index(np.array([7, 8, 9]))


def of_pandas_categories():
    frame = of_pandas()
    return frame.assign(text=frame["text"].astype("category"))


def of_pandas_columns():
    frame = of_pandas()
    return {name: frame[name] for name in frame.columns}


class OldFrame:
    """A frame that knows `to_dict` alone."""

    def to_dict(self, orient):
        assert orient == "list"
        return VALUES


@pytest.mark.parametrize(
    "make",
    [
        of_mapping,
        of_arrays,
        of_arrow,
        of_arrow_arrays,
        of_arrow_dictionaries,
        of_arrow_in_chunks,
        of_pandas,
        of_pandas_with_an_index,
        of_pandas_categories,
        of_pandas_columns,
        OldFrame,
    ],
)
def test_every_frame_is_read_alike(make):
    frame = read_frame(make())
    assert (frame.rows, frame.names) == (3, set(VALUES))
    number = frame.column("number")
    assert number.present_numbers().tolist() == [1.5, -2.0]
    assert frame.column("integer").numbers.tolist() == [1, 2, 3]
    assert frame.column("integer").kinds.tolist() == [NUMBER] * 3
    codes, dictionary = frame.column("text").as_texts()
    assert [dictionary[code] if code >= 0 else None for code in codes] == ["a", None, "b"]
    assert frame.column("text").kinds.tolist() == [TEXT, NULL, TEXT]
    codes, dictionary = frame.column("flag").as_texts()
    assert [dictionary[code] for code in codes] == ["true", "false", "true"]
    assert frame.time("when").tolist() == [NOON_US, NOON_US + 3_600_000_000, NOON_US + 7_200_000_000]


def test_a_pandas_column_of_mixed_objects_is_read_value_by_value():
    pandas = pytest.importorskip("pandas")
    column = read_frame(pandas.DataFrame({"mixed": [1, "a", None], "n": [1, 2, 3]})).column("mixed")
    assert column.kinds.tolist() == [NUMBER, TEXT, NULL]


def test_decimals_halves_and_nulls_of_arrow_are_numbers_and_missing():
    table = pa.table(
        {
            "decimal": pa.array([Decimal("1.25"), None]),
            "half": pa.array([0.5, 1.5], pa.float16()),
            "nothing": pa.nulls(2),
            "view": pa.array(["a", "b"], pa.string_view()),
        }
    )
    frame = read_frame(table)
    assert frame.column("decimal").present_numbers().tolist() == [1.25]
    assert frame.column("half").present_numbers().tolist() == [0.5, 1.5]
    assert frame.column("nothing").kinds.tolist() == [NULL, NULL]
    assert frame.column("view").kinds.tolist() == [TEXT, TEXT]


@pytest.mark.parametrize(
    "values",
    [
        ["2013-07-01T12:00:00Z"],
        ["2013-07-01T14:00:00+02:00"],
        [NOON.astimezone(timezone(timedelta(hours=2)))],
        [NOON.replace(tzinfo=None)],
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ns")),
        pa.array([NOON], pa.timestamp("s", tz="Europe/Berlin")),
        np.array(["2013-07-01T12:00:00"], dtype="datetime64[s]"),
    ],
)
def test_one_instant_is_one_time_however_it_is_written(values):
    assert read_frame({"time": values}).time("time").tolist() == [NOON_US]


def test_a_date_is_its_midnight():
    table = pa.table({"day": pa.array([date(1970, 1, 2)])})
    assert read_frame(table).time("day").tolist() == [86_400_000_000]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([NOON, None], "time: None: must have a time in every row, and has none in row 1"),
        (["2013-07-01T12:00:00Z", "noon"], "time: 'noon': must be an RFC 3339 time"),
        ([1372680000], "time: '1372680000': must be an RFC 3339 time"),
        ([NOON, 5], "time: '5': must be a datetime"),
    ],
)
def test_times_that_are_none_are_refused(values, words):
    with pytest.raises(InvalidEventError, match=words):
        read_frame({"time": values}).time("time")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[1], [2]], r"f: 'row 0: \[1\]"),
        (pa.array([[1], [2]]), "f: 'list<"),
        (pa.array([b"a", b"b"]), "f: 'binary'"),
        (np.zeros((2, 2)), r"f: 'an array of shape \(2, 2\)'"),
        (np.array([1j, 2j]), "f: 'an array of complex128'"),
        ([NOON, NOON], "f: 'points in time'"),
    ],
)
def test_columns_that_no_field_can_be_made_of_are_refused_only_where_they_are_used(values, words):
    frame = read_frame({"f": values, "g": [1, 2]})
    assert frame.column("g").kinds.tolist() == [NUMBER, NUMBER]
    with pytest.raises(InvalidEventError, match=words):
        frame.column("f")


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (3, "frame: 'a int': must be a data frame"),
        ({}, "frame: '0 columns, no rows'"),
        ({"a": []}, "frame: '1 columns, no rows'"),
        (pa.table({"a": pa.array([], pa.float64())}), "no rows"),
        ({"a": [1, 2], "b": [1]}, "b: 1: must have as many rows as 'a', 2"),
    ],
)
def test_what_is_no_frame_is_refused(frame, words):
    with pytest.raises(InvalidEventError, match=words):
        read_frame(frame)


@pytest.mark.parametrize(
    "make",
    [
        lambda: pa.table([[1], [2], [3]], names=["a", "amount", "amount"]),
        lambda: pytest.importorskip("pandas").DataFrame([[1, 2, 3]], columns=["a", "amount", "amount"]),
        lambda: pytest.importorskip("pandas").DataFrame([[1, "x", [3]]], columns=["a", "amount", "amount"]),
        lambda: {"a": [1], 7: [2], "7": [3]},
    ],
)
def test_two_columns_of_one_name_are_refused_by_it(make):
    with pytest.raises(InvalidEventError, match=r"^column: '(amount|7)': must be the name of one .* and 2 have it"):
        read_frame(make())


def test_generators_are_read_once():
    assert read_frame({"a": (at for at in range(3))}).rows == 3
