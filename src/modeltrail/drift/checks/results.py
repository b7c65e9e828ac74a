"""The result of a check, and the alert events that follow from it.

    event            CloudEvents id
    check.completed  check_id
    alert.raised     alert_id; on a rise to a higher level a hash of alert_id and that level
    alert.resolved   a hash of alert_id and the word

What a crash publishes twice has the same id and is an ordinary repeat. The source of all of them is the watch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from modeltrail.drift.checks.fields import segment_of
from modeltrail.drift.checks.summary import check_text
from modeltrail.drift.policy.alerts import Transition
from modeltrail.drift.policy.states import Subject
from modeltrail.events.alerts import AlertRaised, AlertResolved, Severity
from modeltrail.events.canonical import content_hash
from modeltrail.events.checks import CheckCompleted, CheckCondition, CheckField, CheckGap, CheckMetric

__all__ = ["AlertEvent", "CheckResult", "alert_event", "condition_of"]

_SEVERITY: Mapping[str, Severity] = {"shifted": "info", "warning": "warning", "critical": "critical"}


class AlertEvent(NamedTuple):
    """An alert event to publish: the CloudEvents id, and the data."""

    event_id: str
    data: AlertRaised | AlertResolved


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found: the event, and the alert events that it makes, in the order of their subjects."""

    check: CheckCompleted
    alerts: tuple[AlertEvent, ...] = ()

    def __repr__(self) -> str:
        """Return what was found in few lines; all of it is in `check`."""
        return check_text(self.check)

    @property
    def state(self) -> str | None:
        """The worst state that was found: stable, shifted, warning or critical; None where nothing could be tested."""
        return self.check.state

    @property
    def status(self) -> str:
        """How it went: completed, insufficient_data and the like."""
        return self.check.status

    @property
    def fields(self) -> list[CheckField]:
        """The fields, each with state, statistics and p-values."""
        return self.check.fields

    @property
    def metrics(self) -> list[CheckMetric]:
        """The metrics of performance."""
        return self.check.metrics

    @property
    def gaps(self) -> list[CheckGap]:
        """The gaps between groups."""
        return self.check.gaps

    @property
    def carry(self) -> dict[str, Any]:
        """What the next check of the same unit starts from."""
        return self.check.carry

    @property
    def messages(self) -> list[str]:
        """The sentences of the alerts."""
        return [alert.data.message for alert in self.alerts]

    def to_event(self, duration_ms: float = 0.0) -> CheckCompleted:
        """Return the data of the `check.completed` event, with how long it took: the only thing that no input says."""
        return self.check.model_copy(update={"duration_ms": duration_ms})


def condition_of(subject: Subject) -> CheckCondition:
    """Return what an alert is about, as the contract writes it."""
    segment = None if subject.kind == "bias" else segment_of(subject.by, subject.value)
    return CheckCondition(
        kind=subject.kind,  # type: ignore[arg-type]
        name=subject.name,
        role=subject.role or None,  # type: ignore[arg-type]
        by=subject.by if subject.kind == "bias" else None,
        segment=segment,
    )


def alert_event(transition: Transition, model_id: str, message: str, evidence: dict[str, Any]) -> AlertEvent:
    """Return the event of an alert that was raised, escalated or resolved."""
    made = AlertResolved if transition.kind == "resolved" else AlertRaised
    event_id = transition.alert_id
    if transition.kind != "raised":
        named = {"alert": transition.alert_id, "transition": transition.kind}
        event_id = content_hash(named | ({"level": transition.level} if transition.kind == "escalated" else {}))
    data = made(
        alert_id=transition.alert_id,
        kind=transition.subject.kind,  # type: ignore[arg-type]
        severity=_SEVERITY[transition.level],
        subject=model_id,
        message=message,
        opened_at=transition.opened_at,
        evidence=evidence,
    )
    return AlertEvent(event_id, data)
