"""Family *predictions*: what a model said, and what turned out to be true."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from modeltrail.events.fields import (
    Data,
    Duration,
    Finite,
    FreeJson,
    Id,
    Moment,
    Part,
    Probability,
    ProbabilityMap,
    ScalarMap,
    Sha256,
    Text,
    ValueMap,
    violation,
)

__all__ = ["Confidence", "PredictionOutcome", "PredictionRecorded"]


class Confidence(Part):
    """How sure the system is, and how it came to that."""

    base: Probability = Field(description="Confidence before modifiers, 0 to 1.", examples=[0.71])
    modifiers: ValueMap = Field(
        default_factory=dict, description="What was added by each named modifier.", examples=[{"history": 0.05}]
    )
    final: Probability = Field(description="Confidence after modifiers, 0 to 1.", examples=[0.76])


class PredictionRecorded(Data):
    """A model predicted something about an item."""

    event_type: ClassVar[str] = "modeltrail.prediction.recorded.v1"
    subject_field: ClassVar[str] = "item_id"

    prediction_id: Id = Field(description="Names this prediction; outcomes and feedback refer to it.", examples=["p-1"])
    item_id: Id = Field(description="What the prediction is about.", examples=["UA1545-2013-03-01"])
    run_id: Id | None = Field(default=None, description="The run that produced it.", examples=["run-2013-03-01"])
    model_id: Id = Field(description="The model.", examples=["late-arrival"])
    model_version: Id = Field(description="The version of the model.", examples=["1.0.0"])
    kind: Literal["binary", "multiclass", "regression"] = Field(
        description="What the model predicts: a regression needs value, a binary needs label, score or probabilities, "
        "a multiclass needs label or probabilities.",
        examples=["binary"],
    )
    value: Finite | None = Field(default=None, description="The predicted number.", examples=[12.5])
    label: Id | None = Field(default=None, description="The predicted class.", examples=["late"])
    score: Finite | None = Field(
        default=None, description="The model's raw score for the positive class.", examples=[0.81]
    )
    probabilities: ProbabilityMap = Field(
        default_factory=dict,
        description="Probability of each class, 0 to 1.",
        examples=[{"late": 0.81, "on_time": 0.19}],
    )
    confidence: Confidence | None = Field(default=None, description="Confidence and what it is made of.")
    features: ScalarMap = Field(
        default_factory=dict, description="The inputs of the model.", examples=[{"dep_delay": 21, "carrier": "UA"}]
    )
    strata: ScalarMap = Field(
        default_factory=dict, description="Groups by which drift and bias are compared.", examples=[{"origin": "EWR"}]
    )
    rule_id: Id | None = Field(default=None, description="The rule that made the prediction.", examples=["r-7"])
    selected: bool | None = Field(default=None, description="Whether this prediction was used.", examples=[False])
    excluded: bool | None = Field(default=None, description="Whether it was left out on purpose.", examples=[True])
    exclusion_reason: Text | None = Field(
        default=None, description="Why it was left out; only with excluded: true.", examples=["below the threshold"]
    )
    input_sha256: Sha256 | None = Field(default=None, description="SHA-256 of the model's input.", examples=["0" * 64])
    latency_ms: Duration | None = Field(
        default=None, description="How long the model took, in milliseconds.", examples=[3.2]
    )
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"host": "scorer-3"}])

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "regression":
            if self.value is None:
                raise violation("is required where kind is regression", path=("value",))
        elif self.label is None and not self.probabilities and (self.score is None or self.kind == "multiclass"):
            wanted = "label, score or probabilities" if self.kind == "binary" else "label or probabilities"
            raise violation(f"{wanted}: one of them is required where kind is {self.kind}", path=("label",))
        if self.exclusion_reason is not None and not self.excluded:
            raise violation("is only allowed where excluded is true", self.exclusion_reason, ("exclusion_reason",))
        return self


class PredictionOutcome(Data):
    """What turned out to be true about a prediction, often much later."""

    event_type: ClassVar[str] = "modeltrail.prediction.outcome.v1"
    subject_field: ClassVar[str] = "prediction_id"

    prediction_id: Id = Field(description="The prediction.", examples=["p-1"])
    model_id: Id = Field(description="The model that made it.", examples=["late-arrival"])
    model_version: Id = Field(description="The version of the model.", examples=["1.0.0"])
    value: Finite | None = Field(default=None, description="The true number.", examples=[14.0])
    label: Id | None = Field(default=None, description="The true class.", examples=["late"])
    observed_at: Moment = Field(description="When the truth was observed.", examples=["2013-03-01T15:04:00Z"])
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"from": "arrivals"}])

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.value is None and self.label is None:
            raise violation("value or label: one of them is required", path=("value",))
        return self
