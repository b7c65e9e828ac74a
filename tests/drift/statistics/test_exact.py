"""Exact sums: against fractions, and the same whatever the order and the chunks."""

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from modeltrail.drift.statistics.exact import LARGEST, NO_NUMBERS, Moments, exact_sums

ANY = st.floats(allow_nan=False, allow_infinity=False)
UNIT = Fraction(1, 2**1130)


@given(st.lists(st.tuples(ANY, st.integers(0, 3)), max_size=40))
def test_sums_are_those_of_fractions_for_every_finite_double(rows):
    values = np.array([value for value, _ in rows], dtype=np.float64)
    codes = np.array([code for _, code in rows], dtype=np.intp)
    found = exact_sums(values, codes, 4)
    for code in range(4):
        assert found[code] * UNIT == sum((Fraction(value) for value, of in rows if of == code), Fraction(0))


@given(st.lists(st.floats(-1e100, 1e100).filter(lambda x: x == 0 or abs(x) > 1e-100), min_size=2, max_size=40))
def test_mean_and_variance_are_correctly_rounded(values):
    moments = Moments.of(np.array(values))
    exact = [Fraction(value) for value in values]
    mean = sum(exact, Fraction(0)) / len(exact)
    assert moments.mean == float(mean)
    assert moments.variance == float(sum(((x - mean) ** 2 for x in exact), Fraction(0)) / (len(exact) - 1))


def test_mean_and_variance_are_those_of_the_standard_library_and_of_scikit_learn():
    values = np.random.default_rng(1).normal(3, 2, 10_000)
    moments = Moments.of(values)
    assert moments.mean == pytest.approx(statistics.fmean(values), rel=1e-15)
    assert moments.variance == pytest.approx(statistics.variance(values.tolist()), rel=1e-14)
    scaler = StandardScaler().fit(values[:, None])
    assert moments.variance * (1 - 1 / 10_000) == pytest.approx(scaler.var_[0], rel=1e-12)
    assert moments.error == math.sqrt(moments.variance / 10_000)


@given(st.lists(st.floats(-1e149, 1e149), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_neither_order_nor_chunks_can_be_seen(values, random):
    whole = Moments.of(np.array(values))
    shuffled = list(values)
    random.shuffle(shuffled)
    parts = NO_NUMBERS
    while shuffled:
        size = random.randint(1, len(shuffled))
        parts = Moments.of(np.array(shuffled[:size])) + parts
        del shuffled[:size]
    assert parts == whole


def test_a_plain_sum_would_show_the_order():
    values = np.array([1e16, 1.0, -1e16, 1.0] * 3)
    assert sum(values.tolist()) != sum(sorted(values.tolist()))
    assert Moments.of(values).mean == Moments.of(np.sort(values)).mean == 0.5


@pytest.mark.parametrize("value", [0.1, 1 / 3, -1e100, 7e-17, 123456789.123])
def test_equal_numbers_have_no_variance_at_all(value):
    assert Moments.of(np.full(1000, value)).variance == 0.0


def test_numbers_whose_squares_would_overflow_are_counted_and_left_out():
    moments = Moments.of(np.array([1.0, 1e151, -math.inf, LARGEST, 1.0]))
    assert (moments.n, moments.too_large) == (3, 2)
    assert math.isfinite(moments.variance)


def test_of_no_numbers_there_is_no_mean():
    assert Moments.of(np.zeros(0)) == NO_NUMBERS
    with pytest.raises(ZeroDivisionError):
        _ = NO_NUMBERS.mean
