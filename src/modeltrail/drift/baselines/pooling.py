"""Merging bins that expect too little, before a chi-square is believed."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXPECTED_ROWS", "Pools", "pool"]

EXPECTED_ROWS = 5.0
"""What a bin should expect at least, by the usual rule for a chi-square."""


class Pools(NamedTuple):
    """How bins are merged: `order` int64[bins] to take them in, and where in that order each pool begins, int64[k]."""

    order: NDArray[np.intp]
    starts: NDArray[np.intp]

    @property
    def size(self) -> int:
        """How many pools there are, at least 1."""
        return self.starts.size

    def sums(self, counts: NDArray[Any]) -> NDArray[Any]:
        """Return what the pools hold; the last axis of `counts` is the bins, that of the sums the pools."""
        return np.add.reduceat(counts[..., self.order], self.starts, axis=-1)


def pool(reference: NDArray[np.int64], rows: float, *, ordered: bool, minimum: float = EXPECTED_ROWS) -> Pools:
    """Return how bins are merged so that every pool expects `minimum` of `rows`.

    `reference` are counts, shape (bins,). Ordered bins are pooled with neighbours, from the left; what is left over at
    the end joins the last pool. Others (categories) are pooled with the next lighter ones, from the heaviest. Where all
    together expect less than `minimum`, there is one pool.
    """
    order = np.arange(reference.size) if ordered else np.argsort(-reference, kind="stable")
    weights = reference[order]
    needed = minimum * float(weights.sum())
    if float(weights.min()) * rows >= needed:
        return Pools(order, np.arange(weights.size))
    starts, held, begin = [], 0, 0
    for at, weight in enumerate(weights.tolist()):
        held += weight
        if held * rows >= needed:
            starts.append(begin)
            held, begin = 0, at + 1
    return Pools(order, np.array(starts or [0], dtype=np.intp))
