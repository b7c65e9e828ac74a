"""Bias: how far apart the values of a stratum are in what a model does to them.

| metric | figure of a value (group) | rows it is about |
| --- | --- | --- |
| selection_rate | share called positive | rows with a label |
| mean_score | mean score (of a regression: mean prediction) | rows with a score |
| true_positive_rate | share called positive | rows with a label that are truly positive |
| false_positive_rate | share called positive | rows with a label that are truly negative |
| calibration | mean score less the share that is truly positive | rows with a score and their truth |

Smaller groups than MIN_GROUP rows are named, not compared. What a gap is, its interval and its p-value: `gaps.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.rows.columns import Strata
from modeltrail.drift.statistics.exact import LARGEST, NO_NUMBERS, Moments
from modeltrail.drift.statistics.gaps import MEANS, GapResult, GroupFigure, largest_gap, p_beyond_gap

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
        if metric in MEANS:
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
        return largest_gap(self.by, metric, figures, small, MIN_GROUP)

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
        return largest_gap(self.by, metric, figures, small, least)


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
