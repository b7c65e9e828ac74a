"""Brokers that die, hang, lose the tail of a log, cut their answers: the worker goes on by itself, and exactly."""

import asyncio
import contextlib
import os
import signal

import pytest
from aiokafka.errors import KafkaError

from tests.faults.exact import alerts, assert_undisturbed, caught_up, finish
from tests.faults.logs import assert_epoch, epoch_reached, offsets_of, tear
from tests.faults.proxy import BrokerProxy
from tests.integration.events_for_tests import POISON, predictions
from tests.integration.installation import until

pytestmark = pytest.mark.kafka

BAD = [POISON["not json"], POISON["null"], POISON["header name not utf-8"]]


@contextlib.asynccontextmanager
async def flow(here, *, every=0.02):
    """Records flow all the while, whatever the broker does; what an outage loses is not sent again."""

    async def send():
        number = 0
        while True:
            producer = here.producer(request_timeout_ms=3_000)
            try:
                await producer.start()
                while True:
                    await send_all(here, producer, [*predictions(20, number), *BAD])
                    number += 20
                    await asyncio.sleep(every)  # the rate of the flow, not a wait for something
            except (KafkaError, OSError):
                await asyncio.sleep(0.2)
            finally:
                await producer.stop()

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def send_all(here, producer, records):
    """Wait for every record's fate; raise the first failure."""
    sent = [
        await producer.send(here.topic(), key=key, value=value, headers=headers, partition=at % here.partitions)
        for at, (key, value, headers) in enumerate(records)
    ]
    for outcome in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def chained(here):
    return sum(len(here.rows(here.partition(number))) for number in range(here.partitions))


async def more_is_chained(here):
    """Wait until something is chained that was not before."""
    before = chained(here)
    await until(lambda: chained(here) > before, what="something new is chained", every=0.3)


async def test_killed_again_and_again_while_records_flow(install, apache_stack, faults):
    here = install()
    worker = here.worker()
    broker = apache_stack.broker
    try:
        async with flow(here):
            for _ in range(faults.times(2, 10)):
                await more_is_chained(here)
                await asyncio.sleep(faults.random.uniform(0, 1))  # the moment of the kill is what is drawn
                broker.kill()
                await asyncio.sleep(faults.random.uniform(0, 2))
                await asyncio.to_thread(broker.start)
            await more_is_chained(here)
    finally:
        if not broker.running:
            broker.start()
    assert worker.alive
    await finish(here, worker)
    await assert_undisturbed(here)


@pytest.mark.parametrize(
    "running", [True, pytest.param(False, marks=pytest.mark.full)], ids=["under a worker", "while no worker runs"]
)
async def test_a_torn_tail_whose_offsets_are_used_again(install, apache_stack, running):
    """Partition 0 loses its tail and is written on beyond the reader, 1 loses it and is not, 2 keeps all."""
    here = install(partitions=3)
    worker = here.worker()
    for start in range(0, 300, 30):  # a batch each
        await here.produce(predictions(30, start))
    await caught_up(here)
    old = {number: here.rows(here.partition(number)) for number in range(3)}
    if not running:
        assert worker.stop() == 0
    broker = apache_stack.broker
    broker.kill()
    try:
        ends = {number: tear(broker, here.partition(number), batches=6) for number in (0, 1)}
    finally:
        await asyncio.to_thread(broker.start)
    await here.produce(predictions(120, 50_000), partition=0)
    await here.produce(predictions(5, 60_000), partition=2)
    if not running:
        worker = here.worker()
    await epoch_reached(here, here.partition(0), 1, ends[0] + 119)
    await epoch_reached(here, here.partition(2), 0, 104)
    found = await alerts(here, "epoch_opened", count=2)
    assert sorted((severity, message.split(":")[0]) for _, severity, message in found) == [
        ("critical", str(here.partition(number))) for number in (0, 1)
    ]
    await finish(here, worker)
    assert here.rows(here.partition(0), 0) == old[0]
    await assert_epoch(here, here.partition(0), 1, "replaced", ends[0])
    assert here.rows(here.partition(1)) == old[1]
    assert offsets_of(here, here.partition(2), 0) == list(range(105))
    code, result = here.verify()
    assert code == 0, result


# asyncio forgets to close what its server accepted just before the server was closed: the proxy goes down in mid-storm.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_connection_that_cuts_delays_and_swallows(install, apache_stack, faults):
    here = install()
    with BrokerProxy(apache_stack.broker.port, seed=faults.seed) as proxy:
        worker = here.worker(MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{proxy.port}")
        async with flow(here):
            await more_is_chained(here)
            for _ in range(faults.times(1, 10)):
                for harm in ("cut", "drop", "delay", "swallow", "down"):
                    if harm == "cut":
                        proxy.cut_after = faults.random.randrange(20_000)
                    elif harm == "delay":
                        proxy.delay_s = faults.random.uniform(0.05, 0.5)
                    elif harm == "swallow":
                        proxy.black_hole = True
                    elif harm == "down":
                        proxy.down()
                    await asyncio.sleep(faults.random.uniform(0.2, 2.5))  # how long the harm lasts is drawn
                    proxy.normal()
                    if harm == "down":
                        proxy.up()
                    else:
                        proxy.drop_connections()
                await more_is_chained(here)
        assert proxy.accepted > 3
        await finish(here, worker)
    await assert_undisturbed(here)


@pytest.mark.full
async def test_a_broker_that_hangs_longer_than_the_session_lasts(install, apache_stack, faults):
    here = install()
    worker = here.worker()
    pid = apache_stack.broker.pid
    async with flow(here):
        for _ in range(faults.times(1, 3)):
            await more_is_chained(here)
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(faults.seconds(5, 20))
            finally:
                os.kill(pid, signal.SIGCONT)
            await more_is_chained(here)
    assert worker.alive
    await finish(here, worker)
    await assert_undisturbed(here)
