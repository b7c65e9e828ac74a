"""The life of an alert: a pure fold over the first results of windows, in window order.

                 holds in `consecutive` disjoint windows,
                 or at once with p < .001 / hypotheses            a higher level holds likewise
    (nothing) ------------------------------------------> open -------------------------------> open, escalated
        ^                                                   |
        |     `quiet_windows` single windows in a row below |
        +---- 70 % of the threshold: resolved --------------+     (comes back: a new alert that names its predecessor)

What is folded is one line of checks: of one monitor, model version, kind and delay of the truth. Two monitors that look
at one field have an alert each, with ids of their own, and neither ends that of the other.

One alert a subject at any time, never one a window. A window without enough data changes nothing: it is neither
evidence for nor against. Overlapping (sliding) windows count once where they overlap: what held at 10:00 to 11:00 and
at 10:05 to 11:05 has held once. So do merged windows: what only four together show has held twice when four others do.

After an alert is resolved, what was before the quiet windows is no evidence any more: merged look-backs of that
subject begin with them (`Track.since`), or the old drift, still in the merge, would raise it again at once.

A segment that has no rows at all any more in `gone_windows` windows takes its alert along: nothing will ever tell that
it is over.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from modeltrail.drift.policy.policy import LEVELS, Level, Policy, rank
from modeltrail.drift.policy.states import Subject, Verdict

__all__ = [
    "Open",
    "Span",
    "Streak",
    "Track",
    "Tracks",
    "Transition",
    "correct",
    "follow",
    "from_json",
    "restarted",
    "to_json",
]


class Span(NamedTuple):
    """A window as two integers, half open: event times in microseconds, or [index, index + 1) of a count window."""

    start: int
    end: int


class Streak(NamedTuple):
    """Disjoint windows in a row: how many, where the first began, where the last counted one ended."""

    windows: int
    start: int
    end: int


def _extended(streak: Streak | None, span: Span) -> Streak:
    if streak is None:
        return Streak(1, span.start, span.end)
    if span.start < streak.end:  # overlaps what was counted last
        return streak
    return Streak(streak.windows + 1, streak.start, span.end)


@dataclass(frozen=True, slots=True)
class Open:
    """An alert that is open: its level now, the window that raised it, the scale on which it was found.

    `opened_at` is the text of a time, which alerts carry from the first event to the last.
    """

    alert_id: str
    level: Level
    span: Span
    scale: int
    opened_at: str
    quiet: Streak | None = None
    gone: Streak | None = None
    """Windows in which the subject had no rows."""


@dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of one subject. `holds`: the streak of each level that holds now, or of higher ones."""

    holds: Mapping[str, Streak] = field(default_factory=dict)
    open: Open | None = None
    previous: str | None = None
    since: int | None = None


Tracks = Mapping[Subject, Track]
TransitionKind = Literal["raised", "escalated", "resolved", "open"]
Reason = Literal["quiet", "unwatched", "corrected", "gone"]

_NOTHING = Track()


@dataclass(frozen=True, slots=True)
class Transition:
    """What happened to the alert of a subject in a window.

    `level` is that of the alert; `predecessor` the alert that was resolved before a raised one; `verdict` is absent
    where a subject is not watched any more; `reason` says why it was resolved: quiet, unwatched, corrected or gone.
    """

    kind: TransitionKind
    subject: Subject
    alert_id: str
    level: Level
    verdict: Verdict | None = None
    predecessor: str | None = None
    reason: Reason | None = None
    opened_at: str = ""


