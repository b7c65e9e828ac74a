"""A world in memory for the live watch: a log, a ledger that follows it, a broker, a clock, and workers that die.

The log is drawn from a seed once and is the same in every run. A run is disturbed by another seed: how fast each chain
follows its partition, which block messages arrive, when workers die, freeze and come back, when store and broker are
away, and whether an event that the broker took was acknowledged.

A check of this world says how many predictions its window holds, and carries a hash over all checks of its unit before
it: what was computed from another state has another carry, and is found.
"""

import asyncio
import hashlib
import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from modeltrail.drift.closing import learned_baseline_id
from modeltrail.drift.narrow import Change, NarrowRows, Tick, told_by
from modeltrail.drift.order import Position
from modeltrail.drift.stretch import AHEAD_US
from modeltrail.errors import BrokerUnavailableError, InvalidEventError, StoreUnavailableError
from modeltrail.events.alerts import AlertRaised
from modeltrail.events.baselines import BaselineField, BaselineRegistered, BaselineSource
from modeltrail.events.canonical import content_hash
from modeltrail.events.checks import CheckCompleted, CheckReference
from modeltrail.events.encode import Event
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.lab.loop import Process, VirtualLoop
from modeltrail.ledger.chain import Chain, PartitionId, parse_chain
from modeltrail.watch.protocols import Computed, Frontier, Idle, LastCheck, Layout, Told
from modeltrail.watch.service import WatchOptions, WatchService

CLUSTER = "c"
PREDICTIONS = [PartitionId(CLUSTER, "t.predictions", number) for number in range(3)]
MODELS = PartitionId(CLUSTER, "t.models", 0)
CHECKS = PartitionId(CLUSTER, "t.checks", 0)
SHARES = 4
DAY_US = 86_400_000_000
EVENT_START_US = 15_706 * DAY_US  # 2013-01-01
WALL_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Entry:
    """One record of the log: a prediction (model, version, event time), something told, or nothing of interest."""

    log_time: int
    prediction: tuple | None = None
    told: object = None


def moment(time_us):
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")


def a_baseline(model, version="1", name="b-1"):
    return BaselineRegistered.sealed(
        baseline_id=name,
        model_id=model,
        model_version=version,
        rows=10,
        kind="binary",
        source=BaselineSource(kind="sample", rows=10),
        fields=[
            BaselineField(
                name="x", role="feature", kind="numeric", n=10, missing=0, edges=[(0.5).hex()], counts=[5, 5],
                groups=[0, 1], mean=0.5, std=0.5,
            )
        ],
    )  # fmt: skip


@dataclass
class Log:
    """What is published, in the order of the wall clock: (seconds, partition, entry)."""

    script: list = field(default_factory=list)

    def at(self, seconds, partition, *, prediction=None, told=None):
        self.script.append((seconds, partition, Entry(WALL_MS + int(seconds * 1000), prediction, told)))

    @property
    def end_s(self):
        return max(seconds for seconds, _, _ in self.script)


def drawn_log(seed, *, days=40, a_day=12, models=("m", "n", "o"), per_second=6):
    """A log of `days` days of event time: late and early events, bursts, a partition that is idle for long, changes."""
    rng = random.Random(seed)
    log = Log()
    log.at(0.0, MODELS, told=None)
    for model in models:
        log.at(0.1, MODELS, told=a_baseline(model))
        window = rng.choice([
            {"kind": "tumbling", "size_s": 86_400}, {"kind": "tumbling", "size_s": 7 * 86_400, "allowed_lateness_s": 3600},
            {"kind": "sliding", "size_s": 3 * 86_400, "step_s": 86_400}, {"kind": "count", "every": 40},
            {"kind": "schedule", "cron": "@weekly", "timezone": "Europe/Berlin"},
        ])  # fmt: skip
        log.at(0.2, MODELS, told=MonitorConfigured(monitor_id=f"{model}-a", model_id=model, window=window))
        log.at(
            0.2, MODELS,
            told=MonitorConfigured(
                monitor_id=f"{model}-b", model_id=model, late_horizon=6, window={"kind": "tumbling", "size_s": 86_400},
                performance=[{"metric": "error_rate", "threshold": 0.5, "label_delay_s": 2 * 86_400}],
            ),
        )  # fmt: skip
    idle_from, idle_to = sorted(rng.uniform(0, days) for _ in range(2))
    wall = 1.0
    for number in range(days * a_day):
        day = number / a_day
        wall += rng.expovariate(per_second)
        partition = rng.choice(PREDICTIONS)
        if partition == PREDICTIONS[2] and idle_from < day < idle_to:
            partition = PREDICTIONS[0]
        lag = rng.choice([0.0] * 6 + [rng.uniform(0, 0.3), rng.uniform(0, 3), rng.uniform(0, 12)])
        time_us = EVENT_START_US + int((day - lag) * DAY_US)
        if rng.random() < 0.005:
            time_us = (WALL_MS + 10**9) * 1000  # a producer whose clock is wrong
        what = rng.random()
        if what < 0.06:
            log.at(wall, partition)  # an outcome, a gap, or something that was rejected
        else:
            log.at(wall, partition, prediction=(rng.choice(models), rng.choice(["1", "1", "1", "2"]), time_us))
        if rng.random() < 0.01:
            model = rng.choice(models)
            told = rng.choice([
                MonitorConfigured(monitor_id=f"{model}-b", model_id=model, window={"kind": "tumbling", "size_s": 43_200}),
                MonitorConfigured(monitor_id=f"{model}-a", model_id=model, enabled=rng.random() < 0.5),
                a_baseline(model, name=f"b-{number}"),
                a_baseline(model, version="2", name=f"b-{number}"),
                MonitorAdvanced(model_id=model, through=moment(EVENT_START_US + int((day - 1) * DAY_US))),
            ])  # fmt: skip
            log.at(wall, MODELS, told=told)
    for model in models:
        log.at(
            wall + 1, MODELS, told=MonitorAdvanced(model_id=model, through=moment(EVENT_START_US + (days + 9) * DAY_US))
        )
    return log


