"""chDB, the ClickHouse engine in this process: one connection for each request, rows through a pipe.

Why it is used as it is:
- A connection of its own (0.2 ms) keeps a request's settings, database and temporary tables from every
  other, and lets queries run at the same time; the engine releases the interpreter lock.
- Rows come by `INTO OUTFILE '/proc/self/fd/N'` into a pipe: every format streams with its own beginning and
  end, a slow reader slows the query down, and memory stays bounded.
- Inserted data goes in by `FROM INFILE` from a memory file. The binding's own streaming insert reports
  success for a block that a constraint refused.
- Statements that only read run with readonly = 2, so that a statement which was taken for reading by
  mistake cannot write.
- A write that the system refuses (no space, a failing disk) is an error in ClickHouse; the engine in this process goes
  on as if it had succeeded, leaves a torn part and answers that the rows are stored. It counts such writes, though:
  the count is asked after whatever writes, and after a query that finds nothing, before it is answered, and every
  second, because a merge can be torn as well; the process ends when it is not zero. The next start sets torn parts
  aside, merged ones for what they were made of, which the engine keeps for some minutes only.
"""

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modeltrail.embedded.statements import Statement
from modeltrail.errors import ConfigurationError, MissingExtraError

__all__ = ["Engine", "EngineError", "RowStream", "Session", "Written"]

_CODE = re.compile(rb"Code: (\d+)\. DB::Exception")
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMAT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UUID = re.compile(r"UUID '([0-9a-f-]{36})'")
_PIPE_BYTES = 1 << 20
_FAILED_WRITES = "SELECT value FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'"
_LOOK_S = 1.0
_UNKNOWN_EXCEPTION = 1002
_BAD_ARGUMENTS = 36
_UNFINISHED = b"Code: 1002. DB::Exception: The query ended without a result. (UNKNOWN_EXCEPTION)"


class EngineError(Exception):
    """The engine refused: `code` is ClickHouse's error code, `message` its text as bytes (not always UTF-8)."""

    def __init__(self, code: int, message: bytes) -> None:
        self.code = code
        self.message = message
        super().__init__(message.decode(errors="backslashreplace"))


@dataclass(frozen=True)
class Session:
    """What a request brings besides its statement: database, settings, values of `{name:Type}`."""

    database: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Written:
    """What a statement wrote, and what it answered (mostly nothing)."""

    rows: int
    size: int
    seconds: float
    answer: bytes = b""


