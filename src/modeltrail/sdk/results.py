"""What publishing gives back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from modeltrail.errors import ModeltrailError
from modeltrail.events.notices import Block

__all__ = ["Chained", "Delivery", "PublishManyError", "Summary"]


@dataclass(frozen=True, slots=True)
class Chained:
    """Where a record stands in the ledger.

    `seq` is None where it cannot be told without the store, and `reason` then says why. `entry_hash` (32 bytes) is
    there only if the publisher knows the store. `block` is the message that covers the record.
    """

    chain: str
    seq: int | None
    entry_hash: bytes | None
    block: Block
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record that all in-sync replicas have acknowledged.

    `offset` is its position in the partition, -1 in the one case in which a broker acknowledges a repeat without
    saying where the record is. `timestamp` is in milliseconds since 1970: the broker's, where the topic has append
    time. `id` is the event's, `record_hash` the SHA-256 that the ledger will hold for the record.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    id: str
    record_hash: bytes = field(repr=False)
    blocks_from: int | None = field(repr=False, compare=False)
    """A position of the blocks topic from before the record was sent; None: not known."""
    _wait: Callable[["Delivery", float], Awaitable[Chained]] = field(repr=False, compare=False)

    async def chained(self, timeout: float = 30.0) -> Chained:  # noqa: ASYNC109 - how long to wait is the question
        """Wait up to `timeout` seconds for the block that covers this record, and return where the record stands.

        Raises UnavailableError when no block covers it in time (is a ledger worker running?), NotDurableError when
        the log was replaced and holds another record in its place, NotVerifiableError when the broker did not say
        where the record is or the store contradicts the block, ConfigurationError where there is no blocks topic.
        """
        return await self._wait(self, timeout)


D = TypeVar("D")


@dataclass(slots=True)
class Summary(Generic[D]):
    """The outcome of `publish_many`. `seconds` is its duration, `topics` counts acknowledged records by topic,
    `last` is the last delivery of each topic and partition: once it is chained, so are those before it.
    """  # noqa: D205

    published: int = 0
    failed: int = 0
    seconds: float = 0.0
    topics: dict[str, int] = field(default_factory=dict)
    last: dict[tuple[str, int], D] = field(default_factory=dict)


class PublishManyError(ModeltrailError):
    """The first failure of `publish_many`; its cause is the error of that one event.

    `index` counts the events from 0, `summary` says what is durable all the same: everything before that event,
    and what had been sent after it and was acknowledged.
    """

    def __init__(self, index: int, cause: ModeltrailError, summary: Summary[Delivery]) -> None:
        self.index = index
        self.cause = cause
        self.summary = summary
        self.exit_code: ClassVar[int] = cause.exit_code  # type: ignore[misc]
        super().__init__(f"event {index}: {cause} ({summary.published} others are durable)")
