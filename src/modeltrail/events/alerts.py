"""Family *alerts*: what Modeltrail itself found. Sent once per condition, never once per retry."""

from typing import ClassVar, Literal

from pydantic import Field

from modeltrail.events.fields import Data, FreeJson, Id, Moment, Text

__all__ = ["AlertAcknowledged", "AlertKind", "AlertRaised", "AlertResolved", "Severity"]

AlertKind = Literal[
    "epoch_opened",
    "late_block",
    "partition_stopped",
    "chain_refused",
    "topic_setting_changed",
    "drift",
    "performance",
    "bias",
    "silence",
]
Severity = Literal["info", "warning", "critical"]


class _Alert(Data):
    subject_field: ClassVar[str] = "subject"

    alert_id: Id = Field(description="Names the condition: raised and resolved carry the same id.", examples=["3f1c"])
    kind: AlertKind = Field(description="What was found.", examples=["epoch_opened"])
    severity: Severity = Field(description="How bad it is.", examples=["critical"])
    subject: Id = Field(description="What it is about.", examples=["modeltrail.predictions/0"])
    message: Text = Field(
        description="A sentence for people.", examples=["modeltrail.predictions/0: a new epoch begins"]
    )
    opened_at: Moment = Field(description="When the condition began.", examples=["2013-03-01T15:04:00Z"])
    evidence: FreeJson = Field(
        default_factory=dict, description="What it was found from.", examples=[{"reason": "retention"}]
    )
    supersedes: Id | None = Field(default=None, description="The alert that this one replaces.", examples=["3f1b"])
    by: Id | None = Field(default=None, description="Who acted on it.", examples=["ops"])
    note: Text | None = Field(default=None, description="What they said.", examples=["retention was raised"])


class AlertRaised(_Alert):
    """A condition began to hold."""

    event_type: ClassVar[str] = "modeltrail.alert.raised.v1"


class AlertResolved(_Alert):
    """A condition holds no more."""

    event_type: ClassVar[str] = "modeltrail.alert.resolved.v1"


class AlertAcknowledged(Data):
    """Somebody saw an alert and takes care of it."""

    event_type: ClassVar[str] = "modeltrail.alert.acknowledged.v1"
    subject_field: ClassVar[str] = "alert_id"

    alert_id: Id = Field(description="The alert.", examples=["3f1c"])
    by: Id = Field(description="Who takes care of it.", examples=["ops"])
    note: Text | None = Field(default=None, description="What they said.", examples=["the storms of late June"])
