"""The second chapter: events stream, one worker is killed, the other takes over, everything gets chained.

A drift worker watches meanwhile. What it publishes is chained like everything else; nobody waits here until it is
done.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modeltrail.demo.installation import Installation, WorkerProcess
from modeltrail.demo.producer_process import ProducerProcess
from modeltrail.demo.progress import Look, Observer, Rates
from modeltrail.demo.screen import Screen, StreamView
from modeltrail.errors import ModeltrailError
from modeltrail.events.registry import topic_name

__all__ = ["Streamed", "watch_until_chained"]

KILL_AT = 0.5
"""Share of all events that is chained when one worker is killed."""

WATCH_FAMILIES = ("checks", "alerts")
"""What the drift worker publishes itself."""

_LOOK_S = 0.4
_SHARES_S = 1.5
_SETTLE_S = 10.0
_STUCK_S = 90.0
"""Without any progress for this long, something is wrong."""


@dataclass(frozen=True)
class Streamed:
    """How it went. `seconds` is from the first chained record to the last; `look` is without checks and alerts."""

    look: Look
    published: int
    took_over_after_s: float
    seconds: float

    @property
    def rate(self) -> float:
        """Records chained a second, the take-over included."""
        return self.look.entries / self.seconds if self.seconds else 0.0


class _Kill:
    """The worker that is killed on purpose, and who reads its partitions then."""

    def __init__(self, victim: WorkerProcess, survivor: WorkerProcess) -> None:
        self.victim = victim
        self.survivor = survivor
        self.pid = 0
        self.at = 0.0
        self.took_over_after_s: float | None = None
        self.shares: dict[int, frozenset[tuple[str, int]]] = {victim.number: frozenset(), survivor.number: frozenset()}
        self._shares_at = 0.0

    def look(self, installation: Installation, *, due: bool) -> str | None:
        """Kill when it is `due`; return "killed" or "taken over" at the moment when that happens."""
        if not self.pid:
            if time.monotonic() - self._shares_at > _SHARES_S:
                self._shares_at = time.monotonic()
                self.shares = {worker.number: worker.partitions() for worker in (self.victim, self.survivor)}
            if not due or not all(self.shares.values()):
                return None
            self.pid = self.victim.pid or 0
            self.at = time.monotonic()
            installation.workers.remove(self.victim)
            self.victim.child.kill()
            return "killed"
        if self.took_over_after_s is None:
            reads = self.survivor.partitions()
            if reads >= self.shares[self.victim.number]:
                self.shares[self.survivor.number] = reads
                self.took_over_after_s = time.monotonic() - self.at
                return "taken over"
        return None

    def processes(self, producer: ProducerProcess, watcher: WorkerProcess, checks: int) -> list[tuple[str, str, bool]]:
        """Return what is shown about the processes."""
        shown = [("producer", "done" if producer.done else f"pid {producer.pid}, publishing", True)]
        for worker in sorted((self.victim, self.survivor), key=lambda each: each.number):
            if worker is self.victim and self.pid:
                shown.append((worker.name, f"pid {self.pid}, killed with SIGKILL", False))
                continue
            share = len(self.shares.get(worker.number, ()))
            reads = f"reads {share} partitions" if share else "joins the consumer group"
            shown.append((worker.name, f"pid {worker.pid}, {reads}", True))
        shown.append((watcher.name, f"pid {watcher.pid}, {checks} checks of windows so far", True))
        return shown


def watch_until_chained(
    installation: Installation,
    producer: ProducerProcess,
    observer: Observer,
    screen: Screen,
    listen: Callable[[], None],
) -> Streamed:
    """Show the stream until everything that the producer published is chained, and kill a worker half-way.

    `installation` has two ledger workers and a drift worker. `listen` is called again and again: it polls the producer,
    and tells what else there is to tell. Raises ModeltrailError when nothing moves for 90 seconds, UnavailableError
    when a process ends that nobody killed.
    """
    survivor, victim = installation.workers
    [watcher] = installation.watchers
    checks = topic_name("checks", installation.settings().topics.prefix)
    of_the_watch = {topic_name(family, installation.settings().topics.prefix) for family in WATCH_FAMILIES}
    kill = _Kill(victim, survivor)
    rates = Rates()
    began = moved_at = ended = 0.0
    seen = -1
    with screen.stream():
        while True:
            listen()
            installation.check()
            look = observer.look()
            if look.entries != seen:
                seen = look.entries
                moved_at = ended = look.at
                began = began or (look.at if look.entries else 0.0)
            event = kill.look(installation, due=bool(producer.total) and look.entries >= KILL_AT * producer.total)
            finished = False
            if producer.done and look.without(of_the_watch).lag == 0 and kill.took_over_after_s is not None:
                look = observer.look(exact=True)
                # Typed rows follow the ledger's within the same insert. Should one be missing, verification says so.
                settled = look.typed_rows + producer.poison >= look.entries or look.at - moved_at > _SETTLE_S
                finished = look.without(of_the_watch).lag == 0 and settled
            if producer.total:
                processes = kill.processes(producer, watcher, look.entries_in(checks))
                screen.update(_view(producer, look, rates, processes), last=finished)
            if event == "killed":
                screen.struck(
                    "kill", f"SIGKILL to {victim.name} (pid {kill.pid}), on purpose, in the middle of its work"
                )
                screen.more(f"the broker misses its heartbeats for 6 s, then gives its partitions to {survivor.name}")
            elif event == "taken over":
                screen.done(
                    "take-over",
                    f"{survivor.name} reads all {len(kill.shares[survivor.number])} partitions"
                    f" {kill.took_over_after_s:.1f} s later, each from where the ledger says",
                )
            if finished:
                look = look.without(of_the_watch)
                return Streamed(look, producer.published, kill.took_over_after_s or 0.0, ended - began)
            if time.monotonic() - moved_at > _STUCK_S and moved_at:
                raise ModeltrailError(f"nothing moved for {_STUCK_S:.0f} s; logs are in {installation.directory}")
            time.sleep(_LOOK_S)


def _view(
    producer: ProducerProcess, look: Look, rates: Rates, processes: Sequence[tuple[str, str, bool]]
) -> StreamView:
    # The producer hears of its last batches before a question for the ends of the log tells of them.
    sent = max(producer.published, look.published)
    published, chained, persisted = rates.add(look.at, sent, look.entries, look.typed_rows)
    return StreamView(
        total=producer.total,
        counts=[
            ("published", sent, published, "records that the broker has acknowledged"),
            ("chained", look.entries, chained, f"ledger entries, in {look.chains} chains"),
            ("persisted", look.typed_rows, persisted, "rows of typed tables, filled from the ledger"),
            ("lag", sent - look.published + look.lag, None, "published, not chained yet"),
        ],
        processes=processes,
    )
