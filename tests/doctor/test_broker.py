"""What the doctor says of brokers and topics, on the embedded broker and on Apache Kafka itself."""

import aiokafka
import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from modeltrail.doctor.append_time import probe_topic
from modeltrail.events.registry import AUDITED_FAMILIES
from tests.integration.installation import until

APPEND = {"message.timestamp.type": "LogAppendTime"}


async def configure(installation, family, **config):
    """Replace the settings of a topic, and wait until the broker tells them; names are written with _ for the dot."""
    wanted = APPEND | {name.replace("_", "."): value for name, value in config.items()}
    topic = installation.topic(family)
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=wanted)
    for answer in await installation.admin(lambda client: client.alter_configs([resource])):
        assert all(code == 0 for code, *_ in answer.resources), answer

    async def told():
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
        answers = await installation.admin(lambda client: client.describe_configs(asked))
        entries = {entry[0]: entry[1] for answer in answers for entry in answer.resources[0][4]}
        return wanted.items() <= entries.items()

    await until(told, what=f"{topic} configured with {wanted}")


async def topics_of(installation):
    return set(await installation.admin(lambda client: client.list_topics()))


def is_apache(installation):
    return "Apache" in installation.stack.broker.name


async def test_a_healthy_installation_has_no_failure_and_leaves_no_trace(installation, doctor):
    before = await topics_of(installation)
    seen = await doctor(installation, MODELTRAIL_KAFKA__MEMORY_ONLY=str(not is_apache(installation)))
    assert seen.with_outcome("fail") == set()
    assert seen.report.exit_code == 0
    assert await topics_of(installation) == before
    assert seen["broker.cluster_id"].detail == installation.cluster
    assert seen.outcome("topics.exist") == "pass"
    if is_apache(installation):
        assert seen.with_outcome("warn") == {"topics.replication"}
        assert seen.with_outcome("skipped") == {"worker.lag", "store.disk"}
        assert seen.outcome("topics.append_time") == "pass"
        assert "ms" in seen["clock.broker"].detail
    else:
        assert seen.with_outcome("warn") == {"topics.append_time"}
        assert "stores the producer's time" in seen["topics.append_time"].detail
        assert seen.outcome("clock.broker") == "skipped"


async def test_what_a_broker_does_not_tell_is_skipped_and_not_passed(embedded, doctor):
    seen = await doctor(embedded)
    for check in ("topics.cleanup_policy", "topics.retention", "topics.unclean_election", "broker.auto_create"):
        assert seen.outcome(check) == "skipped"
        assert seen[check].detail


async def test_a_broker_that_describes_append_time_and_keeps_the_producers_is_found_out(embedded, doctor):
    seen = await doctor(embedded, MODELTRAIL_KAFKA__MEMORY_ONLY="false")
    assert seen.outcome("topics.timestamp_type") == "pass"
    assert seen.outcome("topics.append_time") == "fail"
    assert seen["topics.append_time"].fix
    assert seen.report.exit_code == 1


@pytest.mark.kafka
async def test_a_topic_with_create_time_is_found_by_its_setting_and_by_its_newest_record(on_apache, doctor):
    await configure(on_apache, "runs", message_timestamp_type="CreateTime")
    await on_apache.produce([b"one"], family="runs")
    seen = await doctor(on_apache)
    for check in ("topics.timestamp_type", "topics.append_time"):
        assert seen.outcome(check) == "fail"
        assert on_apache.topic("runs") in seen[check].detail
    assert f"--topic {on_apache.topic('runs')} --add-config message.timestamp.type" in seen["topics.timestamp_type"].fix

    await configure(on_apache, "runs", message_timestamp_type="LogAppendTime")
    seen = await doctor(on_apache)
    assert seen.outcome("topics.timestamp_type") == "pass"
    assert seen.outcome("topics.append_time") == "fail", "the newest record was written before"

    await on_apache.produce([b"two"] * 2, family="runs")
    assert (await doctor(on_apache)).outcome("topics.append_time") == "pass"


@pytest.mark.kafka
async def test_without_a_probe_append_time_is_proven_only_where_every_audited_topic_has_a_record(on_apache, doctor):
    await on_apache.produce([b"one"] * 2, family="runs")
    seen = await doctor(on_apache, probe=False)
    assert seen.outcome("topics.append_time") == "skipped"
    assert on_apache.topic("actions") in seen["topics.append_time"].detail
    assert on_apache.topic("runs") not in seen["topics.append_time"].detail
    for family in AUDITED_FAMILIES:
        await on_apache.produce([b"one"], family=family)
    seen = await doctor(on_apache, probe=False)
    assert seen.outcome("topics.append_time") == "pass"
    assert seen.outcome("clock.broker") == "skipped"


