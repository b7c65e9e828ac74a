"""Making bins from a sample, once, when a baseline is registered.

    sample 1 1 1 1 2.5 3.1 4 4 7 9     cap 2 values a bin; 1 is an atom, heavier than a whole bin
    edges          1  1+  4  7         1+ is the next double after 1
    bins       (-inf  |{1}|1+ .. 4|4 .. 7|7 .. inf)

Fine bins hold at most 1/B of the sample each, so that the binned Kolmogorov-Smirnov statistic is within 1/B of the
exact one. A value that alone weighs more gets a bin that holds nothing else: plain quantile edges put an atom in one
bin with what lies beside it, and do not see it slip from 5.0 to 4.999. Coarse bins, for PSI, are runs of fine ones:
about one for each tenth of the mass, with a heavy atom on its own.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["COARSE_BINS", "FINE_BINS", "make_edges", "make_groups", "point_bins"]

FINE_BINS = 250
COARSE_BINS = 10

_LEAST_SHARE = 0.25
"""A run of bins between heavy atoms is a coarse bin of its own from this share of a usual one; below, a neighbour's."""


def make_edges(values: NDArray[np.float64], fine_bins: int = FINE_BINS) -> NDArray[np.float64]:
    """Return inner edges float64[k], strictly increasing and finite; bin i of k + 1 is edges[i-1] <= v < edges[i].

    `values` is the sample, shape (n,), without NaN; infinities belong to the outer bins and make no edge. ValueError
    where no finite value is left, or where `fine_bins` is not between 2 and 500.
    """
    if not 2 <= fine_bins <= 500:
        raise ValueError(f"fine_bins: {fine_bins}: expected 2 to 500")
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise ValueError(f"values: {values.size} values, none of them finite: expected at least one")
    distinct, counts = np.unique(finite + 0.0, return_counts=True)  # -0.0 + 0.0 is 0.0
    cap = max(1, finite.size // fine_bins)
    before = np.concatenate(([0], np.cumsum(counts)))
    edges: list[float] = []
    start, after_atom = 0, False
    while start < distinct.size:
        value = float(distinct[start])
        stop = max(start + 1, int(np.searchsorted(before, before[start] + cap, side="right")) - 1)
        atom = bool(counts[start] > cap) or distinct.size == 1
        if (start > 0 and not after_atom) or atom:
            edges.append(value)
        if atom and math.isfinite(following := math.nextafter(value, math.inf)):
            edges.append(following + 0.0)  # what follows the least negative double is -0.0
        start, after_atom = stop, atom
    # Two bins side by side hold more than `cap`, so there are never more than 2000 edges, the limit of the contract.
    return np.unique(np.array(edges, dtype=np.float64))


def make_groups(
    edges: NDArray[np.float64], counts: NDArray[np.int64], coarse_bins: int = COARSE_BINS
) -> NDArray[np.int64]:
    """Return the first fine bin of each coarse one, int64[g], beginning with 0 and strictly increasing.

    `counts` int64[k + 1] are those of the sample on these edges. An atom with more than 1/`coarse_bins` of the mass is
    alone in its coarse bin; the runs between such atoms are cut where their mass comes nearest to equal parts, and one
    that is too light for a part goes with the lighter neighbour.
    """
    total = int(counts.sum())
    heavy = point_bins(edges) & (counts * coarse_bins > total)
    runs = _runs(heavy)
    light = [
        not heavy[first] and int(counts[first:last].sum()) * coarse_bins < _LEAST_SHARE * total for first, last in runs
    ]
    firsts: list[int] = []
    for at, (first, last) in enumerate(runs):
        if at and (light[at] or light[at - 1]) and _joins(counts, runs, light, at):
            continue
        cuts = [0] if heavy[first] or light[at] else _cuts(counts[first:last], total, coarse_bins)
        firsts += [first + cut for cut in cuts]
    return np.array(firsts, dtype=np.int64)


def point_bins(edges: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which bins hold one double only, bool[k + 1]: those of atoms. In them nothing is rounded by binning."""
    points = np.zeros(edges.size + 1, dtype=np.bool_)
    points[1:-1] = np.nextafter(edges[:-1], np.inf) == edges[1:]
    return points


def _runs(heavy: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Cut the bins before and after each heavy one: (first, last + 1) of each run."""
    starts = [at for at in range(heavy.size) if at == 0 or heavy[at] or heavy[at - 1]]
    return list(zip(starts, [*starts[1:], heavy.size], strict=True))


def _joins(counts: NDArray[np.int64], runs: list[tuple[int, int]], light: list[bool], at: int) -> bool:
    """Say whether run `at` is one coarse bin with the run before it: a light run goes with its lighter neighbour."""

    def weight(run: int) -> int:
        return int(counts[slice(*runs[run])].sum())

    def goes_back(run: int) -> bool:
        return run > 0 and (run == len(runs) - 1 or weight(run - 1) <= weight(run + 1))

    return goes_back(at) if light[at] else not goes_back(at - 1)


def _cuts(counts: NDArray[np.int64], total: int, coarse_bins: int) -> list[int]:
    """Cut a run into parts of about 1/`coarse_bins` of `total`: the first bin of each, beginning with 0."""
    below = np.concatenate(([0], np.cumsum(counts)))
    parts = max(1, round(int(below[-1]) * coarse_bins / total))
    targets = below[-1] * np.arange(1, parts) / parts
    upper = np.clip(np.searchsorted(below, targets), 1, counts.size - 1) if counts.size > 1 else np.zeros(0, np.int64)
    nearest = [
        int(at) if at == 1 or below[at] - target <= target - below[at - 1] else int(at) - 1
        for at, target in zip(upper, targets[: upper.size], strict=True)
    ]
    return sorted({0, *nearest})
