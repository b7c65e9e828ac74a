"""What the watch says: checks, alerts, and baselines that it has learned. One producer, every message acknowledged.

    alert, alert  -> acknowledged ->  check  -> acknowledged

A topic is written to when everything before is acknowledged: of two topics, the broker may take the one and refuse the
other, and a check that stands without its alerts would keep them back for ever (see `watch.closings`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from modeltrail.errors import BrokerUnavailableError, ConfigurationError, InvalidEventError
from modeltrail.events.encode import Event, encode_binary
from modeltrail.events.registry import topic_name
from modeltrail.kafka_client import KAFKA_FAILURES, abandon_producer, start_producer

__all__ = ["KafkaPublisher"]

ACKNOWLEDGEMENT_S = 30.0
"""How long the messages of one call for one topic may take before they are sent again."""

FLUSH_S = 2.0
"""How long a producer that is given up may take to send what it holds."""

LARGEST = 1_000_000
"""Bytes of key, headers and value together that the default limit of a topic leaves room for."""


_TOO_LARGE: tuple[type[KafkaError], ...] = (MessageSizeTooLargeError, RecordListTooLargeError)
"""What the topic's own limit, which may be lower, refuses: whoever sends it, and however often."""

_Encoded = tuple[bytes, list[tuple[str, bytes]], bytes]


class KafkaPublisher:
    """Implements `watch.protocols.Publisher` with one producer that waits for all in-sync replicas."""

    def __init__(self, client_args: Mapping[str, Any], *, prefix: str) -> None:
        self._client_args = dict(client_args)
        self._prefix = prefix
        self._producer: Any = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect; BrokerUnavailableError when nobody answers."""
        # The next check waits for these acknowledgements, so that there is nothing to linger for.
        self._producer = await start_producer(self._client_args, linger_ms=0, request_timeout_ms=30_000)

    async def stop(self) -> None:
        """Disconnect; what was not acknowledged is published again by whoever watches next."""
        await self._give_up()

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Publisher.publish`."""
        messages = [(topic_name(event.kind.family, self._prefix), _encoded(event)) for event in events]
        async with self._turn:
            for topic, some in groupby(messages, key=itemgetter(0)):
                try:
                    if self._producer is None:
                        await self._start_again()
                    async with asyncio.timeout(ACKNOWLEDGEMENT_S):
                        await self._send(topic, [encoded for _, encoded in some])
                except _TOO_LARGE as error:
                    await self._give_up()
                    raise InvalidEventError("data", topic, f"must fit a message of this topic: {error!r}") from error
                except KAFKA_FAILURES as error:
                    await self._give_up()
                    raise BrokerUnavailableError(f"{topic}: the broker did not acknowledge: {error!r}") from error

    async def _start_again(self) -> None:
        try:
            await self.start()
        except ConfigurationError as error:  # it was right when the worker started: it is being changed
            raise BrokerUnavailableError(str(error)) from error

    async def _send(self, topic: str, messages: Sequence[_Encoded]) -> None:
        acknowledgements = [
            await self._producer.send(topic, value, key=key, headers=headers) for key, headers, value in messages
        ]
        for outcome in await asyncio.gather(*acknowledgements, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _give_up(self) -> None:
        """Give the producer up: one that failed may hold a sequence that the broker refuses."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await abandon_producer(producer, flush_s=FLUSH_S)


def _encoded(event: Event) -> _Encoded:
    key, headers, value = encode_binary(event)
    size = len(key) + len(value) + sum(len(name) + len(text) + 8 for name, text in headers)
    if size > LARGEST:
        raise InvalidEventError("data", f"{size} bytes", f"must be at most {LARGEST} bytes; watch fewer fields at once")
    return key, headers, value
