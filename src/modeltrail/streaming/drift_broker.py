"""The broker as the watch asks it: how topics are divided, and whether a partition has nothing more to say."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

import aiokafka
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from modeltrail.errors import BrokerUnavailableError
from modeltrail.ledger.chain import PartitionId
from modeltrail.streaming.tolerant_records import as_it_stands
from modeltrail.watch.protocols import Idle, Layout

__all__ = ["KafkaBroker"]

T = TypeVar("T")

PATIENCE_S = 20.0
"""How long one question may take before it counts as not answered."""

_FETCH_BYTES = 64 * 1024
_PRODUCER_TIME = 0


class KafkaBroker:
    """Implements `watch.protocols.Broker` with one consumer that belongs to no group.

    `watched` are the topics of predictions and models, `blocks` that of block messages, `ticking` that of checks.
    """

    def __init__(
        self,
        client_args: Mapping[str, Any],
        *,
        cluster: str,
        watched: Collection[str],
        blocks: str,
        ticking: Collection[str] = (),
    ) -> None:
        self._client_args = dict(client_args)
        self._cluster = cluster
        self._watched = tuple(watched)
        self._ticking = tuple(ticking)
        self._blocks = blocks
        self._consumer: Any = None
        self._turn = asyncio.Lock()

    async def stop(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def layout(self) -> Layout:
        """See `Broker.layout`."""
        return await self._ask(self._layout)

    async def idle(self, after: Mapping[PartitionId, int | None]) -> Idle:
        """See `Broker.idle`."""
        return await self._ask(lambda consumer: _idle(consumer, after)) if after else Idle(frozenset(), False)

    async def _layout(self, consumer: Any) -> Layout:
        found = await consumer._client.fetch_all_metadata()  # noqa: SLF001 - there is no public way to ask
        topics = (*self._watched, *self._ticking, self._blocks)
        numbers = {topic: found.partitions_for_topic(topic) or set() for topic in topics}
        missing = sorted(topic for topic, parts in numbers.items() if not parts)
        if missing:
            raise BrokerUnavailableError(f"the broker does not know {', '.join(missing)} now")
        watched, ticking = (
            frozenset(PartitionId(self._cluster, topic, number) for topic in topics for number in numbers[topic])
            for topics in (self._watched, self._ticking)
        )
        return Layout(watched, len(numbers[self._blocks]), ticking)

    async def _ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        async with self._turn:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    if self._consumer is None:
                        self._consumer = await self._connected()
                    return await question(self._consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                await self.stop()
                raise BrokerUnavailableError(f"the broker does not answer the watch: {error!r}") from error
            except BaseException:  # cancelled: the consumer may still have partitions of the question
                await self.stop()
                raise

    async def _connected(self) -> Any:
        consumer = aiokafka.AIOKafkaConsumer(
            **self._client_args,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=_FETCH_BYTES,
            value_deserializer=as_it_stands,
        )
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        return consumer


async def _idle(consumer: Any, after: Mapping[PartitionId, int | None]) -> Idle:
    await consumer._client.fetch_all_metadata()  # noqa: SLF001 - leaders may have moved, and a silent one does not say so
    asked = {aiokafka.TopicPartition(partition.topic, partition.partition): partition for partition in after}
    begins = await consumer.beginning_offsets(list(asked))
    idle: set[PartitionId] = set()
    producer_time = False
    consumer.assign(list(asked))
    try:
        # From the last record that is chained, where there is one: the embedded broker never answers a reader that
        # stands behind its last record, and that record says whose time is kept.
        for tp, partition in asked.items():
            last = after[partition]
            consumer.seek(tp, begins[tp] if last is None else max(begins[tp], last))
        open_ = set(asked)
        while open_:
            try:
                batches = await consumer.getmany(*open_, timeout_ms=100, max_records=2)
            except OffsetOutOfRangeError as error:  # the log was replaced: it has something to say, in a new epoch
                open_ -= set(error.args[0])
                continue
            for tp, records in batches.items():
                last = after[asked[tp]]
                producer_time = producer_time or any(each.timestamp_type == _PRODUCER_TIME for each in records)
                if any(last is None or each.offset > last for each in records):
                    open_.discard(tp)
            for tp in list(open_):
                high, stable = consumer.highwater(tp), consumer.last_stable_offset(tp)
                if high is None or stable is None:
                    continue  # nothing was fetched of it yet
                position = await consumer.position(tp)
                if position == high:
                    idle.add(asked[tp])
                if position >= stable:  # at the end, before an open transaction, or behind the end of another log
                    open_.discard(tp)
    finally:
        consumer.unsubscribe()
    return Idle(frozenset(idle), producer_time)
