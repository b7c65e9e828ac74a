"""One run from one seed.

`safety`    strokes of fate, then every process is killed at once; one worker without faults goes on from what is left.
`liveness`  strokes of fate, then they stop; the processes that are left, in whatever state they are, must converge.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

from modeltrail.ingest.service import Ingest
from modeltrail.lab.checks import check, converged
from modeltrail.lab.nemesis import Nemesis, draw_faults, draw_options
from modeltrail.lab.world import World

__all__ = ["MODES", "Outcome", "play"]

MODES = ("safety", "liveness")
PATIENCE_S = 90.0
"""Virtual seconds in which a world without faults must have settled."""
_LOOK_S = 1.0


@dataclass(slots=True)
class Outcome:
    """What became of a run. `problem` is empty where everything held."""

    seed: int
    mode: str
    problem: str = ""
    trace: list[str] = field(default_factory=list)
    rows: int = 0
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0
    tolerated: Counter[str] = field(default_factory=Counter)


def play(seed: int, *, mode: str = "safety", ingest_type: type[Ingest] = Ingest, trace: bool = False) -> Outcome:
    """Run one seed. The same seed and mode make the same run, with and without a trace."""
    rng = random.Random(f"{mode} {seed}")  # noqa: S311 - a simulation wants a seed, not a secret
    ends_at = 8.0 + rng.random() * 25.0
    world = World(
        rng,
        partitions=1 + int(rng.random() * 3),
        options=draw_options(rng),
        faults=draw_faults(rng),
        ingest_type=ingest_type,
        trace=trace,
    )
    if trace:
        world.tell("seed", f"{seed} {mode}: {world.faults}, {world.options}")
    nemesis = Nemesis(world, ends_at)
    nemesis.begin()
    world.loop.run(ends_at)
    if not world.problems and mode == "safety":
        for worker in world.alive():
            world.end(worker)
        check(world, whole=False)
    if not world.problems:
        _settle(world, nemesis, fresh=mode == "safety")
    for worker in world.alive():
        world.loop.kill(worker.process)
    return Outcome(
        seed=seed,
        mode=mode,
        problem=world.problems[0] if world.problems else "",
        trace=world.trace or [],
        rows=len(world.ledger.landed),
        epochs=len({key.chain for key in world.ledger.landed}),
        steps=world.loop.steps,
        seconds=world.loop.time(),
        tolerated=world.tolerated,
    )


def _settle(world: World, nemesis: Nemesis, *, fresh: bool) -> None:
    """Stop all faults and wait until everything has settled."""
    nemesis.end()
    world.faults.calm()
    world.tell("fate", "strikes no more")
    if fresh or not world.alive():
        world.start_worker()
    if world.rng.random() < 0.5:
        for partition in world.partitions:
            world.write(partition, 1)
    deadline = world.loop.time() + PATIENCE_S
    quiet = 0
    while not world.problems:
        world.loop.run(world.loop.time() + _LOOK_S)
        if world.problems:
            return
        if not world.alive():  # the last one was being stopped
            world.start_worker()
        quiet = quiet + 1 if converged(world) else 0
        # What was sent before may still land, and is looked for every few seconds.
        if quiet > 14:
            break
        if world.loop.time() >= deadline:
            waits = sorted({wait for worker in world.alive() for wait in worker.observer.waits})
            world.problem(f"it did not settle: {_state(world)}, waiting for {waits}")
            return
    check(world, whole=True)


def _state(world: World) -> str:
    parts = []
    for partition, log in world.logs.items():
        head = world.ledger.head(partition)
        parts.append(
            f"{partition.partition}: last {log.last()}, head {head.offset if head else None},"
            f" committed {world.group.committed.get(partition)}"
        )
    return "; ".join(parts)
