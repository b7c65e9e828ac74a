"""A topic that is deleted and created again is another log, whatever its length: a new epoch, never a continuation."""

import signal

import pytest

from tests.faults.logs import SHORT, alerts, assert_epoch, replace_topic
from tests.integration.events_for_tests import predictions
from tests.integration.installation import Installation

pytestmark = pytest.mark.kafka

OLD = 100
SIZES = {0: 40, 1: OLD, 2: 300}
"""Records of each partition in the new topic: shorter, equal and longer than the old one."""


@pytest.fixture
def here(apache_stack, tmp_path):
    with Installation(apache_stack, tmp_path, partitions=len(SIZES), extra_env=SHORT) as prepared:
        yield prepared


async def refill(here):
    producer = here.producer()
    await producer.start()
    try:
        for number, size in SIZES.items():
            await here.produce(predictions(size, 1_000 * (number + 5)), partition=number, producer=producer)
    finally:
        await producer.stop()


async def assert_replaced(here, worker):
    await here.chained_to_the_end(epoch=1)
    for number, size in SIZES.items():
        assert_epoch(here, here.partition(number), 0, range(OLD))
        assert_epoch(here, here.partition(number), 1, range(size))
    found = await alerts(here, "epoch_opened", count=len(SIZES))
    assert [(severity, subject) for severity, subject, _ in found] == [
        ("critical", str(here.partition(number))) for number in SIZES
    ]
    assert worker.stop() == 0
    code, result = here.verify()
    assert code == 0, result


async def test_while_no_worker_runs(here):
    worker = here.worker()
    await here.produce(predictions(OLD * len(SIZES)))
    await here.chained_to_the_end()
    assert worker.stop() == 0
    await replace_topic(here, here.topic())
    await refill(here)
    await assert_replaced(here, here.worker())


async def test_under_a_running_worker(here):
    worker = here.worker()
    await here.produce(predictions(OLD * len(SIZES)))
    await here.chained_to_the_end()
    await replace_topic(here, here.topic())
    await refill(here)
    await assert_replaced(here, worker)


async def test_under_a_worker_that_did_not_see_it_missing(here):
    """The new log is as long as the reader's position before the reader asks again: every fetch succeeds."""
    worker = here.worker()
    await here.produce(predictions(OLD * len(SIZES)))
    await here.chained_to_the_end()
    worker.signal(signal.SIGSTOP)
    await replace_topic(here, here.topic())
    await refill(here)
    worker.signal(signal.SIGCONT)
    await assert_replaced(here, worker)
