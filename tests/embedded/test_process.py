"""Children are started with a deadline, stopped for certain, and never outlive their parent."""

import os
import select
import signal
import subprocess
import sys
import threading

import pytest

from modeltrail.embedded.process import ChildProcess, ProcessStartError
from modeltrail.errors import ModeltrailError


def child(tmp_path, code, **options):
    return ChildProcess("the test's child", [sys.executable, "-c", code], log=tmp_path / "child.log", **options)


def ended(pid, seconds=20.0):
    """Wait until process `pid`, child of anybody, is gone; False when it is still there after `seconds`."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


WAITING = "import signal; print('up', flush=True); signal.pause()"


def says_up(started):
    return lambda: "up" in started.log_tail()


def test_a_child_is_ready_when_the_condition_holds(tmp_path):
    started = child(tmp_path, WAITING)
    started.start(says_up(started), deadline_seconds=20)
    assert started.running
    assert started.pid
    started.stop()
    assert not started.running
    assert (started.pid, started.returncode) == (None, -signal.SIGTERM)


def test_a_child_that_ends_first_is_an_error_with_the_end_of_its_log(tmp_path):
    started = child(tmp_path, "print('line 1'); print('the reason'); raise SystemExit(7)")
    with pytest.raises(ProcessStartError) as failed:
        started.start(lambda: False, deadline_seconds=20)
    assert isinstance(failed.value, ModeltrailError)
    assert failed.value.returncode == 7
    assert "exit code 7" in str(failed.value).splitlines()[0]
    assert "the reason" in failed.value.log_tail


def test_a_child_that_is_never_ready_is_killed(tmp_path):
    started = child(tmp_path, WAITING)
    with pytest.raises(ProcessStartError, match="not ready after"):
        started.start(lambda: False, deadline_seconds=0.2)
    assert started.returncode == -signal.SIGKILL


def test_an_interrupted_start_leaves_no_child(tmp_path):
    started = child(tmp_path, WAITING)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        started.start(interrupted, deadline_seconds=20)
    assert started.returncode == -signal.SIGKILL


def test_a_program_that_does_not_exist_is_an_error(tmp_path):
    started = ChildProcess("nothing", ["/nonexistent/program"], log=tmp_path / "child.log")
    with pytest.raises(ProcessStartError, match="nothing stopped with exit code 1"):
        started.start(lambda: False, deadline_seconds=20)
    assert "FileNotFoundError" in started.log_tail()


def test_a_child_that_ignores_the_request_is_killed(tmp_path):
    started = child(tmp_path, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + WAITING)
    started.start(says_up(started), deadline_seconds=20)
    started.stop(grace_seconds=0.2)
    assert started.returncode == -signal.SIGKILL


def test_a_kill_takes_grandchildren_along(tmp_path):
    code = "import subprocess, sys; g = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
    started = child(tmp_path, code + "print('up', g.pid, flush=True); g.wait()")
    started.start(says_up(started), deadline_seconds=20)
    grandchild = int(started.log_tail().split()[1])
    started.kill()
    assert ended(grandchild)


def test_a_child_survives_the_thread_that_started_it(tmp_path):
    started = child(tmp_path, WAITING)
    thread = threading.Thread(target=started.start, args=(says_up(started),), kwargs={"deadline_seconds": 20})
    thread.start()
    thread.join()
    assert not ended(started.pid, seconds=0.5)
    started.stop()


def test_a_child_can_be_started_again(tmp_path):
    started = child(tmp_path, WAITING)
    started.start(says_up(started), deadline_seconds=20)
    with pytest.raises(RuntimeError):
        started.start(says_up(started), deadline_seconds=20)
    first = started.pid
    started.kill()
    started.start(says_up(started), deadline_seconds=20)
    assert started.pid != first
    started.kill()


PARENT = """
import signal, sys
from pathlib import Path
from modeltrail.embedded.process import ChildProcess
c = ChildProcess("c", [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"], log=Path(sys.argv[1]))
c.start(lambda: "up" in c.log_tail(), deadline_seconds=20)
print(c.pid, flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["kill", "interrupt", "return"])
def test_no_child_outlives_its_parent(tmp_path, end):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        pid = int(parent.stdout.readline())
        if end == "kill":
            parent.kill()
        elif end == "interrupt":
            parent.send_signal(signal.SIGINT)
        else:
            parent.stdin.write("\n")
            parent.stdin.flush()
        parent.wait(timeout=20)
        assert ended(pid)
