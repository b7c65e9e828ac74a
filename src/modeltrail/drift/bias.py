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

Differences of shares: Agresti and Caffo (2000), one success and one failure added to each group. Differences of
means: Welch's t.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeltrail.drift.columns import Strata
from modeltrail.drift.exact import LARGEST, NO_NUMBERS, Moments
from modeltrail.drift.metrics import LEVEL

__all__ = ["BIAS_METRICS", "MAX_GROUPS", "MIN_GROUP", "GapResult", "Group", "GroupFigure", "Groups", "p_beyond_gap"]

BIAS_METRICS: Final = ("selection_rate", "mean_score", "true_positive_rate", "false_positive_rate", "calibration")
"""The names of all metrics of bias."""

MIN_GROUP: Final = 30
"""A group with fewer rows is not compared."""

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

    `centre` and `square` (a squared standard error) are what differences are tested with: for a share they are
    Agresti and Caffo's.
    """

    value: str
    figure: float
    n: int
    centre: float
    square: float


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
        figures: list[GroupFigure] = []
        small: list[tuple[str, int]] = []
        for name, group in sorted(self.groups.items()):
            if metric in _OF_MEANS:
                moments = group.scores if metric == "mean_score" else group.calibration
                if moments.too_large:
                    reason = f"{name}: {moments.too_large} scores are beyond {LARGEST:g}"
                    return GapResult(self.by, metric, 0, reason=reason)
                if metric == "calibration" and group.outside:
                    reason = f"{name}: {group.outside} scores are no probabilities (0 to 1)"
                    return GapResult(self.by, metric, 0, reason=reason)
                if moments.n >= MIN_GROUP:
                    figures.append(GroupFigure(name, moments.mean, moments.n, moments.mean, moments.error**2))
                else:
                    small.append((name, moments.n))
            else:
                hits, of = group.share(metric)
                if of >= MIN_GROUP:
                    centre = (hits + 1) / (of + 2)
                    figures.append(GroupFigure(name, hits / of, of, centre, centre * (1 - centre) / (of + 2)))
                else:
                    small.append((name, of))
        return _gap(self.by, metric, tuple(figures), tuple(small))


_EMPTY = Group()


def _gap(by: str, metric: str, figures: tuple[GroupFigure, ...], small: tuple[tuple[str, int], ...]) -> GapResult:
    n = sum(figure.n for figure in figures)
    if len(figures) < 2:
        reason = f"{len(figures)} values of {by} have {MIN_GROUP} or more such rows, at least 2 are needed"
        return GapResult(by, metric, n, groups=figures, too_small=small, reason=reason)
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
    return GapResult(by, metric, n, value, low, high, lowest.value, highest.value, figures, small)


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
        # The sign of a difference is not known beforehand: both tails, of the null's border.
        if result.metric in _OF_MEANS:
            freedom = _freedom(squares[first], squares[second], sizes[first], sizes[second])
            tails = special.stdtr(freedom, -near) + special.stdtr(freedom, -far)
        else:
            tails = special.ndtr(-near) + special.ndtr(-far)
    tails[certain] = np.where(differences[certain] > max_gap, 0.0, 1.0)
    return min(1.0, float(tails.min()) * result.pairs)


def _freedom(
    one: NDArray[np.float64], other: NDArray[np.float64], rows: NDArray[np.intp] | int, others: NDArray[np.intp] | int
) -> NDArray[np.float64]:
    """Degrees of freedom of Welch and Satterthwaite from squared standard errors."""
    both = one + other
    share: NDArray[np.float64] = np.divide(one, both, out=np.full_like(both, 0.5), where=both > 0)
    found: NDArray[np.float64] = 1 / (share**2 / (rows - 1) + (1 - share) ** 2 / (others - 1))
    return found
