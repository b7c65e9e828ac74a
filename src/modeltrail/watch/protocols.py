"""What the live watch knows of the world, and nothing more.

Each Protocol is as small as its use. The Kafka, Faust and ClickHouse implementations live in `streaming` and
`storage`; the tests implement the same ones in memory, with a clock of their own.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.narrow import Change, NarrowRows
from modeltrail.drift.windows.order import Cut
from modeltrail.errors import TamperError
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.encode import Event
from modeltrail.ledger.chain import Chain, PartitionId

__all__ = [
    "Broker",
    "Clock",
    "Computed",
    "Frontier",
    "Idle",
    "LastCheck",
    "Layout",
    "Ledger",
    "Observer",
    "Part",
    "Publisher",
    "Since",
    "Told",
]


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


class LastCheck(NamedTuple):
    """The last check of a monitor, a version of a model, a kind and a delay of the truth."""

    check_id: str
    monitor_id: str
    model_id: str
    model_version: str
    kind: str
    label_delay_s: int
    reach: int
    """How many entries its cut holds: of two checks of one model, the one with more comes later in watch order."""
    entry: tuple[Chain, int]
    """Chain and seq of the entry that closed its window."""


class Since(NamedTuple):
    """From where on each prediction of a model is wanted: those behind a cut with at least this log_time."""

    cut: Cut
    log_time: int


class Part(NamedTuple):
    """Predictions in watch order, and through which log_time none is left out."""

    rows: NarrowRows
    through: int


class Told(NamedTuple):
    """What a chain of `models` or `checks` tells the watch. `rows` are all its entries; of `checks` there are none."""

    chain: Chain
    rows: NarrowRows
    changes: Sequence[Change]

    def after(self, log_time: int) -> "Told":
        """Return what stands behind a log_time."""
        changes = [change for change in self.changes if change.position.log_time > log_time]
        return Told(self.chain, self.rows.through(log_time)[1], changes)


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
        """Return what those of these checks carry that are chained, by their ids; also of baselines once learned.

        Checks that the contract of this version refuses are left out, as if they were not there: they are computed
        anew, which gives the same ids.
        """
        ...

    async def last_checks(self, ends: Mapping[Chain, Frontier]) -> Sequence[LastCheck] | None:
        """Return the last check of every unit among those within `ends`; None where not all of them can be seen.

        Of several of a unit with one reach it is the one of the last window.
        """
        ...

    async def told(self, ends: Mapping[Chain, Frontier]) -> Sequence[Told]:
        """Return what all chains of `models` and `checks` tell, up to `ends`."""
        ...

    async def entries(self, places: Collection[tuple[Chain, int]]) -> NarrowRows:
        """Return those of some entries of chains of `predictions`, by chain and seq, that are valid predictions."""
        ...

    async def outermost(
        self, before: Mapping[str, int], otherwise: int, ends: Mapping[Chain, Frontier]
    ) -> NarrowRows | None:
        """Return what predictions up to `ends` come to; None where some cannot be seen.

        Of each version of a model, of all those with a smaller log_time than `before` says, or `otherwise` of a model
        that it does not name: those rows that have the first and the last event time (of those not too far ahead of
        their own log_time), and the last log_time.
        """
        ...

    async def predictions(
        self, since: Mapping[str, Since], ends: Mapping[Chain, Frontier], *, behind: int, through: int, most: int
    ) -> Part:
        """Return the next predictions up to `ends` of some models, of each from where `since` says.

        Their log_time is greater than `behind` and at most `through`. They are at most `most`, but all that have one
        log_time. To be asked when `outermost` has shown that none is hidden.
        """
        ...

    async def cuts(self, log_times: Collection[int], ends: Mapping[Chain, Frontier]) -> Mapping[int, Cut]:
        """Return for each log_time the last entry before it, up to `ends`, of the chains of which `before` tells."""
        ...

    async def before(self, log_time: int, ends: Mapping[Chain, Frontier]) -> Mapping[Chain, Frontier]:
        """Return the last entry before a log_time of every chain of `predictions` and `models` that has one."""
        ...

    async def compute(self, closing: Closing, carry: Mapping[str, Any] | None) -> Computed:
        """Compute what a closing asks for from the ledger up to its cut.

        What an error says about another attempt is told by `set_aside.outlook_of`.
        """
        ...


class Layout(NamedTuple):
    """How the watched topics are divided, as the broker says."""

    watched: frozenset[PartitionId]
    """Every partition of the topics `predictions` and `models`."""
    shares: int
    """Partitions of the topic `blocks`: a model belongs to share `crc32(model_id) % shares`."""
    ticking: frozenset[PartitionId] = frozenset()
    """Every partition of the topic `checks`, where ticks come from: watched, too, where silence is listened for."""


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
        """Note something that is done without, as a check that failed."""
        ...

    def set_aside(self, errors: Mapping[str, str]) -> None:
        """Note which models wait because a check of theirs cannot be computed now, and why. Told at every look."""
        ...

    def tampered(self, error: TamperError) -> None:
        """Note that the ledger contradicts itself, so that what depends on it waits. Told again and again."""
        ...

    def waiting(self, dependency: str, error: Exception) -> None:
        """Note that work waits for the store or the broker."""
        ...

    def going_on(self, dependency: str) -> None:
        """Note that a dependency answers."""
        ...
