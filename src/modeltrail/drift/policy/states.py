"""From tests to states: which of everything that was tested is significant, and how large it is.

A *hypothesis* is one question about one subject, as *the share of missing values of `age` is as in the baseline*.
It is asked on several scales and by several statistics; each answer is a `Trial`. Its p-value is the smallest of all,
times how many there can be (Bonferroni). Over the hypotheses of a check the false findings are limited by Benjamini
and Hochberg (1995). A trial is significant where its hypothesis is rejected and it would be so by its own p-value too;
the subject's state is that of the largest significant change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from modeltrail.drift.policy.policy import LEVELS, Level, Policy, rank
from modeltrail.drift.statistics.significance import rejection_limit

__all__ = ["Aspect", "Hypothesis", "Subject", "Trial", "Verdict", "judge"]

Aspect = Literal["distribution", "missing", "unseen", "mistyped", "value"]
"""What of a subject was compared; `value` is that of a metric or a gap."""


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What an alert can be about: a field, a metric or a gap of one model version.

    `kind`: drift, performance, bias or silence; `role` is that of a field, empty otherwise; `by` and `value` name the
    segment, or `by` alone the stratum of a gap; empty otherwise.
    """

    kind: str
    role: str
    name: str
    by: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One answer: on `scale` merged windows with `n` values.

    `p`: the p-value of the null *within the tolerance* (smallest of the statistics of this scale, not yet multiplied).
    `effect`: how large the change is, in units of PSI (debiased, not negative).
    """

    scale: int
    n: int
    p: float
    effect: float
    trivial: bool = False
    """Nothing was there on either side, so that nothing could be found."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One question. `tests`: how many p-values the smallest was, or could have been, taken from."""

    subject: Subject
    aspect: Aspect
    tests: int
    trials: tuple[Trial, ...]

    @property
    def trivial(self) -> bool:
        """Whether nothing could be found: such a hypothesis is not tested, and the others do not pay for it."""
        return all(trial.trivial for trial in self.trials)

    @property
    def p(self) -> float:
        """The p-value of the whole: min(1, tests * smallest)."""
        return min(1.0, self.tests * min(trial.p for trial in self.trials))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said about a subject.

    `state`; `aspect` and `trial`: what decided it (where stable: the smallest p-value); `p`: the corrected p-value of
    that trial; `immediate`: the highest level that needs no second window; `effects`: the largest effect on each scale
    that had enough data for the distribution, whether significant or not; `significant`: scales on which anything is.
    """

    subject: Subject
    state: Level
    aspect: Aspect
    trial: Trial
    p: float
    immediate: Level
    effects: dict[int, float]
    significant: tuple[int, ...]


_WHOLE = ("distribution", "value")
"""Aspects that say something about the whole of a subject; a share of missing values alone does not."""


def judge(hypotheses: Sequence[Hypothesis], policy: Policy) -> list[Verdict]:
    """Return one verdict a subject, in the order in which the subjects first come.

    Every hypothesis has at least one trial: what had too little data is not to be here at all.
    """
    tested = [hypothesis.p for hypothesis in hypotheses if not hypothesis.trivial]
    limit = rejection_limit(tested, policy.fdr)
    immediately = policy.at_once / max(1, len(tested))
    subjects: dict[Subject, list[Hypothesis]] = {}
    for hypothesis in hypotheses:
        subjects.setdefault(hypothesis.subject, []).append(hypothesis)
    return [_verdict(subject, asked, limit, immediately, policy) for subject, asked in subjects.items()]


def _verdict(
    subject: Subject, asked: Sequence[Hypothesis], limit: float, immediately: float, policy: Policy
) -> Verdict:
    state = immediate = 0
    effects: dict[int, float] = {}
    whole = {trial.scale for each in asked if each.aspect in _WHOLE for trial in each.trials}
    significant: set[int] = set()
    best: tuple[tuple[float, ...], Hypothesis, Trial, float] | None = None
    for hypothesis in asked:
        for trial in hypothesis.trials:
            p = min(1.0, hypothesis.tests * trial.p)
            level = rank(policy.level(trial.effect)) if p <= limit else 0
            if level:
                significant.add(trial.scale)
                state = max(state, level)
                if p < immediately:
                    immediate = max(immediate, level)
            if trial.scale in whole or not whole:
                effects[trial.scale] = max(effects.get(trial.scale, 0.0), trial.effect)
            order = (-level, p, trial.scale)
            if best is None or order < best[0]:
                best = (order, hypothesis, trial, p)
    assert best is not None, "a hypothesis without a trial"  # noqa: S101 - promised by the caller
    _, decided, trial, p = best
    return Verdict(
        subject, LEVELS[state], decided.aspect, trial, p, LEVELS[immediate], effects, tuple(sorted(significant))
    )
