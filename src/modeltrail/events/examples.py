"""One example for each model, put together from the examples of its fields."""

from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from modeltrail.events.envelope import DATA_CONTENT_TYPE
from modeltrail.events.registry import EventType

__all__ = ["attributes_example", "event_example", "example"]


def example(model: type[BaseModel]) -> dict[str, Any]:
    """Return an object with every field of the model, as JSON would hold it."""
    return {
        name: field.examples[0] if field.examples else _of_annotation(field.annotation)
        for name, field in model.model_fields.items()
    }


def _of_annotation(annotation: Any) -> Any:
    """Return the example of a field that is a model, an optional model or a list of models."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return example(annotation)
    inner = next(arg for arg in get_args(annotation) if arg is not type(None))
    found = _of_annotation(inner)
    return found if get_origin(annotation) in {Union, UnionType} else [found]


def attributes_example(kind: EventType) -> dict[str, Any]:
    """Return all attributes of an event of this type."""
    return {
        "specversion": "1.0",
        "id": "0197a3c2-6f5e-7c3e-9a51-6f2d8f0c4b17",
        "source": "scoring/production",
        "type": kind.name,
        "subject": kind.model.model_validate(example(kind.model)).default_subject,
        "time": "2013-03-01T12:00:00.250000Z",
        "actor": "nightly-scoring",
        "tenant": "default",
        "sequence": "0000000042",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "correlationid": "run-2013-03-01",
        "causationid": "0197a3c2-6f5e-7c3e-9a51-6f2d8f0c4b16",
        "retentionclass": "permanent",
    }


def event_example(kind: EventType) -> dict[str, Any]:
    """Return a whole structured event of this type."""
    return {**attributes_example(kind), "datacontenttype": DATA_CONTENT_TYPE, "data": example(kind.model)}
