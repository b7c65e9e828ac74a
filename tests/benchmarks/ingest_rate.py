"""Events a second and CPU an event on the whole path: a filled Apache Kafka topic to durable in ClickHouse.

    python -m tests.benchmarks.ingest_rate [EVENTS] [ROUNDS]

One worker; validation, constraints and typed tables on. Beside it, in the same run, a plain aiokafka loop that reads
the same records and does nothing with them: on shared cores only the ratio counts. Prints one JSON object.
"""

import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiokafka

from modeltrail.embedded.stack import Stack
from tests.integration.events_for_tests import prediction
from tests.integration.installation import Installation, until

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mb(pid):
    """The largest resident size of a process so far, in megabytes."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) // 1024


async def fill(installation, events):
    producer = installation.producer(max_batch_size=1 << 20)
    await producer.start()
    sent = [prediction(number) for number in range(2_000)]
    for start in range(0, events, 20_000):
        await installation.produce([sent[n % 2_000] for n in range(start, start + 20_000)], producer=producer)
    await producer.stop()


async def plain_loop(installation, events):
    """Seconds and CPU seconds of reading everything with getmany."""
    consumer = aiokafka.AIOKafkaConsumer(
        installation.topic(), bootstrap_servers=installation.stack.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    before, began, seen = resource.getrusage(resource.RUSAGE_SELF), time.monotonic(), 0
    while seen < events:
        seen += sum(len(batch) for batch in (await consumer.getmany(timeout_ms=500, max_records=5_000)).values())
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = time.monotonic() - began
    await consumer.stop()
    return seconds, (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


async def one_round(stack, directory, events):
    with Installation(stack, directory, partitions=4, extra_env={"MODELTRAIL_WORKER__BLOCK_SECONDS": "1.0"}) as here:
        await fill(here, events)
        loop_seconds, loop_cpu = await plain_loop(here, events)
        client = here.client()

        def stored():
            return client.query("SELECT count() FROM ledger").result_rows[0][0]

        worker = here.worker()
        pid, store = worker.process.pid, stack.clickhouse.pid
        await until(stored, what="the first block", within=120)
        began, cpu, store_cpu, first = time.monotonic(), cpu_seconds(pid), cpu_seconds(store), stored()
        await until(lambda: stored() >= events, what="all events", within=900)
        seconds, counted = time.monotonic() - began, events - first
        used, store_used = cpu_seconds(pid) - cpu, cpu_seconds(store) - store_cpu
        peak = peak_mb(pid)
        client.close()
        assert worker.stop() == 0
        return {
            "events_per_s": counted / seconds,
            "cpu_us_per_event": used / counted * 1e6,
            "store_cpu_us_per_event": store_used / counted * 1e6,
            "getmany_events_per_s": events / loop_seconds,
            "getmany_cpu_us_per_event": loop_cpu / events * 1e6,
            "cpu_ratio_to_getmany": (used / counted) / (loop_cpu / events),
            "rss_mb_max": peak,
        }


def main():
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as directory, Stack(Path(directory) / "stack", broker="apache") as stack:
        results = [asyncio.run(one_round(stack, Path(directory), events)) for _ in range(rounds)]
    medians = {key: round(statistics.median(result[key] for result in results), 2) for key in results[0]}
    print(json.dumps({"events": events, "rounds": rounds, **medians}))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
