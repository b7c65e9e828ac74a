"""Wait for the block that covers a record.

A ledger worker announces each block on the blocks topic once it is stored. One consumer without a group reads
that topic while somebody waits. It starts at a position that was taken before the record was sent, so that a block
cannot be missed, and goes back to one where somebody waits for an older record. Blocks may come twice, late, or
again in a new epoch: that changes nothing here.
"""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import aiokafka
from aiokafka.errors import KafkaError

from modeltrail.errors import (
    ConfigurationError,
    InvalidEventError,
    ModeltrailError,
    NotVerifiableError,
    UnavailableError,
)
from modeltrail.events.notices import Block
from modeltrail.kafka_client import CONNECT_TIMEOUT_S, KAFKA_FAILURES, broker_errors, broker_failure
from modeltrail.ledger.chain import Chain, parse_chain
from modeltrail.sdk.results import Delivery

__all__ = ["BlockWatcher"]

PARTITION = 0
"""Every block message goes to every partition; one of them is enough."""
REMEMBERED = 4096
"""Blocks that are kept in memory for those who ask late."""
REFRESH_S = 30.0
"""Age at which the position for new records is taken again, so that nobody has to read days of blocks."""
IDLE_S = 30.0
"""Reading ends this long after the last waiter has got an answer."""
LOOK_S = 3.0
"""A quiet topic is looked at this often: is it still the same log?"""

logger = logging.getLogger(__name__)
_chain = lru_cache(maxsize=1024)(parse_chain)


class _Seen(NamedTuple):
    position: int
    chain: Chain
    block: Block


class _Waiter(NamedTuple):
    delivery: Delivery
    found: asyncio.Future[Block]


