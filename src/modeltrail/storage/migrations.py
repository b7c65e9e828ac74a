"""Bring the schema of a database to what this program ships, forward only.

For each statement, in order:

    1. record it as begun        a crash from here on leaves a mark that the statement may have run
    2. run it                    a crash after it: the next run executes it again, and takes the answer that the
                                 table exists already for done, because the mark says that it was ours
    3. record it as done
    4. after the last one, record the file with its checksum

So a run may die anywhere and the next one goes on from there. Two machines are kept apart by `schema_lock`, and
would do no harm if they were not. What was applied may not change afterwards: a file whose checksum differs from
the record is an error, as is a record that no shipped file explains.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from modeltrail import __version__
from modeltrail.errors import ConfigurationError, SchemaVersionError
from modeltrail.storage.client import ClickHouseAddress, connect
from modeltrail.storage.migration_files import Migration, Statement, load
from modeltrail.storage.queries import sql
from modeltrail.storage.schema_lock import SchemaLock, holder_name
from modeltrail.storage.server_errors import STORE_FAILURES, error_code, translate, translated

__all__ = ["MigrationState", "MigrationStatus", "Progress", "apply", "create_database", "require_current", "status"]

Progress = Callable[[Migration, int], None]
"""Called after each statement with its migration and position, from 1."""

_ALREADY_EXISTS = 57
_UNKNOWN_TABLE = 60
_UNKNOWN_DATABASE = 81
_DATABASE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")


class MigrationState(StrEnum):
    """How a migration stands to the database."""

    APPLIED = "applied"
    """Every statement is done and the checksum is that of the shipped file."""
    PARTIAL = "partial"
    """A run ended in the middle; the next one goes on there."""
    PENDING = "pending"
    """Not begun."""
    CHANGED = "changed"
    """Applied from a file, or begun with statements, that differ from the shipped ones."""
    UNKNOWN = "unknown"
    """Recorded by a newer program; no shipped file has this number."""


class MigrationStatus(NamedTuple):
    """A migration and its state; `applied_at` and `by` are those of the record of the whole file."""

    number: int
    name: str
    state: MigrationState
    applied_at: datetime | None
    by: str


class _Record(NamedTuple):
    name: str
    hashes: frozenset[str]
    since: datetime
    by: str


_Records = dict[tuple[int, int, str], _Record]


def create_database(clickhouse: ClickHouseAddress) -> bool:
    """Create the database of the settings if it is missing; return whether it was.

    Raises ConfigurationError for a name that needs quoting (letters, digits and underscores are taken, 63 at most),
    and what `connect` raises.
    """
    name = clickhouse.database
    if not _DATABASE_NAME.match(name):
        raise ConfigurationError(
            f"clickhouse.database: {name!r}: expected letters, digits and underscores, not beginning with a digit"
        )
    client = connect(clickhouse, database="")
    try:
        with translated(starting=True):
            known = client.query("SELECT name FROM system.databases WHERE name = {name:String}", {"name": name})
            if known.result_rows:
                return False
            client.command(f"CREATE DATABASE IF NOT EXISTS {name}")
            return True
    finally:
        client.close()


def status(client: Any, migrations: Sequence[Migration] | None = None) -> list[MigrationStatus]:
    """Return the state of every shipped migration, and of every recorded one that is not shipped, by number."""
    shipped = {migration.number: migration for migration in (load() if migrations is None else migrations)}
    records = _read_records(client)
    numbers = sorted(set(shipped) | {number for number, _, _ in records})
    return [_status_of(number, shipped.get(number), records) for number in numbers]


def require_current(client: Any, migrations: Sequence[Migration] | None = None) -> None:
    """Return if the schema is exactly the shipped one; else raise SchemaVersionError, which says what to do.

    Needs the right to read `schema_migrations` only.
    """
    found = status(client, migrations)
    _refuse_foreign(found)
    missing = [item for item in found if item.state is not MigrationState.APPLIED]
    if len(missing) == len(found):
        raise SchemaVersionError(f"database {client.database or 'default'} has no schema yet: run `modeltrail migrate`")
    if missing:
        names = ", ".join(f"{item.number:04}_{item.name}" for item in missing)
        raise SchemaVersionError(f"the schema is older than this program ({names} missing): run `modeltrail migrate`")


def apply(
    client: Any,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    migrations: Sequence[Migration] | None = None,
) -> list[Migration]:
    """Apply what is pending and return it, in order; with `dry_run` return it only, and change nothing.

    Raises SchemaVersionError where the database is newer or was changed, StoreUnavailableError behind another
    migration that does not end, and what the server's own refusals translate to.
    """
    shipped = load() if migrations is None else list(migrations)
    pending = _pending(client, shipped)
    if dry_run or not pending:
        return pending
    with translated(starting=True):
        client.command(sql("migrations/create_records"))
        with SchemaLock(client) as lock:
            records = _read_records(client)
            for migration in pending:
                records = _apply_one(client, lock, migration, records, progress)
    return pending


def _pending(client: Any, shipped: Sequence[Migration]) -> list[Migration]:
    found = status(client, shipped)
    _refuse_foreign(found)
    open_numbers = {item.number for item in found if item.state is not MigrationState.APPLIED}
    return [migration for migration in shipped if migration.number in open_numbers]


def _apply_one(
    client: Any, lock: SchemaLock, migration: Migration, records: _Records, progress: Progress | None
) -> _Records:
    """Apply what is not done of a file, and return the records as they were read last."""
    for position, statement in enumerate(migration.statements, start=1):
        if lock.renew():
            records = _read_records(client)  # whoever held the lock meanwhile may have come further
        if (migration.number, position, "done") not in records:
            mark = records.get((migration.number, position, "begun"))
            begun = mark is not None and statement.sha256 in mark.hashes
            if not begun:
                _record(client, migration, position, "begun", statement.sha256)
            _run(client, migration, statement, begun=begun)
            _record(client, migration, position, "done", statement.sha256)
        if progress is not None:
            progress(migration, position)
    if (migration.number, 0, "done") not in records:
        _record(client, migration, 0, "done", migration.sha256)
    return records


def _run(client: Any, migration: Migration, statement: Statement, *, begun: bool) -> None:
    try:
        client.command(statement.text)
    except STORE_FAILURES as error:
        if error_code(error) == _ALREADY_EXISTS and statement.creates:
            if begun:
                return
            raise SchemaVersionError(
                f"{statement.creates} exists already and no migration made it ({migration}): "
                "choose another database, or drop what was made by hand"
            ) from None
        raise translate(error, starting=True) from None


def _status_of(number: int, shipped: Migration | None, records: _Records) -> MigrationStatus:
    whole = records.get((number, 0, "done"))
    applied_at, by = (whole.since, whole.by) if whole else (None, "")
    if shipped is None:
        name = next(record.name for (recorded, _, _), record in records.items() if recorded == number)
        return MigrationStatus(number, name, MigrationState.UNKNOWN, applied_at, by)
    if whole:
        state = MigrationState.APPLIED if whole.hashes == {shipped.sha256} else MigrationState.CHANGED
        return MigrationStatus(number, shipped.name, state, applied_at, by)
    recorded = {
        (position, state): record.hashes for (other, position, state), record in records.items() if other == number
    }
    expected = {position: frozenset((item.sha256,)) for position, item in enumerate(shipped.statements, start=1)}
    if any(hashes != expected.get(position) for (position, done), hashes in recorded.items() if done == "done"):
        return MigrationStatus(number, shipped.name, MigrationState.CHANGED, None, "")
    state = MigrationState.PARTIAL if recorded else MigrationState.PENDING
    return MigrationStatus(number, shipped.name, state, None, "")


def _refuse_foreign(found: Sequence[MigrationStatus]) -> None:
    for item in found:
        if item.state is MigrationState.UNKNOWN:
            raise SchemaVersionError(
                f"the schema is newer than this program (it has {item.number:04}_{item.name}): upgrade modeltrail"
            )
    for item in found:
        if item.state is MigrationState.CHANGED:
            raise SchemaVersionError(
                f"migration {item.number:04}_{item.name} was applied with another content than this program ships: "
                "use the release that made this schema"
            )


def _read_records(client: Any) -> _Records:
    try:
        rows = client.query(sql("migrations/records")).result_rows
    except STORE_FAILURES as error:
        if error_code(error) in (_UNKNOWN_TABLE, _UNKNOWN_DATABASE):
            return {}
        raise translate(error, starting=True) from None
    return {
        (number, position, state): _Record(name, frozenset(hashes), since, by)
        for number, position, state, name, hashes, since, by in rows
    }


def _record(client: Any, migration: Migration, position: int, state: str, digest: str) -> None:
    client.command(
        sql("migrations/record"),
        parameters={
            "number": migration.number,
            "statement": position,
            "state": state,
            "name": migration.name,
            "sha256": digest,
            "by": f"modeltrail {__version__} on {holder_name()}",
        },
    )
