"""Baselines: what a model's fields looked like when all was well, as integer counts on fixed bins.

    edges       e0      e1      e2           k edges as hex floats, strictly increasing
    bins    b0  |  b1   |  b2   |  b3        k + 1 bins; bin i holds edges[i-1] <= v < edges[i], the outer ones reach
    counts  12     40      41      7         to infinity
    groups  0              2                 first fine bin of each coarse one: here b0 + b1, b2 + b3

A baseline never changes. It is addressed by the SHA-256 of its content, which the model recomputes.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import inf, isfinite
from operator import lt
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from modeltrail.events.canonical import canonical_json, content_hash
from modeltrail.events.fields import (
    Count,
    Data,
    Finite,
    Id,
    Listed,
    Moment,
    Part,
    SeqMap,
    Sha256,
    Text,
    null_as,
    violation,
)

__all__ = [
    "BASELINE_MAX_BYTES",
    "DEFAULT_TOLERANCE",
    "BaselineContent",
    "BaselineField",
    "BaselineRegistered",
    "BaselineSegment",
    "BaselineSource",
    "BiasMetric",
    "FieldKind",
    "FieldRole",
    "PerformanceMetric",
    "ReferenceGap",
    "ReferenceMetric",
]

BASELINE_MAX_BYTES = 900_000
"""Size of the canonical JSON of a baseline: its event has to fit a message of 1 MiB, which brokers take by default."""

DEFAULT_TOLERANCE = 0.005
"""Tolerance of a field's PSI where none was learned."""

FieldRole = Literal["feature", "prediction", "score", "label", "confidence"]
FieldKind = Literal["numeric", "categorical"]
PerformanceMetric = Literal[
    "accuracy", "error_rate", "precision", "recall", "f1", "auc", "brier", "log_loss", "mape", "mae", "rmse"
]
BiasMetric = Literal["selection_rate", "mean_score", "true_positive_rate", "false_positive_rate", "calibration"]

_EDGE = "must be a finite number in the form of Python's float.hex(), such as 0x1.8000000000000p+1"


def _check_edges(texts: list[str]) -> None:
    try:
        edges = list(map(float.fromhex, texts))
    except (ValueError, OverflowError):
        edges = []
    increasing = all(map(lt, edges, edges[1:]))
    if edges and increasing and isfinite(edges[0]) and isfinite(edges[-1]) and list(map(float.hex, edges)) == texts:
        return
    before = -inf
    for at, text in enumerate(texts):
        edge = _edge(text, at)
        if edge <= before:
            raise violation(f"must be greater than the edge before it, {texts[at - 1]}", text, ("edges", str(at)))
        before = edge


def _edge(text: str, at: int) -> float:
    try:
        edge = float.fromhex(text)
    except (ValueError, OverflowError):
        edge = inf
    if not isfinite(edge) or edge.hex() != text:
        raise violation(_EDGE, text, ("edges", str(at)))
    return edge


def _check_groups(groups: Sequence[int], bins: int) -> None:
    if not groups or groups[0] != 0:
        raise violation("must begin with 0, the first bin", list(groups), ("groups",))
    before = -1
    for at, first in enumerate(groups):
        if first <= before:
            raise violation(f"must be greater than the one before it, {before}", first, ("groups", str(at)))
        before = first
    if before >= bins:
        raise violation(f"must be a bin, at most {bins - 1}", before, ("groups", str(len(groups) - 1)))


def _check_unique(keys: Sequence[Any], path: str, words: str) -> None:
    if len(set(keys)) == len(keys):
        return
    seen: set[Any] = set()
    for at, key in enumerate(keys):
        if key in seen:
            shown = " ".join(key) if isinstance(key, tuple) else key
            raise violation(words, shown, (path, str(at)))
        seen.add(key)