def follow(
    tracks: Tracks,
    verdicts: Sequence[Verdict],
    span: Span,
    policy: Policy,
    alert_id: Callable[[Subject], str],
    opened_at: str = "",
    watched: Collection[Subject] | None = None,
    empty: Collection[Subject] = (),
) -> tuple[dict[Subject, Track], list[Transition]]:
    """Return what is remembered after the window, and what happened in it (an alert that stays open included).

    `alert_id` names the alert that a subject would raise in this window, `opened_at` its time. `watched`: all subjects
    of the monitor, those with too little data included; the open alert of any other is resolved. None: all still are.
    `empty`: subjects without any row in the window.
    """
    after = dict(tracks)
    happened: list[Transition] = []
    for verdict in verdicts:
        track, transition = _step(after.get(verdict.subject, _NOTHING), verdict, span, policy, alert_id, opened_at)
        if transition is not None:
            happened.append(transition)
        if track == _NOTHING:
            after.pop(verdict.subject, None)
        else:
            after[verdict.subject] = track
    judged = {verdict.subject for verdict in verdicts}
    for subject in sorted(set(tracks) - judged):
        track = tracks[subject]
        if watched is not None and subject not in watched:
            after[subject] = Track(previous=track.open.alert_id if track.open else track.previous, since=span.start)
            if track.open:
                happened.append(_resolved(subject, track.open, None, "unwatched"))
        elif track.open:
            gone = _extended(track.open.gone, span) if subject in empty else None
            opened = replace(track.open, gone=gone)
            if gone is not None and gone.windows >= policy.gone_windows:
                after[subject] = Track(previous=opened.alert_id, since=gone.start)
                happened.append(_resolved(subject, opened, None, "gone"))
            else:
                after[subject] = replace(track, open=opened)
                happened.append(_transition("open", subject, opened, None))
    return after, happened


def correct(
    tracks: Tracks, verdicts: Sequence[Verdict], span: Span, policy: Policy
) -> tuple[dict[Subject, Track], list[Transition]]:
    """Return what a superseding result of an earlier window changes: it may resolve, it never raises.

    An open alert that this very window raised is resolved where, with the late data, the window would not have the
    level to raise it. Nothing else changes: streaks are made of first results.
    """
    after = dict(tracks)
    happened: list[Transition] = []
    for verdict in verdicts:
        track = after.get(verdict.subject, _NOTHING)
        opened = track.open
        if opened and opened.span == span and rank(verdict.state) < rank(policy.raise_at):
            after[verdict.subject] = Track(previous=opened.alert_id, since=span.start)
            happened.append(_resolved(verdict.subject, opened, verdict, "corrected"))
    return after, happened


def restarted(tracks: Tracks, *, same_clock: bool) -> dict[Subject, Track]:
    """Return what is remembered when monitor or baseline have changed: streaks begin anew, open alerts stay open.

    `same_clock`: spans are still of the same kind and count from the same zero.
    """
    after: dict[Subject, Track] = {}
    for subject, track in tracks.items():
        opened = replace(track.open, quiet=None, gone=None) if track.open else None
        kept = Track(open=opened, previous=track.previous, since=track.since if same_clock else None)
        if kept != _NOTHING:
            after[subject] = kept
    return after


def _step(
    track: Track, verdict: Verdict, span: Span, policy: Policy, alert_id: Callable[[Subject], str], opened_at: str
) -> tuple[Track, Transition | None]:
    state = rank(verdict.state)
    witness = _witness(verdict, span)
    holds: dict[str, Streak] = {level: _extended(track.holds.get(level), witness) for level in LEVELS[1 : state + 1]}
    proven = [level for level, streak in holds.items() if streak.windows >= policy.consecutive]
    level: Level = max((verdict.immediate, *(name for name in LEVELS if name in proven)), key=rank)
    opened = track.open
    subject = verdict.subject
    if opened is None:
        if rank(level) < max(1, rank(policy.raise_at)):
            return replace(track, holds=holds), None
        opened = Open(alert_id(subject), level, span, verdict.trial.scale, opened_at)
        raised = _transition("raised", subject, opened, verdict)
        return replace(track, holds=holds, open=opened), replace(raised, predecessor=track.previous)
    if rank(level) > rank(opened.level):
        opened = replace(opened, level=level, quiet=None, gone=None)
        return replace(track, holds=holds, open=opened), _transition("escalated", subject, opened, verdict)
    quiet = _extended(opened.quiet, span) if _is_quiet(verdict, opened, policy) else None
    opened = replace(opened, quiet=quiet, gone=None)
    if opened.quiet is not None and opened.quiet.windows >= policy.quiet_windows:
        return Track(previous=opened.alert_id, since=opened.quiet.start), _resolved(subject, opened, verdict, "quiet")
    return replace(track, holds=holds, open=opened), _transition("open", subject, opened, verdict)