class Engine:
    """The engine on one directory; only one process can have a directory open."""

    def __init__(self, directory: Path) -> None:
        """Open `directory`. Raises MissingExtraError, or ConfigurationError when the engine cannot open it."""
        try:
            from chdb import _chdb  # noqa: PLC0415 - half a gigabyte that only this process wants
            from chdb.state.sqlitelike import Connection  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("embedded", "the local store") from error
        # SIGTERM means to finish the running query; the engine's own handlers would end the process.
        _chdb.set_signal_handlers_enabled(0)  # type: ignore[attr-defined]  # its stub lacks it
        self._connect = Connection
        self._path = str(directory)
        self._keeping = threading.Lock()
        try:
            self._keeper = Connection(self._path)  # keeps the engine open between requests
            self._replace_default_database(directory / "metadata")
            self._ask("SET implicit_select = 0")  # a server has it off: 1 + 1 is not a statement
            self.version = self._ask("SELECT version()")[0]
            self.timezone = self._ask("SELECT timezone()")[0]
            self.table_functions = frozenset(map(str.lower, self._ask("SELECT name FROM system.table_functions")))
            self.setting_names = frozenset(
                self._ask("SELECT name FROM system.settings UNION DISTINCT SELECT name FROM system.merge_tree_settings")
            )
        except (RuntimeError, OSError, EngineError) as error:
            raise ConfigurationError(f"the local store cannot open {directory}: {_first_line(str(error))}") from error
        self._closing = threading.Event()
        self._looking = threading.Thread(target=self._look_for_torn_parts, name="torn parts", daemon=True)
        self._looking.start()

    def _look_for_torn_parts(self) -> None:
        while not self._closing.wait(_LOOK_S):
            with contextlib.suppress(EngineError):  # the engine has no room for a question now: it is asked again
                self.end_if_torn()

    def _replace_default_database(self, metadata: Path) -> None:
        # The engine lays its database `default`, in which every connection begins, over the file system at each
        # start: FROM "/etc/passwd" would read that file. An ordinary database with the same tables takes its place.
        self._ask("DETACH DATABASE default")
        definition = metadata / "default.sql"
        if (metadata / "default").exists():
            found = _UUID.search(definition.read_text(encoding="utf-8"))
            if found is None:
                raise OSError(f"{definition} names no UUID")
            self._ask(f"ATTACH DATABASE default UUID '{found[1]}' ENGINE = Atomic")
        else:  # no table was ever made in it, and the engine has not taken the definition into account
            definition.unlink(missing_ok=True)
            self._ask("CREATE DATABASE default ENGINE = Atomic")

    def _ask(self, sql: str) -> list[str]:
        return bytes(_run(self._keeper, sql.encode(), "TabSeparated", {}).bytes()).decode().splitlines()

    def end_if_torn(self) -> None:
        """End the process if a write of the engine was refused: an answer would claim what is not stored."""
        with self._keeping:
            failed = self._ask(_FAILED_WRITES)
        if failed:
            sys.stderr.write(
                f"modeltrail: the system refused {failed[0]} writes of the engine (no space, or a failing disk): "
                "the local store ends, and sets aside what is torn when it is started again\n"
            )
            sys.stderr.flush()
            os._exit(1)

    def create_database(self, name: str) -> None:
        """Create the database `name` unless it is there."""
        self._ask(f"CREATE DATABASE IF NOT EXISTS `{name}`")

    def statement_count(self, text: bytes) -> int:
        """Return how many statements the engine's own parser sees in `text`; 0 when it cannot parse it."""
        try:
            with self._keeping:
                return int(self._keeper._conn.classify_query(text)["statement_count"])  # noqa: SLF001 - only there
        except (RuntimeError, UnicodeDecodeError):
            return 0

    def _open(self) -> Any:
        try:
            return self._connect(self._path)
        except RuntimeError as error:
            raise _engine_error(str(error).encode()) from error

    @contextlib.contextmanager
    def _session(self, session: Session, *, readonly: bool) -> Iterator[Any]:
        connection = self._open()
        try:
            wanted = {"implicit_select": "0", **session.settings}
            if readonly and wanted.get("readonly", "0") == "0":
                wanted["readonly"] = "2"
            _run(connection, f"USE {_quoted_name(session.database)}".encode(), "TabSeparated", {})
            changes = ", ".join(f"{_setting_name(name)} = {_quoted_text(value)}" for name, value in wanted.items())
            _run(connection, f"SET {changes}".encode(), "TabSeparated", {})
            yield connection
        finally:
            connection.close()

    def read(self, statement: Statement, session: Session, format_name: str) -> "RowStream":
        """Run a reading statement; its rows, written as its FORMAT clause or `format_name` says, are streamed."""
        if not _FORMAT.fullmatch(format_name):
            raise EngineError(_BAD_ARGUMENTS, b"Code: 36. DB::Exception: Not a name of a format. (BAD_ARGUMENTS)")
        return RowStream(self, statement, session, format_name)

    def insert(self, statement: Statement, session: Session, data: bytes | memoryview) -> Written:
        """Run `INSERT ... FORMAT f` with `data` in that format. All of it is stored, or EngineError is raised."""
        with _memory_file(data) as path:
            source = f" FROM INFILE {_quoted_text(path)} ".encode()
            head, tail = statement.text[: statement.input_at], statement.text[statement.input_at :]
            text = head + source + tail + f" FORMAT {statement.format_name}".encode()
            return self._write(text, session, "TabSeparated")

    def execute(self, statement: Statement, session: Session, format_name: str) -> Written:
        """Run any other statement, for what it does."""
        return self._write(statement.text, session, format_name)

    def _write(self, text: bytes, session: Session, format_name: str) -> Written:
        with self._session(session, readonly=False) as connection:
            result = _run(connection, text, format_name, session.parameters)
            self.end_if_torn()
            return Written(result.rows_written(), result.bytes_written(), result.elapsed(), bytes(result.bytes()))

    def cancel(self, marker: str) -> None:
        """Ask the engine to end the queries whose text contains `marker`; returns without waiting for them."""
        connection = self._open()
        try:
            pattern = _quoted_text(marker)
            _run(connection, f"KILL QUERY WHERE position(query, {pattern}) > 0 ASYNC".encode(), "TabSeparated", {})
        finally:
            connection.close()

    def close(self) -> None:
        """Close the engine; queries must have ended."""
        self._closing.set()
        self._looking.join()
        self._keeper.close()


