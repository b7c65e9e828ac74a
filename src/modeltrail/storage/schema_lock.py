"""One change of the schema at a time (a migration, a rebuild), on a server that has no locks.

`CREATE TABLE schema_lock` succeeds for exactly one of those who try, and the table's comment names the holder. Between
steps the holder writes its name again, which moves the time at which the table was last altered. A lock that was
not renewed for `STALE_S` seconds, by the clock of the server, is taken over: the holder died. If it was only slow, it
finds another name in the lock at its next step and waits again. Within that one step the two may meet, so every step
is one that can be done twice: the lock keeps order, and is not trusted with more.
"""

import os
import platform
import re
import time
from typing import Any, Self
from uuid import uuid4

from modeltrail.errors import StoreUnavailableError
from modeltrail.storage.queries import sql
from modeltrail.storage.server_errors import STORE_FAILURES, error_code, translate

__all__ = ["SchemaLock", "holder_name"]

STALE_S = 30
RENEW_S = 2.0
WAIT_S = 120.0
_POLL_S = 0.2
_ALREADY_EXISTS = 57


def holder_name() -> str:
    """Return who runs this: machine and process, for the records and for whoever waits."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", platform.node()) or "unknown"
    return f"{host} process {os.getpid()}"


class SchemaLock:
    """The right to change the schema of the database of `client`, for the time of a `with` block.

    Entering raises StoreUnavailableError after `wait_s` seconds behind a living holder; every method raises what
    clickhouse-connect raises, too.
    """

    def __init__(self, client: Any, *, stale_s: int = STALE_S, wait_s: float = WAIT_S) -> None:
        self._client = client
        self._stale_s = stale_s
        self._wait_s = wait_s
        self._token = f"{holder_name()} {uuid4().hex}"
        self._renewed_at = float("-inf")

    def __enter__(self) -> Self:
        self.renew()
        return self

    def __exit__(self, *_: object) -> None:
        if self._held():
            self._client.command(sql("schema_lock/drop"))

    def renew(self) -> bool:
        """Say that the holder lives; wait for the lock where it is not held. Return whether it had to be taken.

        Costs nothing within `RENEW_S` seconds after the last call: nobody takes over so young a lock.
        """
        if time.monotonic() - self._renewed_at < RENEW_S:
            return False
        taken = not self._held()
        if taken:
            self._acquire()
        else:
            self._client.command(sql("schema_lock/renew").replace("$holder", self._token))
        self._renewed_at = time.monotonic()
        return taken

    def _acquire(self) -> None:
        deadline = time.monotonic() + self._wait_s
        while not self._take():
            found = self._read()
            if found is None:
                continue
            holder, idle_s = found
            if idle_s >= self._stale_s:
                self._client.command(sql("schema_lock/drop"))
            elif time.monotonic() > deadline:
                raise StoreUnavailableError(
                    f"another migration or rebuild is running ({holder.rsplit(' ', 1)[0]}): try again when it has ended"
                )
            else:
                time.sleep(_POLL_S)

    def _take(self) -> bool:
        try:
            self._client.command(sql("schema_lock/take").replace("$holder", self._token))
        except STORE_FAILURES as error:
            if error_code(error) == _ALREADY_EXISTS:
                return False
            raise translate(error, starting=True) from None
        return True

    def _held(self) -> bool:
        found = self._read()
        return found is not None and found[0] == self._token

    def _read(self) -> tuple[str, int] | None:
        found = self._client.query(sql("schema_lock/read")).result_rows
        return (str(found[0][0]), int(found[0][1])) if found else None
