"""Bias: how far apart the values of a stratum are in what a model does to them.

| metric | figure of a value (group) | rows it is about |
| --- | --- | --- |
| selection_rate | share called positive | rows with a label |
| mean_score | mean score (of a regression: mean prediction) | rows with a score |
| true_positive_rate | share called positive | rows with a label that are truly positive |
| false_positive_rate | share called positive | rows with a label that are truly negative |
| calibration | mean score less the share that is truly positive | rows with a score and their truth |

The gap is the largest difference between two groups of at least MIN_GROUP rows each; smaller ones are named, not
compared. Whoever looks for the extreme pair among many finds one: the interval of the gap and the p-value of the null
*no two groups differ by more than `max_gap`* therefore count every pair that was looked at (Bonferroni).

Intervals: of a difference of shares by Agresti and Caffo (2000), one success and one failure added to each group; of
means by Welch's t. P-values: Fisher's exact test, generalised to gaps other than 0, since normal approximations fail
far out in the tails that a hundred pairs ask for; means of bounded numbers (scores that are probabilities) as the
shares that have their mean and variance; unbounded means by Welch's t.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeltrail.drift.columns import Strata
from modeltrail.drift.exact import LARGEST, NO_NUMBERS, Moments
from modeltrail.drift.metrics import LEVEL

__all__ = [
    "BIAS_METRICS",
    "MAX_GROUPS",
    "MIN_GROUP",
    "MIN_UNBOUNDED",
    "GapResult",
    "Group",
    "GroupFigure",
    "Groups",
    "p_beyond_gap",
]

BIAS_METRICS: Final = ("selection_rate", "mean_score", "true_positive_rate", "false_positive_rate", "calibration")
"""The names of all metrics of bias."""

MIN_GROUP: Final = 30
"""A group with fewer rows is not compared."""

MIN_UNBOUNDED: Final = 100
"""The same for means of numbers that are no probabilities."""

MAX_GROUPS: Final = 1000
"""A stratum with more values is not compared at all: it names things, not groups."""

_OF_MEANS = frozenset({"mean_score", "calibration"})


@dataclass(frozen=True)
class Group:
    """What the rows of one value of a stratum add up to.

    `labelled` rows have a label, `called` of them the positive one; of those with a truth too, `positives` are truly
    positive, `true_positives` of them called so, and likewise `negatives` and `false_positives`. `scores` and
    `calibration` (score less truth, 1 or 0) are moments; `outside` counts scores that are no probabilities.
    """

    labelled: int = 0
    called: int = 0
    positives: int = 0
    true_positives: int = 0
    negatives: int = 0
    false_positives: int = 0
    outside: int = 0
    scores: Moments = NO_NUMBERS
    calibration: Moments = NO_NUMBERS

    def __add__(self, other: "Group") -> "Group":
        """Return what both sets of rows add up to."""
        return Group(
            self.labelled + other.labelled,
            self.called + other.called,
            self.positives + other.positives,
            self.true_positives + other.true_positives,
            self.negatives + other.negatives,
            self.false_positives + other.false_positives,
            self.outside + other.outside,
            self.scores + other.scores,
            self.calibration + other.calibration,
        )

    def share(self, metric: str) -> tuple[int, int]:
        """Return hits and rows of a metric that is a share."""
        match metric:
            case "selection_rate":
                return self.called, self.labelled
            case "true_positive_rate":
                return self.true_positives, self.positives
            case "false_positive_rate":
                return self.false_positives, self.negatives
        raise ValueError(f"metric {metric!r}: expected one of {', '.join(BIAS_METRICS)}")


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


@dataclass
class Groups:
    """What rows add up to by the values of one stratum; rows without a value are in none.

    `too_many`: there were more than MAX_GROUPS values, and they are no longer kept.
    """

    by: str
    groups: dict[str, Group] = field(default_factory=dict)
    too_many: bool = False

    def add(
        self,
        strata: Strata,
        *,
        called: NDArray[np.bool_] | None = None,
        has_label: NDArray[np.bool_] | None = None,
        scores: NDArray[np.float64] | None = None,
        truth: NDArray[np.bool_] | None = None,
        has_truth: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add rows, all arrays as long as the stratum.

        `called`: the label is the positive one, where `has_label`; `scores`: NaN where there is none; `truth`: the row
        is truly positive, where `has_truth`. What is absent is known of no row.
        """
        rows = len(strata.codes)
        none = np.zeros(rows, dtype=np.bool_)
        called = none if called is None else called
        labelled = none if has_label is None else has_label
        truth = none if truth is None else truth
        known = none if has_truth is None else has_truth
        numbers = np.full(rows, np.nan) if scores is None else scores
        here = strata.codes >= 0
        scored = here & ~np.isnan(numbers)
        judged = scored & known
        codes, size = strata.codes.astype(np.intp), len(strata.dictionary)

        def count(mask: NDArray[np.bool_]) -> list[int]:
            found: list[int] = np.bincount(codes[mask & here], minlength=size).tolist()
            return found

        numbers_of_rows = zip(
            count(labelled),
            count(labelled & called),
            count(labelled & known & truth),
            count(labelled & known & truth & called),
            count(labelled & known & ~truth),
            count(labelled & known & ~truth & called),
            count(scored & ((numbers < 0) | (numbers > 1))),
            Moments.grouped(numbers[scored], codes[scored], size),
            Moments.grouped(numbers[judged] - truth[judged], codes[judged], size),
            strict=True,
        )
        present = count(here)
        found: dict[str, Group] = {}
        for name, some, counted in zip(strata.dictionary, present, numbers_of_rows, strict=True):
            if some:
                found[name] = Group(*counted) + found.get(name, _EMPTY)
        self._keep(found)

    def __add__(self, other: "Groups") -> "Groups":
        """Return what both sets of rows add up to; ValueError for groups by something else."""
        if other.by != self.by:
            raise ValueError(f"groups by {other.by!r}: expected {self.by!r}")
        both = Groups(self.by, dict(self.groups), self.too_many or other.too_many)
        both._keep(other.groups)
        return both

    def _keep(self, found: Mapping[str, Group]) -> None:
        # The number of values only grows, so that passing the limit does not depend on the order of rows.
        for name, group in found.items():
            self.groups[name] = self.groups.get(name, _EMPTY) + group
        if self.too_many or len(self.groups) > MAX_GROUPS:
            self.too_many = True
            self.groups.clear()

    def measure(self, metric: str) -> GapResult:
        """Return the gap of a metric; ValueError for a name that no metric has."""
        if metric not in BIAS_METRICS:
            raise ValueError(f"metric {metric!r}: expected one of {', '.join(BIAS_METRICS)}")
        if self.too_many:
            return GapResult(self.by, metric, 0, reason=f"{self.by} has more than {MAX_GROUPS} values")
        if metric in _OF_MEANS:
            return self._of_means(metric)
        figures: list[GroupFigure] = []
        small: list[tuple[str, int]] = []
        for name, group in sorted(self.groups.items()):
            hits, of = group.share(metric)
            if of >= MIN_GROUP:
                centre = (hits + 1) / (of + 2)
                square = centre * (1 - centre) / (of + 2)
                figures.append(GroupFigure(name, hits / of, of, centre, square, hits, of))
            else:
                small.append((name, of))
        return _gap(self.by, metric, figures, small, MIN_GROUP)

    def _of_means(self, metric: str) -> GapResult:
        outside = sum(group.outside for group in self.groups.values())
        if metric == "calibration" and outside:
            return GapResult(self.by, metric, 0, reason=f"{outside} scores are no probabilities (0 to 1)")
        # A small group that happens to have none of the rare large numbers looks surer of its mean than it is:
        # unbounded numbers need more rows, and no group counts as less spread than all together.
        least = MIN_UNBOUNDED if outside else MIN_GROUP
        found = {
            name: group.scores if metric == "mean_score" else group.calibration
            for name, group in sorted(self.groups.items())
        }
        if too_large := sum(moments.too_large for moments in found.values()):
            return GapResult(self.by, metric, 0, reason=f"{too_large} scores are beyond {LARGEST:g}")
        small = [(name, moments.n) for name, moments in found.items() if moments.n < least]
        compared = {name: moments for name, moments in found.items() if moments.n >= least}
        whole = sum(compared.values(), NO_NUMBERS)
        figures: list[GroupFigure] = []
        for name, moments in compared.items():
            mean, variance, n = moments.mean, moments.variance, moments.n
            if outside:
                square = max(variance, whole.variance) / n
                figures.append(GroupFigure(name, mean, n, mean, square))
            else:
                share = _moved(metric, mean)
                trials = n / max(_spread(metric, moments), _spread(metric, whole))
                figures.append(GroupFigure(name, mean, n, mean, variance / n, trials * share, trials))
        return _gap(self.by, metric, figures, small, least)


