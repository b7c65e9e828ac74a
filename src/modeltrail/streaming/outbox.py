"""The topics that Modeltrail writes itself: blocks, rejected, and its own alerts."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.errors import MessageSizeTooLargeError

from modeltrail.errors import BrokerUnavailableError
from modeltrail.events.encode import Event, encode_binary
from modeltrail.events.notices import Block, Reject
from modeltrail.ingest.protocols import Notices
from modeltrail.kafka_client import KAFKA_FAILURES, abandon_producer, start_producer

__all__ = ["KafkaOutbox", "OutboxTopics"]


ACKNOWLEDGEMENT_S = 30.0
"""How long the messages of one commit may take before they are sent again."""

FLUSH_S = 2.0
"""How long a producer that is given up may take to send what it holds."""


class OutboxTopics(NamedTuple):
    """Names of the topics that a ledger worker writes."""

    blocks: str
    rejected: str
    alerts: str


class KafkaOutbox:
    """Implements `ingest.protocols.Outbox` with one producer that waits for all in-sync replicas."""

    def __init__(self, client_args: Mapping[str, Any], topics: OutboxTopics) -> None:
        self._client_args = dict(client_args)
        self._topics = topics
        self._producer: Any = None
        self._block_partitions: list[int] = []
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect; BrokerUnavailableError when nobody answers."""
        self._producer = await start_producer(
            self._client_args, linger_ms=5, max_batch_size=131_072, request_timeout_ms=30_000
        )
        self._block_partitions = sorted(await self._producer.partitions_for(self._topics.blocks))

    async def stop(self) -> None:
        """Disconnect; what was not acknowledged was not announced."""
        await self._give_up()

    async def send(self, notices: Notices) -> None:
        """See `Outbox.send`. One caller at a time: alerts come from other tasks than commits."""
        async with self._turn:
            try:
                if self._producer is None:
                    await self.start()
                async with asyncio.timeout(ACKNOWLEDGEMENT_S):
                    await self._send(notices)
            except KAFKA_FAILURES as error:
                await self._give_up()
                raise BrokerUnavailableError(f"the broker did not acknowledge a message: {error!r}") from error

    async def _send(self, notices: Notices) -> None:
        acknowledgements = [
            *await self._blocks(notices.blocks),
            *[await self._event(event) for event in notices.alerts],
        ]
        rejects = [await self._reject(reject) for reject in notices.rejects]
        for outcome in await asyncio.gather(*acknowledgements, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        outcomes = await asyncio.gather(*rejects, return_exceptions=True)
        for reject, outcome in zip(notices.rejects, outcomes, strict=True):
            if isinstance(outcome, MessageSizeTooLargeError):  # the topic's own limit is below the producer's
                await (await self._bare_reject(reject))
            elif isinstance(outcome, BaseException):
                raise outcome

    async def _blocks(self, blocks: Sequence[Block]) -> list[Any]:
        sent = []
        for block in blocks:
            key, value = block.chain.encode(), block.encode()
            # to every partition, because each of them serves other models of the watch
            sent += [
                await self._producer.send(self._topics.blocks, value, key=key, partition=partition)
                for partition in self._block_partitions
            ]
        return sent

    async def _reject(self, reject: Reject) -> Any:
        key = reject.chain.encode()
        try:
            return await self._producer.send(self._topics.rejected, reject.encode(), key=key)
        except MessageSizeTooLargeError:
            return await self._bare_reject(reject)

    async def _bare_reject(self, reject: Reject) -> Any:
        bare = reject.model_copy(
            update={"payload_included": False, "key_base64": None, "headers_base64": [], "value_base64": None}
        )
        return await self._producer.send(self._topics.rejected, bare.encode(), key=reject.chain.encode())

    async def _event(self, event: Event) -> Any:
        key, headers, value = encode_binary(event)
        return await self._producer.send(self._topics.alerts, value, key=key, headers=headers)

    async def _give_up(self) -> None:
        """Give the producer up: one that failed may hold a sequence that the broker refuses."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await abandon_producer(producer, flush_s=FLUSH_S)
