"""Family *checks*: what the watch computed about one window, and from what.

A check is a function of the ledger up to its cut, of one monitor and of one baseline, which it all names: anyone can
compute it again. Its id follows from them, so a repeat after a crash is recognised as one.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from modeltrail.events.baselines import BiasMetric, FieldKind, FieldRole, PerformanceMetric
from modeltrail.events.canonical import content_hash
from modeltrail.events.fields import (
    Count,
    Data,
    Duration,
    Finite,
    FreeJson,
    Id,
    Listed,
    Moment,
    Part,
    Probability,
    ProbabilityMap,
    ScalarMap,
    SeqMap,
    Sha256,
    Text,
    ValueMap,
    null_as,
    violation,
)

__all__ = [
    "CHECK_SOURCE",
    "CheckAlert",
    "CheckBin",
    "CheckCompleted",
    "CheckCondition",
    "CheckCut",
    "CheckEntry",
    "CheckField",
    "CheckGap",
    "CheckGroup",
    "CheckKind",
    "CheckLate",
    "CheckMetric",
    "CheckReference",
    "CheckSegment",
    "CheckSilence",
    "CheckStatus",
    "CheckWindow",
    "LookBack",
    "State",
    "alert_id",
    "check_id",
]

CHECK_SOURCE = "modeltrail/watch"
"""The CloudEvents source of checks and of the alerts that follow from them."""

CheckKind = Literal["drift", "performance", "silence", "tick"]
CheckStatus = Literal["completed", "failed", "skipped", "insufficient_data", "insufficient_labels", "no_baseline"]
State = Literal["stable", "shifted", "warning", "critical"]
FieldState = Literal["stable", "shifted", "warning", "critical", "insufficient_data"]

_CHAIN = "5L6g3nShT-eMCtK--X86sw/modeltrail.predictions/0/0-0"


class CheckReference(Part):
    """A monitor or a baseline, and the SHA-256 of what it said."""

    id: Id = Field(description="Its name.", examples=["flights-delay-weekly"])
    sha256: Sha256 = Field(description="SHA-256 of its canonical content.", examples=["0" * 64])


class CheckWindow(Part):
    """What the check is about: a span of event time, or a run of predictions."""

    start: Moment | None = Field(
        default=None, description="Event time of the first instant.", examples=["2013-07-01T00:00:00Z"]
    )
    end: Moment | None = Field(
        default=None, description="Event time after the last instant.", examples=["2013-07-08T00:00:00Z"]
    )
    index: Count | None = Field(default=None, description="Number of a window by count, from 0.", examples=[25])
    after: SeqMap = Field(
        default_factory=dict,
        description="Of a window by count: the last entry of each chain before it.",
        examples=[{_CHAIN: 5411}],
    )
    upto: SeqMap = Field(
        default_factory=dict,
        description="Of a window by count: its own last entry of each chain, where the truth was waited for after it.",
        examples=[{_CHAIN: 10822}],
    )
    label_delay_s: Count | None = Field(
        default=None,
        description="Of a performance check: seconds that the truth was waited for after the window.",
        examples=[604800],
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.index is None and (self.start is None or self.end is None):
            raise violation("start and end, or index: one of them is required", path=("start",))
        return self


class CheckEntry(Part):
    """One entry of the ledger."""

    chain: Id = Field(description="Its chain.", examples=[_CHAIN])
    seq: Count = Field(description="Its number in the chain.", examples=[10823])


class CheckCut(Part):
    """Up to where the ledger was read."""

    entry: CheckEntry = Field(description="The entry that closed the window; it is not part of the content.")
    frontier: SeqMap = Field(
        default_factory=dict,
        description="The last entry that belongs to the content, of each chain of predictions and models.",
        examples=[{_CHAIN: 10822}],
    )


class CheckLate(Part):
    """Predictions of the window that came after it had closed; absent where none did."""

    counted: Annotated[Count, null_as(0)] = Field(default=0, description="Counted in this check.", examples=[2])


class CheckSegment(Part):
    """One group of predictions."""

    by: Id = Field(description="The stratum or feature.", examples=["origin"])
    value: Text = Field(description="Its value, as text.", examples=["EWR"])


class CheckBin(Part):
    """A coarse bin or a category that contributes much to a difference."""

    bin: Text = Field(description="What it holds.", examples=["above 60"])
    reference: Probability = Field(description="Its share in the baseline.", examples=[0.06])
    current: Probability = Field(description="Its share in the window.", examples=[0.14])


class CheckField(Part):
    """One field in one segment, or in all predictions of the window."""

    name: Id = Field(description="The field of the baseline.", examples=["dep_delay"])
    role: FieldRole = Field(description="What the field is in a prediction.", examples=["feature"])
    kind: FieldKind = Field(description="How it was counted.", examples=["numeric"])
    segment: CheckSegment | None = Field(default=None, description="The group; all predictions where absent.")
    state: FieldState = Field(description="What was found.", examples=["critical"])
    reason: Text | None = Field(
        default=None, description="Why there is no more to say.", examples=["3 of 10 coarse bins are left"]
    )
    n: Count = Field(description="All rows, those without the field too.", examples=[100])
    missing: Count = Field(description="Rows without it, or with null.", examples=[3])
    mistyped: Annotated[Count, null_as(0)] = Field(
        default=0, description="Rows of a numeric field that held text.", examples=[1]
    )
    unseen: Annotated[Count, null_as(0)] = Field(
        default=0, description="Rows with a category that the baseline lacks.", examples=[0]
    )
    counts: Annotated[list[Count], Listed] = Field(
        default_factory=list,
        repr=False,
        description="Rows in each bin or category of the baseline; with missing, mistyped and unseen they sum up to n.",
        examples=[[10, 30, 40, 16]],
    )
    statistics: ValueMap = Field(
        default_factory=dict, description="Statistics by name.", examples=[{"psi": 0.31, "psi_debiased": 0.29}]
    )
    p_values: ProbabilityMap = Field(
        default_factory=dict, description="p-values by name of the test.", examples=[{"psi": 0.000002, "ks": 0.0004}]
    )
    scale: Literal[1, 4, 16] | None = Field(
        default=None, description="How many windows were merged where it was decided.", examples=[4]
    )
    tolerance: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Debiased PSI that counted as harmless.", examples=[0.011]
    )
    top: Annotated[list[CheckBin], Listed] = Field(
        default_factory=list, description="What contributes most to the difference."
    )

    @model_validator(mode="after")
    def _sums_up(self) -> Self:
        total = sum(self.counts) + self.missing + self.mistyped + self.unseen
        if self.counts and total != self.n:
            expected = f"must sum up to n, {self.n}, with missing, mistyped and unseen, and do to {total}"
            raise violation(expected, self.counts, ("counts",))
        return self


class CheckMetric(Part):
    """A metric of predictions against what turned out to be true."""

    metric: PerformanceMetric = Field(description="What was measured.", examples=["auc"])
    segment: CheckSegment | None = Field(default=None, description="The group; all predictions where absent.")
    state: FieldState = Field(description="What was found.", examples=["warning"])
    reason: Text | None = Field(
        default=None, description="Why there is no more to say.", examples=["the truth is of one class only"]
    )
    value: Finite | None = Field(default=None, description="What came out.", examples=[0.64])
    n: Count = Field(description="Predictions (of the segment) whose truth is known.", examples=[5180])
    low: Finite | None = Field(default=None, description="Lower end of the 95 % interval.", examples=[0.62])
    high: Finite | None = Field(default=None, description="Upper end of the 95 % interval.", examples=[0.66])
    variance: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Variance of the value.", examples=[0.0001]
    )
    reference: Finite | None = Field(default=None, description="Its value in the baseline.", examples=[0.71])
    reference_of: Literal["segment", "whole"] | None = Field(
        default=None,
        description="Of a metric in a segment: which rows of the baseline its reference is of.",
        examples=["segment"],
    )
    max_drop: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="How much worse it may be.", examples=[0.05]
    )
    threshold: Finite | None = Field(default=None, description="What it may be at worst.", examples=[None])
    p_value: Probability | None = Field(
        default=None, description="Probability of this or worse if it were within what is allowed.", examples=[0.0003]
    )
    coverage: Probability | None = Field(
        default=None, description="Share of predictions whose truth is known.", examples=[0.957]
    )
    scale: Literal[1, 4, 16] | None = Field(
        default=None, description="How many windows were merged where it was decided.", examples=[1]
    )


class CheckGroup(Part):
    """One group of a gap."""

    value: Text = Field(description="The value of the stratum, as text.", examples=["HA"])
    n: Count = Field(description="Its rows.", examples=[342])
    measured: Finite | None = Field(
        default=None, description="What was measured of it; absent where it is too small.", examples=[0.31]
    )


class CheckGap(Part):
    """How far apart groups are."""

    by: Id = Field(description="The stratum or feature that makes the groups.", examples=["carrier"])
    metric: BiasMetric = Field(description="What was compared.", examples=["selection_rate"])
    state: FieldState = Field(description="What was found.", examples=["shifted"])
    reason: Text | None = Field(
        default=None, description="Why there is no more to say.", examples=["one group is large enough"]
    )
    value: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="The largest gap between two groups.", examples=[0.12]
    )
    n: Count = Field(description="Rows of all groups.", examples=[5412])
    low: Finite | None = Field(default=None, description="Lower end of the 95 % interval.", examples=[0.07])
    high: Finite | None = Field(default=None, description="Upper end of the 95 % interval.", examples=[0.17])
    groups: Annotated[list[CheckGroup], Listed] = Field(default_factory=list, description="The groups.")
    lowest: Text | None = Field(default=None, description="The group with the lowest value.", examples=["F9"])
    highest: Text | None = Field(default=None, description="The group with the highest value.", examples=["HA"])
    reference: Finite | None = Field(default=None, description="The gap in the baseline.", examples=[0.08])
    max_gap: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="The largest gap that is allowed.", examples=[0.1]
    )
    p_value: Probability | None = Field(
        default=None, description="Probability of this or more if it were within what is allowed.", examples=[0.03]
    )
    scale: Literal[1, 4, 16] | None = Field(
        default=None, description="How many windows were merged where it was decided.", examples=[1]
    )


class CheckSilence(Part):
    """Whether the model predicts, and how fast."""

    condition: Literal["predicting", "silent", "slow", "fast"] = Field(
        description="What was found.", examples=["silent"]
    )
    last_at: Moment | None = Field(
        default=None, description="Event time of the last prediction.", examples=["2013-07-03T11:20:00Z"]
    )
    gap_s: Duration | None = Field(default=None, description="Seconds since then.", examples=[9000])
    max_gap_s: Duration | None = Field(default=None, description="Seconds that are allowed.", examples=[7200])
    rate: Duration | None = Field(default=None, description="Predictions a second.", examples=[0.002])
    usual_rate: Duration | None = Field(default=None, description="What it usually is.", examples=[0.009])
    rate_factor: Annotated[float, Field(gt=1)] | None = Field(
        default=None, description="Factor by which it may fall or rise.", examples=[4]
    )


class LookBack(Part):
    """An earlier window that was merged with this one."""

    check_id: Sha256 = Field(description="Its first check.", examples=["0" * 64])
    start: Moment | None = Field(
        default=None, description="Event time of its first instant.", examples=["2013-06-24T00:00:00Z"]
    )
    end: Moment | None = Field(
        default=None, description="Event time after its last instant.", examples=["2013-07-01T00:00:00Z"]
    )
    index: Count | None = Field(default=None, description="Its number, of a window by count.", examples=[24])


class CheckCondition(Part):
    """What an alert is about, beside the model, its version and the monitor."""

    kind: Literal["drift", "performance", "bias", "silence"] = Field(description="Its kind.", examples=["drift"])
    name: Id | None = Field(default=None, description="The field or metric.", examples=["dep_delay"])
    role: FieldRole | None = Field(default=None, description="Role of the field.", examples=["feature"])
    by: Id | None = Field(default=None, description="Of a gap: what makes the groups.", examples=[None])
    segment: CheckSegment | None = Field(default=None, description="The group; all predictions where absent.")


class CheckAlert(Part):
    """An alert that this check raised, changed, resolved or found open."""

    alert_id: Id = Field(description="The alert.", examples=["0" * 64])
    condition: CheckCondition = Field(description="What it is about.")
    transition: Literal["raised", "escalated", "resolved", "open"] = Field(
        description="What happened to it.", examples=["raised"]
    )


class CheckCompleted(Data):
    """The watch looked at a window of a model. Of two checks of one window, the one that supersedes counts."""

    event_type: ClassVar[str] = "modeltrail.check.completed.v1"
    subject_field: ClassVar[str] = "model_id"

    check_id: Sha256 = Field(
        description="SHA-256 of the canonical JSON of monitor, model, version, kind, window and cut.",
        examples=["0" * 64],
    )
    kind: CheckKind = Field(
        description="What was looked at; a tick only notes that time went on while a model was silent.",
        examples=["drift"],
    )
    monitor: CheckReference = Field(description="The monitor that was in force.")
    baseline: CheckReference | None = Field(default=None, description="The baseline that was in force.")
    model_id: Id = Field(description="The model.", examples=["flights-delay"])
    model_version: Id | None = Field(
        default=None, description="The version of the model; absent in ticks of all versions.", examples=["1.0.0"]
    )
    window: CheckWindow | None = Field(default=None, description="The window; required but in ticks.")
    cut: CheckCut | None = Field(default=None, description="Up to where the ledger was read; required but in ticks.")
    status: CheckStatus = Field(description="How it went.", examples=["completed"])
    state: State | None = Field(default=None, description="The worst that was found.", examples=["critical"])
    rows: Annotated[Count, null_as(0)] = Field(default=0, description="Predictions in the window.", examples=[5412])
    duplicates: Annotated[Count, null_as(0)] = Field(
        default=0, description="Repeats that were not counted.", examples=[0]
    )
    late: CheckLate | None = Field(default=None, description="Predictions that came late.")
    too_late: Annotated[Count, null_as(0)] = Field(
        default=0,
        description="Predictions of earlier windows, counted in none because they came even after the last chance for"
        " late ones: those since the check before of the same monitor, version, kind and delay; repeats included.",
        examples=[1],
    )
    fields: Annotated[list[CheckField], Listed] = Field(default_factory=list, description="Fields by segment.")
    new_features: Annotated[list[Text], Listed] = Field(
        default_factory=list, description="Features in predictions that the baseline lacks.", examples=[["gate"]]
    )
    new_segments: Annotated[list[CheckSegment], Listed] = Field(
        default_factory=list, description="Groups in predictions that the baseline lacks: nothing is compared in them."
    )
    metrics: Annotated[list[CheckMetric], Listed] = Field(
        default_factory=list, description="Metrics against the truth."
    )
    gaps: Annotated[list[CheckGap], Listed] = Field(default_factory=list, description="Gaps between groups.")
    silence: CheckSilence | None = Field(default=None, description="Whether the model predicts.")
    policy: ScalarMap = Field(
        default_factory=dict,
        description="Version of the policy and its numbers, all resolved.",
        examples=[{"version": "1", "preset": "default", "fdr": 0.05, "raise_at": "warning"}],
    )
    look_back: Annotated[list[LookBack], Listed] = Field(
        default_factory=list, description="Earlier windows that were merged with this one, newest first."
    )
    incomplete: Annotated[list[Text], Listed] = Field(
        default_factory=list,
        description="Partitions that were not waited for.",
        examples=[["modeltrail.predictions/3"]],
    )
    closed_by: Literal["watermark", "advanced", "silence", "count", "max_wait", "configured"] | None = Field(
        default=None,
        description="What closed the window; configured: a change of the monitor, which makes no such checks any more.",
        examples=["watermark"],
    )
    supersedes: Sha256 | None = Field(
        default=None, description="The check of the same window that this one replaces.", examples=["0" * 64]
    )
    alerts: Annotated[list[CheckAlert], Listed] = Field(default_factory=list, description="What it did to alerts.")
    carry: FreeJson = Field(
        default_factory=dict, description="What the next check starts from.", examples=[{"streaks": {}}]
    )
    versions: Annotated[dict[Id, Id], Listed] = Field(
        default_factory=dict, description="Versions of what computed it.", examples=[{"numpy": "2.3.4"}]
    )
    error: Text | None = Field(default=None, description="Why it failed or was skipped.", examples=[None])
    duration_ms: Annotated[Duration, null_as(0.0)] = Field(
        default=0.0, description="How long it took, in milliseconds.", examples=[41.5]
    )

    @model_validator(mode="after")
    def _names_what_it_is_of(self) -> Self:
        if self.kind != "tick":
            for name in ("model_version", "window", "cut"):
                if getattr(self, name) is None:
                    raise violation(f"is required where kind is {self.kind}", path=(name,))
        if self.status == "failed" and not self.error:
            raise violation("is required where status is failed", path=("error",))
        return self


def check_id(
    *,
    monitor_sha256: str,
    model_id: str,
    model_version: str | None,
    kind: CheckKind,
    window: CheckWindow | None,
    cut: CheckCut | None,
) -> str:
    """Return the id of a check, 64 hex digits: it follows from what is checked, and from nothing else."""
    return content_hash(
        {
            "monitor": monitor_sha256,
            "model": model_id,
            "version": model_version,
            "kind": kind,
            "window": window,
            "cut": cut,
        }
    )


def alert_id(
    condition: CheckCondition,
    *,
    model_id: str,
    model_version: str,
    monitor_id: str,
    first_window: CheckWindow | Mapping[str, Any],
    again_after: str | None = None,
) -> str:
    """Return the id of an alert, 64 hex digits. `first_window` is that of the check that raised it.

    `again_after` is the id of an alert before it that was over within that window or later: the window may have raised
    that one, too.

    The monitor is named by its id and not by its hash: an alert outlives a change of the monitor that raised it, while
    two monitors of one model, whose limits differ, have two alerts.
    """
    return content_hash(
        {
            "model": model_id,
            "version": model_version,
            "monitor": monitor_id,
            "condition": condition,
            "first_window": first_window,
        }
        | ({} if again_after is None else {"again_after": again_after})
    )