def _moved(metric: str, mean: float) -> float:
    """Return a mean of numbers from -1 to 1 (calibration) as one of numbers from 0 to 1."""
    return (mean + 1) / 2 if metric == "calibration" else mean


def _spread(metric: str, moments: Moments) -> float:
    """Return the variance of bounded numbers as a share of the largest that their mean allows, above 0, at most 1.

    One number of the largest variance is added, so that numbers which hardly differ are not taken for certain.
    """
    share = _moved(metric, moments.mean)
    largest = share * (1 - share)
    if largest <= 0:  # all of them 0, or all 1: shares
        return 1.0
    variance = moments.variance / 4 if metric == "calibration" else moments.variance
    return min(1.0, (moments.n * variance / largest + 1) / (moments.n + 1))


_EMPTY = Group()


def _gap(
    by: str, metric: str, figures: Sequence[GroupFigure], small: Sequence[tuple[str, int]], least: int
) -> GapResult:
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
    if metric in _OF_MEANS:
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
    return _overlap(*trials, gap) + _overlap(*trials, -gap)


def _overlap(low_hits: float, low_of: float, high_hits: float, high_of: float, gap: float) -> float:
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
        density = np.exp(
            special.xlogy(shape[0] - 1, nodes) + special.xlog1py(shape[1] - 1, -nodes) - special.betaln(*shape)
        )
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
