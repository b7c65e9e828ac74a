"""Metrics and gaps of a check: as hypotheses beside those of fields, as parts of `check.completed`, and as sentences.

The null is *within what is allowed*, so what is significant is at least a warning. The effect is brought to the scale
of PSI, so that one policy serves all: the allowed drop (or gap) is the warning threshold, and what is as far beyond it
as the critical threshold is beyond that of a warning, 2.5 times by default, is critical.

Rows that come in sessions weigh less here, too: p-values take the overdispersion of what the model said. Intervals do
not, they are for display.

A metric is looked at in all predictions and in each segment of the monitor: against the same rows of the baseline, or
against all of it where it does not know how good the model was in them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.content import Segment, WindowContent
from modeltrail.drift.checks.fields import segment_of
from modeltrail.drift.checks.plan import metric_subject
from modeltrail.drift.checks.wording import number_words, percent, shown, subject_words
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.policy.states import Hypothesis, Subject, Trial, Verdict
from modeltrail.drift.statistics.bias import GapResult, p_beyond_gap
from modeltrail.drift.statistics.drops import MetricReference, p_beyond_drop, p_beyond_threshold, worsening
from modeltrail.drift.statistics.metrics import (
    LOWER_IS_BETTER,
    MIN_CLASS,
    MIN_ROWS,
    Area,
    Macro,
    Mean,
    MetricResult,
    Share,
)
from modeltrail.drift.statistics.multiclass import MIN_OF_CLASS
from modeltrail.events.baselines import ReferenceMetric
from modeltrail.events.checks import CheckGap, CheckGroup, CheckMetric
from modeltrail.events.monitors import BiasMonitor, PerformanceMonitor

__all__ = ["Figure", "gap_figure", "metric_figure"]

_MIN_COVERAGE = 0.9
"""Share of rows whose truth must be known before rates that need it are compared."""
_MARGIN = 0.95
"""Share of a limit below which a figure is away from it."""
_UNKNOWN = "the baseline does not say how good the model was; give a threshold instead of max_drop"
_OTHER_CLASSES = "it is a mean over {} classes, and the baseline has none over as many"
_NEED_TRUTH = frozenset({"true_positive_rate", "false_positive_rate", "calibration"})


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric or a gap: its subject, its hypothesis (None where `reason` says that it cannot be tested), its sentence.

    `part` is what the check says about it, still without a state.
    """

    subject: Subject
    part: CheckMetric | CheckGap
    hypothesis: Hypothesis | None
    sentence: str
    short_of_labels: bool = False
    empty: bool = False
    """A segment without any row in the window."""

    def judged(self, verdict: Verdict | None) -> CheckMetric | CheckGap:
        """Return the part with the state that was found."""
        if verdict is None:
            return self.part
        return self.part.model_copy(update={"state": verdict.state, "scale": 1 if verdict.state != "stable" else None})

    def evidence(self) -> dict[str, Any]:
        """Return what an alert carries about it."""
        return self.part.model_dump(exclude={"state", "segment", "scale"}, exclude_none=True, exclude_defaults=True)


def _hypothesis(subject: Subject, n: int, p: float, effect: float) -> Hypothesis:
    return Hypothesis(subject, "value", 1, (Trial(1, n, p, max(0.0, effect)),))


