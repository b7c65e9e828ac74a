"""The contract: CloudEvents envelope, event models by family, one reading of the bytes, and the judge.

Pure: no Kafka, no store, no HTTP, no clock, no random numbers, no async.
"""

from modeltrail.events.actions import ActionRecorded
from modeltrail.events.alerts import AlertAcknowledged, AlertRaised, AlertResolved
from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.classifications import ClassificationRecorded
from modeltrail.events.encode import Event, encode_binary, encode_structured, from_json_line
from modeltrail.events.judge import CONTRACT_VERSION, Judgement, judge
from modeltrail.events.models import ModelRegistered, MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.events.notices import Block, Reject
from modeltrail.events.predictions import Confidence, PredictionOutcome, PredictionRecorded
from modeltrail.events.refusal import ReasonClass
from modeltrail.events.runs import (
    HealthCheck,
    RunCompleted,
    RunCounts,
    RunFailedStep,
    RunHealthChecked,
    RunInput,
    RunItemProcessed,
    RunItemSkipped,
    RunRuleEvaluated,
    RunStarted,
)

__all__ = [
    "CONTRACT_VERSION",
    "ActionRecorded",
    "AlertAcknowledged",
    "AlertRaised",
    "AlertResolved",
    "BaselineRegistered",
    "Block",
    "CheckCompleted",
    "ClassificationRecorded",
    "Confidence",
    "Event",
    "HealthCheck",
    "Judgement",
    "ModelRegistered",
    "MonitorAdvanced",
    "MonitorConfigured",
    "PredictionOutcome",
    "PredictionRecorded",
    "ReasonClass",
    "Reject",
    "RunCompleted",
    "RunCounts",
    "RunFailedStep",
    "RunHealthChecked",
    "RunInput",
    "RunItemProcessed",
    "RunItemSkipped",
    "RunRuleEvaluated",
    "RunStarted",
    "encode_binary",
    "encode_structured",
    "from_json_line",
    "judge",
]
