"""Baselines: references of a model's fields, made once from a sample, and what the model was worth on it.

    baseline = Baseline.from_frame(frame, model_id="flights-delay", model_version="1.0.0", time="departed",
                                   outcome="late", positive_label="late", segments=("origin",))
    publisher.send(baseline.to_event())

A baseline is its `baseline.registered` event, and addressed by the SHA-256 of its content; this class only adds arrays.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from modeltrail.drift.baselines.edges import FINE_BINS
from modeltrail.drift.baselines.learning import default_chunk_rows, learn
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.baselines.worth import Kind, check_positive, kind_of, positive_of, worth
from modeltrail.drift.rows.columns import Columns, FieldKey
from modeltrail.drift.rows.samples import read_columns
from modeltrail.errors import InvalidEventError
from modeltrail.events.baselines import (
    BASELINE_MAX_BYTES,
    BaselineContent,
    BaselineField,
    BaselineRegistered,
    BaselineSegment,
    BaselineSource,
    FieldKind,
    FieldRole,
    ReferenceMetric,
)
from modeltrail.events.canonical import canonical_json, content_hash
from modeltrail.events.fields import Id
from modeltrail.events.moment import format_moment
from modeltrail.events.refusal import nearest, refusal_of

__all__ = ["SEGMENT_BINS", "SEGMENT_ROWS", "Baseline", "SegmentKey"]

SEGMENT_BINS = 50
"""Fine bins of a field within a segment: there are many segments, and a baseline has to fit one event."""

SEGMENT_ROWS = 100
"""A value of a segmented field with fewer rows has no reference of its own."""

SegmentKey = tuple[str, str]
"""The stratum or feature that splits, and its value."""

_SHORT = 12
_SHOWN_FIELDS = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = TypeAdapter[str](Id)
_OUTPUTS = frozenset({"label", "score", "prediction"})
_KINDS: Mapping[str, FieldKind] = {
    "label": "categorical",
    "score": "numeric",
    "confidence": "numeric",
    "prediction": "numeric",
}
"""Kinds of the fields that are no features."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """A baseline: its event, `references` by role and name, and `segments` with references of their own.

    Two baselines are equal where their content is, whatever they are called.
    """

    event: BaselineRegistered
    references: Mapping[FieldKey, Reference]
    segments: Mapping[SegmentKey, Mapping[FieldKey, Reference]]

    @property
    def id(self) -> str:
        """The name of the baseline."""
        return self.event.baseline_id

    @property
    def short_id(self) -> str:
        """The same for people: of a SHA-256 the first 12 digits."""
        return f"{self.id[:_SHORT]}..." if self.id == self.sha256 else self.id

    @property
    def sha256(self) -> str:
        """The SHA-256 of its content, 64 hex digits."""
        return self.event.sha256

    @property
    def model_id(self) -> str:
        """The model that it is of."""
        return self.event.model_id

    @property
    def model_version(self) -> str:
        """The version of the model."""
        return self.event.model_version

    @property
    def output_phi(self) -> float:
        """The largest overdispersion of what the model said (label, score or value), 1 where none was learned.

        Its errors come in sessions at most as its predictions do.
        """
        return max((each.phi for key, each in self.references.items() if key.role in _OUTPUTS), default=1.0)

    def segment_phi(self, segment: SegmentKey) -> float:
        """The same of a segment: what its rows taught, and at least that of all, of which few rows know too little."""
        phis = [each.phi for key, each in self.segments[segment].items() if key.role in _OUTPUTS]
        return max(self.output_phi, *phis)

    def performance_of(self, segment: SegmentKey) -> Sequence[ReferenceMetric]:
        """How good the model was in the rows of a segment; empty where nothing is known of it."""
        return self._performance.get(segment, ())

    @cached_property
    def _performance(self) -> Mapping[SegmentKey, Sequence[ReferenceMetric]]:
        return {(each.by, each.value): each.performance for each in self.event.segments}

    def __repr__(self) -> str:
        """Return what it is of and a line for each field, at most 20; all of it is in `event`."""
        event = self.event
        kind = f", {event.kind}" if event.kind else ""
        positive = f", positive {event.positive_label!r}" if event.positive_label else ""
        lines = [
            f"Baseline: {self.model_id} {self.model_version}, {self.short_id}, {event.rows:,} rows{kind}{positive}"
        ]
        for (role, name), each in islice(self.references.items(), _SHOWN_FIELDS):
            bins = f"{each.bins} {'bins' if each.kind == 'numeric' else 'categories'}"
            lines.append(f"  {role} {name}: {bins}, {each.sample.missing:,} missing")
        if (more := len(self.references) - _SHOWN_FIELDS) > 0:
            lines.append(f"  and {more:,} more fields")
        lines += [f"  segments by {by}: {count}" for by, count in Counter(by for by, _ in self.segments).items()]
        if event.performance:
            lines.append("  " + ", ".join(f"{each.metric} {each.value:.3g}" for each in event.performance))
        return "\n".join(lines)

    def __eq__(self, other: object) -> bool:
        return self.sha256 == other.sha256 if isinstance(other, Baseline) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.sha256)

    def to_event(self) -> BaselineRegistered:
        """Return the data of the `baseline.registered` event."""
        return self.event

    @classmethod
    def from_event(cls, event: BaselineRegistered) -> Self:
        """Return the baseline of an event, which the contract has judged by being one."""
        return cls(
            event,
            _by_key(event.fields),
            {(segment.by, segment.value): _by_key(segment.fields) for segment in event.segments},
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        model_id: str,
        model_version: str,
        roles: Mapping[str, str] | None = None,
        time: str | None = None,
        outcome: str | None = None,
        segments: Sequence[str] = (),
        **options: Any,
    ) -> Self:
        """Make a baseline from a data frame: pandas, polars, Arrow, or a mapping of names to sequences.

        `roles` says what columns are: feature, prediction, score, label, confidence, stratum, outcome, time or ignore;
        columns that it does not name go by their own name (`label`, `score`, `value`, `confidence`, `outcome`, `time`
        and the like; `modeltrail.drift.rows.roles`), and are features otherwise. `time` and `outcome` are short for one
        role each: the event time, with which phi and tolerance are learned, and what turned out to be true. `segments`
        names features or strata to split by. Other options as in `from_columns`. InvalidEventError names the column.
        """
        columns, times = read_columns(frame, roles or {}, time=time, outcome=outcome)
        return cls.from_columns(
            columns, model_id=model_id, model_version=model_version, times=times, segments=segments, **options
        )

    @classmethod
    def from_columns(
        cls,
        columns: Columns,
        *,
        model_id: str,
        model_version: str,
        baseline_id: str | None = None,
        times: NDArray[np.int64] | None = None,
        segments: Sequence[str] = (),
        categorical: Collection[str] = (),
        positive_label: str | None = None,
        kind: Kind | None = None,
        chunk_rows: int | None = None,
        source: BaselineSource | None = None,
        fine_bins: int = FINE_BINS,
        segment_bins: int = SEGMENT_BINS,
        leave_out: bool = False,
    ) -> Self:
        """Make a baseline from rows in columns; a field of the role `truth` is what turned out (see `checks.content`).

        `baseline_id` is the SHA-256 where none is given. `times` int64[rows], microseconds since 1970: with them, phi
        and tolerance are learned from chunks of `chunk_rows`, as many as a window has (a tenth of all where not said).
        `categorical` names numeric features that are codes. `kind` (binary, multiclass, regression) and
        `positive_label` are found by looking at labels, values and truth where they are plain; a positive label that no
        row has is refused. A value of a segment with less than SEGMENT_ROWS rows is left out. With `leave_out`, so are
        features that no baseline can hold: with more than 10,000 categories, without a value, or with a name that is no
        id. InvalidEventError names the field that is not fit for a baseline, or the size of one that is too large for
        an event.
        """
        segments = _listed("segments", segments)
        categorical = _listed("categorical", categorical)
        if leave_out:
            columns = _fit(columns, categorical)
        rows = columns.rows
        if rows == 0:
            raise InvalidEventError("rows", 0, "must be at least 1")
        _check_names(columns, segments, categorical)
        chunk: int | None = None
        if times is not None:
            if (np.diff(times) < 0).any():  # a sample from the ledger comes in order, and may be too large for a copy
                columns = columns.take(np.argsort(times, kind="stable"))
            chunk = chunk_rows or default_chunk_rows(rows)
        references = _references(columns, categorical, chunk, fine_bins)
        kind = kind or kind_of(columns)
        if positive_label and kind != "regression":
            check_positive(columns, positive_label)
        positive_label = positive_label or (positive_of(columns) if kind == "binary" else None)
        parts: list[BaselineSegment] = []
        for by in segments:
            strata = columns.stratum(by)
            for value in sorted(set(strata.dictionary)):
                mask = strata.mask(value)
                share = np.count_nonzero(mask) / rows
                if share * rows < SEGMENT_ROWS:
                    continue
                rows_of = columns.take(mask)
                part = _with_values(rows_of, references)
                segment_chunk = None if chunk is None else max(2, round(chunk * share))
                found = _references(part, categorical, segment_chunk, segment_bins, references)
                good, _ = worth(rows_of, kind, positive_label, ())
                fields = [each.to_field() for each in found]
                parts.append(BaselineSegment(by=by, value=value, fields=fields, performance=good))
        performance, bias = worth(columns, kind, positive_label, sorted({*segments, *columns.strata}))
        try:
            content = BaselineContent(
                model_id=model_id,
                model_version=model_version,
                rows=rows,
                chunk_rows=chunk if any(each.learned for each in references) else None,
                positive_label=positive_label,
                kind=kind,
                fields=[each.to_field() for each in references],
                segments=parts,
                performance=performance,
                bias=bias,
                source=source or _source(rows, times),
            )
            _check_size(content)
            sha256 = content_hash(content)
            members = {name: getattr(content, name) for name in BaselineContent.model_fields}
            event = BaselineRegistered(baseline_id=baseline_id or sha256, sha256=sha256, **members)
        except ValidationError as error:
            raise refusal_of(error, "data", BaselineRegistered.model_fields).as_invalid_event() from None
        return cls.from_event(event)


def _by_key(fields: Sequence[BaselineField]) -> dict[FieldKey, Reference]:
    return {reference.key: reference for reference in map(Reference.from_field, fields)}


def _references(
    columns: Columns,
    categorical: Collection[str],
    chunk_rows: int | None,
    fine_bins: int,
    like: Sequence[Reference] = (),
) -> list[Reference]:
    """Make the references of all fields in the order of role and name; kinds are those of `like`, where it has them."""
    kinds = {each.key: each.kind for each in like}
    made: list[Reference] = []
    for key in sorted(columns.fields):
        if key.role == "truth":
            continue
        column = columns.fields[key]
        role: FieldRole = key.role  # type: ignore[assignment]
        chosen: FieldKind | None = "categorical" if role == "feature" and key.name in categorical else _KINDS.get(role)
        reference = Reference.from_column(role, key.name, column, kind=chosen or kinds.get(key), fine_bins=fine_bins)
        learned = None if chunk_rows is None else learn(reference, column, chunk_rows)
        made.append(reference if learned is None else reference.with_learned(*learned))
    return made


def _fit(columns: Columns, categorical: Collection[str]) -> Columns:
    """Return the columns without features that no baseline can hold."""
    fields = {}
    for key, column in columns.fields.items():
        if key.role == "feature":
            try:
                _ID.validate_python(key.name)
                kind: FieldKind | None = "categorical" if key.name in categorical else None
                Reference.from_column("feature", key.name, column, kind=kind).to_field()
            except (InvalidEventError, ValidationError):
                continue
        fields[key] = column
    return Columns(columns.rows, fields, columns.strata)


def _with_values(columns: Columns, references: Sequence[Reference]) -> Columns:
    """Return the columns of a segment that have values of the kind of their reference; the others have no bins."""
    kinds = {each.key: each.kind for each in references}
    fields = {
        key: column
        for key, column in columns.fields.items()
        if key in kinds and column.has_values(numeric=kinds[key] == "numeric")
    }
    return Columns(columns.rows, fields, columns.strata)


def _listed(option: str, names: object) -> tuple[str, ...]:
    """Return the names of an option. InvalidEventError for one text, which would be read letter by letter."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InvalidEventError(option, names, f"must be a list of names, as in {option}=[{names!r}]")
    return tuple(names)


