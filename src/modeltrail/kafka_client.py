"""How this program connects to Kafka: every client within a bounded time, every producer durably."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import aiokafka
from aiokafka.errors import KafkaConnectionError, KafkaError, UnknownError, UnsupportedVersionError

from modeltrail.errors import ConfigurationError
from modeltrail.kafka_failures import KAFKA_FAILURES, broker_failure, reason_of

if TYPE_CHECKING:
    from modeltrail.settings import Settings

__all__ = [
    "KAFKA_FAILURES",
    "abandon_producer",
    "broker_errors",
    "broker_failure",
    "kafka_client_args",
    "missing_topics",
    "producer_died",
    "start_producer",
]

CONNECT_TIMEOUT_S = 8.0
"""Seconds in which a client has to be connected and ready."""

logger = logging.getLogger(__name__)

# aiokafka logs each failed attempt, and Python prints that where no handler is set. What happened is said by the
# error that is raised here; whoever configures logging still gets those lines.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())

_said_without_idempotence: set[str] = set()


def kafka_client_args(settings: "Settings") -> dict[str, Any]:
    """Return what every aiokafka client is made with: addresses, protocol, TLS context, credentials.

    Raises ConfigurationError for a certificate or key file that cannot be used.
    """
    kafka = settings.kafka
    args: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers,
        "client_id": "modeltrail",
        "security_protocol": kafka.security_protocol,
    }
    if kafka.security_protocol != "PLAINTEXT":
        args["ssl_context"] = _ssl_context(settings)
    if kafka.security_protocol == "SASL_SSL":
        args["sasl_mechanism"] = kafka.sasl_mechanism
        args["sasl_plain_username"] = kafka.username
        args["sasl_plain_password"] = kafka.password.get_secret_value() if kafka.password else ""
    return args


def _ssl_context(settings: "Settings") -> ssl.SSLContext:
    kafka = settings.kafka
    try:
        context = ssl.create_default_context(cafile=kafka.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"kafka.ca_file: {kafka.ca_file}: must be a readable PEM file of certificates: {reason_of(error)}"
        ) from error
    if kafka.cert_file is not None:
        try:
            context.load_cert_chain(kafka.cert_file, kafka.key_file, password=_no_passphrase)
        except OSError as error:
            files = " and ".join(str(file) for file in (kafka.cert_file, kafka.key_file) if file)
            raise ConfigurationError(
                f"kafka.cert_file: {files}: must be a readable PEM certificate and its key: {reason_of(error)}"
            ) from error
        except _PassphraseError as error:
            raise ConfigurationError("kafka.key_file: must be a key without a passphrase") from error
    return context


class _PassphraseError(Exception):
    pass


def _no_passphrase() -> str:
    # Without this OpenSSL asks on the terminal.
    raise _PassphraseError


async def start_producer(client_args: Mapping[str, Any], **options: Any) -> Any:
    """Return a started producer that waits for all in-sync replicas, idempotent where the broker can.

    `options` are further arguments of AIOKafkaProducer. Where the broker gives no producer ids this says so once
    for each address, and a retry after a lost answer may then store a record twice. The caller ends the producer
    with `stop`, or with `abandon_producer` where the broker may not answer.
    Raises BrokerUnavailableError, AccessError or ConfigurationError with one line, within a few seconds.
    """
    arguments = {**client_args, **options, "acks": "all"}
    try:
        return await _started({**arguments, "enable_idempotence": True})
    except (UnknownError, UnsupportedVersionError):
        producer = await _started({**arguments, "enable_idempotence": False})
    servers = str(client_args["bootstrap_servers"])
    if servers not in _said_without_idempotence:
        _said_without_idempotence.add(servers)
        logger.warning(
            "the broker at %s gives no producer ids: publishing goes on without idempotence, "
            "and a retry after a lost answer can store a record twice",
            servers,
        )
    return producer


async def _started(arguments: Mapping[str, Any]) -> Any:
    producer = aiokafka.AIOKafkaProducer(**arguments)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await producer.start()
    except (UnknownError, UnsupportedVersionError):
        await producer.stop()
        raise
    except KAFKA_FAILURES as error:
        await producer.stop()
        raise await broker_failure(error, arguments) from error
    except BaseException:
        await producer.stop()
        raise
    return producer


async def abandon_producer(producer: Any, *, flush_s: float) -> bool:
    """End a producer within about `flush_s` seconds; returns whether everything was acknowledged.

    `AIOKafkaProducer.stop` alone waits for ever while a broker is away: an idempotent producer repeats without end.
    """
    flushed = True
    try:
        async with asyncio.timeout(flush_s):
            await producer.flush()
    except (TimeoutError, KafkaError):
        flushed = False
    if not flushed:
        await _give_up(producer)
    await producer.stop()
    return flushed


async def _give_up(producer: Any) -> None:
    # A cancelled sender waits for its requests, and those for a broker that does not answer: all of them are ended,
    # then everybody who waits for a record. aiokafka has no public way to do this.
    sender = producer._sender  # noqa: SLF001 - as said above
    requests = [task for task in asyncio.all_tasks() if _is_request_of(sender, task)]
    ending = [task for task in (sender.sender_task, *requests) if task is not None and not task.done()]
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)
    producer._message_accumulator.fail_all(KafkaConnectionError("given up"))  # noqa: SLF001 - as said above


def _is_request_of(sender: Any, task: asyncio.Task[Any]) -> bool:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame is not None and frame.f_code.co_name == "_send_produce_req" and frame.f_locals.get("self") is sender


@contextlib.asynccontextmanager
async def broker_errors(
    settings: "Settings | Mapping[str, Any]", *, timeout_s: float = CONNECT_TIMEOUT_S
) -> AsyncIterator[None]:
    """Bound a block that talks to the broker, and raise its failures as ours.

    `settings` are those of the program, or what `kafka_client_args` made of them. The block has `timeout_s` seconds.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except KAFKA_FAILURES as error:
        args = settings if isinstance(settings, Mapping) else kafka_client_args(settings)
        raise await broker_failure(error, args) from error


async def missing_topics(client: Any, topics: Iterable[str]) -> list[str]:
    """Return those topics that the broker does not have. `client` is that of a started producer or consumer.

    Asks for all topics: a question about one can create it, with settings that nobody chose.
    """
    found = await client.fetch_all_metadata()
    return sorted(set(topics) - set(found.topics()))


def producer_died(producer: Any) -> bool:
    """Whether the producer's sender has ended by itself: nothing that it is given will ever be sent."""
    task = producer._sender.sender_task  # noqa: SLF001 - there is no public way to ask
    return task is not None and task.done()
