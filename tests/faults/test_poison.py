"""Poison of every kind: chained, rejected with a reason that a person understands; what follows and memory unaffected."""

from pathlib import Path

import aiokafka
import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from modeltrail.streaming import tolerant_records
from modeltrail.streaming.tolerant_records import RECORD_MAX
from tests.faults.exact import alerts, assert_undisturbed, finish
from tests.faults.logs import assert_epoch, delete_records, epoch_reached
from tests.faults.poison_records import MB, POISON
from tests.integration.events_for_tests import predictions
from tests.integration.installation import until
from tests.streaming.raw_batches import NAME, PLACE, batch_of, bomb, sealed

pytestmark = pytest.mark.kafka

tolerant_records.install()  # what is compared is read by this process

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ROOT = Path(__file__).parents[2]
BROKER_MAX = 1_048_588
"""What Apache Kafka takes at most by default, the batch around the record included."""


def reasons(here, number=0):
    """{offset: (class, reason)} of what was rejected in a partition."""
    client = here.client()
    try:
        found = client.query(
            "SELECT offset, reason_class, reason FROM ledger FINAL WHERE topic = {topic:String}"
            " AND partition = {number:UInt32} AND status = 'rejected' ORDER BY offset",
            parameters={"topic": here.topic(), "number": number},
        ).result_rows
    finally:
        client.close()
    return {offset: (reason_class, reason) for offset, reason_class, reason in found}


