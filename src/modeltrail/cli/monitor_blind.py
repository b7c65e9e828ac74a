"""What a monitor asks for and its baseline can never answer: said when it is configured, not window after window."""

from collections.abc import Iterator

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.statistics.performance import empty_outcomes
from modeltrail.events.monitors import BiasMonitor, MonitorConfigured, PerformanceMonitor
from modeltrail.events.refusal import nearest

__all__ = ["blind_spots"]

_NEVER = "its checks will be insufficient_data"
_POSITIVE = "does not say which label is the positive one; register it again with --positive LABEL"


def blind_spots(monitor: MonitorConfigured, baseline: Baseline) -> Iterator[str]:
    """Yield a sentence for each metric and each gap that this baseline leaves without a figure."""
    for metric in monitor.performance:
        if why := _metric(metric, baseline):
            yield f"--performance {metric.metric}: {_NEVER}: {why}"
    for gap in monitor.bias:
        if why := _gap(gap, baseline):
            yield f"--bias {gap.by}:{gap.metric}: {_NEVER}{why}"


def _metric(asked: PerformanceMonitor, baseline: Baseline) -> str | None:
    event = baseline.event
    named = f"the baseline {baseline.id[:40]}"
    if event.kind is None:
        return f"{named} does not say what kind of model this is: it has neither label nor score nor value"
    if event.kind == "binary" and event.positive_label is None:
        return f"{named} {_POSITIVE}"
    undefined = empty_outcomes(event.kind, (asked.metric,)).measure(asked.metric).reason or ""
    if "not defined" in undefined or "needs a score of every class" in undefined:
        return undefined
    if asked.threshold is None and asked.metric not in {each.metric for each in event.performance}:
        what = f"has no {asked.metric}" if event.performance else "does not say how good the model was"
        return (
            f"{named} {what}; register it again with --outcome COLUMN,"
            f" or give a limit that needs no baseline, --performance {asked.metric}=LIMIT"
        )
    return None


def _gap(asked: BiasMonitor, baseline: Baseline) -> str | None:
    event = baseline.event
    known = {each.name for each in event.fields if each.role == "feature"}
    known |= {each.by for each in event.segments} | {each.by for each in event.bias}
    named = f"the baseline {baseline.id[:40]}"
    if asked.by not in known:
        hint = nearest(asked.by, known) or (f"; it knows {', '.join(sorted(known)[:8])}" if known else "")
        return f" unless predictions have a stratum {asked.by!r}, of which {named} knows nothing{hint}"
    if asked.metric != "mean_score" and event.positive_label is None:
        return f": {named} {_POSITIVE}"
    return None
