"""What happens to logs in the field: aborted, deleted, expired, compacted, offsets moved. On Apache Kafka itself."""

import pytest

from tests.faults.exact import alerts, assert_same_bytes, finish, folds_of, stored_rows
from tests.faults.logs import acknowledged, assert_epoch, delete_records, epoch_reached, offsets_of, set_group_offsets
from tests.integration.events_for_tests import predictions

pytestmark = pytest.mark.kafka


async def test_aborted_and_open_transactions_are_no_facts(on_disk):
    worker = on_disk.worker()
    await on_disk.produce(predictions(100))
    producer = on_disk.producer(transactional_id=on_disk.prefix)
    await producer.start()
    try:
        for committed in (True, False, True):
            await producer.begin_transaction()
            await on_disk.produce(predictions(50, 1_000), producer=producer)
            await (producer.commit_transaction() if committed else producer.abort_transaction())
        await on_disk.chained_to_the_end()
        await producer.begin_transaction()
        await on_disk.produce(predictions(20, 2_000), producer=producer)
        # Its records are in the log and no facts yet; a plain record behind them has to wait as well.
        await on_disk.produce(predictions(1, 3_000))
        assert len([row for row in on_disk.rows(on_disk.partition()) if row[3] == "record"]) == 200
        await producer.commit_transaction()
    finally:
        await producer.stop()
    await on_disk.chained_to_the_end()
    await on_disk.assert_exact()
    rows = on_disk.rows(on_disk.partition())
    assert len([row for row in rows if row[3] == "record"]) == 221
    assert [row[3] for row in rows].count("gap") == 2  # marker and aborted batch together, and a marker
    assert worker.stop() == 0
    assert on_disk.verify()[0] == 0


UNREAD, CHAINED, EMPTY, BACK, FORWARD, BEYOND = FATES = range(6)


async def test_what_was_deleted_from_logs_and_group_while_no_worker_ran(install):
    """Each partition has its own fate: deleted before or after it was chained, offsets moved back and forth."""
    here = install(partitions=len(FATES))
    worker = here.worker()
    await here.produce(predictions(100 * len(FATES)))
    await finish(here, worker)
    await here.produce(predictions(20 * len(FATES), 10_000))
    await delete_records(here, {UNREAD: 110, CHAINED: 100, EMPTY: 120})
    await set_group_offsets(here, {BACK: 30, FORWARD: 115, BEYOND: 5_000})
    old = {number: here.rows(here.partition(number)) for number in FATES}
    worker = here.worker()
    await epoch_reached(here, here.partition(UNREAD), 1, 119)
    for number in (CHAINED, BACK, FORWARD, BEYOND):
        await epoch_reached(here, here.partition(number), 0, 119)
    await acknowledged(here, dict.fromkeys(FATES, 120))
    found = await alerts(here, "epoch_opened", count=2)
    assert {(severity, message.split(" were deleted")[0]) for _, severity, message in found} == {
        ("critical", f"{here.partition(UNREAD)}: records 100 to 109"),
        ("critical", f"{here.partition(EMPTY)}: records 100 to 119"),
    }
    assert worker.stop() == 0

    await assert_epoch(here, here.partition(UNREAD), 1, "retention", 110)
    whole = [here.partition(number) for number in (BACK, FORWARD, BEYOND)]
    folds = await folds_of(here)
    assert_same_bytes({partition: folds[partition] for partition in whole}, stored_rows(here))
    assert offsets_of(here, here.partition(CHAINED), 0) == list(range(120))
    for number in FATES:
        assert here.rows(here.partition(number), 0)[:100] == old[number]
    code, result = here.verify()
    assert code == 0, result
