"""A broker and a store together, in one directory: what `modeltrail up`, the demo and the tests start."""

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from modeltrail.embedded.apache import ApacheBroker
from modeltrail.embedded.broker import LocalBroker
from modeltrail.embedded.credentials import Role
from modeltrail.embedded.directory import DirectoryLock, prepare_directory
from modeltrail.embedded.store_launcher import Store
from modeltrail.embedded.tansu import TansuBroker
from modeltrail.errors import BrokerUnavailableError, ConfigurationError

__all__ = ["APPEND_TIME", "BrokerKind", "Stack"]

BrokerKind = Literal["tansu", "apache"]

APPEND_TIME: Mapping[str, str] = {"message.timestamp.type": "LogAppendTime"}
_NEEDED_BYTES = 256 << 20
_ADMIN_TIMEOUT_MS = 15_000


class Stack:
    """A local broker and a local store in `directory`, as a context manager.

    Entering starts both, leaving stops both (the store first finishes its running queries); a child that
    does not stop is killed. `broker` is "tansu" (memory only, starts in milliseconds) or "apache" (Apache
    Kafka itself, needs Java 17 and Maven), `broker_properties` are for Apache Kafka only, ports of None and 0
    are free ones. With `scratch` the store has a user who may do everything.

    One process at a time can use a directory. Everything that goes wrong at the start is a ModeltrailError
    with one readable line.
    """

    def __init__(
        self,
        directory: Path,
        *,
        broker: BrokerKind = "tansu",
        broker_port: int | None = None,
        broker_properties: Mapping[str, str] | None = None,
        clickhouse_port: int = 0,
        scratch: bool = False,
    ) -> None:
        self.directory = prepare_directory(directory, what="the local stack", needed_bytes=_NEEDED_BYTES)
        self._lock: DirectoryLock | None = None
        if broker == "tansu":
            if broker_properties:
                raise ConfigurationError("broker_properties: the local broker Tansu takes none; use broker='apache'")
            self.broker: LocalBroker = TansuBroker(self.directory / "tansu", port=broker_port)
        elif broker == "apache":
            self.broker = ApacheBroker(self.directory / "kafka", port=broker_port, properties=broker_properties)
        else:
            raise ConfigurationError(f"broker: {broker!r}: must be 'tansu' or 'apache'")
        self.clickhouse = Store(self.directory / "clickhouse", port=clickhouse_port, scratch=scratch)

    def start(self) -> None:
        """Start both; when one cannot start, neither is left running."""
        self._lock = DirectoryLock(self.directory, what="the local stack")
        try:
            self.broker.start()
            self.clickhouse.start()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop both in an orderly way; a second call does nothing."""
        try:
            self.clickhouse.stop()
        finally:
            self.broker.stop()
            self._release()

    def kill(self) -> None:
        """End both with SIGKILL."""
        self.clickhouse.kill()
        self.broker.kill()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """Address of the broker for Kafka clients."""
        return self.broker.bootstrap_servers

    def settings_env(self, role: Role = Role.WRITER) -> dict[str, str]:
        """Return the MODELTRAIL_* variables by which a child process finds both, as the store's user `role`."""
        user = self.clickhouse.credentials[role]
        return {
            "MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "MODELTRAIL_CLICKHOUSE__HOST": self.clickhouse.host,
            "MODELTRAIL_CLICKHOUSE__PORT": str(self.clickhouse.port),
            "MODELTRAIL_CLICKHOUSE__USER": user.user,
            "MODELTRAIL_CLICKHOUSE__PASSWORD": user.password,
            "MODELTRAIL_CLICKHOUSE__DATABASE": self.clickhouse.database,
        }

    def create_topics(self, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> list[str]:
        """Create `topics` (name to number of partitions) and return the names of those that were new.

        `config` are topic settings; append time is set unless it says otherwise. Raises
        BrokerUnavailableError when the broker refuses or does not answer. May be called inside a running
        event loop, which waits meanwhile.
        """
        settings = {**APPEND_TIME, **(config or {})}
        created: list[str] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                created.extend(asyncio.run(_create_topics(self.bootstrap_servers, topics, settings)))
            except (KafkaError, OSError) as error:
                failed.append(error)

        # A loop of its own in a thread of its own: the caller may be inside of a loop already.
        thread = threading.Thread(target=work, name="create-topics")
        thread.start()
        thread.join()
        if failed:
            raise BrokerUnavailableError(f"{self.broker.name} did not create the topics: {failed[0]}") from failed[0]
        return created


async def _create_topics(bootstrap: str, topics: Mapping[str, int], config: Mapping[str, str]) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_ADMIN_TIMEOUT_MS)
    await admin.start()
    try:
        wanted = [
            NewTopic(name, num_partitions=partitions, replication_factor=1, topic_configs=dict(config))
            for name, partitions in topics.items()
        ]
        answer = await admin.create_topics(wanted)
    finally:
        await admin.close()
    created = []
    for name, code, *reason in answer.topic_errors:
        error = for_code(code)
        if code == 0:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise error(f"{name}: {reason[0] if reason and reason[0] else error.description}")
    return created
