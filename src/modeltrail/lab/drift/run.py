"""One run of the watch from one seed, and what it must have published."""

from contextlib import nullcontext

from modeltrail.lab.drift.bugs import BUGS
from modeltrail.lab.drift.computing import differences, expected, unheard
from modeltrail.lab.drift.log import WALL_MS, drawn_log
from modeltrail.lab.drift.world import World, drawn_trouble
from modeltrail.lab.run import Outcome

__all__ = ["WATCH", "play_watch"]

WATCH = "watch"
"""The mode of runs of the watch, as the others are called."""

_SETTLE_S = 600.0
_UNHEARD_S = 15.0
"""So long a silence may be that nobody was told of."""


def play_watch(seed: int, *, bug: str | None = None) -> Outcome:
    """Run one seed, with a deliberate mistake put in where one is named; the same seed makes the same run."""
    log, trouble = drawn_log(seed), drawn_trouble(seed)
    world = World(log, trouble)
    with BUGS[bug]() if bug else nullcontext():
        published = world.run(settle_s=_SETTLE_S)
    # Ticks and learned baselines stand in the log where this run put them; the rest is as it was drawn.
    wanted = expected(world.chains())
    if log.stuck is None:
        told = differences(published, wanted)
    else:
        told = differences(published.but_for_waiting(), wanted.but_for_waiting())
    now_ms = WALL_MS + int(1000 * (world.loop.time() - _UNHEARD_S))
    told = [*world.problems, *told, *unheard(world.chains(), now_ms)]
    return Outcome(
        seed=seed,
        mode=WATCH,
        problem=told[0] if told else "",
        trace=[str(trouble), *told],
        rows=len(log.script),
        epochs=len(wanted.checks),
        steps=world.loop.steps,
        seconds=world.loop.time(),
    )
