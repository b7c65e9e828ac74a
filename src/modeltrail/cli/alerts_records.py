"""From what was said of alerts to what they are: a fold in watch order.

raised (warning) -> raised again (critical) -> acknowledged -> resolved
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Alert", "Said", "by_window", "fold_alerts", "monitor_of", "sentence"]

_RANK = {"info": 0, "warning": 1, "critical": 2}


class Said(NamedTuple):
    """One event about an alert: raised, resolved or acknowledged. Times in microseconds, `log_time` milliseconds."""

    what: str
    alert_id: str
    kind: str
    severity: str
    subject: str
    message: str
    opened_us: int | None
    evidence: dict[str, Any]
    by: str | None
    note: str | None
    time_us: int
    log_time: int

    @property
    def rank(self) -> int:
        """How severe it is, from 0."""
        return _RANK.get(self.severity, 0)

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> "Said":
        """Return a row of `storage/sql/drift/alerts.sql`; its evidence is JSON text."""
        values = list(row)
        values[7] = json.loads(values[7] or "{}")
        return cls._make(values)


@dataclass
class Alert:
    """An alert and everything that was said of it."""

    alert_id: str
    said: list[Said] = field(default_factory=list)

    @property
    def raises(self) -> list[Said]:
        """How it was raised: once, and again whenever it got worse."""
        return [each for each in self.said if each.what == "raised"]

    @property
    def worst(self) -> Said:
        """The most severe of them, the first of several."""
        return max(self.raises, key=lambda each: each.rank)

    @property
    def monitor_id(self) -> str | None:
        """The monitor that raised it; None of an alert of the ledger itself."""
        return monitor_of(self.worst.evidence)

    @property
    def resolved(self) -> Said | None:
        """How it was resolved; None while it is open."""
        return next((each for each in self.said if each.what == "resolved"), None)

    @property
    def acknowledged(self) -> Said | None:
        """Who takes care of it: the last who said so."""
        return next((each for each in reversed(self.said) if each.what == "acknowledged"), None)

    @property
    def state(self) -> str:
        """One of `open`, `acknowledged` and `resolved`."""
        if self.resolved is not None:
            return "resolved"
        return "open" if self.acknowledged is None else "acknowledged"

    def as_json(self, *, evidence: bool = False) -> dict[str, Any]:
        """Return it for --json; `evidence` with what each event was found from."""
        worst = self.worst
        return {
            "alert_id": self.alert_id,
            "state": self.state,
            "kind": worst.kind,
            "severity": worst.severity,
            "subject": worst.subject,
            "monitor_id": self.monitor_id,
            "message": worst.message,
            "opened_us": worst.opened_us,
            "acknowledged_by": None if self.acknowledged is None else self.acknowledged.by,
            "note": None if self.acknowledged is None else self.acknowledged.note,
            "history": [_event(each, evidence=evidence) for each in self.said],
        }


def by_window(alerts: Iterable[Alert]) -> list[list[Alert]]:
    """Return alerts in groups: those that one monitor first raised for one window of one model and version.

    One change moves several fields, in all predictions and in segments, and each has an alert of its own. Groups and
    the alerts in them are in the order given; an alert that no window raised is alone.
    """
    groups: dict[object, list[Alert]] = {}
    for alert in alerts:
        first = alert.raises[0]
        window = first.evidence.get("window")
        key: object = alert.alert_id
        if isinstance(window, dict) and window:
            version = first.evidence.get("model_version")
            # Not what else is said of it: that of performance has its label delay, and is the same window.
            span = tuple(window.get(name) for name in ("start", "end", "index"))
            key = (first.subject, version, monitor_of(first.evidence), span)
        groups.setdefault(key, []).append(alert)
    return list(groups.values())


def monitor_of(evidence: Mapping[str, Any]) -> str | None:
    """Return the id of the monitor that raised an alert with this evidence; None where none did."""
    monitor = evidence.get("monitor")
    return monitor.get("id") if isinstance(monitor, dict) else None


def sentence(message: str, evidence: Mapping[str, Any], subject: str) -> str:
    """Return what an alert says, with its monitor unless that is called like the model, as the only one mostly is."""
    monitor_id = monitor_of(evidence)
    return message if monitor_id in (None, subject) else f"{message} (monitor {monitor_id})"


def fold_alerts(said: Iterable[Said]) -> list[Alert]:
    """Return the alerts in the order in which they were first raised.

    `said` is in watch order. An event of an alert that nobody raised (its topic was cut off before) is left out.
    """
    alerts: dict[str, Alert] = {}
    for each in said:
        alerts.setdefault(each.alert_id, Alert(each.alert_id)).said.append(each)
    return [alert for alert in alerts.values() if alert.raises]


def _event(said: Said, *, evidence: bool) -> dict[str, Any]:
    names = ("what", "severity", "message", "by", "note", "log_time")
    shown = {name: getattr(said, name) for name in names if getattr(said, name) not in (None, "")}
    return shown | ({"evidence": said.evidence} if evidence and said.evidence else {})
