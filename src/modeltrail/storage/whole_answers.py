"""HTTP connections that do not take an answer for whole whose headers were cut off.

Python's HTTP client accepts the end of the connection as the end of the headers. An answer that was cut there reads
`200 OK` with nothing in it: an insert that succeeded, or a query without rows. Bodies are guarded by their length or
by their chunks already.
"""

import http.client
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["whole_answers"]


class _Lines:
    """Reads lines from `stream` and never its end."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._stream.readline(limit)
        if not line:
            raise http.client.RemoteDisconnected("the answer ended within its headers")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        stream: Any = self.fp
        self.fp = _Lines(stream)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            if self.fp is not None:  # closed by what was read
                self.fp = stream


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def whole_answers(**options: Any) -> PoolManager:
    """Return a pool manager made with `options`; an answer cut within its headers is a broken connection to it."""
    pool = PoolManager(**options)
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return pool
