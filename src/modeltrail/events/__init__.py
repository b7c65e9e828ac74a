"""The contract: CloudEvents envelope, event models by family, one reading of the bytes, and the judge.

Pure: no Kafka, no store, no HTTP, no clock, no random numbers, no async.
"""

from modeltrail.events.actions import ActionRecorded
from modeltrail.events.alerts import AlertRaised, AlertResolved
from modeltrail.events.classifications import ClassificationRecorded
from modeltrail.events.encode import Event, encode_binary, encode_structured, from_json_line
from modeltrail.events.judge import CONTRACT_VERSION, Judgement, judge
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
    "AlertRaised",
    "AlertResolved",
    "Block",
    "ClassificationRecorded",
    "Confidence",
    "Event",
    "HealthCheck",
    "Judgement",
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
