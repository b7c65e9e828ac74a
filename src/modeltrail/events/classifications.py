"""Family *classifications*: which label an item carries, who gave it, and what it was before."""

from typing import ClassVar, Literal

from pydantic import Field

from modeltrail.events.fields import Data, FreeJson, Id, Probability, ScalarMap, Text

__all__ = ["ClassificationRecorded"]


class ClassificationRecorded(Data):
    """An item was given a label."""

    event_type: ClassVar[str] = "modeltrail.classification.recorded.v1"
    subject_field: ClassVar[str] = "item_id"

    item_id: Id = Field(description="What was classified.", examples=["UA1545-2013-03-01"])
    label: Id = Field(description="The label that it carries now.", examples=["late"])
    previous_label: Id | None = Field(default=None, description="The label before.", examples=["on_time"])
    origin: Literal["import", "model", "batch", "user", "admin", "fallback"] = Field(
        description="Where the label comes from.", examples=["user"]
    )
    confidence: Probability | None = Field(default=None, description="How sure, 0 to 1.", examples=[0.93])
    method: Id | None = Field(default=None, description="How the label was found.", examples=["threshold 0.5"])
    model_id: Id | None = Field(default=None, description="The model, where one was used.", examples=["late-arrival"])
    model_version: Id | None = Field(default=None, description="The version of the model.", examples=["1.0.0"])
    reason: Text | None = Field(default=None, description="Why.", examples=["gate log shows departure at 14:02"])
    features: ScalarMap = Field(
        default_factory=dict, description="What the label was decided on.", examples=[{"dep_delay": 21}]
    )
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"ticket": "OPS-12"}])
