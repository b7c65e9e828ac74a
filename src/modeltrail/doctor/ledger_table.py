"""Whether the schema is the shipped one, and whether the ledger table still checks itself."""

import re
from typing import Any

from modeltrail.doctor.findings import Finding, failed, passed, skipped, warned
from modeltrail.settings import Settings
from modeltrail.storage.migration_files import load
from modeltrail.storage.migrations import MigrationState, status
from modeltrail.storage.queries import sql

__all__ = ["constraints_of", "judge_ledger_table", "judge_schema"]

_CONSTRAINT = re.compile(r",? CONSTRAINT (\w+) CHECK ")
_STATES = {
    MigrationState.UNKNOWN: (
        "the schema is newer than this program: it has {names}",
        "upgrade modeltrail here to the release that made the schema",
    ),
    MigrationState.CHANGED: (
        "applied with another content than this program ships: {names}",
        "use the release that made this schema",
    ),
    MigrationState.PARTIAL: ("a migration ended in its middle: {names}", "modeltrail migrate"),
    MigrationState.PENDING: ("not applied yet: {names}", "modeltrail migrate"),
}


def judge_schema(client: Any) -> Finding:
    """Judge the records of migrations; raises what the server's own refusals are."""
    found = status(client)
    for state, (text, fix) in _STATES.items():
        names = [f"{item.number:04}_{item.name}" for item in found if item.state is state]
        if len(names) == len(found) and state is MigrationState.PENDING:
            return failed("store.schema", f"database {client.database} has no schema yet", fix)
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            return failed("store.schema", text.format(names=shown), fix)
    return passed("store.schema", f"all {len(found)} migrations are applied as this program ships them")


def constraints_of(create: str) -> dict[str, str]:
    """Return name and condition of each constraint in a CREATE TABLE, in the server's own format on one line."""
    body, _, _ = create.partition(") ENGINE = ")
    _, *rest = _CONSTRAINT.split(body)
    return dict(zip(rest[::2], rest[1::2], strict=True))


def judge_ledger_table(client: Any, settings: Settings) -> Finding:
    """Compare engine and constraints of the ledger with the shipped ones, both in the server's own format."""
    check = "store.ledger_table"
    shipped = next(one.text for migration in load() for one in migration.statements if one.creates == "ledger")
    rows = client.query(sql("doctor/ledger_table"), parameters={"shipped": shipped}).result_rows
    if not rows:
        return skipped(check, "there is no table ledger that this user can see")
    engine, actual, expected = rows[0]
    if not engine.endswith("ReplacingMergeTree"):
        return failed(check, f"the ledger is a {engine} and keeps every repeat", "restore the table of the migrations")
    wanted, there = constraints_of(expected), constraints_of(actual)
    missing = [name for name in wanted if name not in there]
    other = [name for name in wanted if name in there and there[name] != wanted[name]]
    if missing or other:
        parts = [f"without {', '.join(missing)}"] if missing else []
        parts += [f"with another {', '.join(other)}"] if other else []
        return failed(
            check,
            f"the ledger does not check itself: {' and '.join(parts)}; forged rows may have been stored",
            "modeltrail verify --recompute, find out who altered the table, add the constraints of 0001_ledger.sql",
        )
    replicated = engine.startswith("Replicated")
    if replicated != settings.clickhouse.replicated:
        return failed(
            check,
            f"the ledger is a {engine}, and clickhouse.replicated is {str(settings.clickhouse.replicated).lower()}",
            f"set clickhouse.replicated = {str(replicated).lower()}",
        )
    more = [name for name in there if name not in wanted]
    if more:
        return warned(
            check,
            f"the ledger has further constraints ({', '.join(more)}), which may refuse genuine rows",
            "drop them with ALTER TABLE ledger DROP CONSTRAINT",
        )
    return passed(check, f"{engine}, all {len(wanted)} constraints are as shipped")
