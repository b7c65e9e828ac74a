"""Merging bins that expect too little, before a chi-square is believed."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["EXPECTED_ROWS", "pool"]

EXPECTED_ROWS = 5.0
"""What a bin should expect at least, by the usual rule for a chi-square."""


def pool(reference: ArrayLike, rows: float, *, ordered: bool, minimum: float = EXPECTED_ROWS) -> NDArray[np.int64]:
    """Return which pool each bin goes to, int64[bins], numbered from 0, so that every pool expects `minimum` of `rows`.

    `reference` are counts, shape (bins,). Ordered bins are pooled with neighbours, from the left; what is left over at
    the end joins the last pool. Others (categories) are pooled with the next lighter ones, from the heaviest. Where all
    together expect less than `minimum`, there is one pool.
    """
    counts = np.asarray(reference, dtype=np.int64)
    needed = minimum * float(counts.sum())
    order = np.arange(counts.size) if ordered else np.argsort(-counts, kind="stable")
    pools = np.zeros(counts.size, dtype=np.int64)
    at, held, closed = 0, 0, False
    for index in order.tolist():
        if closed:
            at, held, closed = at + 1, 0, False
        pools[index] = at
        held += int(counts[index])
        closed = held * rows >= needed
    if not closed and at > 0:
        pools[pools == at] = at - 1
    return pools
