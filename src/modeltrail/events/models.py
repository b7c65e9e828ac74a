"""Family *models*: which models there are, and what is told to the watch about them.

The topic has one partition, because the order of its changes matters. Baselines and monitors have modules of their
own.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from modeltrail.events.fields import (
    Count,
    Data,
    Duration,
    FreeJson,
    Id,
    Moment,
    Part,
    ProbabilityMap,
    Sha256,
    Text,
    ValueMap,
)
from modeltrail.events.refusal import PATTERNS

__all__ = ["Artifact", "ModelRegistered", "MonitorAdvanced", "Training"]

_SEMANTIC = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
)
PATTERNS[_SEMANTIC] = "must be a semantic version such as 1.0.0 or 2.1.0-rc.1 (semver.org)"

SemanticVersion = Annotated[str, Field(max_length=256, pattern=_SEMANTIC)]


class Artifact(Part):
    """The file that is the model."""

    uri: Text = Field(description="Where it is.", examples=["s3://models/flights-delay/1.0.0.onnx"])
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of its bytes.", examples=["0" * 64])


class Training(Part):
    """What the model was trained on."""

    rows: Count | None = Field(default=None, description="Rows of the training set.", examples=[51955])
    since: Moment | None = Field(
        default=None, description="Event time of the first row.", examples=["2013-01-01T05:00:00Z"]
    )
    until: Moment | None = Field(
        default=None, description="Event time after the last row.", examples=["2013-03-01T05:00:00Z"]
    )
    duration_s: Duration | None = Field(default=None, description="How long it took, in seconds.", examples=[38.5])
    notes: Text | None = Field(default=None, description="What else should be known.", examples=["without weather"])


class ModelRegistered(Data):
    """A version of a model came into being."""

    event_type: ClassVar[str] = "modeltrail.model.registered.v1"
    subject_field: ClassVar[str] = "model_id"

    model_id: Id = Field(description="The model.", examples=["flights-delay"])
    name: Id = Field(description="What people call it.", examples=["Delay of flights from New York"])
    version: SemanticVersion = Field(description="The version, by semver.org.", examples=["1.0.0"])
    parent_model_id: Id | None = Field(
        default=None, description="The model that it was made from.", examples=["flights-delay-pilot"]
    )
    framework: Id | None = Field(default=None, description="What it was made with.", examples=["scikit-learn 1.7"])
    artifact: Artifact | None = Field(default=None, description="The file that is the model.")
    training: Training | None = Field(default=None, description="What it was trained on.")
    metrics: ValueMap = Field(
        default_factory=dict, description="How good it was on data held back.", examples=[{"auc": 0.71}]
    )
    label_distribution: ProbabilityMap = Field(
        default_factory=dict,
        description="Share of each label in the training set, 0 to 1.",
        examples=[{"late": 0.24, "on_time": 0.76}],
    )
    confidence_stats: ValueMap = Field(
        default_factory=dict, description="What its confidence looked like.", examples=[{"mean": 0.83, "p5": 0.55}]
    )
    metadata: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"commit": "9f2c1e0"}])


class MonitorAdvanced(Data):
    """All predictions of a model up to an event time are sent: windows that end by then may close."""

    event_type: ClassVar[str] = "modeltrail.monitor.advanced.v1"
    subject_field: ClassVar[str] = "model_id"

    model_id: Id = Field(description="The model.", examples=["flights-delay"])
    through: Moment = Field(
        description="No prediction with an event time up to here will follow.", examples=["2014-01-06T00:00:00Z"]
    )
