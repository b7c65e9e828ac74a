"""Family *actions*: the general audit record of anyone, on any system."""

from typing import ClassVar

from pydantic import Field

from modeltrail.events.fields import Data, FreeJson, Id

__all__ = ["ActionRecorded"]


class ActionRecorded(Data):
    """Somebody did something to a resource. Who is the attribute `actor`, when the attribute `time`."""

    event_type: ClassVar[str] = "modeltrail.action.recorded.v1"
    subject_field: ClassVar[str] = "resource_id"

    action: Id = Field(description="What was done.", examples=["threshold.changed"])
    resource_type: Id = Field(description="The kind of thing that it was done to.", examples=["model"])
    resource_id: Id | None = Field(
        default=None, description="The thing; also the default subject.", examples=["late-arrival"]
    )
    data: FreeJson = Field(default_factory=dict, description="What was changed.", examples=[{"from": 0.5, "to": 0.6}])
    details: FreeJson = Field(default_factory=dict, description="Anything else.", examples=[{"ip": "192.0.2.7"}])

    @property
    def default_subject(self) -> str:
        """The resource, or its type where no single one was meant."""
        return self.resource_type if self.resource_id is None else self.resource_id
