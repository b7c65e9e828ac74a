"""One migration at a time, on a server that has no locks.

`CREATE TABLE migration_lock` succeeds for exactly one of those who try, and the table's comment names the holder.
A lock whose holder has done nothing for `STALE_S` seconds, by the clock of the server, is taken over: the holder
died. If it was only slow, it finds another name in the lock before its next statement and waits again; the one
statement in which the two may meet is harmless, because every statement can run twice (`migration_files`). The lock
keeps order, the records keep count, and neither is trusted to do the other's work.
"""

import os
import platform
import re
import time
from typing import Any
from uuid import uuid4

from modeltrail.errors import StoreUnavailableError
from modeltrail.storage.queries import sql
from modeltrail.storage.server_errors import STORE_FAILURES, error_code, translate

__all__ = ["MigrationLock", "holder_name"]

STALE_S = 20
WAIT_S = 120.0
_POLL_S = 0.2
_ALREADY_EXISTS = 57


def holder_name() -> str:
    """Return who runs this: machine and process, for the records and for whoever waits."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", platform.node()) or "unknown"
    return f"{host} process {os.getpid()}"


class MigrationLock:
    """The right to change the schema of the database of `client`."""

    def __init__(self, client: Any, *, stale_s: int = STALE_S, wait_s: float = WAIT_S) -> None:
        self._client = client
        self._stale_s = stale_s
        self._wait_s = wait_s
        self._token = f"{holder_name()} {uuid4().hex}"

    def held(self) -> bool:
        """Return whether the lock is there and ours."""
        found = self._read()
        return found is not None and found[0] == self._token

    def acquire(self) -> None:
        """Return when the lock is ours; StoreUnavailableError after `wait_s` seconds behind a living holder."""
        deadline = time.monotonic() + self._wait_s
        while not self._take():
            found = self._read()
            if found is None:
                continue
            holder, idle_s = found
            if holder == self._token:
                return
            if idle_s >= self._stale_s:
                self._drop()
            elif time.monotonic() > deadline:
                raise StoreUnavailableError(
                    f"another migration is running ({holder.rsplit(' ', 1)[0]}): try again when it has ended"
                )
            else:
                time.sleep(_POLL_S)

    def release(self) -> None:
        """Drop the lock if it is ours."""
        if self.held():
            self._drop()

    def _take(self) -> bool:
        try:
            self._client.command(sql("migrations/take_lock").replace("$holder", self._token))
        except STORE_FAILURES as error:
            if error_code(error) == _ALREADY_EXISTS:
                return False
            raise translate(error, starting=True) from None
        return True

    def _read(self) -> tuple[str, int] | None:
        found = self._client.query(sql("migrations/read_lock")).result_rows
        return (str(found[0][0]), int(found[0][1])) if found else None

    def _drop(self) -> None:
        self._client.command(sql("migrations/drop_lock"))
