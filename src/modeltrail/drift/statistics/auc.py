"""The area under the ROC curve with its uncertainty.

The area is the share of pairs (one positive, one negative) in which the positive has the higher score; a tie counts
half. Its variance is DeLong's (DeLong, DeLong and Clarke-Pearson 1988, by midranks as in Sun and Xu 2014), and that
of Hanley and McNeil (1982) where the null hypothesis, not the sample, says what the area is. Ranks are doubled and
therefore integers, so nothing here depends on the order of rows.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["area_interval", "area_under_curve", "hanley_mcneil"]


def area_under_curve(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the area and DeLong's variance of it.

    `scores` (no NaN) and `positive` have one length, with at least two rows of each class. A perfect or perfectly
    inverted ranking has variance 0.
    """
    high, low = np.sort(scores[positive]), np.sort(scores[~positive])
    m, n = len(high), len(low)
    # Twice the number of negatives below each positive, ties as one; and the same the other way round.
    below = np.searchsorted(low, high, side="left") + np.searchsorted(low, high, side="right")
    above = 2 * m - np.searchsorted(high, low, side="left") - np.searchsorted(high, low, side="right")
    area = int(below.sum()) / (2 * m * n)
    return area, _spread(below) / (4 * n * n * m) + _spread(above) / (4 * m * m * n)


def _spread(doubled: NDArray[np.intp]) -> float:
    """The sample variance of integers, rounded once."""
    n, total = len(doubled), int(doubled.sum())
    # Counted by value first: the sum of squares of millions of large integers does not fit in 64 bits.
    values, counts = np.unique(doubled, return_counts=True)
    squares = sum(value * value * count for value, count in zip(values.tolist(), counts.tolist(), strict=True))
    scaled: int = n * squares - total * total
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
