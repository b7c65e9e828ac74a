"""What others raise by default, by their formulas: one feature of one window against the baseline.

| peer | numeric | categorical | raises |
| --- | --- | --- | --- |
| Evidently, PSI | bins by Sturges over both samples together, empty ones .0001 | shares | PSI >= .1 |
| Alibi Detect | Kolmogorov-Smirnov | chi-square | p < .05 / number of features |
| NannyML | Jensen-Shannon, bins by Doane over the baseline | shares | above mean + 3 std of the baseline's chunks |
| textbook | PSI on deciles of the baseline, empty ones .0001 | shares | PSI > .1, or > .25 |
| KS, uncorrected | Kolmogorov-Smirnov | chi-square | p < .05 |

Missing values are dropped before, as all of them do. Evidently: `legacy/calculations/stattests/psi.py` and `utils.py`.
Alibi Detect: `TabularDrift`, correction "bonferroni". NannyML: univariate drift, default method and threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeltrail.bench.drift_worlds import CATEGORIES, FEATURES, Values

__all__ = ["PEERS", "PeerFeature"]

PEERS = (
    "PSI > .1 on deciles",
    "PSI > .25 on deciles",
    "Evidently, PSI default",
    "KS, p < .05, uncorrected",
    "Alibi, KS with Bonferroni",
    "NannyML, mean + 3 std",
)

_ALPHA = 0.05
_EMPTY = 1e-4
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class PeerFeature:
    """The baseline of one feature, as each peer keeps it."""

    reference: Values
    categorical: bool
    deciles: Floats
    doane: Floats
    nannyml_limit: float

    @classmethod
    def of(cls, reference: Values, chunks: Sequence[Values], *, categorical: bool) -> "PeerFeature":
        """Prepare a feature; `chunks` are windows without drift from which NannyML takes its threshold.

        NannyML itself cuts them out of the baseline, of which 5,000 rows are half: it would raise in every window.
        """
        known = np.sort(reference[~np.isnan(reference)])
        edges = np.arange(CATEGORIES + 1) - 0.5
        deciles: Floats = edges
        doane: Floats = edges
        if not categorical:
            deciles = np.quantile(known, np.linspace(0, 1, 11))
            doane = np.histogram_bin_edges(known, bins="doane")
        feature = cls(known, categorical, deciles, doane, 0.0)
        distances = [feature._distance(chunk[~np.isnan(chunk)]) for chunk in chunks]
        limit = float(np.mean(distances) + 3 * np.std(distances))
        return cls(known, categorical, deciles, doane, limit)

    def raises(self, window: Values) -> Sequence[bool]:
        """Say who raises on a window, in the order of PEERS."""
        current = np.sort(window[~np.isnan(window)])
        deciles = self._psi(self.deciles, current, outside=True)
        p = self._p_value(current)
        return (
            deciles > 0.1,
            deciles > 0.25,
            self._evidently(current) >= 0.1,
            p < _ALPHA,
            p < _ALPHA / FEATURES,
            self._distance(current) > self.nannyml_limit,
        )

    def _psi(self, edges: Floats, current: Values, *, outside: bool) -> float:
        if outside:  # what lies beyond the baseline's extremes belongs to the outer bins
            current = np.clip(current, edges[0], edges[-1])
        p, q = (np.histogram(side, edges)[0] / side.size for side in (self.reference, current))
        p, q = np.where(p == 0, _EMPTY, p), np.where(q == 0, _EMPTY, q)
        return float(np.sum((q - p) * np.log(q / p)))

    def _evidently(self, current: Values) -> float:
        if self.categorical:
            return self._psi(self.deciles, current, outside=False)
        return self._psi(
            np.histogram_bin_edges(np.concatenate((self.reference, current)), bins="sturges"), current, outside=False
        )

    def _p_value(self, current: Values) -> float:
        n, m = current.size, self.reference.size
        if self.categorical:
            table = np.array([np.histogram(side, self.deciles)[0] for side in (self.reference, current)], dtype=float)
            expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
            statistic = np.sum(
                np.divide((table - expected) ** 2, expected, out=np.zeros_like(table), where=expected > 0)
            )
            return float(special.chdtrc(np.count_nonzero(expected[0]) - 1, statistic))
        both = np.concatenate((self.reference, current))
        shares = (np.searchsorted(side, both, side="right") / side.size for side in (self.reference, current))
        distance = float(np.max(np.abs(np.subtract(*shares))))
        return float(special.kolmogorov(np.sqrt(n * m / (n + m)) * distance))

    def _distance(self, current: Values) -> float:
        """Return the Jensen-Shannon distance, values outside of the baseline's range in a bin of their own."""
        sides = []
        for side in (self.reference, current):
            counts = np.histogram(side, self.doane)[0]
            sides.append(np.append(counts, side.size - counts.sum()) / side.size)
        p, q = sides
        middle = (p + q) / 2
        parts = [
            np.sum(side * np.log2(np.divide(side, middle, out=np.ones_like(side), where=side > 0))) for side in sides
        ]
        return float(np.sqrt(max(0.0, sum(parts) / 2)))