class BaselineField(Part):
    """One field: its bins or categories, and how many rows of the reference fell in each."""

    name: Id = Field(
        description="Name of the feature; value, score, label and confidence for the other roles.",
        examples=["dep_delay"],
    )
    role: FieldRole = Field(description="What the field is in a prediction.", examples=["feature"])
    kind: FieldKind = Field(
        description="A numeric field has edges, counts and groups, a categorical one categories and counts.",
        examples=["numeric"],
    )
    n: Annotated[int, Field(ge=1, le=2**63 - 1)] = Field(description="All rows, those without it too.", examples=[100])
    missing: Count = Field(description="Rows without it, or with null.", examples=[3])
    mistyped: Annotated[Count, null_as(0)] = Field(
        default=0, description="Rows of a numeric field that held text.", examples=[0]
    )
    edges: Annotated[list[str] | None, Field(max_length=2000)] = Field(
        default=None,
        repr=False,
        description="Inner edges as hex floats (Python's float.hex), finite, strictly increasing; 1 to 2000.",
        examples=[["-0x1.0000000000000p+2", "0x0.0p+0", "0x1.e000000000000p+4"]],
    )
    categories: Annotated[list[Text] | None, Field(max_length=10_000)] = Field(
        default=None, repr=False, description="Values of a categorical field, each once; 1 to 10,000.", examples=[None]
    )
    counts: Annotated[list[Count], Field(max_length=10_001)] = Field(
        repr=False,
        description="Rows in each bin or category; they sum up to n - missing - mistyped.",
        examples=[[11, 39, 40, 7]],
    )
    groups: Annotated[list[Count], Listed] = Field(
        default_factory=list,
        repr=False,
        description="Numeric: first fine bin of each coarse one; begins with 0, strictly increasing.",
        examples=[[0, 2]],
    )
    mean: Finite | None = Field(default=None, description="Mean of the numbers.", examples=[12.6])
    std: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Standard deviation of the numbers.", examples=[40.1]
    )
    phi: Annotated[float, Field(ge=1), null_as(1.0)] = Field(
        default=1.0, description="Overdispersion: how much more chunks differ than independent rows.", examples=[1.3]
    )
    tolerance: Annotated[float, Field(ge=0), null_as(DEFAULT_TOLERANCE)] = Field(
        default=DEFAULT_TOLERANCE, description="Debiased PSI up to which a difference is harmless.", examples=[0.011]
    )
    learned: Annotated[bool, null_as(False)] = Field(
        default=False, description="Whether phi and tolerance were learned from chunks.", examples=[True]
    )

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.kind == "numeric":
            self._numeric()
        else:
            self._categorical()
        valued = self.n - self.missing - self.mistyped
        if valued < 0:
            raise violation(f"must be at most n - mistyped, {self.n - self.mistyped}", self.missing, ("missing",))
        if valued == 0:
            expected = f"must leave a row with a value, and all {self.n} rows have none"
            raise violation(expected, self.missing, ("missing",))
        if (total := sum(self.counts)) != valued:
            raise violation(f"must sum up to n - missing - mistyped, {valued}, and do to {total}", self.counts, _COUNTS)
        return self

    def _numeric(self) -> None:
        if not self.edges:
            raise violation("is required where kind is numeric, with 1 to 2000 edges", self.edges, ("edges",))
        if self.categories is not None:
            raise violation("is only allowed where kind is categorical", self.categories, ("categories",))
        _check_edges(self.edges)
        self._as_many_as(len(self.edges) + 1, "bins")
        _check_groups(self.groups, len(self.counts))

    def _categorical(self) -> None:
        if not self.categories:
            expected = "is required where kind is categorical, with 1 to 10000 categories"
            raise violation(expected, self.categories, ("categories",))
        for name in ("edges", "groups", "mistyped", "mean", "std"):
            if value := getattr(self, name):
                raise violation("is only allowed where kind is numeric", value, (name,))
        _check_unique(self.categories, "categories", "must be there once, and is there twice")
        self._as_many_as(len(self.categories), "categories")

    def _as_many_as(self, wanted: int, of: str) -> None:
        if len(self.counts) != wanted:
            raise violation(f"must have one count for each of the {wanted} {of}", self.counts, _COUNTS)


_COUNTS = ("counts",)


class ReferenceMetric(Part):
    """How good the model was."""

    metric: PerformanceMetric = Field(description="What was measured.", examples=["auc"])
    value: Finite = Field(description="What came out.", examples=[0.71])
    n: Count = Field(description="Rows that it was measured on.", examples=[15587])
    low: Finite | None = Field(default=None, description="Lower end of the 95 % interval.", examples=[0.70])
    high: Finite | None = Field(default=None, description="Upper end of the 95 % interval.", examples=[0.72])
    variance: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Variance of the value.", examples=[0.000025]
    )
    classes: Count | None = Field(default=None, description="Of a mean over classes: over how many.", examples=[None])


class BaselineSegment(Part):
    """The same fields in the rows where a stratum or feature has one value."""

    by: Id = Field(description="The stratum or feature.", examples=["origin"])
    value: Text = Field(description="Its value, as text.", examples=["EWR"])
    fields: Annotated[list[BaselineField], Field(min_length=1, max_length=2000)] = Field(
        description="Fields as in the whole baseline, counted in these rows."
    )
    performance: Annotated[list[ReferenceMetric], Listed] = Field(
        default_factory=list, description="How good the model was in these rows, each metric once."
    )

    @model_validator(mode="after")
    def _unique(self) -> Self:
        _check_unique([(each.role, each.name) for each in self.fields], "fields", _ONCE)
        _check_unique([each.metric for each in self.performance], "performance", _ONE)
        return self


_ONCE = "must be there once by role and name, and is there twice"
_ONE = "must be there once, and is there twice"


class ReferenceGap(Part):
    """How far apart groups were."""

    by: Id = Field(description="The stratum or feature that makes the groups.", examples=["carrier"])
    metric: BiasMetric = Field(description="What was compared.", examples=["selection_rate"])
    value: Annotated[float, Field(ge=0)] = Field(description="The largest gap between two groups.", examples=[0.08])
    n: Count = Field(description="Rows of all groups.", examples=[15587])


