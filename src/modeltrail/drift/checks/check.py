"""A check: from what a window's rows add up to, to what is said about it. The one path for live, restart and replay.

    closing + baseline + content + earlier windows + carry  ->  evaluate  ->  check.completed and alert events

Everything that comes out follows from what goes in: ids are hashes of it, no clock is read, and a check that is
computed again years later is the same to the last digit (the versions of the libraries stand in it).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.checks.content import CountKey, WindowContent
from modeltrail.drift.checks.fields import check_field, field_evidence, field_sentence
from modeltrail.drift.checks.figures import Figure, gap_figure, metric_figure
from modeltrail.drift.checks.fitting import FOLD_MAX_BYTES, fitted
from modeltrail.drift.checks.plan import due_gaps, due_metrics, field_subject, policy_of, watched_subjects
from modeltrail.drift.checks.results import AlertEvent, CheckResult, alert_event, condition_of
from modeltrail.drift.checks.wording import moment_text, resolved_words, shown, subject_words, window_words
from modeltrail.drift.policy.alerts import Track, Transition, correct, follow, from_json, restarted, to_json
from modeltrail.drift.policy.evidence import Asked, Question, ask
from modeltrail.drift.policy.look_back import WindowCounts, disjoint, span_of
from modeltrail.drift.policy.policy import LEVELS, Policy, rank
from modeltrail.drift.policy.states import Hypothesis, Subject, Verdict, judge
from modeltrail.drift.statistics.rates import (
    RATE,
    SILENCE,
    Rate,
    follow_silence,
    rate_of,
    silence_part,
    silence_sentence,
)
from modeltrail.drift.windows.closing import Closing
from modeltrail.events.canonical import canonical_json
from modeltrail.events.checks import (
    CheckAlert,
    CheckCompleted,
    CheckField,
    CheckGap,
    CheckLate,
    CheckMetric,
    CheckReference,
    CheckSegment,
    alert_id,
)

__all__ = ["VERSIONS", "ended", "evaluate", "failed", "no_baseline", "silence_changed"]

VERSIONS = {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}
"""What computes it."""

_KINDS = {"drift": ("drift",), "performance": ("performance", "bias")}
"""Kinds of alerts that a kind of check looks after."""

_NO_CARRY: Mapping[str, Any] = {}


@dataclass(slots=True)
class _Found:
    """What was tested, and what to say of each subject."""

    hypotheses: list[Hypothesis]
    questions: dict[Subject, Question] = field(default_factory=dict)
    keys: dict[Subject, CountKey] = field(default_factory=dict)
    figures: dict[Subject, Figure] = field(default_factory=dict)
    asked: Asked = field(default_factory=lambda: Asked([], {}, {}))
    look_back: Sequence[WindowCounts] = ()
    parts: dict[Subject, CheckField | CheckMetric | CheckGap] = field(default_factory=dict)
    rate: Rate | None = None

    @property
    def empty(self) -> set[Subject]:
        """What had no row in the window: fields, and metrics in segments."""
        fields = {subject for subject, question in self.questions.items() if question.windows[0].n == 0}
        return fields | {subject for subject, figure in self.figures.items() if figure.empty}


def evaluate(
    closing: Closing,
    baseline: Baseline,
    content: WindowContent,
    *,
    earlier: Sequence[WindowCounts] = (),
    carry: Mapping[str, Any] = _NO_CARRY,
    late: CheckLate | None = None,
) -> CheckResult:
    """Return the result of a check of data (`closing.kind` drift) or of performance and gaps.

    `content` was added up by `plan.content_plan` of the monitor and the baseline, up to the closing's cut. `earlier`:
    the counts of first checks of earlier windows of this unit, in any order; what overlaps, or was counted on another
    baseline, is left out here. `carry`: that of the unit's check before this one, empty for the first. A late closing
    (one that supersedes, or the first of a window that others have passed) raises nothing and does not move streaks;
    it may resolve an alert that its own window raised.
    """
    policy = policy_of(closing.monitor)
    tracks = _tracks(closing, carry)
    if closing.kind == "drift":
        found = _fields(closing, baseline, content, earlier, tracks, policy)
    else:
        found = _figures(closing, baseline, content, policy)
    # Little data is no evidence that nothing happened, but shares of missing or unseen values may say that much did.
    insufficient = found.asked.insufficient
    verdicts = [
        verdict
        for verdict in judge(found.hypotheses, policy)
        if verdict.state != "stable" or verdict.subject not in insufficient
    ]
    by_subject = {verdict.subject: verdict for verdict in verdicts}
    span = span_of(closing.window)
    if closing.late:
        after, transitions = correct(tracks, verdicts, span, policy)
    else:
        watched = watched_subjects(closing.monitor, baseline, content.plan, closing.kind)
        # What another kind of check looks at is none of this one's business.
        watched |= {each for each in tracks if each.kind not in _KINDS[closing.kind] and each != RATE}
        if closing.kind != "drift" or (closing.monitor.silence and closing.monitor.silence.rate_factor):
            watched.add(RATE)
        after, transitions = follow(
            tracks,
            verdicts,
            span,
            policy,
            lambda subject: _alert_id(closing, subject, tracks.get(subject)),
            _opened_at(closing),
            watched,
            found.empty,
        )
    for subject, question in found.questions.items():
        found.parts[subject] = check_field(
            found.keys[subject],
            question,
            by_subject.get(subject),
            found.asked.p_values.get(subject, {}),
            None if subject in by_subject else insufficient.get(subject),
        )
    for subject, figure in found.figures.items():
        found.parts[subject] = figure.judged(by_subject.get(subject))
    parts = list(found.parts.values())
    # That predictions keep coming does not say that they are as they were.
    told = [verdict for verdict in verdicts if verdict.subject != RATE or verdict.state != "stable"]
    state = max((verdict.state for verdict in told), key=rank, default=None)
    check = _check(closing, baseline).model_copy(
        update={
            "status": _status(verdicts, found),
            "state": state,
            "rows": content.rows,
            "duplicates": content.duplicates,
            "late": late,
            "fields": [part for part in parts if isinstance(part, CheckField)],
            "metrics": [part for part in parts if isinstance(part, CheckMetric)],
            "gaps": [part for part in parts if isinstance(part, CheckGap)],
            "silence": found.rate.judged(by_subject.get(RATE)) if found.rate else None,
            "new_segments": _new_segments(content),
            "new_features": list(content.new_features.kept) if closing.kind == "drift" else [],
            "policy": policy.as_json(),
            "look_back": [window.listed for window in found.look_back],
            "alerts": [_check_alert(transition) for transition in transitions],
            "carry": _carry(closing, after, carry),
        }
    )
    check = fitted(CheckCompleted.model_validate(check.model_dump()))
    events = tuple(
        _alert(transition, closing, check, found, policy) for transition in transitions if _is_news(transition)
    )
    return CheckResult(check, events)


def silence_changed(
    closing: Closing, baseline: Baseline | None, *, carry: Mapping[str, Any] = _NO_CARRY
) -> CheckResult:
    """Return the check of a closing of kind silence: a model fell silent, or speaks again; `carry` as for `evaluate`.

    ValueError for a closing of another kind.
    """
    silence = closing.silence
    if silence is None:
        raise ValueError(f"closing of kind {closing.kind!r}: expected silence")
    tracks, transitions = follow_silence(
        _tracks(closing, carry), silence, span_of(closing.window), _alert_id(closing, SILENCE)
    )
    update = {
        "status": "completed",
        "state": "critical" if silence.silent else "stable",
        "silence": silence_part(silence, closing.x.log_time),
        "alerts": [_check_alert(transition) for transition in transitions],
        "carry": _carry(closing, tracks, carry),
    }
    check = _check(closing, baseline).model_copy(update=update)
    message = f"{closing.model_id} {closing.model_version}: {silence_sentence(silence, closing.x.log_time)}"
    evidence = _origin(closing, check) | check.model_dump(include={"silence"}, exclude_none=True)
    events = (alert_event(each, closing.model_id, message, evidence) for each in transitions)
    return CheckResult(check, tuple(events))


def ended(closing: Closing, baseline: Baseline | None, *, carry: Mapping[str, Any] = _NO_CARRY) -> CheckResult:
    """Return the check of a closing that is `ended`: nothing is looked at, and alerts that were open are resolved."""
    policy = policy_of(closing.monitor)
    tracks, transitions = follow(_tracks(closing, carry), [], span_of(closing.window), policy, _no_alert, watched=())
    update = {
        "status": "skipped",
        "error": f"monitor {closing.monitor.monitor_id} was changed, and makes no such checks any more",
        "alerts": [_check_alert(transition) for transition in transitions],
        "carry": _carry(closing, tracks, carry),
    }
    check = _check(closing, baseline).model_copy(update=update)
    nothing = _Found([])
    return CheckResult(check, tuple(_alert(each, closing, check, nothing, policy) for each in transitions))


def no_baseline(closing: Closing, *, rows: int = 0, carry: Mapping[str, Any] = _NO_CARRY) -> CheckResult:
    """Return the check of a window for which no baseline was in force: reported as that, never as no drift."""
    update = {"status": "no_baseline", "rows": rows, "carry": _carry(closing, _tracks(closing, carry), carry)}
    return CheckResult(_check(closing, None).model_copy(update=update))


def failed(
    closing: Closing, baseline: Baseline | None, error: Exception, *, carry: Mapping[str, Any] = _NO_CARRY
) -> CheckResult:
    """Return the check of a window that could not be computed, for a reason in the data or in the monitor."""
    update = {"status": "failed", "error": str(error), "carry": _carry(closing, _tracks(closing, carry), carry)}
    return CheckResult(_check(closing, baseline).model_copy(update=update))


def _fields(
    closing: Closing,
    baseline: Baseline,
    content: WindowContent,
    earlier: Sequence[WindowCounts],
    tracks: Mapping[Subject, Track],
    policy: Policy,
) -> _Found:
    look_back = disjoint(
        closing.window, earlier, monitor_sha256=closing.monitor_sha256, baseline_sha256=baseline.sha256
    )
    questions: dict[Subject, Question] = {}
    keys: dict[Subject, CountKey] = {}
    for key, reference in content.plan.references.items():
        subject = field_subject(key)
        since = tracks[subject].since if subject in tracks else None
        windows: list[FieldCounts] = [content.counts[key]]
        for each in look_back:
            # A window that did not look at the field, or lies before the end of its last alert, ends its look-back.
            if key not in each.counts or (since is not None and each.span.start < since):
                break
            windows.append(each.counts[key])
        tolerance = policy.tolerance(reference.tolerance if reference.learned else None)
        questions[subject] = Question(subject, reference, windows, tolerance)
        keys[subject] = key
    asked = ask(list(questions.values()), policy)
    hypotheses, rate = asked.hypotheses, None
    # What silence closes early has not had its time.
    if closing.monitor.silence and closing.monitor.silence.rate_factor and closing.closed_by != "silence":
        factor, when = closing.monitor.silence.rate_factor, window_words(closing.window)
        rate = rate_of(closing.window, content.rows, look_back, factor, policy, when)
        hypotheses = [*hypotheses, rate.hypothesis] if rate else hypotheses
    return _Found(hypotheses, questions, keys, {}, asked, look_back, rate=rate)


def _figures(closing: Closing, baseline: Baseline, content: WindowContent, policy: Policy) -> _Found:
    when = window_words(closing.window)
    figures = [
        *(
            metric_figure(each, baseline, content, policy, when, segment)
            for segment in (None, *content.plan.judged)
            for each in due_metrics(closing.monitor, closing.label_delay_s)
        ),
        *(
            gap_figure(each, baseline, content, policy, when)
            for each in due_gaps(closing.monitor, closing.label_delay_s)
        ),
    ]
    hypotheses = [figure.hypothesis for figure in figures if figure.hypothesis is not None]
    return _Found(hypotheses, figures={figure.subject: figure for figure in figures})


def _new_segments(content: WindowContent) -> list[CheckSegment]:
    return [
        CheckSegment(by=by, value=value)
        for by, names in sorted(content.new_segments.items())
        for value in sorted({shown(name) for name in names.kept})
    ]


def _status(verdicts: Sequence[Verdict], found: _Found) -> str:
    if any(verdict.subject != RATE for verdict in verdicts):
        return "completed"
    short = any(figure.short_of_labels for figure in found.figures.values())
    return "insufficient_labels" if short else "insufficient_data"


def _check(closing: Closing, baseline: Baseline | None) -> CheckCompleted:
    """Return what a check says about where it comes from."""
    return CheckCompleted(
        check_id=closing.check_id,
        kind=closing.kind,  # type: ignore[arg-type]
        monitor=CheckReference(id=closing.monitor.monitor_id, sha256=closing.monitor_sha256),
        baseline=CheckReference(id=baseline.id, sha256=baseline.sha256) if baseline else None,
        model_id=closing.model_id,
        model_version=closing.model_version,
        window=closing.check_window,
        cut=closing.check_cut,
        status="skipped",
        incomplete=list(closing.incomplete),
        closed_by=closing.closed_by,
        supersedes=closing.supersedes,
        too_late=closing.too_late,
        versions=VERSIONS,
    )


def _tracks(closing: Closing, carry: Mapping[str, Any]) -> dict[Subject, Track]:
    tracks = from_json(carry.get("alerts", ()))
    run, before = closing.window.index, carry.get("run")
    if run is not None and before is not None and run <= before and closing.supersedes is None:
        # Switched off and on, a monitor counts its runs from 0 again.
        return restarted(tracks, same_clock=False)
    if carry and carry.get("monitor") != closing.monitor_sha256:
        return restarted(tracks, same_clock=run is None and before is None)
    if closing.baseline and carry.get("baseline", closing.baseline.sha256) != closing.baseline.sha256:
        return restarted(tracks, same_clock=True)
    return tracks


def _carry(closing: Closing, tracks: Mapping[Subject, Track], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the next check starts from: `alerts` of this module, and `fold`, which belongs to the watch.

    `run` is the last run that was checked for the first time.
    """
    carried: dict[str, Any] = {"monitor": closing.monitor_sha256}
    run = closing.window.index if closing.supersedes is None else before.get("run")
    if run is not None:
        carried["run"] = run
    baseline = closing.baseline.sha256 if closing.baseline else before.get("baseline")
    if baseline:
        carried["baseline"] = baseline
    if tracks:
        carried["alerts"] = to_json(tracks)
    # Without it a restart reads more; with one that fits no event there would be no check at all.
    if closing.fold and len(canonical_json(closing.fold)) <= FOLD_MAX_BYTES:
        carried["fold"] = dict(closing.fold)
    return carried


