"""A disk that is full under the store: the worker waits, acknowledges nothing, holds its memory, and goes on by itself."""

import asyncio
import time

import pytest

from tests.faults.exact import assert_undisturbed, finish
from tests.faults.system import fill, small_disk, with_own_store
from tests.integration.events_for_tests import predictions
from tests.integration.installation import until

pytestmark = pytest.mark.kafka


async def test_a_full_disk_under_the_store_that_is_freed(install, faults, apache_stack, tmp_path):
    with small_disk(tmp_path / "disk", 400) as disk:
        stack = with_own_store(apache_stack, disk / "store")
        stack.clickhouse.start()
        try:
            here = install(stack=stack)
            worker = here.worker()
            await here.produce(predictions(500))
            await here.chained_to_the_end()
            sent = 500
            for leave_kb in faults.random.sample([0, 16, 64, 256], faults.times(1, 4)):
                filler = fill(disk, leave_kb)
                await here.produce(predictions(3_000, sent))
                sent += 3_000
                await until(lambda: "store" in str(worker.failing()), what="the worker waits for the store")
                memory = worker.rss_mb
                end = time.monotonic() + faults.seconds(3, 60)
                while time.monotonic() < end:  # the outage lasts
                    assert worker.alive, worker.output[-2000:]
                    fill(disk, leave_kb)  # the engine frees what it merged, and goes on for a moment
                    await here.produce(predictions(200, sent))
                    sent += 200
                    await until(lambda: not worker.ready(), what="not ready while the disk is full")
                    await asyncio.sleep(0.5)
                assert worker.rss_mb < memory + 64
                filler.unlink()
                if not stack.clickhouse.running:  # the last room was taken while it wrote: it ends, and says so
                    assert "writes of the engine" in stack.clickhouse.log_file.read_text()
                    stack.clickhouse.start()
                await here.chained_to_the_end()
                await until(worker.ready, what="ready")
            await finish(here, worker)
            await assert_undisturbed(here)
        finally:
            stack.clickhouse.stop()
