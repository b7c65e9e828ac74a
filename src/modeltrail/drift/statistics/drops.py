"""Has a figure of performance become worse by more than is allowed? The p-value of that question.

The null hypothesis is *within the allowed*: the true figure is at least the reference less `max_drop` (at most the
reference plus it, where lower is better), or on the right side of a fixed `threshold`. The p-value is one-sided and
taken at the border of the null, so that a change within the allowed one gives a p-value that is small no more often
than it says. The reference is an estimate too: its variance is added where it is known; a share of none or all of its
rows, whose variance is estimated as 0, weighs as its rows.

* A share of rows (accuracy, error rate, precision, recall; f1 as the share that it is a function of): exact binomial at
  the border. With an uncertain reference also Fisher's exact test, generalised to drops other than 0; the larger of the
  two p-values counts.
* A mean (brier, log loss, mape, mae; rmse by its square): Student's t with the degrees of freedom of Welch and
  Satterthwaite.
* An area (auc): normal, with DeLong's variance or, where larger, that of Hanley and McNeil at the border.
* A macro mean: normal, with the delta method's variance or, where larger, the binomial one at the border.

`overdispersion` (phi, at least 1) is how many dependent rows weigh as one independent row.
"""

import math
from dataclasses import dataclass

from scipy import special

from modeltrail.drift.statistics.auc import hanley_mcneil
from modeltrail.drift.statistics.gaps import p_of_difference
from modeltrail.drift.statistics.metrics import (
    LOWER_IS_BETTER,
    Area,
    Macro,
    Mean,
    MetricResult,
    Share,
    check_metric,
    share_of_f1,
    z_of_level,
)

__all__ = ["MetricReference", "p_beyond_drop", "p_beyond_threshold", "worsening"]

_SHARES = frozenset({"accuracy", "error_rate", "precision", "recall", "f1"})


@dataclass(frozen=True)
class MetricReference:
    """What the baseline says of a metric: its value from `n` rows and the variance of that value.

    Variance 0 is no doubt; but of a share of none or all of its rows it only says that these were too few for another.
    """

    metric: str
    value: float
    n: int
    variance: float = 0.0

    @classmethod
    def known(
        cls,
        metric: str,
        value: float,
        n: int,
        *,
        variance: float | None = None,
        low: float | None = None,
        high: float | None = None,
    ) -> "MetricReference":
        """Return the reference with the best variance that is known of it.

        That is `variance`; else that of a 95 % interval `low` to `high`; else, for a share of `n` rows, the binomial
        one; else 0. ValueError for an unknown metric.
        """
        check_metric(metric)
        if variance is None:
            if low is not None and high is not None:
                se = (high - low) / (2 * z_of_level)
                variance = se * se
            elif metric in _SHARES and n > 0 and 0 <= value <= 1:
                share = share_of_f1(value) if metric == "f1" else value
                slope = 2 / ((1 + share) * (1 + share)) if metric == "f1" else 1.0
                variance = slope * slope * share * (1 - share) / n
            else:
                variance = 0.0
        return cls(metric, value, n, variance)


def worsening(metric: str, value: float, reference: float) -> float:
    """Return by how much `value` is worse than `reference`; negative where it is better."""
    return value - reference if metric in LOWER_IS_BETTER else reference - value


def p_beyond_drop(
    result: MetricResult, reference: MetricReference, max_drop: float, *, overdispersion: float = 1.0
) -> float | None:
    """Return the p-value of the null "worse than the reference by at most `max_drop`"; None for a result without value.

    ValueError where the reference is of another metric or `max_drop` is negative.
    """
    if reference.metric != result.metric:
        raise ValueError(f"reference of {reference.metric!r}: expected {result.metric!r}")
    if not max_drop >= 0:
        raise ValueError(f"max_drop {max_drop}: expected 0 or more")
    border = reference.value + (max_drop if result.metric in LOWER_IS_BETTER else -max_drop)
    return _p(result, border, reference.value, reference.variance, reference.n, overdispersion)


