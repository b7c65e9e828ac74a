"""Which log stands behind a partition now: a name that changes when the topic is created again or a leader elected.

A reader asks for records by topic, partition and offset. Where a topic was deleted and created again, or a log was
torn and written on, while the reader looked away, every fetch succeeds and brings the records of another log. The
broker knows better: each topic has an id of its own, and each election of a leader counts up the leader's epoch
(Kafka protocol guide, Metadata version 12). Both together name the log; the client library asks for neither.

    Metadata request   topics [id 16 bytes, name] | create topics automatically | include authorized operations
    Metadata response  throttle | brokers [node, host, port, rack] | cluster | controller
                       | topics [error, name, id, internal, partitions [error, number, leader, leader epoch, replicas,
                       in-sync replicas, offline replicas], authorized operations]
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from modeltrail.errors import BrokerUnavailableError
from modeltrail.ledger.chain import PartitionId

__all__ = ["Incarnations"]

PATIENCE_S = 10.0
"""How long one question may take before it counts as not answered."""

UNNAMED = "-"
"""The name of every log of a broker that does not tell topic ids."""


class Incarnations:
    """Asks the leaders of partitions, with a client of its own: never behind a question that reads records."""

    def __init__(self, client_args: Mapping[str, Any]) -> None:
        self._client_args = dict(client_args)
        self._client: Any = None
        self._turn = asyncio.Lock()
        self._leaders: dict[PartitionId, int] = {}

    async def stop(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def of(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, str]:
        """Return the name of each partition's log; partitions without a leader or a topic are left out.

        Each name is told by the partition's leader: what was fetched from a leader before this question came from
        the log that is named, or from one before it. Raises BrokerUnavailableError when no broker answers.
        """
        wanted = set(partitions)
        if not wanted:
            return {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                client = await self._connected()
                return await self._ask(client, wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.stop()
            raise BrokerUnavailableError(f"the broker does not name its logs: {error!r}") from error

    async def _ask(self, client: Any, wanted: set[PartitionId]) -> dict[PartitionId, str]:
        found: dict[PartitionId, str] = {}
        for _ in range(2):  # the second time, whom the first answer named as leader
            by_node: defaultdict[int, set[PartitionId]] = defaultdict(set)
            for partition in wanted - found.keys():
                node = self._leaders.get(partition, -1)
                known = node >= 0 and client.cluster.broker_metadata(node) is not None
                by_node[node if known else client.get_random_node()].add(partition)
            answers = await asyncio.gather(
                *(self._ask_node(client, node, of) for node, of in by_node.items()), return_exceptions=True
            )
            errors = [answer for answer in answers if isinstance(answer, BaseException)]
            if errors and len(errors) == len(answers):
                raise errors[0]
            for node, answer in zip(by_node, answers, strict=True):
                if isinstance(answer, BaseException):
                    if not isinstance(answer, KafkaError | OSError):
                        raise answer
                    self._forget_leader(node)
                    continue
                for partition, log in answer.items():
                    self._leaders[partition] = log.leader
                    if log.leader == node or log.name == UNNAMED:
                        found[partition] = log.name
            if found.keys() == wanted:
                break
        return found

    async def _ask_node(self, client: Any, node: int, partitions: set[PartitionId]) -> "dict[PartitionId, _Log]":
        topics = sorted({partition.topic for partition in partitions})
        try:
            answer = await client.send(node, _MetadataRequest(topics))
        except NotImplementedError:
            return {partition: _Log(node, UNNAMED) for partition in partitions}
        logs = {
            (topic, number): _Log(leader, f"{topic_id.hex()}/{epoch}")
            for topic_error, topic, topic_id, _, parts, *_ in answer.topics
            for error, number, leader, epoch, *_ in parts
            if topic_error == error == 0 and leader >= 0
        }
        return {
            partition: logs[partition.topic, partition.partition]
            for partition in partitions
            if (partition.topic, partition.partition) in logs
        }

    def _forget_leader(self, node: int) -> None:
        self._leaders = {partition: leader for partition, leader in self._leaders.items() if leader != node}

    async def _connected(self) -> Any:
        async with self._turn:
            if self._client is None:
                client = AIOKafkaClient(
                    **self._client_args, metadata_max_age_ms=10_000, request_timeout_ms=int(PATIENCE_S * 1000)
                )
                try:
                    await client.bootstrap()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client


class _Log(NamedTuple):
    leader: int
    name: str


class _Uuid(AbstractType):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: Any) -> bytes:
        return bytes(data.read(16))


class _Response(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _RequestStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_RequestStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class([(bytes(16), name, {}) for name in self._topics], False, False, {})
