"""What the rows of a window add up to: everything that a check needs of them, in bounded memory.

Chunks of rows (`Columns`) are added one after the other. The counts of fields, the outcomes and the groups are integers
and exact sums, so that the content of a window does not depend on the order of its rows or on how they were cut into
chunks. Memory: bins by fields and segments, groups by strata. Where the area under the curve is asked for, scores come
on top, unless it is said where they are kept (`ranking.py`).

A window's truth comes in two columns of the role `truth`: TRUTH_LABEL (the true class, as text; numbers and booleans
are taken as their text) and TRUTH_VALUE (the true number, for a regression); rows of unknown truth have neither.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.baselines.binning import count_field
from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.checks.judged import (
    LABEL,
    PREDICTION,
    SCORE,
    TRUTH_LABEL,
    TRUTH_VALUE,
    Judged,
    called_positive,
    judge,
    numbers_of,
    truth_of,
)
from modeltrail.drift.rows.columns import ABSENT, Columns, Strata
from modeltrail.drift.statistics.bias import GapResult, Groups
from modeltrail.drift.statistics.metrics import MetricResult, check_metric, unavailable
from modeltrail.drift.statistics.performance import Kind, Outcomes, empty_outcomes

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
    the strata of `bias`. `judged`: the segments in which the metrics are measured too.
    """

    references: Mapping[CountKey, Reference]
    known_features: frozenset[str] = frozenset()
    kind: Kind | None = None
    positive_label: str | None = None
    metrics: tuple[str, ...] = ()
    bias: tuple[str, ...] = ()
    judged: tuple[Segment, ...] = ()

    @property
    def segments(self) -> set[Segment]:
        """All segments in which anything is added up."""
        return {*self.judged, *(key.segment for key in self.references if key.segment is not None)}


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

    `whole` is of all predictions, each counted once, `judged` of those in each segment in which metrics are measured;
    `duplicates` repeats that were left out. `counts` has every key of the plan. `new_features` are features that the
    baseline lacks, `new_segments` values of a segmented stratum that the plan has no segment for.
    """

    plan: ContentPlan
    duplicates: int = 0
    whole: Judged = field(default_factory=Judged)
    judged: dict[Segment, Judged] = field(default_factory=dict)
    counts: dict[CountKey, FieldCounts] = field(default_factory=dict)
    new_features: Names = _NO_NAMES
    new_segments: dict[str, Names] = field(default_factory=dict)
    groups: dict[str, Groups] = field(default_factory=dict)

    @classmethod
    def empty(cls, plan: ContentPlan) -> "WindowContent":
        """Return the content of no rows: what adding begins with."""
        content = cls(plan)
        for key, reference in plan.references.items():
            content.counts[key] = FieldCounts.zeros(reference.sample.counts.size)
        content.new_segments = {segment.by: Names() for segment in plan.segments}
        content.whole.outcomes = _empty_outcomes(plan)
        for segment in plan.judged:
            content.judged[segment] = Judged(_empty_outcomes(plan, len(plan.judged)))
        content.groups = {by: Groups(by) for by in plan.bias}
        return content

    @property
    def rows(self) -> int:
        """How many predictions there are."""
        return self.whole.rows

    def add(self, columns: Columns, *, duplicates: int = 0, features: Iterable[str] = ()) -> None:
        """Add a chunk of rows.

        `duplicates`: how many repeats were left out of it. `features`: names of features that its events have;
        those of the columns are looked at anyway.
        """
        self.duplicates += duplicates
        strata = {by: columns.stratum(by) for by in self.new_segments}
        self._count(columns, strata)
        names = {
            name
            for (role, name), column in columns.fields.items()
            if role == "feature" and (column.kinds != ABSENT).any()
        }
        self.new_features |= Names.of((names | set(features)) - self.plan.known_features)
        truth, known = truth_of(columns, self.plan.kind, self.plan.positive_label)
        parts = ((judged, strata[segment.by].mask(segment.value)) for segment, judged in self.judged.items())
        judge(columns, truth, known, self.plan.positive_label, chain([(self.whole, None)], parts))
        self._group(columns, truth, known)

    def __add__(self, other: "WindowContent") -> "WindowContent":
        """Return the content of the rows of both, which were added up by one plan; ValueError for two plans."""
        if other.plan is not self.plan and other.plan != self.plan:
            raise ValueError("window content: two that were added up by different plans")
        both = WindowContent(self.plan, self.duplicates + other.duplicates, self.whole + other.whole)
        both.counts = {key: counts + other.counts[key] for key, counts in self.counts.items()}
        both.new_features = self.new_features | other.new_features
        both.new_segments = {by: names | other.new_segments[by] for by, names in self.new_segments.items()}
        both.judged = {segment: judged + other.judged[segment] for segment, judged in self.judged.items()}
        both.groups = {by: groups + other.groups[by] for by, groups in self.groups.items()}
        return both

    def of(self, segment: Segment | None) -> Judged:
        """Return what the rows of a segment of the plan add up to, or all (None); KeyError for another segment."""
        return self.whole if segment is None else self.judged[segment]

    def performance(self, metric: str, segment: Segment | None = None) -> MetricResult:
        """Return the figure of a metric of the plan, of all rows or in a segment.

        ValueError for a name that no metric has, KeyError for a segment that the plan has not.
        """
        check_metric(metric)
        outcomes = self.of(segment).outcomes
        if outcomes is not None:
            return outcomes.measure(metric)
        if self.plan.kind is None:
            return unavailable(metric, 0, "the baseline does not say what kind of model this is")
        if metric not in self.plan.metrics:
            return unavailable(metric, 0, "the truth of these rows was not read")
        return unavailable(metric, 0, _NO_POSITIVE_LABEL)

    def gap(self, by: str, metric: str) -> GapResult:
        """Return the gap of a metric between the values of a stratum of the plan; KeyError for another stratum."""
        groups = self.groups[by]
        if self.rows and not groups.groups and not groups.too_many:
            return GapResult(by, metric, 0, reason=f"no prediction has a stratum or feature {by!r}")
        if metric != "mean_score" and self.plan.positive_label is None:
            return GapResult(by, metric, 0, reason=_NO_POSITIVE_LABEL)
        return groups.measure(metric)

    def _count(self, columns: Columns, strata: Mapping[str, Strata]) -> None:
        masks: dict[Segment, NDArray[np.bool_]] = {}
        for key, reference in self.plan.references.items():
            column = columns.column(key.role, key.name)
            mask = None
            if key.segment is not None:
                if key.segment not in masks:
                    masks[key.segment] = strata[key.segment.by].mask(key.segment.value)
                mask = masks[key.segment]
            self.counts[key] += count_field(reference, column, mask)
        known = self.plan.segments
        for by, found in strata.items():
            present = np.unique(found.codes[found.codes >= 0]).tolist()
            news = {found.dictionary[code] for code in present}
            self.new_segments[by] |= Names.of(name for name in news if Segment(by, name) not in known)

    def _group(self, columns: Columns, truth: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
        if not self.groups:
            return
        called, has_label = called_positive(columns.column(*LABEL), self.plan.positive_label)
        if self.plan.kind == "regression":
            scores, known = numbers_of(columns.column(*PREDICTION)), np.zeros(columns.rows, dtype=np.bool_)
        else:
            scores = numbers_of(columns.column(*SCORE))
        for by, groups in self.groups.items():
            groups.add(
                columns.stratum(by), called=called, has_label=has_label, scores=scores, truth=truth, has_truth=known
            )


_NO_POSITIVE_LABEL = "the baseline does not say which label is the positive one"


def _empty_outcomes(plan: ContentPlan, segments: int = 1) -> Outcomes | None:
    """Return what judging begins with, one of so many that share a bound; None where nothing can be measured."""
    if not plan.metrics or plan.kind is None or (plan.kind == "binary" and plan.positive_label is None):
        return None
    return empty_outcomes(plan.kind, plan.metrics, segments)
