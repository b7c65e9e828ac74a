"""What the rows of a window add up to: everything that a check needs of them, in bounded memory.

Chunks of rows (`Columns`) are added one after the other. The counts of fields, the outcomes and the groups are integers
and exact sums, so that the content of a window does not depend on the order of its rows or on how they were cut into
chunks. Memory: bins by fields, groups by strata, and, where the area under the curve is asked for, 9 bytes for each
labelled row.

A window's truth comes in two columns of the role `truth`: TRUTH_LABEL (the true class, as text; numbers and booleans
are taken as their text) and TRUTH_VALUE (the true number, for a regression); rows of unknown truth have neither.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.baselines.binning import count_field
from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.rows.columns import ABSENT, NUMBER, Column, Columns, FieldKey
from modeltrail.drift.statistics.bias import GapResult, Groups
from modeltrail.drift.statistics.metrics import MetricResult, check_metric, unavailable
from modeltrail.drift.statistics.multiclass import MulticlassOutcomes
from modeltrail.drift.statistics.performance import BinaryOutcomes, Kind, Outcomes, RegressionOutcomes, empty_outcomes

__all__ = [
    "LABEL",
    "MAX_NAMES",
    "PREDICTION",
    "SCORE",
    "TRUTH_LABEL",
    "TRUTH_VALUE",
    "ContentPlan",
    "CountKey",
    "Names",
    "Segment",
    "WindowContent",
]

LABEL: Final = FieldKey("label", "label")
SCORE: Final = FieldKey("score", "score")
PREDICTION: Final = FieldKey("prediction", "value")
TRUTH_LABEL: Final = FieldKey("truth", "label")
TRUTH_VALUE: Final = FieldKey("truth", "value")

MAX_NAMES: Final = 100
"""So many new names are kept, the first in alphabetical order."""


class Segment(NamedTuple):
    """The rows in which the stratum (or feature) `by` has `value`."""

    by: str
    value: str


class CountKey(NamedTuple):
    """Which counts: those of a field in all rows (`segment` None) or in the rows of a segment."""

    role: str
    name: str
    segment: Segment | None = None


@dataclass(frozen=True)
class ContentPlan:
    """What to add up.

    `references`: the bins of each field, for all rows and by segment. `known_features`: names that are not news (all
    features of the baseline, whether counted or not). `kind` and `positive_label` of the model; without the latter
    nothing of a binary model can be measured. `metrics` of performance, empty where the truth is not asked for, and
    the strata of `bias`.
    """

    references: Mapping[CountKey, Reference]
    known_features: frozenset[str] = frozenset()
    kind: Kind | None = None
    positive_label: str | None = None
    metrics: tuple[str, ...] = ()
    bias: tuple[str, ...] = ()


@dataclass(frozen=True)
class Names:
    """A set of names: the MAX_NAMES first in alphabetical order; `more` says that there were others."""

    kept: tuple[str, ...] = ()
    more: bool = False

    @classmethod
    def of(cls, names: Iterable[str]) -> "Names":
        """Return the set of these names."""
        distinct = set(names)
        return cls(tuple(heapq.nsmallest(MAX_NAMES, distinct)), len(distinct) > MAX_NAMES)

    def __or__(self, other: "Names") -> "Names":
        """Return the names of both sets."""
        both = Names.of((*self.kept, *other.kept))
        return Names(both.kept, self.more or other.more or both.more)


_NO_NAMES = Names()


@dataclass(eq=False)
class WindowContent:
    """What the rows of one window add up to.

    `rows` predictions, each counted once; `duplicates` repeats that were left out; `labelled` rows whose truth is
    known. `counts` has every key of the plan. `new_features` are features that the baseline lacks,
    `new_segments` values of a segmented stratum that the plan has no segment for. `outcomes` is None where the plan has
    no metrics, or the kind of the model (or its positive label) is not known.
    """

    plan: ContentPlan
    rows: int = 0
    duplicates: int = 0
    labelled: int = 0
    counts: dict[CountKey, FieldCounts] = field(default_factory=dict)
    new_features: Names = _NO_NAMES
    new_segments: dict[str, Names] = field(default_factory=dict)
    outcomes: Outcomes | None = None
    groups: dict[str, Groups] = field(default_factory=dict)

    @classmethod
    def empty(cls, plan: ContentPlan) -> "WindowContent":
        """Return the content of no rows: what adding begins with."""
        content = cls(plan)
        for key, reference in plan.references.items():
            content.counts[key] = FieldCounts.zeros(reference.sample.counts.size)
            if key.segment is not None:
                content.new_segments.setdefault(key.segment.by, Names())
        if plan.metrics and plan.kind is not None and (plan.kind != "binary" or plan.positive_label is not None):
            content.outcomes = empty_outcomes(plan.kind, plan.metrics)
        content.groups = {by: Groups(by) for by in plan.bias}
        return content

    @property
    def coverage(self) -> float:
        """The share of rows whose truth is known; 0 of no rows."""
        return self.labelled / self.rows if self.rows else 0.0

    def add(self, columns: Columns, *, duplicates: int = 0, features: Iterable[str] = ()) -> None:
        """Add a chunk of rows.

        `duplicates`: how many repeats were left out of it. `features`: names of features that its events have;
        those of the columns are looked at anyway.
        """
        self.rows += columns.rows
        self.duplicates += duplicates
        self._count(columns)
        names = {
            name
            for (role, name), column in columns.fields.items()
            if role == "feature" and (column.kinds != ABSENT).any()
        }
        self.new_features |= Names.of((names | set(features)) - self.plan.known_features)
        truth, known = self._truth(columns)
        self.labelled += int(np.count_nonzero(known))
        if self.outcomes is not None:
            self._judge(columns, truth, known)
        self._group(columns, truth, known)

    def __add__(self, other: "WindowContent") -> "WindowContent":
        """Return the content of the rows of both, which were added up by one plan; ValueError for two plans."""
        if other.plan is not self.plan and other.plan != self.plan:
            raise ValueError("window content: two that were added up by different plans")
        both = WindowContent(
            self.plan, self.rows + other.rows, self.duplicates + other.duplicates, self.labelled + other.labelled
        )
        both.counts = {key: counts + other.counts[key] for key, counts in self.counts.items()}
        both.new_features = self.new_features | other.new_features
        both.new_segments = {by: names | other.new_segments[by] for by, names in self.new_segments.items()}
        both.outcomes = _sum(self.outcomes, other.outcomes)
        both.groups = {by: groups + other.groups[by] for by, groups in self.groups.items()}
        return both

    def performance(self, metric: str) -> MetricResult:
        """Return the figure of a metric of the plan; ValueError for a name that no metric has."""
        check_metric(metric)
        if self.outcomes is not None:
            return self.outcomes.measure(metric)
        if self.plan.kind is None:
            return unavailable(metric, 0, "the baseline does not say what kind of model this is")
        if metric not in self.plan.metrics:
            return unavailable(metric, 0, "the truth of these rows was not read")
        return unavailable(metric, 0, _NO_POSITIVE_LABEL)

    def gap(self, by: str, metric: str) -> GapResult:
        """Return the gap of a metric between the values of a stratum of the plan; KeyError for another stratum."""
        if metric != "mean_score" and self.plan.positive_label is None:
            return GapResult(by, metric, 0, reason=_NO_POSITIVE_LABEL)
        return self.groups[by].measure(metric)

    def _count(self, columns: Columns) -> None:
        masks: dict[Segment, NDArray[np.bool_]] = {}
        strata = {by: columns.stratum(by) for by in self.new_segments}
        for key, reference in self.plan.references.items():
            column = columns.column(key.role, key.name)
            mask = None
            if key.segment is not None:
                if key.segment not in masks:
                    masks[key.segment] = strata[key.segment.by].mask(key.segment.value)
                mask = masks[key.segment]
            self.counts[key] += count_field(reference, column, mask)
        for by, found in strata.items():
            present = np.unique(found.codes[found.codes >= 0]).tolist()
            news = {found.dictionary[code] for code in present}
            self.new_segments[by] |= Names.of(name for name in news if Segment(by, name) not in masks)

    def _truth(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which rows are truly positive, and of which the truth is known."""
        if self.plan.kind == "regression":
            known = ~np.isnan(_numbers(columns.column(*TRUTH_VALUE)))
            return np.zeros(columns.rows, dtype=np.bool_), known
        return _called(columns.column(*TRUTH_LABEL), self.plan.positive_label)

    def _judge(self, columns: Columns, truth: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
        match self.outcomes:
            case BinaryOutcomes():
                called, has_label = _called(columns.column(*LABEL), self.plan.positive_label)
                scores = _numbers(columns.column(*SCORE))
                self.outcomes.add(truth[known], called[known], has_label[known], scores[known])
            case MulticlassOutcomes():
                of_truth, dictionary = columns.column(*TRUTH_LABEL).as_texts()
                of_label, others = columns.column(*LABEL).as_texts()
                classes = list(dict.fromkeys((*dictionary, *others)))
                self.outcomes.add(_recoded(of_truth, dictionary, classes), _recoded(of_label, others, classes), classes)
            case RegressionOutcomes():
                predicted = _numbers(columns.column(*PREDICTION))
                self.outcomes.add(_numbers(columns.column(*TRUTH_VALUE)), predicted)
            case None:
                pass

    def _group(self, columns: Columns, truth: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
        if not self.groups:
            return
        called, has_label = _called(columns.column(*LABEL), self.plan.positive_label)
        if self.plan.kind == "regression":
            scores, known = _numbers(columns.column(*PREDICTION)), np.zeros(columns.rows, dtype=np.bool_)
        else:
            scores = _numbers(columns.column(*SCORE))
        for by, groups in self.groups.items():
            groups.add(
                columns.stratum(by), called=called, has_label=has_label, scores=scores, truth=truth, has_truth=known
            )


_NO_POSITIVE_LABEL = "the baseline does not say which label is the positive one"


def _sum(one: Outcomes | None, other: Outcomes | None) -> Outcomes | None:
    match one, other:
        case BinaryOutcomes(), BinaryOutcomes():
            return one + other
        case MulticlassOutcomes(), MulticlassOutcomes():
            return one + other
        case RegressionOutcomes(), RegressionOutcomes():
            return one + other
    return None


def _numbers(column: Column) -> NDArray[np.float64]:
    """The numbers of a column, NaN where there is none."""
    return np.where(column.kinds == NUMBER, column.numbers, np.nan)


def _called(column: Column, positive: str | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows have the positive label, and which have a label at all."""
    codes, dictionary = column.as_texts()
    wanted = dictionary.index(positive) if positive is not None and positive in dictionary else -2
    return np.equal(codes, wanted), codes >= 0


def _recoded(codes: NDArray[np.int32], dictionary: Sequence[str], classes: Sequence[str]) -> NDArray[np.int32]:
    """Return codes of `dictionary` as codes of `classes`, -1 kept."""
    place = {name: code for code, name in enumerate(classes)}
    # One more at the end, which is where -1 points to.
    table = np.array([*(place[name] for name in dictionary), -1], dtype=np.int32)
    return table[codes]