def _alert_id(closing: Closing, subject: Subject, track: Track | None = None) -> str:
    """Return the id of the alert that a subject would raise in the window.

    A window that silence closed closes again where its monitor was switched off and on in it, which ended its alerts:
    what it raises now is another alert. Track and window are of one clock.
    """
    again = track is not None and track.since is not None and span_of(closing.window).start <= track.since
    return alert_id(
        condition_of(subject),
        model_id=closing.model_id,
        model_version=closing.model_version,
        monitor_id=closing.monitor.monitor_id,
        first_window=closing.check_window,
        again_after=track.previous if track is not None and again else None,
    )


def _opened_at(closing: Closing) -> str:
    """Return when an alert of this window opens: at its start; of a run of predictions, when its last entry came."""
    start = closing.window.start_us
    return moment_text(closing.x.log_time * 1000 if start is None else start)


def _no_alert(subject: Subject) -> str:
    raise AssertionError(f"{subject}: an alert without a verdict")


def _is_news(transition: Transition) -> bool:
    return transition.kind != "open"


def _check_alert(transition: Transition) -> CheckAlert:
    return CheckAlert(
        alert_id=transition.alert_id, condition=condition_of(transition.subject), transition=transition.kind
    )


def _alert(
    transition: Transition, closing: Closing, check: CheckCompleted, found: _Found, policy: Policy
) -> AlertEvent:
    subject, verdict = transition.subject, transition.verdict
    message = f"{closing.model_id} {closing.model_version}: {_sentence(transition, closing, found, policy)}"
    evidence: dict[str, Any] = _origin(closing, check) | {
        "condition": condition_of(subject).model_dump(exclude_none=True),
        "policy": policy.as_json(),
        "thresholds": {level: policy.threshold(level) for level in LEVELS[2:]},
        "look_back": [each.check_id for each in found.look_back],
        "level": transition.level,
        "transition": transition.kind,
    }
    part = found.parts.get(subject)
    if isinstance(part, CheckField):
        evidence |= field_evidence(found.questions[subject], verdict, part)
    elif subject in found.figures:
        evidence |= found.figures[subject].evidence()
    if verdict is not None:
        evidence |= {"state": verdict.state, "p": verdict.p}
    if transition.predecessor:
        evidence["predecessor"] = transition.predecessor
    if transition.reason:
        evidence["reason"] = transition.reason
    return alert_event(transition, closing.model_id, message, evidence)


