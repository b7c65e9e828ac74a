"""From a closing to its check: the one path, live, after a restart, in a back-test and years later.

    closing -> are all entries of the cut there? -> baseline -> rows of the window -> what they add up to -> evaluate

Everything is read up to the closing's cut. Nothing here knows when or where it runs. Rows are read in pieces and added
up, so that memory is bounded by fields and bins, whatever the window holds.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from modeltrail.drift.baselines.baseline import SEGMENT_BINS, Baseline
from modeltrail.drift.baselines.edges import FINE_BINS
from modeltrail.drift.checks.check import ended, evaluate, failed, no_baseline, silence_changed
from modeltrail.drift.checks.content import ContentPlan, WindowContent
from modeltrail.drift.checks.plan import content_plan
from modeltrail.drift.checks.results import CheckResult
from modeltrail.drift.policy.look_back import WindowCounts
from modeltrail.drift.statistics.performance import BinaryOutcomes
from modeltrail.drift.statistics.ranking import Keep
from modeltrail.drift.windows.closing import Closing, learned_baseline_id
from modeltrail.errors import InvalidEventError
from modeltrail.events.baselines import BaselineSource
from modeltrail.events.checks import CheckLate
from modeltrail.storage.watch.content import Wanted, read_content, read_labelled
from modeltrail.storage.watch.frontiers import Frontiers
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.sample import read_sample
from modeltrail.storage.watch.scope import Scope
from modeltrail.storage.watch.spool import Spool

__all__ = ["add_up", "compute", "learn", "scope_of"]

_FINER = (FINE_BINS, 100, 50)
_LEAST_BINS = 20
"""Fine bins of a baseline that is learned: fewer where it has so many fields that it would not fit an event."""
_NO_CARRY: Mapping[str, Any] = {}
_NOTHING = ContentPlan({})


def scope_of(closing: Closing) -> Scope:
    """Return which entries the check of a closing depends on."""
    return Scope(closing.window, closing.cut, closing.model_id, closing.model_version)


def compute(
    reader: Reader,
    closing: Closing,
    baseline: Baseline | None,
    *,
    earlier: Sequence[WindowCounts] = (),
    carry: Mapping[str, Any] = _NO_CARRY,
    rows_before: int = 0,
    frontiers: Frontiers | None = None,
) -> CheckResult:
    """Return the check of a closing of any kind but `learn`.

    `baseline` is the one that the closing names, None where it names none. `earlier`: counts of earlier windows of the
    unit; `carry`: of its check before; `rows_before`: rows of the check that a late one supersedes. `frontiers`
    remembers which positions were counted. A fault of the monitor or the baseline makes a check that failed.
    StoreUnavailableError where an entry of the cut is missing: waiting may help; else what `Reader.ask` raises.
    """
    if closing.kind == "learn":
        raise ValueError("closing of kind 'learn': expected one that asks for a check")
    (frontiers or Frontiers(reader)).require(closing.cut)
    if closing.ended:
        return ended(closing, baseline, carry=carry)
    if closing.kind == "silence":
        return silence_changed(closing, baseline, carry=carry)
    if baseline is None:
        return no_baseline(closing, rows=add_up(reader, scope_of(closing), _NOTHING).rows, carry=carry)
    try:
        plan = content_plan(closing.monitor, baseline, closing.kind, closing.label_delay_s)
    except InvalidEventError as error:
        return failed(closing, baseline, error, carry=carry)
    with Spool() as spool:
        content = add_up(reader, scope_of(closing), plan, labelled=closing.kind == "performance", keep=spool.keep)
        late = CheckLate(counted=max(0, content.rows - rows_before)) if closing.late else None
        return evaluate(closing, baseline, content, earlier=earlier, carry=carry, late=late)


def add_up(
    reader: Reader, scope: Scope, plan: ContentPlan, *, labelled: bool = False, keep: Keep | None = None
) -> WindowContent:
    """Return what the events of a window add up to, `labelled` with what turned out to be true of them.

    `keep` says where scores go that are many; without it, they stay in memory.
    """
    content = WindowContent.empty(plan)
    for judged in (content.whole, *content.judged.values()):
        if isinstance(judged.outcomes, BinaryOutcomes):
            judged.outcomes.ranking.keep = keep
    read = read_labelled if labelled else read_content
    for chunk in read(reader, scope, Wanted.of(plan)):
        content.add(chunk.columns, duplicates=chunk.duplicates, features=chunk.features)
    return content


def learn(reader: Reader, closing: Closing, *, frontiers: Frontiers | None = None) -> Baseline:
    """Return the baseline that a closing of kind `learn` asks for, made of its run of predictions.

    Features that no baseline can hold are left out: nobody is there to take them out. InvalidEventError where no field
    is left, or the baseline is too large; else as `compute`.
    """
    if closing.kind != "learn":
        raise ValueError(f"closing of kind {closing.kind!r}: expected learn")
    (frontiers or Frontiers(reader)).require(closing.cut)
    segments = closing.monitor.segments
    sample = read_sample(reader, scope_of(closing), by=segments)
    make = partial(
        Baseline.from_columns,
        sample.columns,
        model_id=closing.model_id,
        model_version=closing.model_version,
        baseline_id=learned_baseline_id(closing),
        times=sample.times_us,
        segments=segments,
        leave_out=True,
        source=BaselineSource(kind="learned", rows=sample.columns.rows, cut=dict(closing.cut)),
    )
    for bins in _FINER:
        try:
            return make(fine_bins=bins, segment_bins=min(bins, SEGMENT_BINS))
        except InvalidEventError as error:
            if error.field != "baseline":  # not the size
                raise
    return make(fine_bins=_LEAST_BINS, segment_bins=_LEAST_BINS)
