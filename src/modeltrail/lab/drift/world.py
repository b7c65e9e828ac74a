"""One run over a log: the world around workers, and what befalls them."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from modeltrail.events.encode import Event
from modeltrail.lab.drift.computing import Published
from modeltrail.lab.drift.log import MODELS, PREDICTIONS, Entry, Log, divided
from modeltrail.lab.drift.stores import (
    SHARES,
    MemoryBroker,
    MemoryClock,
    MemoryLedger,
    MemoryPublisher,
    Unobserved,
)
from modeltrail.lab.loop import Process, VirtualLoop
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.watch.service import WatchOptions, WatchService

__all__ = ["GRACE_S", "Trouble", "Worker", "World", "drawn_trouble"]

GRACE_S = 1.0
_QUIET_S = 20.0
"""So long nothing must have happened: a tick is repeated sooner."""
_STUCK_S = 20.0
"""How long is waited for a partition that is stuck: longer than a record takes into the ledger."""
_HIDDEN_S = 0.8
"""How long a record may have its log_time before anybody can read it, at most: less than the grace."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """How a run is disturbed; all of it zero is an undisturbed run. Times in virtual seconds, shares from 0 to 1."""

    seed: int = 0
    workers: int = 1
    chain_lag_s: float = 0.0
    """How long a record may take into the ledger, by partition, at most."""
    lost_blocks: float = 0.0
    doubled_blocks: float = 0.0
    kill_every_s: float = 0.0
    freeze_every_s: float = 0.0
    move_every_s: float = 0.0
    outage_every_s: float = 0.0
    unacknowledged: float = 0.0
    untyped: float = 0.0
    """How often a typed table lacks a row when it is asked."""
    read_rows: int = 100_000
    grace_s: float | None = GRACE_S


def drawn_trouble(seed: int) -> Trouble:
    """Draw how a run is disturbed: some of all troubles, each strong or weak."""
    rng = random.Random(f"trouble {seed}")  # noqa: S311 - a simulation wants a seed

    def some(low: float, high: float, *, often: float = 0.5) -> float:
        return rng.uniform(low, high) if rng.random() < often else 0.0

    return Trouble(
        seed=seed + 1,
        workers=rng.choice([1, 1, 2, 3]),
        chain_lag_s=some(0.5, 8),
        lost_blocks=some(0.1, 0.95),
        doubled_blocks=some(0.1, 0.5),
        kill_every_s=some(3, 30, often=0.7),
        freeze_every_s=some(5, 30, often=0.4),
        move_every_s=some(4, 30),
        outage_every_s=some(5, 30),
        unacknowledged=some(0.02, 0.2),
        untyped=some(0.1, 0.9, often=0.3),
        read_rows=rng.choice([100_000, 100_000, 40, 7]),
    )


class World:
    """One run. What happened is in `published`, `problems`, `deaths` and the counts of rows that were read.

    A subclass may put other parts in: ledgers, brokers and publishers that fail in a way of their own.
    """

    ledger: type[MemoryLedger] = MemoryLedger
    broker: type[MemoryBroker] = MemoryBroker
    publisher: type[MemoryPublisher] = MemoryPublisher
    observer: type[Unobserved] = Unobserved

    def __init__(self, log: Log, trouble: Trouble | None = None) -> None:
        self.trouble = trouble or Trouble()
        self.rng = random.Random(self.trouble.seed)  # noqa: S311 - a simulation wants a seed
        self.loop = VirtualLoop(random.Random(self.trouble.seed), shuffle=self.trouble.seed != 0)  # type: ignore[abstract]  # noqa: S311
        self.log: dict[PartitionId, list[Entry]] = defaultdict(list)
        self.chained: dict[PartitionId, int] = defaultdict(int)
        self.published: list[Event] = []
        self.problems: list[str] = []
        self.store_away = self.broker_away = False
        self.deaths = 0
        self.rows_read = 0
        """Entries of the ledger that were read one by one."""
        self.rows_asked_for = 0
        """Predictions that a restart asked for."""
        self.stuck = log.stuck
        self._source = log
        self._last_record = 0.0
        self.workers: dict[str, Worker] = {}
        self._shown: dict[PartitionId, float] = {}
        self.speeds = {partition: self.rng.uniform(0, self.trouble.chain_lag_s) for partition in (*PREDICTIONS, MODELS)}

    # Log and ledger

    def append(self, partition: PartitionId, entry: Entry) -> None:
        """Put a record into a partition, where it can be read."""
        entries = self.log[partition]
        before = entries[-1].log_time if entries else 0
        self._last_record = self.loop.time()
        entries.append(replace(entry, log_time=max(entry.log_time, before)))
        delay = self.rng.uniform(0, self.speeds.get(partition, self.trouble.chain_lag_s))
        self.loop.after(delay, self._chain, partition, len(entries))

    def chained_entries(self, partition: PartitionId) -> Sequence[Entry]:
        """Return what of a partition is in the ledger."""
        return self.log[partition][: self.chained[partition]]

    def chains(self) -> dict[Chain, Sequence[Entry]]:
        """Return the chains of all that was published, chained or not."""
        return divided(self.log, self._source.breaks)

    def chained_chains(self) -> dict[Chain, Sequence[Entry]]:
        """Return the chains that are in the ledger."""
        return divided(
            {partition: self.chained_entries(partition) for partition in list(self.log)}, self._source.breaks
        )

    def lacks_rows(self) -> bool:
        """Whether a typed table lacks a row just now."""
        return self.rng.random() < self.trouble.untyped

    def _produce(self, partition: PartitionId, entry: Entry) -> None:
        """Give a record its place and time; it can be read a little later, in its order."""
        hidden = self.rng.uniform(0, _HIDDEN_S) if self.trouble.seed else 0.0
        at = max(self._shown.get(partition, 0.0), self.loop.time() + hidden)
        self._shown[partition] = at
        self.loop.after(at - self.loop.time(), self.append, partition, entry)

    def _chain(self, partition: PartitionId, length: int) -> None:
        self.chained[partition] = max(self.chained[partition], length)
        for worker in self.workers.values():
            if worker.process.dead or self.rng.random() < self.trouble.lost_blocks:
                continue
            worker.service.wake()
            if self.rng.random() < self.trouble.doubled_blocks:
                self.loop.after(self.rng.uniform(0, 1), worker.service.wake)

    # The run

    def run(self, *, rest_s: float = 60.0, settle_s: float = 0.0) -> Published:
        """Play the log with its disturbances, let everything settle, and return what was published.

        `settle_s`: how much longer to wait, at most, until nothing has happened for long and nothing is left to do.
        """
        trouble = self.trouble
        for seconds, partition, entry in self._source.script:
            self.loop.after(seconds, self._produce, partition, entry)
        for number in range(trouble.workers):
            self._start(f"w{number}")
        self._share_out()
        end = self._source.end_s + trouble.chain_lag_s
        for every, what in (
            (trouble.kill_every_s, self._kill_one),
            (trouble.freeze_every_s, self._freeze_one),
            (trouble.move_every_s, self._share_out),
            (trouble.outage_every_s, self._outage),
        ):
            at = 0.0
            while every and (at := at + self.rng.expovariate(1 / every)) < end:
                self.loop.after(at, what)
        until = end + rest_s
        self.loop.run(until)
        while not self._at_rest() and settle_s:
            if until >= end + rest_s + settle_s:
                self.problems.append("the watch does not come to rest")
                break
            until += _QUIET_S / 2
            self.loop.run(until)
        for worker in self.workers.values():
            self.loop.kill(worker.process)
        return Published.of(self.published)

    def _at_rest(self) -> bool:
        return (
            self.loop.time() - self._last_record > _QUIET_S
            and all(self.chained[partition] == len(there) for partition, there in self.log.items())
            and all(worker.service.settled for worker in self.workers.values())
        )

    # Fate

    def _start(self, name: str) -> None:
        self.workers[name] = Worker(self, name)

    def _share_out(self) -> None:
        """Do what a rebalance does: everybody gives up what they have, and gets a share of their own."""
        alive = [each for each in self.workers.values() if not each.process.dead and not each.process.frozen]
        parts = list(range(SHARES))
        self.rng.shuffle(parts)
        for number, worker in enumerate(alive):
            worker.reassign(frozenset(parts[number :: len(alive)]))

    def _kill_one(self) -> None:
        """Kill a worker some steps from now, at whatever it waits for then."""
        if self.workers:
            name, worker = self.rng.choice(sorted(self.workers.items()))
            worker.process.strike = lambda: self._die(name, worker)
            worker.process.fuse = self.rng.randint(1, 60)

    def _die(self, name: str, worker: "Worker") -> None:
        self.loop.kill(worker.process)
        self.deaths += 1
        if self.workers.get(name) is worker:
            del self.workers[name]
        self.loop.after(self.rng.uniform(0, 3), self._come_back, name)
        self.loop.after(self.rng.uniform(0, 1), self._share_out)

    def _come_back(self, name: str) -> None:
        self._start(name)
        self._share_out()

    def _freeze_one(self) -> None:
        """Let a worker stand still and keep its share while others have it; it goes on as if nothing had been."""
        if not self.workers:
            return
        _, worker = self.rng.choice(sorted(self.workers.items()))
        if worker.process.frozen:
            return
        worker.process.frozen = True
        self._share_out()
        self.loop.after(self.rng.uniform(1, 6), self._thaw, worker)

    def _thaw(self, worker: "Worker") -> None:
        if not worker.process.dead:
            self.loop.thaw(worker.process)
            self.loop.after(self.rng.uniform(0, 2), self._share_out)

    def _outage(self) -> None:
        name = self.rng.choice(["store_away", "broker_away"])
        setattr(self, name, True)
        self.loop.after(self.rng.uniform(0.1, 5), setattr, self, name, False)


class Worker:
    """A process with the real service in it."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.process = Process(name)
        self._shares: frozenset[int] = frozenset()
        trouble = world.trouble
        observer = world.observer()
        observer.problems = world.problems
        options = WatchOptions(
            poll_s=2.0,
            grace_s=trouble.grace_s,
            max_wait_s=900 if world.stuck is None else _STUCK_S,
            read_rows=trouble.read_rows,
        )
        self.service = WatchService(
            ledger=world.ledger(world),
            broker=world.broker(world),
            publisher=world.publisher(world),
            clock=MemoryClock(world),
            observer=observer,
            options=options,
        )
        world.loop.spawn(self.process, self._run(), name=name)

    async def _run(self) -> None:
        try:
            await self.service.run()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a failure of the run, told at its end
            if not self.process.dying:
                self._world.problems.append(repr(error))

    def reassign(self, shares: frozenset[int]) -> None:
        """Take what it has and give it other shares; of two rebalances at a time, the later one counts."""
        self._shares = shares

        async def rebalance() -> None:
            await self.service.give_up()
            self.service.assign(self._shares)

        self._world.loop.spawn(self.process, rebalance(), name="rebalance")
