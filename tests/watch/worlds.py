"""The lab's world with parts that fail in ways of their own."""

from modeltrail.errors import InvalidEventError
from modeltrail.events.checks import CheckCompleted
from modeltrail.lab.drift.stores import MemoryBroker, MemoryLedger, MemoryPublisher
from modeltrail.lab.drift.world import World
from modeltrail.watch.protocols import Idle


class FailingLedger(MemoryLedger):
    async def compute(self, closing, carry):
        if self._world.hang is not None:
            await self._world.hang()
        if closing.model_id in self._world.fails:
            raise self._world.fails[closing.model_id]
        return await super().compute(closing, carry)


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
        self.never_idle = set()
        self.producer_time = False
        self.refuses = set()
        """Models of which nothing can be sent but what failed."""
        self.published_first_s = None
