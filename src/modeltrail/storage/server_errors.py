"""What the server's error codes mean for whoever called: wait, stop, or give these rows up.

The text of a server error prints column values, personal data included. Nothing of it leaves this module but the
code, its name and the name of a constraint, and the original exception is never chained to what is raised instead.
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3.exceptions
from clickhouse_connect.driver.exceptions import ClickHouseError, Error

from modeltrail.errors import (
    AccessError,
    ConfigurationError,
    ModeltrailError,
    RowsRefusedError,
    SchemaVersionError,
    StoreUnavailableError,
    UnknownStoreError,
)

__all__ = ["STORE_FAILURES", "error_code", "translate", "translated"]

STORE_FAILURES = (ClickHouseError, urllib3.exceptions.HTTPError, OSError)
"""What clickhouse-connect raises when the server or the way to it fails; anything else is a fault of the program."""

_WAIT = {
    32: "the connection ended early",
    74: "it cannot read its disk",
    75: "it cannot write to its disk",
    76: "it cannot open a file",
    77: "it cannot close a file",
    87: "it cannot seek in a file",
    88: "it cannot truncate a file",
    95: "it cannot read from a socket",
    96: "it cannot write to a socket",
    107: "a file of a part is not there",
    158: "too many rows for its limits",
    159: "the query took longer than its limit",
    160: "the query is slower than its limit",
    164: "it is read-only",
    172: "it cannot create a directory",
    173: "no memory",
    198: "it cannot resolve a name",
    201: "a quota is used up",
    202: "too many queries at once",
    203: "no free connection",
    204: "it cannot sync its disk",
    209: "its network timed out",
    210: "its network failed",
    214: "it cannot ask its disk",
    218: "a table is being dropped",
    225: "it lost its Keeper",
    232: "a part went away under it",
    236: "the query was aborted",
    241: "memory limit",
    242: "the table is read-only",
    243: "no space on its disk",
    252: "too many parts, merges are behind",
    279: "no replica answers",
    285: "too few live replicas",
    286: "the quorum of an earlier write is not there yet",
    289: "the replica is behind",
    294: "it cannot write to a file",
    303: "it cannot wait for its network",
    307: "too many bytes for its limits",
    319: "the fate of the insert is unknown",
    384: "a part is locked",
    394: "the query was cancelled",
    400: "it cannot ask about a file",
    424: "it cannot link a file",
    425: "its operating system failed it",
    439: "it cannot start a thread",
    458: "it cannot remove a file",
    473: "it avoided a deadlock",
    499: "its object storage failed",
    531: "it cannot ask about a file",
    566: "it cannot remove a directory",
    586: "it cannot create a file",
    635: "it cannot wait for its network",
    641: "it cannot append to a file",
    734: "an earlier write to its disk failed",
    745: "it is overloaded",
    999: "its Keeper failed",
    1000: "a library of it failed, as at an error of its disk",
    1001: "a library of it failed, as at an error of its disk",
    1002: "a library of it failed, as at an error of its disk",
}
_SCHEMA = {8, 10, 16, 47, 60, 81}
"""No such column, table or database: the schema is not the one that this program knows."""

_NO_ACCESS = {192, 193, 194, 195, 497, 516}
"""Unknown user, wrong password, missing right."""

_BAD_ROWS = {6, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131, 190, 321, 349, 469}
"""The rows do not parse, do not fit their columns, or break a constraint (469)."""

_NAMES = {
    47: "UNKNOWN_IDENTIFIER",
    60: "UNKNOWN_TABLE",
    81: "UNKNOWN_DATABASE",
    469: "VIOLATED_CONSTRAINT",
    497: "ACCESS_DENIED",
    516: "AUTHENTICATION_FAILED",
}
_CODE = re.compile(r"\bCode:\s*(\d+)")
_STATUS = re.compile(r"\AHTTP driver received HTTP status (\d+)")
_CONSTRAINT = re.compile(r"Constraint [`']?([A-Za-z_][A-Za-z0-9_]*)[`']? for table")
_GRANT = re.compile(
    r"necessary to have the grant ([A-Z]+(?: [A-Z]+)*(?:\(\w+(?:, \w+)*\))? ON \w+(?:\.(?:\w+|\*))?)(?![\w(])"
)
_SYMBOL = re.compile(r"\A[A-Z][A-Z0-9_]*\Z")
_IN_VIEW = "while pushing to view"


def error_code(exc: BaseException) -> int | None:
    """Return the server's error code of a clickhouse-connect exception, None where the server named none."""
    code = getattr(exc, "code", None)
    if isinstance(code, int):
        return code
    found = _CODE.search(str(exc)) if isinstance(exc, ClickHouseError) else None
    return int(found[1]) if found else None


