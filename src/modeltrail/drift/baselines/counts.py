"""Counts of one field over some rows: the whole state of a pane, and what merges are made of.

    n = sum(counts) + missing + unseen + mistyped

Every row is in exactly one of the four: in a bin (or category) of the reference, missing (absent, null or NaN), unseen
(a category that the reference does not have) or mistyped (text where the reference is numeric). Integers add without
rounding, so that counts merge to the same result in any order and any grouping.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FieldCounts", "merge"]


_set = object.__setattr__


@dataclass(frozen=True, slots=True, eq=False)
class FieldCounts:
    """How many rows fell into each bin of one reference, shape (bins,), and how many into none.

    `counts` is kept as a read-only int64 array. ValueError for a negative count or an array of another shape.
    """

    counts: NDArray[np.int64]
    missing: int = 0
    unseen: int = 0
    mistyped: int = 0

    def __post_init__(self) -> None:
        counts = np.array(self.counts, dtype=np.int64)
        if counts.ndim != 1 or counts.size == 0:
            raise ValueError(f"counts: shape {counts.shape}: expected one dimension with at least one bin")
        for name, value in (("counts", int(counts.min())), *self._outside()):
            if value < 0:
                raise ValueError(f"{name}: {value}: expected no negative count")
        counts.flags.writeable = False
        _set(self, "counts", counts)

    @classmethod
    def zeros(cls, bins: int) -> "FieldCounts":
        """Return the counts of no rows: what merging begins with."""
        return cls(np.zeros(bins, dtype=np.int64))

    @classmethod
    def of(cls, counts: ArrayLike, missing: int = 0, unseen: int = 0, mistyped: int = 0) -> "FieldCounts":
        """Return counts from any sequence of integers, as they stand in an event."""
        return cls(np.asarray(counts, dtype=np.int64), missing, unseen, mistyped)

    def _outside(self) -> tuple[tuple[str, int], ...]:
        return ("missing", self.missing), ("unseen", self.unseen), ("mistyped", self.mistyped)

    @property
    def binned(self) -> int:
        """How many rows fell into a bin."""
        return int(self.counts.sum())

    @property
    def n(self) -> int:
        """How many rows were counted, whatever they held."""
        return self.binned + self.missing + self.unseen + self.mistyped

    def __add__(self, other: object) -> "FieldCounts":
        """Merge with the counts of other rows on the same bins; ValueError where the bins are not as many."""
        if not isinstance(other, FieldCounts):
            return NotImplemented
        if other.counts.size != self.counts.size:
            raise ValueError(f"counts: {other.counts.size} bins: expected {self.counts.size}, those of one reference")
        # Sums of what was looked at need no second look: merging is what a check with a long look-back does most.
        merged = object.__new__(FieldCounts)
        counts = self.counts + other.counts
        counts.flags.writeable = False
        _set(merged, "counts", counts)
        _set(merged, "missing", self.missing + other.missing)
        _set(merged, "unseen", self.unseen + other.unseen)
        _set(merged, "mistyped", self.mistyped + other.mistyped)
        return merged

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FieldCounts):
            return NotImplemented
        return self._outside() == other._outside() and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash((self._outside(), self.counts.tobytes()))


def merge(parts: Iterable[FieldCounts], bins: int) -> FieldCounts:
    """Return the sum of any number of counts on `bins` bins; of none, zeros."""
    total = FieldCounts.zeros(bins)
    for part in parts:
        total += part
    return total
