"""What a figure of performance is: its value, how sure it is, and which direction is worse.

A figure from too few rows is no figure: its place is taken by a reason.

Each result also keeps its *basis*, what it was computed from, because a p-value needs more than a standard error
(`drops.py`): a share of rows is binomial, a mean of losses is Student's t, an area has two sample sizes.
"""

import math
from dataclasses import dataclass
from typing import Final

from scipy import special

from modeltrail.drift.statistics.exact import LARGEST, Moments

__all__ = [
    "LEVEL",
    "LOWER_IS_BETTER",
    "METRICS",
    "MIN_CLASS",
    "MIN_ROWS",
    "Area",
    "Macro",
    "Mean",
    "MetricResult",
    "Share",
    "check_metric",
    "f1_of_share",
    "mean_result",
    "share_of_f1",
    "share_result",
    "unavailable",
    "wilson_interval",
    "z_of_level",
]

METRICS: Final = (
    "accuracy", "error_rate", "precision", "recall", "f1", "auc", "brier", "log_loss", "mape", "mae", "rmse",
)  # fmt: skip
"""The names of all metrics of performance."""

LOWER_IS_BETTER: Final = frozenset({"error_rate", "brier", "log_loss", "mape", "mae", "rmse"})
"""Metrics that get worse by growing; the others get worse by falling."""

LEVEL: Final = 0.95
"""Confidence of the intervals."""

MIN_ROWS: Final = 30
"""With fewer rows a mean of losses has no figure."""

MIN_CLASS: Final = 10
"""With fewer rows a share has no figure; an area needs as many of each class."""

z_of_level = float(special.ndtri((1 + LEVEL) / 2))
"""How many standard errors the interval reaches to each side."""


@dataclass(frozen=True)
class Share:
    """`hits` rows of `of`: accuracy, error rate, precision, recall.

    F1 too: F = 2 J / (1 + J) for J, the share of true positives among the rows that are or were called positive.
    """

    hits: int
    of: int


@dataclass(frozen=True)
class Mean:
    """The mean of a loss over `of` rows. For `rmse` the loss is the squared error, and the figure its root."""

    of: int


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve of so many positive and negative rows."""

    positives: int
    negatives: int


@dataclass(frozen=True)
class Macro:
    """An unweighted mean over classes with so many rows each."""

    sizes: tuple[int, ...]


@dataclass(frozen=True)
class MetricResult:
    """One metric over some rows.

    Either `value` with its standard error `se` and the limits of its 95 % interval, or a `reason` why there is none.
    `n` counts the rows that the figure is about: for recall the positive rows, for precision the rows called
    positive, for f1 the rows that are one or the other, else all labelled rows. `note` says what was left out.
    """

    metric: str
    n: int
    value: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    note: str | None = None
    basis: Share | Mean | Area | Macro | None = None

    @property
    def variance(self) -> float | None:
        """The square of the standard error: what a baseline keeps of it."""
        return None if self.se is None else self.se * self.se

    @property
    def classes(self) -> int | None:
        """Over how many classes a macro mean is taken; None for any other figure."""
        return len(self.basis.sizes) if isinstance(self.basis, Macro) else None


def unavailable(metric: str, n: int, reason: str) -> MetricResult:
    """Return the result of a metric that has no value, with the reason."""
    return MetricResult(metric, n, reason=reason)


def wilson_interval(hits: float, of: float, z: float = z_of_level) -> tuple[float, float]:
    """Return Wilson's (1927) score interval of a share; it has a width at shares 0 and 1 too."""
    share, shrink = hits / of, z * z / of
    centre = (share + shrink / 2) / (1 + shrink)
    reach = z * math.sqrt(share * (1 - share) / of + shrink / (4 * of)) / (1 + shrink)
    low = 0.0 if hits == 0 else max(0.0, centre - reach)
    return low, 1.0 if hits == of else min(1.0, centre + reach)


def f1_of_share(share: float) -> float:
    """Return F1 for the share of true positives among rows that are or were called positive."""
    return 2 * share / (1 + share)


def share_of_f1(f1: float) -> float:
    """Return the share of true positives among rows that are or were called positive, for F1 (0 to 1)."""
    return f1 / (2 - f1)


def share_result(metric: str, hits: int, of: int, what: str) -> MetricResult:
    """Return a share as a result; `what` names the rows that it is a share of."""
    if of < MIN_CLASS:
        return unavailable(metric, of, f"{of} {what}, at least {MIN_CLASS} are needed")
    share = hits / of
    low, high = wilson_interval(hits, of)
    se = math.sqrt(share * (1 - share) / of)
    return MetricResult(metric, of, share, se, low, high, basis=Share(hits, of))


def mean_result(metric: str, losses: Moments, what: str) -> MetricResult:
    """Return a mean of losses, none of them negative, as a result; `what` names the rows."""
    if losses.too_large:
        reason = f"{losses.too_large} {what} have a loss beyond {LARGEST:g}"
        return unavailable(metric, losses.n + losses.too_large, reason)
    if losses.n < MIN_ROWS:
        return unavailable(metric, losses.n, f"{losses.n} {what}, at least {MIN_ROWS} are needed")
    mean, se = losses.mean, losses.error
    reach = float(special.stdtrit(losses.n - 1, (1 + LEVEL) / 2)) * se
    return MetricResult(metric, losses.n, mean, se, max(0.0, mean - reach), mean + reach, basis=Mean(losses.n))


def check_metric(metric: str) -> None:
    """Raise ValueError for a name that no metric has."""
    if metric not in METRICS:
        raise ValueError(f"metric {metric!r}: expected one of {', '.join(METRICS)}")
