"""What happens to logs in the field: replaced, expired, aborted, offsets reset. On Apache Kafka itself."""

import aiokafka
import pytest
from aiokafka.admin import RecordsToDelete

from tests.faults.exact import alerts
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


@pytest.mark.parametrize("size", [40, 400], ids=["shorter", "longer"])
async def test_a_topic_created_again_opens_an_epoch(on_disk, size):
    worker = on_disk.worker()
    await on_disk.produce(predictions(200))
    await on_disk.chained_to_the_end()
    old = on_disk.rows(on_disk.partition())
    assert worker.stop() == 0
    await on_disk.recreate_topic(on_disk.topic())
    await on_disk.produce(predictions(size, 5_000))
    worker = on_disk.worker()
    await on_disk.chained_to_the_end(epoch=1)
    assert on_disk.rows(on_disk.partition(), epoch=0) == old
    new = on_disk.rows(on_disk.partition(), epoch=1)
    assert [row[2] for row in new] == list(range(size))
    found = await alerts(on_disk, "epoch_opened")
    assert len(found) == 1
    assert found[0][1] == "critical"
    assert worker.stop() == 0
    code, result = on_disk.verify()
    assert code == 0, result


async def test_a_topic_created_again_under_a_running_worker_opens_an_epoch(on_disk):
    worker = on_disk.worker()
    await on_disk.produce(predictions(200))
    await on_disk.chained_to_the_end()
    await on_disk.recreate_topic(on_disk.topic())
    await on_disk.produce(predictions(60, 5_000))
    await on_disk.chained_to_the_end(epoch=1)
    assert [row[2] for row in on_disk.rows(on_disk.partition(), epoch=1)] == list(range(60))
    assert worker.stop() == 0
    assert on_disk.verify()[0] == 0


async def test_retention_that_passes_the_reader_opens_an_epoch_with_the_reason(on_disk):
    worker = on_disk.worker()
    await on_disk.produce(predictions(100))
    await on_disk.chained_to_the_end()
    assert worker.stop() == 0
    await on_disk.produce(predictions(100, 100))
    tp = aiokafka.TopicPartition(on_disk.topic(), 0)
    await on_disk.admin(lambda client: client.delete_records({tp: RecordsToDelete(150)}))
    worker = on_disk.worker()
    await on_disk.chained_to_the_end(epoch=1)
    assert [row[2] for row in on_disk.rows(on_disk.partition(), epoch=1)] == list(range(150, 200))
    found = await alerts(on_disk, "epoch_opened")
    assert "100 to 149" in found[0][2]
    assert worker.stop() == 0
    assert on_disk.verify()[0] == 0


async def test_a_log_that_expired_after_it_was_chained_goes_on_in_its_epoch(on_disk):
    worker = on_disk.worker()
    await on_disk.produce(predictions(100))
    await on_disk.chained_to_the_end()
    assert worker.stop() == 0
    tp = aiokafka.TopicPartition(on_disk.topic(), 0)
    await on_disk.admin(lambda client: client.delete_records({tp: RecordsToDelete(100)}))
    await on_disk.produce(predictions(10, 100))
    worker = on_disk.worker()
    await on_disk.chained_to_the_end()
    rows = on_disk.rows(on_disk.partition())
    assert [row[0] for row in rows] == [0] * 110
    assert worker.stop() == 0


async def test_offsets_of_the_group_that_were_reset_cost_time_and_no_truth(on_disk):
    worker = on_disk.worker()
    await on_disk.produce(predictions(500))
    await on_disk.chained_to_the_end()
    assert worker.stop() == 0
    for offset in (0, 250, 500):
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=on_disk.stack.bootstrap_servers, group_id=on_disk.prefix, enable_auto_commit=False
        )
        await consumer.start()
        tp = aiokafka.TopicPartition(on_disk.topic(), 0)
        consumer.assign([tp])
        await consumer.commit({tp: offset})
        await consumer.stop()
        await on_disk.produce(predictions(10, 500 + offset))
        worker = on_disk.worker()
        await on_disk.chained_to_the_end()
        assert worker.stop() == 0
        await on_disk.assert_exact()
