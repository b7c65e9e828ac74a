"""What is done to logs and to the group's offsets in these tests, and what a new epoch has to hold afterwards."""

import struct

import aiokafka
from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code
from aiokafka.protocol.admin import DeleteGroupsRequest

from modeltrail.embedded.stack import APPEND_TIME
from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.sequencer import Head, Sequencer
from tests.integration.installation import until


async def replace_topic(here, topic):
    """Delete a topic and create it again within milliseconds."""

    async def work(client):
        await client.delete_topics([topic])
        new = NewTopic(topic, here.partitions, 1, topic_configs=dict(APPEND_TIME))
        while True:
            ((_, code, *reason),) = (await client.create_topics([new])).topic_errors
            if code == 0:
                return
            assert "exists" in str(reason) or "deletion" in str(reason), for_code(code)

    await here.admin(work)


async def delete_records(here, before):
    """Delete what lies before an offset: {partition: offset}."""
    at = {aiokafka.TopicPartition(here.topic(), number): RecordsToDelete(offset) for number, offset in before.items()}
    await here.admin(lambda client: client.delete_records(at))


async def set_group_offsets(here, offsets):
    """Commit {partition: offset} for the workers' group by hand, as somebody with a command line would."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=here.stack.bootstrap_servers, group_id=here.prefix, enable_auto_commit=False
    )
    await consumer.start()
    try:
        at = {aiokafka.TopicPartition(here.topic(), number): offset for number, offset in offsets.items()}
        consumer.assign(list(at))
        await consumer.commit(at)
    finally:
        await consumer.stop()


async def acknowledged(here, offsets):
    """Wait until the group has acknowledged exactly {partition: offset}."""

    async def told():
        found = await here.committed()
        return all(found[number] == offset for number, offset in offsets.items())

    await until(told, what=f"acknowledged: {offsets}", every=0.3)


def last_head(here, partition, epoch):
    """The head of one epoch, as the ledger holds it."""
    client = here.client()
    try:
        row = client.query(
            "SELECT first_offset, seq, offset, timestamp, log_time, record_hash, entry_hash FROM ledger FINAL"
            " WHERE topic = {topic:String} AND partition = {partition:UInt32} AND epoch = {epoch:UInt32}"
            " ORDER BY seq DESC LIMIT 1",
            parameters={"topic": partition.topic, "partition": partition.partition, "epoch": epoch},
            column_formats={"record_hash": "bytes", "entry_hash": "bytes"},
        ).first_row
    finally:
        client.close()
    first_offset, *values = row
    return Head(Chain(*partition, epoch, first_offset), *values)


async def assert_epoch(here, partition, epoch, reason, first_offset):
    """The newest epoch equals the fold of what the log holds from `first_offset` on, behind the head before it."""
    old = last_head(here, partition, epoch - 1)
    sequencer = Sequencer.begin(Chain(*partition, epoch, first_offset), GenesisReason(reason), old)
    folded = []
    for record in (await here.log_of(partition))[1]:
        if record.offset < first_offset:
            continue
        if record.offset > sequencer.next_offset:
            folded.append(sequencer.append_gap(record.offset - 1, CONTRACT_VERSION))
        judged = judge(partition.topic, record.key, record.headers, record.value)
        folded.append(sequencer.append(record, record.digest(), judged, CONTRACT_VERSION))
    assert folded, f"{partition}: nothing to compare with"
    expected = [(epoch, row.seq, row.offset, row.kind, row.status, row.entry_hash) for row in folded]
    assert here.rows(partition, epoch) == expected


async def epoch_reached(here, partition, epoch, offset):
    """Wait until an epoch of a partition holds `offset`."""

    def reached():
        rows = here.rows(partition, epoch)
        return rows and rows[-1][2] >= offset

    await until(reached, what=f"{partition} epoch {epoch} chained to offset {offset}", every=0.3)


def offsets_of(here, partition, epoch):
    """The offsets of an epoch's entries, in order."""
    return [row[2] for row in here.rows(partition, epoch)]


def tear(broker, partition, *, batches):
    """Cut a partition's log within a batch, as a power cut may; returns the offset that is written next.

    The broker is to be dead: of a log that was not closed in order it keeps the whole batches.
    """
    file = broker.directory / "data" / f"{partition.topic}-{partition.partition}" / f"{0:020d}.log"
    data = file.read_bytes()
    at = 0
    for _ in range(batches):
        (length,) = struct.unpack_from(">i", data, at + 8)
        at += 12 + length
    (next_offset,) = struct.unpack_from(">q", data, at)
    with file.open("r+b") as log:
        log.truncate(at + 40)
    return next_offset


async def set_topic(here, **configs):
    """Change settings of the predictions topic, as somebody with a command line would."""
    wanted = APPEND_TIME | {name.replace("__", "."): value for name, value in configs.items()}
    resource = ConfigResource(ConfigResourceType.TOPIC, here.topic(), configs=wanted)

    async def work(client):
        for answer in await client.alter_configs([resource]):
            assert all(code == 0 for code, *_ in answer.resources), answer

    await here.admin(work)


async def delete_group(here):
    """Delete the workers' group with all its offsets; it must have no members."""

    async def work(client):
        coordinator = await client.find_coordinator(here.prefix)
        answer = await client._client.send(coordinator, DeleteGroupsRequest([here.prefix]))
        return answer.results

    async def gone():
        ((_, code),) = await here.admin(work)
        return code == 0

    await until(gone, what="the group deleted")
