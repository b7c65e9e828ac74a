"""The largest difference between groups, and whether it is larger than is allowed.

Groups that are too small are named, not compared. Whoever looks for the extreme pair among many finds one: the
interval of the gap and the p-value of the null *no two groups differ by more than `max_gap`* therefore count every pair
that was looked at (Bonferroni).

Intervals: of a difference of shares by Agresti and Caffo (2000), one success and one failure added to each group; of
means by Welch's t. P-values: Fisher's exact test, generalised to gaps other than 0, since normal approximations fail
far out in the tails that a hundred pairs ask for; means of bounded numbers (scores that are probabilities) as the
shares that have their mean and variance; unbounded means by Welch's t.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeltrail.drift.statistics.metrics import LEVEL

__all__ = ["MEANS", "GapResult", "GroupFigure", "largest_gap", "p_beyond_gap", "p_of_difference"]

MEANS = frozenset({"mean_score", "calibration"})
"""The metrics of bias that are means; the others are shares."""


class GroupFigure(NamedTuple):
    """The figure of one value of a stratum, from `n` rows.

    `centre` and `square` (a squared standard error) are what intervals are made of: for a share they are Agresti and
    Caffo's. `hits` of `trials` is what p-values are computed from: a share itself, or the binomial that has the mean
    and the variance of bounded numbers, moved to 0 to 1; no trials for unbounded ones.
    """

    value: str
    figure: float
    n: int
    centre: float
    square: float
    hits: float = 0.0
    trials: float = 0.0


@dataclass(frozen=True)
class GapResult:
    """The largest difference between two groups.

    `value` is the gap, from the group `lowest` to the group `highest`, `low` and `high` the limits of its 95 %
    interval, all pairs considered; or `reason` says why there is none. `n` counts the rows of all compared `groups`
    (in the order of their names); `too_small` names the others, with their rows.
    """

    by: str
    metric: str
    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    lowest: str | None = None
    highest: str | None = None
    groups: tuple[GroupFigure, ...] = ()
    too_small: tuple[tuple[str, int], ...] = ()
    reason: str | None = None

    @property
    def pairs(self) -> int:
        """How many pairs of groups were looked at."""
        return len(self.groups) * (len(self.groups) - 1) // 2


def largest_gap(
    by: str, metric: str, figures: Sequence[GroupFigure], small: Sequence[tuple[str, int]], least: int
) -> GapResult:
    """Return the gap between figures of groups of at least `least` rows, in the order of their names."""
    n = sum(figure.n for figure in figures)
    if len(figures) < 2:
        reason = f"{len(figures)} values of {by} have {least} or more such rows, at least 2 are needed"
        return GapResult(by, metric, n, groups=tuple(figures), too_small=tuple(small), reason=reason)
    lowest = min(figures, key=lambda figure: (figure.figure, figure.value))
    # Equal figures: another group, so that the pair is one of two.
    highest = max((figure for figure in figures if figure is not lowest), key=lambda each: (each.figure, each.value))
    pairs = len(figures) * (len(figures) - 1) // 2
    value = highest.figure - lowest.figure
    centre = highest.centre - lowest.centre
    square = highest.square + lowest.square
    tail = (1 - LEVEL) / (2 * pairs)
    if metric in MEANS:
        freedom = _freedom(np.array([highest.square]), np.array([lowest.square]), highest.n, lowest.n)
        reach = -float(special.stdtrit(freedom, tail)[0]) * math.sqrt(square)
    else:
        reach = -float(special.ndtri(tail)) * math.sqrt(square)
    low, high = max(0.0, min(value, centre - reach)), max(value, centre + reach)
    if metric != "mean_score":  # a difference of two shares, or of two differences between -1 and 1
        high = min(high, 2.0 if metric == "calibration" else 1.0)
    return GapResult(by, metric, n, value, low, high, lowest.value, highest.value, tuple(figures), tuple(small))


def p_beyond_gap(result: GapResult, max_gap: float, *, overdispersion: float = 1.0) -> float | None:
    """Return the p-value of the null "no two groups differ by more than `max_gap`"; None for a result without value.

    That of the most telling pair times the number of pairs, at most 1. `overdispersion` (phi, at least 1) is how many
    dependent rows weigh as one independent row. ValueError for a negative gap or an overdispersion below 1.
    """
    if not max_gap >= 0:
        raise ValueError(f"max_gap {max_gap}: expected 0 or more")
    if not overdispersion >= 1:
        raise ValueError(f"overdispersion {overdispersion}: expected 1 or more")
    if result.value is None:
        return None
    first, second = np.triu_indices(len(result.groups), k=1)
    centres = np.array([figure.centre for figure in result.groups])
    squares = np.array([figure.square for figure in result.groups])
    sizes = np.array([figure.n for figure in result.groups])
    differences = np.abs(centres[first] - centres[second])
    errors = np.sqrt(overdispersion * (squares[first] + squares[second]))
    certain = errors == 0  # two groups of constants
    with np.errstate(divide="ignore", invalid="ignore"):
        near, far = (differences - max_gap) / errors, (differences + max_gap) / errors
        # The sign of a difference is not known beforehand: both tails, at the null's border.
        freedom = _freedom(squares[first], squares[second], sizes[first], sizes[second])
        tails = special.stdtr(freedom, -near) + special.stdtr(freedom, -far)
    tails[certain] = np.where(differences[certain] > max_gap, 0.0, 1.0)
    smallest = float(tails.min())
    if all(group.trials for group in result.groups):
        gap = max_gap / 2 if result.metric == "calibration" else max_gap
        telling = np.argsort(tails, kind="stable")[:_TELLING].tolist()
        smallest = min(
            _p_of_shares(result.groups[first[pair]], result.groups[second[pair]], gap, overdispersion)
            for pair in telling
        )
    return min(1.0, smallest * result.pairs)


_TELLING = 8
"""So many pairs, the most telling by Welch's t, get the longer computation; the smallest of their p-values is at least
the smallest of all."""

_NODES = 400
_CERTAIN = 1e-15


def _p_of_shares(one: GroupFigure, other: GroupFigure, gap: float, phi: float) -> float:
    """Test a difference of shares, or of means as shares, at the border of the null; both tails."""
    low, high = sorted((one, other), key=lambda group: (group.figure, group.value))
    trials = low.hits / phi, low.trials / phi, high.hits / phi, high.trials / phi
    return p_of_difference(*trials, gap) + p_of_difference(*trials, -gap)


def p_of_difference(low_hits: float, low_of: float, high_hits: float, high_of: float, gap: float) -> float:
    """Return P(H - L <= gap), L ~ Beta(hits + 1, misses) of the low group and H ~ Beta(hits, misses + 1) of the high.

    For gap 0 this is the p-value of Fisher's exact test (Altham 1969). Where a group has no misses (or no hits) its
    variable is the constant 1 (or 0). By the trapezoidal rule over the narrower of the two.
    """
    low_misses, high_misses = low_of - low_hits, high_of - high_hits
    if low_misses <= 0 or high_hits <= 0:
        return 1.0
    low_shape, high_shape = (low_hits + 1, low_misses), (high_hits, high_misses + 1)
    shape = low_shape if low_of > high_of else high_shape
    start, end = special.betaincinv(*shape, _CERTAIN), special.betainccinv(*shape, _CERTAIN)
    nodes = np.linspace(start, end, _NODES)
    with np.errstate(divide="ignore"):
        logs = special.xlogy(shape[0] - 1, nodes) + special.xlog1py(shape[1] - 1, -nodes) - special.betaln(*shape)
    # numpy's own exp gives other last digits on other processors.
    density = np.array([math.exp(log) for log in logs.tolist()])
    if low_of > high_of:
        tail = special.betainc(*high_shape, np.clip(nodes + gap, 0, 1))
    else:
        tail = special.betaincc(*low_shape, np.clip(nodes - gap, 0, 1))
    products = density * tail
    inner = math.fsum(products.tolist()) - (float(products[0]) + float(products[-1])) / 2
    return min(1.0, inner * float(nodes[1] - nodes[0]) + 2 * _CERTAIN)


def _freedom(
    one: NDArray[np.float64], other: NDArray[np.float64], rows: NDArray[np.intp] | int, others: NDArray[np.intp] | int
) -> NDArray[np.float64]:
    """Degrees of freedom of Welch and Satterthwaite from squared standard errors."""
    both = one + other
    share: NDArray[np.float64] = np.divide(one, both, out=np.full_like(both, 0.5), where=both > 0)
    found: NDArray[np.float64] = 1 / (share**2 / (rows - 1) + (1 - share) ** 2 / (others - 1))
    return found
