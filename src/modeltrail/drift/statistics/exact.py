"""Sums of floating-point numbers without rounding, so that order and chunking cannot change a last digit.

Every finite float64 is a whole multiple of 2**-1074. A sum is therefore kept as a Python integer in units of
2**-1130 (56 bits below, so that a mantissa is never shifted to the right), and adding is adding integers:
associative, commutative, exact. Only reading a mean or a variance rounds, once (a division of two integers is
rounded correctly in Python).
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST", "NO_NUMBERS", "Moments", "exact_sums"]

LARGEST = 1e150
"""Numbers beyond this are counted and left out of moments: their squares leave the range of float64."""

_UNIT = 1130
_HALF = 27  # bits of the lower half of a mantissa
_BLOCK = 1 << 26  # rows: sums of halves (at most 27 bits each) stay below 2**53, where float64 counts exactly
_SPLIT = float((1 << _HALF) + 1)


def exact_sums(values: NDArray[np.float64], codes: NDArray[np.intp], size: int) -> list[int]:
    """Return the sum of `values` of each code 0 to `size` - 1, as integers in units of 2**-1130.

    `values` (finite) and `codes` have the same length.
    """
    totals = [0] * size
    for start in range(0, len(values), _BLOCK):
        block = slice(start, start + _BLOCK)
        _add_block(totals, values[block], codes[block])
    return totals


def _add_block(totals: list[int], values: NDArray[np.float64], codes: NDArray[np.intp]) -> None:
    fractions, exponents = np.frexp(values)
    mantissas = np.ldexp(fractions, 53).astype(np.int64)
    lowest = int(exponents.min())
    width = int(exponents.max()) - lowest + 1
    # One counter for each code and exponent, in two halves of the mantissa.
    places = codes * width + (exponents - lowest)
    high = np.bincount(places, weights=(mantissas >> _HALF).astype(np.float64), minlength=len(totals) * width)
    low = np.bincount(places, weights=(mantissas & ((1 << _HALF) - 1)).astype(np.float64), minlength=len(high))
    for place in np.flatnonzero((high != 0) | (low != 0)).tolist():
        code, exponent = divmod(place, width)
        mantissa = (int(high[place]) << _HALF) + int(low[place])
        totals[code] += mantissa << (exponent + lowest - 53 + _UNIT)


@dataclass(frozen=True)
class Moments:
    """How many numbers there were, their exact sum and the exact sum of their squares.

    `total` and `squares` are in units of 2**-1130; `too_large` counts numbers beyond LARGEST, which are in neither.
    """

    n: int = 0
    total: int = 0
    squares: int = 0
    too_large: int = 0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        """Return the moments of `values`, which hold no NaN."""
        return cls.grouped(values, np.zeros(len(values), dtype=np.intp), 1)[0]

    @classmethod
    def grouped(cls, values: NDArray[np.float64], codes: NDArray[np.intp], size: int) -> list[Self]:
        """Return the moments of `values` (no NaN) of each code 0 to `size` - 1; codes and values have one length."""
        fits = np.abs(values) <= LARGEST
        too_large = np.bincount(codes[~fits], minlength=size)
        if not fits.all():
            values, codes = values[fits], codes[fits]
        n = np.bincount(codes, minlength=size)
        totals = exact_sums(values, codes, size)
        squares, rests = _squares(values)
        whole = exact_sums(squares, codes, size)
        rest = exact_sums(rests, codes, size)
        return [cls(int(n[code]), totals[code], whole[code] + rest[code], int(too_large[code])) for code in range(size)]

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both together."""
        return Moments(
            self.n + other.n,
            self.total + other.total,
            self.squares + other.squares,
            self.too_large + other.too_large,
        )

    @property
    def mean(self) -> float:
        """The mean, correctly rounded; ZeroDivisionError when there was no number."""
        return self.total / (self.n << _UNIT)

    @property
    def variance(self) -> float:
        """The sample variance (divided by n - 1), correctly rounded; ZeroDivisionError for fewer than two numbers."""
        scaled = self.n * (self.squares << _UNIT) - self.total * self.total
        return max(0.0, scaled / ((self.n * (self.n - 1)) << (2 * _UNIT)))

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return math.sqrt(self.variance / self.n)


NO_NUMBERS = Moments()
"""What adding begins with."""


def _squares(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rounded squares and what rounding left out (Dekker's product; exact above about 1e-140)."""
    scaled = values * _SPLIT
    high = scaled - (scaled - values)
    low = values - high
    squares = values * values
    return squares, ((high * high - squares) + 2.0 * high * low) + low * low
