"""The lab's world with parts that fail in ways of their own."""

from modeltrail.errors import InvalidEventError
from modeltrail.events.checks import CheckCompleted
from modeltrail.lab.drift.log import CHECKS
from modeltrail.lab.drift.stores import MemoryBroker, MemoryLedger, MemoryPublisher
from modeltrail.lab.drift.world import World
from modeltrail.watch.protocols import Idle


class FailingLedger(MemoryLedger):
    async def compute(self, closing, carry):
        if self._world.hang is not None:
            await self._world.hang()
        self._world.attempts.append((self._world.loop.time(), closing.model_id))
        error = self._world.fails.get(closing.model_id)
        if error is not None and self._world.loop.time() < self._world.fails_until_s:
            raise error
        return await super().compute(closing, carry)

    async def frontiers(self):
        begin_s, end_s, error = self._world.no_frontiers
        if begin_s <= self._world.loop.time() < end_s:
            raise error
        return await super().frontiers()

    async def last_checks(self, ends):
        self._world.beginnings += 1
        return await super().last_checks(ends)


class BrokerWithOpinions(MemoryBroker):
    async def idle(self, after):
        found = await super().idle(after)
        return Idle(found.partitions - self._world.never_idle, producer_time=self._world.producer_time)


class NarrowPublisher(MemoryPublisher):
    async def publish(self, events):
        for event in events:
            check = event.data if isinstance(event.data, CheckCompleted) else None
            if check is not None and check.model_id in self._world.refuses and check.status != "failed":
                raise InvalidEventError("data", "2000000 bytes", "must be at most 1000000 bytes")
            if check is not None and check.model_id in self._world.refuses_carries and check.carry:
                raise InvalidEventError("data", "2000000 bytes", "must be at most 1000000 bytes")
        if self._world.published_first_s is None:
            self._world.published_first_s = self._world.loop.time()
        await super().publish(events)


class OddWorld(World):
    """What is odd about it is set before it runs."""

    ledger, broker, publisher = FailingLedger, BrokerWithOpinions, NarrowPublisher

    def __init__(self, log, trouble=None):
        super().__init__(log, trouble)
        self.hang = None
        """Awaited before each check."""
        self.fails = {}
        """Model to the error of each of its checks."""
        self.fails_until_s = float("inf")
        self.attempts = []
        """When a check was computed, and of which model."""
        self.no_frontiers = (0.0, 0.0, None)
        """From when to when the ledger does not say how far it is, and why."""
        self.beginnings = 0
        self.refuses_carries = set()
        """Models of which nothing can be sent that a later check starts from."""
        self.ticks_land = True
        self.never_idle = set()
        self.producer_time = False
        self.refuses = set()
        """Models of which nothing can be sent but what failed."""
        self.published_first_s = None

    def append(self, partition, entry):
        if partition != CHECKS or self.ticks_land or getattr(entry.told, "kind", None) != "tick":
            super().append(partition, entry)

    def lose(self, partition, count):
        """The store comes back without its last entries of a partition, and the log of them is gone, too."""
        del self.log[partition][-count:]
        self.chained[partition] = min(self.chained[partition], len(self.log[partition]))
