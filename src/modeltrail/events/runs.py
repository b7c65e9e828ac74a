"""Family *runs*: an execution of a pipeline from its start to its end, item by item and rule by rule."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from modeltrail.events.fields import (
    Count,
    Data,
    Duration,
    FreeJson,
    Id,
    Listed,
    Part,
    Probability,
    ScalarMap,
    Sha256,
    Text,
    violation,
)

__all__ = [
    "HealthCheck",
    "RunCompleted",
    "RunCounts",
    "RunFailedStep",
    "RunHealthChecked",
    "RunInput",
    "RunItemProcessed",
    "RunItemSkipped",
    "RunRuleEvaluated",
    "RunStarted",
]


class HealthCheck(Part):
    """One thing that was looked at before or during a run."""

    name: Id = Field(description="What was looked at.", examples=["model file"])
    passed: bool = Field(description="Whether it was as it should be.", examples=[True])
    detail: Text = Field(description="What was seen; may be empty.", examples=["sha256 matches"])


class RunInput(Part):
    """What a run reads."""

    kind: Id = Field(description="What sort of input.", examples=["file"])
    name: Id = Field(description="Its name.", examples=["flights-2013-03-01.csv"])
    sha256: Sha256 | None = Field(
        default=None, description="SHA-256 of its bytes, where it has any.", examples=["0" * 64]
    )
    rows: Count | None = Field(default=None, description="How many rows, where they are known.", examples=[905])


class RunCounts(Part):
    """What a run did, in numbers."""

    processed: Count = Field(description="Items processed.", examples=[900])
    with_predictions: Count = Field(description="Items with at least one prediction.", examples=[895])
    skipped: Count = Field(description="Items skipped.", examples=[5])
    predictions: Count = Field(description="Predictions made.", examples=[895])
    rules_evaluated: Count = Field(description="Rule evaluations.", examples=[0])
    rules_matched: Count = Field(description="Rule evaluations that matched.", examples=[0])

    @model_validator(mode="after")
    def _parts_within_wholes(self) -> Self:
        if self.with_predictions > self.processed:
            raise violation("must not exceed processed", self.with_predictions, ("with_predictions",))
        if self.rules_matched > self.rules_evaluated:
            raise violation("must not exceed rules_evaluated", self.rules_matched, ("rules_matched",))
        return self


class _OfRun(Data):
    subject_field: ClassVar[str] = "run_id"

    run_id: Id = Field(description="The run.", examples=["run-2013-03-01"])


class _OfItem(_OfRun):
    subject_field: ClassVar[str] = "item_id"

    item_id: Id = Field(description="The item.", examples=["UA1545-2013-03-01"])


class RunStarted(_OfRun):
    """A run began."""

    event_type: ClassVar[str] = "modeltrail.run.started.v1"

    engine: Id = Field(description="What executes the run.", examples=["nightly-scoring 2.3"])
    mode: Literal["production", "test", "sandbox"] = Field(
        description="What the results are for.", examples=["production"]
    )
    trigger: Literal["cron", "admin", "api", "manual"] = Field(description="What started it.", examples=["cron"])
    input: RunInput | None = Field(default=None, description="What it reads.")
    expected_duration_s: Duration | None = Field(
        default=None,
        description="How long it should take, in seconds; beyond it the run counts as stuck.",
        examples=[600],
    )
    preflight: Annotated[list[HealthCheck], Listed] = Field(
        default_factory=list, description="What was checked before the start."
    )
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"commit": "9f2c1e0"}])


class RunHealthChecked(Data):
    """The preconditions of a run were looked at."""

    event_type: ClassVar[str] = "modeltrail.run.health_checked.v1"
    subject_field: ClassVar[str] = "run_id"

    run_id: Id | None = Field(default=None, description="The run, where one was begun.", examples=["run-2013-03-01"])
    checks: list[HealthCheck] = Field(description="What was looked at.")
    allowed: bool = Field(description="Whether the run may go on.", examples=[True])
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"host": "scorer-3"}])

    @property
    def default_subject(self) -> str:
        """The run, or `health` where none was begun."""
        return "health" if self.run_id is None else self.run_id


class RunItemProcessed(_OfItem):
    """A run finished an item."""

    event_type: ClassVar[str] = "modeltrail.run.item_processed.v1"

    attributes: ScalarMap = Field(
        default_factory=dict, description="What the item is like.", examples=[{"carrier": "UA"}]
    )
    predictions: Count = Field(description="How many predictions were made for it.", examples=[1])
    best: Id | None = Field(default=None, description="The label that was chosen.", examples=["late"])
    best_confidence: Probability | None = Field(default=None, description="How sure, 0 to 1.", examples=[0.81])
    matched_rules: Annotated[list[Id], Listed] = Field(
        default_factory=list, description="Ids of the rules that matched.", examples=[["r-7"]]
    )
    duration_ms: Duration = Field(description="How long it took, in milliseconds.", examples=[4.1])
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"attempt": 1}])


class RunItemSkipped(_OfItem):
    """A run left an item out."""

    event_type: ClassVar[str] = "modeltrail.run.item_skipped.v1"

    category: Literal["missing_input", "insufficient_data", "excluded", "duplicate", "error", "other"] = Field(
        description="Why, as a category.", examples=["missing_input"]
    )
    reason: Text = Field(description="Why, in words.", examples=["no departure time"])
    details: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"missing": ["dep_time"]}])


class RunRuleEvaluated(_OfItem):
    """A rule was evaluated for an item."""

    event_type: ClassVar[str] = "modeltrail.run.rule_evaluated.v1"

    rule_id: Id = Field(description="The rule.", examples=["r-7"])
    rule_code: Id = Field(description="What people call it.", examples=["LATE_AT_GATE"])
    triggered: bool = Field(description="Whether it matched.", examples=[True])
    reason: Text | None = Field(default=None, description="Why, in words.", examples=["dep_delay above 15"])
    conditions: ScalarMap = Field(
        default_factory=dict, description="What it looked at.", examples=[{"dep_delay": 21, "threshold": 15}]
    )
    confidence: Probability | None = Field(default=None, description="How sure, 0 to 1.", examples=[0.9])
    duration_ms: Duration = Field(description="How long it took, in milliseconds.", examples=[0.2])
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"engine": "rules 1.4"}])


class RunFailedStep(_OfRun):
    """A step of a run failed."""

    event_type: ClassVar[str] = "modeltrail.run.failed_step.v1"

    kind: Id = Field(description="What sort of failure.", examples=["ValueError"])
    message: Text = Field(description="What it said.", examples=["unknown carrier 'ZZ'"])
    stack: Text | None = Field(default=None, description="Where it happened.", examples=["score.py:41"])
    severity: Literal["warning", "error", "critical"] = Field(description="How bad it is.", examples=["error"])
    halted: bool = Field(description="Whether the run stopped there.", examples=[False])
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"step": "score"}])


class RunCompleted(_OfRun):
    """A run ended."""

    event_type: ClassVar[str] = "modeltrail.run.completed.v1"

    status: Literal["completed", "failed", "partial"] = Field(
        description="How it ended; failed needs error.", examples=["completed"]
    )
    counts: RunCounts = Field(description="What it did, in numbers.")
    rules_used: Annotated[list[Id], Listed] = Field(
        default_factory=list, description="Ids of the rules that were in force.", examples=[["r-7"]]
    )
    error: Text | None = Field(default=None, description="What went wrong.", examples=["lost the database"])
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"host": "scorer-3"}])

    @model_validator(mode="after")
    def _failed_says_why(self) -> Self:
        if self.status == "failed" and not self.error:
            raise violation("is required where status is failed", self.error, ("error",))
        return self