def _witness(verdict: Verdict, span: Span) -> Span:
    """Return the span that the finding of a window rests on: that of the smallest scale that is significant.

    Where only merged windows show it, the next merge holds most of the same rows: it is no second witness before as
    many windows have gone by. Taken as long as the window itself each, which gaps and calendars make longer.
    """
    scale = min(verdict.significant, default=1)
    return Span(span.start - (scale - 1) * (span.end - span.start), span.end)


def _is_quiet(verdict: Verdict, opened: Open, policy: Policy) -> bool:
    """Say whether a window speaks for the end of an alert.

    Where the threshold is one of PSI: by the effect in the single window (or on the smallest scale that has enough
    data), significant or not. An alert at *shifted* has no such threshold, and one of 0 is none: there nothing may be
    significant up to the scale on which it was found, because a single window may be too small to ever show it.
    """
    threshold = policy.threshold(policy.raise_at)
    if not threshold:
        return all(scale > opened.scale for scale in verdict.significant)
    return verdict.effects[min(verdict.effects)] < policy.hysteresis * threshold


def _transition(kind: TransitionKind, subject: Subject, opened: Open, verdict: Verdict | None) -> Transition:
    return Transition(kind, subject, opened.alert_id, opened.level, verdict, opened_at=opened.opened_at)


def _resolved(subject: Subject, opened: Open, verdict: Verdict | None, reason: Reason) -> Transition:
    return replace(_transition("resolved", subject, opened, verdict), reason=reason)


def to_json(tracks: Tracks) -> list[dict[str, Any]]:
    """Return what is remembered as JSON, in the order of the subjects: it stands in `check.completed`.

    {"subject": ["drift", "feature", "dep_delay", "", ""], "holds": {"shifted": [windows, start, end]},
     "open": {"alert_id", "level", "span": [start, end], "scale", "opened_at", "quiet": [windows, start, end], "gone"},
     "previous": alert id, "since": start}            what is absent or empty is left out
    """
    return [_track_json(subject, tracks[subject]) for subject in sorted(tracks)]


def _track_json(subject: Subject, track: Track) -> dict[str, Any]:
    document: dict[str, Any] = {
        "subject": [subject.kind, subject.role, subject.name, subject.by, subject.value],
        "holds": {level: list(streak) for level, streak in track.holds.items()},
        "previous": track.previous,
        "since": track.since,
    }
    if track.open:
        document["open"] = {
            "alert_id": track.open.alert_id,
            "level": track.open.level,
            "span": list(track.open.span),
            "scale": track.open.scale,
            "opened_at": track.open.opened_at,
        }
        for name, streak in (("quiet", track.open.quiet), ("gone", track.open.gone)):
            if streak:
                document["open"][name] = list(streak)
    return {name: value for name, value in document.items() if value not in (None, {})}


def from_json(document: Iterable[Mapping[str, Any]]) -> dict[Subject, Track]:
    """Read what `to_json` wrote. KeyError, TypeError or ValueError for anything that it would not have written."""
    return {Subject(*entry["subject"]): _track(entry) for entry in document}


def _track(entry: Mapping[str, Any]) -> Track:
    opened = entry.get("open")
    return Track(
        {LEVELS[rank(level)]: Streak(*streak) for level, streak in entry.get("holds", {}).items()},
        Open(
            opened["alert_id"],
            LEVELS[rank(opened["level"])],
            Span(*opened["span"]),
            opened["scale"],
            opened["opened_at"],
            *(Streak(*opened[name]) if name in opened else None for name in ("quiet", "gone")),
        )
        if opened
        else None,
        entry.get("previous"),
        entry.get("since"),
    )
