"""What a baseline that carries times teaches about itself: how much its own chunks differ.

    phi         mean of n' sum((p - q)^2 / q) / (B - 1) over short chunks, at least 1;  n' = 1 / (1/n - 1/m), as a
                chunk is part of the whole. Rows of one session are alike, so that chunks differ by more than chance.
    tolerance   90th percentile over window-sized chunks of PSI, less what it would be without any wobble,
                phi chi2(.9, B - 1) / n'; at least .005 and at most .05: the wobble from window to window beyond
                chance, which is harmless because all was well. (Less the mean of chance instead, windows of 200 rows
                that do not wobble at all would teach a tolerance of .02.)

The sum is Pearson's, which PSI is to first order; the logarithm of PSI makes too much of the empty bins that sessions
leave: of sessions of 20 rows it gives a phi of 35, Pearson's 20. PSI here is that of counts / phi, for the same reason.
The two are told apart by the size of the chunks: sessions are short, wobble is slow. A phi from window-sized chunks
would hold the wobble too, and a tolerance without phi the sessions; then either would be counted twice.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from modeltrail.drift.baselines.pooling import pool
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.policy.policy import TOLERANCE_MAX
from modeltrail.drift.rows.columns import Column
from modeltrail.drift.statistics.distances import psi
from modeltrail.events.baselines import DEFAULT_TOLERANCE

__all__ = ["Learned", "default_chunk_rows", "learn"]

_QUANTILE = 0.9
_LEAST_CHUNKS = 5
_LEAST_ROWS = 100
_WINDOWS = 10
_SHORT_CHUNKS = 50


class Learned(NamedTuple):
    """Overdispersion and tolerance of one field."""

    phi: float
    tolerance: float


def default_chunk_rows(rows: int) -> int:
    """Return the rows of a chunk where nobody said how many a window has: a tenth, at least 100."""
    return max(_LEAST_ROWS, rows // _WINDOWS)


def learn(reference: Reference, column: Column, chunk_rows: int) -> Learned | None:
    """Return phi and tolerance from the sample that `reference` was made of, its rows in order of time.

    `chunk_rows`: as many as a window has. None where there are not even five short chunks (of 100 rows or more, or of
    `chunk_rows` where that is less). With fewer than five windows the tolerance is the default. ValueError for less
    than two rows a chunk.
    """
    if chunk_rows < 2:
        raise ValueError(f"chunk_rows: {chunk_rows}: expected at least 2")
    short = min(chunk_rows, max(_LEAST_ROWS, len(column) // _SHORT_CHUNKS))
    chunks = _chunks(reference, column, short)
    if chunks.rows.size < _LEAST_CHUNKS:
        return None
    if chunks.degrees == 0:
        return Learned(1.0, DEFAULT_TOLERANCE)
    apart = np.sum((chunks.shares - chunks.whole) ** 2 / chunks.whole, axis=1)
    phi = max(1.0, float(np.mean(apart * chunks.worth)) / chunks.degrees)
    chunks = _chunks(reference, column, chunk_rows)
    if chunks.rows.size < _LEAST_CHUNKS:
        return Learned(phi, DEFAULT_TOLERANCE)
    counts = chunks.shares * chunks.rows[:, np.newaxis]
    distances = psi(chunks.whole * chunks.total / phi, counts / phi)
    chance = phi * float(chi2.ppf(_QUANTILE, chunks.degrees)) / chunks.worth
    beyond = np.maximum(0.0, distances - chance)
    return Learned(phi, min(TOLERANCE_MAX, max(DEFAULT_TOLERANCE, float(np.quantile(beyond, _QUANTILE)))))


class _Chunks(NamedTuple):
    """The whole sample and its chunks on pooled bins: shares (B,) and (chunks, B), and the rows with a value."""

    whole: NDArray[np.float64]
    total: int
    shares: NDArray[np.float64]
    rows: NDArray[np.int64]

    @property
    def worth(self) -> NDArray[np.float64]:
        """What each chunk is worth, n'."""
        return np.divide(1.0, 1 / self.rows - 1 / self.total)

    @property
    def degrees(self) -> int:
        """B - 1."""
        return self.whole.size - 1


def _chunks(reference: Reference, column: Column, rows: int) -> _Chunks:
    """Count each whole chunk of `rows` rows; the remainder and chunks without a value are left out."""
    whole = reference.coarse(reference.sample)
    total = int(whole.sum())
    starts = range(0, len(column) - rows + 1, rows)
    coarse = [reference.coarse(reference.count(column.take(slice(start, start + rows)))) for start in starts]
    counts = np.array([chunk for chunk in coarse if 0 < int(chunk.sum()) < total], dtype=np.int64)
    counts = counts.reshape(-1, whole.size)
    pools = pool(whole, rows * total / len(column), ordered=reference.kind == "numeric")
    rows_each = counts.sum(axis=1)
    return _Chunks(pools.sums(whole) / total, total, pools.sums(counts) / rows_each[:, np.newaxis], rows_each)
