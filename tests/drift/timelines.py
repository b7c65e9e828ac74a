"""Timelines of alerts, drawn: one character a window.

    .  stable      s  shifted     w  warning     c  critical        (in the single window too: effects follow)
    q  the merged windows still say warning, the single one is quiet
    W  warning that is beyond doubt at once      C  critical likewise
    ?  too little data: no verdict

and what happened in each window:

    .  nothing     R  raised      E  escalated   -  open            X  resolved
"""

from modeltrail.drift.policy.alerts import Span, follow
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.policy.states import Subject, Trial, Verdict

FIELD = Subject("drift", "feature", "dep_delay")
DEFAULT = Policy()

_STATES = {
    ".": "stable",
    "s": "shifted",
    "w": "warning",
    "W": "warning",
    "c": "critical",
    "C": "critical",
    "q": "warning",
}
_EFFECTS = {".": 0.0, "s": 0.03, "w": 0.15, "W": 0.15, "c": 0.4, "C": 0.4, "q": 0.02}
_HAPPENED = {"raised": "R", "escalated": "E", "open": "-", "resolved": "X"}


def verdict(mark, subject=FIELD):
    """Return the verdict that a character stands for, None for too little data."""
    if mark == "?":
        return None
    state = _STATES[mark]
    scale = 4 if mark == "q" else 1
    effect = _EFFECTS[mark]
    p = 1e-9 if mark in "WC" else (0.8 if mark == "." else 1e-3)
    significant = () if mark == "." else (scale,)
    immediate = state if mark in "WC" else "stable"
    return Verdict(
        subject, state, "distribution", Trial(scale, 1000, p, effect), p, immediate, {1: effect}, significant
    )


def alert_name(span):
    """Return what names the alerts of a window in these tests."""
    return lambda subject: f"{subject.name}@{span.start}"


def tumbling(count):
    """Return windows of ten, one after the other."""
    return [Span(10 * at, 10 * at + 10) for at in range(count)]


def played(line, policy=DEFAULT, spans=None, tracks=None):
    """Fold a timeline. Returns what happened, drawn; the transitions; and what is remembered after each window."""
    tracks = dict(tracks or {})
    drawn, transitions, states = "", [], []
    for mark, span in zip(line, spans or tumbling(len(line)), strict=True):
        found = verdict(mark)
        tracks, happened = follow(tracks, [found] if found else [], span, policy, alert_name(span), f"at {span.start}")
        assert len(happened) <= 1
        drawn += _HAPPENED[happened[0].kind] if happened else "."
        transitions += happened
        states.append(tracks)
    return drawn, transitions, states
