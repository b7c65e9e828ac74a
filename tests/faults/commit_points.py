"""The named points of the commit path at which a worker can be ended or frozen, and how it is done.

Production code knows nothing of this: `doomed_worker` wraps the classes of the real worker before it starts. What
a crash leaves behind at each point is said beside its name. The fate of a process comes in the environment variable
`DOOM`, several separated by commas:

    <point>:<n>:<action>      the n-th time that the point is reached, from 1: `kill` (SIGKILL), `stop` (SIGSTOP),
                              `hang` (wait there for ever), `raise` (an error that nobody expects)

`STUCK_S` there is the time after which the worker's own watchdog takes a partition for stuck.
"""

import asyncio
import functools
import os
import signal
import threading
import time

POINTS = {
    "app.start": "nothing was read",
    # placement
    "head.after": "the head was read, nothing else happened",
    "fill.before": "an unacknowledged block is there, its typed rows may be missing",
    "fill.after": "its typed rows are there, it is announced again after the restart",
    "start.before": "the group has no offset yet",
    "start.after": "the group's offset stands at the start of the log; nothing is chained",
    "reading.before": "placed, and no record asked for",
    # 1. insert
    "insert.before": "nothing happened",
    "insert.within": "the request is on its way: the block is there whole, or not at all",
    "insert.after": "the block is durable, nobody has heard of it",
    # after a doubtful insert
    "read_back.before": "the block may or may not be there",
    "read_back.after": "as before",
    # 2. send
    "send.before": "the block is durable, nobody has heard of it",
    "send.within": "receipts are out, rejects are not",
    "send.after": "all is announced, nothing acknowledged",
    # 3. acknowledge
    "durable.before": "as after send",
    "durable.after": "the watermark has moved in memory only",
    "offsets.before": "as above: the group knows an older offset",
    "offsets.after": "all is done",
    # giving up
    "give_up.before": "told to stop, with work in memory",
    "give_up.after": "all that was in memory is stored and announced, and its offset not committed",
}

WITHIN_S = 0.004
"""From the beginning of an insert to the end of the worker in its middle."""


class Doom:
    """What is to happen at which point."""

    def __init__(self, text):
        self._fates = {}
        for fate in filter(None, text.split(",")):
            point, nth, action = fate.split(":")
            if point not in POINTS:
                raise ValueError(f"no such point: {point}")
            self._fates.setdefault(point, {})[int(nth)] = action
        self._seen = dict.fromkeys(POINTS, 0)
        self._lock = threading.Lock()

    def reach(self, point, after_s=0.0):
        """The worker is at `point`: end or freeze it here if that was its fate; True if it shall hang."""
        with self._lock:
            self._seen[point] += 1
            action = self._fates.get(point, {}).get(self._seen[point])
        if action in (None, "hang"):
            return action == "hang"
        if action == "raise":
            raise RuntimeError(f"raised at {point}")
        number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[action]
        if not after_s:
            os.kill(os.getpid(), number)
            return False

        def later():
            time.sleep(after_s)
            os.kill(os.getpid(), number)

        threading.Thread(target=later, daemon=True).start()
        return False


def install(doom):
    """Wrap the real parts of a worker, so that each reaches its points."""
    from faust import App

    from modeltrail.ingest.service import Ingest
    from modeltrail.storage.ledger_store import ClickHouseStore
    from modeltrail.streaming.gate import IngestGate
    from modeltrail.streaming.outbox import KafkaOutbox
    from modeltrail.streaming.transport import Consumer

    _around(App, "on_start", doom, before="app.start")
    _around(ClickHouseStore, "head", doom, after="head.after")
    _around(ClickHouseStore, "fill", doom, before="fill.before", after="fill.after")
    _around(IngestGate, "commit_start", doom, before="start.before", after="start.after")
    _around(IngestGate, "read_from", doom, before="reading.before")
    _around(ClickHouseStore, "insert", doom, before="insert.before", after="insert.after")
    _around(ClickHouseStore, "_insert", doom, before="insert.within", after_s=WITHIN_S)
    _around(ClickHouseStore, "entry_hashes", doom, before="read_back.before", after="read_back.after")
    _around(KafkaOutbox, "send", doom, before="send.before", after="send.after")
    _around(KafkaOutbox, "_reject", doom, before="send.within")
    _around(IngestGate, "durable", doom, before="durable.before", after="durable.after")
    _around(Consumer, "_commit", doom, before="offsets.before", after="offsets.after")
    # The first assignment of a worker gives up nothing.
    _around(Ingest, "give_up", doom, before="give_up.before", after="give_up.after", when=lambda _, given: list(given))


def shorten_patience(seconds):
    """Let the watchdog of the worker judge after `seconds`, a placement after ten times that."""
    from modeltrail.streaming import worker

    worker.Watchdog = functools.partial(worker.Watchdog, stuck_s=seconds, placing_s=10 * seconds)


def _around(owner, name, doom, *, before=None, after=None, after_s=0.0, when=None):
    original = getattr(owner, name)

    def reach(point, args, after_s=0.0):
        return bool(point) and (when is None or when(*args)) and doom.reach(point, after_s)

    if asyncio.iscoroutinefunction(original):

        @functools.wraps(original)
        async def wrapped(*args, **kwargs):
            if reach(before, args, after_s):
                await asyncio.Event().wait()
            result = await original(*args, **kwargs)
            if reach(after, args):
                await asyncio.Event().wait()
            return result
    else:

        @functools.wraps(original)
        def wrapped(*args, **kwargs):
            reach(before, args, after_s)
            result = original(*args, **kwargs)
            reach(after, args)
            return result

    setattr(owner, name, wrapped)
