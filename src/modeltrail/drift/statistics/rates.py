"""Silence and rates: a model that has stopped predicting, or predicts much less or more than it did.

Silence is a fact of the ledger (`silence.py`), not a statistic: it is raised when it is found, and over when the model
speaks again. A rate is tested with everything else of a window: the rows of this one against those of up to 15 earlier
disjoint ones. Under a rate that is f times the usual one, N rows now and T rows in k windows' time before are
N ~ B(N + T, f / (f + k)), whatever the rate is; both are divided by the variance of the earlier windows over their
mean, because predictions come in waves.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from modeltrail.drift.checks.wording import moment_text, number_words
from modeltrail.drift.policy.alerts import Open, Span, Track, Transition
from modeltrail.drift.policy.look_back import WindowCounts
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.policy.states import Hypothesis, Subject, Trial, Verdict
from modeltrail.drift.windows.closing import Silence, Window
from modeltrail.events.checks import CheckSilence

__all__ = ["RATE", "SILENCE", "Rate", "follow_silence", "rate_of", "silence_part", "silence_sentence"]

SILENCE = Subject("silence", "", "predictions")
RATE = Subject("silence", "", "rate")

_LEAST_WINDOWS = 4
"""Earlier windows from which there is a usual rate."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a check says about the rate, and its hypothesis."""

    part: CheckSilence
    hypothesis: Hypothesis
    sentence: str

    def judged(self, verdict: Verdict | None) -> CheckSilence:
        """Return the part with what was found."""
        if verdict is None or verdict.state == "stable":
            return self.part
        slow = (self.part.rate or 0) < (self.part.usual_rate or 0)
        return self.part.model_copy(update={"condition": "slow" if slow else "fast"})


def rate_of(
    window: Window, rows: int, earlier: Sequence[WindowCounts], factor: float, policy: Policy, when: str
) -> Rate | None:
    """Return the rate of a window of time against earlier ones; None for windows by count, or with too few before."""
    if window.start_us is None or window.end_us is None or len(earlier) < _LEAST_WINDOWS:
        return None
    length = window.end_us - window.start_us
    counts = np.array([each.rows for each in earlier], dtype=np.float64)
    lengths = np.array([(each.window.end_us or 0) - (each.window.start_us or 0) for each in earlier]) / length
    total, ratio = float(counts.sum()), float(lengths.sum())
    if total == 0:
        return None
    scaled = counts / lengths
    phi = max(1.0, float(scaled.var(ddof=1) / scaled.mean()))
    fast = float(special.betainc(max(rows, 0.5) / phi, total / phi + 1, factor / (factor + ratio)))
    slow = float(special.betaincc(rows / phi + 1, total / phi, 1 / (1 + factor * ratio)))
    used = abs(math.log(max(rows, 0.5) * ratio / total)) / math.log(factor)
    hypothesis = Hypothesis(RATE, "value", 2, (Trial(1, rows, min(fast, slow), float(policy.psi_warning * used)),))
    usual = total / ratio
    part = CheckSilence(
        condition="predicting", rate=1e6 * rows / length, usual_rate=1e6 * usual / length, rate_factor=factor
    )
    pace = "fewer" if rows < usual else "more"
    usually = f"instead of about {usual:,.0f} (up to {factor:g} times)"
    sentence = f"predictions are {pace} than usual: {rows:,} {usually}, {when}"
    return Rate(part, hypothesis, sentence)


def silence_part(silence: Silence, log_time: int) -> CheckSilence:
    """Return what a check says about a silence at an entry of `log_time` (milliseconds)."""
    return CheckSilence(
        condition="silent" if silence.silent else "predicting",
        last_at=moment_text(silence.last_ms * 1000),
        gap_s=max(0, log_time - silence.last_ms) / 1000,
        max_gap_s=float(silence.max_gap_s),
    )


def silence_sentence(silence: Silence, log_time: int) -> str:
    """Return the sentence of an alert of silence, without the model's name."""
    gap = _lasting((log_time - silence.last_ms) / 1000)
    if silence.silent:
        since = moment_text(silence.last_ms * 1000)
        return f"no predictions for {gap} (allowed {_lasting(silence.max_gap_s)}) since {since}"
    return f"predicts again, after {gap}"


def _lasting(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{number_words(seconds / size)} {unit}"
    return f"{number_words(seconds)} seconds"


def follow_silence(
    tracks: Mapping[Subject, Track], silence: Silence, span: Span, alert_id: str
) -> tuple[dict[Subject, Track], list[Transition]]:
    """Return what is remembered after a change, and what happened: raised when silent, resolved when it speaks."""
    track = tracks.get(SILENCE, Track())
    if silence.silent and track.open is None:
        opened = Open(alert_id, "critical", span, 1, moment_text(silence.last_ms * 1000))
        raised = Transition(
            "raised", SILENCE, alert_id, "critical", predecessor=track.previous, opened_at=opened.opened_at
        )
        return {**tracks, SILENCE: replace(track, open=opened)}, [raised]
    if not silence.silent and track.open is not None:
        opened = track.open
        over = Transition(
            "resolved", SILENCE, opened.alert_id, opened.level, reason="quiet", opened_at=opened.opened_at
        )
        return {**tracks, SILENCE: Track(previous=opened.alert_id)}, [over]
    return dict(tracks), []