def _origin(closing: Closing, check: CheckCompleted) -> dict[str, Any]:
    """Return where an alert comes from: all that is needed to read the same rows again."""
    return {
        "check_id": check.check_id,
        "model_version": closing.model_version,
        "window": closing.check_window.model_dump(exclude_none=True),
        "cut": closing.check_cut.model_dump(exclude_none=True),
        "monitor": {"id": closing.monitor.monitor_id, "sha256": closing.monitor_sha256},
        "baseline": check.baseline.model_dump() if check.baseline else None,
    }


def _sentence(transition: Transition, closing: Closing, found: _Found, policy: Policy) -> str:
    subject, verdict = transition.subject, transition.verdict
    if transition.kind == "resolved":
        effect = verdict.effects[min(verdict.effects)] if verdict else None
        measure = effect if subject in found.questions else None
        words = resolved_words(transition.reason or "", measure, policy)
        return f"{subject_words(subject)} {words}, {window_words(closing.window)}"
    if subject in found.figures:
        return found.figures[subject].sentence
    if subject == RATE and found.rate:
        return found.rate.sentence
    if verdict is None:
        raise ValueError(f"{subject}: {transition.kind} without a verdict")
    merged = [each.window for each in found.look_back[: verdict.trial.scale - 1]]
    return field_sentence(found.questions[subject], verdict, transition.level, closing.window, policy, merged)
