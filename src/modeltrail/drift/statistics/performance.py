"""Performance: predictions against what turned out to be true.

An accumulator for each kind of model takes rows in any order and in chunks of any size; two of them add up to the one
of all their rows. What it keeps is counts, exact sums (`exact.py`) and, for the area under the curve alone, score and
truth of each labelled row (`ranking.py`). So a figure depends on the rows, not on how they came.

| metric | figure | uncertainty |
| --- | --- | --- |
| accuracy, error_rate, precision, recall | share of rows | binomial; interval by Wilson |
| f1 | 2 tp / (2 tp + fp + fn) | binomial in tp of tp + fp + fn, of which F1 is a monotone function |
| precision, recall, f1 of a multiclass model | mean over classes (macro) | delta method over the confusion matrix |
| auc | share of ordered pairs | DeLong; see `auc.py` |
| brier, log_loss, mape, mae | mean of the loss of each row | central limit, Student's t |
| rmse | root of the mean squared error | delta method from the mean squared error, interval of its logarithm |

Definitions are scikit-learn's. `log_loss` clips scores at the resolution of float64, as scikit-learn does.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.statistics.auc import area_interval, area_of_ranks
from modeltrail.drift.statistics.exact import NO_NUMBERS, Moments
from modeltrail.drift.statistics.metrics import (
    METRICS,
    MIN_CLASS,
    Area,
    MetricResult,
    check_metric,
    f1_of_share,
    mean_result,
    share_result,
    unavailable,
    z_of_level,
)
from modeltrail.drift.statistics.multiclass import LEAST_CELLS, MAX_CELLS, MulticlassOutcomes
from modeltrail.drift.statistics.ranking import Ranking

__all__ = [
    "BinaryOutcomes",
    "Kind",
    "Outcomes",
    "RegressionOutcomes",
    "empty_outcomes",
]

Kind = Literal["binary", "multiclass", "regression"]


@dataclass(eq=False)
class BinaryOutcomes:
    """What labelled rows of a binary model add up to.

    `keep_scores`: keep score and truth of each row, without which there is no area under the curve.
    """

    keep_scores: bool = True
    ranking: Ranking = field(default_factory=Ranking)
    """The rows by score; `ranking.keep` says where those of a large window go."""
    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    true_negatives: int = 0
    brier: Moments = NO_NUMBERS
    log_loss: Moments = NO_NUMBERS
    scored: int = 0
    outside: int = 0
    """Scores that are no probabilities."""

    def add(
        self,
        truth: NDArray[np.bool_],
        called: NDArray[np.bool_] | None = None,
        has_label: NDArray[np.bool_] | None = None,
        scores: NDArray[np.float64] | None = None,
    ) -> None:
        """Add rows, all arrays of one length.

        `truth`: the row is positive; `called`: the model's label says so, where `has_label` (all, if absent) says that
        there is a label; `scores`: the score for the positive class, NaN where there is none.
        """
        if called is not None:
            known = np.ones(len(truth), dtype=np.bool_) if has_label is None else has_label
            self.true_positives += int((truth & called & known).sum())
            self.false_positives += int((~truth & called & known).sum())
            self.false_negatives += int((truth & ~called & known).sum())
            self.true_negatives += int((~truth & ~called & known).sum())
        if scores is None:
            return
        present = ~np.isnan(scores)
        scores, truth = scores[present], truth[present]
        self.scored += len(scores)
        probable = (scores >= 0) & (scores <= 1)
        self.outside += int((~probable).sum())
        if self.keep_scores:
            self.ranking.add(scores, truth)
        chances, happened = scores[probable], truth[probable]
        self.brier += Moments.of((chances - happened) ** 2)
        tiny = float(np.finfo(np.float64).eps)
        right = np.clip(np.where(happened, chances, 1 - chances), tiny, 1 - tiny)
        # numpy's own log gives other last digits on other processors.
        logs = np.fromiter(map(math.log, right.tolist()), dtype=np.float64, count=len(right))
        self.log_loss += Moments.of(-logs)

    def __add__(self, other: "BinaryOutcomes") -> "BinaryOutcomes":
        """Return what both sets of rows add up to."""
        return BinaryOutcomes(
            self.keep_scores and other.keep_scores,
            self.ranking + other.ranking,
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
            self.true_negatives + other.true_negatives,
            self.brier + other.brier,
            self.log_loss + other.log_loss,
            self.scored + other.scored,
            self.outside + other.outside,
        )

    @property
    def rows(self) -> int:
        """Labelled rows of which the model said anything that can be measured."""
        return max(self._labelled, self.scored)

    @property
    def _labelled(self) -> int:
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives

    def measure(self, metric: str) -> MetricResult:
        """Return the figure of `metric`; ValueError for a name that no metric has."""
        check_metric(metric)
        hits, wrong = self.true_positives, self.false_positives + self.false_negatives
        match metric:
            case "accuracy":
                return share_result(metric, self._labelled - wrong, self._labelled, "rows have a label and its truth")
            case "error_rate":
                return share_result(metric, wrong, self._labelled, "rows have a label and its truth")
            case "precision":
                return share_result(metric, hits, hits + self.false_positives, "rows were called positive")
            case "recall":
                return share_result(metric, hits, hits + self.false_negatives, "rows are positive")
            case "f1":
                return _f1(share_result(metric, hits, hits + wrong, "rows are positive or were called so"))
            case "auc":
                return self._area()
            case "brier" | "log_loss":
                if self.outside:
                    reason = f"{self.outside} of {self.scored} scores are no probabilities (0 to 1)"
                    return unavailable(metric, self.scored, reason)
                return mean_result(
                    metric, self.brier if metric == "brier" else self.log_loss, "rows have a score and its truth"
                )
        return unavailable(metric, self.rows, f"{metric} is not defined for a binary model")

    def _area(self) -> MetricResult:
        if not self.scored:
            return unavailable("auc", 0, "no row has a score and its truth")
        if not self.keep_scores:
            return unavailable("auc", self.scored, "the scores of the rows were not kept")
        positives, negatives = self.ranking.positives, self.ranking.negatives
        if min(positives, negatives) < MIN_CLASS:
            reason = f"{positives} positive and {negatives} negative rows, at least {MIN_CLASS} of each are needed"
            return unavailable("auc", self.scored, reason)
        area, variance = area_of_ranks(self.ranking.ascending(), positives, negatives)
        low, high = area_interval(area, variance, positives, negatives, z_of_level)
        return MetricResult("auc", self.scored, area, math.sqrt(variance), low, high, basis=Area(positives, negatives))


def _f1(share: MetricResult) -> MetricResult:
    """Turn the share J, with its interval, into F1 = 2 J / (1 + J)."""
    if share.value is None or share.se is None or share.low is None or share.high is None:
        return share
    slope = 2 / ((1 + share.value) * (1 + share.value))
    return replace(
        share,
        value=f1_of_share(share.value),
        se=slope * share.se,
        low=f1_of_share(share.low),
        high=f1_of_share(share.high),
    )


@dataclass
class RegressionOutcomes:
    """What labelled rows of a regression add up to."""

    absolute: Moments = NO_NUMBERS
    squared: Moments = NO_NUMBERS
    relative: Moments = NO_NUMBERS
    zeros: int = 0
    """Rows whose truth is 0, where a percentage error is not defined."""

    def add(self, truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> None:
        """Add rows: what was predicted and what was true, arrays of one length; rows with a NaN are left out."""
        present = ~(np.isnan(truth) | np.isnan(predicted))
        truth = truth[present]
        with np.errstate(over="ignore"):  # beyond LARGEST, which Moments counts
            off = np.abs(predicted[present] - truth)
            nonzero = truth != 0
            self.absolute += Moments.of(off)
            self.squared += Moments.of(off * off)
            self.relative += Moments.of(off[nonzero] / np.abs(truth[nonzero]))
        self.zeros += int((~nonzero).sum())

    def __add__(self, other: "RegressionOutcomes") -> "RegressionOutcomes":
        """Return what both sets of rows add up to."""
        return RegressionOutcomes(
            self.absolute + other.absolute,
            self.squared + other.squared,
            self.relative + other.relative,
            self.zeros + other.zeros,
        )

    @property
    def rows(self) -> int:
        """Rows with a predicted and a true number."""
        return self.absolute.n + self.absolute.too_large

    def measure(self, metric: str) -> MetricResult:
        """Return the figure of `metric`; ValueError for a name that no metric has."""
        check_metric(metric)
        what = "rows have a predicted and a true number"
        match metric:
            case "mae":
                return mean_result(metric, self.absolute, what)
            case "rmse":
                return _root(mean_result(metric, self.squared, what))
            case "mape":
                if self.zeros:
                    reason = f"{self.zeros} of {self.rows} true numbers are 0, where a percentage error is not defined"
                    return unavailable(metric, self.rows, reason)
                return mean_result(metric, self.relative, what)
        return unavailable(metric, self.rows, f"{metric} is not defined for a regression")


def _root(mean: MetricResult) -> MetricResult:
    """Turn a mean squared error into its root. The interval is one of the logarithm, as fits a scale."""
    if mean.value is None or mean.se is None or mean.high is None:
        return mean
    if mean.value == 0:
        return replace(mean, se=0.0, low=0.0, high=0.0)
    value = math.sqrt(mean.value)
    reach = math.exp((mean.high - mean.value) / (2 * mean.value))
    return replace(mean, value=value, se=mean.se / (2 * value), low=value / reach, high=value * reach)


Outcomes = BinaryOutcomes | MulticlassOutcomes | RegressionOutcomes


def empty_outcomes(kind: Kind, metrics: Iterable[str] = METRICS, shared_by: int = 1) -> Outcomes:
    """Return the accumulator for a model of `kind`; scores are kept only where `metrics` has the area.

    `shared_by`: how many accumulators share the room that one has: for scores that wait until they are sorted, and for
    different pairs of truth and label of a multiclass model.
    """
    match kind:
        case "binary":
            return BinaryOutcomes("auc" in set(metrics), Ranking(shared_by=shared_by))
        case "multiclass":
            return MulticlassOutcomes(most=max(LEAST_CELLS, MAX_CELLS // shared_by))
        case "regression":
            return RegressionOutcomes()
