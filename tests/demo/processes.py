"""What a command started, and whether it is still there."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes below `pid`."""
    found: set[int] = set()
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return found
    for task in tasks:
        try:
            children = [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found |= {child} | descendants(child)
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until `condition()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, int(port))) == 0


class Command:
    """`modeltrail ...` in a process of its own, whose output can be read while it runs."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MODELTRAIL_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "modeltrail.cli.main", *arguments],
            cwd=cwd,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started: set[int] = set()
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()

    @staticmethod
    def _read(stream, lines: list[str]) -> None:
        for line in iter(stream.readline, ""):
            lines += [line]

    def said(self, text: str) -> bool:
        return any(text in line for line in (*self.out, *self.err))

    def wait_for(self, text: str, *, seconds: float = 120) -> None:
        until(
            lambda: self.said(text) or self.process.poll() is not None, seconds=seconds, what=f"{text!r} in the output"
        )
        assert self.said(text), "".join([*self.out, *self.err])

    def signal(self, number: int) -> None:
        """Note what it has started, and send it a signal."""
        self.started |= descendants(self.process.pid)
        self.process.send_signal(number)

    def told(self) -> str:
        """Return all that it wrote, for a message."""
        return "".join([*self.out, *self.err])

    def ends(self, *, seconds: float) -> int:
        code = self.process.wait(timeout=seconds)
        for reader in self._readers:
            reader.join()
        return code