def metric_figure(
    asked: PerformanceMonitor,
    baseline: Baseline,
    content: WindowContent,
    policy: Policy,
    when: str,
    segment: Segment | None = None,
) -> Figure:
    """Return a metric of a window against the baseline's, or against a fixed threshold.

    `segment`: one of the content's plan, which is compared with the same rows of the baseline where it knows how good
    the model was in them, else with all of it. `when`: the window in words.
    """
    subject = metric_subject(asked.metric, segment)
    judged, result = content.of(segment), content.performance(asked.metric, segment)
    phi = baseline.output_phi if segment is None else baseline.segment_phi(segment)
    known, reference_of = _known(baseline, result, segment, phi)
    reason, short = result.reason, False
    empty = segment is not None and not judged.rows
    if judged.coverage < asked.min_coverage and not empty:
        short = segment is None
        reason = f"the truth of {percent(judged.coverage)} of the predictions is known, {asked.min_coverage:.0%} needed"
    elif reason is None and asked.threshold is None and known is None:
        reason = _UNKNOWN if segment is None or result.classes is None else _OTHER_CLASSES.format(result.classes)
    elif reason is None and segment is not None:
        reason = _too_few(result, phi)
    p = hypothesis = None
    if reason is None and result.value is not None:
        if asked.threshold is not None:
            p = p_beyond_threshold(result, asked.threshold, overdispersion=phi)
        elif known is not None:
            p = p_beyond_drop(result, known, asked.max_drop or 0.0, overdispersion=phi)
        if p is not None:
            effect = policy.psi_warning * _drop(asked, result, known.value if known else None)
            hypothesis = _hypothesis(subject, result.n, p, effect)
    part = CheckMetric(
        metric=asked.metric,
        segment=segment_of(subject.by, subject.value),
        state="stable" if hypothesis else "insufficient_data",
        reason=reason or result.note,
        value=result.value,
        n=judged.labelled,
        low=result.low,
        high=result.high,
        variance=result.variance,
        reference=known.value if known else None,
        reference_of=reference_of,
        max_drop=asked.max_drop,
        threshold=asked.threshold,
        p_value=p,
        coverage=judged.coverage,
    )
    return Figure(subject, part, hypothesis, _metric_sentence(subject, part, when), short, empty)


def _too_few(result: MetricResult, phi: float) -> str | None:
    """Return why rows of a segment, which come phi at a time, do not carry a test that asks for so many; else None.

    What is normal in large samples is not in nine sessions of five. Shares are tested exactly, however few.
    """
    match result.basis:
        case Mean(rows):
            least = MIN_ROWS
        case Area(positives, negatives):
            rows, least = min(positives, negatives), MIN_CLASS
        case Macro(sizes):
            rows, least = min(sizes), MIN_OF_CLASS
        case _:
            return None
    worth = rows / phi
    return (
        None if worth >= least else f"{rows} rows are worth {worth:.3g} independent ones, at least {least} are needed"
    )


def _known(
    baseline: Baseline, result: MetricResult, segment: Segment | None, phi: float
) -> tuple[MetricReference | None, Literal["segment", "whole"] | None]:
    """Return what the baseline says of a metric, and of which of its rows; of no segment where all are looked at."""
    whole = _reference(baseline.event.performance, result)
    if segment is None:
        return whole, None
    own = _reference(baseline.performance_of(segment), result, alike=True)
    if own is None:
        whole = _reference(baseline.event.performance, result, alike=True)
        return whole, None if whole is None else "whole"
    variance = own.variance
    if whole is not None and own.n and not isinstance(result.basis, Share):
        # A small group that happens to have none of the rare large losses looks surer of its mean than it is: none
        # counts as less spread than all together. (Shares are tested by their rows, and need no such care.)
        variance = max(variance, whole.variance * whole.n / own.n)
    # So few rows are what a sample of sessions is short of: they weigh less in the reference, too.
    return replace(own, variance=phi * variance, n=int(own.n / phi)), "segment"


def _reference(
    performance: Iterable[ReferenceMetric], result: MetricResult, *, alike: bool = False
) -> MetricReference | None:
    """Return what is said of the metric of a result.

    `alike`: not if it is a mean over more or fewer classes: in few rows a rare class comes and goes, and the mean with
    it.
    """
    for each in performance:
        if each.metric == result.metric and not (alike and each.classes not in (None, result.classes)):
            return MetricReference.known(
                each.metric, each.value, each.n, variance=each.variance, low=each.low, high=each.high
            )
    return None


