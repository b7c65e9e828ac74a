"""Broker and store together, as `up`, the demo and the integration tests start them."""

import asyncio
import socket
import subprocess
import sys

import clickhouse_connect
import pytest

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.kafka_probe import fetch_metadata
from modeltrail.embedded.stack import Stack
from modeltrail.errors import BrokerUnavailableError, ConfigurationError

from .test_process import ended


@pytest.fixture
def stack(tmp_path):
    with Stack(tmp_path / "stack") as started:
        yield started


def test_the_settings_lead_a_child_to_both(stack):
    env = stack.settings_env(Role.READER)
    host, port = env["MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS"].split(":")
    assert fetch_metadata(host, int(port)).cluster_id == stack.broker.cluster_id
    client = clickhouse_connect.get_client(
        host=env["MODELTRAIL_CLICKHOUSE__HOST"],
        port=int(env["MODELTRAIL_CLICKHOUSE__PORT"]),
        username=env["MODELTRAIL_CLICKHOUSE__USER"],
        password=env["MODELTRAIL_CLICKHOUSE__PASSWORD"],
        database=env["MODELTRAIL_CLICKHOUSE__DATABASE"],
    )
    assert client.command("SELECT currentDatabase()") == "modeltrail"


def test_topics_are_created_once(stack):
    assert stack.create_topics({"modeltrail.predictions": 4, "modeltrail.runs": 1}) == [
        "modeltrail.predictions",
        "modeltrail.runs",
    ]
    assert stack.create_topics({"modeltrail.runs": 1, "modeltrail.actions": 2}) == ["modeltrail.actions"]


async def test_topics_can_be_created_inside_a_running_loop(stack):
    assert stack.create_topics({"t": 1}) == ["t"]
    assert await asyncio.to_thread(stack.create_topics, {"t": 1}) == []


def test_a_directory_in_use_is_said_in_one_line(stack):
    with pytest.raises(ConfigurationError, match="is in use by process") as refused:
        Stack(stack.directory).start()
    assert len(str(refused.value).splitlines()) == 1
    assert stack.broker.running
    assert stack.clickhouse.running


def test_leaving_stops_both_and_the_directory_can_be_used_again(tmp_path):
    for _ in range(2):
        with Stack(tmp_path / "stack") as stack:
            pids = [stack.broker.pid, stack.clickhouse.pid]
        assert all(ended(pid) for pid in pids)


def test_when_the_store_cannot_start_no_broker_is_left(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        stack = Stack(tmp_path / "stack", clickhouse_port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="port"):
            stack.start()
    assert not stack.broker.running
    with stack:
        assert stack.clickhouse.running


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"broker": "redpanda"}, "must be 'tansu' or 'apache'"),
        ({"broker_properties": {"a": "b"}}, "takes none"),
    ],
)
def test_options_that_cannot_be_right_are_refused(tmp_path, options, expected):
    with pytest.raises(ConfigurationError, match=expected):
        Stack(tmp_path / "stack", **options)


def test_topics_on_a_dead_broker_are_an_error(stack):
    stack.broker.kill()
    with pytest.raises(BrokerUnavailableError, match="did not create the topics"):
        stack.create_topics({"t": 1})


def test_nothing_outlives_a_killed_parent(tmp_path):
    code = (
        "import sys; from pathlib import Path; from modeltrail.embedded.stack import Stack;"
        "s = Stack(Path(sys.argv[1])); s.start(); print(s.broker.pid, s.clickhouse.pid, flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "stack")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
        parent.wait(timeout=20)
        assert all(ended(pid) for pid in pids)
    with Stack(tmp_path / "stack"):
        pass
