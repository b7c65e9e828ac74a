"""What the worker is measured against: `python -m modeltrail.bench.peers getmany|faust TOPIC EVENTS`.

Each reads EVENTS records of TOPIC from the beginning, does nothing with them, and prints one JSON object:

    {"events": ..., "seconds": ..., "cpu_seconds": ...}          from the first record to the last

`getmany` is a plain aiokafka loop, the least that any Python consumer can cost. `faust` is an agent of stock Faust.
Both run as people write them, with Python's and the libraries' defaults.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence

import aiokafka

from modeltrail.kafka_client import kafka_client_args
from modeltrail.settings import Settings, load

__all__ = ["main"]

_POLL_RECORDS = 5_000
_SILENT_S = 120.0


class _Count:
    """Counts records, and notes time and CPU time at the first and at the last of them."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.seen = 0
        self._began: tuple[float, float] | None = None
        self._skipped = 0
        self.done: dict[str, float] | None = None

    def add(self, number: int) -> bool:
        """Count, and say whether all have been seen."""
        if self._began is None:
            # What came before the clock is not counted: it was read while the client was still starting.
            self._began, self._skipped = _now(), number
        self.seen += number
        if self.seen < self.wanted:
            return False
        if self.done is None:
            seconds, cpu = (now - then for now, then in zip(_now(), self._began, strict=True))
            self.done = {"events": self.seen - self._skipped, "seconds": seconds, "cpu_seconds": cpu}
        return True


def _now() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.monotonic(), used.ru_utime + used.ru_stime


async def _getmany(settings: Settings, topic: str, count: _Count) -> None:
    consumer = aiokafka.AIOKafkaConsumer(
        topic, **kafka_client_args(settings), auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    try:
        done = False
        while not done:
            async with asyncio.timeout(_SILENT_S):
                batches = await consumer.getmany(timeout_ms=500, max_records=_POLL_RECORDS)
            for batch in batches.values():
                done = count.add(len(batch))
    finally:
        await consumer.stop()


async def _faust(settings: Settings, topic: str, count: _Count, scratch: str) -> None:
    import faust  # noqa: PLC0415 - the other peer does without

    app = faust.App(
        f"bench-{uuid.uuid4().hex}",
        broker="kafka://" + settings.kafka.bootstrap_servers.replace(",", ";"),
        store="memory://",
        datadir=scratch,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
    )
    finished = asyncio.Event()

    async def nothing(stream: "faust.StreamT[bytes]") -> None:
        async for _ in stream:
            if count.add(1):
                finished.set()

    app.agent(app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw"))(nothing)
    starting = asyncio.create_task(app.start())
    try:
        await asyncio.wait_for(finished.wait(), _SILENT_S + count.wanted / 1_000)
    finally:
        await app.stop()
        starting.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Read and count; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m modeltrail.bench.peers")
    parser.add_argument("peer", choices=["getmany", "faust"])
    parser.add_argument("topic")
    parser.add_argument("events", type=int)
    options = parser.parse_args(arguments)
    count = _Count(options.events)
    settings = load()
    if options.peer == "getmany":
        asyncio.run(_getmany(settings, options.topic, count))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            asyncio.run(_faust(settings, options.topic, count, scratch))
    sys.stdout.write(json.dumps(count.done) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
