"""How likely a distance would be if nothing had changed, or not by more than the tolerance.

    PSI    n_eff PSI ~ noncentral chi-square(B - 1 degrees, n_eff delta0)
    KS     (sqrt n_eff + .12 + .11 / sqrt n_eff) max(0, D - d0) ~ Kolmogorov
    chi2   chi-square
    share  as PSI with two bins; where the reference share is too small for that, exact binomial

with n_eff = n m / (n + m) / phi. `phi` >= 1 is the overdispersion: rows that come in sessions are worth fewer
independent ones. Functions take arrays and broadcast, and return float64 in 0..1.

PSI with a tolerance: Potgieter et al., arXiv 2307.11878. KS: Stephens, "EDF statistics for goodness of fit", 1974.
Benjamini and Hochberg, "Controlling the false discovery rate", 1995.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from modeltrail.drift.statistics.distances import share_psi

__all__ = [
    "chi_square_p_value",
    "effective_rows",
    "ks_p_value",
    "psi_p_value",
    "rejection_limit",
    "share_p_value",
]

_RARE_ROWS = 5.0
"""A reference share below 5/n expects fewer than five rows: too few for the chi-square of two bins."""

Floats = NDArray[np.float64]


def _float64(value: ArrayLike) -> Floats:
    return np.asarray(value, dtype=np.float64)


def effective_rows(n: ArrayLike, m: ArrayLike, phi: ArrayLike = 1.0) -> Floats:
    """Return n m / (n + m) / phi: how many rows a comparison of `n` current with `m` reference rows is worth."""
    rows, reference_rows = _float64(n), _float64(m)
    return np.divide(rows, 1 + rows / reference_rows) / _float64(phi)


def psi_p_value(
    value: ArrayLike, bins: ArrayLike, n: ArrayLike, m: ArrayLike, *, delta0: ArrayLike = 0.0, phi: ArrayLike = 1.0
) -> Floats:
    """Return the p-value of a raw (not debiased) smoothed PSI on `bins` bins, for the null: at most `delta0`.

    One bin can show no change: its p-value is 1.
    """
    n_eff = effective_rows(n, m, phi)
    degrees = _float64(bins) - 1
    p = stats.ncx2.sf(n_eff * _float64(value), np.maximum(degrees, 1), n_eff * _float64(delta0))
    return _float64(np.where(degrees < 1, 1.0, np.clip(p, 0.0, 1.0)))


def ks_p_value(value: ArrayLike, n: ArrayLike, m: ArrayLike, *, d0: ArrayLike = 0.0, phi: ArrayLike = 1.0) -> Floats:
    """Return the p-value of a Kolmogorov-Smirnov statistic, for the null: at most `d0`."""
    root = np.sqrt(effective_rows(n, m, phi))
    beyond = np.maximum(0.0, _float64(value) - _float64(d0))
    return _float64(special.kolmogorov((root + 0.12 + 0.11 / root) * beyond))


def chi_square_p_value(value: ArrayLike, degrees: ArrayLike, *, phi: ArrayLike = 1.0) -> Floats:
    """Return the p-value of a chi-square; without degrees of freedom it is 1."""
    freedom = _float64(degrees)
    p = special.chdtrc(np.maximum(freedom, 1), _float64(value) / _float64(phi))
    return _float64(np.where(freedom < 1, 1.0, p))


def share_p_value(
    reference_hits: int, m: int, current_hits: int, n: int, *, delta0: float = 0.0, phi: float = 1.0
) -> float:
    """Return the p-value of a share (missing, unseen, mistyped), for the null: two-bin PSI at most `delta0`.

    Where at least five independent hits are expected it is that of the two-bin PSI, for a change to either side.
    Below, where a fall could not be seen anyway, it is for a rise: the larger of two exact binomial tails P(X >= hits)

    - X ~ B(n, s), s the share at a PSI of `delta0` above the reference's own, (hits + 1/2) / (m + 1);
    - X ~ B(hits of both sides, n / (n + m)), which does not take the reference's share for known: nothing in 100 rows
      is no proof that there is nothing in 5,000.

    `phi` divides rows and hits alike. ValueError where hits are not within 0..rows or a side has no rows.
    """
    for name, hits, rows in (("reference", reference_hits, m), ("current", current_hits, n)):
        if not 0 <= hits <= rows or rows == 0:
            raise ValueError(f"{name}: {hits} hits of {rows} rows: expected 0 to as many as there are rows, at least 1")
    if reference_hits * n >= _RARE_ROWS * m * phi:
        # Divided before it is smoothed: added to hits that come phi at a time, 1/2 would be too little.
        apart = share_psi(reference_hits / phi, m / phi, current_hits / phi, n / phi)
        return float(psi_p_value(apart, 2, n / phi, m / phi, delta0=delta0))
    if current_hits == 0:
        return 1.0
    events, independent = current_hits / phi, n / phi
    allowed = _share_beyond((reference_hits + 0.5) / (m + 1), delta0)
    # P(X >= k) of B(n, s) is the regularised incomplete beta function I_s(k, n - k + 1), which phi may make fractional.
    against_share = special.betainc(events, independent - events + 1, allowed)
    against_rows = special.betainc(events, reference_hits / phi + 1, n / (n + m))
    return float(max(against_share, against_rows))


def _share_beyond(share: float, delta0: float) -> float:
    """Return the share above `share` at which the PSI of two bins is `delta0`, by bisection to the last digit."""
    low, high = float(share), 1.0
    if delta0 <= 0:
        return share
    while low < (middle := (low + high) / 2) < high:
        apart = (middle - share) * (math.log(middle / share) - math.log1p(-middle) + math.log1p(-share))
        low, high = (middle, high) if apart < delta0 else (low, middle)
    return low


def rejection_limit(p_values: ArrayLike, fdr: float) -> float:
    """Return the largest p-value that Benjamini and Hochberg reject, -1 where they reject none.

    Rejected are the r smallest of k p-values, r the largest rank at which p <= fdr r / k. ValueError where a p-value is
    not within 0..1.
    """
    ordered = np.sort(_float64(p_values))
    if ordered.ndim != 1 or not ((ordered >= 0) & (ordered <= 1)).all():
        raise ValueError(f"p_values: {p_values!r}: expected one dimension, 0 to 1")
    passed = np.flatnonzero(ordered <= fdr * np.arange(1, ordered.size + 1) / max(1, ordered.size))
    return float(ordered[passed[-1]]) if passed.size else -1.0
