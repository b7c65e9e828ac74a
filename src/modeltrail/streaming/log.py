"""The broker, asked by clients that belong to no group: bounds, records, which offsets exist, and whose log it is."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import aiokafka
from aiokafka.errors import KafkaError, LeaderNotAvailableError

from modeltrail.errors import BrokerUnavailableError
from modeltrail.ledger.chain import PartitionId
from modeltrail.ledger.placement import Bounds
from modeltrail.ledger.sequencer import Record
from modeltrail.streaming.incarnations import Incarnations
from modeltrail.streaming.records import to_record
from modeltrail.streaming.tolerant_records import as_it_stands

__all__ = ["KafkaLog"]

T = TypeVar("T")

MOST_OFFSETS = 100_000
"""A hole in which this many records stand is told as such without reading on."""

PATIENCE_S = 20.0
"""How long one question may take before it counts as not answered."""


AT_ONCE = 4
"""So many questions are asked at the same time, each through a consumer of its own."""


class KafkaLog:
    """Implements `ingest.protocols.Log` with a few consumers, each used by one caller at a time.

    A partition about which the broker does not answer keeps one of them for as long as its patience lasts, and not
    all the others waiting.
    """

    def __init__(self, client_args: Mapping[str, Any]) -> None:
        self._client_args = dict(client_args)
        self._idle: list[Any] = []
        self._over = False
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._incarnations = Incarnations(client_args)

    async def stop(self) -> None:
        """Disconnect, for good."""
        self._over = True
        await self._incarnations.stop()
        while self._idle:
            await self._idle.pop().stop()

    async def bounds(self, partition: PartitionId, *, expected_end: int | None = None) -> Bounds:
        """See `Log.bounds`; without `expected_end` every end is told for certain.

        The end is the last stable offset: an open transaction hides what follows it.
        """
        return await self._ask(partition, lambda consumer, tp: self._bounds(consumer, tp, expected_end))

    async def ends(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, int]:
        """Return the last stable end of many partitions with one question; the embedded broker's may be too low."""
        tps = {_tp(partition): partition for partition in partitions}
        if not tps:
            return {}

        async def ask(consumer: Any, _: object) -> dict[PartitionId, int]:
            ends = await consumer.end_offsets(list(tps))
            return {tps[tp]: end for tp, end in ends.items()}

        return await self._ask(None, ask)

    async def read(self, partition: PartitionId, offset: int) -> Record | None:
        """See `Log.read`."""
        found = await self._range(partition, offset, offset)
        return found.get(offset)

    async def existing(self, partition: PartitionId, first: int, last: int) -> set[int]:
        """See `Log.existing`."""
        return set(await self._range(partition, first, last, most=MOST_OFFSETS, with_values=False))

    async def incarnations(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, str]:
        """See `Log.incarnations`."""
        return await self._incarnations.of(partitions)

    async def _range(
        self, partition: PartitionId, first: int, last: int, *, most: int = 1, with_values: bool = True
    ) -> dict[int, Record | None]:
        async def ask(consumer: Any, tp: Any) -> dict[int, Record | None]:
            found: dict[int, Record | None] = {}
            bounds = await self._bounds(consumer, tp, last + 1)
            position = max(first, bounds.begin)
            last_wanted = min(last, bounds.end - 1)
            if position > last_wanted:  # a seek past the end would wait for ever
                return found
            consumer.assign([tp])
            try:
                consumer.seek(tp, position)
                while position <= last_wanted and len(found) < most:
                    batches = await consumer.getmany(tp, timeout_ms=200, max_records=last_wanted - position + 1)
                    for record in batches.get(tp, ()):
                        if first <= record.offset <= last_wanted:
                            found[record.offset] = to_record(record) if with_values else None
                    position = await consumer.position(tp)
            finally:
                consumer.unsubscribe()
            return found

        return await self._ask(partition, ask)

    async def _bounds(self, consumer: Any, tp: Any, expected_end: int | None) -> Bounds:
        begins, ends = await asyncio.gather(consumer.beginning_offsets([tp]), consumer.end_offsets([tp]))
        begin, end = begins[tp], ends[tp]
        if expected_end is not None and end >= expected_end:
            return Bounds(begin, end)
        # The embedded broker answers with the first offset of the last batch. What a fetch says is right everywhere.
        consumer.assign([tp])
        try:
            consumer.seek(tp, max(begin, end - 1))
            while consumer.last_stable_offset(tp) is None:
                await consumer.getmany(tp, timeout_ms=100, max_records=1)
            return Bounds(begin, max(end, consumer.last_stable_offset(tp)))
        finally:
            consumer.unsubscribe()

    async def _ask(self, partition: PartitionId | None, question: Callable[[Any, Any], Awaitable[T]]) -> T:
        async with self._turns:
            consumer = None
            try:
                async with asyncio.timeout(PATIENCE_S):
                    consumer = self._idle.pop() if self._idle else await self._connected()
                    tp = _tp(partition) if partition else None
                    await _reach_leader(consumer, tp)
                    answer = await question(consumer, tp)
            except (KafkaError, OSError, TimeoutError) as error:
                what = str(partition) if partition else "log ends"
                raise BrokerUnavailableError(f"the broker does not answer about {what}: {error!r}") from error
            else:
                if not self._over:
                    self._idle.append(consumer)
                    consumer = None
                return answer
            finally:
                if consumer is not None:  # it failed, or whoever asked has gone
                    await consumer.stop()

    async def _connected(self) -> Any:
        consumer = aiokafka.AIOKafkaConsumer(
            **self._client_args,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=100,
            value_deserializer=as_it_stands,
        )
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        return consumer


async def _reach_leader(consumer: Any, tp: Any) -> None:
    """Have a connection to the partition's leader, whoever that is now.

    A consumer without a group learns of a new leader when its metadata expires, or when the old one says that it is
    not the leader any more; one that is gone says nothing, and would be asked again until patience ends.
    """
    client = consumer._client  # noqa: SLF001 - there is no public way to ask
    if tp is None:
        return
    for attempt in range(2):
        leader = client.cluster.leader_for_partition(tp)
        if leader is not None and leader >= 0 and await client.ready(leader):
            return
        if attempt == 0:
            client.add_topic(tp.topic)
            await client.force_metadata_update()
    raise LeaderNotAvailableError(f"{tp.topic}/{tp.partition}")


def _tp(partition: PartitionId) -> Any:
    return aiokafka.TopicPartition(partition.topic, partition.partition)