@dataclass(frozen=True)
class Trouble:
    """How a run is disturbed; all of it zero is an undisturbed run."""

    seed: int = 0
    workers: int = 1
    chain_lag_s: float = 0.0
    """How long a record may take into the ledger, by partition, at most."""
    lost_blocks: float = 0.0
    kill_every_s: float = 0.0
    freeze_every_s: float = 0.0
    outage_every_s: float = 0.0
    unacknowledged: float = 0.0
    read_rows: int = 100_000
    grace_s: float | None = 1.0
    hidden_checks: float = 0.1
    """How often a table that a restart asks does not have everything, so that it begins at the first entry."""


class World:
    """One run over a log."""

    def __init__(self, log, trouble=None):
        self.trouble = trouble or Trouble()
        self.rng = random.Random(self.trouble.seed)
        self.loop = VirtualLoop(random.Random(self.trouble.seed), shuffle=self.trouble.seed != 0)
        self.log = defaultdict(list)
        self.chained = defaultdict(int)
        self.published = []
        self.store_away = self.broker_away = False
        self.workers = {}
        self.deaths = 0
        self.problems = []
        self.looked = 0
        self.resumed = 0
        """Sessions that went on from the last checks, and not from the first entry."""
        self.computed = 0
        self.source = log
        self.speeds = {}
        self.never_idle = set()
        self.producer_time = False
        self.fails = {}
        """Model to the error of each of its checks."""
        self.refuses = set()
        """Models of which nothing can be sent but what failed."""
        self.told_waiting = []
        self.published_at = []
        self.hang = None

    # The log and the ledger

    def append(self, partition, entry):
        entry = replace(
            entry, log_time=max(entry.log_time, self.log[partition][-1].log_time if self.log[partition] else 0)
        )
        self.log[partition].append(entry)
        speed = self.speeds.setdefault(partition, self.rng.uniform(0, self.trouble.chain_lag_s))
        length = len(self.log[partition])
        self.loop.after(self.rng.uniform(0, speed), self.chain, partition, length)

    def chain(self, partition, length):
        self.chained[partition] = max(self.chained[partition], length)
        for worker in self.workers.values():
            if not worker.process.dead and self.rng.random() >= self.trouble.lost_blocks:
                worker.service.wake()

    def entries(self, partition):
        return self.log[partition][: self.chained[partition]]

    # Workers

    def run(self, *, rest_s=120.0):
        """Play the log, with its disturbances, then let everything settle; return what was published."""
        for seconds, partition, entry in self.source.script:
            self.loop.after(seconds, self.append, partition, entry)
        for number in range(self.trouble.workers):
            self.start(f"w{number}")
        self.share_out()
        end = self.source.end_s + self.trouble.chain_lag_s
        for every, what in (
            (self.trouble.kill_every_s, self.kill_one),
            (self.trouble.freeze_every_s, self.freeze_one),
            (self.trouble.outage_every_s, self.outage),
        ):
            at = 0.0
            while every and (at := at + self.rng.expovariate(1 / every)) < end:
                self.loop.after(at, what)
        self.loop.run(end + rest_s)
        for worker in self.workers.values():
            self.loop.kill(worker.process)
        assert not self.problems, self.problems
        return Published.of(self.published)

    def start(self, name):
        worker = Worker(self, name)
        self.workers[name] = worker

    def share_out(self):
        """What a rebalance does: everybody gives up what they have, and gets a share of their own."""
        alive = [worker for worker in self.workers.values() if not worker.process.dead and not worker.process.frozen]
        parts = list(range(SHARES))
        self.rng.shuffle(parts)
        for number, worker in enumerate(alive):
            worker.reassign(frozenset(parts[number :: len(alive)]))

    def kill_one(self):
        if not self.workers:
            return
        name, worker = self.rng.choice(sorted(self.workers.items()))
        self.loop.kill(worker.process)
        self.deaths += 1
        del self.workers[name]
        self.loop.after(self.rng.uniform(0, 3), self.come_back, name)
        self.loop.after(self.rng.uniform(0, 1), self.share_out)

    def come_back(self, name):
        self.start(name)
        self.share_out()

    def freeze_one(self):
        """A worker that stands still keeps its share while others have it: it goes on as if nothing had been."""
        if not self.workers:
            return
        _, worker = self.rng.choice(sorted(self.workers.items()))
        if worker.process.frozen:
            return
        worker.process.frozen = True
        self.share_out()
        self.loop.after(self.rng.uniform(1, 6), self.thaw, worker)

    def thaw(self, worker):
        if not worker.process.dead:
            self.loop.thaw(worker.process)
            self.loop.after(self.rng.uniform(0, 2), self.share_out)

    def outage(self):
        name = self.rng.choice(["store_away", "broker_away"])
        setattr(self, name, True)
        self.loop.after(self.rng.uniform(0.1, 5), setattr, self, name, False)


