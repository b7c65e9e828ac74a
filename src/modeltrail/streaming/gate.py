"""Between Faust's consumer and the ingest: what the ingest may do to the flow, and what the consumer tells it."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP

from modeltrail.errors import BrokerUnavailableError
from modeltrail.ingest.service import Ingest
from modeltrail.ledger.chain import PartitionId
from modeltrail.streaming.records import to_records

__all__ = ["Fetched", "IngestGate"]

UNREADABLE_ATTEMPTS = 3
"""A batch that cannot be read is fetched again this often before its partition is stopped."""


class Fetched(NamedTuple):
    """What one poll brought of one partition, and the number of the placement that it was asked for."""

    records: Any
    placement: int


class IngestGate:
    """Implements `ingest.protocols.Flow` over the consumer of one Faust app, and takes the consumer's calls.

    `drain_s` bounds, in seconds, how long partitions are held back to store what is in memory.
    """

    def __init__(self, app: Any, cluster: str, *, drain_s: float) -> None:
        self._app = app
        self._cluster = cluster
        self._drain_s = drain_s
        self._unreadable: dict[TP, tuple[int, int]] = {}
        self.joined = False
        """Whether the group has given this worker its share, which may be empty."""
        self.ingest: Ingest
        """To be set before the app starts."""

    def name(self, tp: TP) -> PartitionId:
        """Return the partition that Faust calls `tp`."""
        return PartitionId(self._cluster, tp.topic, tp.partition)

    # What the consumer tells

    def assigned(self, tps: Iterable[TP]) -> None:
        """Place these partitions; they are paused until then."""
        self.joined = True
        self.ingest.assign([self.name(tp) for tp in tps], self.generation())

    async def revoked(self, tps: Iterable[TP]) -> None:
        """Store and announce what is in memory, then give these partitions up."""
        await self.ingest.give_up([self.name(tp) for tp in tps], within_s=self._drain_s)

    def out_of_range(self, tp: TP) -> None:
        """The reader stands outside the log: retention passed it, or the log is another one."""
        self._place_again(tp, "the reader stands outside the log")

    def unreadable(self, tp: TP, position: int, reason: str) -> None:
        """A batch at or after offset `position` cannot be read; it is fetched again by itself."""
        before, attempts = self._unreadable.get(tp, (position, 0))
        attempts = attempts + 1 if before == position else 1
        self._unreadable[tp] = (position, attempts)
        if attempts == UNREADABLE_ATTEMPTS:
            message = f"a batch at or after offset {position} cannot be read: {reason}"
            self.pause(self.name(tp))
            self._app.add_future(
                self.ingest.stop_partition(self.name(tp), f"unreadable {position}", message, within_s=self._drain_s)
            )

    def placements(self) -> Mapping[PartitionId, int]:
        """Return the numbers of the placements for which records are fetched from now on."""
        return self.ingest.placements()

    async def batch(self, message: Any) -> None:
        """Hand one batch to the ingest."""
        tp = TP(message.topic, message.partition)
        fetched: Fetched = message.value
        records = to_records(fetched.records)
        # The engine's events refer to each other in circles, and the collector hardly ever runs in a worker.
        fetched.records.clear()
        await self.ingest.accept(self.name(tp), records, fetched.placement)

    def _place_again(self, tp: TP, why: str) -> None:
        lane = self.ingest.lanes.get(self.name(tp))
        if lane is not None:
            self.ingest.lanes.place_again(lane, why)

    # What the ingest may do

    def generation(self) -> int:
        """See `Flow.generation`."""
        return int(self._app.consumer_generation_id)

    async def committed(self, partition: PartitionId) -> int | None:
        """See `Flow.committed`."""
        try:
            async with asyncio.timeout(20.0):
                offset: int | None = await self._app.consumer.committed_offset(_tp(partition))
        except (KafkaError, TimeoutError) as error:
            raise BrokerUnavailableError(f"no committed offset of {partition}: {error!r}") from error
        return offset

    async def commit_start(self, partition: PartitionId, offset: int) -> None:
        """See `Flow.commit_start`."""
        try:
            await self._app.consumer.commit_now(_tp(partition), offset)
        except (KafkaError, TimeoutError) as error:
            raise BrokerUnavailableError(f"offset of {partition} not committed: {error!r}") from error

    async def read_from(self, partition: PartitionId, offset: int) -> None:
        """See `Flow.read_from`."""
        tp = _tp(partition)
        consumer = self._app.consumer
        watermark = consumer.watermark(tp)
        if watermark is None or watermark > offset:
            # Also back: what lies behind `offset` may have been lost by the store since it was durable.
            consumer.begin_at(tp, offset)
        try:
            await consumer.seek_wait({tp: offset})
        except (IllegalStateError, TimeoutError):
            return  # revoked meanwhile: the next assignment places it
        consumer.resume_partitions({tp})

    def pause(self, partition: PartitionId) -> None:
        """See `Flow.pause`."""
        self._app.consumer.pause_partitions({_tp(partition)})

    def resume(self, partition: PartitionId) -> None:
        """See `Flow.resume`."""
        self._app.consumer.resume_partitions({_tp(partition)})

    def durable(self, partition: PartitionId, next_offset: int, generation: int) -> None:
        """See `Flow.durable`."""
        self._app.consumer.durable(_tp(partition), next_offset, generation)

    def stable_end(self, partition: PartitionId) -> int:
        """Return the last stable offset that came with the last fetch, 0 before the first."""
        return int(self._app.consumer.stable_end(_tp(partition)))

    def watermark(self, partition: PartitionId) -> int | None:
        """Return the next offset of a partition that is not stored and announced yet."""
        offset: int | None = self._app.consumer.watermark(_tp(partition))
        return offset


def _tp(partition: PartitionId) -> TP:
    # Faust's own type: with aiokafka's, resume_partitions ends the worker with an empty AssertionError.
    return TP(partition.topic, partition.partition)
