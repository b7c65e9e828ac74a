"""How this program connects to Kafka, and what it says when that fails.

aiokafka reports a broker that is down, a wrong password and a wrong protocol with the same words. When a
connection fails, each address is asked once more, and what is found there becomes the one line that is raised.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import aiokafka
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)

from modeltrail.errors import AccessError, BrokerUnavailableError, ConfigurationError, ModeltrailError

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
PROBE_TIMEOUT_S = 2.0
"""Seconds for each address when the reason of a failure is looked for."""

KAFKA_FAILURES = (KafkaError, OSError, TimeoutError)
"""What aiokafka raises when the broker or the way to it fails; anything else is a fault of the program."""

logger = logging.getLogger(__name__)

# aiokafka logs each failed attempt, and Python prints that where no handler is set. What happened is said by the
# error that is raised here; whoever configures logging still gets those lines.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())

_REFUSED = (
    AuthenticationFailedError,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
_NO_RIGHT = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
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
            f"kafka.ca_file: {kafka.ca_file}: must be a readable PEM file of certificates: {_reason(error)}"
        ) from error
    if kafka.cert_file is not None:
        try:
            context.load_cert_chain(kafka.cert_file, kafka.key_file, password=_no_passphrase)
        except OSError as error:
            files = " and ".join(str(file) for file in (kafka.cert_file, kafka.key_file) if file)
            raise ConfigurationError(
                f"kafka.cert_file: {files}: must be a readable PEM certificate and its key: {_reason(error)}"
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


async def broker_failure(error: BaseException, client_args: Mapping[str, Any]) -> ModeltrailError:
    """Return what to raise for a failure of aiokafka, after a look at each address."""
    if isinstance(error, _NO_RIGHT):
        return AccessError(f"the broker refuses {type(error).__name__.removesuffix('Error')}: grant {_subject(error)}")
    if isinstance(error, UnknownTopicOrPartitionError):
        return ConfigurationError(f"the broker has no such topic{_subject(error, ': ')}; create it first")
    servers = str(client_args["bootstrap_servers"])
    if isinstance(error, KafkaError) and not error.retriable and not isinstance(error, KafkaConnectionError):
        return ConfigurationError(f"the broker at {servers} refuses: {_reason(error)}")
    findings = [await _probe(address, client_args) for address in servers.split(",")]
    for found in findings:
        if found is not None:
            return found
    return BrokerUnavailableError(
        f"the broker at {servers} answers, but the work was not done in time ({type(error).__name__}): "
        "are its advertised addresses reachable from here, and is it healthy?"
    )


async def _probe(address: str, client_args: Mapping[str, Any]) -> ModeltrailError | None:
    host, _, port = address.rpartition(":")
    wanted = ("client_id", "security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username",
              "sasl_plain_password")  # fmt: skip
    args = {name: client_args[name] for name in wanted if name in client_args}
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S + 1):
            connection = await create_conn(
                host.strip("[]"), int(port), request_timeout_ms=int(PROBE_TIMEOUT_S * 1000), **args
            )
    except KAFKA_FAILURES as error:
        return _explained(error, address, args)
    connection.close()
    return None


def _explained(error: Exception, address: str, args: Mapping[str, Any]) -> ModeltrailError:
    protocol = args["security_protocol"]
    at = f"the broker at {address}"
    match error:
        case UnsupportedSaslMechanismError():
            return AccessError(f"{at} does not take {args.get('sasl_mechanism')}: check kafka.sasl_mechanism")
        case KafkaError() if isinstance(error, _REFUSED):
            return AccessError(
                f"{at} refuses user {args.get('sasl_plain_username')!r}: check kafka.username and kafka.password"
            )
        case ssl.SSLCertVerificationError():
            return ConfigurationError(
                f"{at} has a certificate that is not trusted: {_reason(error)}; set kafka.ca_file"
            )
        case ssl.SSLError():
            return ConfigurationError(f"{at} does not speak TLS: check kafka.security_protocol ({protocol})")
        case socket.gaierror():
            return BrokerUnavailableError(f"{at} cannot be found: no such host; check kafka.bootstrap_servers")
        case ConnectionRefusedError():
            return BrokerUnavailableError(
                f"nothing listens at {address}: check kafka.bootstrap_servers, or start a local broker: modeltrail up"
            )
        case TimeoutError():
            return BrokerUnavailableError(f"{at} does not answer: check kafka.bootstrap_servers and the way to it")
        case KafkaConnectionError() | ConnectionError():
            return BrokerUnavailableError(
                f"{at} closes the connection: is it Kafka, and is kafka.security_protocol ({protocol}) the right one?"
            )
        case _:
            return BrokerUnavailableError(f"{at} cannot be reached: {_reason(error)}")


def _subject(error: BaseException, before: str = "") -> str:
    named = ", ".join(str(part) for part in error.args if part)
    return f"{before}{named}" if named else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).partition("\n")[0]


def producer_died(producer: Any) -> bool:
    """Whether the producer's sender has ended by itself: nothing that it is given will ever be sent."""
    task = producer._sender.sender_task  # noqa: SLF001 - there is no public way to ask
    return task is not None and task.done()
