"""The producing system as a child process, and what it says."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from modeltrail.embedded.process import ChildProcess
from modeltrail.errors import ModeltrailError

__all__ = ["Message", "ProducerProcess", "format_message"]

_START = '{"step":'


class Message(NamedTuple):
    """One line of the producer: its step, and what it says about it."""

    step: str
    said: dict[str, Any]


def format_message(step: str, said: Mapping[str, object]) -> str:
    """Return a message as a line, which `ProducerProcess` reads."""
    return json.dumps({"step": step, **said}, separators=(",", ":")) + "\n"


class ProducerProcess:
    """Runs `modeltrail.demo.producer`; its lines go to `producer.log` in `directory`.

    `months` are those of 2013 whose flights it publishes to the broker at `bootstrap_servers`.
    """

    def __init__(
        self, directory: Path, bootstrap_servers: str, months: Sequence[int], environ: Mapping[str, str]
    ) -> None:
        self._log = directory / "producer.log"
        self._child = ChildProcess(
            "the producer",
            [sys.executable, "-m", "modeltrail.demo.producer", "--months", ",".join(map(str, months))],
            log=self._log,
            env={
                **environ,
                # An empty file: the settings file of the working directory is about some other installation.
                "MODELTRAIL_CONFIG": os.devnull,
                "MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
                # Training shares two cores with everything else, and threads that wait for each other would spin.
                "OMP_NUM_THREADS": "1",
            },
        )
        self._read = 0
        self.total = 0
        """Records that it is going to publish; 0 while it does not know."""
        self.poison = 0
        """How many of them are broken on purpose."""
        self.windows = 0
        """In how many windows of the monitor its predictions lie."""
        self.published = 0
        """Records that the broker has acknowledged."""
        self.done = False

    def start(self) -> None:
        """Start it, and return at once."""
        self._child.start(lambda: True, deadline_seconds=5)

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._child.pid

    def poll(self) -> list[Message]:
        """Return what it has said since the last call; ModeltrailError if it has failed."""
        ended = self._child.returncode
        messages = list(self._messages())
        for message in messages:
            if message.step == "plan":
                self.total, self.poison = message.said["events"], message.said["poison"]
                self.windows = message.said["windows"]
            elif message.step in ("published", "done"):
                self.published = message.said["events"]
                self.done = message.step == "done"
        if ended is not None and not self.done:
            tail = self._child.log_tail(3)
            raise ModeltrailError(f"the producer ended with exit code {ended} (log: {self._log}):\n{tail}")
        return messages

    def _messages(self) -> Iterator[Message]:
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._read)
            for line in iter(log.readline, ""):
                if not line.endswith("\n"):  # half of it is written
                    break
                self._read = log.tell()
                if line.startswith(_START):
                    said = json.loads(line)
                    yield Message(said.pop("step"), said)

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()
