"""Threads that a program does not wait for when it ends."""

import subprocess
import sys
import threading

import pytest

from modeltrail.storage.daemon_threads import DaemonThreads


def test_calls_are_taken_in_order_and_their_outcome_is_handed_on():
    pool = DaemonThreads(1, "t")
    seen = []
    done = [pool.submit(seen.append, number) for number in range(100)]
    failed = pool.submit(lambda: 1 / 0)
    assert [future.result(10) for future in done] == [None] * 100
    assert seen == list(range(100))
    with pytest.raises(ZeroDivisionError):
        failed.result(10)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(seen.append, 1)


def test_what_has_not_begun_is_given_up_at_the_shutdown():
    pool = DaemonThreads(1, "t")
    begun, go_on = threading.Event(), threading.Event()

    def hold():
        begun.set()
        go_on.wait(10)
        return "ended"

    running = pool.submit(hold)
    assert begun.wait(10)
    waiting = pool.submit(hold)
    pool.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    go_on.set()
    assert running.result(10) == "ended"


def test_a_program_ends_while_a_call_is_under_way():
    program = (
        "import threading\n"
        "from modeltrail.storage.daemon_threads import DaemonThreads\n"
        "begun = threading.Event()\n"
        "def hang():\n"
        "    begun.set()\n"
        "    threading.Event().wait()\n"
        "pool = DaemonThreads(1, 't')\n"
        "pool.submit(hang)\n"
        "begun.wait()\n"
        "pool.shutdown(wait=False)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=30).returncode == 0
