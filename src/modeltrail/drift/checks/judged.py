"""Rows judged by what turned out to be true: all rows of a window, and those of each segment.

A row counts for the whole, and for the segment that it is in by each stratum that splits. Of a segment as much is kept
as of the whole; only the room for what would grow with the rows is shared by all segments. So memory grows with the
number of segments, which the baseline bounds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.rows.columns import NUMBER, Column, Columns, FieldKey
from modeltrail.drift.statistics.multiclass import MulticlassOutcomes
from modeltrail.drift.statistics.performance import BinaryOutcomes, Kind, Outcomes, RegressionOutcomes

__all__ = [
    "LABEL",
    "PREDICTION",
    "SCORE",
    "TRUTH_LABEL",
    "TRUTH_VALUE",
    "Judged",
    "called_positive",
    "judge",
    "numbers_of",
    "truth_of",
]

LABEL: Final = FieldKey("label", "label")
SCORE: Final = FieldKey("score", "score")
PREDICTION: Final = FieldKey("prediction", "value")
TRUTH_LABEL: Final = FieldKey("truth", "label")
TRUTH_VALUE: Final = FieldKey("truth", "value")

Flags = NDArray[np.bool_]


@dataclass(eq=False)
class Judged:
    """What some rows of a window add up to: `rows` of them, `labelled` ones whose truth is known, and `outcomes`.

    `outcomes` is None where nothing can be measured: no metric is asked for, or nobody knows what the model predicts.
    """

    outcomes: Outcomes | None = None
    rows: int = 0
    labelled: int = 0

    @property
    def coverage(self) -> float:
        """The share of rows whose truth is known; 0 of no rows."""
        return self.labelled / self.rows if self.rows else 0.0

    def __add__(self, other: "Judged") -> "Judged":
        """Return what both sets of rows add up to; they are of one kind of model."""
        return Judged(_sum(self.outcomes, other.outcomes), self.rows + other.rows, self.labelled + other.labelled)


def truth_of(columns: Columns, kind: Kind | None, positive: str | None) -> tuple[Flags, Flags]:
    """Return which rows are truly positive, and of which the truth is known."""
    if kind == "regression":
        known = ~np.isnan(numbers_of(columns.column(*TRUTH_VALUE)))
        return np.zeros(columns.rows, dtype=np.bool_), known
    return called_positive(columns.column(*TRUTH_LABEL), positive)


def judge(
    columns: Columns,
    truth: Flags,
    known: Flags,
    positive: str | None,
    targets: Iterable[tuple[Judged, Flags | None]],
) -> None:
    """Add rows to each target: all of them, or those of its mask. `truth` and `known` are those of `truth_of`."""
    answers: _Answers | None = None
    for judged, mask in targets:
        rows = known if mask is None else known & mask
        judged.rows += columns.rows if mask is None else int(np.count_nonzero(mask))
        labelled = int(np.count_nonzero(rows))
        judged.labelled += labelled
        if judged.outcomes is None or not labelled:
            continue
        answers = answers or _Answers.of(judged.outcomes, columns, truth, positive)
        answers.add_to(judged.outcomes, rows)


@dataclass(frozen=True)
class _Answers:
    """What was said and what was true, row by row, as the outcomes of one kind of model take it."""

    arrays: tuple[NDArray[Any], ...]
    classes: Sequence[str] = ()

    @classmethod
    def of(cls, outcomes: Outcomes, columns: Columns, truth: Flags, positive: str | None) -> "_Answers":
        match outcomes:
            case BinaryOutcomes():
                called, has_label = called_positive(columns.column(*LABEL), positive)
                return cls((truth, called, has_label, numbers_of(columns.column(*SCORE))))
            case MulticlassOutcomes():
                of_truth, dictionary = columns.column(*TRUTH_LABEL).as_texts()
                of_label, others = columns.column(*LABEL).as_texts()
                classes = list(dict.fromkeys((*dictionary, *others)))
                return cls((_recoded(of_truth, dictionary, classes), _recoded(of_label, others, classes)), classes)
            case RegressionOutcomes():
                return cls((numbers_of(columns.column(*TRUTH_VALUE)), numbers_of(columns.column(*PREDICTION))))

    def add_to(self, outcomes: Outcomes, rows: Flags) -> None:
        chosen = [array[rows] for array in self.arrays]
        match outcomes:
            case MulticlassOutcomes():
                of_truth, of_label = chosen
                outcomes.add(of_truth, of_label, self.classes)
            case BinaryOutcomes() | RegressionOutcomes():
                outcomes.add(*chosen)


def _sum(one: Outcomes | None, other: Outcomes | None) -> Outcomes | None:
    match one, other:
        case BinaryOutcomes(), BinaryOutcomes():
            return one + other
        case MulticlassOutcomes(), MulticlassOutcomes():
            return one + other
        case RegressionOutcomes(), RegressionOutcomes():
            return one + other
    return None


def numbers_of(column: Column) -> NDArray[np.float64]:
    """Return the numbers of a column, NaN where there is none."""
    return np.where(column.kinds == NUMBER, column.numbers, np.nan)


def called_positive(column: Column, positive: str | None) -> tuple[Flags, Flags]:
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
