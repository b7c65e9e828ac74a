"""Publish events, durably or not at all.

publish          check, encode, send, wait for all in-sync replicas
publish_many     the same in a stream, with a bounded number of records that are not acknowledged yet
Delivery.chained wait until the ledger holds the record
"""

import asyncio
import logging
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from modeltrail.errors import (
    AccessError,
    BrokerUnavailableError,
    ConfigurationError,
    InvalidEventError,
    ModeltrailError,
    NotDurableError,
)
from modeltrail.events.encode import Encoded, Event, encode_binary
from modeltrail.events.fields import Data
from modeltrail.events.judge import VALUE_MAX
from modeltrail.events.notices import Block
from modeltrail.events.registry import BLOCKS, topic_name
from modeltrail.kafka_client import (
    KAFKA_FAILURES,
    abandon_producer,
    broker_errors,
    broker_failure,
    kafka_client_args,
    missing_topics,
    producer_died,
    start_producer,
)
from modeltrail.ledger.entry import record_hash
from modeltrail.sdk.blocks import BlockWatcher
from modeltrail.sdk.lookup import StoreLookup
from modeltrail.sdk.results import Chained, Delivery, Summary
from modeltrail.sdk.run import Run
from modeltrail.settings import ClickHouse, Settings, load

__all__ = ["Publisher"]

INTERRUPTED_FLUSH_S = 5.0
"""Seconds for what is still unsent when the block of the publisher ends by an exception or by Ctrl-C."""
ENVELOPE_ROOM = 65_536
"""Bytes of headers and framing beside the largest value that the contract takes."""
SEQUENCE_DIGITS = 19

logger = logging.getLogger(__name__)


class Pending(NamedTuple):
    """A record on its way. `future` ends with aiokafka's metadata, or with a failure."""

    future: asyncio.Future[Any]
    topic: str
    id: str
    record_hash: bytes
    size: int
    blocks_from: int | None
    deadline: float