def _check_names(columns: Columns, segments: Sequence[str], categorical: Collection[str]) -> None:
    features = {key.name for key in columns.fields if key.role == "feature"}
    for name in segments:
        if name not in features and name not in columns.strata:
            known = sorted({*features, *columns.strata})
            expected = "must be a feature or a stratum of the sample" + nearest(name, known)
            raise InvalidEventError("segments", name, expected)
    for name in categorical:
        if name not in features:
            expected = "must be a feature of the sample" + nearest(name, sorted(features))
            raise InvalidEventError("categorical", name, expected)
    if not any(key.role != "truth" for key in columns.fields):
        raise InvalidEventError("fields", 0, "must be at least one feature, score, label, value or confidence")


def _source(rows: int, times: NDArray[np.int64] | None) -> BaselineSource:
    if times is None:
        return BaselineSource(kind="sample", rows=rows)
    since, until = (_EPOCH + timedelta(microseconds=int(us)) for us in (times.min(), times.max() + 1))
    try:
        return BaselineSource(kind="sample", rows=rows, since=format_moment(since), until=format_moment(until))
    except ValueError as error:
        raise InvalidEventError("time", f"{since} to {until}", str(error)) from None


def _check_size(content: BaselineContent) -> None:
    size = len(canonical_json(content))
    if size <= BASELINE_MAX_BYTES:
        return
    sizes = {each.name: len(canonical_json(each)) for each in content.fields}
    largest = max(sizes, key=lambda name: sizes[name])
    expected = (
        f"must be at most {BASELINE_MAX_BYTES} as an event; take fewer fields, segments or categories, or fewer fine "
        f"bins (it has {len(sizes)} fields, the largest {largest!r} with {sizes[largest]} bytes, "
        f"and {len(content.segments)} segments)"
    )
    raise InvalidEventError("baseline", f"{size} bytes", expected)
