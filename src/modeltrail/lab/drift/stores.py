"""Ledger, broker, publisher and clock of the world: the Protocols of the watch, in memory and in virtual time."""

import asyncio
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.narrow import Change, NarrowRows
from modeltrail.drift.windows.order import Cut
from modeltrail.drift.windows.stretch import AHEAD_US
from modeltrail.errors import BrokerUnavailableError, StoreUnavailableError, TamperError
from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.encode import Event
from modeltrail.lab.drift.computing import computed
from modeltrail.lab.drift.log import (
    CHECKS,
    MODELS,
    PREDICTIONS,
    WALL_MS,
    Entry,
    Prediction,
    rows_of,
    told_of,
)
from modeltrail.ledger.chain import Chain, PartitionId, parse_chain
from modeltrail.watch.protocols import Computed, Frontier, Idle, LastCheck, Layout, Part, Since, Told
from modeltrail.watch.resume import Unit

if TYPE_CHECKING:
    from modeltrail.lab.drift.world import World

__all__ = ["SHARES", "MemoryBroker", "MemoryClock", "MemoryLedger", "MemoryPublisher", "Unobserved"]

SHARES = 4
D = TypeVar("D", CheckCompleted, BaselineRegistered)
Ends = Mapping[Chain, Frontier]


class MemoryClock:
    """The virtual clock, as a worker reads it."""

    def __init__(self, world: "World") -> None:
        self._loop = world.loop

    def now_ms(self) -> int:  # noqa: D102
        return WALL_MS + int(self._loop.time() * 1000)

    def monotonic(self) -> float:  # noqa: D102
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:  # noqa: D102
        await asyncio.sleep(seconds)


class Unobserved:
    """Nobody counts; but where a restart gives up for a fault of its own, that is one of the `problems` of the run."""

    problems: list[str]

    def began(self, shares: int, models: int) -> None: ...  # noqa: D102
    def looked(self, *, entries: int, waiting: int, lag: int, models: int) -> None: ...  # noqa: D102
    def checked(self, kind: str, status: str, seconds: float) -> None: ...  # noqa: D102
    def alerted(self, kind: str, transition: str, message: str) -> None: ...  # noqa: D102
    def failed(self, what: str, error: str) -> None:  # noqa: D102
        if "cannot be gone on from" in what:
            self.problems.append(f"{what}: {error}")

    def set_aside(self, errors: Mapping[str, str]) -> None: ...  # noqa: D102
    def tampered(self, error: TamperError) -> None: ...  # noqa: D102
    def waiting(self, dependency: str, error: Exception) -> None: ...  # noqa: D102
    def going_on(self, dependency: str) -> None: ...  # noqa: D102


