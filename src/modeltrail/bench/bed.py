"""What a benchmark runs on: topics and a database of its own on a broker and a store, and worker processes.

Broker and store are started for the benchmark (Apache Kafka and the embedded engine), or are those of the settings.
What is made there has a name of its own and is removed at the end.
"""

import asyncio
import contextlib
import os
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient

from modeltrail.bench.usage import require_proc
from modeltrail.embedded.credentials import Role
from modeltrail.embedded.directory import free_port
from modeltrail.embedded.process import ChildProcess
from modeltrail.embedded.stack import Stack
from modeltrail.errors import UnavailableError
from modeltrail.events.registry import topic_name
from modeltrail.kafka_client import broker_errors, kafka_client_args
from modeltrail.settings import Settings, load
from modeltrail.settings.names import env_name
from modeltrail.storage.client import connect
from modeltrail.storage.migrations import apply, create_database
from modeltrail.streaming.topics import create_topics, required_topics

__all__ = ["Bed", "Ground", "Worker", "ground"]

_ANSWER_S = 2.0
_STOP_S = 60.0


@dataclass(frozen=True)
class Ground:
    """A broker and a store. `pids` has the process ids of those that were started here, by `broker` and `store`."""

    directory: Path
    writer: Mapping[str, str]
    """Variables of the settings, with the right to write the ledger."""
    migrator: Mapping[str, str]
    """The same with the right to create databases and tables."""
    pids: Mapping[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def ground(settings: Settings | None, directory: Path | None = None) -> Iterator[Ground]:
    """Start Apache Kafka and the embedded store, or take those of `settings`; end what was started.

    `directory` is where their data goes; None: a temporary directory, which is removed.
    Raises UnavailableError where Java or Maven is missing.
    """
    require_proc()
    with contextlib.ExitStack() as stack:
        home = directory or Path(stack.enter_context(TemporaryDirectory(prefix="modeltrail-bench-")))
        if settings is not None:
            given = _as_environment(settings)
            yield Ground(home, given, given)
            return
        own = stack.enter_context(Stack(home / "stack", broker="apache"))
        pids = {"broker": own.broker.pid or 0, "store": own.clickhouse.pid or 0}
        yield Ground(home, own.settings_env(Role.WRITER), own.settings_env(Role.MIGRATOR), pids)


def _as_environment(settings: Settings) -> dict[str, str]:
    """Return the variables by which a child process gets the broker and the store of these settings."""
    found: dict[str, str] = {}
    for section_name, section in (("kafka", settings.kafka), ("clickhouse", settings.clickhouse)):
        for name, value in section:
            if value is not None:
                plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
                text = str(plain)
                found[env_name(f"{section_name}.{name}")] = text.lower() if isinstance(plain, bool) else text
    return found


_PORT_OF_ROLE = {"ledger": "MODELTRAIL_WORKER__HTTP_PORT", "drift": "MODELTRAIL_DRIFT__HTTP_PORT"}


class Worker:
    """One worker as a process; `number` counts from 1."""

    def __init__(self, number: int, directory: Path, environ: Mapping[str, str], *, role: str = "ledger") -> None:
        port = free_port()
        self._ready_url = f"http://127.0.0.1:{port}/readyz"
        self.child = ChildProcess(
            f"worker {number}",
            [sys.executable, "-m", "modeltrail.cli.main", "worker", "--role", role],
            log=directory / f"worker-{number}.log",
            env={**environ, _PORT_OF_ROLE[role]: str(port)},
        )

    @property
    def pid(self) -> int:
        """Its process id; UnavailableError if it has ended."""
        pid = self.child.pid
        if pid is None:
            raise UnavailableError(f"{self.child.name} has ended:\n{self.child.log_tail(4)}")
        return pid

    def ready(self) -> bool:
        """Whether it says that it has its partitions. Raises UnavailableError if it has ended."""
        _ = self.pid
        try:
            with urllib.request.urlopen(self._ready_url, timeout=_ANSWER_S):  # noqa: S310 - our own address
                return True
        except OSError:
            return False


class Bed:
    """Topics, a database and workers on `ground`, as a context manager.

    `partitions` are those of each topic; `topics_of` another bed whose topics are read again, from their beginning.
    `families` are those that ledger workers chain.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        partitions: int,
        topics_of: "Bed | None" = None,
        families: Sequence[str] = ("predictions",),
    ) -> None:
        self._families = tuple(families)
        self.name = "bench_" + uuid.uuid4().hex[:10]
        self.ground = ground
        self.partitions = partitions
        self._owns_topics = topics_of is None
        self.prefix: str = self.name if topics_of is None else topics_of.prefix
        self.directory = ground.directory / self.name
        self._workers: list[Worker] = []
        self._looking: Any = None

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a child process."""
        rest = {name: value for name, value in os.environ.items() if not name.startswith("MODELTRAIL_")}
        return rest | self._variables(base)

    def _variables(self, base: Mapping[str, str]) -> dict[str, str]:
        return {
            **base,
            "MODELTRAIL_CONFIG": os.devnull,
            "MODELTRAIL_TOPICS__PREFIX": self.prefix,
            "MODELTRAIL_TOPICS__PARTITIONS__DEFAULT": str(self.partitions),
            "MODELTRAIL_CLICKHOUSE__DATABASE": self.name,
            "MODELTRAIL_WORKER__GROUP": self.name,
            "MODELTRAIL_WORKER__FAMILIES": ",".join(self._families),
            "MODELTRAIL_DRIFT__GROUP": f"{self.name}_drift",
        }

    def settings(self) -> Settings:
        """Return the settings of its workers."""
        return load(environ=self._variables(self.ground.writer))

    @property
    def topic(self) -> str:
        """The topic that is filled."""
        return topic_name("predictions", self.prefix)

    def client(self, *, answer_timeout_s: int = 900) -> Any:
        """Return a connection to its database, as the workers'."""
        return connect(self.settings().clickhouse, answer_timeout_s=answer_timeout_s)

    def entries(self) -> int:
        """Return how many rows the ledger has."""
        if self._looking is None:
            self._looking = self.client()
        return int(self._looking.command("SELECT count() FROM ledger"))

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        migrator = load(environ=self._variables(self.ground.migrator))
        create_database(migrator.clickhouse)
        client = connect(migrator.clickhouse)
        try:
            apply(client)
        finally:
            client.close()
        if self._owns_topics:
            asyncio.run(create_topics(self.settings()))
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.child.kill()
        if self._looking is not None:
            self._looking.close()
        migrator = load(environ=self._variables(self.ground.migrator))
        client = connect(migrator.clickhouse, database="")
        try:
            client.command(f"DROP DATABASE IF EXISTS {self.name} SYNC")
        finally:
            client.close()
        if self._owns_topics:
            asyncio.run(_delete_topics(self.settings()))

    def start_worker(self, role: str = "ledger") -> Worker:
        """Start one more worker of a role, and return at once."""
        worker = Worker(len(self._workers) + 1, self.directory, self.environ(self.ground.writer), role=role)
        worker.child.start(lambda: True, deadline_seconds=_ANSWER_S)
        self._workers.append(worker)
        return worker

    def stop_workers(self) -> None:
        """Let all workers end in an orderly way. Raises UnavailableError if one did not."""
        for worker in self._workers:
            worker.child.stop(grace_seconds=_STOP_S)
            if worker.child.returncode != 0:
                raise UnavailableError(f"{worker.child.name} ended badly:\n{worker.child.log_tail(4)}")
        self._workers.clear()


async def _delete_topics(settings: Settings) -> None:
    async with broker_errors(settings):
        admin = AIOKafkaAdminClient(**kafka_client_args(settings))
        await admin.start()
        try:
            await admin.delete_topics(list(required_topics(settings)))
        finally:
            await admin.close()
