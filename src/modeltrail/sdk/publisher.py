"""Publish events, durably or not at all.

publish          check, encode, send, wait for all in-sync replicas
publish_many     the same in a stream, with a bounded number of records that are not acknowledged yet
Delivery.chained wait until the ledger holds the record
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from modeltrail.errors import ConfigurationError, InvalidEventError, ModeltrailError
from modeltrail.events.encode import Encoded, Event, encode_binary
from modeltrail.events.fields import Data
from modeltrail.events.notices import Block
from modeltrail.events.registry import BLOCKS, topic_name
from modeltrail.kafka_client import kafka_client_args
from modeltrail.ledger.entry import record_hash
from modeltrail.sdk.blocks import BlockWatcher
from modeltrail.sdk.lookup import StoreLookup
from modeltrail.sdk.results import Chained, Delivery, Summary
from modeltrail.sdk.run import Run
from modeltrail.sdk.sender import Pending, Sender
from modeltrail.settings import ClickHouse, Settings, load

__all__ = ["Publisher"]

INTERRUPTED_FLUSH_S = 5.0
"""Seconds for what is still unsent when the block of the publisher ends by an exception or by Ctrl-C."""
SEQUENCE_DIGITS = 19


class _Sent(NamedTuple):
    """What becomes a Delivery once it is acknowledged."""

    pending: Pending
    id: str
    record_hash: bytes
    blocks_from: int | None


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
        client_args = kafka_client_args(settings)
        self._timeout = settings.sdk.request_timeout_s
        self._sender = Sender(client_args, settings.sdk)
        self._watcher = BlockWatcher(client_args, f"{settings.topics.prefix}.{BLOCKS}")

    async def __aenter__(self) -> Self:
        await self._sender.start()
        try:
            await self._watcher.start()
        except BaseException:
            await self._sender.stop(0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(flush_s=self._timeout if kind is None else min(INTERRUPTED_FLUSH_S, self._timeout))

    async def close(self, *, flush_s: float | None = None) -> None:
        """Wait up to `flush_s` seconds (default: the request timeout) for what is on its way, and disconnect."""
        await self._watcher.stop()
        await self._sender.stop(self._timeout if flush_s is None else flush_s)
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
        try:
            async with aclosing(_as_async(events)) as stream:
                async for event in stream:
                    await run.send(event)
            return await run.finish()
        finally:
            await run.close()

    def _run(
        self,
        on_delivery: Callable[[Delivery], None] | None,
        on_error: Callable[[int, Data | Event, ModeltrailError], None] | None,
    ) -> Run:
        async def send(event: Data | Event) -> _Sent:
            return await self._send(self._event(event, {}), None, ())

        return Run(send, self._settled, self._settings.sdk.max_in_flight, on_delivery, on_error)

    def _event(self, event: Data | Event, given: dict[str, Any]) -> Event:
        if isinstance(event, Event):
            if given:
                raise TypeError(f"{', '.join(given)}: belongs to the event, which has attributes of its own")
        elif isinstance(event, Data):
            wanted: dict[str, Any] = {"source": self._source, "actor": self._actor, "tenant": self._tenant} | given
            for name in ("source", "actor"):
                if wanted[name] is None:
                    raise InvalidEventError(name, None, "is required, here or for the publisher")
            if wanted["tenant"] is None:
                del wanted["tenant"]
            wanted.setdefault("id", str(uuid.uuid4()))
            wanted.setdefault("time", datetime.now(UTC))
            return Event.of(event, **wanted)
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

    async def _send(self, event: Event, key: str | bytes | None, more: Sequence[tuple[str, bytes]]) -> _Sent:
        topic = topic_name(event.kind.family, self._settings.topics.prefix)
        await self._sender.ready(topic)
        own_key, headers, value = self._encoded(event)
        record_key = own_key if key is None else key.encode() if isinstance(key, str) else key
        headers += _checked(more)
        blocks_from = self._watcher.position()
        pending = await self._sender.send(topic, (record_key, headers, value))
        digest = record_hash(record_key, [(name.encode(), content) for name, content in headers], value)
        return _Sent(pending, event.id or "", digest, blocks_from)

    async def _settled(self, sent: _Sent) -> Delivery:
        record = await self._sender.settled(sent.pending)
        return Delivery(
            sent.pending.topic, record.partition, record.offset, record.timestamp, sent.id, sent.record_hash,
            sent.blocks_from, self._chained,
        )  # fmt: skip

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
