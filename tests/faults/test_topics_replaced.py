"""A topic that is deleted and created again is another log, whatever its length: a new epoch, never a continuation."""

import signal

import pytest

from tests.faults.exact import alerts, caught_up, finish
from tests.faults.logs import assert_epoch, epoch_reached, offsets_of, replace_topic
from tests.integration.events_for_tests import predictions

pytestmark = pytest.mark.kafka

OLD = 100
SIZES = {0: 40, 1: OLD, 2: 300, 3: 0}
"""Records of each partition in the new topic: shorter, equal, longer, and nothing yet."""


async def chained(install):
    here = install(partitions=len(SIZES))
    worker = here.worker()
    await here.produce(predictions(OLD * len(SIZES)))
    await caught_up(here)
    return here, worker


async def replace(here):
    await replace_topic(here, here.topic())
    producer = here.producer()
    await producer.start()
    try:
        for number, size in SIZES.items():
            await here.produce(predictions(size, 1_000 * (number + 5)), partition=number, producer=producer)
    finally:
        await producer.stop()


async def assert_replaced(here, worker):
    for number, size in SIZES.items():
        if size:
            await epoch_reached(here, here.partition(number), 1, size - 1)
    found = await alerts(here, "epoch_opened", count=len(SIZES))
    assert sorted((severity, message.split(":")[0]) for _, severity, message in found) == [
        ("critical", str(here.partition(number))) for number in SIZES
    ]
    await finish(here, worker)
    for number, size in SIZES.items():
        assert offsets_of(here, here.partition(number), 0) == list(range(OLD))
        if size:
            await assert_epoch(here, here.partition(number), 1, "replaced", 0)
    code, result = here.verify()
    assert code == 0, result


@pytest.mark.full
async def test_while_no_worker_runs(install):
    here, worker = await chained(install)
    assert worker.stop() == 0
    await replace(here)
    await assert_replaced(here, here.worker())


@pytest.mark.full
async def test_under_a_running_worker(install):
    here, worker = await chained(install)
    await replace(here)
    await assert_replaced(here, worker)


async def test_under_a_worker_that_did_not_see_it_missing(install):
    """The new log is as long as the reader's position before the reader asks again: every fetch succeeds."""
    here, worker = await chained(install)
    worker.signal(signal.SIGSTOP)
    await replace(here)
    worker.signal(signal.SIGCONT)
    await assert_replaced(here, worker)
