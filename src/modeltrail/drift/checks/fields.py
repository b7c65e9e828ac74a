"""One field of a check: its statistics, its place in `check.completed`, and its sentence."""

from collections.abc import Sequence
from typing import Any

from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.checks.content import CountKey
from modeltrail.drift.checks.wording import (
    Moved,
    measure_words,
    moved_bins,
    moved_words,
    subject_words,
    told_words,
    window_words,
)
from modeltrail.drift.policy.evidence import Question, merged_counts
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.policy.states import Verdict
from modeltrail.drift.statistics.distances import (
    chi_square,
    debiased,
    jensen_shannon,
    kl,
    ks,
    psi,
    share_psi,
    wasserstein_normalised,
)
from modeltrail.drift.statistics.significance import chi_square_p_value
from modeltrail.drift.windows.closing import Window
from modeltrail.events.checks import CheckBin, CheckField, CheckSegment

__all__ = ["check_field", "field_evidence", "field_sentence", "field_statistics", "segment_of"]


def field_statistics(reference: Reference, current: FieldCounts) -> tuple[dict[str, float], dict[str, float]]:
    """Return the statistics of a single window by name, and the p-values of those that no policy looks at.

    `psi`, `psi_debiased`, `jensenshannon`, `kl_div` and `chisquare` are of coarse bins or categories, `ks` (with the
    most that binning may hide, `ks_bound`) and `wasserstein` (in standard deviations) of fine bins. `missing_share`,
    `unseen_share` and `mistyped_share` each with the `_psi` of two bins where there are any. What is not defined is
    left out.
    """
    sample, phi = reference.sample, reference.phi
    found: dict[str, float] = {}
    p_values: dict[str, float] = {}
    n, m = current.binned, sample.binned
    if n and m:
        before, now = reference.coarse(sample), reference.coarse(current)
        raw = float(psi(before, now))
        found |= {"psi": raw, "psi_debiased": float(debiased(raw, before.size, n, m, phi))}
        found |= {"jensenshannon": float(jensen_shannon(before, now)), "kl_div": float(kl(before, now))}
        table = chi_square(before, now)
        found["chisquare"] = table.statistic
        p_values["chisquare"] = float(chi_square_p_value(table.statistic, table.degrees, phi=phi))
        if reference.kind == "numeric":
            distance = ks(sample.counts, current.counts, reference.points)
            found |= {"ks": distance.statistic, "ks_bound": distance.bound}
            apart = wasserstein_normalised(reference.edges, sample.counts, current.counts, reference.std)
            if apart is not None:
                found["wasserstein"] = apart
    for aspect, now_share, before_share in _shares(reference, current):
        (hits, rows), (hits_before, rows_before) = now_share, before_share
        if rows and rows_before:
            found[f"{aspect}_share"] = hits / rows
            if hits or hits_before:
                found[f"{aspect}_psi"] = float(share_psi(hits_before, rows_before, hits, rows))
    return found, p_values


def _shares(reference: Reference, current: FieldCounts) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    sample = reference.sample
    present, present_before = current.n - current.missing, sample.n - sample.missing
    return [
        ("missing", (current.missing, current.n), (sample.missing, sample.n)),
        ("unseen", (reference.unseen(current), present), (sample.unseen, present_before)),
        ("mistyped", (current.mistyped, present), (sample.mistyped, present_before)),
    ]


def segment_of(by: str, value: str) -> CheckSegment | None:
    """Return a segment as the contract writes it; None for all rows."""
    return CheckSegment(by=by, value=value) if by else None


def check_field(
    key: CountKey, question: Question, verdict: Verdict | None, p_values: dict[str, float], reason: str | None
) -> CheckField:
    """Return what a check says about a field. Without a verdict there is a `reason`."""
    reference, current = question.reference, question.windows[0]
    statistics, others = field_statistics(reference, current)
    if verdict is not None:
        statistics |= {f"effect_{scale}": effect for scale, effect in sorted(verdict.effects.items())}
        p_values = {**others, **p_values, "corrected": verdict.p}
    scale = verdict.trial.scale if verdict and verdict.state != "stable" else None
    moved = moved_bins(reference, merged_counts(question.windows[:scale]) if scale else current)
    return CheckField(
        name=key.name,
        role=reference.role,
        kind=reference.kind,
        segment=segment_of(question.subject.by, question.subject.value),
        state=verdict.state if verdict else "insufficient_data",
        reason=reason,
        n=current.n,
        missing=current.missing,
        mistyped=current.mistyped,
        unseen=current.unseen,
        counts=current.counts.tolist(),
        statistics=statistics,
        p_values=p_values or others,
        scale=scale,  # type: ignore[arg-type]
        tolerance=question.tolerance,
        top=[CheckBin(bin=each.words, reference=each.reference, current=each.current) for each in moved],
    )


def field_sentence(
    question: Question, verdict: Verdict, level: str, window: Window, policy: Policy, merged_with: Sequence[Window] = ()
) -> str:
    """Return the sentence of an alert that is raised or escalated to `level`, without the model's name.

    `merged_with`: earlier windows that the deciding scale merged with this one.

    `dep_delay` moved: PSI 0.31 (critical above 0.25) over 5,412 predictions, 2013-07-01 to 2013-07-08; 14 % instead of
    6 % above 60
    """
    merged = merged_counts(question.windows[: verdict.trial.scale])
    moved: Sequence[Moved] = ()
    if verdict.aspect == "distribution":
        reference = question.reference
        largest = sorted(moved_bins(reference, merged), key=lambda each: -abs(each.current - each.reference))
        moved = [each._replace(words=told_words(reference, each.words)) for each in largest[:1]]
    shares = (0.0, 0.0)
    for aspect, (hits, rows), (hits_before, rows_before) in _shares(question.reference, merged):
        if aspect == verdict.aspect:
            shares = (hits_before / max(1, rows_before), hits / max(1, rows))
    verb, rest = moved_words(verdict.aspect, moved, shares)
    measure = measure_words(verdict.trial.effect, level, policy.threshold(level), question.tolerance)
    merges = verdict.trial.scale
    merging = f" in {merges} windows" if merges > 1 else ""
    sentence = f"{subject_words(question.subject)} {verb}: {measure} over {merged.n:,} predictions{merging}, "
    return sentence + window_words(window, merged_with) + (f"; {rest}" if rest else "")


def field_evidence(question: Question, verdict: Verdict | None, found: CheckField) -> dict[str, Any]:
    """Return what an alert carries about a field, for those who compute it again."""
    evidence: dict[str, Any] = {
        "field": found.name,
        "role": found.role,
        "rows": found.n,
        "statistics": dict(found.statistics),
        "p_values": dict(found.p_values),
        "tolerance": question.tolerance,
        "phi": question.reference.phi,
        "top": [each.model_dump() for each in found.top],
    }
    if verdict is not None:
        evidence |= {"aspect": verdict.aspect, "scale": verdict.trial.scale, "effect": verdict.trial.effect}
    return evidence
