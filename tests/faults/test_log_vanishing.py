"""Records that vanish or stay hidden while a worker reads: deleted, expired, compacted, in a transaction left open."""

import asyncio
import signal
import subprocess
import sys

import pytest

from tests.faults.exact import alerts, assert_same_bytes, assert_undisturbed, caught_up, finish, folds_of, stored_rows
from tests.faults.logs import (
    acknowledged,
    assert_epoch,
    delete_group,
    delete_records,
    epoch_reached,
    offsets_of,
    set_topic,
)
from tests.integration.events_for_tests import predictions
from tests.integration.installation import until

pytestmark = [pytest.mark.kafka, pytest.mark.full]


OPEN_TRANSACTION = """\
import asyncio, sys, aiokafka

async def main():
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=sys.argv[1], transactional_id=sys.argv[2], transaction_timeout_ms=20_000
    )
    await producer.start()
    await producer.begin_transaction()
    for _ in range(20):
        await producer.send_and_wait(sys.argv[2], b"never committed", partition=0)
    print("open", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""
"""A producer that is killed within its transaction."""


async def test_deleted_under_a_running_worker(install):
    """Partition 0 loses what was not read yet, partition 1 what was chained already."""
    here = install()
    worker = here.worker()
    await here.produce(predictions(200))
    await finish_reading(here, worker)
    worker.signal(signal.SIGSTOP)
    await here.produce(predictions(100, 1_000), partition=0)
    await delete_records(here, {0: 180, 1: 60})
    worker.signal(signal.SIGCONT)
    await here.produce(predictions(10, 5_000), partition=1)
    await epoch_reached(here, here.partition(0), 1, 199)
    await epoch_reached(here, here.partition(1), 0, 109)
    await assert_epoch(here, here.partition(0), 1, "retention", 180)
    before = offsets_of(here, here.partition(0), 0)  # a fetch may have been on its way when the worker froze
    assert before == list(range(len(before)))
    (found,) = await alerts(here, "epoch_opened")
    assert f"records {len(before)} to 179 were deleted" in found[2]
    assert offsets_of(here, here.partition(1), 0) == list(range(110))
    await finish(here, worker)
    assert here.verify()[0] == 0


async def test_the_group_deleted_with_all_its_offsets(install):
    here = install()
    worker = here.worker()
    await here.produce(predictions(400))
    await finish(here, worker)
    await delete_group(here)
    assert set((await here.committed()).values()) <= {None, -1}
    await here.produce(predictions(20, 1_000))
    worker = here.worker()
    await finish(here, worker)
    await acknowledged(here, {0: 210, 1: 210})
    await assert_undisturbed(here)


async def test_a_transaction_whose_producer_died(install):
    """Nothing behind it is readable until the broker aborts it; the worker is well all the while, also a new one."""
    here = install(partitions=1)
    worker = here.worker()
    await here.produce(predictions(50))
    await finish_reading(here, worker)
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPEN_TRANSACTION, here.stack.bootstrap_servers, here.topic(), stdout=subprocess.PIPE
    )
    assert await dying.stdout.readline() == b"open\n"
    dying.kill()
    await dying.wait()
    await here.produce(predictions(30, 2_000))
    worker.kill()
    worker = here.worker()
    await until(worker.ready, what="ready although something is hidden")
    assert len(here.rows(here.partition())) == 50
    await until(lambda: len(here.rows(here.partition())) == 81, what="chained behind what was aborted")
    await finish(here, worker)
    await assert_undisturbed(here)
    assert [row[3] for row in here.rows(here.partition())].count("gap") == 1


async def test_a_retention_that_passes_the_reader(install):
    here = install(partitions=1)
    worker = here.worker()
    await here.produce(predictions(50))
    await finish(here, worker)
    await here.produce(predictions(50, 100))
    await set_topic(here, retention__ms="1000", segment__ms="100")
    await until(lambda: begins(here, 100), what="everything expired")
    await set_topic(here)
    await here.produce(predictions(10, 500))
    worker = here.worker()
    await epoch_reached(here, here.partition(), 1, 109)
    await assert_epoch(here, here.partition(), 1, "retention", 100)
    (found,) = await alerts(here, "epoch_opened")
    assert "records 50 to 99 were deleted" in found[2]
    await finish(here, worker)
    assert here.verify()[0] == 0


async def test_compaction_switched_on(install):
    """Unread records vanish from the middle: gaps, in the same epoch. Where the head itself vanishes, a new one."""
    here = install()
    worker = here.worker()
    await keyed(here, 0, [b"%d" % (n % 10) for n in range(50)] + [b"head"])
    await keyed(here, 1, [b"%d" % (n % 10) for n in range(51)])
    await finish(here, worker)
    for _ in range(4):  # of which all but the last are to vanish
        await keyed(here, 0, [b"%d" % n for n in range(10)])
        await keyed(here, 1, [b"%d" % n for n in range(10)])
    await set_topic(here, cleanup__policy="compact", segment__ms="100", min__cleanable__dirty__ratio="0.001")

    async def compacted():
        await keyed(here, 0, [b"roll"])
        await keyed(here, 1, [b"roll"])
        logs = [[record.offset for record in (await here.log_of(here.partition(n)))[1]] for n in (0, 1)]
        return 50 in logs[0] and 50 not in logs[1] and all(not {55, 65, 75} & set(log) for log in logs)

    await until(compacted, what="compacted", every=1.0)
    worker = here.worker()
    (found,) = await alerts(here, "topic_setting_changed", within=100)
    assert found[1] == "critical"
    assert "cleanup.policy=compact" in found[2]
    (found,) = await alerts(here, "epoch_opened")
    assert str(here.partition(1)) in found[2]
    last = (await here.log_of(here.partition(1)))[1][-1].offset
    await epoch_reached(here, here.partition(0), 0, last)
    await epoch_reached(here, here.partition(1), 1, last)
    await finish(here, worker)
    rows = here.rows(here.partition(0))
    assert [row[0] for row in rows] == [0] * len(rows)
    assert [row[2] for row in rows[:51]] == list(range(51))
    assert any(row[3] == "gap" for row in rows[51:])
    assert here.verify()[0] == 0


async def keyed(here, partition, keys):
    records = [(key, value, headers) for key, (_, value, headers) in zip(keys, predictions(len(keys)), strict=True)]
    await here.produce(records, partition=partition)


async def begins(here, offset):
    return (await here.log_of(here.partition()))[0] >= offset


async def finish_reading(here, worker):
    await caught_up(here)
    await until(worker.ready, what="ready")
    assert_same_bytes(await folds_of(here), stored_rows(here))
