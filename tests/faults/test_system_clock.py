"""Clocks that jump, of workers and of producers, and midnight within a batch: the bytes of the chain know no clock."""

import time
from datetime import UTC, datetime

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.faults.conftest import through
from tests.faults.exact import assert_undisturbed, finish
from tests.faults.proxy import chaos
from tests.faults.system import Clock
from tests.integration.events_for_tests import POISON, predictions
from tests.integration.installation import until

pytestmark = pytest.mark.kafka

HOUR = 3_600
MIDNIGHT = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())


def appended(here):
    """Seconds since 1970 at which entries were appended, by offset of partition 0."""
    client = here.client()
    try:
        return [
            row[0]
            for row in client.query(
                "SELECT toUnixTimestamp(appended_at) FROM ledger FINAL WHERE topic = {topic:String} AND partition = 0"
                " ORDER BY seq",
                parameters={"topic": here.topic()},
            ).result_rows
        ]
    finally:
        client.close()


def times_of(here):
    """(timestamp, log_time) of the entries of partition 0, in order."""
    client = here.client()
    try:
        return client.query(
            "SELECT timestamp, log_time FROM ledger FINAL WHERE topic = {topic:String} AND partition = 0 ORDER BY seq",
            parameters={"topic": here.topic()},
        ).result_rows
    finally:
        client.close()


async def test_a_workers_clock_that_goes_two_hours_forward_and_back(install, tmp_path):
    clock = Clock(tmp_path / "clock")
    here = install()
    worker = here.worker(**clock.env)
    for number, offset in enumerate((2 * HOUR, -2 * HOUR)):
        clock.set(f"{offset:+d}")

        async def chained_by_that_clock(number=number, offset=offset):
            await here.produce([*predictions(200, 1_000 * number), POISON["not json"]])
            await here.chained_to_the_end()
            return abs(appended(here)[-1] - time.time() - offset) < 120

        # The library looks at its file now and then; nothing waits for a clock to come back.
        await until(chained_by_that_clock, within=60, what=f"a block by a clock at {offset:+d} s")
        await until(worker.ready, what="ready")
    await finish(here, worker)
    await assert_undisturbed(here)


@pytest.mark.full
async def test_a_worker_started_in_another_year_goes_on_where_the_other_ended(install, tmp_path):
    here = install()
    worker = here.worker()
    await here.produce(predictions(100))
    await finish(here, worker)
    for number, moment in enumerate(("@1999-12-31 23:59:50", "@2149-01-01 00:00:00")):
        clock = Clock(tmp_path / f"clock{number}")
        clock.set(moment)
        worker = here.worker(**clock.env)
        await here.produce(predictions(100, 100 + 100 * number))
        await here.chained_to_the_end()
        await finish(here, worker)
    await assert_undisturbed(here)


async def test_midnight_at_the_end_of_a_month_passes_through_a_batch(install, store_proxy, tmp_path):
    """The ledger is partitioned by the month of the insert: blocks, and what is inserted again, stand on both sides."""
    clock = Clock(tmp_path / "clock")
    here = install(WORKER__BLOCK_ROWS=1_000, WORKER__BLOCK_SECONDS="0.1")
    clock.set(f"{MIDNIGHT - 600 - int(time.time()):+d}")
    worker = here.worker(**clock.env, **through(store_proxy))
    await until(worker.ready, what="ready")
    clock.set(f"{MIDNIGHT - 6 - int(time.time()):+d}")  # the library looks at its file now and then
    store_proxy.chaos = chaos(0.1)
    number = 0
    while True:
        await here.produce(predictions(200, 200 * number))
        number += 1
        times = appended(here)
        if times and times[-1] > MIDNIGHT + 1:
            break
        assert number < 500, times[-1:]
    store_proxy.normal()
    await here.chained_to_the_end()
    times = appended(here)
    assert times[0] < MIDNIGHT < times[-1]
    await finish(here, worker)
    await assert_undisturbed(here)
    client = here.client()
    months = client.query("SELECT DISTINCT toYYYYMM(appended_at) AS month FROM ledger ORDER BY month").result_rows
    client.close()
    assert months == [(202601,), (202602,)]


async def test_timestamps_of_producers_that_jump_are_kept_and_log_time_never_goes_back(install):
    """A topic that keeps the producer's time, and producers two hours ahead, two hours behind, and in another age."""
    here = install(partitions=1)
    resource = ConfigResource(
        ConfigResourceType.TOPIC,
        here.topic(),
        configs={"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(2**62)},
    )
    await here.admin(lambda client: client.alter_configs([resource]))
    worker = here.worker()
    now = time.time_ns() // 1_000_000
    sent = [now, now + 2 * HOUR * 1_000, now - 2 * HOUR * 1_000, now, 0, 2**53, now]
    producer = here.producer()
    await producer.start()
    for number, stamp in enumerate(sent):
        for key, value, headers in predictions(20, 20 * number):
            await producer.send_and_wait(here.topic(), value, key=key, headers=headers, timestamp_ms=stamp)
    await producer.stop()
    await here.chained_to_the_end()
    rows = times_of(here)
    assert [stamp for stamp, _ in rows] == [stamp for stamp in sent for _ in range(20)]
    assert [log_time for _, log_time in rows] == [max(sent[: at // 20 + 1]) for at in range(len(rows))]
    await finish(here, worker)
    await assert_undisturbed(here)