class BaselineSource(Part):
    """Where the rows of a baseline come from."""

    kind: Literal["sample", "training_set", "ledger_range", "learned"] = Field(
        description="What they are.", examples=["training_set"]
    )
    name: Text | None = Field(default=None, description="Name of the file or set.", examples=["training.parquet"])
    rows: Count = Field(description="How many there are.", examples=[100])
    since: Moment | None = Field(
        default=None, description="Event time of the first.", examples=["2013-01-01T00:00:00Z"]
    )
    until: Moment | None = Field(
        default=None, description="Event time after the last.", examples=["2013-03-01T00:00:00Z"]
    )
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the file.", examples=["0" * 64])
    cut: SeqMap = Field(
        default_factory=dict,
        description="Of rows from the ledger: the last entry that was read of each chain.",
        examples=[{"5L6g3nShT-eMCtK--X86sw/modeltrail.predictions/0/0-0": 51954}],
    )


class BaselineContent(Part):
    """What the hash of a baseline is of: everything but its name."""

    model_id: Id = Field(description="The model.", examples=["flights-delay"])
    model_version: Id = Field(description="The version of the model.", examples=["1.0.0"])
    rows: Annotated[int, Field(ge=1, le=2**63 - 1)] = Field(description="Rows of the reference.", examples=[100])
    chunk_rows: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = Field(
        default=None, description="Rows of a chunk, where phi and tolerance were learned.", examples=[20]
    )
    positive_label: Id | None = Field(default=None, description="The class that scores speak of.", examples=["late"])
    kind: Literal["binary", "multiclass", "regression"] | None = Field(
        default=None, description="What the model predicts.", examples=["binary"]
    )
    fields: Annotated[list[BaselineField], Field(min_length=1, max_length=2000)] = Field(
        description="The fields, each once by role and name; 1 to 2000."
    )
    segments: Annotated[list[BaselineSegment], Listed] = Field(
        default_factory=list, description="The same fields by group, each group once by stratum and value."
    )
    performance: Annotated[list[ReferenceMetric], Listed] = Field(
        default_factory=list, description="How good the model was, each metric once."
    )
    bias: Annotated[list[ReferenceGap], Listed] = Field(
        default_factory=list, description="How far apart groups were, each stratum and metric once."
    )
    source: BaselineSource = Field(description="Where the rows come from.")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _check_unique([(each.role, each.name) for each in self.fields], "fields", _ONCE)
        by = "must be there once by stratum and value, and is there twice"
        _check_unique([(each.by, each.value) for each in self.segments], "segments", by)
        _check_unique([each.metric for each in self.performance], "performance", _ONE)
        _check_unique([(each.by, each.metric) for each in self.bias], "bias", _ONE)
        for at, each in enumerate(self.fields):
            if each.n > self.rows:
                raise violation(f"must be at most rows, {self.rows}", each.n, ("fields", str(at), "n"))
        return self


_SHA = ("sha256",)
_NOT_CONTENT = {"baseline_id", "sha256"}


class BaselineRegistered(BaselineContent, Data):
    """A reference for drift was laid down. It never changes."""

    event_type: ClassVar[str] = "modeltrail.baseline.registered.v1"
    subject_field: ClassVar[str] = "model_id"

    baseline_id: Id = Field(description="Names the baseline.", examples=["flights-delay-2013"])
    sha256: Sha256 = Field(
        description="SHA-256 of the canonical JSON of all other members but baseline_id: sorted, without spaces, "
        "defaults filled in, what is null or empty left out.",
        examples=["5f28d613b11d829623545068d8a6cd636734ef0c101e477a1d32439d9ede6eaf"],
    )

    @staticmethod
    def hash_of(members: Mapping[str, Any]) -> str:
        """Return the hash that a baseline with these members has. ValidationError where they make none."""
        content = {name: part for name, part in members.items() if name not in _NOT_CONTENT}
        return content_hash(BaselineContent.model_validate(content))

    @classmethod
    def sealed(cls, **members: Any) -> Self:
        """Return a baseline from all its members but sha256, which is computed. ValidationError as for the model."""
        return cls.model_validate({**members, "sha256": cls.hash_of(members)})

    @model_validator(mode="after")
    def _is_what_its_hash_says(self) -> Self:
        text = canonical_json(self.model_dump(exclude=_NOT_CONTENT))
        if len(text) > BASELINE_MAX_BYTES:
            expected = (
                f"must have at most {BASELINE_MAX_BYTES} bytes as canonical JSON, and has {len(text)}: take fewer "
                "fields, segments or categories"
            )
            raise violation(expected, self.baseline_id, ("baseline_id",))
        if (found := sha256(text).hexdigest()) != self.sha256:
            raise violation(
                f"must follow from the content of the baseline, whose SHA-256 is {found}", self.sha256, _SHA
            )
        return self
