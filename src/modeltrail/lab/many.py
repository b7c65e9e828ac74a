"""Many seeds, one after the other or in several processes, until the first that fails."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context

from modeltrail.ingest.service import Ingest
from modeltrail.lab.bugs import BUGS
from modeltrail.lab.drift.bugs import BUGS as WATCH_BUGS
from modeltrail.lab.drift.run import WATCH, play_watch
from modeltrail.lab.run import MODES, Outcome, play

__all__ = ["Tally", "first_seed_that_finds", "play_many", "replay"]

CHUNK = 50
"""Seeds that a process plays before it reports."""
_COLLECT = 10
"""Seeds between two collections: their worlds take some megabytes each until then."""


@dataclass(slots=True)
class Tally:
    """What became of many runs. `failed` is the failure of the smallest seed that was found."""

    runs: int = 0
    steps: int = 0
    rows: int = 0
    chains: int = 0
    seconds: float = 0.0
    tolerated: Counter[str] = field(default_factory=Counter)
    failed: Outcome | None = None

    def add(self, other: "Tally") -> None:
        """Count other runs too."""
        self.runs += other.runs
        self.steps += other.steps
        self.rows += other.rows
        self.chains += other.chains
        self.seconds += other.seconds
        self.tolerated += other.tolerated
        if other.failed is not None and (self.failed is None or other.failed.seed < self.failed.seed):
            self.failed = other.failed


def play_many(
    seeds: range,
    *,
    modes: Sequence[str],
    bug: str | None = None,
    jobs: int = 1,
    progress: Callable[[int], None] = lambda _runs: None,
) -> Tally:
    """Run every seed in every mode, one of MODES or WATCH; stop at the first failure.

    `progress` is told of runs that are done.
    """
    chunks = (range(start, min(start + CHUNK, seeds.stop)) for start in range(seeds.start, seeds.stop, CHUNK))
    tally = Tally()
    for part in _parts(chunks, tuple(modes), bug, jobs):
        tally.add(part)
        progress(part.runs)
        if tally.failed is not None:
            break
    return tally


def first_seed_that_finds(bug: str, seeds: range) -> Outcome | None:
    """Return the first run that fails with a deliberate mistake, None where none of these seeds does."""
    return play_many(seeds, modes=[WATCH] if bug in WATCH_BUGS else MODES, bug=bug).failed


def replay(seed: int, mode: str, bug: str | None, *, trace: bool = True) -> Outcome:
    """Run one seed in one mode."""
    if mode == WATCH:
        return play_watch(seed, bug=bug)
    return play(seed, mode=mode, ingest_type=Ingest if bug is None else BUGS[bug], trace=trace)


def _parts(chunks: Iterator[range], modes: tuple[str, ...], bug: str | None, jobs: int) -> Iterator[Tally]:
    if jobs == 1:
        for chunk in chunks:
            yield _chunk(chunk, modes, bug)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running: set[Future[Tally]] = set()
        try:
            while True:
                while len(running) < 2 * jobs and (more := next(chunks, None)) is not None:
                    running.add(pool.submit(_chunk, more, modes, bug))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _chunk(seeds: range, modes: tuple[str, ...], bug: str | None) -> Tally:
    tally = Tally()
    # Worlds are full of cycles, and dropped whole: looking for them while one runs costs a fifth of its time, and
    # looking through everything that was there before, modules and models, as much as the run itself.
    collecting, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    gc.freeze()
    try:
        for seed in seeds:
            for mode in modes:
                outcome = replay(seed, mode, bug, trace=False)
                tally.add(
                    Tally(
                        1,
                        outcome.steps,
                        outcome.rows,
                        outcome.epochs,
                        outcome.seconds,
                        outcome.tolerated,
                        outcome if outcome.problem else None,
                    )
                )
                if outcome.problem:
                    return tally
            if seed % _COLLECT == 0:
                gc.collect()
        gc.collect()
    finally:
        if not frozen:  # not what somebody else set aside
            gc.unfreeze()
        if collecting:
            gc.enable()
    return tally
