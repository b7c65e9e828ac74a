"""The area under the ROC curve with its uncertainty.

The area is the share of pairs (one positive, one negative) in which the positive has the higher score; a tie counts
half. Its variance is DeLong's (DeLong, DeLong and Clarke-Pearson 1988, by midranks as in Sun and Xu 2014), and that
of Hanley and McNeil (1982) where the null hypothesis, not the sample, says what the area is. Ranks are doubled and
therefore integers, so nothing here depends on the order of rows. They are added up over rows in ascending order of
score, a part at a time (`ranking.py`), so that memory need not grow with the rows.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.statistics.ranking import Ranks

__all__ = ["area_interval", "area_of_ranks", "hanley_mcneil"]

_FITS = 1 << 30
"""With fewer rows the sums of a part fit in 64 bits."""


def area_of_ranks(parts: Iterable[Ranks], positives: int, negatives: int) -> tuple[float, float]:
    """Return the area and DeLong's variance of it.

    `parts` are all rows in ascending order of score, `positives` and `negatives` how many there are of each class: at
    least two. A perfect or perfectly inverted ranking has variance 0.
    """
    m, n = positives, negatives
    kind = np.int64 if m + n < _FITS else np.object_  # integers of any size
    higher = lower = 0
    below, above = _Doubled(), _Doubled()
    for part in parts:
        p, q = part.positives.astype(kind), part.negatives.astype(kind)
        # Twice the number of negatives below each positive, ties as one; and the same the other way round.
        below.add(p, 2 * (lower + np.cumsum(q) - q) + q)
        above.add(q, 2 * (m - higher - np.cumsum(p) + p) - p)
        higher, lower = higher + int(p.sum()), lower + int(q.sum())
    area = below.total / (2 * m * n)
    return area, below.spread(m) / (4 * n * n * m) + above.spread(n) / (4 * m * m * n)


class _Doubled:
    """The exact sum of doubled ranks, and of their squares."""

    def __init__(self) -> None:
        self.total = 0
        self.squares = 0

    def add(self, rows: NDArray[Any], doubled: NDArray[Any]) -> None:
        """Add `doubled`, each as often as there are `rows`."""
        self.total += int(rows @ doubled)
        # In halves: the squares of millions of large integers do not add up within 64 bits.
        high, low = doubled >> 16, doubled & 0xFFFF
        self.squares += (int(rows @ (high * high)) << 32) + (int(rows @ (high * low)) << 17) + int(rows @ (low * low))

    def spread(self, n: int) -> float:
        """Return the sample variance of `n` doubled ranks, rounded once."""
        scaled: int = n * self.squares - self.total * self.total
        return scaled / (n * (n - 1))


def hanley_mcneil(area: float, positives: int, negatives: int) -> float:
    """Return the variance that an estimate of `area` (0 to 1) has by Hanley and McNeil's exponential approximation."""
    both = area / (2 - area) - area * area
    twice = 2 * area * area / (1 + area) - area * area
    spread = area * (1 - area) + (positives - 1) * both + (negatives - 1) * twice
    return max(0.0, spread / (positives * negatives))


def area_interval(area: float, variance: float, positives: int, negatives: int, z: float) -> tuple[float, float]:
    """Return the interval of `area` at `z` standard errors.

    On the logit scale (Pepe 2003), where it stays within 0 and 1; for variance 0 all areas which Hanley and McNeil's
    variance would not exclude (Newcombe 2006), found by bisection.
    """
    if variance > 0 and 0 < area < 1:
        centre = math.log(area / (1 - area))
        reach = z * math.sqrt(variance) / (area * (1 - area))
        return _logistic(centre - reach), _logistic(centre + reach)
    far = _farthest(area, 0.0, positives, negatives, z), _farthest(area, 1.0, positives, negatives, z)
    return min(area, far[0]), max(area, far[1])


def _farthest(area: float, end: float, positives: int, negatives: int, z: float) -> float:
    inside, outside = area, end
    for _ in range(60):
        middle = (inside + outside) / 2
        if (middle - area) * (middle - area) <= z * z * hanley_mcneil(middle, positives, negatives):
            inside = middle
        else:
            outside = middle
    return inside


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
