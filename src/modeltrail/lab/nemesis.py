"""What happens to a world: producers write, and fate strikes, as the seed says.

A seed switches some kinds of strokes on and leaves the others off, so that runs differ in kind and not only in
order: a fault that hides another one is absent from half of them.
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from modeltrail.lab.group import SESSION_S
from modeltrail.lab.world import Faults, Options
from modeltrail.ledger.chain import PartitionId

if TYPE_CHECKING:
    from modeltrail.lab.worker import Worker
    from modeltrail.lab.world import World

__all__ = ["STROKES", "Nemesis", "draw_faults", "draw_options"]

STROKES = (
    "crash",
    "freeze",
    "cut_broker",
    "cut_store",
    "join",
    "leave",
    "rebalance",
    "storm",
    "store_down",
    "read_only",
    "views",
    "store_restart",
    "broker_down",
    "transaction",
    "elect",
    "tear",
    "recreate",
    "expire",
    "reset",
    "clock",
)
_RARE = frozenset({"tear", "recreate", "expire", "reset", "storm"})
_THEMES = (
    ("tear", "recreate"),
    ("tear", "recreate", "rebalance", "crash"),
    ("freeze", "rebalance", "tear", "expire"),
    ("expire", "store_restart", "crash"),
    ("transaction", "tear", "crash"),
)
"""Strokes that are worst together; one theme is added to a third of the runs, with inserts that land late."""
MOST_WORKERS = 3


def draw_options(rng: random.Random) -> Options:
    """Draw how workers are set up."""
    return Options(
        block_rows=rng.choice((3, 10, 20, 50)),
        block_age_s=rng.choice((0.0, 0.05, 0.3, 1.0)),
        queue_limit=rng.choice((2, 4, 8)),
        batch=rng.choice((3, 7, 15)),
    )


def draw_faults(rng: random.Random) -> Faults:
    """Draw which faults a run has."""
    rnd = rng.random
    faults = Faults()
    for odds in (faults.store, faults.broker):
        if rnd() < 0.6:
            for name in ("before", "after", "late", "hang", "twice"):
                if rnd() < 0.5:
                    setattr(odds, name, rnd() * rnd() * 0.15)
        odds.slow_s = rng.choice((0.005, 0.05, 0.3, 1.5))
    faults.broker.late = faults.broker.late if rnd() < 0.5 else 0.0
    if rnd() < 0.2:
        faults.stale = rnd() * 0.5
    if rnd() < 0.35:
        faults.lost_batches = rnd() * 0.2
    if rnd() < 0.3:
        faults.torn_sends = rnd() * 0.3
    faults.shuffle = rnd() < 0.25
    chosen = {name for name in STROKES if rnd() < (0.2 if name in _RARE else 0.35)}
    if rnd() < 0.3:
        chosen.update(_THEMES[int(rnd() * len(_THEMES))])
        faults.store.late = 0.1 + rnd() * 0.25
    faults.strokes = tuple(name for name in STROKES if name in chosen)
    return faults


class Nemesis:
    """Strikes a world until `ends_at`, in seconds."""

    def __init__(self, world: "World", ends_at: float) -> None:
        self._world = world
        self._rng = world.rng
        self._ends_at = ends_at
        self._over = False
        self._pace = world.rng.choice((0.3, 0.8, 1.6))
        self._undo: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Write the first records, start the first workers, and begin to strike."""
        world, rng = self._world, self._rng
        for partition in world.partitions:
            if rng.random() < 0.8:
                world.write(partition, 1 + int(rng.random() * 12))
        for _ in range(1 + int(rng.random() * 2)):
            world.start_worker()
        self._next()

    def end(self) -> None:
        """Undo what lasts, and strike no more: services answer, processes go on, transactions end."""
        self._over = True
        for undo in self._undo:
            undo()
        self._undo.clear()
        world = self._world
        for worker in world.alive():
            worker.process.fuse = 0
        for log in world.logs.values():
            for transaction in list(log.open):
                log.end_transaction(transaction, commit=self._rng.random() < 0.5)

    def _next(self) -> None:
        world, rng = self._world, self._rng
        if self._over or world.loop.time() >= self._ends_at:
            return
        world.loop.after(rng.random() * 2.0 * self._pace, self._next)
        strokes = world.faults.strokes
        if not strokes or rng.random() < 0.45:
            self._write()
            return
        name = strokes[int(rng.random() * len(strokes))]
        getattr(self, f"_{name}")()

    def _write(self) -> None:
        partition = self._partition()
        count = 1 + int(self._rng.random() * 6)
        if len(self._world.logs[partition].version.records) < 60:
            self._world.write(partition, count)
            self._world.tell("producer", f"writes {count} to {partition.partition}")

    def _partition(self) -> PartitionId:
        return self._world.partitions[int(self._rng.random() * len(self._world.partitions))]

    def _worker(self) -> "Worker | None":
        alive = self._world.alive()
        return alive[int(self._rng.random() * len(alive))] if alive else None

    def _tell(self, what: str) -> None:
        self._world.tell("fate", what)

    def _lasting(self, seconds: float, undo: Callable[[], None]) -> None:
        self._undo.append(undo)
        self._world.loop.after(seconds, undo)

    # Processes

    def _strike_soon(self, worker: "Worker", strike: Callable[[], None]) -> None:
        """Strike after some more steps of a process: that is, at any await."""
        worker.process.strike = strike
        worker.process.fuse = 1 + int(self._rng.random() ** 2 * 120)

    def _crash(self) -> None:
        worker = self._worker()
        if worker is not None:
            self._strike_soon(worker, lambda: self._killed(worker))

    def _killed(self, worker: "Worker") -> None:
        self._tell(f"kills {worker.name}")
        self._world.loop.kill(worker.process)
        self._world.loop.after(self._rng.random() * 6.0, self._start_one)

    def _start_one(self) -> None:
        if not self._over and len(self._world.alive()) < MOST_WORKERS:
            self._world.start_worker()

    def _freeze(self) -> None:
        worker = self._worker()
        if worker is None or worker.process.frozen:
            return
        seconds = self._rng.choice((0.5, 2.0, SESSION_S + 5.0, 20.0))

        def frozen() -> None:
            self._tell(f"freezes {worker.name} for {seconds} s")
            worker.process.frozen = True
            self._lasting(seconds, lambda: self._thaw(worker))

        self._strike_soon(worker, frozen)

    def _thaw(self, worker: "Worker") -> None:
        if worker.process.frozen and not worker.process.dead:
            self._tell(f"lets {worker.name} go on")
            self._world.loop.thaw(worker.process)

    def _cut_broker(self) -> None:
        self._cut("broker", 15.0)

    def _cut_store(self) -> None:
        self._cut("store", 8.0)

    def _cut(self, name: str, longest: float) -> None:
        worker = self._worker()
        if worker is None:
            return
        link = worker.to_broker if name == "broker" else worker.to_store
        seconds = self._rng.random() * longest
        self._tell(f"cuts {worker.name} off from the {name} for {seconds:.1f} s")
        link.cut = True
        self._lasting(seconds, lambda: setattr(link, "cut", False))

    # The group

    def _join(self) -> None:
        self._start_one()

    def _leave(self) -> None:
        worker = self._worker()
        if worker is not None and not worker.joining and not worker.process.frozen:
            self._tell(f"stops {worker.name}")
            worker.joining = True
            self._world.loop.spawn(worker.process, worker.leave(), name="leave")
            self._world.loop.after(self._rng.random() * 4.0, self._start_one)

    def _rebalance(self) -> None:
        self._tell("asks for a rebalance")
        self._world.group.rebalance()

    def _storm(self) -> None:
        for _ in range(4 + int(self._rng.random() * 6)):
            self._world.loop.after(self._rng.random() * 5.0, self._world.group.rebalance)
        self._tell("sends a storm of rebalances")

    def _reset(self) -> None:
        """Set the group's offset by hand: Kafka allows that only while nobody is a member."""
        world = self._world
        if any(worker.process.frozen for worker in world.alive()):
            return
        for worker in world.alive():
            world.end(worker)
        world.loop.after(SESSION_S + 1.5, self._reset_offsets)

    def _reset_offsets(self) -> None:
        world, rng = self._world, self._rng
        if world.group.empty and not self._over:
            for partition, log in world.logs.items():
                dice = rng.random()
                if dice < 0.3:
                    continue
                if dice < 0.5:
                    # What had expired by then cannot be read again, and nobody knows what of it was announced.
                    world.watch.reset(partition, log.end)
                    world.group.committed.pop(partition, None)
                    self._tell(f"deletes the offset of {partition.partition}")
                else:
                    offset = int(rng.random() * (log.end + 3))
                    world.watch.reset(partition, offset)
                    world.group.committed[partition] = offset
                    self._tell(f"sets the offset of {partition.partition} to {offset}")
        self._start_one()

    # Services

    def _store_down(self) -> None:
        self._outage("store", self._world.store, 6.0)

    def _broker_down(self) -> None:
        self._outage("broker", self._world.broker, 6.0)

    def _outage(self, name: str, service: object, longest: float) -> None:
        seconds = self._rng.random() * longest
        self._tell(f"takes the {name} away for {seconds:.1f} s")
        setattr(service, "down", True)  # noqa: B010 - two kinds of things have it
        self._lasting(seconds, lambda: setattr(service, "down", False))

    def _read_only(self) -> None:
        seconds = self._rng.random() * 5.0
        self._tell(f"makes the store read-only for {seconds:.1f} s")
        self._world.ledger.read_only = True
        self._lasting(seconds, lambda: setattr(self._world.ledger, "read_only", False))

    def _views(self) -> None:
        seconds = self._rng.random() * 5.0
        self._tell(f"lets views fail for {seconds:.1f} s")
        self._world.ledger.views_fail = True
        self._lasting(seconds, lambda: setattr(self._world.ledger, "views_fail", False))

    def _store_restart(self) -> None:
        world = self._world
        blocks = int(self._rng.random() * 3)
        gone = world.ledger.lose_last_blocks(blocks)
        world.lost_blocks += bool(gone)
        world.store.lives += 1
        self._tell(f"restarts the store, which loses {len(gone)} rows")
        self._outage("store", world.store, 1.5)

    # The log

    def _transaction(self) -> None:
        world, rng = self._world, self._rng
        partition = self._partition()
        log = world.logs[partition]
        if len(log.version.records) >= 60:
            return
        transaction = log.begin_transaction()
        for _ in range(1 + int(rng.random() * 4)):
            log.write(world.timestamp(), b"t", (), world.value(), transaction)
        commit = rng.random() < 0.6
        self._tell(f"opens a transaction in {partition.partition}, to be {'committed' if commit else 'aborted'}")
        world.loop.after(rng.random() * 4.0, lambda: log.end_transaction(transaction, commit=commit))

    def _elect(self) -> None:
        partition = self._partition()
        self._world.logs[partition].elections += 1
        self._tell(f"elects a leader of {partition.partition}")

    def _tear(self) -> None:
        world, rng = self._world, self._rng
        partition = self._partition()
        log = world.logs[partition]
        if len(log.versions) > 3:
            return
        end = log.begin + int((1.0 - rng.random() ** 2) * (log.end - log.begin + 1))
        before = log.end
        log.truncate(min(end, before))
        count = rng.choice((0, 1, before - log.end, before - log.end + 5))
        world.write(partition, count)
        self._tell(f"tears log {partition.partition} from {before} to {end}, then {count} others are written")

    def _recreate(self) -> None:
        world, rng = self._world, self._rng
        partition = self._partition()
        log = world.logs[partition]
        if len(log.versions) > 3:
            return
        before = log.end
        log.recreate()
        count = rng.choice((0, 3, before, before + 5))
        world.write(partition, count)
        self._tell(f"creates {partition} again, with {count} records after {before}")

    def _expire(self) -> None:
        partition = self._partition()
        log = self._world.logs[partition]
        begin = log.begin + int(self._rng.random() * (log.stable_end - log.begin + 1))
        log.expire(begin)
        self._tell(f"deletes what lies before {log.begin} in {partition.partition}")

    def _clock(self) -> None:
        rng = self._rng
        jump = int((rng.random() - 0.5) * 4 * 3_600_000)
        if rng.random() < 0.5:
            self._world.wall_skew_ms += jump
        else:
            self._world.log_skew_ms += jump
        self._tell(f"sets a clock by {jump / 1000:.0f} s")