async def test_a_topic_for_probes_that_is_there_already_is_used_and_left_alone(installation, doctor):
    topic = probe_topic(installation.settings())
    installation.stack.create_topics({topic: 1})
    await doctor(installation)
    assert topic in await topics_of(installation)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("family", "config", "check", "outcome", "says"),
    [
        ("actions", {"cleanup_policy": "compact"}, "topics.cleanup_policy", "fail", "compacted"),
        ("actions", {"cleanup_policy": "compact,delete"}, "topics.cleanup_policy", "fail", "compacted"),
        ("rejected", {"cleanup_policy": "compact"}, "topics.cleanup_policy", "warn", "compacted"),
        ("blocks", {"message_timestamp_type": "CreateTime"}, "topics.timestamp_type", "warn", "producer's time"),
        ("runs", {"min_insync_replicas": "2"}, "topics.replication", "fail", "nothing can be published"),
        ("runs", {"unclean_leader_election_enable": "true"}, "topics.unclean_election", "fail", "vanish"),
        ("runs", {"retention_ms": "7200000"}, "topics.retention", "warn", "2 h"),
        ("runs", {"retention_bytes": "1000000"}, "topics.retention", "warn", "1,000,000 bytes"),
        ("runs", {"retention_ms": "-1"}, "topics.retention", "pass", "for ever"),
    ],
)
async def test_a_setting_of_a_topic_is_judged(on_apache, doctor, family, config, check, outcome, says):
    await configure(on_apache, family, **config)
    seen = await doctor(on_apache, probe=False)
    assert seen.outcome(check) == outcome
    assert says in seen[check].detail
    if outcome != "pass":
        assert on_apache.topic(family) in seen[check].detail
        assert seen[check].fix


@pytest.mark.kafka
async def test_a_log_on_disk_that_is_declared_memory_only_is_a_warning(on_apache, doctor):
    seen = await doctor(on_apache, probe=False, MODELTRAIL_KAFKA__MEMORY_ONLY="true")
    assert seen.outcome("broker.memory_only") == "warn"
    seen = await doctor(on_apache, probe=False, MODELTRAIL_KAFKA__MEMORY_ONLY="false")
    assert seen.outcome("broker.memory_only") == "pass"


async def test_a_missing_topic_is_named_and_not_created_by_asking(installation, doctor):
    topic = installation.topic("actions")
    await installation.admin(lambda client: client.delete_topics([topic]))

    async def gone():
        return topic not in await topics_of(installation)

    await until(gone, what=f"{topic} gone")
    seen = await doctor(installation)
    assert seen.outcome("topics.exist") == "fail"
    assert topic in seen["topics.exist"].detail
    assert "modeltrail topics create" in seen["topics.exist"].fix
    assert seen.report.exit_code == 1
    assert topic not in await topics_of(installation)


async def test_lag_counts_what_the_group_has_not_committed_and_asks_for_a_worker(installation, doctor):
    assert (await doctor(installation, probe=False)).outcome("worker.lag") == "skipped"
    await installation.produce([b"one"] * 10)
    seen = await doctor(installation, probe=False)
    assert seen.outcome("worker.lag") == "warn"
    assert "10 records wait" in seen["worker.lag"].detail

    member = aiokafka.AIOKafkaConsumer(
        installation.topic(),
        bootstrap_servers=installation.stack.bootstrap_servers,
        group_id=installation.prefix,
        enable_auto_commit=False,
    )
    await member.start()
    try:
        await member.commit({aiokafka.TopicPartition(installation.topic(), number): 2 for number in (0, 1)})
        seen = await doctor(installation, probe=False)
        assert seen.outcome("worker.lag") == "pass"
        assert "6 records wait, and the broker lists 1 worker " in seen["worker.lag"].detail
    finally:
        await member.stop()
    if is_apache(installation):  # the embedded broker goes on listing a first member that has left
        seen = await doctor(installation, probe=False)
        assert seen.outcome("worker.lag") == "warn"
        assert "no worker" in seen["worker.lag"].detail
