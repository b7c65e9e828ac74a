"""Where a share of the models was left off: a restart reads what is new, not the whole ledger.

Every check carries the fold of its model as it was before the entry x that closed it. So of each model are read

    ledger      .......|x------------------------------|====>
                 fold  ^ its last check                ^ from here on, every entry of every chain
                        its own predictions only, as few as they are

A model without a check has its own predictions read since its first monitor, and so has one with a last check that
cannot be read, because the contract has changed. What was before, and all of a model that nobody watches, comes to a
few numbers, which the ledger is asked for.

Every entry is read from the first one at which something closes that no check tells of; at the latest from where chains
may still bring entries. What is found is as good as what was folded from the first entry on.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

from modeltrail.drift.windows import passed as order
from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.narrow import Change, NarrowRows
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.watch.catching_up import CatchUp, summed_up
from modeltrail.watch.patience import Patience
from modeltrail.watch.protocols import Broker, Clock, Frontier, Idle, LastCheck, Ledger, Since, Told

__all__ = ["Questions", "Resumed", "Unit", "listens_for_silence", "resume"]

T = TypeVar("T")

NEAR_MS = 60_000
"""So far behind the newest entry of all, a chain is read on from its end; a quieter one is first asked about."""

AT_ONCE = 50
"""Checks that are asked for in one question to the ledger."""

LOOKS = 5
"""How often a table is asked again, once a second, that has not got every entry yet."""

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


@dataclass(frozen=True, slots=True)
class Questions:
    """Whom to ask, and about what: the partitions that are watched, and the models that this share `serves`.

    `ticking` are partitions that are watched where a monitor listens for silence.
    """

    ledger: Ledger
    broker: Broker
    clock: Clock
    patiently: Patience
    watched: frozenset[PartitionId]
    ticking: frozenset[PartitionId]
    serves: Callable[[str], bool]
    grace_s: float | None
    read_rows: int
    """Predictions that are in memory at a time."""


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
    listens: bool
    """Whether a monitor of a model that is served listens for silence, or has."""


@dataclass(frozen=True, slots=True)
class _Left:
    """A model as its last check left it, and the closings at its entry x."""

    fold: Mapping[str, Any]
    closings: Sequence[Closing] = ()


async def resume(given: Questions) -> Resumed | None:
    """Return where the share goes on; None where it can only begin at the first entry of the ledger.

    That is so where nothing is there yet, or where a table that is asked does not get every entry.
    """
    ledger, patiently = given.ledger, given.patiently
    ends = await patiently(ledger.frontiers)
    told = await patiently(partial(ledger.told, ends))
    changes = [change for part in told for change in part.changes]
    listens = any(listens_for_silence(change, given.serves) for change in changes)
    limit, producer_time = await _passed(given, ends, given.watched | given.ticking if listens else given.watched)
    last = await _seen(given, partial(ledger.last_checks, ends))
    if limit is None or last is None:
        return None
    last = [check for check in last if given.serves(check.model_id)]
    carries = await _carries(given, last)
    # Of a unit whose last check cannot be read, nobody knows what the next one starts from: all of its model is folded
    # anew, and each unit finds again the last check that can be.
    unread = {check.model_id for check in last if Unit.of(check) not in carries}
    last = [check for check in last if check.model_id not in unread]
    carries = {unit: carry for unit, carry in carries.items() if unit.model_id not in unread}
    newest = {check.model_id: check for check in sorted(last, key=lambda check: check.reach)}
    folds = {
        model_id: fold for model_id, check in newest.items() if (fold := carries.get(Unit.of(check), {}).get("fold"))
    }
    first = {model_id: at for model_id, at in _first_configured(given, changes).items() if model_id not in folds}
    summed = dict.fromkeys(folds, 0) | {model_id: min(at, limit + 1) for model_id, at in first.items()}
    outermost = await _seen(given, partial(ledger.outermost, summed, limit + 1, ends))
    if outermost is None:
        return None
    lefts = await _behind_x({model_id: newest[model_id] for model_id in folds}, folds, given, changes)
    if lefts is None:
        return None
    since = {left.fold["model"]: Since(left.fold["cut"], 0) for left in lefts}
    since |= {model_id: Since({}, log_time) for model_id, log_time in first.items() if log_time <= limit}
    catch_up = CatchUp(
        folds=[*summed_up(outermost, given.serves).values(), *(left.fold for left in lefts)],
        changes=changes,
        serves=given.serves,
        following=lambda behind, through, most: patiently(
            lambda: ledger.predictions(since, ends, behind=behind, through=through, most=most)
        ),
        cuts=lambda log_times: patiently(lambda: ledger.cuts(log_times, ends)),
        through=limit,
        most=given.read_rows,
    )
    watch = await catch_up.run()
    limit = catch_up.through
    before = await patiently(partial(ledger.before, limit + 1, ends))
    watch.take_as_read({str(chain): end.seq for chain, end in before.items()})
    return Resumed(
        watch,
        [closing for left in lefts for closing in left.closings],
        carries,
        {**before, **{part.chain: ends[part.chain] for part in told}},
        [part.after(limit) for part in told],
        producer_time,
        listens,
    )


def listens_for_silence(change: Change, serves: Callable[[str], bool]) -> bool:
    """Return whether a change is a monitor of a model that is served, to which ticks have something to say."""
    told = change.told
    if not isinstance(told, MonitorConfigured) or told.silence is None:
        return False
    return told.silence.max_gap_s is not None and serves(told.model_id)


async def _seen(given: Questions, ask: Callable[[], Awaitable[T | None]]) -> T | None:
    """Return an answer, None where it cannot be given for some seconds: rows of a block come into tables one by one."""
    for _ in range(LOOKS):
        found = await given.patiently(ask)
        if found is not None:
            return found
        await given.clock.sleep(1.0)
    return None


async def _passed(
    given: Questions, ends: Mapping[Chain, Frontier], watched: frozenset[PartitionId]
) -> tuple[int | None, bool]:
    """Return up to which log_time no chain can bring an entry any more, and whether producers set the time."""
    newest = {chain.of: chain for chain in sorted(ends, key=lambda chain: chain.order) if chain.of in watched}
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
            for of in watched
        )

    reached = through()
    if reached is not None and reached >= highest - NEAR_MS:
        return reached, False
    offsets = await given.patiently(lambda: given.ledger.offsets({chain: ends[chain].seq for chain in newest.values()}))
    asked: dict[PartitionId, int | None] = dict.fromkeys(watched)
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


async def _behind_x(
    newest: Mapping[str, LastCheck],
    folds: Mapping[str, Mapping[str, Any]],
    given: Questions,
    changes: Sequence[Change],
) -> list[_Left] | None:
    """Fold the entry that closed last of each model, alone, so that its cut is the one that was published.

    What was chained later, though its place is before that entry, is late. None where such an entry is not there.
    """
    rows = await given.patiently(lambda: given.ledger.entries({check.entry for check in newest.values()}))
    lefts = []
    for model_id, check in newest.items():
        watch = Watch()
        watch.restore(folds[model_id])
        chain, seq = check.entry
        x = rows.take((rows.seq == seq) & (rows.chain == rows.chains.index(chain))) if chain in rows.chains else None
        told = [change for change in changes if change.position.of == chain and change.position.seq == seq]
        if not told and (x is None or not len(x)):
            return None
        closings = watch.feed(NarrowRows.empty() if x is None else x, told)
        mine = [closing for closing in closings if closing.model_id == model_id]
        lefts.append(_Left(watch.snapshot(model_id), mine))
    return lefts
