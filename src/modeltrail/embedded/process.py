"""One supervised child process: started with a deadline, stopped for certain, never left behind.

A child runs in a session of its own, so that Ctrl-C in the terminal reaches the parent alone, which then
stops its children in the order that it wants. That no child outlives its parent is arranged three times:
`stop()` and `kill()` by hand, `atexit` for a parent that just ends, and on Linux PR_SET_PDEATHSIG, by which
the kernel itself ends the child when the parent is killed with SIGKILL.
"""

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from modeltrail.errors import UnavailableError

__all__ = ["ChildProcess", "ProcessStartError", "tail_of"]

# PR_SET_PDEATHSIG is inherited through exec, so a few lines of Python set it and then become the program.
# A preexec_fn would do it without them, but runs Python between fork and exec, which can deadlock when the
# parent has threads. The comparison of the parent closes the gap in which the parent dies before prctl.
_LEASH = """\
import ctypes, os, sys
parent, death_signal = int(sys.argv[1]), int(sys.argv[2])
if sys.platform == "linux":
    ctypes.CDLL(None, use_errno=True).prctl(1, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""
_POLL_SECONDS = 0.02
_TAIL_LINES = 12


class ProcessStartError(UnavailableError):
    """A child process did not become ready.

    `name` is what it is called on the screen, `log_file` where it wrote, `log_tail` the end of that,
    `returncode` its exit code, or None if it still ran when the deadline passed.
    """

    def __init__(self, name: str, problem: str, log_file: Path, log_tail: str, returncode: int | None) -> None:
        self.name = name
        self.log_file = log_file
        self.log_tail = log_tail
        self.returncode = returncode
        ending = f"; its log ends:\n{log_tail}" if log_tail else ", and wrote nothing"
        super().__init__(f"{name} {problem} (log: {log_file}){ending}")


class _Spawner:
    """One thread that starts every child and lives as long as the process.

    The kernel sends the parent-death signal when the *thread* that forked ends. A child that was started
    from a short-lived thread would be killed with it.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._jobs: queue.SimpleQueue[tuple[Callable[[], None], Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="modeltrail-spawner", daemon=True).start()

    def _run(self) -> None:
        while True:
            job, future = self._jobs.get()
            try:
                job()
                future.set_result(None)
            except OSError as error:
                future.set_exception(error)

    @property
    def usable(self) -> bool:
        """False in a process that was forked from ours: threads do not survive a fork."""
        return self._pid == os.getpid()

    def spawn(self, job: Callable[[], None]) -> None:
        future: Future[None] = Future()
        self._jobs.put((job, future))
        future.result()


_spawner: _Spawner | None = None
_spawner_lock = threading.Lock()
_children: "weakref.WeakSet[ChildProcess]" = weakref.WeakSet()


def _the_spawner() -> _Spawner:
    global _spawner  # noqa: PLW0603 - one thread for the whole process is the point
    with _spawner_lock:
        if _spawner is None or not _spawner.usable:
            _spawner = _Spawner()
        return _spawner


class ChildProcess:
    """A program that runs below this process.

    `name` is what messages call it; `argv` the program (an absolute path) and its arguments; `log` the file
    that takes its standard output and error, replaced at each start; `env` its whole environment (default:
    that of this process); `death_signal` what the kernel sends it when this process dies.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log = log
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], bool], *, deadline_seconds: float) -> None:
        """Start the program and return when `ready()` is true.

        `ready` is asked about every 20 ms. Raises ProcessStartError when the program ends first or the
        deadline passes (the program is then killed), and OSError when it cannot be started at all.
        """
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            _the_spawner().spawn(self._spawn)
            self._await(ready, deadline_seconds)
        except BaseException:
            self.kill()
            raise

    def _await(self, ready: Callable[[], bool], deadline_seconds: float) -> None:
        deadline = time.monotonic() + deadline_seconds
        while not ready():
            if self._exited_within(_POLL_SECONDS):
                raise self._start_error(f"stopped with exit code {self.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise self._start_error(f"was not ready after {deadline_seconds:g} s")

    def _spawn(self) -> None:
        leash = [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), str(int(self._death_signal))]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - argv comes from the launchers of this package
                [*leash, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        # Noted here and not by the caller, whom Ctrl-C may have taken away meanwhile.
        _children.add(self)

    def _start_error(self, problem: str) -> ProcessStartError:
        return ProcessStartError(self.name, problem, self.log, self.log_tail(), self.returncode)

    def _exited_within(self, seconds: float) -> bool:
        if self._process is None:
            return True
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def running(self) -> bool:
        """True from start() until the program has ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def returncode(self) -> int | None:
        """Exit code once it has ended (negative: the signal that ended it), else None."""
        return None if self._process is None else self._process.poll()

    def log_tail(self, lines: int = _TAIL_LINES) -> str:
        """Return the last `lines` lines that it wrote, or an empty text."""
        return tail_of(self.log, lines)

    def stop(self, *, grace_seconds: float = 10.0) -> None:
        """Ask it to end (SIGTERM) and wait; kill it if it has not ended after `grace_seconds`."""
        if not self.running:
            return
        self._signal(signal.SIGTERM)
        if not self._exited_within(grace_seconds):
            self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL) with everything that it started, and wait until it is gone."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        # Its session is its own, so the group id is its process id; a group that has just ended is fine.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def tail_of(log: Path, lines: int) -> str:
    """Return the last `lines` lines of a log, or an empty text."""
    try:
        text = log.read_bytes()[-16_384:].decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


@atexit.register
def _kill_what_is_left() -> None:
    if _spawner is None or not _spawner.usable:
        return
    for child in list(_children):
        child.kill()
