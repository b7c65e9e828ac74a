"""What the live watch knows of the world, and nothing more.

Each Protocol is as small as its use. The Kafka, Faust and ClickHouse implementations live in `streaming` and
`storage`; the tests implement the same ones in memory, with a clock of their own.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from modeltrail.drift.closing import Closing
from modeltrail.drift.narrow import Change, NarrowRows
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.encode import Event
from modeltrail.ledger.chain import Chain, PartitionId

__all__ = ["Broker", "Clock", "Computed", "Frontier", "Idle", "Layout", "Ledger", "Observer", "Publisher"]


class Frontier(NamedTuple):
    """The end of the part of a chain that is there without a hole."""

    seq: int
    log_time: int
    """Milliseconds since 1970."""


class Computed(NamedTuple):
    """What came of a closing."""

    events: Sequence[Event]
    """In the order in which they are published: what a check names stands before it."""
    check: CheckCompleted | None
    """The check among them; None where a baseline was learned."""
    carry: Mapping[str, Any]
    """What the next closing of the same unit starts from."""


class Ledger(Protocol):
    """The ledger as the watch reads it. Every method raises StoreUnavailableError when waiting may help."""

    async def frontiers(self) -> Mapping[Chain, Frontier]:
        """Return every chain of `predictions`, `models` and `checks` that has an entry, closed epochs too."""
        ...

    async def offsets(self, ends: Mapping[Chain, int]) -> Mapping[Chain, int]:
        """Return the Kafka offset of one entry of each chain, given by its seq."""
        ...

    async def read(self, chain: Chain, first: int, last: int) -> tuple[NarrowRows, Sequence[Change]]:
        """Return the entries first..last of a chain, and what is told to the watch in them.

        Of a chain of `checks` there are no rows.
        """
        ...

    async def published(self, check_ids: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return what those of these checks carry that are chained, by their ids; also of baselines once learned."""
        ...

    async def compute(self, closing: Closing, carry: Mapping[str, Any] | None) -> Computed:
        """Compute what a closing asks for from the ledger up to its cut.

        Any other error than UnavailableError and TamperError is one of this closing: it is published as a check that
        failed.
        """
        ...


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


class Observer(Protocol):
    """Whoever counts: metrics and logs. Nothing here may change what is published."""

    def began(self, shares: int, models: int) -> None:
        """Note that a share of the models is watched from now on."""
        ...

    def looked(self, *, entries: int, waiting: int, lag: int, models: int) -> None:
        """Count a look at the ledger: entries that were read, that wait to be passed, that were not read yet."""
        ...

    def checked(self, kind: str, status: str, seconds: float) -> None:
        """Count a check that was published."""
        ...

    def alerted(self, kind: str, transition: str, message: str) -> None:
        """Count an alert that was published."""
        ...

    def failed(self, what: str, error: str) -> None:
        """Note that a check failed."""
        ...

    def waiting(self, dependency: str, error: Exception) -> None:
        """Note that work waits for the store or the broker."""
        ...

    def going_on(self, dependency: str) -> None:
        """Note that a dependency answers."""
        ...
