"""What it means when the broker fails, in one line that says what to do.

aiokafka reports a broker that is down, a wrong password and a wrong protocol with the same words. When a
connection fails, each address is asked once more, and what is found there becomes the error that is raised.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from aiokafka.conn import AIOKafkaConnection
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
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)

from modeltrail.errors import AccessError, BrokerUnavailableError, ConfigurationError, ModeltrailError

__all__ = ["KAFKA_FAILURES", "broker_failure", "reason_of"]

PROBE_TIMEOUT_S = 2.0
"""Seconds for each address when the reason of a failure is looked for."""
CLOSE_TIMEOUT_S = 1.0

KAFKA_FAILURES = (KafkaError, OSError, TimeoutError)
"""What aiokafka raises when the broker or the way to it fails; anything else is a fault of the program."""

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


async def broker_failure(error: BaseException, client_args: Mapping[str, Any]) -> ModeltrailError:
    """Return what to raise for a failure of aiokafka, after a look at each address."""
    if isinstance(error, _NO_RIGHT):
        what = type(error).__name__.removesuffix("Error") + _subject(error, ": ")
        return AccessError(f"the broker allows this user too little ({what}): grant the missing right")
    if isinstance(error, UnknownTopicOrPartitionError):
        return ConfigurationError(f"the broker has no such topic{_subject(error, ': ')}; create it first")
    servers = str(client_args["bootstrap_servers"])
    if isinstance(error, KafkaError) and not error.retriable and not isinstance(error, KafkaConnectionError):
        return ConfigurationError(f"the broker at {servers} refuses: {reason_of(error)}")
    findings = await asyncio.gather(*(_probe(address, client_args) for address in servers.split(",")))
    for found in findings:
        if found is not None and not isinstance(found, BrokerUnavailableError):
            return found  # says more than that one of several brokers is down
    if findings[0] is not None and all(findings):
        return findings[0]
    return BrokerUnavailableError(
        f"the broker at {servers} answers, but the work was not done in time ({type(error).__name__}): "
        "are its advertised addresses reachable from here, and is it healthy?"
    )


async def _probe(address: str, client_args: Mapping[str, Any]) -> ModeltrailError | None:
    host, _, port = address.rpartition(":")
    wanted = ("client_id", "security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username",
              "sasl_plain_password")  # fmt: skip
    args = {name: client_args[name] for name in wanted if name in client_args}
    connection = AIOKafkaConnection(host.strip("[]"), int(port), request_timeout_ms=int(PROBE_TIMEOUT_S * 1000), **args)
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S + 1):
            await connection.connect()
    except KAFKA_FAILURES as error:
        return _explained(error, address, args)
    finally:
        closed = connection.close()
        if connection._protocol is not None:  # noqa: SLF001 - connected: TLS takes a moment to say goodbye
            await asyncio.wait([closed], timeout=CLOSE_TIMEOUT_S)
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
                f"{at} has a certificate that is not trusted: {reason_of(error)}; set kafka.ca_file"
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
            return BrokerUnavailableError(f"{at} cannot be reached: {reason_of(error)}")


def _subject(error: BaseException, before: str) -> str:
    named = ", ".join(str(part) for part in error.args if part)
    return f"{before}{named}" if named else ""


def reason_of(error: BaseException) -> str:
    """Return the first line of what a failure says."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).partition("\n")[0]
