"""A connection to ClickHouse over HTTP, with timeouts that end and errors that say what to do."""

import logging
import weakref
from pathlib import Path
from typing import Any, Protocol

import clickhouse_connect
from clickhouse_connect.driver.httputil import get_pool_manager_options
from pydantic import SecretStr

from modeltrail.storage.server_errors import STORE_FAILURES, translate, translated
from modeltrail.storage.whole_answers import whole_answers

__all__ = ["ClickHouseAddress", "connect", "translate", "translated"]

ANSWER_TIMEOUT_S = 30
"""One attempt at a query or an insert ends after this many seconds without a byte from the server."""

# The driver logs a warning of its own for each broken connection, and Python prints it where no handler is set.
# What happened is said by the error that `translate` makes of it.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())


class ClickHouseAddress(Protocol):
    """What `connect` reads of the settings in section `clickhouse`."""

    @property
    def host(self) -> str:
        """Name or address of the server."""
        ...

    @property
    def port(self) -> int:
        """Its HTTP or HTTPS port."""
        ...

    @property
    def user(self) -> str:
        """Who logs in."""
        ...

    @property
    def password(self) -> SecretStr | None:
        """Their password."""
        ...

    @property
    def database(self) -> str:
        """Where the ledger is."""
        ...

    @property
    def secure(self) -> bool:
        """Whether to use TLS."""
        ...

    @property
    def connect_timeout_s(self) -> int:
        """Seconds to wait for a connection."""
        ...

    @property
    def ca_file(self) -> Path | None:
        """The authority that signed the certificate, None for the system's."""
        ...


def connect(
    clickhouse: ClickHouseAddress,
    *,
    user: str | None = None,
    password: str | None = None,
    database: str | None = None,
    answer_timeout_s: int = ANSWER_TIMEOUT_S,
) -> Any:
    """Return a clickhouse-connect client of `clickhouse.database`; close it when done.

    `user` and `password` replace those of the settings, `database` the name of the database (empty: the user's
    own default). Queries of one client may run from several threads. Proxies named in the environment are not
    used: the ledger is reached directly.
    Raises what `translate` makes of a refused or impossible connection.
    """
    if user is None and clickhouse.password is not None:
        secret = clickhouse.password.get_secret_value()
    else:
        secret = password or ""
    authority = str(clickhouse.ca_file) if clickhouse.secure and clickhouse.ca_file else None
    pool = whole_answers(**get_pool_manager_options(ca_cert=authority))
    try:
        client = clickhouse_connect.get_client(
            host=clickhouse.host,
            port=clickhouse.port,
            username=user or clickhouse.user,
            password=secret,
            database=(clickhouse.database if database is None else database) or None,
            interface="https" if clickhouse.secure else "http",
            connect_timeout=clickhouse.connect_timeout_s,
            send_receive_timeout=answer_timeout_s,
            autogenerate_session_id=False,
            client_name="modeltrail",
            pool_mgr=pool,
        )
    except STORE_FAILURES as error:
        pool.clear()
        raise translate(error, starting=True, at=f"{clickhouse.host}:{clickhouse.port}") from None
    weakref.finalize(client, pool.clear)
    return client
