"""Everything that a run consists of, put together from a seed."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modeltrail.errors import BrokerUnavailableError, StoreUnavailableError
from modeltrail.events.judge import REJECTED, VALID, Judgement
from modeltrail.events.refusal import ReasonClass
from modeltrail.ingest.service import Ingest
from modeltrail.lab.group import Group
from modeltrail.lab.ledger import Ledger
from modeltrail.lab.link import Call, Link, Odds, Service
from modeltrail.lab.log import PartitionLog
from modeltrail.lab.loop import VirtualLoop
from modeltrail.lab.outbox import Topics
from modeltrail.lab.watch import Watch
from modeltrail.lab.worker import INSERT_S, Worker
from modeltrail.ledger.chain import PartitionId

__all__ = ["TOPIC", "Faults", "Options", "World", "judge"]

TOPIC = "modeltrail.predictions"
_BIRTH_MS = 1_700_000_000_000
_READS_BACK = frozenset({"hashes", "chained"})

_VALID = Judgement(VALID, "", "", "structured", "lab", "1", "modeltrail.prediction.recorded.v1")
_REJECTED = Judgement(REJECTED, "value: not JSON", ReasonClass.NOT_JSON.value, "")


def judge(
    _topic: str, _key: bytes | None, _headers: tuple[tuple[bytes, bytes | None], ...], value: bytes | None
) -> Judgement:
    """Judge by the first byte: what the contract says has no part in what is simulated."""
    return _VALID if value is not None and value[:1] == b"v" else _REJECTED


@dataclass(slots=True)
class Options:
    """How a worker is set up."""

    block_rows: int = 20
    block_age_s: float = 0.3
    queue_limit: int = 4
    batch: int = 7


@dataclass(slots=True)
class Faults:
    """What goes wrong: odds of calls, and which strokes of fate there are (`modeltrail.lab.nemesis`)."""

    store: Odds = field(default_factory=Odds)
    broker: Odds = field(default_factory=Odds)
    stale: float = 0.0
    lost_batches: float = 0.0
    torn_sends: float = 0.0
    strokes: tuple[str, ...] = ()
    shuffle: bool = False

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self.store.calm()
        self.broker.calm()
        self.stale = self.lost_batches = self.torn_sends = 0.0


class World:
    """Logs, ledger, group, topics and workers, in one event loop."""

    def __init__(
        self,
        rng: random.Random,
        *,
        partitions: int,
        options: Options,
        faults: Faults,
        ingest_type: type[Ingest] = Ingest,
        trace: bool = False,
    ) -> None:
        self.rng = rng
        self.options = options
        self.faults = faults
        self.judge = judge
        self.trace: list[str] | None = [] if trace else None
        self.problems: list[str] = []
        self.tolerated: Counter[str] = Counter()
        self.stops: dict[PartitionId, str] = {}
        self.loop = VirtualLoop(rng, shuffle=faults.shuffle)  # type: ignore[abstract]
        self.partitions = [PartitionId("lab", TOPIC, number) for number in range(partitions)]
        self.logs = {partition: PartitionLog(partition) for partition in self.partitions}
        self.ledger = Ledger(self.loop.time)
        self.topics = Topics()
        self.watch = Watch(self)
        self.topics.look = self.watch.announce
        self.store = Service("store", self.loop, rng, faults.store, StoreUnavailableError, INSERT_S)
        self.broker = Service("broker", self.loop, rng, faults.broker, BrokerUnavailableError, 3.0)
        self.group = Group(self.loop, rng, self.partitions, self.watch.commit)
        self.workers: list[Worker] = []
        self.commit_order: dict[tuple[str, PartitionId], float] = {}
        self.wall_skew_ms = 0
        self.log_skew_ms = 0
        self.lost_blocks = 0
        self._ingest_type = ingest_type
        self._written = 0
        if trace:
            self.store.trace = self.broker.trace = self.group.trace = self.tell

    def tell(self, who: str, what: str) -> None:
        """Write a line of the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.loop.time():8.3f}  {who:<8} {what}")

    def problem(self, text: str) -> None:
        """Note that something does not hold, and end the run."""
        self.problems.append(text)
        if self.trace is not None:
            self.tell("FOUND", text)
        self.loop.stop()

    def stopped(self, partition: PartitionId, kind: str, message: str) -> None:
        """Note that a worker took a partition out of service."""
        self.stops[partition] = f"{kind}: {message}"

    def now_ms(self) -> int:
        """Return the workers' wall clock."""
        return _BIRTH_MS + self.wall_skew_ms + int(self.loop.time() * 1000)

    def store_calls(self, link: Link) -> Call:
        """Return calls over `link` of which some see the past."""

        def call(name: str, effect: Callable[[], Any], partition: PartitionId | None = None) -> Any:
            stale = self.faults.stale
            if stale and name in _READS_BACK and self.rng.random() < stale:
                then = self.loop.time() - 2.0 * self.rng.random()
                return link.call(name, lambda: self.ledger.as_of(then, effect), partition)
            return link.call(name, effect, partition)

        return call

    # Workers

    def start_worker(self) -> Worker:
        """Start a process."""
        worker = Worker(self, f"w{len(self.workers)}", self._ingest_type)
        self.workers.append(worker)
        self.tell(worker.name, "starts")
        worker.start()
        return worker

    def alive(self) -> list[Worker]:
        """Return the processes that were not killed."""
        return [worker for worker in self.workers if not worker.process.dead]

    def end(self, worker: Worker) -> None:
        """End a process at once."""
        if not worker.process.dead:
            self.tell(worker.name, "ends")
            self.loop.kill(worker.process)

    def replace(self, worker: Worker) -> None:
        """Start a process for one that ended by itself, as a supervisor does."""
        if worker.process.dead:
            self.start_worker()

    # Producers

    def timestamp(self) -> int:
        """Return the broker's clock, milliseconds."""
        return _BIRTH_MS + self.log_skew_ms + int(self.loop.time() * 1000)

    def value(self) -> bytes | None:
        """Return a value that no other record has, and that is rejected in one of three cases."""
        self._written += 1
        return b"%s%d" % (b"x" if self.rng.random() < 0.33 else b"v", self._written)

    def write(self, partition: PartitionId, count: int) -> None:
        """Append committed records."""
        log = self.logs[partition]
        for _ in range(count):
            log.write(self.timestamp(), b"k", (), self.value())
