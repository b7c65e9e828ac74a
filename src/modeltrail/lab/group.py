"""A consumer group: who is a member, who owns what, which offsets are committed, and who is fenced.

Eager, as Kafka's classic protocol is: in a rebalance everybody gives up everything and joins again. Whoever is silent
for a session, or does not join in time, is no member any more, and does not know it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeltrail.errors import BrokerUnavailableError
from modeltrail.lab.loop import VirtualLoop
from modeltrail.ledger.chain import PartitionId

if TYPE_CHECKING:
    import random

    from modeltrail.lab.worker import Worker

__all__ = ["REBALANCE_S", "SESSION_S", "Group", "Share"]

SESSION_S = 3.0
REBALANCE_S = 4.0
_LOOK_S = 0.5


@dataclass(slots=True, frozen=True)
class Share:
    """What a member gets when a rebalance ends."""

    generation: int
    partitions: tuple[PartitionId, ...]


@dataclass(slots=True, eq=False)
class _Seat:
    worker: "Worker"
    last_beat: float
    joined: "asyncio.Future[Share] | None" = None


class Group:
    """The coordinator of one group. `on_commit` is asked before an offset is taken, to look at it."""

    def __init__(
        self,
        loop: VirtualLoop,
        rng: "random.Random",
        partitions: Sequence[PartitionId],
        on_commit: "Callable[[Worker, PartitionId, int], None]",
    ) -> None:
        self._loop = loop
        self._rng = rng
        self._partitions = list(partitions)
        self._on_commit = on_commit
        self._seats: dict[str, _Seat] = {}
        self._deadline: float | None = None
        self.generation = 0
        self.owners: dict[PartitionId, Worker] = {}
        self.committed: dict[PartitionId, int] = {}
        self.evicted_at: dict[str, float] = {}
        self.trace: Callable[[str, str], None] | None = None
        loop.after(_LOOK_S, self._look)

    @property
    def empty(self) -> bool:
        """Whether nobody is a member: only then does Kafka let offsets be reset."""
        return not self._seats

    def member(self, worker: "Worker") -> bool:
        """Whether the group counts a worker in."""
        return worker.name in self._seats

    def heartbeat(self, worker: "Worker") -> bool:
        """Return whether the member may go on; if not, it has to give up what it has and join again."""
        seat = self._seats.get(worker.name)
        if seat is None:
            return False
        seat.last_beat = self._loop.time()
        return self._deadline is None

    def join(self, worker: "Worker") -> "asyncio.Future[Share]":
        """Ask for a share; it is given when all members have asked, or at the end of the rebalance."""
        self.evicted_at.pop(worker.name, None)
        seat = self._seats.setdefault(worker.name, _Seat(worker, self._loop.time()))
        seat.last_beat = self._loop.time()
        seat.joined = self._loop.create_future()
        self.rebalance()
        if all(each.joined is not None for each in self._seats.values()):
            self._loop.after(self._rng.random() * 0.1, self._complete, self.generation)
        return seat.joined

    def leave(self, worker: "Worker") -> None:
        """Leave in good order."""
        if self._seats.pop(worker.name, None) is not None:
            self.rebalance()

    def rebalance(self) -> None:
        """Begin a rebalance, if there is none under way."""
        if self._deadline is None:
            self._deadline = self._loop.time() + REBALANCE_S

    def commit(self, worker: "Worker", generation: int, partition: PartitionId, offset: int) -> None:
        """Take an offset of a member; BrokerUnavailableError where it is none, or of another generation."""
        if worker.name not in self._seats or generation != self.generation:
            raise BrokerUnavailableError("not a member of this generation")
        self._on_commit(worker, partition, offset)
        self.committed[partition] = offset

    def owns(self, worker: "Worker", partition: PartitionId) -> bool:
        """Whether the group has given a partition to this worker and not taken it back."""
        return self.owners.get(partition) is worker and worker.name in self._seats

    def _look(self) -> None:
        now = self._loop.time()
        for name, seat in list(self._seats.items()):
            if now - seat.last_beat > SESSION_S and (seat.joined is None or seat.worker.process.dead):
                self._evict(name)
                self.rebalance()
        if self._deadline is not None:
            late = now >= self._deadline
            if late:
                for name, seat in list(self._seats.items()):
                    if seat.joined is None:
                        self._evict(name)
            if self._seats and all(seat.joined is not None for seat in self._seats.values()):
                self._complete(self.generation)
            elif not self._seats:
                self._deadline = None
                self.owners.clear()
        self._loop.after(_LOOK_S, self._look)

    def _evict(self, name: str) -> None:
        del self._seats[name]
        self.evicted_at[name] = self._loop.time()
        if self.trace is not None:
            self.trace("group", f"{name} is no member any more")

    def _complete(self, generation: int) -> None:
        if generation != self.generation or self._deadline is None:
            return
        if not self._seats or any(seat.joined is None for seat in self._seats.values()):
            return
        self._deadline = None
        self.generation += 1
        names = sorted(self._seats)
        self._rng.shuffle(names)
        self.owners = {
            partition: self._seats[names[number % len(names)]].worker
            for number, partition in enumerate(self._partitions)
        }
        if self.trace is not None:
            shares = ", ".join(f"{partition.partition} {worker.name}" for partition, worker in self.owners.items())
            self.trace("group", f"generation {self.generation}: {shares}")
        for seat in self._seats.values():
            mine = tuple(partition for partition, worker in self.owners.items() if worker is seat.worker)
            answer, seat.joined = seat.joined, None
            if answer is not None:
                self._loop.after(self._rng.random() * 0.05, _give, answer, Share(self.generation, mine))


def _give(answer: "asyncio.Future[Share]", share: Share) -> None:
    if not answer.done():
        answer.set_result(share)
