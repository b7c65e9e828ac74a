"""Apache Kafka itself on this machine: one JVM that is broker and controller (KRaft), jars through Maven."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from modeltrail.embedded import maven
from modeltrail.embedded.broker import LocalBroker
from modeltrail.embedded.directory import LOOPBACK, free_port, write_private
from modeltrail.embedded.process import ChildProcess
from modeltrail.errors import BrokerUnavailableError, UnavailableError

__all__ = ["ApacheBroker", "available"]

_STORAGE_TOOL_SECONDS = 60


def available() -> str | None:
    """Say why Apache Kafka cannot run here (Java older than 17, Maven absent); None when it can."""
    return maven.why_unavailable()


class ApacheBroker(LocalBroker):
    """Apache Kafka on 127.0.0.1. See LocalBroker for the methods.

    `properties` are added to server.properties, and win over the defaults below. `heap_megabytes` bounds the
    JVM's heap. `node_id` and `quorum_voters` (`id@host:port,...` of all controllers; None: this one alone)
    are what a cluster of several nodes would set.

    Its log and cluster id survive stop(), kill() and a later launcher on the same directory.
    """

    name = "the local broker (Apache Kafka)"
    ready_seconds = 60.0
    stop_seconds = 20.0

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        properties: Mapping[str, str] | None = None,
        heap_megabytes: int = 360,
        node_id: int = 1,
        quorum_voters: str | None = None,
    ) -> None:
        problem = available()
        if problem is not None:
            raise UnavailableError(f"{self.name} cannot be started: {problem}")
        super().__init__(directory, port=port)
        self.properties = dict(properties or {})
        self.node_id = node_id
        self._controller_port = controller_port
        self._quorum_voters = quorum_voters
        self._heap_megabytes = heap_megabytes
        self._class_path = ""

    def _prepare(self, port: int) -> ChildProcess:
        self._class_path = maven.class_path()
        if self._controller_port is None:
            self._controller_port = free_port()
        controller_port = self._controller_port
        configuration = self.directory / "server.properties"
        wanted = self._default_properties(port, controller_port) | self.properties
        write_private(configuration, "".join(f"{name}={value}\n" for name, value in wanted.items()))
        if not (self.directory / "data" / "meta.properties").exists():
            self._format_storage(configuration)
        return ChildProcess(
            self.name, [*self._java(self._heap_megabytes), "kafka.Kafka", str(configuration)], log=self.log_file
        )

    def _default_properties(self, port: int, controller_port: int) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": str(self.node_id),
            "controller.quorum.voters": self._quorum_voters or f"{self.node_id}@{LOOPBACK}:{controller_port}",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.directory / "data"),
            "auto.create.topics.enable": "false",
            "log.message.timestamp.type": "LogAppendTime",
            # One node: nothing can be replicated, and nobody else is worth waiting for.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # After SIGKILL the controller refuses the broker's return until its old session has ended.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
        }

    def _java(self, heap_megabytes: int) -> list[str]:
        java = maven.java_command()
        if java is None:
            raise BrokerUnavailableError(f"{self.name} cannot be started: Java is not installed any more")
        return [
            java,
            f"-Xmx{heap_megabytes}m",
            # With two cores and a small heap the serial collector is the one that starts fastest.
            "-XX:+UseSerialGC",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp",
            self._class_path,
        ]

    def _format_storage(self, configuration: Path) -> None:
        # One short run: compiling it well would take longer than it lasts.
        java, *options = self._java(128)
        tool = [
            java,
            "-XX:TieredStopAtLevel=1",
            *options,
            "kafka.tools.StorageTool",
            "format",
            "-t",
            self.cluster_id,
            "-c",
            str(configuration),
        ]
        try:
            done = subprocess.run(  # noqa: S603 - our own arguments
                tool, capture_output=True, text=True, check=False, timeout=_STORAGE_TOOL_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise BrokerUnavailableError(f"{self.name}: its storage was not formatted in time") from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise BrokerUnavailableError(
                f"{self.name}: its storage cannot be formatted: {said[-1] if said else 'no reason given'}"
            )
