"""Connecting to Apache Kafka with TLS and passwords: what works, and what each failure says."""

import asyncio
import logging
import subprocess

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr

from modeltrail.embedded import apache
from modeltrail.embedded.apache import ApacheBroker
from modeltrail.embedded.directory import free_port
from modeltrail.errors import AccessError, BrokerUnavailableError, ConfigurationError
from modeltrail.kafka_client import (
    CONNECT_TIMEOUT_S,
    abandon_producer,
    broker_errors,
    kafka_client_args,
    missing_topics,
    start_producer,
)
from modeltrail.settings import Kafka, Settings

needs_kafka = [
    pytest.mark.kafka,
    pytest.mark.skipif(apache.available() is not None, reason=f"Apache Kafka is not available: {apache.available()}"),
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself, and one PEM file with its key for the broker."""
    directory = tmp_path_factory.mktemp("certificates")
    certificate, key, both = (directory / name for name in ("ca.pem", "key.pem", "both.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_text(key.read_text() + certificate.read_text())
    return directory


@pytest.fixture(scope="module")
def kafka(tmp_path_factory, certificates):
    """Apache Kafka with a plain listener, one with TLS, and one with TLS and passwords: their addresses."""
    plain, controller, tls, sasl = (free_port() for _ in range(4))
    host = "127.0.0.1"
    broker = ApacheBroker(
        tmp_path_factory.mktemp("kafka"),
        port=plain,
        controller_port=controller,
        properties={
            "listeners": f"PLAINTEXT://{host}:{plain},CONTROLLER://{host}:{controller},"
            f"SSL://{host}:{tls},SASL_SSL://{host}:{sasl}",
            "advertised.listeners": f"PLAINTEXT://{host}:{plain},SSL://{host}:{tls},SASL_SSL://{host}:{sasl}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(certificates / "both.pem"),
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule"
            ' required user_alice="wonderland";',
        },
    )
    broker.start()
    yield {"PLAINTEXT": f"{host}:{plain}", "SSL": f"{host}:{tls}", "SASL_SSL": f"{host}:{sasl}"}
    broker.stop()


def settings(kafka, protocol, *, at=None, **more):
    return Settings(
        kafka=Kafka(bootstrap_servers=kafka[at or protocol], security_protocol=protocol, **more),
    )


def alice(certificates, **more):
    return {
        "ca_file": certificates / "ca.pem",
        "sasl_mechanism": "PLAIN",
        "username": "alice",
        "password": SecretStr("wonderland"),
        **more,
    }


async def publish(wanted: Settings):
    producer = await start_producer(kafka_client_args(wanted), linger_ms=1)
    try:
        assert await missing_topics(producer.client, ["there", "not-there"]) == ["not-there"]
        return producer._txn_manager is not None, await producer.send_and_wait("there", b"x")
    finally:
        assert await abandon_producer(producer, flush_s=5)


@pytest.fixture
async def topic(kafka):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka["PLAINTEXT"])
    await admin.start()
    await admin.create_topics([NewTopic("there", 1, 1)])  # says so in its answer where it is there already
    await admin.close()


class TestKafka:
    pytestmark = needs_kafka

    @pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_SSL"])
    async def test_a_producer_is_idempotent_over_every_protocol(self, kafka, topic, certificates, protocol, caplog):
        more = {"PLAINTEXT": {}, "SSL": {"ca_file": certificates / "ca.pem"}, "SASL_SSL": alice(certificates)}[protocol]
        with caplog.at_level(logging.WARNING, logger="modeltrail"):
            idempotent, record = await publish(settings(kafka, protocol, **more))
        assert idempotent
        assert record.offset >= 0
        assert caplog.records == []

    async def test_a_wrong_password_is_an_access_error(self, kafka, certificates):
        wrong = settings(kafka, "SASL_SSL", **alice(certificates, password=SecretStr("rabbit")))
        with pytest.raises(AccessError, match=r"refuses user 'alice': check kafka\.username and"):
            await publish(wrong)

    async def test_a_mechanism_that_the_broker_does_not_take(self, kafka, certificates):
        wrong = settings(kafka, "SASL_SSL", **alice(certificates, sasl_mechanism="SCRAM-SHA-512"))
        with pytest.raises(AccessError, match=r"does not take SCRAM-SHA-512: check kafka\.sasl_mechanism"):
            await publish(wrong)

    async def test_a_certificate_that_nobody_trusts(self, kafka):
        with pytest.raises(ConfigurationError, match=r"a certificate that is not trusted: .*kafka\.ca_file"):
            await publish(settings(kafka, "SSL"))

    async def test_tls_to_a_plain_listener(self, kafka, certificates):
        wrong = settings(kafka, "SSL", at="PLAINTEXT", ca_file=certificates / "ca.pem")
        with pytest.raises((ConfigurationError, BrokerUnavailableError), match=r"kafka\.security_protocol"):
            async with asyncio.timeout(CONNECT_TIMEOUT_S + 6):
                await publish(wrong)

    async def test_plain_to_a_tls_listener(self, kafka):
        with pytest.raises(BrokerUnavailableError, match=r"kafka\.security_protocol"):
            async with asyncio.timeout(CONNECT_TIMEOUT_S + 6):
                await publish(settings(kafka, "PLAINTEXT", at="SSL"))

    async def test_the_second_address_is_used_where_the_first_is_down(self, kafka, topic):
        both = Settings(kafka=Kafka(bootstrap_servers=f"127.0.0.1:9,{kafka['PLAINTEXT']}"))
        await publish(both)


async def test_a_host_without_address_is_said_so():
    wrong = Settings(kafka=Kafka(bootstrap_servers="no-such-host.invalid:9092"))
    with pytest.raises(BrokerUnavailableError, match=r"no-such-host\.invalid:9092 cannot be found"):
        await start_producer(kafka_client_args(wrong))


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_certificate_file_that_cannot_be_used(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"kafka\.ca_file: .*must be a readable PEM file") as caught:
        kafka_client_args(Settings(kafka=Kafka(security_protocol="SSL", ca_file=file)))
    assert "\n" not in str(caught.value)


def test_a_key_with_a_passphrase_does_not_ask_on_the_terminal(tmp_path):
    files = [str(tmp_path / name) for name in ("key.pem", "cert.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-passout", "pass:x1y2z3", "-subj", "/CN=x",
         "-keyout", files[0], "-out", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    kafka = Kafka(security_protocol="SSL", cert_file=files[1], key_file=files[0])
    with pytest.raises(ConfigurationError, match="a key without a passphrase"):
        kafka_client_args(Settings(kafka=kafka))


async def test_work_with_the_broker_is_bounded():
    nobody = Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:9"))
    with pytest.raises(BrokerUnavailableError, match="nothing listens"):
        async with broker_errors(nobody, timeout_s=0.05):
            await asyncio.Event().wait()
