"""Where a share of the models was left off: a restart reads what is new, not the whole ledger.

Every check carries the fold of its model as it was before the entry x that closed it. So of each model are read

    ledger      .......|x------------------------------|====>
                 fold  ^ its last check                ^ from here on, every entry of every chain
                        its own predictions only, as few as they are

The entries of others only matter for cuts, and cuts only where something closes. Every entry is read from the first one
at which something closes that no check tells of, or where predictions begin to be counted; at the latest from where
chains may still bring entries. What is found is as good as what was folded from the first entry on.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from modeltrail.drift.windows import passed as order
from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.narrow import Change, NarrowRows
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.monitors import CountWindow, MonitorConfigured
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.watch.protocols import Broker, Clock, Frontier, Idle, LastCheck, Ledger, Since, Told

__all__ = ["Questions", "Resumed", "Unit", "resume"]

T = TypeVar("T")

NEAR_MS = 60_000
"""So far behind the newest entry of all, a chain is read on from its end; a quieter one is first asked about."""

AT_ONCE = 50
"""Checks that are asked for in one question to the ledger."""

PRODUCER_GRACE_S = 10.0
"""How long to wait before a look at a broker that keeps the time of producers."""


class Unit(NamedTuple):
    """What one line of checks is about, each of which starts from the one before."""

    monitor_id: str
    model_id: str
    model_version: str
    kind: str
    label_delay_s: int

    @classmethod
    def of(cls, each: Closing | LastCheck) -> "Unit":
        """Return the unit of a closing, or of a check."""
        version = each.model_version
        if isinstance(each, Closing):
            return cls(each.monitor.monitor_id, each.model_id, version, each.kind, each.label_delay_s)
        return cls(each.monitor_id, each.model_id, version, each.kind, each.label_delay_s)


class Patience(Protocol):
    """Does something that may be repeated until store and broker answer."""

    def __call__(self, work: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """Return what `work` returned."""
        ...


@dataclass(frozen=True, slots=True)
class Questions:
    """Whom to ask, and about what: the partitions that are watched, and the models that this share `serves`."""

    ledger: Ledger
    broker: Broker
    clock: Clock
    patiently: Patience
    watched: frozenset[PartitionId]
    serves: Callable[[str], bool]
    grace_s: float | None


@dataclass(frozen=True, slots=True)
class Resumed:
    """The state of a session that has read all up to `read`.

    `closings` are those of the entries x that closed last: most were checked before. `waiting` was read, and has not
    been passed yet.
    """

    watch: Watch
    closings: list[Closing]
    carries: dict[Unit, Mapping[str, Any]]
    read: dict[Chain, Frontier]
    waiting: list[Told]
    producer_time: bool


@dataclass(frozen=True, slots=True)
class _Left:
    """A model as its last check left it, and the closings at its entry x."""

    fold: Mapping[str, Any]
    closings: Sequence[Closing] = ()


async def resume(given: Questions) -> Resumed | None:
    """Return where the share goes on; None where it can only begin at the first entry of the ledger.

    That is so where nothing is there yet, or where a table that is asked has not got every entry.
    """
    ledger, patiently = given.ledger, given.patiently
    ends = await patiently(ledger.frontiers)
    limit, producer_time = await _passed(given, ends)
    last = await patiently(partial(ledger.last_checks, ends))
    if limit is None or last is None:
        return None
    last = [check for check in last if given.serves(check.model_id)]
    carries = await _carries(given, last)
    newest = {check.model_id: check for check in sorted(last, key=lambda check: check.reach)}
    folds = {
        model_id: fold for model_id, check in newest.items() if (fold := carries.get(Unit.of(check), {}).get("fold"))
    }
    if len(folds) < len(newest):
        return None
    told = await patiently(partial(ledger.told, ends))
    changes = [change for part in told for change in part.changes]
    # Of a model without a check, only what came before its first monitor is summed up; the rest is read entry by entry.
    first = {model_id: at for model_id, at in _first_configured(given, changes).items() if model_id not in folds}
    limit = min([limit, *(log_time - 1 for log_time in first.values())])
    everything = {str(chain): end.seq for chain, end in ends.items()}
    since = {model_id: Since(everything, log_time) for model_id, log_time in first.items()}
    since |= {model_id: Since(fold["cut"], 0) for model_id, fold in folds.items()}
    rows = await patiently(partial(ledger.predictions, since, ends))
    if rows is None:
        return None
    lefts = []
    for model_id, fold in folds.items():
        left = _behind_x(newest[model_id], fold, rows, changes)
        if left is None:
            return None
        lefts.append(left)
    watch, limit = _folded(given, lefts, rows, changes, limit)
    # What was summed up must end before what is read entry by entry: else the outermost of the first part are unknown.
    summed = [code for code, model in enumerate(rows.models) if model not in folds]
    if any((rows.log_time[rows.model == code] > limit).any() for code in summed):
        return None
    before = await patiently(partial(ledger.before, limit + 1, ends))
    watch.take_as_read({str(chain): end.seq for chain, end in before.items()})
    return Resumed(
        watch,
        [closing for left in lefts for closing in left.closings],
        carries,
        {**before, **{part.chain: ends[part.chain] for part in told}},
        [part.after(limit) for part in told],
        producer_time,
    )


async def _passed(given: Questions, ends: Mapping[Chain, Frontier]) -> tuple[int | None, bool]:
    """Return up to which log_time no chain can bring an entry any more, and whether producers set the time."""
    newest = {chain.of: chain for chain in sorted(ends, key=lambda chain: chain.order) if chain.of in given.watched}
    if not newest:
        return None, False
    highest = max(ends[chain].log_time for chain in newest.values())

    def through(idle: frozenset[PartitionId] = frozenset()) -> int | None:
        return order.passed(
            order.Frontier(
                of,
                newest.get(of),
                ends[newest[of]].log_time if of in newest else None,
                highest if of in idle else None,
            )
            for of in given.watched
        ).through

    reached = through()
    if reached is not None and reached >= highest - NEAR_MS:
        return reached, False
    offsets = await given.patiently(lambda: given.ledger.offsets({chain: ends[chain].seq for chain in newest.values()}))
    asked: dict[PartitionId, int | None] = dict.fromkeys(given.watched)
    asked |= {chain.of: offset for chain, offset in offsets.items()}
    grace_s = 1.0 if given.grace_s is None else given.grace_s
    await given.clock.sleep(grace_s)
    seen: Idle = await given.patiently(lambda: given.broker.idle(asked))
    if seen.producer_time and given.grace_s is None:
        await given.clock.sleep(PRODUCER_GRACE_S - grace_s)
        seen = await given.patiently(lambda: given.broker.idle(asked))
    return through(seen.partitions), seen.producer_time


async def _carries(given: Questions, last: Sequence[LastCheck]) -> dict[Unit, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(last), AT_ONCE):
        ids = [check.check_id for check in last[start : start + AT_ONCE]]
        found |= await given.patiently(partial(given.ledger.published, ids))
    return {Unit.of(check): found[check.check_id] for check in last if check.check_id in found}


def _first_configured(given: Questions, changes: Sequence[Change]) -> dict[str, int]:
    """Return the log_time of the first monitor of each model that is served."""
    first: dict[str, int] = {}
    for change in sorted(changes, key=lambda change: change.position):
        told = change.told
        if isinstance(told, MonitorConfigured) and given.serves(told.model_id):
            first.setdefault(told.model_id, change.position.log_time)
    return first


def _behind_x(check: LastCheck, fold: Mapping[str, Any], rows: NarrowRows, changes: Sequence[Change]) -> _Left | None:
    """Fold the entry that closed last, alone, so that its cut is the one that was published; None if it is not there.

    What was chained later, though its place is before that entry, is late.
    """
    watch = Watch()
    watch.restore(fold)
    chain, seq = check.entry
    x = rows.take((rows.seq == seq) & (rows.chain == rows.chains.index(chain))) if chain in rows.chains else None
    told = [change for change in changes if change.position.of == chain and change.position.seq == seq]
    if not told and (x is None or not len(x)):
        return None
    closings = watch.feed(NarrowRows.empty() if x is None else x, told)
    mine = [closing for closing in closings if closing.model_id == check.model_id]
    return _Left(watch.snapshot(check.model_id), mine)


def _folded(
    given: Questions, lefts: Sequence[_Left], rows: NarrowRows, changes: Sequence[Change], limit: int
) -> tuple[Watch, int]:
    """Fold what follows up to a log_time, at most to the last one before which no cut is needed; return that too."""
    watch = Watch(serves=given.serves)
    for left in lefts:
        watch.restore(left.fold)
    cut_at = [
        change.position.log_time
        for change in changes
        if isinstance(change.told, MonitorConfigured)
        and _counts(change.told)
        and given.serves(change.told.model_id)
        and not watch.has_read(change.told.model_id, change.position)
    ]
    reached = min([limit, *(log_time - 1 for log_time in cut_at)])
    passed = [change for change in changes if change.position.log_time <= reached]
    closings = watch.feed(rows.through(reached)[0], passed)
    if closings:
        return _folded(given, lefts, rows, changes, min(closing.x.log_time for closing in closings) - 1)
    return watch, reached


def _counts(monitor: MonitorConfigured) -> bool:
    """Whether a monitor counts predictions from the entry on that configured it."""
    return monitor.enabled and (isinstance(monitor.window, CountWindow) or monitor.learn is not None)
