"""Starts the local store (chDB behind the ClickHouse HTTP protocol) as a child process."""

import importlib.util
import json
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

from modeltrail.embedded.credentials import Credentials, Role, load_credentials
from modeltrail.embedded.directory import LOOPBACK, prepare_directory, require_free_port
from modeltrail.embedded.process import ChildProcess, ProcessStartError
from modeltrail.embedded.store import DATABASE
from modeltrail.errors import ConfigurationError, MissingExtraError, StoreUnavailableError

__all__ = ["Store"]

_READY_SECONDS = 60.0
_FINISH_SECONDS = 30.0


class Store:
    """A ClickHouse for development, on 127.0.0.1, with its state in `directory`.

    `port` 0 takes a free one at the first start, which restarts then keep. With `scratch` there is a user
    more, who may do everything.
    """

    name = "the local store"
    database = DATABASE

    def __init__(self, directory: Path, *, port: int = 0, scratch: bool = False) -> None:
        if importlib.util.find_spec("chdb") is None:
            raise MissingExtraError("embedded", self.name)
        self.directory = prepare_directory(directory, what=self.name)
        self.host = LOOPBACK
        self._port = port
        self._scratch = scratch
        self._child: ChildProcess | None = None

    def start(self) -> None:
        """Start it and return once it answers.

        Raises ConfigurationError (directory in use, port taken, no permission), StoreUnavailableError when
        it does not become ready.
        """
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        if self._port:
            require_free_port(self._port, what=self.name)
        options = ["--dir", str(self.directory), "--port", str(self._port), "--finish-seconds", f"{_FINISH_SECONDS:g}"]
        if self._scratch:
            options.append("--scratch")
        child = ChildProcess(
            self.name,
            [sys.executable, "-m", "modeltrail.embedded.store", *options],
            log=self.directory / "store.log",
            # It ends itself after the running query, so that an insert is not cut off needlessly.
            death_signal=signal.SIGTERM,
        )
        try:
            child.start(lambda: self._answers(child), deadline_seconds=_READY_SECONDS)
        except ProcessStartError as error:
            if error.returncode == ConfigurationError.exit_code and error.log_tail:
                said = error.log_tail.splitlines()[-1].removeprefix("modeltrail: ")
                raise ConfigurationError(said) from error
            raise StoreUnavailableError(str(error)) from error
        except OSError as error:
            raise StoreUnavailableError(f"{self.name} cannot be started: {error}") from error
        self._child = child

    def _answers(self, child: ChildProcess) -> bool:
        try:
            address = json.loads((self.directory / "address.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        if address["pid"] != child.pid:
            return False
        try:
            with urllib.request.urlopen(f"http://{self.host}:{address['port']}/ping", timeout=1) as answer:
                ready = bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
        if ready:
            self._port = address["port"]
        return ready

    def stop(self) -> None:
        """End it after the running queries; does nothing when it is not running."""
        if self._child is not None:
            self._child.stop(grace_seconds=_FINISH_SECONDS + 5)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        if self._child is not None:
            self._child.kill()

    @property
    def running(self) -> bool:
        """True while its process runs."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return None if self._child is None else self._child.pid

    @property
    def port(self) -> int:
        """HTTP port; known once it was given or the store has been started."""
        if not self._port:
            raise RuntimeError(f"{self.name} has no port before its first start")
        return self._port

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{self.host}:{self.port}"

    @property
    def log_file(self) -> Path:
        """Where it writes what it has to say."""
        return self.directory / "store.log"

    @property
    def credentials(self) -> dict[Role, Credentials]:
        """User and password of each role that exists; known once the store has been started."""
        known = load_credentials(self.directory)
        if not self._scratch:
            del known[Role.SCRATCH]
        return known