def peak_rss_mb(worker):
    """The most resident memory that a process has ever had."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def typed(here):
    client = here.client()
    try:
        return client.query("SELECT count() FROM predictions FINAL").result_rows[0][0]
    finally:
        client.close()


async def send_raw(here, raw, *, partition=0):
    """Send a batch that was made by hand; returns the offset of its first record."""
    producer = here.producer()
    await producer.start()
    try:
        batch = producer.create_batch()
        assert batch.append(timestamp=None, key=None, value=b"", headers=[]) is not None
        batch.close()
        batch._build()
        batch._buffer = raw
        return (await (await producer.send_batch(batch, here.topic(), partition=partition))).offset
    finally:
        await producer.stop()


async def larger_messages(here, size):
    """Let the topic take messages of a size."""
    resource = ConfigResource(ConfigResourceType.TOPIC, here.topic(), configs={"max.message.bytes": str(size)})
    await here.admin(lambda client: client.alter_configs([resource]))


async def test_poison_of_every_kind(install):
    here = install(partitions=1)
    worker = here.worker()
    await here.produce(predictions(5))
    await here.chained_to_the_end()
    before = worker.rss_mb
    sent = {}
    producer = here.producer(max_request_size=4 * MB)
    await producer.start()
    try:
        for number, (name, poison) in enumerate(POISON.items()):
            record = (poison.key, poison.value, list(poison.headers))
            [answer] = await here.produce([record], producer=producer)
            sent[answer.offset] = name
            await here.produce(predictions(1, 1_000 + number), producer=producer)
    finally:
        await producer.stop()
    await here.chained_to_the_end()
    found = reasons(here)
    for offset, name in sent.items():
        print(f"{name}: {found[offset][1] if offset in found else 'not rejected'}")  # noqa: T201 - to be read by people
    assert found.keys() == sent.keys()
    for offset, name in sent.items():
        assert found[offset][0] == POISON[name].reason_class, name
        assert POISON[name].words in found[offset][1], name
        assert found[offset][1].isprintable()
    assert typed(here) == 5 + len(POISON)
    assert peak_rss_mb(worker) - before < 150
    await finish(here, worker)
    await assert_undisturbed(here)


async def test_batches_that_no_client_writes_and_records_of_maximal_size(install):
    """50,000 header names that are not UTF-8, a record without anything, and the largest that the broker takes."""
    here = install(partitions=1)
    worker = here.worker()
    await here.produce(predictions(5))
    names = [(PLACE, b"v")] * 50_000
    first = await send_raw(here, sealed(batch_of([(b"k", b"x", names), (None, None, [("ce_id", None)])], size=2 * MB)))
    fixed = len(batch_of([(b"k", b"x" * 1_000_000, [])], size=2 * MB)) - 1_000_000
    largest = batch_of([(b"k", b"x" * (BROKER_MAX - fixed), [])], size=2 * MB)
    assert len(largest) == BROKER_MAX
    at_most = await send_raw(here, largest)
    with pytest.raises(aiokafka.errors.MessageSizeTooLargeError):  # it is the largest: one byte more is refused
        await send_raw(here, batch_of([(b"k", b"x" * (BROKER_MAX - fixed + 1), [])], size=2 * MB))
    await larger_messages(here, 16 * MB)
    producer = here.producer(max_request_size=16 * MB)
    await producer.start()
    document = b'{"a":"' + b"x" * (12 * MB) + b'"}'
    [beyond] = await here.produce([(b"k", document, [])], producer=producer)
    await producer.stop()
    await here.produce(predictions(5, 5))
    await here.chained_to_the_end()
    client = here.client()
    [(count, name)] = client.query(
        "SELECT length(headers), headers[50000].1 FROM ledger FINAL WHERE offset = {offset:Int64}",
        parameters={"offset": first},
        query_formats={"String": "bytes"},
    ).result_rows
    client.close()
    assert (count, name) == (50_000, NAME)
    found = reasons(here)
    assert {offset: reason_class for offset, (reason_class, _) in found.items()} == {
        first: "not_json",
        first + 1: "empty",
        at_most: "not_json",
        beyond.offset: "too_large",
    }
    assert found[beyond.offset][1].endswith(f"must have at most 4194304 bytes, and has {len(document)}")
    await finish(here, worker)
    await assert_undisturbed(here)  # rejects that do not fit with their payload say where it is


async def test_batches_that_expand_a_thousandfold(install):
    """gzip and zstd expand a thousandfold and more, lz4 255 times, snappy 21 times: each by what its format can."""
    here = install(partitions=1)
    worker = here.worker()
    await here.produce(predictions(6))
    await here.chained_to_the_end()
    before, rejected = worker.rss_mb, []
    sizes = {"gzip": 34, "snappy": 9, "lz4": 9, "zstd": 34}  # beyond 32 MiB they are read piece by piece
    await larger_messages(here, 4 * MB)
    for codec, number in CODECS.items():
        raw = bomb(number, records=sizes[codec], size=MB, content=b" ")
        first = await send_raw(here, raw)
        await here.produce(predictions(6, 6))
        rejected += range(first, first + sizes[codec])
        print(f"{codec}: {len(raw)} bytes for {sizes[codec]} MB")  # noqa: T201
    await here.chained_to_the_end()
    found = reasons(here)
    assert list(found) == rejected
    assert {reason_class for reason_class, _ in found.values()} == {"not_json"}
    print(f"rss {before:.0f} MB, at most {peak_rss_mb(worker)} MB")  # noqa: T201
    assert peak_rss_mb(worker) < 450
    await finish(here, worker)
    await assert_undisturbed(here)


@pytest.mark.full
@pytest.mark.parametrize(("codec", "megabytes"), [("gzip", 1_000), ("snappy", 40), ("lz4", 250), ("zstd", 2_000)])
async def test_a_batch_of_a_megabyte_that_expands_to_what_its_codec_can(install, codec, megabytes):
    here = install(partitions=1, WORKER__INSERT_TIMEOUT_S=60)
    worker = here.worker()
    await here.produce(predictions(6))
    await larger_messages(here, 4 * MB)
    raw = bomb(CODECS[codec], records=megabytes, size=MB, content=b" ")
    first = await send_raw(here, raw)
    await here.produce(predictions(6, 6))
    last = first + megabytes + 5

    def chained():
        rows = here.rows(here.partition())
        return rows and rows[-1][2] >= last

    await until(chained, within=1_200, what="all chained", every=2)
    assert list(reasons(here)) == list(range(first, first + megabytes))
    print(f"{codec}: {len(raw)} bytes became {megabytes} MB; rss at most {peak_rss_mb(worker)} MB")  # noqa: T201
    assert peak_rss_mb(worker) < 500
    assert worker.stop() == 0
    assert here.verify()[0] == 0


async def test_a_record_that_expands_beyond_what_a_worker_takes_stops_its_partition_alone(install, faults):
    here = install(partitions=2)
    await here.produce(predictions(6))
    worker = here.worker()
    await here.chained_to_the_end()
    huge = faults.times(256, 2_000) * MB
    first = await send_raw(here, bomb(CODECS["zstd"], records=2, size=100, last=huge, content=b" "))
    await here.produce(predictions(20, 6), partition=1)
    await here.produce(predictions(4, 30), partition=0)
    [(_, severity, message)] = await alerts(here, "partition_stopped")
    assert severity == "critical"
    assert f"offset {first + 2}" in message
    for words in ("a record of ", str(RECORD_MAX), "kafka-delete-records"):
        assert words in message, message
    await until(lambda: here.rows(here.partition(1))[-1][2] == 22, what="the other partition goes on")
    assert [row[2] for row in here.rows(here.partition(0))] == [0, 1, 2, 3, 4]  # all that stands before it
    assert worker.failing()["stopped partitions"] == [str(here.partition(0))]
    print(f"rss at most {peak_rss_mb(worker)} MB")  # noqa: T201
    assert peak_rss_mb(worker) < 400
    assert worker.stop() == 0
    # as the message says: delete it, start again; the loss is an epoch with its reason, and all that follows is chained
    await delete_records(here, {0: first + 3})
    worker = here.worker()
    await epoch_reached(here, here.partition(0), 1, first + 6)
    await assert_epoch(here, here.partition(0), 1, "retention", first + 3)
    await finish(here, worker)
    code, result = here.verify()
    assert code == 0, result


async def test_a_codec_that_is_missing_stops_its_partition_alone_until_it_is_there(install):
    here = install(partitions=2)
    await here.produce(predictions(6))
    worker = here.worker(module="tests.faults.worker_without_codec", CODEC="zstd", PYTHONPATH=str(ROOT))
    await here.chained_to_the_end()
    await here.produce(predictions(4, 10), partition=0)
    producer = here.producer(compression_type="zstd")
    await producer.start()
    await here.produce(predictions(4, 20), partition=0, producer=producer)
    await producer.stop()
    await here.produce(predictions(4, 30), partition=0)
    await here.produce(predictions(20, 40), partition=1)
    [(_, severity, message)] = await alerts(here, "partition_stopped")
    assert severity == "critical"
    assert "zstd" in message
    assert "install" in message
    await until(lambda: len(here.rows(here.partition(1))) == 23, what="the other partition goes on")
    assert len(here.rows(here.partition(0))) == 7
    assert worker.stop() == 0
    worker = here.worker()
    await here.chained_to_the_end()
    await finish(here, worker)
    await assert_undisturbed(here)
