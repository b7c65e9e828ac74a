r"""How far two sets of counts on the same bins are apart: counts in, numbers out.

    n, m   rows of the current and of the reference counts       p, q   their shares of each of the B bins
    PSI    sum (p - q) ln(p / q), smoothed                       0 .. inf
    KL     sum p ln(p / q), smoothed; current from reference     0 .. inf
    JS     sqrt(KL(p | a) + KL(q | a)) / sqrt 2, a = (p + q)/2   0 .. 1 (logarithms to base 2), not smoothed
    KS     largest difference of the cumulated shares            0 .. 1, with the bound of what binning hides
    W1     area between the cumulated shares / std of the reference, 0 .. inf
    chi2   of the table with two rows and B columns

Smoothed means + 0.5 in every bin of both sides, after which n m / (n + m) times PSI follows chi-square with B - 1
degrees of freedom where nothing changed (see `significance`); with a floor of epsilon it does not. All
but W1 take arrays of counts whose last axis is the bins, and work along it. A side without rows is a ValueError:
that is too little data, not a distance of any size. Missing and unseen rows are no bins: they have tests of their own
(`share_psi`), so that a field that turns null cannot hide by being dropped. Logarithms are those of the C library:
numpy's own have other last digits on other processors, and a check is computed again years later.

PSI: Yurdakul and Naranjo, "Statistical properties of the population stability index", 2020. JS: Endres and Schindelin,
"A new metric for probability distributions", 2003.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = [
    "SMOOTHING",
    "ChiSquare",
    "KolmogorovSmirnov",
    "chi_square",
    "debiased",
    "jensen_shannon",
    "kl",
    "ks",
    "psi",
    "psi_debiased",
    "share_psi",
    "wasserstein_normalised",
]

SMOOTHING = 0.5
"""What is added to every bin of both sides for PSI and KL."""

Floats = NDArray[np.float64]


class KolmogorovSmirnov(NamedTuple):
    """The statistic on bins, and how much the exact one may be above it (it is never below)."""

    statistic: float
    bound: float


class ChiSquare(NamedTuple):
    """The statistic and its degrees of freedom."""

    statistic: float
    degrees: int


def _float64(value: ArrayLike) -> Floats:
    return np.asarray(value, dtype=np.float64)


def _pair(reference: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats]:
    """Return both as float64 (exact up to 2^53), of equal bins and with rows."""
    first, second = _float64(reference), _float64(current)
    if first.ndim == 0 or second.ndim == 0 or first.shape[-1] != second.shape[-1] or first.shape[-1] == 0:
        raise ValueError(f"counts: shapes {first.shape} and {second.shape}: expected the same bins, at least one")
    for name, counts in (("reference", first), ("current", second)):
        if (counts.sum(axis=-1) <= 0).any():
            raise ValueError(f"{name}: no rows in any bin: expected at least one")
    return first, second


def _shares(counts: Floats, smoothing: float = 0.0) -> Floats:
    smoothed = counts + smoothing
    return _float64(smoothed / smoothed.sum(axis=-1, keepdims=True))


def psi(reference: ArrayLike, current: ArrayLike) -> Floats:
    """Return the population stability index, smoothed; a change of sides leaves it as it is."""
    counts = _pair(reference, current)
    q, p = (_shares(side, SMOOTHING) for side in counts)
    return _float64(np.sum(special.xlogy(p - q, p / q), axis=-1))


def debiased(value: ArrayLike, bins: int, n: ArrayLike, m: ArrayLike, phi: ArrayLike = 1.0) -> Floats:
    """Return PSI - phi (B - 1)(1/n + 1/m), not below 0: without what it is expected to be where nothing changed."""
    rows, reference_rows = _float64(n), _float64(m)
    expected = _float64(phi) * (bins - 1) * (1 / rows + 1 / reference_rows)
    return _float64(np.maximum(0.0, _float64(value) - expected))


def psi_debiased(reference: ArrayLike, current: ArrayLike, phi: ArrayLike = 1.0) -> Floats:
    """Return the debiased PSI of counts; `phi` is the overdispersion of the field."""
    q, p = _pair(reference, current)
    return debiased(psi(q, p), p.shape[-1], p.sum(axis=-1), q.sum(axis=-1), phi)


def kl(reference: ArrayLike, current: ArrayLike) -> Floats:
    """Return the Kullback-Leibler divergence of the current from the reference shares, smoothed, in nats."""
    counts = _pair(reference, current)
    q, p = (_shares(side, SMOOTHING) for side in counts)
    return _float64(np.maximum(0.0, np.sum(special.xlogy(p, p / q), axis=-1)))


def jensen_shannon(reference: ArrayLike, current: ArrayLike) -> Floats:
    """Return the Jensen-Shannon distance to base 2: 0 of equal shares, 1 of shares that have no bin in common."""
    counts = _pair(reference, current)
    q, p = (_shares(side) for side in counts)
    middle = (p + q) / 2
    total = np.zeros(np.broadcast_shapes(p.shape, q.shape)[:-1])
    for side in (p, q):
        # An empty bin adds nothing: x ln x goes to 0 with x.
        ratio = np.divide(side, middle, out=np.ones(middle.shape), where=(side > 0) & (middle > 0))
        total = total + np.sum(special.xlogy(side, ratio), axis=-1) / math.log(2)
    return _float64(np.sqrt(np.clip(total / 2, 0.0, 1.0)))


def ks(reference: ArrayLike, current: ArrayLike, points: NDArray[np.bool_] | None = None) -> KolmogorovSmirnov:
    """Return the Kolmogorov-Smirnov statistic of counts on ordered bins, shape (B,), and its bound.

    Within a bin the two cumulated shares may part by no more than the smaller of its two shares, which is the bound:
    binned <= exact <= binned + bound. `points` bool[B] says which bins hold one value only; there nothing is hidden.
    """
    counts = _pair(reference, current)
    q, p = (np.cumsum(side) / side.sum() for side in counts)
    hidden = np.minimum(*(_shares(side) for side in counts))
    if points is not None:
        hidden = hidden[~points]
    return KolmogorovSmirnov(float(np.max(np.abs(p - q))), float(np.max(hidden, initial=0.0)))


def wasserstein_normalised(edges: Floats, reference: ArrayLike, current: ArrayLike, std: float | None) -> float | None:
    """Return the first Wasserstein distance in standard deviations of the reference; None where that is 0 or unknown.

    `edges` float64[B - 1] of the B bins. Values in the outer bins count as if they lay on the outermost edges, and
    those within a bin as spread evenly: it differs from the exact distance of values cut off at the outermost edges by
    at most the sum over the inner bins of width (p + q) / std.
    """
    counts = _pair(reference, current)
    if not std or edges.size < 2:
        return None
    q, p = (np.cumsum(side)[:-1] / side.sum() for side in counts)
    apart = p - q
    left, right = apart[:-1], apart[1:]
    widths = np.diff(edges / std)
    same_sign = left * right >= 0
    sums = np.abs(left) + np.abs(right)
    # Where the difference crosses zero within a bin, two triangles instead of a trapezium.
    crossing = np.divide(left**2 + right**2, sums, out=np.zeros(sums.shape), where=sums > 0)
    return float(np.sum(widths * np.where(same_sign, sums, crossing) / 2))


def chi_square(reference: ArrayLike, current: ArrayLike) -> ChiSquare:
    """Return Pearson's chi-square of the table of both counts, shape (B,); bins that are empty in both are left out."""
    q, p = _pair(reference, current)
    table = np.stack((q, p))[:, (q + p) > 0]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return ChiSquare(float(np.sum((table - expected) ** 2 / expected)), table.shape[1] - 1)


def share_psi(reference_hits: ArrayLike, m: ArrayLike, current_hits: ArrayLike, n: ArrayLike) -> Floats:
    """Return the PSI of two bins, hit or not: `reference_hits` of `m` rows against `current_hits` of `n`.

    For the share of missing, unseen or mistyped rows. ValueError where a side has no rows.
    """
    sides = []
    for hits, rows in ((reference_hits, m), (current_hits, n)):
        hit, all_rows = np.broadcast_arrays(_float64(hits), _float64(rows))
        sides.append(np.stack((hit, all_rows - hit), axis=-1))
    return psi(*sides)