class BlockWatcher:
    """Reads the blocks topic of one broker, in the event loop that it was started in."""

    def __init__(self, client_args: Mapping[str, Any], topic: str) -> None:
        self._client_args = dict(client_args)
        self._tp = aiokafka.TopicPartition(topic, PARTITION)
        self._consumer: Any = None
        self._why_not: ModeltrailError | None = None
        self._position: int | None = None
        self._taken_at = 0.0
        self._refreshing: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._rewind: int | None = None
        self._waiters: dict[tuple[str, int], list[_Waiter]] = defaultdict(list)
        self._seen: deque[_Seen] = deque()
        self._seen_from = 0

    async def start(self) -> None:
        """Connect and take the first position. A topic that cannot be used is remembered, not raised."""
        consumer = aiokafka.AIOKafkaConsumer(
            **self._client_args,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=250,
        )
        try:
            async with broker_errors(self._client_args):
                await consumer.start()
                # Asked for all topics: a question about one can create it, with settings that nobody chose.
                if self._tp.topic in await consumer.topics():
                    self._consumer = consumer
                    await self._take_position()
            if self._consumer is None:
                self._why_not = ConfigurationError(
                    f"the broker has no topic {self._tp.topic}: without it nobody can say what is chained"
                )
                await consumer.stop()
        except ModeltrailError as error:
            # Publishing does not depend on it, and a producer may have no right to read it.
            self._why_not = error
            self._consumer = None
            await consumer.stop()
        except BaseException:
            await consumer.stop()
            raise

    async def stop(self) -> None:
        """Disconnect; whoever still waits gets UnavailableError."""
        for task in (self._refreshing, self._reading):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._fail(UnavailableError("the publisher was closed before the record was chained"))
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    def position(self) -> int | None:
        """Return a position of the blocks topic that no block of a record sent from now on is before."""
        if self._consumer is not None and time.monotonic() - self._taken_at > REFRESH_S and self._refreshing is None:
            self._taken_at = time.monotonic()
            self._refreshing = asyncio.create_task(self._refresh())
        return self._position

    async def covering(self, delivery: Delivery, timeout_s: float) -> Block:
        """Return the block that covers the record. See `Delivery.chained` for what it raises."""
        if self._why_not is not None:
            raise self._why_not
        if self._consumer is None:
            raise UnavailableError("the publisher is closed: nobody watches the blocks any more")
        if delivery.offset < 0 or delivery.blocks_from is None:
            raise NotVerifiableError(f"the broker did not say where in {delivery.topic} event {delivery.id} is")
        for seen in self._seen:
            if _covers(seen.chain, seen.block, delivery):
                return seen.block
        waiter = _Waiter(delivery, asyncio.get_running_loop().create_future())
        waiters = self._waiters[delivery.topic, delivery.partition]
        waiters.append(waiter)
        self._read_from(delivery.blocks_from)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter.found
        except TimeoutError:
            where = f"{delivery.topic}/{delivery.partition} offset {delivery.offset}"
            raise UnavailableError(
                f"{where}: durable in Kafka, but in no block after {timeout_s:g} s: is a ledger worker running?"
            ) from None
        finally:
            if waiter in waiters:
                waiters.remove(waiter)

    async def _refresh(self) -> None:
        # An older position stays right, so a failure costs nothing but reading.
        with contextlib.suppress(*KAFKA_FAILURES):
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._take_position()
        self._refreshing = None

    async def _take_position(self) -> None:
        ends = await self._consumer.end_offsets([self._tp])
        self._position = ends[self._tp]
        self._taken_at = time.monotonic()

    def _read_from(self, position: int) -> None:
        if self._reading is None:
            self._seen.clear()
            self._seen_from = position
            self._consumer.assign([self._tp])
            self._consumer.seek(self._tp, position)
            self._reading = asyncio.create_task(self._read())
        elif position < self._seen_from:
            self._rewind = position if self._rewind is None else min(self._rewind, position)

    async def _read(self) -> None:
        wanted_at = looked_at = time.monotonic()
        try:
            while time.monotonic() - wanted_at < IDLE_S:
                if any(self._waiters.values()):
                    wanted_at = time.monotonic()
                if self._rewind is not None:
                    self._restart_at(self._rewind)
                records = (await self._consumer.getmany(self._tp, timeout_ms=500)).get(self._tp, ())
                for record in records:
                    self._take(record)
                if not records and time.monotonic() - looked_at > LOOK_S:
                    looked_at = time.monotonic()
                    await self._look()
        except KafkaError as error:
            self._fail(await broker_failure(error, self._client_args))
        finally:
            self._reading = None

    def _restart_at(self, position: int) -> None:
        self._rewind = None
        self._seen.clear()
        self._seen_from = position
        self._consumer.seek(self._tp, position)

    async def _look(self) -> None:
        # After a reset of the broker the position may be beyond the end, where some brokers never answer.
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                ends = await self._consumer.end_offsets([self._tp])
                position = await self._consumer.position(self._tp)
        except KAFKA_FAILURES as error:
            logger.debug("blocks cannot be read now: %r", error)
            return
        if ends[self._tp] < position:
            self._restart_at(0)

    def _take(self, record: Any) -> None:
        try:
            block = Block.parse(record.value or b"")
            chain = _chain(block.chain)
        except (InvalidEventError, ValueError) as error:
            logger.warning("%s offset %d is no block message: %s", record.topic, record.offset, error)
            return
        self._seen.append(_Seen(record.offset, chain, block))
        if len(self._seen) > REMEMBERED:
            self._seen_from = self._seen.popleft().position + 1
        waiters = self._waiters.get((chain.topic, chain.partition))
        if not waiters:
            return
        rest = []
        for waiter in waiters:
            if waiter.found.done():
                continue
            if _covers(chain, block, waiter.delivery):
                waiter.found.set_result(block)
            else:
                rest.append(waiter)
        waiters[:] = rest

    def _fail(self, error: ModeltrailError) -> None:
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.found.done():
                    waiter.found.set_exception(error)
            waiters.clear()


def _covers(chain: Chain, block: Block, delivery: Delivery) -> bool:
    # The times tell the record from another one at the same offset of a log that was replaced.
    return (
        chain.topic == delivery.topic
        and chain.partition == delivery.partition
        and block.first_offset <= delivery.offset <= block.last_offset
        and block.min_time <= delivery.timestamp <= block.max_time
    )