def p_beyond_threshold(result: MetricResult, threshold: float, *, overdispersion: float = 1.0) -> float | None:
    """Return the p-value of the null "on the right side of `threshold`"; None for a result without value.

    The right side is at most the threshold where lower is better (mape .15), else at least.
    """
    return _p(result, threshold, threshold, 0.0, 0, overdispersion)


def _p(result: MetricResult, border: float, value: float, variance: float, m: int, phi: float) -> float | None:
    if result.value is None or result.se is None:
        return None
    if not phi >= 1:
        raise ValueError(f"overdispersion {phi}: expected 1 or more")
    grows = result.metric in LOWER_IS_BETTER
    match result.basis:
        case Share(hits, of):
            if result.metric == "f1":
                return _p_f1(hits, of, border, value, variance, m, phi)
            return _p_share(hits, of, border, value, variance, m, phi, grows=grows)
        case Mean(of):
            measured, se = result.value, result.se
            if result.metric == "rmse":  # the test is one of the mean squared error
                if border < 0:
                    border = 0.0
                variance *= 4 * border * border
                measured, border, se = measured * measured, border * border, 2 * measured * se
            return _p_mean(measured - border, phi * se * se, of, variance, m)
        case Area(positives, negatives):
            at_border = hanley_mcneil(min(1.0, max(0.0, border)), positives, negatives)
            return _p_normal(border - result.value, phi * max(result.se * result.se, at_border) + variance)
        case Macro(sizes):
            share = min(1.0, max(0.0, border))
            at_border = share * (1 - share) * math.fsum(1 / size for size in sizes) / (len(sizes) * len(sizes))
            return _p_normal(border - result.value, phi * max(result.se * result.se, at_border) + variance)
        case None:
            raise ValueError(f"{result.metric}: a result with a value but without a basis")


def _p_f1(hits: int, of: int, border: float, f1: float, variance: float, m: int, phi: float) -> float:
    """Test F1 as the share that it is a function of."""
    if border <= 0:
        return 1.0
    f1 = min(1.0, max(0.0, f1))
    slope = 2 / ((2 - f1) * (2 - f1))  # of the share by F1
    share = share_of_f1(f1)
    return _p_share(hits, of, share_of_f1(min(border, 1.0)), share, slope * slope * variance, m, phi, grows=False)


def _p_share(
    hits: int, of: int, border: float, share: float, variance: float, m: int, phi: float, *, grows: bool
) -> float:
    """Test a share of rows that is worse when it grows, or when it falls; `share` is the reference's, from `m` rows."""
    if grows:  # many hits are as good as few misses
        hits, border, share = of - hits, 1 - border, 1 - share
    if border <= 0:
        return 1.0
    border = min(border, 1.0)
    # P(at most hits) of a binomial, as an incomplete beta function: defined for the fewer rows that dependence leaves.
    rows, count = of / phi, hits / phi
    exact = 1.0 if hits == of else float(special.betaincc(count + 1, rows - count, border))
    # The reference weighs as the trials that would give its variance; one of nothing but hits, as its rows.
    spread = share * (1 - share)
    trials = m if spread <= 0 else spread / variance if variance > 0 else 0
    return max(exact, p_of_difference(count, rows, share * trials, trials, share - border)) if trials > 0 else exact


def _p_mean(beyond: float, square: float, n: int, reference_square: float, m: int) -> float:
    """Test by Student's t; `square`s are squared standard errors."""
    both = square + reference_square
    if both <= 0:
        return 0.0 if beyond > 0 else 1.0
    own = square / both
    parts = own * own / (n - 1) + ((1 - own) * (1 - own) / (m - 1) if m > 1 else 0.0)
    freedom = 1 / parts if parts > 0 else math.inf
    t = beyond / math.sqrt(both)
    return float(special.ndtr(-t)) if math.isinf(freedom) else float(special.stdtr(freedom, -t))


def _p_normal(beyond: float, variance: float) -> float:
    """Test by the normal distribution."""
    if variance <= 0:
        return 0.0 if beyond > 0 else 1.0
    return float(special.ndtr(-beyond / math.sqrt(variance)))
