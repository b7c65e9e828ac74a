"""A whole Modeltrail on this machine, in one directory: broker, store, topics, schema and workers.

What `modeltrail up` keeps running and what the demo runs on. Other commands find it by the settings files in the
directory, which hold passwords and are readable by their owner only:

    modeltrail.toml    as the store's user `writer`: worker of both roles, publish, verify, heads, entry
    migrator.toml      as `migrator`: migrate, rebuild

Every process is a child of this one and ends with it, whatever ends it.
"""

import contextlib
import json
import os
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.directory import DirectoryLock, free_port, prepare_directory, write_private
from modeltrail.embedded.process import ChildProcess, tail_of
from modeltrail.embedded.stack import BrokerKind, Stack
from modeltrail.errors import UnavailableError
from modeltrail.settings import Settings, load
from modeltrail.storage.client import connect
from modeltrail.storage.migrations import apply
from modeltrail.streaming.topics import required_topics

__all__ = ["SETTINGS_FILE", "Installation", "WorkerProcess", "WorkerRole"]

WorkerRole = Literal["ledger", "drift"]

SETTINGS_FILE = "modeltrail.toml"
_MIGRATOR_FILE = "migrator.toml"
_WHAT = "the local installation"
_OF_WRITER = "worker, publish, verify, heads, entry, baseline, monitor, alerts, drift, topics, doctor"
_OF_MIGRATOR = "migrate, rebuild"
"""The commands that each file of settings is for."""
_ANSWER_S = 2.0
_WORKER_STOP_S = 60.0
_PORT_OF_ROLE = {"ledger": "MODELTRAIL_WORKER__HTTP_PORT", "drift": "MODELTRAIL_DRIFT__HTTP_PORT"}
_LAG_OF_PARTITION = re.compile(r'^modeltrail_lag_records\{partition="(\d+)",topic="([^"]+)"\} (\S+)', re.MULTILINE)


