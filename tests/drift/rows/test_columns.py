"""Columns keep what kind every value is of."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.drift.rows.columns import ABSENT, NULL, NUMBER, TEXT, Column, Columns, FieldKey, Strata, number_text

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e6, "1000000"),
        (1e18, "1000000000000000000"),
        (1e300, "1e+300"),
        (-(2.0**63), "-9223372036854775808"),
        (2.0**63, "9.223372036854776e+18"),
        (5e-324, "5e-324"),
    ],
)
def test_the_text_of_a_number_is_its_shortest_and_integers_are_written_out(value, text):
    assert number_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_reads_back_as_the_same_number(value):
    assert float(number_text(value)) == value


@given(st.lists(scalars, max_size=30))
def test_values_keep_their_kind(values):
    column = Column.from_values(values)
    for value, kind, number, code in zip(values, column.kinds, column.numbers, column.codes, strict=True):
        match value:
            case None:
                assert kind == NULL
            case bool():
                assert (kind, column.dictionary[code]) == (TEXT, json.dumps(value))
            case str():
                assert (kind, column.dictionary[code]) == (TEXT, value)
            case _:
                assert (kind, number) == (NUMBER, float(value))


@given(st.lists(scalars, max_size=30))
def test_as_categories_every_value_is_its_text(values):
    codes, dictionary = Column.from_values(values).as_texts()
    for value, code in zip(values, codes, strict=True):
        if value is None:
            assert code == -1
        elif isinstance(value, str):
            assert dictionary[code] == value
        else:
            assert dictionary[code] == (json.dumps(value) if isinstance(value, bool) else number_text(float(value)))
    assert len(set(dictionary)) == len(dictionary)


def test_a_number_and_a_text_that_are_written_alike_are_one_category():
    codes, dictionary = Column.from_values(["7", 7, 7.0, "7.0"]).as_texts()
    assert [dictionary[code] for code in codes] == ["7", "7", "7", "7.0"]
    assert codes[0] == codes[1] == codes[2]


def test_nan_is_missing_as_a_category():
    codes, _ = Column.from_numbers([1.0, np.nan]).as_texts()
    assert codes.tolist() == [0, -1]


def test_a_field_that_no_event_has_is_absent_in_every_row():
    column = Columns(3, {}).column("feature", "nowhere")
    assert column.kinds.tolist() == [ABSENT] * 3
    assert not column.has_values(numeric=True)
    assert not column.has_values(numeric=False)


def test_rows_are_taken_by_mask_by_index_and_by_slice():
    column, strata = Column.from_values([1, "a", None, 2]), Strata(np.array([0, 1, -1, 0], dtype=np.int32), ("x", "y"))
    columns = Columns(4, {FieldKey("feature", "f"): column}, {"s": strata})
    for chosen in (np.array([False, True, False, True]), np.array([1, 3]), slice(1, 4, 2)):
        taken = columns.take(chosen)
        assert taken.rows == 2
        assert taken.column("feature", "f").kinds.tolist() == [TEXT, NUMBER]
        assert taken.stratum("s").codes.tolist() == [1, 0]


def test_a_feature_is_a_stratum_where_none_has_its_name():
    columns = Columns(3, {FieldKey("feature", "month"): Column.from_values([1, 2, 1])})
    assert columns.stratum("month").mask("1").tolist() == [True, False, True]
    assert columns.stratum("month").mask("13").tolist() == [False] * 3
    assert columns.stratum("month").mask("1.0").tolist() == [False] * 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Columns(2, {FieldKey("feature", "f"): Column.absent(3)}), "feature 'f': 3 rows: expected 2"),
        (lambda: Columns(2, {}, {"s": Strata(np.zeros(3, dtype=np.int32), ("a",))}), "stratum 's': 3 rows: expected 2"),
        (lambda: Column(np.zeros(2, np.uint8), np.zeros(3), np.zeros(2, np.int32)), "expected one length"),
    ],
)
def test_columns_of_different_lengths_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_value_that_is_no_scalar_is_refused_with_its_row():
    with pytest.raises(TypeError, match=r"row 1: \[2\]"):
        Column.from_values([1, [2]])
