"""Make a typed table anew from the ledger while workers go on inserting.

The old table answers until the new one is whole:

    1. create the shadow, a table of the same structure whose comment says that it is being filled
    2. create a second view that fills the shadow: from here on an insert reaches both tables
    3. wait until the inserts have ended that were under way before 2, which do not know the second view
    4. fill the shadow from the ledger, range by range, with the view's own SELECT
    5. exchange the two tables; the views write to names, so each now fills the other table
    6. give the new table its comment back, drop the second view, drop the old table
    7. fill what is missing, should 3 not have seen an insert (one that went through another replica)

No row of a block that is inserted meanwhile is lost: it is in the ledger when 4 reads it, or its insert began after 2
and filled the shadow itself. Doing both is harmless, a typed table keeps one row for a record. An insert that is
under way during 5 and 6 writes to both tables, whatever their names; if the server refuses it because one was
dropped, the worker learns of a failed insert and fills that range again.

A crash before 5 leaves the shadow and its view: the next run goes on where ranges are incomplete. A crash after 5
leaves the old table under the shadow's name, without that comment: the next run drops it and begins again. Twice the
table's space is needed meanwhile. Rebuilds and migrations exclude each other (`schema_lock`).
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from modeltrail.errors import ConfigurationError, StoreUnavailableError
from modeltrail.storage.missing import Advance, fill_missing, incomplete_ranges
from modeltrail.storage.projections import Projection, projections
from modeltrail.storage.queries import sql
from modeltrail.storage.schema_lock import SchemaLock

__all__ = ["Rebuilt", "choose", "discard", "plan", "rebuild_table"]

_MARK = "being rebuilt from the ledger"
_WAIT_S = 300.0
_POLL_S = 0.1


class Rebuilt(NamedTuple):
    """What was done to a table, or would be: `rows` in it, `entries` of ranges that are or were to be filled."""

    table: str
    rows: int
    entries: int


def choose(table: str | None) -> Sequence[Projection]:
    """Return the projection into `table`, or all; ConfigurationError for a name that is no typed table."""
    known = projections()
    if table is None:
        return known
    chosen = [projection for projection in known if projection.table == table]
    if not chosen:
        names = ", ".join(projection.table for projection in known)
        raise ConfigurationError(f"--table: {table!r} is no typed table: expected one of {names}")
    return chosen


def plan(client: Any, projection: Projection) -> Rebuilt:
    """Return what `rebuild_table` has before it; changes nothing."""
    entries = sum(part.entries for part in incomplete_ranges(client, projection))
    return Rebuilt(projection.table, _rows(client, projection.table), entries)


def rebuild_table(client: Any, lock: SchemaLock, projection: Projection, *, advance: Advance | None = None) -> Rebuilt:
    """Make the typed table of `projection` anew; return the rows that it has then, and the entries that were read.

    Raises what clickhouse-connect raises, and StoreUnavailableError where an insert does not end. Interrupted at
    any point it can be called again, and goes on.
    """
    table, shadow, view = projection.table, _shadow(projection), _shadow_view(projection)
    lock.renew()
    comment = _prepare(client, projection)
    entries = 0
    for part in incomplete_ranges(client, projection, table=shadow):
        lock.renew()
        parameters = {"chain": part.chain, "first": part.first, "last": part.last}
        client.command(projection.insert_from(sql("projections/range"), into=shadow), parameters=parameters)
        entries += part.entries
        if advance is not None:
            advance(part.entries)
    lock.renew()
    client.command(f"EXCHANGE TABLES {table} AND {shadow}")
    client.command(f"ALTER TABLE {table} MODIFY COMMENT {_literal(comment)}")
    client.command(f"DROP VIEW IF EXISTS {view} SYNC")
    client.command(f"DROP TABLE IF EXISTS {shadow} SYNC")
    entries += fill_missing(client, projection)
    return Rebuilt(table, _rows(client, table), entries)


def discard(client: Any, projection: Projection) -> bool:
    """Drop what an interrupted rebuild left behind; return whether there was anything."""
    found = _relations(client, _shadow(projection), _shadow_view(projection))
    client.command(f"DROP VIEW IF EXISTS {_shadow_view(projection)} SYNC")
    client.command(f"DROP TABLE IF EXISTS {_shadow(projection)} SYNC")
    return bool(found)


def _prepare(client: Any, projection: Projection) -> str:
    """Steps 1 to 3, or what is left of them; return the comment of the table, which the new one will carry."""
    table, shadow, view = projection.table, _shadow(projection), _shadow_view(projection)
    found = _relations(client, table, shadow, view)
    comment = found[table].removesuffix(f" ({_MARK})")
    mark = f"{comment} ({_MARK})"
    if shadow in found and found[shadow] != mark:
        discard(client, projection)
        found = _relations(client, table)
    if shadow not in found:
        client.command(f"CREATE TABLE {shadow} AS {table} COMMENT {_literal(mark)}")
    if view not in found:
        client.command(f"CREATE MATERIALIZED VIEW {view} TO {shadow} AS\n{projection.select}")
    _outlive_inserts(client)
    return comment


def _outlive_inserts(client: Any) -> None:
    """Return when every insert has ended that was under way at the call."""
    deadline = time.monotonic() + _WAIT_S
    old = _inserts(client)
    while old:
        if time.monotonic() > deadline:
            raise StoreUnavailableError(f"{len(old)} inserts have not ended for {_WAIT_S:.0f} s: try again later")
        time.sleep(_POLL_S)
        old &= _inserts(client)


def _inserts(client: Any) -> set[str]:
    return {row[0] for row in client.query(sql("rebuild/inserts_under_way")).result_rows}


def _relations(client: Any, *names: str) -> dict[str, str]:
    found = client.query(sql("rebuild/relations"), parameters={"names": list(names)}).result_rows
    return {name: comment for name, comment in found}  # noqa: C416 - rows are lists of two for the type checker


def _rows(client: Any, table: str) -> int:
    return int(client.query(sql("rebuild/rows"), parameters={"table": table}).result_rows[0][0])


def _shadow(projection: Projection) -> str:
    return f"{projection.table}__rebuild"


def _shadow_view(projection: Projection) -> str:
    return f"{projection.view}__rebuild"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