class WorkerProcess:
    """One worker, as a process of its own. `number` counts the workers of a role from 1."""

    def __init__(
        self,
        number: int,
        directory: Path,
        settings_file: Path,
        environ: Mapping[str, str],
        *,
        role: WorkerRole = "ledger",
    ) -> None:
        self.number = number
        self.name = f"worker {number}" if role == "ledger" else f"{role} worker {number}"
        self.address = f"http://127.0.0.1:{free_port()}"
        self._started = 0.0
        self.child = ChildProcess(
            self.name,
            [
                sys.executable, "-m", "modeltrail.cli.main", "worker", "--role", role,
                "--config", str(settings_file),
            ],
            log=directory / f"{self.name.replace(' ', '-')}.log",
            env={**environ, _PORT_OF_ROLE[role]: self.address.rpartition(":")[2]},
        )  # fmt: skip

    def start(self) -> None:
        """Start it, and return at once."""
        self._started = time.monotonic()
        self.child.start(lambda: True, deadline_seconds=_ANSWER_S)

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self.child.pid

    def ask_to_end(self) -> None:
        """Tell it to store what it holds, to leave the group and to end; return at once."""
        pid = self.child.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    @property
    def age_s(self) -> float:
        """Seconds since its last start."""
        return time.monotonic() - self._started

    @property
    def ready(self) -> bool:
        """Whether it says that it is connected and has its partitions."""
        return self._ask("/readyz") is not None

    def partitions(self) -> frozenset[tuple[str, int]]:
        """Return topic and number of each partition that it reads; nothing while it does not answer."""
        metrics = self._ask("/metrics") or ""
        return frozenset((topic, int(number)) for number, topic, _ in _LAG_OF_PARTITION.findall(metrics))

    def _ask(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(self.address + path, timeout=_ANSWER_S) as answer:  # noqa: S310 - our own
                return str(answer.read().decode())
        except OSError:  # not there yet, not ready, or gone
            return None


def _what_it_said(log: Path) -> str:
    tail = tail_of(log, 4)
    return f" (log: {log})" + (f":\n{tail}" if tail else "")


class Installation:
    """Broker, store and workers in `directory`.

    `broker` is "tansu" or "apache"; ports of None and 0 are free ones. `environ` is the environment that the
    processes get, and that settings are read from; settings of broker and store are left out of it, because they
    come from here.
    Raises ConfigurationError when the directory is in use or cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        *,
        broker: BrokerKind = "tansu",
        kafka_port: int | None = None,
        clickhouse_port: int = 0,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.directory = prepare_directory(directory, what=_WHAT)
        self._lock = DirectoryLock(self.directory, what=_WHAT)
        try:
            self.stack = Stack(self.directory, broker=broker, broker_port=kafka_port, clickhouse_port=clickhouse_port)
        except BaseException:
            self._lock.release()
            raise
        self.memory_only = broker == "tansu"
        ours = ("MODELTRAIL_KAFKA__", "MODELTRAIL_CLICKHOUSE__", "MODELTRAIL_CONFIG", *_PORT_OF_ROLE.values())
        self.environ = {name: value for name, value in environ.items() if not name.startswith(ours)}
        self.workers: list[WorkerProcess] = []
        """Ledger workers."""
        self.watchers: list[WorkerProcess] = []
        """Drift workers."""

    @property
    def processes(self) -> list[WorkerProcess]:
        """The workers of both roles."""
        return [*self.workers, *self.watchers]

    @property
    def settings_file(self) -> Path:
        """The file by which other commands find this installation."""
        return self.directory / SETTINGS_FILE

    @property
    def broker_name(self) -> str:
        """What the broker is, in a word or two."""
        return "Tansu, memory only" if self.memory_only else "Apache Kafka"

    def start_broker(self) -> None:
        """Start the broker. Raises what `LocalBroker.start` raises."""
        self.stack.broker.start()

    def start_store(self) -> None:
        """Start the store and write the settings files. Raises what `Store.start` raises."""
        self.stack.clickhouse.start()
        self._write_settings(self.settings_file, Role.WRITER, _OF_WRITER)
        self._write_settings(self.directory / _MIGRATOR_FILE, Role.MIGRATOR, _OF_MIGRATOR)

    def _write_settings(self, file: Path, role: Role, commands: str) -> None:
        user = self.stack.clickhouse.credentials[role]
        lines = [
            "# Written at every start: the ports may be others each time.",
            f"# For: {commands}.",
            "",
            "[kafka]",
            f"bootstrap_servers = {json.dumps(self.stack.bootstrap_servers)}",
            f"memory_only = {json.dumps(self.memory_only)}",
            "",
            "[clickhouse]",
            f"host = {json.dumps(self.stack.clickhouse.host)}",
            f"port = {self.stack.clickhouse.port}",
            f"user = {json.dumps(user.user)}",
            f"password = {json.dumps(user.password)}",
            f"database = {json.dumps(self.stack.clickhouse.database)}",
            "",
            "[worker]",
            "http_port = 0",
            "",
            "[drift]",
            "http_port = 0",
        ]
        write_private(file, "\n".join(lines) + "\n")

    def settings(self) -> Settings:
        """Return the settings that the workers get; known once the store runs."""
        return load(self.settings_file, environ=self.environ)

    def migrate(self) -> int:
        """Bring the schema up to date; return how many migrations were applied."""
        client = connect(load(self.directory / _MIGRATOR_FILE, environ=self.environ).clickhouse)
        try:
            return len(apply(client))
        finally:
            client.close()

    def create_topics(self) -> dict[str, int]:
        """Create the topics that are missing; return all of them with their number of partitions."""
        # An empty file: the settings file of the working directory is about some other installation.
        topics = required_topics(load(Path(os.devnull), environ=self.environ))
        self.stack.create_topics(topics)
        return topics

    def start_worker(self, role: WorkerRole = "ledger") -> WorkerProcess:
        """Start one more worker of a role, and return at once."""
        of_role = self.watchers if role == "drift" else self.workers
        worker = WorkerProcess(len(of_role) + 1, self.directory, self.settings_file, self.environ, role=role)
        worker.start()
        of_role.append(worker)
        return worker

    def check(self) -> None:
        """Raise UnavailableError, with the end of its log, if a process has ended that nobody ended."""
        for part in (self.stack.broker, self.stack.clickhouse):
            if not part.running:
                raise UnavailableError(f"{part.name} ended by itself" + _what_it_said(part.log_file))
        for worker in self.processes:
            if not worker.child.running:
                ended = f"{worker.name} ended with exit code {worker.child.returncode}"
                raise UnavailableError(ended + _what_it_said(worker.child.log))

    def stop_workers(self) -> None:
        """Ask all workers to store what they hold and end, and wait for them."""
        for worker in self.processes:
            worker.ask_to_end()
        for worker in self.processes:
            worker.child.stop(grace_seconds=_WORKER_STOP_S)
        self.workers.clear()
        self.watchers.clear()

    def stop(self) -> None:
        """End everything in an orderly way: workers, store, broker."""
        try:
            self.stop_workers()
            self.stack.stop()
        finally:
            self._lock.release()

    def kill(self) -> None:
        """End everything at once."""
        try:
            for worker in self.processes:
                worker.child.kill()
            self.stack.kill()
        finally:
            self._lock.release()