def _drop(asked: PerformanceMonitor, result: MetricResult, reference: float | None) -> float:
    """Return how much of what is allowed was used: 1 at the limit."""
    value = result.value or 0.0
    if asked.threshold is None:
        return _share_used(worsening(asked.metric, value, reference or 0.0), asked.max_drop or 0.0)
    if reference is not None and (allowed := worsening(asked.metric, asked.threshold, reference)) > 0:
        return _share_used(worsening(asked.metric, value, reference), allowed)
    # Nobody knows what is usual, only what is perfect, and few models are ever far from the limit on that scale. What
    # is surely on the right side, by a margin, has used nothing of it; else no alert would ever end.
    grows = asked.metric in LOWER_IS_BETTER
    used = _share_used(value, asked.threshold) if grows else _share_used(1 - value, 1 - asked.threshold)
    worst = result.high if grows else result.low
    surely = worst is not None and worsening(asked.metric, worst, asked.threshold) <= 0
    return 0.0 if surely and used <= _MARGIN else used


def _share_used(used: float, allowed: float) -> float:
    if allowed > 0:
        return used / allowed
    return 1.0 if used > 0 else 0.0


def _metric_sentence(subject: Subject, part: CheckMetric, when: str) -> str:
    if part.value is None:
        return f"{subject_words(subject)} is not known, {when}"
    if part.threshold is not None:
        limit = f"limit {number_words(part.threshold)}"
    else:
        known = "whole baseline" if part.reference_of == "whole" else "baseline"
        limit = f"{number_words(part.reference)} in the {known}, may be {number_words(part.max_drop)} worse"
    interval = "" if part.low is None else f", {number_words(part.low)} to {number_words(part.high)}"
    return (
        f"{subject_words(subject)} is {number_words(part.value)}{interval} ({limit}) "
        f"over {part.n:,} predictions whose truth is known, {when}"
    )


def gap_figure(asked: BiasMonitor, baseline: Baseline, content: WindowContent, policy: Policy, when: str) -> Figure:
    """Return the largest gap between the values of a stratum, against what is allowed."""
    subject = Subject("bias", "", asked.metric, asked.by)
    result = content.gap(asked.by, asked.metric)
    short = asked.metric in _NEED_TRUTH and content.whole.coverage < _MIN_COVERAGE
    reason = result.reason
    if short:
        share = percent(content.whole.coverage)
        reason = f"the truth of {share} of the predictions is known, {_MIN_COVERAGE:.0%} needed"
    p = None if reason else p_beyond_gap(result, asked.max_gap, overdispersion=baseline.output_phi)
    hypothesis = None
    if p is not None and result.value is not None:
        effect = policy.psi_warning * _share_used(result.value, asked.max_gap)
        hypothesis = _hypothesis(subject, result.n, p, effect)
    known = next((g for g in baseline.event.bias if (g.by, g.metric) == (asked.by, asked.metric)), None)
    part = CheckGap(
        by=asked.by,
        metric=asked.metric,
        state="stable" if hypothesis else "insufficient_data",
        reason=reason,
        value=result.value,
        n=result.n,
        low=result.low,
        high=result.high,
        groups=_groups(result),
        lowest=None if result.lowest is None else shown(result.lowest),
        highest=None if result.highest is None else shown(result.highest),
        reference=known.value if known else None,
        max_gap=asked.max_gap,
        p_value=p,
    )
    return Figure(subject, part, hypothesis, _gap_sentence(subject, part, when), short)


def _groups(result: GapResult) -> list[CheckGroup]:
    compared = [CheckGroup(value=shown(each.value), n=each.n, measured=each.figure) for each in result.groups]
    return compared + [CheckGroup(value=shown(value), n=n) for value, n in result.too_small]


def _gap_sentence(subject: Subject, part: CheckGap, when: str) -> str:
    if part.value is None:
        return f"the gap of {subject_words(subject)} is not known, {when}"
    return (
        f"the gap of {subject_words(subject)} is {number_words(part.value)}, {number_words(part.low)} to "
        f"{number_words(part.high)} (allowed {number_words(part.max_gap)}) from {part.lowest} to {part.highest} "
        f"over {part.n:,} predictions, {when}"
    )