class MemoryLedger:
    """The ledger: of each partition's log what is chained, and typed tables that may lack the last of it."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def _answer(self) -> None:
        await asyncio.sleep(self._world.rng.uniform(0, 0.01))
        if self._world.store_away:
            raise StoreUnavailableError("the store is away")

    async def frontiers(self) -> dict[Chain, Frontier]:  # noqa: D102
        await self._answer()
        there = self._world.chained_chains()
        return {chain: Frontier(len(entries) - 1, entries[-1].log_time) for chain, entries in there.items() if entries}

    async def offsets(self, ends: Mapping[Chain, int]) -> dict[Chain, int]:  # noqa: D102
        await self._answer()
        return {chain: chain.first_offset + seq for chain, seq in ends.items()}

    async def read(self, chain: Chain, first: int, last: int) -> tuple[NarrowRows, Sequence[Change]]:  # noqa: D102
        await self._answer()
        entries = self._world.chains()[chain][first : last + 1]
        self._world.rows_read += len(entries)
        if chain.of == CHECKS:
            return NarrowRows.empty(), told_of(chain, entries, first)
        return rows_of(chain, entries, first), told_of(chain, entries, first)

    def _told(self, kind: type[D]) -> list[D]:
        there = [*self._world.chained_entries(MODELS), *self._world.chained_entries(CHECKS)]
        return [entry.told for entry in there if isinstance(entry.told, kind)]

    def _of(self, ends: Ends, *partitions: PartitionId) -> list[tuple[Chain, Sequence[Entry]]]:
        """Return the chains of partitions with their entries up to ends."""
        chains = self._world.chains()
        return [(chain, chains[chain][: ends[chain].seq + 1]) for chain in sorted(ends) if chain.of in partitions]

    async def published(self, check_ids: Collection[str]) -> dict[str, Mapping[str, Any]]:  # noqa: D102
        await self._answer()
        wanted = set(check_ids)
        # What comes back from a ledger went through JSON.
        found: dict[str, Mapping[str, Any]] = {
            check.check_id: json.loads(json.dumps(check.carry))
            for check in self._told(CheckCompleted)
            if check.check_id in wanted
        }
        learned = {baseline.baseline_id for baseline in self._told(BaselineRegistered)}
        return found | {check_id: {} for check_id in wanted if f"learned-{check_id}" in learned}

    async def last_checks(self, ends: Ends) -> list[LastCheck] | None:  # noqa: D102
        await self._answer()
        if self._world.lacks_rows():
            return None
        checks = [entry for _, entries in self._of(ends, CHECKS) for entry in entries]
        last: dict[Unit, tuple[tuple[Any, ...], LastCheck]] = {}
        for check in (entry.told for entry in checks):
            if not isinstance(check, CheckCompleted) or check.cut is None or check.window is None:
                continue
            entry = check.cut.entry
            found = LastCheck(
                check.check_id,
                check.monitor.id,
                check.model_id,
                check.model_version or "",
                check.kind,
                check.window.label_delay_s or 0,
                sum(seq + 1 for seq in check.cut.frontier.values()),
                (parse_chain(entry.chain), entry.seq),
            )
            place = (found.reach, check.window.end or "", check.window.index or 0)
            if Unit.of(found) not in last or place > last[Unit.of(found)][0]:
                last[Unit.of(found)] = place, found
        return [found for _, found in last.values()]

    async def told(self, ends: Ends) -> list[Told]:  # noqa: D102
        await self._answer()
        found = []
        for chain, entries in self._of(ends, MODELS, CHECKS):
            rows = rows_of(chain, entries) if chain.of == MODELS else NarrowRows.empty()
            found.append(Told(chain, rows, told_of(chain, entries)))
        return found

    async def entries(self, places: Collection[tuple[Chain, int]]) -> NarrowRows:  # noqa: D102
        await self._answer()
        chains = self._world.chains()
        found = [(chain, seq, chains[chain][seq]) for chain, seq in places if chain.of in PREDICTIONS]
        self._world.rows_asked_for += len(found)
        return NarrowRows.concatenate([rows_of(chain, [entry], seq) for chain, seq, entry in found if entry.prediction])

    async def outermost(self, before: Mapping[str, int], otherwise: int, ends: Ends) -> NarrowRows | None:  # noqa: D102
        await self._answer()
        if self._world.lacks_rows():
            return None
        found: dict[tuple[str, str], list[tuple[Chain, int, Entry]]] = {}
        for chain, seq, entry, made in self._predictions(ends):
            if entry.log_time < before.get(made.model_id, otherwise):
                found.setdefault(made[:2], []).append((chain, seq, entry))
        some = [place for places in found.values() for place in _outermost(places)]
        self._world.rows_asked_for += len(some)
        return NarrowRows.concatenate([rows_of(chain, [entry], seq) for chain, seq, entry in some])

    async def predictions(  # noqa: D102
        self, since: Mapping[str, Since], ends: Ends, *, behind: int, through: int, most: int
    ) -> Part:
        await self._answer()
        found = []
        for chain, seq, entry, made in self._predictions(ends):
            wanted = since.get(made.model_id)
            if wanted is None or not max(behind + 1, wanted.log_time) <= entry.log_time <= through:
                continue
            if seq > wanted.cut.get(str(chain), -1):
                found.append((entry.log_time, chain, seq, entry))
        found.sort(key=lambda place: place[:3])
        if len(found) > most:
            through = found[most - 1][0]
            found = [place for place in found if place[0] <= through]
        self._world.rows_asked_for += len(found)
        return Part(NarrowRows.concatenate([rows_of(chain, [entry], seq) for _, chain, seq, entry in found]), through)

    def _predictions(self, ends: Ends) -> Iterator[tuple[Chain, int, Entry, Prediction]]:
        for chain, entries in self._of(ends, *PREDICTIONS):
            for seq, entry in enumerate(entries):
                if entry.prediction is not None:
                    yield chain, seq, entry, entry.prediction

    async def cuts(self, log_times: Collection[int], ends: Ends) -> dict[int, Cut]:  # noqa: D102
        await self._answer()
        found = {log_time: await self.before(log_time, ends) for log_time in log_times}
        return {log_time: {str(chain): end.seq for chain, end in cut.items()} for log_time, cut in found.items()}

    async def before(self, log_time: int, ends: Ends) -> dict[Chain, Frontier]:  # noqa: D102
        await self._answer()
        found = {}
        for chain, entries in self._of(ends, *PREDICTIONS, MODELS):
            earlier = sum(entry.log_time < log_time for entry in entries)
            if earlier:
                found[chain] = Frontier(earlier - 1, entries[earlier - 1].log_time)
        return found

    async def compute(self, closing: Closing, carry: Mapping[str, Any] | None) -> Computed:  # noqa: D102
        await self._answer()
        await asyncio.sleep(self._world.rng.uniform(0, 0.05))
        self._require(closing.cut)
        return computed(closing, carry, self._world.chains())

    def _require(self, cut: Cut) -> None:
        there = {str(chain): len(entries) for chain, entries in self._world.chained_chains().items()}
        for chain, seq in cut.items():
            if seq >= there.get(chain, 0):
                raise AssertionError(f"the cut names what is not in the ledger yet: {chain}")


def _outermost(places: list[tuple[Chain, int, Entry]]) -> list[tuple[Chain, int, Entry]]:
    def time_us(place: tuple[Chain, int, Entry]) -> int:
        made = place[2].prediction
        return 0 if made is None else made.time_us

    sane = [place for place in places if time_us(place) <= place[2].log_time * 1000 + AHEAD_US]
    last = max(places, key=lambda place: place[2].log_time)
    found = [last, *([min(sane, key=time_us), max(sane, key=time_us)] if sane else [])]
    return list({(chain, seq): (chain, seq, entry) for chain, seq, entry in found}.values())


class MemoryBroker:
    """The broker: a record counts from when it can be read, which is a little after it got its time."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def _answer(self) -> None:
        await asyncio.sleep(self._world.rng.uniform(0, 0.05))
        if self._world.broker_away:
            raise BrokerUnavailableError("the broker is away")

    async def layout(self) -> Layout:  # noqa: D102
        await self._answer()
        return Layout(frozenset([*PREDICTIONS, MODELS]), SHARES, frozenset([CHECKS]))

    async def idle(self, after: Mapping[PartitionId, int | None]) -> Idle:  # noqa: D102
        await self._answer()
        world = self._world
        idle = {of for of, offset in after.items() if len(world.log[of]) == (-1 if offset is None else offset) + 1}
        return Idle(frozenset(idle - {world.stuck}), producer_time=False)


class MemoryPublisher:
    """Takes events as a broker does: each lands in the log of its topic, acknowledged or not."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def publish(self, events: Sequence[Event]) -> None:  # noqa: D102
        world = self._world
        for event in events:
            await asyncio.sleep(world.rng.uniform(0, 0.01))
            if world.broker_away:
                raise BrokerUnavailableError("the broker is away")
            world.published.append(event)
            topic = MODELS if isinstance(event.data, BaselineRegistered) else CHECKS
            if isinstance(event.data, BaselineRegistered | CheckCompleted):
                world.append(topic, Entry(WALL_MS + int(world.loop.time() * 1000), told=event.data))
            if world.rng.random() < world.trouble.unacknowledged:
                raise BrokerUnavailableError("the acknowledgement was lost")
