"""What the live watch knows of the world, and nothing more.

Each Protocol is as small as its use. The Kafka, Faust and ClickHouse implementations live in `streaming` and
`storage`; the tests implement the same ones in memory, with a clock of their own.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from modeltrail.events.encode import Event
from modeltrail.ledger.chain import PartitionId

__all__ = ["Broker", "Clock", "Idle", "Layout", "Publisher"]


class Layout(NamedTuple):
    """How the watched topics are divided, as the broker says."""

    watched: frozenset[PartitionId]
    """Every partition of the topics `predictions` and `models`."""
    shares: int
    """Partitions of the topic `blocks`: a model belongs to share `crc32(model_id) % shares`."""


class Idle(NamedTuple):
    """What a look at the ends of some partitions has shown."""

    partitions: frozenset[PartitionId]
    """Nothing stands behind what was asked about: the reader was at the high watermark."""
    producer_time: bool
    """Whether the broker keeps the time that producers give, so that a record may come with an old one."""


class Broker(Protocol):
    """The broker, asked by a client that belongs to no group and reads committed records only.

    Every method raises BrokerUnavailableError when waiting may help.
    """

    async def layout(self) -> Layout:
        """Return the partitions of the topics as they are now."""
        ...

    async def idle(self, after: Mapping[PartitionId, int | None]) -> Idle:
        """Return those partitions that hold no record behind the given offset (None: no record at all).

        A partition with an open transaction is not idle.
        """
        ...


class Publisher(Protocol):
    """The topics `checks`, `alerts` and `models`."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Return when every event is acknowledged by all in-sync replicas; events of one topic keep their order.

        Repeats are allowed, because ids are derived. BrokerUnavailableError when waiting may help;
        InvalidEventError for an event that can never be sent, before anything is.
        """
        ...


class Clock(Protocol):
    """Time, so that a test can bring its own."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
