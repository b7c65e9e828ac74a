"""One run of the watch from one seed, and what it must have published."""

from modeltrail.lab.drift.bugs import BUGS
from modeltrail.lab.drift.computing import differences, expected
from modeltrail.lab.drift.log import drawn_log
from modeltrail.lab.drift.world import World, drawn_trouble
from modeltrail.lab.run import Outcome

__all__ = ["WATCH", "play_watch"]

WATCH = "watch"
"""The mode of runs of the watch, as the others are called."""


def play_watch(seed: int, *, bug: str | None = None) -> Outcome:
    """Run one seed, with a deliberate mistake put in where one is named; the same seed makes the same run."""
    log, trouble = drawn_log(seed), drawn_trouble(seed)
    wanted = expected(log)
    world = World(log, trouble)
    if bug is None:
        published = world.run()
    else:
        with BUGS[bug]():
            published = world.run()
    told = world.problems or differences(published, wanted)
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