class Worker:
    """A process with the real service in it, and this world around it."""

    def __init__(self, world, name):
        self.world = world
        self.process = Process(name)
        options = WatchOptions(
            poll_s=2.0, grace_s=world.trouble.grace_s, max_wait_s=900, read_rows=world.trouble.read_rows
        )
        self.service = WatchService(
            ledger=MemoryLedger(world), broker=MemoryBroker(world), publisher=MemoryPublisher(world),
            clock=VirtualClock(world.loop), observer=Observer(world), options=options,
        )  # fmt: skip
        world.loop.spawn(self.process, self._run(), name=name)

    async def _run(self):
        try:
            await self.service.run()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a failure of the test, told at its end
            if not self.process.dying:
                self.world.problems.append(repr(error))

    def reassign(self, shares):
        async def rebalance():
            await self.service.give_up()
            self.service.assign(shares)

        self.world.loop.spawn(self.process, rebalance(), name="rebalance")


class VirtualClock:
    def __init__(self, loop):
        self._loop = loop

    def now_ms(self):
        return WALL_MS + int(self._loop.time() * 1000)

    def monotonic(self):
        return self._loop.time()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


class Observer:
    def __init__(self, world):
        self.world = world

    def began(self, shares, models): ...
    def looked(self, **_):
        self.world.looked += 1

    def checked(self, kind, status, seconds): ...
    def alerted(self, kind, transition, message): ...
    def failed(self, what, error): ...
    def waiting(self, dependency, error):
        self.world.told_waiting.append(dependency)

    def going_on(self, dependency): ...