def translate(exc: BaseException, *, starting: bool = False, at: str = "") -> ModeltrailError:
    """Return the error of this package that says what to do about `exc`; raise it `from None`.

    With `starting`, a refused login, a read-only user and a certificate that is not trusted are errors of
    configuration; later they are waited on, because they may be being changed. `at` is the address,
    `host:port`, for the text. What is neither an error of the store nor of the network is a fault of the program and is
    raised again as it is.
    """
    if isinstance(exc, ModeltrailError):
        return exc
    code = error_code(exc)
    if code is not None:
        return _by_code(code, exc, starting=starting)
    if isinstance(exc, STORE_FAILURES):
        return _by_transport(exc, f"ClickHouse at {at}" if at else "ClickHouse", starting=starting)
    raise exc


@contextmanager
def translated(*, starting: bool = False) -> Iterator[None]:
    """Raise what `translate` makes of a failure of the store inside the block."""
    try:
        yield
    except STORE_FAILURES as error:
        raise translate(error, starting=starting) from None


def _by_code(code: int, exc: BaseException, *, starting: bool) -> ModeltrailError:
    text = str(exc)
    what = f"code {code}{_name(code, exc)}"
    if code in _NO_ACCESS and (starting or code == 497):
        return AccessError(
            f"ClickHouse refuses ({what}): {_missing(text) if code == 497 else 'wrong user or password'}"
        )
    if code == 164 and starting:
        return AccessError(f"ClickHouse refuses ({what}): this user may only read")
    if code in _NO_ACCESS:
        return StoreUnavailableError(f"ClickHouse refuses the login now ({what})")
    if code in _SCHEMA:
        return SchemaVersionError(
            f"the schema in ClickHouse is not the one that this program knows ({what}): run `modeltrail migrate`"
        )
    if _IN_VIEW in text:
        # The ledger may hold the rows already, so they are not refused; the view has to be mended.
        return StoreUnavailableError(f"a materialized view of the ledger failed ({what}): see `modeltrail doctor`")
    if code in _BAD_ROWS:
        constraint = _CONSTRAINT.search(text)
        where = f", constraint {constraint[1]}" if constraint else ""
        return RowsRefusedError(code, f"ClickHouse refuses rows for what they hold ({what}{where})")
    if code in _WAIT:
        return StoreUnavailableError(f"ClickHouse cannot take work now ({what}): {_WAIT[code]}")
    return UnknownStoreError(code, f"ClickHouse answered with an error that is not known here ({what})")


def _by_transport(exc: BaseException, store: str, *, starting: bool) -> ModeltrailError:
    status = _STATUS.search(str(exc))
    if status:
        number = int(status[1])
        if number < 500 and starting:
            return ConfigurationError(
                f"{store} answers HTTP status {number} and does not speak as ClickHouse does: "
                "check clickhouse.host and clickhouse.port (the HTTP port, by default 8123)"
            )
        return StoreUnavailableError(f"{store}, or a proxy before it, answers HTTP status {number}")
    for cause in _causes(exc):
        if isinstance(cause, ssl.SSLCertVerificationError):
            # Later, it has expired or is being changed.
            kind = ConfigurationError if starting else StoreUnavailableError
            return kind(f"the certificate of {store} is not trusted ({cause.verify_message}): set clickhouse.ca_file")
        if isinstance(cause, (ssl.SSLError, urllib3.exceptions.SSLError)) and starting:
            return ConfigurationError(f"no TLS connection to {store}: check clickhouse.secure and clickhouse.port")
        if isinstance(cause, urllib3.exceptions.NameResolutionError):
            return StoreUnavailableError(f"the host name of {store} cannot be resolved")
        if isinstance(cause, urllib3.exceptions.ReadTimeoutError):
            return StoreUnavailableError(f"{store} did not answer in time")
        if isinstance(cause, urllib3.exceptions.NewConnectionError):
            return StoreUnavailableError(f"{store} accepts no connection: is it running?")
        if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
            return StoreUnavailableError(f"no connection to {store} in time")
    return StoreUnavailableError(f"the connection to {store} failed ({type(exc).__name__})")


def _causes(exc: BaseException) -> list[BaseException]:
    """Return the chain of causes, the outermost first; urllib3 keeps some of them as `reason`."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [exc]
    while waiting:
        cause = waiting.pop()
        if cause is None or any(cause is known for known in found):
            continue
        found.append(cause)
        reason = getattr(cause, "reason", None)
        waiting += [cause.__context__, cause.__cause__]
        waiting += [item for item in (reason, *cause.args) if isinstance(item, BaseException)]
    return found


def _missing(text: str) -> str:
    """Return which right is missing: the server names it in words of its own and names of the schema, never values."""
    found = _GRANT.search(text)
    if found is None:
        return "a right is missing, see schemas/clickhouse/access.sql"
    whose = "; the role mt_auditor has it" if found[1].startswith("SELECT") else ""
    return f"the right {found[1]} is missing{whose}, see schemas/clickhouse/access.sql"


def _name(code: int, exc: BaseException) -> str:
    name = _NAMES.get(code) or (getattr(exc, "name", None) if isinstance(exc, Error) else None)
    # The symbol is searched in a text that holds values of users; only what looks like one is let through.
    return f" {name}" if isinstance(name, str) and _SYMBOL.match(name) and code not in _BAD_ROWS - {469} else ""
