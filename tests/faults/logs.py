"""What is done to logs in these tests, and what is asked of the ledger afterwards."""

import aiokafka
from aiokafka.admin import NewTopic
from aiokafka.errors import for_code

from modeltrail.embedded.stack import APPEND_TIME
from tests.integration.installation import Installation, until

SHORT = {
    # What a new epoch waits out: the longest time that a late insert can take.
    "MODELTRAIL_KAFKA__MEMORY_ONLY": "false",
    "MODELTRAIL_WORKER__INSERT_TIMEOUT_S": "3",
    "MODELTRAIL_WORKER__SESSION_TIMEOUT_S": "6",
}


async def alerts(installation: Installation, kind, *, count=1, within=60):
    """(severity, subject, message) of at least `count` alerts of a kind, as the typed table has them."""

    def raised():
        client = installation.client()
        try:
            rows = client.query(
                "SELECT severity, subject, message FROM alerts_raised FINAL WHERE kind = {kind:String}"
                " ORDER BY subject, message",
                parameters={"kind": kind},
            ).result_rows
            return rows if len(rows) >= count else None
        finally:
            client.close()

    return await until(raised, within=within, what=f"{count} alerts {kind}")


async def replace_topic(installation: Installation, topic):
    """Delete a topic and create it again within milliseconds, so that no client sees it missing."""

    async def work(client):
        await client.delete_topics([topic])
        new = NewTopic(
            topic,
            num_partitions=installation.partitions,
            replication_factor=1,
            topic_configs=dict(APPEND_TIME),
        )
        while True:
            ((_, code, *reason),) = (await client.create_topics([new])).topic_errors
            if code == 0:
                return
            assert "exists" in str(reason) or "deletion" in str(reason), for_code(code)

    await installation.admin(work)


def assert_epoch(installation, partition, epoch, offsets):
    """One epoch of a partition holds exactly these offsets, in order."""
    assert [row[2] for row in installation.rows(partition, epoch)] == list(offsets)


async def set_group_offsets(installation: Installation, offsets):
    """Commit {partition: offset} for the workers' group, by hand."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=installation.stack.bootstrap_servers,
        group_id=installation.prefix,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        at = {aiokafka.TopicPartition(installation.topic(), number): offset for number, offset in offsets.items()}
        consumer.assign(list(at))
        await consumer.commit(at)
    finally:
        await consumer.stop()
