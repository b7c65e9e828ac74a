"""Records on their way to the broker: bounded in number, each with an outcome within the request timeout."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka.errors import BrokerResponseError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from modeltrail.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    InvalidEventError,
    ModeltrailError,
    NotDurableError,
)
from modeltrail.events.encode import Encoded
from modeltrail.events.judge import VALUE_MAX
from modeltrail.kafka_client import (
    KAFKA_FAILURES,
    abandon_producer,
    broker_errors,
    broker_failure,
    missing_topics,
    producer_died,
    start_producer,
)
from modeltrail.settings import Sdk

__all__ = ["Pending", "Sender"]

ENVELOPE_ROOM = 65_536
"""Bytes of headers and framing beside the largest value that the contract takes."""

logger = logging.getLogger(__name__)


class Pending(NamedTuple):
    """A record on its way. `future` ends with aiokafka's metadata, or with a failure."""

    future: asyncio.Future[Any]
    topic: str
    size: int
    deadline: float


class Sender:
    """One producer, and another one where it has died."""

    def __init__(self, client_args: Mapping[str, Any], sdk: Sdk) -> None:
        self._client_args = client_args
        self._sdk = sdk
        self._timeout = sdk.request_timeout_s
        self._producer: Any = None
        self._replacing = asyncio.Lock()
        self._slots = asyncio.Semaphore(sdk.max_in_flight)
        self._topics: set[str] = set()

    async def start(self) -> None:
        """Connect. Raises what `kafka_client.start_producer` raises."""
        self._producer = await self._new_producer()

    async def stop(self, flush_s: float) -> None:
        """Wait up to `flush_s` seconds for what is on its way, and disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None and not await abandon_producer(producer, flush_s=flush_s):
            logger.warning("the publisher was closed with records that the broker has not acknowledged")

    async def ready(self, topic: str) -> None:
        """Return once the producer works and the topic is known to exist.

        Raises ConfigurationError for a topic that does not exist, and what `start` raises.
        """
        if topic in self._topics and self._producer is not None and not producer_died(self._producer):
            return
        async with self._replacing:
            if self._producer is None:
                raise BrokerUnavailableError("the publisher is not open: use it as 'async with Publisher(...)'")
            if producer_died(self._producer):
                old, self._producer = self._producer, await self._new_producer()
                await abandon_producer(old, flush_s=0)
            if topic not in self._topics:
                async with broker_errors(self._client_args):
                    missing = await missing_topics(self._producer.client, [topic])
                if missing:
                    raise ConfigurationError(
                        f"the broker has no topic {topic}: create the topics first: modeltrail topics create"
                    )
                self._topics.add(topic)

    async def send(self, topic: str, record: Encoded) -> Pending:
        """Hand a record over to the producer; waits while too many are not acknowledged. Call `ready` before.

        Raises NotDurableError or InvalidEventError: the record was not sent.
        """
        key, headers, value = record
        await self._take_slot(topic)
        try:
            # Bounded by the producer's own request timeout.
            future = await self._producer.send(topic, value, key=key, headers=headers)
        except KAFKA_FAILURES as error:
            self._slots.release()
            raise await self._failure(error, topic, len(value), sent=False) from error
        except BaseException:
            self._slots.release()
            raise
        future.add_done_callback(self._done)
        return Pending(future, topic, len(value), asyncio.get_running_loop().time() + self._timeout)

    async def settled(self, pending: Pending) -> Any:
        """Return aiokafka's metadata of the record once all in-sync replicas have it.

        Raises NotDurableError, InvalidEventError (too large for the topic) or AccessError.
        """
        try:
            if pending.future.done():
                return pending.future.result()
            async with asyncio.timeout_at(pending.deadline):
                return await pending.future
        except KAFKA_FAILURES as error:
            raise await self._failure(error, pending.topic, pending.size, sent=True) from error

    async def _take_slot(self, topic: str) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise NotDurableError(
                f"{topic}: not sent: for {self._timeout:g} s the broker acknowledged nothing of what waits before it"
            ) from None

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._slots.release()
        if not future.cancelled():
            future.exception()  # seen: whoever waits for the record raises it, and nobody else has to

    async def _failure(self, error: BaseException, topic: str, size: int, *, sent: bool) -> ModeltrailError:
        match error:
            case MessageSizeTooLargeError():
                return InvalidEventError("data", f"{size} bytes", f"must fit what {topic} takes (max.message.bytes)")
            case TopicAuthorizationFailedError():
                return await broker_failure(error, self._client_args)
            case TimeoutError():
                why = f"no acknowledgement within {self._timeout:g} s"
            case _:
                why = repr(error)
        if not sent:
            return NotDurableError(f"{topic}: not sent: {why}")
        if isinstance(error, BrokerResponseError) and not error.retriable:
            return NotDurableError(f"{topic}: the broker refuses the record: {why}")
        return NotDurableError(f"{topic}: {why}: the record may or may not be in the log")

    async def _new_producer(self) -> Any:
        return await start_producer(
            self._client_args,
            linger_ms=self._sdk.linger_ms,
            max_batch_size=self._sdk.batch_bytes,
            max_request_size=VALUE_MAX + ENVELOPE_ROOM,
            request_timeout_ms=int(self._timeout * 1000),
            compression_type=None if self._sdk.compression == "none" else self._sdk.compression,
        )
