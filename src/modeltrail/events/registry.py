"""Which event types there are, which family each belongs to, and where it goes."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from modeltrail.events.actions import ActionRecorded
from modeltrail.events.alerts import AlertAcknowledged, AlertRaised, AlertResolved
from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.classifications import ClassificationRecorded
from modeltrail.events.fields import Data
from modeltrail.events.models import ModelRegistered, MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.events.predictions import PredictionOutcome, PredictionRecorded
from modeltrail.events.refusal import ReasonClass, RefusedError, nearest
from modeltrail.events.runs import (
    RunCompleted,
    RunFailedStep,
    RunHealthChecked,
    RunItemProcessed,
    RunItemSkipped,
    RunRuleEvaluated,
    RunStarted,
)

__all__ = [
    "AUDITED_FAMILIES",
    "BLOCKS",
    "DEFAULT_PREFIX",
    "EVENT_TYPES",
    "REJECTED",
    "UNAUDITED",
    "EventType",
    "audited_topics",
    "event_type",
    "event_type_of",
    "record_key",
    "topic_name",
]

DEFAULT_PREFIX = "modeltrail"

BLOCKS = "blocks"
REJECTED = "rejected"
UNAUDITED = (BLOCKS, REJECTED)
"""What the worker writes itself and never audits."""


class EventType(NamedTuple):
    """One type of event."""

    name: str
    """The CloudEvents `type`."""
    family: str
    model: type[Data]
    table: str
    """The typed table of its rows."""
    topic_suffix: str
    """What the name of its topic ends with, whatever the prefix."""
    validate: Callable[[Any], Any]
    """Checks data as it was parsed; raises pydantic's ValidationError."""


def _event_type(family: str, model: type[Data], table: str) -> EventType:
    return EventType(model.event_type, family, model, table, f".{family}", model.__pydantic_validator__.validate_python)


EVENT_TYPES: Mapping[str, EventType] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            _event_type("predictions", PredictionRecorded, "predictions"),
            _event_type("predictions", PredictionOutcome, "outcomes"),
            _event_type("classifications", ClassificationRecorded, "classifications"),
            _event_type("runs", RunStarted, "runs_started"),
            _event_type("runs", RunHealthChecked, "runs_health_checked"),
            _event_type("runs", RunItemProcessed, "runs_items_processed"),
            _event_type("runs", RunItemSkipped, "runs_items_skipped"),
            _event_type("runs", RunRuleEvaluated, "runs_rules_evaluated"),
            _event_type("runs", RunFailedStep, "runs_steps_failed"),
            _event_type("runs", RunCompleted, "runs_completed"),
            _event_type("actions", ActionRecorded, "actions"),
            _event_type("alerts", AlertRaised, "alerts_raised"),
            _event_type("alerts", AlertResolved, "alerts_resolved"),
            _event_type("alerts", AlertAcknowledged, "alerts_acknowledged"),
            _event_type("models", ModelRegistered, "models_registered"),
            _event_type("models", BaselineRegistered, "baselines"),
            _event_type("models", MonitorConfigured, "monitors"),
            _event_type("models", MonitorAdvanced, "monitors_advanced"),
            _event_type("checks", CheckCompleted, "checks"),
        )
    }
)
"""Every type of the contract by its CloudEvents `type`."""

AUDITED_FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(kind.family for kind in EVENT_TYPES.values()))
"""Families whose topics are chained, in a fixed order."""


def topic_name(family: str, prefix: str = DEFAULT_PREFIX) -> str:
    """Return `<prefix>.<family>`. KeyError for a family that the contract does not know."""
    if family not in AUDITED_FAMILIES and family not in UNAUDITED:
        raise KeyError(family)
    return f"{prefix}.{family}"


def audited_topics(prefix: str = DEFAULT_PREFIX) -> tuple[str, ...]:
    """Return the topics that are chained."""
    return tuple(topic_name(family, prefix) for family in AUDITED_FAMILIES)


def event_type(name: str) -> EventType:
    """Return the type with this CloudEvents `type`; a RefusedError names the nearest one that exists."""
    kind = EVENT_TYPES.get(name)
    if kind is None:
        expected = "must be a type that the contract knows" + nearest(name, EVENT_TYPES, cutoff=0.8)
        raise RefusedError(ReasonClass.UNKNOWN_TYPE, "type", name, expected)
    return kind


def event_type_of(model: type[Data] | Data) -> EventType:
    """Return the type of a model or of its instance. KeyError if it is not part of the contract."""
    return EVENT_TYPES[model.event_type]


def record_key(subject: str) -> bytes:
    """Return the Kafka key of an event about `subject`: what concerns one thing stays in one partition, in order."""
    return subject.encode()
