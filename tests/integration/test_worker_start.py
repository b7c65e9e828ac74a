"""A worker that cannot start says why in a line or two, with the exit code of the conventions, and no traceback."""

import asyncio
import socket
import subprocess
import sys

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.directory import free_port
from modeltrail.errors import ConfigurationError
from modeltrail.kafka_client import kafka_client_args
from modeltrail.streaming import topics
from modeltrail.streaming.topics import check_topics, create_topics, required_topics
from tests.integration.installation import Installation, until


def run(installation, *arguments, role=Role.WRITER, **env):
    return subprocess.run(
        [sys.executable, "-m", "modeltrail.cli.main", *arguments],
        env=installation.env(role, **env),
        capture_output=True,
        text=True,
        timeout=60,
    )


def told(done, code, *words):
    assert done.returncode == code, done.stderr
    # Log lines may come before; the reason is the last thing on the screen.
    reason = done.stderr[done.stderr.rindex("modeltrail: ") :]
    assert "Traceback" not in done.stderr
    assert len(reason.splitlines()) <= 2
    for word in words:
        assert word in reason, reason


@pytest.fixture
def on_tansu(stacks, tmp_path):
    with Installation(stacks("tansu"), tmp_path) as prepared:
        yield prepared


def test_no_broker(on_tansu):
    port = free_port()
    done = run(on_tansu, "worker", MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{port}")
    told(done, 5, f"127.0.0.1:{port}", "modeltrail up")


def test_no_store(on_tansu):
    port = free_port()
    told(run(on_tansu, "worker", MODELTRAIL_CLICKHOUSE__PORT=str(port)), 5, f"127.0.0.1:{port}")


def test_wrong_password(on_tansu):
    told(run(on_tansu, "worker", MODELTRAIL_CLICKHOUSE__PASSWORD="wrong"), 2, "password")


def test_missing_topic(on_tansu):
    done = run(on_tansu, "worker", MODELTRAIL_TOPICS__PREFIX="nobody")
    told(done, 2, "nobody.predictions", "modeltrail topics create")


def test_schema_that_was_not_migrated(on_tansu):
    told(run(on_tansu, "worker", MODELTRAIL_CLICKHOUSE__DATABASE="modeltrail"), 2, "modeltrail migrate")


def test_port_in_use(on_tansu):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told(run(on_tansu, "worker", MODELTRAIL_WORKER__HTTP_PORT=str(port)), 2, "worker.http_port", str(port))


def test_unknown_setting(on_tansu):
    told(run(on_tansu, "worker", MODELTRAIL_WORKER__BLOCK_ROW="5"), 2, "MODELTRAIL_WORKER__BLOCK_ROWS")


def test_topics_are_created_once_and_then_found(stack, tmp_path):
    installation = Installation(stack, tmp_path)
    settings = installation.settings()
    args = kafka_client_args(settings)
    with pytest.raises(ConfigurationError, match="modeltrail topics create"):
        asyncio.run(check_topics(args, settings))
    assert asyncio.run(create_topics(settings)) == required_topics(settings)
    assert asyncio.run(create_topics(settings)) == {}
    assert asyncio.run(check_topics(args, settings)) == stack.broker.cluster_id


async def test_what_a_broker_has_not_heard_of_yet_is_not_said_to_be_created_again(stack, tmp_path, monkeypatch):
    settings = Installation(stack, tmp_path).settings()
    await create_topics(settings)
    heard = topics.AIOKafkaAdminClient.list_topics
    asked = []

    async def late(admin):
        asked.append(admin)
        return [] if len(asked) == 1 else await heard(admin)

    monkeypatch.setattr(topics.AIOKafkaAdminClient, "list_topics", late)
    assert await create_topics(settings) == {}
    assert len(asked) >= 2


async def test_new_topics_have_append_time_and_keep_receipts_for_thirty_days(apache_stack, tmp_path):
    installation = Installation(apache_stack, tmp_path)
    await create_topics(installation.settings())

    async def configuration(name):
        resource = ConfigResource(ConfigResourceType.TOPIC, installation.topic(name))
        [answer] = await installation.admin(lambda client: client.describe_configs([resource]))
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}

    # A broker can be asked before it has heard of what its controller has just created.
    found = await until(lambda: configuration("predictions"), what="settings of the new topic")
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert found["cleanup.policy"] == "delete"
    kept = await until(lambda: configuration("blocks"), what="settings of the new topic")
    assert kept["retention.ms"] == "2592000000"