class Publisher:
    """Publishes events to Kafka; an async context manager.

        async with Publisher(source="urn:example:scoring", actor="scoring-job") as publisher:
            delivery = await publisher.publish(PredictionRecorded(...))
            place = await delivery.chained()

    `bootstrap_servers` replaces that of the settings; `settings` are those of the program unless given. `source`,
    `actor` and `tenant` stand in where a call names none. `store` is the address of the ledger, usually
    `settings.clickhouse`; with it `chained` also tells the entry hash. `first_sequence` makes the publisher number
    the events of each source from there on, so that a missing one can be found.

    Entering raises BrokerUnavailableError, AccessError or ConfigurationError within a few seconds. Leaving waits
    for what is on its way.
    """

    def __init__(
        self,
        bootstrap_servers: str | None = None,
        *,
        source: str | None = None,
        actor: str | None = None,
        tenant: str | None = None,
        first_sequence: int | None = None,
        store: ClickHouse | None = None,
        settings: Settings | None = None,
    ) -> None:
        if settings is None:
            settings = load(overrides={"kafka.bootstrap_servers": bootstrap_servers})
        elif bootstrap_servers is not None:
            raise ConfigurationError("bootstrap_servers: must not be given beside settings, which hold it")
        self._settings = settings
        self._source = source
        self._actor = actor
        self._tenant = tenant
        self._first_sequence = first_sequence
        self._sequences: dict[str, int] = defaultdict(lambda: first_sequence or 0)
        self._lookup = None if store is None else StoreLookup(store)
        self._client_args = kafka_client_args(settings)
        self._timeout = settings.sdk.request_timeout_s
        self._producer: Any = None
        self._starting = asyncio.Lock()
        self._slots = asyncio.Semaphore(settings.sdk.max_in_flight)
        self._topics: set[str] = set()
        self._watcher = BlockWatcher(self._client_args, f"{settings.topics.prefix}.{BLOCKS}")

    async def __aenter__(self) -> Self:
        self._producer = await self._new_producer()
        try:
            await self._watcher.start()
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(flush_s=self._timeout if kind is None else min(INTERRUPTED_FLUSH_S, self._timeout))

    async def close(self, *, flush_s: float | None = None) -> None:
        """Wait up to `flush_s` seconds (default: the request timeout) for what is on its way, and disconnect."""
        producer, self._producer = self._producer, None
        await self._watcher.stop()
        if producer is not None:
            flushed = await abandon_producer(producer, flush_s=self._timeout if flush_s is None else flush_s)
            if not flushed:
                logger.warning("the publisher was closed with records that the broker has not acknowledged")
        if self._lookup is not None:
            await asyncio.to_thread(self._lookup.close)

    async def publish(
        self,
        event: Data | Event,
        *,
        subject: str | None = None,
        id: str | None = None,  # noqa: A002 - the attribute's name in CloudEvents
        time: datetime | str | None = None,
        actor: str | None = None,
        source: str | None = None,
        tenant: str | None = None,
        sequence: str | None = None,
        traceparent: str | None = None,
        correlationid: str | None = None,
        causationid: str | None = None,
        retentionclass: str | None = None,
        extensions: Mapping[str, str] | None = None,
        key: str | bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> Delivery:
        """Publish one event and return once all in-sync replicas have it.

        `event` is the data of an event, with its attributes beside it, or a whole Event, with none. `time` is when
        it happened (default: now), `id` a new UUID unless given; `subject`, and with it the Kafka key, come from the
        data. `headers` are further Kafka headers.

        Raises InvalidEventError when the contract refuses it, ConfigurationError when its topic does not exist,
        NotDurableError when it was not acknowledged in time: it may or may not be in the log, and publishing it
        again may store it twice. AccessError, BrokerUnavailableError: nothing was sent.
        """
        attributes = {
            "subject": subject, "id": id, "time": time, "actor": actor, "source": source, "tenant": tenant,
            "sequence": sequence, "traceparent": traceparent, "correlationid": correlationid,
            "causationid": causationid, "retentionclass": retentionclass, "extensions": extensions,
        }  # fmt: skip
        given = {name: value for name, value in attributes.items() if value is not None}
        return await self._settled(await self._send(self._event(event, given), key, headers))

    async def publish_many(
        self,
        events: Iterable[Data | Event] | AsyncIterable[Data | Event],
        *,
        on_delivery: Callable[[Delivery], None] | None = None,
        on_error: Callable[[int, Data | Event, ModeltrailError], None] | None = None,
    ) -> Summary[Delivery]:
        """Publish a stream of any length in bounded memory; returns when each has an outcome.

        The stream is read only as fast as the broker takes it: at most `sdk.max_in_flight` records wait for their
        acknowledgement. `on_delivery` gets each delivery, `on_error` the index, the event and the error of each that
        failed; both in the order of the stream. Without `on_error` the first failure ends it: what was sent is
        waited for, and PublishManyError says what is durable.
        """
        run = self._run(on_delivery, on_error)
        async with aclosing(_as_async(events)) as stream:
            async for event in stream:
                await run.send(event)
        return await run.finish()

    def _run(
        self,
        on_delivery: Callable[[Delivery], None] | None,
        on_error: Callable[[int, Data | Event, ModeltrailError], None] | None,
    ) -> Run:
        async def send(event: Data | Event) -> Pending:
            return await self._send(self._event(event, {}), None, ())

        return Run(send, self._settled, self._settings.sdk.max_in_flight, on_delivery, on_error)

    def _event(self, event: Data | Event, given: dict[str, Any]) -> Event:
        if isinstance(event, Event):
            if given:
                raise TypeError(f"{', '.join(given)}: belongs to the event, which has attributes of its own")
        elif isinstance(event, Data):
            wanted = {"source": self._source, "actor": self._actor, "tenant": self._tenant} | given
            for name in ("source", "actor"):
                if wanted[name] is None:
                    raise InvalidEventError(name, None, "is required, here or for the publisher")
            if wanted["tenant"] is None:
                del wanted["tenant"]
            event = Event.of(event, **wanted)
        else:
            raise TypeError(f"{type(event).__name__}: must be the data of an event, or an Event")
        return event.completed(id=str(uuid.uuid4()), time=datetime.now(UTC))

    def _encoded(self, event: Event) -> Encoded:
        if self._first_sequence is None or event.sequence:
            return encode_binary(event)
        number = self._sequences[event.source]
        encoded = encode_binary(replace(event, sequence=f"{number:0{SEQUENCE_DIGITS}}"))
        # An event that is refused takes no number; one that is lost leaves its number missing.
        self._sequences[event.source] = number + 1
        return encoded

    async def _send(self, event: Event, key: str | bytes | None, more: Sequence[tuple[str, bytes]]) -> Pending:
        own_key, headers, value = self._encoded(event)
        record_key = own_key if key is None else key.encode() if isinstance(key, str) else key
        headers += _checked(more)
        topic = topic_name(event.kind.family, self._settings.topics.prefix)
        producer = await self._ready(topic)
        blocks_from = self._watcher.position()
        try:
            async with asyncio.timeout(self._timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise NotDurableError(
                f"{topic}: not sent: for {self._timeout:g} s the broker acknowledged nothing of what waits before it"
            ) from None
        try:
            async with asyncio.timeout(self._timeout):
                future = await producer.send(topic, value, key=record_key, headers=headers)
        except BaseException as error:
            self._slots.release()
            if isinstance(error, KafkaTimeoutError | TimeoutError | KafkaError | OSError):
                raise await self._failure(error, topic, len(value), sent=False) from error
            raise
        future.add_done_callback(self._done)
        digest = record_hash(record_key, [(name.encode(), content) for name, content in headers], value)
        deadline = asyncio.get_running_loop().time() + self._timeout
        return Pending(future, topic, event.id or "", digest, len(value), blocks_from, deadline)

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._slots.release()
        if not future.cancelled():
            future.exception()  # seen: whoever waits for the record raises it, and nobody else has to

    async def _settled(self, pending: Pending) -> Delivery:
        try:
            async with asyncio.timeout_at(pending.deadline):
                record = await pending.future
        except KAFKA_FAILURES as error:
            raise await self._failure(error, pending.topic, pending.size, sent=True) from error
        return Delivery(
            pending.topic, record.partition, record.offset, record.timestamp, pending.id, pending.record_hash,
            pending.blocks_from, self._chained,
        )  # fmt: skip

    async def _failure(self, error: BaseException, topic: str, size: int, *, sent: bool) -> ModeltrailError:
        if isinstance(error, MessageSizeTooLargeError):
            return InvalidEventError("data", f"{size} bytes", f"must fit what topic {topic} takes (max.message.bytes)")
        if isinstance(error, KafkaError) and not error.retriable:
            known = await broker_failure(error, self._client_args)
            if isinstance(known, AccessError | ConfigurationError):
                return known
        reason = f"no acknowledgement within {self._timeout:g} s" if isinstance(error, TimeoutError) else repr(error)
        if not sent:
            return NotDurableError(f"{topic}: not sent: {reason}")
        return NotDurableError(f"{topic}: {reason}: the record may or may not be in the log")

    async def _ready(self, topic: str) -> Any:
        """Return the producer, a new one where the old one has died, once the topic is known to exist."""
        if topic in self._topics and self._producer is not None and not producer_died(self._producer):
            return self._producer
        async with self._starting:
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
            return self._producer

    async def _new_producer(self) -> Any:
        sdk = self._settings.sdk
        return await start_producer(
            self._client_args,
            linger_ms=sdk.linger_ms,
            max_batch_size=sdk.batch_bytes,
            max_request_size=VALUE_MAX + ENVELOPE_ROOM,
            request_timeout_ms=int(self._timeout * 1000),
            compression_type=None if sdk.compression == "none" else sdk.compression,
        )

    async def _chained(self, delivery: Delivery, timeout_s: float) -> Chained:
        block = await self._watcher.covering(delivery, timeout_s)
        if self._lookup is not None:
            place = await asyncio.to_thread(self._lookup.find, block, delivery.offset, delivery.record_hash)
            return Chained(block.chain, place.seq, place.entry_hash, block)
        return _placed(block, delivery.offset)


async def _as_async(events: Iterable[Data | Event] | AsyncIterable[Data | Event]) -> AsyncGenerator[Data | Event]:
    if isinstance(events, AsyncIterable):
        async for event in events:
            yield event
    else:
        for event in events:
            yield event


def _placed(block: Block, offset: int) -> Chained:
    """Tell the position from the block alone: exact only where no gap took more than one offset."""
    if block.last_offset - block.first_offset == block.last_seq - block.first_seq:
        return Chained(block.chain, block.last_seq - (block.last_offset - offset), None, block)
    return Chained(
        block.chain,
        None,
        None,
        block,
        f"offsets {block.first_offset} to {block.last_offset} of this block have gaps: only the store knows the seq",
    )


def _checked(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    for name, _ in headers:
        if name.casefold().startswith("ce_") or name.casefold() == "content-type":
            raise InvalidEventError("headers", name, "is written by the publisher; must be a name of your own")
    return list(headers)