class MemoryLedger:
    def __init__(self, world):
        self.world = world

    async def _answer(self):
        await asyncio.sleep(self.world.rng.uniform(0, 0.01))
        if self.world.store_away:
            raise StoreUnavailableError("the store is away")

    async def frontiers(self):
        await self._answer()
        return {
            Chain(*partition, 0, 0): Frontier(count - 1, self.world.log[partition][count - 1].log_time)
            for partition, count in self.world.chained.items()
            if count
        }

    async def offsets(self, seqs):
        await self._answer()
        return dict(seqs)

    async def read(self, chain, first, last):
        await self._answer()
        entries = self.world.log[chain.of][first : last + 1]
        changes = [
            Change(Position.at(entry.log_time, chain, first + number), told)
            for number, entry in enumerate(entries)
            if (told := told_by(entry.told)) is not None
        ]
        if chain.of == CHECKS:
            return NarrowRows.empty(), [change for change in changes if isinstance(change.told, Tick)]
        predictions = [entry.prediction or (None, None, 0) for entry in entries]
        return NarrowRows.of_chain(
            chain,
            seq=range(first, last + 1),
            log_time=[entry.log_time for entry in entries],
            time_us=[time_us for _, _, time_us in predictions],
            model=[model for model, _, _ in predictions],
            version=[version for _, version, _ in predictions],
        ), changes

    def _checks(self):
        return [entry.told for entry in self.world.entries(CHECKS) if isinstance(entry.told, CheckCompleted)]

    async def published(self, check_ids):
        await self._answer()
        return {check.check_id: check.carry for check in self._checks() if check.check_id in check_ids}

    async def last_checks(self, ends):
        await self._answer()
        if self.world.rng.random() < self.world.trouble.hidden_checks:
            return None
        found = {}
        for check in [entry.told for entry in self._within(CHECKS, ends) if isinstance(entry.told, CheckCompleted)]:
            if check.kind == "tick":
                continue
            chain, seq = check.cut.entry.chain, check.cut.entry.seq
            last = LastCheck(
                check.check_id, check.monitor.id, check.model_id, check.model_version, check.kind,
                check.window.label_delay_s or 0, sum(seq + 1 for seq in check.cut.frontier.values()),
                (parse_chain(chain), seq),
            )  # fmt: skip
            window = (last.reach, check.window.end or "", check.window.index or 0)
            before = found.setdefault(last[1:6], (window, last))
            found[last[1:6]] = max(before, (window, last), key=lambda each: each[0])
        return [last for _, last in found.values()]

    def _within(self, partition, ends):
        end = ends.get(Chain(*partition, 0, 0))
        return [] if end is None else self.world.log[partition][: end.seq + 1]

    async def told(self, ends):
        return [
            Told(chain, *await self.read(chain, 0, end.seq))
            for chain, end in ends.items()
            if chain.of in (MODELS, CHECKS)
        ]

    async def predictions(self, since, ends):
        """Of models without a fold, and of others, only the first and the last by time and the last by log time."""
        chosen, others = set(), {}
        for partition in PREDICTIONS:
            chain = str(Chain(*partition, 0, 0))
            for seq, entry in enumerate(self._within(partition, ends)):
                if entry.prediction is None:
                    continue
                model, version, _ = entry.prediction
                wanted = since.get(model)
                if wanted is not None and seq > wanted.cut.get(chain, -1) and entry.log_time >= wanted.log_time:
                    chosen.add((partition, seq))
                elif wanted is None or entry.log_time < wanted.log_time:
                    others.setdefault((model, version), []).append((partition, seq, entry))
        for rows in others.values():
            sane = [row for row in rows if row[2].prediction[2] <= row[2].log_time * 1000 + AHEAD_US]
            outermost = [max(rows, key=lambda row: row[2].log_time)]
            if sane:
                outermost += [pick(sane, key=lambda row: row[2].prediction[2]) for pick in (min, max)]
            chosen.update((partition, seq) for partition, seq, _ in outermost)
        parts = []
        for partition in PREDICTIONS:
            rows, _ = await self.read(Chain(*partition, 0, 0), 0, len(self._within(partition, ends)) - 1)
            parts.append(rows.take(np.array([(partition, seq) in chosen for seq in rows.seq.tolist()], dtype=bool)))
        return NarrowRows.concatenate(parts)

    async def before(self, log_time, ends):
        await self._answer()
        self.world.resumed += 1
        found = {}
        for partition in (*PREDICTIONS, MODELS):
            earlier = [
                Frontier(seq, entry.log_time)
                for seq, entry in enumerate(self._within(partition, ends))
                if entry.log_time < log_time
            ]
            if earlier:
                found[Chain(*partition, 0, 0)] = earlier[-1]
        return found

    async def compute(self, closing, carry):
        await self._answer()
        await asyncio.sleep(self.world.rng.uniform(0, 0.05))
        self.world.computed += 1
        if self.world.hang is not None:
            await self.world.hang()
        if closing.model_id in self.world.fails:
            raise self.world.fails[closing.model_id]
        if closing.kind == "learn":
            learned = a_baseline(closing.model_id, closing.model_version, name=learned_baseline_id(closing))
            event = Event.of(learned, source="modeltrail/watch", actor="watch", id=learned.baseline_id, time=NOW)
            return Computed([event], None, {})
        rows = self._rows(closing)
        before = (carry or {}).get("before", "")
        check = CheckCompleted(
            check_id=closing.check_id,
            kind=closing.kind,
            monitor=CheckReference(id=closing.monitor.monitor_id, sha256=closing.monitor_sha256),
            baseline=closing.baseline
            and CheckReference(id=closing.baseline.baseline_id, sha256=closing.baseline.sha256),
            model_id=closing.model_id,
            model_version=closing.model_version,
            window=closing.check_window,
            cut=closing.check_cut,
            status="completed",
            rows=rows,
            closed_by=closing.closed_by,
            supersedes=closing.supersedes,
            incomplete=list(closing.incomplete),
            carry={"before": content_hash({"before": before, "check": closing.check_id}), "fold": dict(closing.fold)},
        )
        events = [Event.of(check, source="modeltrail/watch", actor="watch", id=check.check_id, time=NOW)]
        if rows % 3 == 0:
            alert_id = content_hash({"alert of": closing.check_id})
            alert = AlertRaised(
                alert_id=alert_id, kind="drift", severity="info", subject=closing.model_id, message="moved",
                opened_at=NOW, evidence={"before": before},
            )  # fmt: skip
            events.insert(0, Event.of(alert, source="modeltrail/watch", actor="watch", id=alert_id, time=NOW))
        return Computed(events, check, check.carry)

    def _rows(self, closing):
        """Count the window's predictions in the prefixes that the cut names, and require that they are all there."""
        window, rows = closing.window, 0
        upto = window.upto if window.is_run else closing.cut
        for partition in PREDICTIONS:
            chain = str(Chain(*partition, 0, 0))
            last = upto.get(chain, -1)
            assert last < self.world.chained[partition], "the cut names what is not in the ledger"
            for entry in self.world.log[partition][window.after.get(chain, -1) + 1 : last + 1]:
                if entry.prediction and entry.prediction[:2] == (closing.model_id, closing.model_version):
                    rows += window.is_run or window.start_us <= entry.prediction[2] < window.end_us
        return rows


