"""What the store's user may do to the ledger: a reader must not write, and a writer must not alter.

ClickHouse is asked with CHECK GRANT, which does nothing. The local store does not take that: it has users of its own,
of which the engine in it knows nothing. There each statement is tried on a table that does not exist, and the answer
is either that this user may not, or that there is no such table.
"""

from enum import StrEnum
from typing import Any, NamedTuple

from modeltrail.doctor.findings import Finding, failed, passed, skipped, warned
from modeltrail.settings import Settings
from modeltrail.storage.queries import sql
from modeltrail.storage.server_errors import STORE_FAILURES, error_code

__all__ = ["Rights", "UserRole", "judge", "judge_rights", "read_rights"]

_CHECK = "store.rights"
_SYNTAX_ERROR = 62
_READ_ONLY = 164
_ACCESS_DENIED = 497
_UNKNOWN_TABLE = 60

_RIGHTS = {
    "append": ("INSERT",),
    "rewrite": ("ALTER UPDATE", "ALTER DELETE"),
    "redefine": ("DROP TABLE", "TRUNCATE", "ALTER CONSTRAINT"),
}
_TRIED = {
    "append": ("INSERT INTO {table} SELECT 1",),
    "rewrite": ("ALTER TABLE {table} UPDATE x = 1 WHERE 0", "ALTER TABLE {table} DELETE WHERE 0"),
    "redefine": ("DROP TABLE {table}", "TRUNCATE TABLE {table}", "ALTER TABLE {table} DROP CONSTRAINT x"),
}
_NO_SUCH_TABLE = "modeltrail_doctor_asks_for_no_table"


class UserRole(StrEnum):
    """What the user of the settings is meant for."""

    READER = "reader"
    WRITER = "writer"
    MIGRATOR = "migrator"


class Rights(NamedTuple):
    """What a user may do with the ledger; of `rewrite` and `redefine` one right of several is enough."""

    append: bool
    rewrite: bool
    redefine: bool


def judge_rights(client: Any, settings: Settings, role: UserRole | None) -> Finding:
    """Read the rights of the settings' user and judge them; `role` is what that user is meant for, if it is known."""
    rights = read_rights(client, settings)
    if isinstance(rights, str):
        return skipped(_CHECK, rights)
    return judge(rights, settings.clickhouse.user, role)


def read_rights(client: Any, settings: Settings) -> Rights | str:
    """Return the rights, or a text that says why they cannot be known."""
    if dict(client.query(sql("doctor/settings")).result_rows).get("readonly") == "1":
        return Rights(append=False, rewrite=False, redefine=False)
    database = settings.clickhouse.database
    try:
        return Rights(
            **{name: any(_granted(client, one, database) for one in those) for name, those in _RIGHTS.items()}
        )
    except STORE_FAILURES as error:
        if error_code(error) not in (_SYNTAX_ERROR, _ACCESS_DENIED):
            raise
    _, engine_user = client.query(sql("doctor/server")).result_rows[0]
    if engine_user == settings.clickhouse.user:
        return "this ClickHouse cannot be asked what a user may do (CHECK GRANT)"
    return Rights(**{name: _may_any(client, statements) for name, statements in _TRIED.items()})


def _granted(client: Any, right: str, database: str) -> bool:
    # A command, not a query: the statement takes no FORMAT. The name of the database is checked by the settings.
    return str(client.command(f"CHECK GRANT {right} ON {database}.ledger")).strip() == "1"


def _may_any(client: Any, statements: tuple[str, ...]) -> bool:
    return any(_may(client, statement.format(table=_NO_SUCH_TABLE)) for statement in statements)


def _may(client: Any, statement: str) -> bool:
    try:
        client.command(statement)
    except STORE_FAILURES as error:
        code = error_code(error)
        if code in (_ACCESS_DENIED, _READ_ONLY):
            return False
        if code == _UNKNOWN_TABLE:
            return True
        raise
    return True


def judge(rights: Rights, user: str, role: UserRole | None) -> Finding:
    """Judge rights against what the user is meant for; without `role` by what no user at all should have."""
    access = "see schemas/clickhouse/access.sql"
    if rights.rewrite:
        return failed(
            _CHECK,
            f"user {user} may change or delete rows of the ledger",
            f"use a user who has none of ALTER UPDATE and ALTER DELETE: {access}",
        )
    if role is UserRole.READER and (rights.append or rights.redefine):
        return failed(_CHECK, f"user {user} is meant to read and may write", f"give this user mt_reader only: {access}")
    if role in (UserRole.WRITER, UserRole.MIGRATOR) and not rights.append:
        roles = "mt_writer and mt_projector" if role is UserRole.WRITER else "mt_migrator"
        return failed(_CHECK, f"user {user} is meant to write and may not", f"give this user {roles}: {access}")
    if rights.redefine and role is not UserRole.MIGRATOR:
        detail = f"user {user} may drop, empty or redefine the ledger"
        fix = f"keep this user for migrate and rebuild, and give workers mt_writer and mt_projector: {access}"
        return failed(_CHECK, detail, fix) if role is UserRole.WRITER else warned(_CHECK, detail, fix)
    if role is UserRole.MIGRATOR and not rights.redefine:
        return failed(_CHECK, f"user {user} is meant to migrate and may not", f"give this user mt_migrator: {access}")
    if rights.redefine:
        return passed(_CHECK, f"user {user} may append and redefine, not change rows: a migrator")
    if rights.append:
        return passed(_CHECK, f"user {user} may append, and neither change, drop nor redefine")
    return passed(_CHECK, f"user {user} may read only")
