"""What the two local brokers have in common: addresses, cluster id, readiness, stop, kill, restart."""

import base64
import re
import uuid
from abc import ABC, abstractmethod
from pathlib import Path

from modeltrail.embedded.directory import LOOPBACK, free_port, prepare_directory, require_free_port
from modeltrail.embedded.kafka_probe import fetch_metadata
from modeltrail.embedded.process import ChildProcess, ProcessStartError
from modeltrail.errors import BrokerUnavailableError, ConfigurationError

__all__ = ["LocalBroker"]

_PORT_ATTEMPTS = 5
_CLUSTER_ID = re.compile(r"[!-.0-~]{1,64}")  # printable ASCII without space and slash: it becomes part of chain names
_PORT_TAKEN = re.compile(r"addr(ess)? ?(already )?in ?use", re.IGNORECASE)


class LocalBroker(ABC):
    """A broker on 127.0.0.1 whose state, log and cluster id are in `directory`.

    `port` is the port for clients; None picks a free one at the first start, which restarts then keep.
    """

    name: str
    ready_seconds: float
    stop_seconds: float

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self.directory = prepare_directory(directory, what=self.name)
        self.cluster_id = _cluster_id(self.directory)
        self._port = port
        self._child: ChildProcess | None = None

    @abstractmethod
    def _prepare(self, port: int) -> ChildProcess:
        """Return the process that serves `port`, with everything that it needs written to the directory."""

    def start(self) -> None:
        """Start the broker and return once it answers a metadata request with its own cluster id.

        Raises ConfigurationError for a port that was asked for and is taken, MissingExtraError for a part
        that is not installed, BrokerUnavailableError when it does not become ready.
        """
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        if self._port is not None:
            require_free_port(self._port, what=self.name)
            self._start_on(self._port)
            return
        # A free port can be taken by somebody else before the broker binds it: then another one.
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = free_port()
            try:
                self._start_on(port)
            except BrokerUnavailableError as error:
                if attempt == _PORT_ATTEMPTS or not _PORT_TAKEN.search(str(error)):
                    raise
            else:
                self._port = port
                return

    def _start_on(self, port: int) -> None:
        child = self._prepare(port)
        try:
            child.start(lambda: self._answers(port), deadline_seconds=self.ready_seconds)
        except ProcessStartError as error:
            raise BrokerUnavailableError(str(error)) from error
        except OSError as error:
            raise BrokerUnavailableError(f"{self.name} cannot be started: {error}") from error
        self._child = child

    def _answers(self, port: int) -> bool:
        metadata = fetch_metadata(LOOPBACK, port)
        if metadata is None or metadata.cluster_id != self.cluster_id:
            return False
        return metadata.controller_id >= 0 and any(address == port for _, _, address in metadata.brokers)

    def stop(self) -> None:
        """Stop it in an orderly way; does nothing when it is not running."""
        if self._child is not None:
            self._child.stop(grace_seconds=self.stop_seconds)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        if self._child is not None:
            self._child.kill()

    @property
    def running(self) -> bool:
        """True while the broker's process runs."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return None if self._child is None else self._child.pid

    @property
    def port(self) -> int:
        """Client port; known once it was given or the broker has been started."""
        if self._port is None:
            raise RuntimeError(f"{self.name} has no port before its first start")
        return self._port

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, as Kafka clients want it."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def log_file(self) -> Path:
        """Where it writes what it has to say."""
        return self.directory / "broker.log"


def _cluster_id(directory: Path) -> str:
    """Read the directory's cluster id, or draw one and write it down."""
    file = directory / "cluster-id"
    if file.exists():
        known = file.read_text(encoding="utf-8").strip()
        if not _CLUSTER_ID.fullmatch(known):
            raise ConfigurationError(f"{file}: {known!r}: must be printable ASCII without a space or a slash")
        return known
    drawn = _random_cluster_id()
    file.write_text(drawn + "\n", encoding="utf-8")
    return drawn


def _random_cluster_id() -> str:
    # Kafka's form of an id: 16 random bytes in URL-safe base64 without padding. One that begins with a dash
    # would be read as an option by the storage tool.
    while True:
        drawn = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not drawn.startswith("-"):
            return drawn
