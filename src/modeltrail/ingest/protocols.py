"""What the commit protocol knows of the world, and nothing more.

Each Protocol is as small as its use. The Kafka, Faust and ClickHouse implementations live in `streaming` and
`storage`; a simulated world implements the same ones.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from modeltrail.events.encode import Event
from modeltrail.events.notices import Block, Reject
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entries import Entries
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.placement import Bounds
from modeltrail.ledger.sequencer import Head, Record

__all__ = ["Clock", "Flow", "Log", "Notices", "Observer", "Opening", "Outbox", "Store", "Stored"]


class Stored(NamedTuple):
    """An entry that stands in the ledger: enough to compare it with a record and to announce it again."""

    chain: Chain
    seq: int
    offset: int
    timestamp: int
    record_hash: bytes
    entry_hash: bytes


class Opening(NamedTuple):
    """Why an epoch begins, for the alert that goes out before its first entry."""

    chain: Chain
    reason: GenesisReason
    old_head: Head


class Store(Protocol):
    """The ledger. Every method raises StoreUnavailableError when waiting may help."""

    async def head(self, partition: PartitionId) -> Head | None:
        """Return the head of the newest chain, or of its contiguous part where the store lost a block.

        Raises TamperError where two different entries stand at one of the last positions.
        """
        ...

    async def chained(self, partition: PartitionId, first: int, last: int) -> Mapping[int, Stored]:
        """Return the records with offsets first..last as the newest epoch that holds each of them has them."""
        ...

    async def last(self, partition: PartitionId) -> Head | None:
        """Return the last record of the newest chain, whether or not the store still has what stands before it."""
        ...

    async def chained_at_or_before(
        self, partition: PartitionId, offset: int, floor: int, *, newest: Chain | None = None
    ) -> Stored | None:
        """Return the record with the greatest offset in floor..offset, from the newest chain that reaches there.

        Chains newer than `newest` are left out.
        """
        ...

    async def entry_hashes(self, chain: Chain, seq: int) -> Collection[bytes]:
        """Return the different entry hashes at a position: none, one, or more where the chain forks."""
        ...

    async def insert(self, rows: Entries, appended_at: int) -> None:
        """Make one attempt to insert `rows` as one block. `appended_at` is in milliseconds.

        When it returns, the rows and their typed rows are durable. RowsRefusedError: nothing was stored and
        nothing will be. Any other error: the block may or may not be there.
        """
        ...

    async def restarted(self) -> bool:
        """Return whether the server restarted or the ledger was swapped since the last question: it may lack rows."""
        ...

    async def fill(self, chain: Chain, first_seq: int, last_seq: int) -> None:
        """Fill the typed tables again from the ledger for a range; harmless where nothing is missing."""
        ...

    async def late_blocks(self, partition: PartitionId) -> Sequence[tuple[Chain, int, int]]:
        """Return (closed chain, first, last seq) of entries that landed after the next epoch had begun."""
        ...


class Log(Protocol):
    """The broker, asked by a client that belongs to no group and reads committed records only.

    Every method raises BrokerUnavailableError when waiting may help.
    """

    async def bounds(self, partition: PartitionId, *, expected_end: int) -> Bounds:
        """Return begin and last stable end of the partition.

        An end below `expected_end` is of consequence, and told only for certain.
        """
        ...

    async def read(self, partition: PartitionId, offset: int) -> Record | None:
        """Return the committed record at exactly `offset`, None if there is none."""
        ...

    async def existing(self, partition: PartitionId, first: int, last: int) -> Collection[int]:
        """Return the offsets in first..last that hold a committed record; of very many only the lowest."""
        ...

    async def incarnations(self, partitions: Iterable[PartitionId]) -> Mapping[PartitionId, str]:
        """Return a name for the log that stands behind each partition now; those that nobody leads are left out.

        The name is another one after the topic was created again or a leader was elected: whatever was delivered
        before the question came from the log that is named, or from one before it.
        """
        ...


class Flow(Protocol):
    """The member of the consumer group through which batches arrive."""

    def generation(self) -> int:
        """Return the group's generation as far as this member knows: a hint, never a fence."""
        ...

    async def committed(self, partition: PartitionId) -> int | None:
        """Return the committed offset of the group."""
        ...

    async def commit_start(self, partition: PartitionId, offset: int) -> None:
        """Commit `offset` now: where a partition begins that never had a committed offset."""
        ...

    async def read_from(self, partition: PartitionId, offset: int) -> None:
        """Deliver from `offset` on, and let records flow."""
        ...

    def pause(self, partition: PartitionId) -> None:
        """Stop fetching this partition."""
        ...

    def resume(self, partition: PartitionId) -> None:
        """Fetch this partition again."""
        ...

    def durable(self, partition: PartitionId, next_offset: int, generation: int) -> None:
        """Everything before `next_offset` is stored and announced; it may be acknowledged."""
        ...


class Notices(NamedTuple):
    """What one commit announces."""

    blocks: Sequence[Block]
    rejects: Sequence[Reject]
    alerts: Sequence[Event]


class Outbox(Protocol):
    """The topics that Modeltrail writes itself."""

    async def send(self, notices: Notices) -> None:
        """Return when every message is acknowledged by all in-sync replicas; BrokerUnavailableError otherwise.

        Repeats are allowed: each message names its chain and position, or is an event with an id of its own.
        """
        ...


class Clock(Protocol):
    """Time, so that a simulation can bring its own."""

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
    """Whoever counts: metrics and logs. Nothing here may change what is chained."""

    def chained(self, partition: PartitionId, rows: Entries) -> None:
        """Rows became durable and were announced."""
        ...

    def inserted(self, rows: int, size: int, seconds: float) -> None:
        """Count a successful insert."""
        ...

    def waiting(self, dependency: str, error: Exception) -> None:
        """Note that work waits for the store or the broker."""
        ...

    def going_on(self, dependency: str) -> None:
        """Note that a dependency answers again."""
        ...

    def placed(self, partition: PartitionId, chain: Chain, next_seq: int, start: int, *, opened: bool) -> None:
        """Note that reading starts at offset `start`; `opened` where a new epoch begins."""
        ...

    def stopped(self, partition: PartitionId, kind: str, message: str) -> None:
        """Note that a partition is out of service until somebody acts."""
        ...

    def reread(self, partition: PartitionId, offset: int, why: str) -> None:
        """Note that records are asked for again."""
        ...
