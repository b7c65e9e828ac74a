"""Performance of a multiclass model, from the confusion matrix of its labelled rows.

Precision, recall and F1 are means over classes (macro). A class counts when at least MIN_OF_CLASS rows are truly of
it; the result notes how many were left out. With these classes as `labels`, scikit-learn gives the same figures
(`average="macro", zero_division=0`). The standard error is the delta method's over the multinomial cells.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.statistics.metrics import (
    MIN_ROWS,
    Macro,
    MetricResult,
    check_metric,
    share_result,
    unavailable,
    z_of_level,
)

__all__ = ["LEAST_CELLS", "MAX_CELLS", "MIN_OF_CLASS", "MulticlassOutcomes"]

MAX_CELLS: Final = 100_000
"""With more different pairs of truth and label only accuracy and error rate have a figure."""

LEAST_CELLS: Final = 400
"""So many are kept where a window is split into very many segments, which share MAX_CELLS: those of twenty classes."""

MIN_OF_CLASS: Final = 5
"""A class with fewer true rows is left out of means over classes."""

Cell = tuple[str, str]


@dataclass
class MulticlassOutcomes:
    """What labelled rows of a multiclass model add up to: `rows`, correct `hits`, and at most `most` cells."""

    rows: int = 0
    hits: int = 0
    cells: Counter[Cell] = field(default_factory=Counter)
    too_many: bool = False
    """There were more than `most` different cells; they are no longer kept."""
    most: int = MAX_CELLS

    def add(self, truth: NDArray[np.int32], labels: NDArray[np.int32], classes: Sequence[str]) -> None:
        """Add rows: indexes of `classes` for the true and the predicted class; negative where there is none."""
        known = (truth >= 0) & (labels >= 0)
        width = len(classes)
        places = truth[known].astype(np.int64) * width + labels[known]
        self.rows += len(places)
        self.hits += int((truth[known] == labels[known]).sum())
        distinct, counts = np.unique(places, return_counts=True)
        found: Counter[Cell] = Counter()
        for place, count in zip(distinct.tolist(), counts.tolist(), strict=True):
            found[classes[place // width], classes[place % width]] += count
        self._keep(found)

    def __add__(self, other: "MulticlassOutcomes") -> "MulticlassOutcomes":
        """Return what both sets of rows add up to."""
        both = MulticlassOutcomes(
            self.rows + other.rows,
            self.hits + other.hits,
            Counter(self.cells),
            self.too_many or other.too_many,
            self.most,
        )
        both._keep(other.cells)
        return both

    def _keep(self, found: Counter[Cell]) -> None:
        # The number of different cells only grows, so that passing the limit does not depend on the order of rows.
        self.cells.update(found)
        if self.too_many or len(self.cells) > self.most:
            self.too_many = True
            self.cells.clear()

    def measure(self, metric: str) -> MetricResult:
        """Return the figure of `metric`; ValueError for a name that no metric has."""
        check_metric(metric)
        match metric:
            case "accuracy":
                return share_result(metric, self.hits, self.rows, "rows have a label and its truth")
            case "error_rate":
                return share_result(metric, self.rows - self.hits, self.rows, "rows have a label and its truth")
            case "precision" | "recall" | "f1":
                return self._macro(metric)
            case "auc" | "brier" | "log_loss":
                return unavailable(metric, self.rows, f"{metric} of a multiclass model needs a score of every class")
        return unavailable(metric, self.rows, f"{metric} is not defined for a multiclass model")

    def _macro(self, metric: str) -> MetricResult:
        if self.too_many:
            return unavailable(metric, self.rows, f"more than {self.most} different pairs of truth and label")
        if self.rows < MIN_ROWS:
            return unavailable(metric, self.rows, f"{self.rows} rows have a label and its truth, {MIN_ROWS} are needed")
        truths: Counter[str] = Counter()
        called: Counter[str] = Counter()
        for (truth, label), count in self.cells.items():
            truths[truth] += count
            called[label] += count
        classes = sorted(name for name, count in truths.items() if count >= MIN_OF_CLASS)
        if len(classes) < 2:
            reason = f"{len(classes)} classes have {MIN_OF_CLASS} or more true rows, at least 2 are needed"
            return unavailable(metric, self.rows, reason)
        # Each class scores hits / size; `size` is built from what is truly of it (weight 1 or 0) and what is called so.
        of_truth, of_label, factor = {"recall": (1, 0, 1), "precision": (0, 1, 1), "f1": (1, 1, 2)}[metric]
        by_hit: dict[str, float] = {}
        by_size: dict[str, float] = {}
        scores = []
        for name in classes:
            size = of_truth * truths[name] + of_label * called[name]
            score = factor * self.cells[name, name] / size if size else 0.0
            scores.append(score)
            by_hit[name] = factor / size if size else 0.0
            by_size[name] = -score / size if size else 0.0
        value = math.fsum(scores) / len(classes)
        # Influence of one row of a cell on the figure, times the number of rows.
        squares, means = [], []
        for (truth, label), count in self.cells.items():
            influence = of_truth * by_size.get(truth, 0.0) + of_label * by_size.get(label, 0.0)
            if truth == label:
                influence += by_hit.get(truth, 0.0)
            squares.append(count * influence * influence)
            means.append(count * influence)
        mean = math.fsum(means)
        se = math.sqrt(max(0.0, math.fsum(squares) - mean * mean / self.rows)) / len(classes)
        left_out = len(truths) - len(classes)
        note = f"{left_out} classes with fewer than {MIN_OF_CLASS} true rows are left out" if left_out else None
        low, high = max(0.0, value - z_of_level * se), min(1.0, value + z_of_level * se)
        sizes = Macro(tuple(truths[name] for name in classes))
        return MetricResult(metric, self.rows, value, se, low, high, note=note, basis=sizes)