NOW = "2026-01-01T00:00:00Z"


class MemoryBroker:
    def __init__(self, world):
        self.world = world

    async def _answer(self):
        await asyncio.sleep(self.world.rng.uniform(0, 0.05))
        if self.world.broker_away:
            raise BrokerUnavailableError("the broker is away")

    async def layout(self):
        await self._answer()
        return Layout(frozenset([*PREDICTIONS, MODELS]), SHARES)

    async def idle(self, after):
        await self._answer()
        idle = {of for of, offset in after.items() if len(self.world.log[of]) == (-1 if offset is None else offset) + 1}
        return Idle(frozenset(idle - self.world.never_idle), producer_time=self.world.producer_time)


class MemoryPublisher:
    """Takes events as a broker does: each lands in the log of its topic, acknowledged or not."""

    def __init__(self, world):
        self.world = world

    async def publish(self, events):
        for event in events:
            if event.subject in self.world.refuses and getattr(event.data, "status", "") != "failed":
                raise InvalidEventError("data", "2000000 bytes", "must be at most 1000000 bytes")
        for event in events:
            await asyncio.sleep(self.world.rng.uniform(0, 0.01))
            if self.world.broker_away:
                raise BrokerUnavailableError("the broker is away")
            self.world.published.append(event)
            self.world.published_at.append(self.world.loop.time())
            wall = WALL_MS + int(self.world.loop.time() * 1000)
            if isinstance(event.data, CheckCompleted):
                self.world.append(CHECKS, Entry(wall, told=event.data))
            elif isinstance(event.data, BaselineRegistered):
                self.world.append(MODELS, Entry(wall, told=event.data))
            if self.world.rng.random() < self.world.trouble.unacknowledged:
                raise BrokerUnavailableError("the acknowledgement was lost")


@dataclass(frozen=True)
class Published:
    """What a run has published, each event once; a repeat that says something else than the first is an error."""

    events: dict

    @classmethod
    def of(cls, events):
        found = {}
        for event in events:
            data = event.data.model_dump() | {"duration_ms": 0}
            first = found.setdefault(event.id, data)
            assert first == data, f"{event.id} was published twice, and differs"
        return cls(found)

    @property
    def checks(self):
        return {id_: data for id_, data in self.events.items() if "check_id" in data}

    @property
    def digest(self):
        return hashlib.sha256(repr(sorted(self.events.items(), key=lambda item: item[0])).encode()).hexdigest()


def differences(disturbed, undisturbed):
    """What one run has and the other has not, in a few words."""
    told = []
    for id_ in sorted({*disturbed.events, *undisturbed.events}):
        ours, theirs = disturbed.events.get(id_), undisturbed.events.get(id_)
        if ours != theirs:
            which = ours or theirs
            short = {
                name: which.get(name)
                for name in ("kind", "model_id", "model_version", "window", "cut", "rows", "closed_by", "supersedes")
            }
            told.append(("only here" if theirs is None else "only there" if ours is None else "differs", short))
    return told[:4]
