"""The whole path: Kafka, a worker process, ClickHouse. The ledger equals the fold of the log, byte for byte."""

import asyncio
import json
import random
import signal

import aiokafka
import pytest

from modeltrail.embedded.credentials import Role
from tests.integration.events_for_tests import POISON, predictions
from tests.integration.installation import http_get, until
from tests.streaming.raw_batches import NAME, PLACE, send_batch


async def consumed(installation, topic):
    """All messages of a topic, parsed."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=installation.stack.bootstrap_servers, group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        tps = [aiokafka.TopicPartition(topic, n) for n in await parts(consumer, topic)]
        ends = await consumer.end_offsets(tps)
        wanted = {tp for tp, end in ends.items() if end > 0}
        consumer.assign(list(wanted))
        found = []
        await consumer.seek_to_beginning()
        while any([await consumer.position(tp) < ends[tp] for tp in wanted]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
        return found
    finally:
        await consumer.stop()


async def parts(consumer, topic):
    await consumer._client.force_metadata_update()

    async def known():
        await consumer._client._wait_on_metadata(topic)
        return consumer._client.cluster.partitions_for_topic(topic)

    return await until(known, what=f"partitions of {topic}")


async def test_the_ledger_equals_the_log(installation):
    await installation.produce(predictions(3_000))
    installation.worker()
    await installation.produce(predictions(500, 3_000))
    await installation.chained_to_the_end()
    await installation.assert_exact()
    assert installation.workers[0].stop() == 0
    assert list(installation.workers[0].folder.iterdir()) == []  # nothing is left where it was started
    code, result = installation.verify()
    assert code == 0, result
    client = installation.client()
    assert client.query("SELECT count() FROM predictions FINAL").result_rows == [(3_500,)]
    client.close()


async def test_what_is_stored_and_announced_is_acknowledged_while_the_worker_runs(installation):
    worker = installation.worker()
    await installation.produce(predictions(1_000))
    await installation.chained_to_the_end()

    async def acknowledged():
        return await installation.committed() == {0: 500, 1: 500}

    await until(acknowledged, within=20, what="the group's offsets at the end of the log")
    assert worker.stop() == 0


async def test_every_entry_is_covered_by_a_receipt_on_every_partition(installation):
    await installation.produce(predictions(1_000))
    installation.worker()
    await installation.chained_to_the_end()
    assert installation.workers[0].stop() == 0
    messages = await consumed(installation, installation.topic("blocks"))
    covered = {}
    for message in messages:
        block = json.loads(message.value)
        seqs = covered.setdefault((message.partition, block["chain"]), set())
        seqs.update(range(block["first_seq"], block["last_seq"] + 1))
    for partition in range(installation.partitions):
        for number in range(installation.partitions):
            rows = installation.rows(installation.partition(number))
            chain = f"{installation.cluster}/{installation.topic()}/{number}/0-0"
            assert covered[(partition, chain)] == {row[1] for row in rows}


async def test_poison_is_chained_and_rejected_with_a_reason_and_what_follows_is_unaffected(installation):
    await installation.produce(predictions(10))
    await installation.produce(list(POISON.values()))
    await installation.produce(predictions(10, 10))
    worker = installation.worker()
    await installation.chained_to_the_end()
    await installation.assert_exact()
    assert worker.stop() == 0
    client = installation.client()
    counts = dict(client.query("SELECT status, count() FROM ledger FINAL GROUP BY status").result_rows)
    assert counts == {"valid": 20, "rejected": len(POISON)}
    reasons = client.query("SELECT DISTINCT reason FROM ledger FINAL WHERE status = 'rejected'").result_rows
    assert all(reason.isprintable() and len(reason) > 10 for (reason,) in reasons)
    client.close()
    rejected = [json.loads(message.value) for message in await consumed(installation, installation.topic("rejected"))]
    assert {(r["chain"], r["seq"]) for r in rejected} == {
        (f"{installation.cluster}/{installation.topic()}/{n}/0-0", row[1])
        for n in range(installation.partitions)
        for row in installation.rows(installation.partition(n))
        if row[4] == "rejected"
    }


async def test_a_header_name_that_is_not_utf_8_blocks_nothing(installation):
    await installation.produce(predictions(20))
    producer = installation.producer()
    await producer.start()
    try:
        records = [(b"k", b"x", [("ok", b"1")]), (b"k", b"y", [(PLACE, b"2")]), (b"k", b"z", [])]
        offset = await send_batch(producer, installation.topic(), 0, records)
    finally:
        await producer.stop()
    await installation.produce(predictions(20, 20))
    worker = installation.worker()
    await until(
        lambda: len(installation.rows(installation.partition(0))) == 23, what="partition 0 chained past the header"
    )
    client = installation.client()
    found = client.query(
        "SELECT hex(headers[1].1), status FROM ledger FINAL WHERE partition = 0 AND offset = {offset:Int64}",
        parameters={"offset": offset + 1},
    ).result_rows
    client.close()
    assert found == [(NAME.hex().upper(), "rejected")]
    assert worker.stop() == 0
    assert installation.verify("--recompute")[0] == 0


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full)])
async def test_sigkill_at_random_moments_changes_no_byte(installation, seed):
    rng = random.Random(seed)
    worker = installation.worker()
    sent = 0
    for _ in range(4):
        await installation.produce(predictions(1_500, sent))
        sent += 1_500
        await asyncio.sleep(rng.uniform(0.0, 4.0))  # the moment of the kill is what is drawn, not a wait for something
        worker.kill()
        worker = installation.worker()
    await installation.chained_to_the_end()
    await installation.assert_exact()
    assert worker.stop() == 0
    assert installation.verify()[0] == 0


async def test_two_workers_one_joins_one_leaves(installation):
    first = installation.worker()
    await installation.produce(predictions(2_000))
    second = installation.worker()
    await installation.produce(predictions(2_000, 2_000))
    await until(lambda: installation.rows(installation.partition(0)), what="a first entry")
    await installation.produce(predictions(2_000, 4_000))
    assert first.stop() == 0
    await installation.produce(predictions(2_000, 6_000))
    await installation.chained_to_the_end()
    await installation.assert_exact()
    assert second.stop() == 0


async def test_a_worker_that_is_stopped_and_continued_changes_nothing(installation):
    """A zombie: it does not know that its partitions have gone to the other worker."""
    zombie = installation.worker()
    await installation.produce(predictions(1_000))
    await until(lambda: installation.rows(installation.partition(0)), what="a first entry")
    zombie.signal(signal.SIGSTOP)
    await installation.produce(predictions(2_000, 1_000))
    heir = installation.worker()
    await installation.chained_to_the_end()
    zombie.signal(signal.SIGCONT)
    await installation.produce(predictions(1_000, 3_000))
    await installation.chained_to_the_end()
    await installation.assert_exact()
    assert heir.stop() == 0
    assert zombie.stop() == 0
    assert installation.verify()[0] == 0


async def test_readiness_and_metrics(installation):
    worker = installation.worker(MODELTRAIL_LOG__FORMAT="json")
    await installation.produce(predictions(100))
    await installation.produce([b"poison"])
    await installation.chained_to_the_end()

    def address():
        for line in worker.output.splitlines():
            event = json.loads(line)["event"]
            if "health and metrics on" in event:
                return event.rsplit(" ", 1)[1]
        return None

    url = await until(address, what="the address in the log")
    assert http_get(f"{url}/healthz")[0] == 200
    await until(lambda: http_get(f"{url}/readyz")[0] == 200, what="readiness")

    def counted():
        body = http_get(f"{url}/metrics")[1]
        topic = installation.topic()
        wanted = [
            f'modeltrail_events_total{{status="valid",topic="{topic}"}} 100.0',
            f'modeltrail_rejects_total{{reason="not_json",topic="{topic}"}} 1.0',
            f'modeltrail_lag_records{{partition="0",topic="{topic}"}} 0.0',
        ]
        return all(line in body for line in wanted)

    await until(counted, what="the metrics")
    assert worker.stop() == 0


async def test_a_view_that_fails_is_mended_without_a_person(installation):
    client = installation.client(Role.MIGRATOR)
    client.command(
        "CREATE MATERIALIZED VIEW boom ENGINE = MergeTree ORDER BY x AS SELECT throwIf(seq >= 0) AS x FROM ledger"
    )
    worker = installation.worker()
    await installation.produce(predictions(200))
    await until(lambda: "waiting for store" in worker.output, what="the worker waits")
    client.command("DROP VIEW boom")
    client.close()
    await installation.chained_to_the_end()
    await installation.assert_exact()

    def typed():
        auditor = installation.client()
        try:
            return auditor.query("SELECT count() FROM predictions FINAL").result_rows == [(200,)]
        finally:
            auditor.close()

    await until(typed, what="typed rows")
    assert worker.stop() == 0
    assert installation.verify()[0] == 0
