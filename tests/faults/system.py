"""Faults below the program: failing system calls (strace), another clock (libfaketime), a full file system (tmpfs).

Each is skipped with its reason where the machine cannot do it. Debian has `strace` and `faketime` as packages.
"""

import copy
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from modeltrail.embedded.store_launcher import Store

LIBRARIES = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib*/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)


def require_strace():
    """Skip unless other processes can be traced."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (Debian package strace)")
    probe = subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"processes cannot be traced here: {probe.stderr.strip()[:100]}")


def require_faketime():
    """The library that lies about the time; skip where it is absent."""
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))]
    if not found:
        pytest.skip("libfaketime is not installed (Debian package faketime)")
    return found[0]


class Tracer:
    """strace on all threads of a running process, until it is left; `spec` are its options."""

    def __init__(self, pid, log, *spec):
        self._pid, self._log = pid, log
        log.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            ["strace", "-f", "-q", "-o", str(log), *spec, "-p", str(pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 10
        while not self._attached():
            if self._process.poll() is not None:
                told = self._process.stderr.read().decode()
                if Path(f"/proc/{pid}").exists():
                    pytest.skip(f"the process cannot be traced here: {told[:100]}")
                break
            assert time.monotonic() < deadline, "strace does not attach"
            time.sleep(0.01)

    def _attached(self):
        try:
            threads = list(Path(f"/proc/{self._pid}/task").glob("*/status"))
            return all("TracerPid:\t0\n" not in thread.read_text() for thread in threads)
        except OSError:  # a thread that ended, or the process
            return not Path(f"/proc/{self._pid}").exists()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:  # strace waits now and then for a thread that is gone already
            self._process.kill()
            self._process.wait()
        self._process.stderr.close()

    @property
    def most_of_a_thread(self):
        """How often each call was made by the thread that made it most: strace counts a thread's calls."""
        made = Counter(re.findall(r"^(\d+) +([a-z0-9_]+)\(", self._log.read_text(errors="replace"), re.MULTILINE))
        return {call: max(count for (_, name), count in made.items() if name == call) for _, call in made}

    @property
    def injected(self):
        """How many calls were made to fail."""
        return self._log.read_text(errors="replace").count("(INJECTED)")


def watch(process, log, calls):
    """Count these calls of a process."""
    return Tracer(process.pid, log, "-e", f"trace={','.join(calls)}")


def inject(process, log, call, fault, when):
    """Let a call of a process fail: `fault` is an error's name or SIGKILL, `when` as strace counts it, per thread."""
    how = f"signal={fault}" if fault.startswith("SIG") else f"error={fault}"
    return Tracer(process.pid, log, "-e", f"trace={call}", "-e", f"inject={call}:{how}:when={when}")


def with_own_store(stack, directory):
    """The session's broker with a store of its own, which a test may mistreat. Not started."""
    own = copy.copy(stack)
    own.clickhouse = Store(directory)
    return own


class Clock:
    """A clock that a process can be given and that is set while it runs. Timers and timeouts keep the real one."""

    def __init__(self, file):
        self._file = file
        self._library = require_faketime()
        self.set("+0")

    def set(self, offset):
        """`+7200` or `-7200` (seconds), or a moment in UTC at which the process begins: `@2026-01-31 23:59:55`."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset}\n")
        fresh.replace(self._file)

    @property
    def env(self):
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
            "TZ": "UTC",
        }


@contextmanager
def small_disk(directory, megabytes):
    """A file system of a size of its own, at `directory`; skip where none can be mounted."""
    directory.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(directory)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()[:100]}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(directory, leave_kb):
    """Fill the file system of a directory but for some kB, again where some was freed; returns the file to delete."""
    filler = directory / "filler"
    with filler.open("ab") as file:
        while True:
            size = shutil.disk_usage(directory).free - leave_kb * 1024
            if size < 4096:
                return filler
            try:
                os.posix_fallocate(file.fileno(), filler.stat().st_size, size)
            except OSError:  # somebody took some of it meanwhile
                continue
            return filler
