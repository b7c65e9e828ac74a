"""From counts to tests: what is asked about a field, and what its merged windows answer.

Of each field the *distribution* of its values is asked by PSI and, where it is numeric, by KS; and the shares of
*missing*, *unseen* and *mistyped* values by a PSI of two bins. Each is asked on 1, 4 and 16 merged windows.

Too few values are no answer, and where a segment has no row in a window, the merged ones are not asked either. Coarse
bins that expect fewer than 5 independent values are merged with a neighbour first (categories with other rare ones).
Fewer than 5 bins left are insufficient, or fewer than 500 values would leave, where that is less: a field with two
values has two bins. A field of which one bin holds nearly all is tested as a share: what is in its largest bin against
the rest.

Values that come phi at a time are not independent. PSI is therefore that of counts / phi, smoothed by + 0.5 *after*
the division: smoothed before it, forty sessions of five raise a hundred times as often as the p-value says. The p-value
is that of PSI or of Pearson's sum, whichever is less: they have one law in large samples, and in small ones the
logarithm of a bin that is empty by chance gives PSI the heavier tail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.baselines.pooling import Pools, pool
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.policy.policy import SCALES, Policy
from modeltrail.drift.policy.states import Aspect, Hypothesis, Subject, Trial
from modeltrail.drift.statistics.distances import chi_square, debiased, psi, share_psi
from modeltrail.drift.statistics.significance import effective_rows, ks_p_value, psi_p_value, share_p_value

__all__ = ["Asked", "Question", "ask", "kept_bins", "merged_counts"]

_ENOUGH = 500
"""Values with which a field shows the bins that it can have."""


class Question(NamedTuple):
    """A field to be judged.

    `windows`: its counts, the window in question first, then earlier disjoint ones, newest first; at most 16 are read.
    `tolerance`: the change of PSI that is no change.
    """

    subject: Subject
    reference: Reference
    windows: Sequence[FieldCounts]
    tolerance: float


@dataclass(frozen=True, slots=True)
class Asked:
    """The hypotheses that could be tested, and why others could not.

    `insufficient`: subjects whose distribution could not be tested, each with the reason. `p_values`: by subject and by
    `statistic_scale`, as in `psi_4`; not corrected for how many there are.
    """

    hypotheses: list[Hypothesis]
    insufficient: dict[Subject, str]
    p_values: dict[Subject, dict[str, float]]


class _Draft(NamedTuple):
    """A trial whose p-values are still to be computed, those of all fields at once.

    `rows`, `reference_rows` and `psi` are of independent values (divided by phi). `bins` is 0 and `exact` a p-value
    where that is known already; `distance` is -1 where there is no KS.
    """

    at: int
    aspect: Aspect
    scale: int
    n: int
    effect: float
    psi: float
    bins: int
    rows: float
    reference_rows: float
    tolerance: float
    distance: float
    exact: float
    trivial: bool = False


def ask(questions: Sequence[Question], policy: Policy) -> Asked:
    """Return what the counts say about every field."""
    drafts: list[_Draft] = []
    insufficient: dict[Subject, str] = {}
    for at, question in enumerate(questions):
        found = _drafts(at, question, policy)
        drafts += found
        if not any(draft.aspect == "distribution" for draft in found):
            insufficient[question.subject] = _shortage(question, policy)
    p_psi, p_ks = _p_values(drafts, policy)
    trials: dict[tuple[int, Aspect], list[Trial]] = {}
    p_values: dict[Subject, dict[str, float]] = {}
    for draft, by_psi, by_ks in zip(drafts, p_psi.tolist(), p_ks.tolist(), strict=True):
        trial = Trial(draft.scale, draft.n, min(by_psi, by_ks), draft.effect, draft.trivial)
        trials.setdefault((draft.at, draft.aspect), []).append(trial)
        if draft.trivial:
            continue
        named = p_values.setdefault(questions[draft.at].subject, {})
        named[f"{'psi' if draft.aspect == 'distribution' else draft.aspect}_{draft.scale}"] = by_psi
        if draft.distance >= 0:
            named[f"ks_{draft.scale}"] = by_ks
    hypotheses = [
        Hypothesis(questions[at].subject, aspect, _tests(questions[at].reference, aspect), tuple(answers))
        for (at, aspect), answers in trials.items()
    ]
    return Asked(hypotheses, insufficient, p_values)


def merged_counts(windows: Sequence[FieldCounts]) -> FieldCounts:
    """Return the sum of the counts of one or more windows, all at once: sixteen windows of every field, each check."""
    if len(windows) == 1:
        return windows[0]
    return FieldCounts(
        np.sum([each.counts for each in windows], axis=0),
        sum(each.missing for each in windows),
        sum(each.unseen for each in windows),
        sum(each.mistyped for each in windows),
    )


def kept_bins(reference: Reference, n: float, policy: Policy) -> Pools | None:
    """Return how the coarse bins are merged to compare `n` independent values; None where too few pools are left.

    One pool means that the field is compared as a share.
    """
    weights, ordered = reference.coarse(reference.sample), reference.kind == "numeric"
    kept = pool(weights, n, ordered=ordered, minimum=policy.bin_expected)
    possible = pool(weights, _ENOUGH, ordered=ordered, minimum=policy.bin_expected).size
    if kept.size == possible == 1 or kept.size >= max(2, min(policy.bins_min, possible)):
        return kept
    return None


def _tests(reference: Reference, aspect: Aspect) -> int:
    return len(SCALES) * (2 if aspect == "distribution" and reference.kind == "numeric" else 1)


def _shortage(question: Question, policy: Policy) -> str:
    n = question.windows[0].n
    independent = "" if question.reference.phi == 1 else f", worth {n / question.reference.phi:.0f} independent ones"
    if n == 0:
        return "no rows"
    if question.windows[0].binned == 0:
        return f"none of {n} rows has a value that the baseline knows"
    return (
        f"{n} rows{independent}: too few for {policy.bins_min} bins that expect {policy.bin_expected:g}, "
        f"or for {policy.share_rows_min} of which a share could be compared"
    )


def _drafts(at: int, question: Question, policy: Policy) -> list[_Draft]:
    windows = question.windows
    drafts: list[_Draft] = []
    if windows[0].n == 0:  # a segment without rows: what others before it held was told by them
        return drafts
    for scale in SCALES:
        if scale > len(windows):
            break
        merged = merged_counts(windows[:scale])
        drafts += (
            draft
            for draft in (
                _distribution(at, question, policy, scale, merged),
                *_shares(at, question, policy, scale, merged),
            )
            if draft is not None
        )
    return drafts


def _distribution(at: int, question: Question, policy: Policy, scale: int, merged: FieldCounts) -> _Draft | None:
    reference, phi = question.reference, question.reference.phi
    sample = reference.sample
    n, m = merged.binned, sample.binned
    if n == 0 or (kept := kept_bins(reference, n / phi, policy)) is None:
        return None
    if kept.size == 1:
        usual = int(sample.counts.argmax())
        rest, rest_before = n - int(merged.counts[usual]), m - int(sample.counts[usual])
        return _share(at, question, policy, scale, "distribution", (rest, n), (rest_before, m))
    before, now = (kept.sums(reference.coarse(side)) / phi for side in (sample, merged))
    value = float(psi(before, now))
    effect = float(debiased(value, kept.size, n / phi, m / phi))
    pearson = chi_square(before, now).statistic / float(effective_rows(n / phi, m / phi))
    distance = -1.0
    if reference.kind == "numeric":
        distance = float(np.max(np.abs(np.cumsum(merged.counts) / n - np.cumsum(sample.counts) / m)))
    rows = (n / phi, m / phi)
    return _Draft(
        at, "distribution", scale, n, effect, min(value, pearson), kept.size, *rows, question.tolerance, distance, -1.0
    )  # fmt: skip


def _shares(at: int, question: Question, policy: Policy, scale: int, merged: FieldCounts) -> list[_Draft | None]:
    sample = question.reference.sample
    present, present_before = merged.n - merged.missing, sample.n - sample.missing
    unseen = question.reference.unseen(merged)
    shares: tuple[tuple[Aspect, tuple[int, int], tuple[int, int]], ...] = (
        ("missing", (merged.missing, merged.n), (sample.missing, sample.n)),
        ("unseen", (unseen, present), (sample.unseen, present_before)),
        ("mistyped", (merged.mistyped, present), (sample.mistyped, present_before)),
    )
    return [_share(at, question, policy, scale, *share) for share in shares]


def _share(
    at: int, question: Question, policy: Policy, scale: int, aspect: Aspect, now: tuple[int, int], was: tuple[int, int]
) -> _Draft | None:
    """Compare two shares, each as (how many, of how many).

    A share that is zero on both sides is trivial: nothing can be found in it, and it would only make the other tests
    of the check pay for one more.
    """
    (hits, n), (hits_before, m) = now, was
    if n < policy.share_rows_min or m == 0:
        return None
    if hits == hits_before == 0:
        return _Draft(at, aspect, scale, n, 0.0, 0.0, 0, n, m, question.tolerance, -1.0, 1.0, trivial=True)
    phi = question.reference.phi
    value = float(share_psi(hits_before / phi, m / phi, hits / phi, n / phi))
    effect = float(debiased(value, 2, n / phi, m / phi))
    p = share_p_value(hits_before, m, hits, n, delta0=question.tolerance, phi=phi)
    return _Draft(at, aspect, scale, n, effect, value, 0, n / phi, m / phi, question.tolerance, -1.0, p)


def _p_values(drafts: Sequence[_Draft], policy: Policy) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the p-values of PSI or of a share, and of KS; 1 where there is no KS."""
    if not drafts:
        return np.ones(0), np.ones(0)
    columns = np.array([draft[5:12] for draft in drafts], dtype=np.float64).T
    value, bins, rows, reference_rows, tolerance, distance, exact = columns
    p_psi = psi_p_value(value, np.maximum(bins, 1), rows, reference_rows, delta0=tolerance)
    p_ks = ks_p_value(np.maximum(distance, 0.0), rows, reference_rows, d0=policy.d0)
    return np.where(exact >= 0, exact, p_psi), np.where(distance >= 0, p_ks, 1.0)
