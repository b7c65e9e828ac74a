"""The ClickHouse HTTP protocol in front of the engine in this process, for clickhouse-connect, curl and the like.

What is different from a server: results are never compressed (a client must accept that), the block format
(`compress=1`), external tables and sessions are not there. Errors, their codes, HTTP statuses and headers
are ClickHouse's; an error after the first rows ends the answer with the tagged block that clients look for.
"""

import json
import re
import secrets
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from modeltrail.embedded.access import AccessRules, DeniedError
from modeltrail.embedded.credentials import Credentials, Role, authenticate
from modeltrail.embedded.directory import LOOPBACK
from modeltrail.embedded.engine import Engine, EngineError, RowStream, Session
from modeltrail.embedded.front_request import FrontRequest, read_request
from modeltrail.embedded.http_body import BodyError, read_body
from modeltrail.embedded.http_status import content_type, error_name, status_of
from modeltrail.embedded.sql_tokens import TokenError
from modeltrail.embedded.statements import Statement, StatementKind, parse_statement

__all__ = ["Front"]

_SPOOL_IN_MEMORY = 16 << 20
_CONCURRENT_QUERIES = 64


class Front(ThreadingHTTPServer):
    """The server; `serve_forever()` until another thread calls `finish()`."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, port: int, engine: Engine, credentials: dict[Role, Credentials], *, database: str, spool: Path
    ) -> None:
        """Bind `port` (0: a free one) of the loopback address; OSError when that is not possible.

        `credentials` are the users that exist, `database` is where unqualified names belong unless a request
        says otherwise, `spool` a directory for results that a client wants whole and memory should not hold.
        """
        super().__init__((LOOPBACK, port), _Handler)
        self.engine = engine
        self.credentials = credentials
        self.rules = AccessRules(engine.table_functions, engine.setting_names)
        self.database = database
        self.spool = spool
        self._busy = 0
        self._finishing = False
        self._change = threading.Condition()

    def enter(self) -> bool:
        """Count a query in; False when the server is about to end."""
        with self._change:
            if self._finishing:
                return False
            self._busy += 1
            return True

    def leave(self) -> None:
        """Count a query out."""
        with self._change:
            self._busy -= 1
            self._change.notify_all()

    @property
    def too_busy(self) -> bool:
        """True when no further query should start."""
        return self._busy > _CONCURRENT_QUERIES

    def finish(self, *, seconds: float) -> bool:
        """Take no further queries, wait for the running ones, stop serving; False if some did not end in time."""
        with self._change:
            self._finishing = True
            idle = self._change.wait_for(lambda: self._busy == 0, timeout=seconds)
        self.shutdown()
        return idle


class _Handler(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"
    server_version = "modeltrail-store"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 3600

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class gave it
        """Requests are not logged: queries can hold personal data."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = urlsplit(self.path)
        if not self.server.enter():
            self.close_connection = True
            return
        try:
            body = read_body(
                self.rfile,
                length=self.headers.get("Content-Length"),
                transfer_encoding=self.headers.get("Transfer-Encoding"),
            )
            if path.path == "/ping":
                self._send(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
            elif path.path not in ("/", "/query"):
                self._send(404, f"There is no handle {path.path}\n".encode(), {"Content-Type": "text/plain"})
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                self._answer(read_request(path.query, headers, body))
        except BodyError as error:
            self.close_connection = True
            self._send(error.status, f"{error}\n".encode(), {"Content-Type": "text/plain; charset=UTF-8"})
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client went away; there is nobody to tell
        finally:
            self.server.leave()

    def _answer(self, request: FrontRequest) -> None:
        role = authenticate(self.server.credentials, request.user, request.password)
        if role is None:
            self._refuse_user(request)
            return
        try:
            statement = self._admit(role, request)
            session = Session(request.database or self.server.database, request.settings, request.parameters)
            if statement.kind is StatementKind.READ:
                self._read(statement, session, request)
            else:
                self._write(statement, session, request)
        except EngineError as error:
            self._send_error(error, request)

    def _admit(self, role: Role, request: FrontRequest) -> Statement:
        """Parse the statement and hold it against the rules; an EngineError says what is wrong with it."""
        if self.server.too_busy:
            raise _error(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many simultaneous queries")
        try:
            statement = parse_statement(request.text)
        except TokenError as error:
            raise _error(62, "SYNTAX_ERROR", f"Syntax error: {error}") from error
        if statement.kind is not StatementKind.INSERT_DATA:
            count = self.server.engine.statement_count(statement.text)
            if count > 1:
                raise _error(62, "SYNTAX_ERROR", "Syntax error: Multi-statements are not allowed")
            if count == 0 and statement.kind is StatementKind.OTHER:
                first = statement.tokens[0].text
                raise _error(62, "SYNTAX_ERROR", f"Syntax error: failed at position 1 ({first})")
        if self.command == "GET" and statement.kind is not StatementKind.READ:
            raise _error(
                164,
                "READONLY",
                "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
                "You should use method POST for modifying queries",
            )
        try:
            self.server.rules.check(
                role,
                statement,
                database=request.database or self.server.database,
                parameters=request.parameters,
                settings=request.settings,
            )
        except DeniedError as error:
            name = "ACCESS_DENIED" if error.code == 497 else "SETTING_CONSTRAINT_VIOLATION"
            raise _error(error.code, name, str(error)) from error
        return statement

    def _write(self, statement: Statement, session: Session, request: FrontRequest) -> None:
        if statement.kind is StatementKind.INSERT_DATA:
            data = memoryview(request.text)[statement.data_at :]
            written = self.server.engine.insert(statement, session, data)
        else:
            written = self.server.engine.execute(statement, session, request.default_format)
        summary = _summary(written_rows=written.rows, written_bytes=written.size, seconds=written.seconds)
        headers = self._headers(request) | {"X-ClickHouse-Summary": summary}
        if written.answer:
            headers |= {"X-ClickHouse-Format": request.default_format}
        self._send(200, written.answer, headers | {"Content-Type": content_type(request.default_format)})

    def _read(self, statement: Statement, session: Session, request: FrontRequest) -> None:
        rows = self.server.engine.read(statement, session, request.default_format)
        try:
            if request.wait_end_of_query:
                self._send_whole(rows, request)
            else:
                self._stream(rows, request)
        finally:
            rows.close()

    def _send_whole(self, rows: RowStream, request: FrontRequest) -> None:
        """Take in the whole result first, so that an error in its middle is an error of the request."""
        with tempfile.SpooledTemporaryFile(_SPOOL_IN_MEMORY, dir=str(self.server.spool)) as spool:
            for chunk in rows:
                spool.write(chunk)
            if rows.error is not None:
                raise rows.error
            size = spool.tell()
            spool.seek(0)
            summary = _summary(read_rows=rows.rows_read, read_bytes=rows.bytes_read, seconds=rows.seconds)
            headers = self._headers(request, rows) | {"X-ClickHouse-Summary": summary}
            self._begin(200, headers | {"Content-Length": str(size)})
            self._copy(spool)

    def _copy(self, spool: IO[bytes]) -> None:
        while chunk := spool.read(1 << 20):
            self.wfile.write(chunk)

    def _stream(self, rows: RowStream, request: FrontRequest) -> None:
        chunks = iter(rows)
        first = next(chunks, b"")
        if not first:
            if rows.error is not None:
                raise rows.error
            summary = _summary(read_rows=rows.rows_read, read_bytes=rows.bytes_read, seconds=rows.seconds)
            self._send(200, b"", self._headers(request, rows) | {"X-ClickHouse-Summary": summary})
            return
        chunked = self.request_version == "HTTP/1.1"
        tag = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(16))
        headers = self._headers(request, rows) | {"X-ClickHouse-Exception-Tag": tag, "X-ClickHouse-Summary": _summary()}
        headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Connection": "close"}
        self.close_connection = self.close_connection or not chunked
        self._begin(200, headers)
        self._send_chunk(first, chunked=chunked)
        for chunk in chunks:
            self._send_chunk(chunk, chunked=chunked)
        if rows.error is not None:
            # The status is long gone: say it in the tagged block, and end without the closing chunk.
            self.close_connection = True
            self._send_chunk(_exception_block(self._message(rows.error), tag), chunked=chunked)
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send_chunk(self, data: bytes, *, chunked: bool) -> None:
        if chunked:
            self.wfile.write(b"%x\r\n" % len(data))
            self.wfile.write(data)
            self.wfile.write(b"\r\n")
        else:
            self.wfile.write(data)

    def _refuse_user(self, request: FrontRequest) -> None:
        problem = "Authentication failed: password is incorrect, or there is no user with such name"
        error = _error(516, "AUTHENTICATION_FAILED", f"{request.user}: {problem}")
        if request.anonymous:
            self._send_error(
                error, request, status=401, extra={"WWW-Authenticate": 'Basic realm="ClickHouse server HTTP API"'}
            )
        else:
            self._send_error(error, request)

    def _send_error(
        self,
        error: EngineError,
        request: FrontRequest,
        *,
        status: int | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        headers = self._headers(request) | {
            "X-ClickHouse-Exception-Code": str(error.code),
            "Content-Type": "text/plain; charset=UTF-8",
        }
        self._send(status or status_of(error_name(error.message)), self._message(error), headers | (extra or {}))

    def _message(self, error: EngineError) -> bytes:
        suffix = f" (version {self.server.engine.version} (official build))\n".encode()
        return error.message if error.message.endswith(suffix) else error.message.rstrip() + suffix

    def _headers(self, request: FrontRequest, rows: RowStream | None = None) -> dict[str, str]:
        headers = {
            "X-ClickHouse-Server-Display-Name": "modeltrail-local-store",
            "X-ClickHouse-Query-Id": request.query_id,
            "X-ClickHouse-Timezone": self.server.engine.timezone,
        }
        if rows is not None:
            headers |= {"X-ClickHouse-Format": rows.format_name, "Content-Type": content_type(rows.format_name)}
        return headers

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._begin(status, headers | {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _begin(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection and "Connection" not in headers:
            self.send_header("Connection", "close")
        self.end_headers()


def _error(code: int, name: str, text: str) -> EngineError:
    # The text can quote what the client sent; a line break in it would end the message early.
    shown = re.sub(r"[\x00-\x1f\x7f]", "?", text)
    return EngineError(code, f"Code: {code}. DB::Exception: {shown}. ({name})".encode(errors="backslashreplace"))


def _exception_block(message: bytes, tag: str) -> bytes:
    marker = tag.encode()
    length = str(len(message)).encode()
    return b"\r\n__exception__\r\n" + marker + b"\r\n" + message + length + b" " + marker + b"\r\n__exception__\r\n"


def _summary(
    *,
    read_rows: int = 0,
    read_bytes: int = 0,
    written_rows: int = 0,
    written_bytes: int = 0,
    seconds: float = 0.0,
) -> str:
    counted = {
        "read_rows": read_rows,
        "read_bytes": read_bytes,
        "written_rows": written_rows,
        "written_bytes": written_bytes,
        "total_rows_to_read": 0,
        "result_rows": 0,
        "result_bytes": 0,
        "elapsed_ns": int(seconds * 1e9),
    }
    return json.dumps({name: str(value) for name, value in counted.items()}, separators=(",", ":"))
