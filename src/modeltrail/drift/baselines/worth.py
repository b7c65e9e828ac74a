"""What a model was worth on the sample of its baseline: performance against the truth, and gaps between strata."""

from collections.abc import Sequence
from typing import Final

from modeltrail.drift.checks.content import (
    LABEL,
    PREDICTION,
    SCORE,
    TRUTH_LABEL,
    TRUTH_VALUE,
    ContentPlan,
    WindowContent,
)
from modeltrail.drift.rows.columns import Columns
from modeltrail.drift.statistics.bias import BIAS_METRICS
from modeltrail.drift.statistics.metrics import METRICS
from modeltrail.drift.statistics.performance import Kind
from modeltrail.errors import InvalidEventError
from modeltrail.events.baselines import ReferenceGap, ReferenceMetric
from modeltrail.events.refusal import nearest

__all__ = ["Kind", "check_positive", "kind_of", "positive_of", "worth"]

_POSITIVE: Final = ({"0", "1"}, "1"), ({"false", "true"}, "true"), ({"no", "yes"}, "yes")
"""Pairs of classes of which everybody knows which one scores speak of."""

_SHOWN: Final = 10
"""So many classes are named where another one was asked for."""


def _classes(columns: Columns) -> set[str]:
    """Return the classes that labels have, predicted or true."""
    found: set[str] = set()
    for key in (LABEL, TRUTH_LABEL):
        if key in columns.fields:
            codes, dictionary = columns.fields[key].as_texts()
            found |= {dictionary[code] for code in set(codes[codes >= 0].tolist())}
    return found


def kind_of(columns: Columns) -> Kind | None:
    """Return what the model predicts: from its labels, else from a score or a value; None where nothing says it."""
    if LABEL in columns.fields:
        return "binary" if len(_classes(columns)) <= 2 else "multiclass"
    if SCORE in columns.fields:
        return "binary"
    return "regression" if PREDICTION in columns.fields else None


def positive_of(columns: Columns) -> str | None:
    """Return the class that scores speak of, where the classes are 0 and 1, false and true, or no and yes."""
    classes = _classes(columns)
    return next((positive for pair, positive in _POSITIVE if classes and classes <= pair), None)


def check_positive(columns: Columns, positive_label: str) -> None:
    """Check that some row has the class that was said to be positive, where any has a class.

    Without it every row would be a true negative: accuracy 1, whatever the model did. InvalidEventError names the
    classes that are there.
    """
    classes = _classes(columns)
    if classes and positive_label not in classes:
        shown = ", ".join(map(repr, sorted(classes)[:_SHOWN]))
        there = f"{shown} and {len(classes) - _SHOWN:,} more" if len(classes) > _SHOWN else shown
        expected = f"must be a class that some row is labelled with or turned out to be; there are {there}"
        raise InvalidEventError("positive_label", positive_label, expected + nearest(positive_label, sorted(classes)))


def worth(
    columns: Columns, kind: Kind | None, positive_label: str | None, strata: Sequence[str]
) -> tuple[list[ReferenceMetric], list[ReferenceGap]]:
    """Return every metric of performance and of bias that the sample has a figure for."""
    if kind is None:
        return [], []
    has_truth = TRUTH_LABEL in columns.fields or TRUTH_VALUE in columns.fields
    plan = ContentPlan(
        references={},
        kind=kind,
        positive_label=positive_label,
        metrics=METRICS if has_truth else (),
        bias=tuple(strata) if kind == "regression" or positive_label is not None else (),
    )
    content = WindowContent.empty(plan)
    content.add(columns)
    performance: list[ReferenceMetric] = []
    for metric in METRICS if content.whole.outcomes is not None else ():
        result = content.performance(metric)
        if result.value is not None:
            variance = None if result.se is None else result.se**2
            performance.append(
                ReferenceMetric(
                    metric=metric,
                    value=result.value,
                    n=result.n,
                    low=result.low,
                    high=result.high,
                    variance=variance,
                    classes=result.classes,
                )
            )
    gaps = [groups.measure(metric) for groups in content.groups.values() for metric in BIAS_METRICS]
    bias = [
        ReferenceGap.model_validate({"by": gap.by, "metric": gap.metric, "value": gap.value, "n": gap.n})
        for gap in gaps
        if gap.value is not None
    ]
    return performance, bias