class RowStream:
    """The rows of one reading statement, as bytes in its format.

    Iterate over it, then look at `error`: None says that everything was delivered. `close()` ends the query
    if it still runs. `rows_read`, `bytes_read` and `seconds` are known at the end.
    """

    def __init__(self, engine: Engine, statement: Statement, session: Session, format_name: str) -> None:
        self.error: EngineError | None = None
        self.rows_read = self.bytes_read = 0
        self.seconds = 0.0
        self.format_name = statement.format_name or format_name
        self._engine = engine
        self._session = session
        self._reader, self._writer = os.pipe()
        _widen(self._reader)
        self._marker = f"'/proc/self/fd/{self._writer}' TRUNCATE"
        clause = f" INTO OUTFILE {self._marker} ".encode()
        given = statement.text[statement.output_at :] or f" FORMAT {format_name}".encode()
        self._text = statement.text[: statement.output_at] + clause + given
        self._thread = threading.Thread(target=self._run, name="query", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # Nothing but a query that returned is a success, whatever else ends this thread.
        outcome: EngineError | None = EngineError(_UNKNOWN_EXCEPTION, _UNFINISHED)
        try:
            with self._engine._session(self._session, readonly=True) as connection:  # noqa: SLF001 - same module
                result = _run(connection, self._text, "TabSeparated", self._session.parameters)
                self.rows_read, self.bytes_read = result.storage_rows_read(), result.bytes_read()
                self.seconds = result.elapsed()
            outcome = None
        except EngineError as error:
            outcome = error
        finally:
            self.error = outcome
            os.close(self._writer)

    def __iter__(self) -> Iterator[bytes]:
        empty = True
        while chunk := os.read(self._reader, _PIPE_BYTES):
            empty = False
            yield chunk
        self._thread.join()
        if empty:  # the answer may have been one of the writes that were refused
            self._engine.end_if_torn()

    def close(self) -> None:
        """Free what the query holds; a query that still runs is cancelled and waited for."""
        if self._reader < 0:
            return
        reader, self._reader = self._reader, -1
        try:
            if self._thread.is_alive():
                self._engine.cancel(self._marker)
                # A query that waits for room in the pipe sees its cancellation only when it can go on.
                while os.read(reader, _PIPE_BYTES):
                    pass
                self._thread.join()
        finally:
            os.close(reader)


def _run(connection: Any, text: bytes, format_name: str, parameters: Mapping[str, str]) -> Any:
    try:
        return connection.query(text, format_name, params=dict(parameters))
    except RuntimeError as error:
        raise _engine_error(str(error).encode()) from error
    except UnicodeDecodeError as error:
        # The binding decodes the engine's message as UTF-8; a message that quotes binary values is not.
        raise _engine_error(bytes(error.object)) from error


def _engine_error(message: bytes) -> EngineError:
    found = _CODE.search(message)
    if found is None:
        return EngineError(_UNKNOWN_EXCEPTION, b"Code: 1002. DB::Exception: " + message + b" (UNKNOWN_EXCEPTION)")
    return EngineError(int(found[1]), message[found.start() :])


def _quoted_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted_name(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _setting_name(name: str) -> str:
    if not _SETTING.fullmatch(name):
        shown = name.encode(errors="backslashreplace")
        raise EngineError(115, b"Code: 115. DB::Exception: Unknown setting '" + shown + b"'. (UNKNOWN_SETTING)")
    return name


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"


def _widen(descriptor: int) -> None:
    # A wide pipe saves switches between the engine and the reader; the system may not grant it.
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import fcntl  # noqa: PLC0415

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@contextlib.contextmanager
def _memory_file(data: bytes | memoryview) -> Iterator[str]:
    """Give `data` as a path that the engine can read: in memory on Linux, else in an unnamed temporary file."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("insert"), "wb", buffering=0) as file:
            _write_all(file.fileno(), data)
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile(buffering=0) as file:
            _write_all(file.fileno(), data)
            yield file.name


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
