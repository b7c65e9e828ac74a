"""What a check of a monitor has to add up: which fields in which segments, which metrics, which gaps.

Data is compared when a window closes; metrics and gaps when the labels of their delay are due.
"""

from collections.abc import Iterable

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.checks.content import ContentPlan, CountKey, Segment
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.policy.states import Subject
from modeltrail.drift.rows.columns import FieldKey
from modeltrail.errors import InvalidEventError
from modeltrail.events.monitors import BiasMonitor, MonitorConfigured, PerformanceMonitor
from modeltrail.events.refusal import nearest

__all__ = [
    "content_plan",
    "due_gaps",
    "due_metrics",
    "field_subject",
    "metric_subject",
    "policy_of",
    "segments_of",
    "watched_subjects",
]

_NAMED = 8
"""So many fields are named where none has a name like that which was asked for."""


def policy_of(monitor: MonitorConfigured) -> Policy:
    """Return the numbers that decide, all resolved: those of the preset, and what the monitor says instead."""
    chosen, thresholds = monitor.policy, monitor.thresholds
    return Policy.resolve(
        chosen.preset,
        fdr=chosen.fdr,
        delta0=chosen.delta0,
        d0=chosen.d0,
        raise_at=chosen.raise_at,
        consecutive=chosen.consecutive,
        learned_tolerance=chosen.learned_tolerance,
        psi_warning=thresholds.psi_warning,
        psi_critical=thresholds.psi_critical,
    )


def content_plan(monitor: MonitorConfigured, baseline: Baseline, kind: str, label_delay_s: int = 0) -> ContentPlan:
    """Return what is to be added up for a check of `kind` (drift or performance).

    InvalidEventError names a field or segment of the monitor that the baseline lacks.
    """
    event = baseline.event
    if kind == "performance":
        _check_segments(monitor, baseline)
        metrics = tuple(each.metric for each in due_metrics(monitor, label_delay_s))
        return ContentPlan(
            {},
            kind=event.kind,
            positive_label=event.positive_label,
            metrics=metrics,
            judged=segments_of(monitor, baseline) if metrics else (),
            bias=tuple(sorted({each.by for each in due_gaps(monitor, label_delay_s)})),
        )
    chosen = _references(monitor, baseline)
    references = {CountKey(key.role, key.name): reference for key, reference in chosen.items()}
    for segment in segments_of(monitor, baseline):
        fields = baseline.segments[segment]
        references |= {
            CountKey(key.role, key.name, segment): reference for key, reference in fields.items() if key in chosen
        }
    features = frozenset(key.name for key in baseline.references if key.role == "feature")
    return ContentPlan(references, known_features=features, kind=event.kind, positive_label=event.positive_label)


def _references(monitor: MonitorConfigured, baseline: Baseline) -> dict[FieldKey, Reference]:
    names = {key.name for key in baseline.references}
    for at, name in enumerate(monitor.fields):
        if name not in names:
            expected = f"must be a field of the baseline {baseline.short_id}"
            raise InvalidEventError(f"fields.{at}", name, expected + _nearest_of(name, names))
    _check_segments(monitor, baseline)
    return {key: each for key, each in baseline.references.items() if not monitor.fields or key.name in monitor.fields}


def _check_segments(monitor: MonitorConfigured, baseline: Baseline) -> None:
    split = {by for by, _ in baseline.segments}
    for at, by in enumerate(monitor.segments):
        if by not in split:
            expected = f"must be a segment of the baseline {baseline.short_id}"
            # Where the name is right, the baseline is at fault: it was made without groups.
            hint = (
                nearest(by, sorted(split)) or f"; make a baseline with `--segment {by}` (segments=[{by!r}] in Python)"
            )
            raise InvalidEventError(f"segments.{at}", by, expected + hint)


def _nearest_of(name: str, names: Iterable[str]) -> str:
    known = sorted(names)  # the sentence stands in checks, which have to come out the same again
    more = f" and {len(known) - _NAMED:,} more" if len(known) > _NAMED else ""
    return nearest(name, known) or f"; there are {', '.join(known[:_NAMED])}{more}"


def segments_of(monitor: MonitorConfigured, baseline: Baseline) -> tuple[Segment, ...]:
    """Return the segments of the baseline that the monitor looks at one by one, in the baseline's order."""
    return tuple(Segment(by, value) for by, value in baseline.segments if by in monitor.segments)


def due_metrics(monitor: MonitorConfigured, label_delay_s: int) -> list[PerformanceMonitor]:
    """Return the metrics whose truth is waited for so long."""
    return [each for each in monitor.performance if each.label_delay_s == label_delay_s]


def due_gaps(monitor: MonitorConfigured, label_delay_s: int) -> list[BiasMonitor]:
    """Return the gaps whose truth is waited for so long."""
    return [each for each in monitor.bias if each.label_delay_s == label_delay_s]


def field_subject(key: CountKey) -> Subject:
    """Return what an alert about a field is about."""
    by, value = key.segment or ("", "")
    return Subject("drift", key.role, key.name, by, value)


def metric_subject(metric: str, segment: Segment | None = None) -> Subject:
    """Return what an alert about a metric is about, in a segment or in all predictions."""
    by, value = segment or ("", "")
    return Subject("performance", "", metric, by, value)


def watched_subjects(monitor: MonitorConfigured, baseline: Baseline, plan: ContentPlan, kind: str) -> set[Subject]:
    """Return everything that checks of `kind` look at, whatever the delay of its labels."""
    if kind == "drift":
        return {field_subject(key) for key in plan.references}
    where = (None, *segments_of(monitor, baseline))
    metrics = {metric_subject(each.metric, segment) for each in monitor.performance for segment in where}
    return metrics | {Subject("bias", "", each.metric, each.by) for each in monitor.bias}
