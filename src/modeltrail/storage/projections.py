"""What the materialized views do with each insert, available to code: for filling again, rebuilding and verifying.

The migration files are the only place where a view is written down. They are read here, in the form that they keep:

    CREATE MATERIALIZED VIEW <view> TO <table> AS
    WITH
        ...
    SELECT
        <expression> AS <column>,
        ...
    FROM ledger
    WHERE ledger.status = 'valid' AND ledger.type = '<type>'
    COMMENT '...'

    ... FROM <family>_feed AS ledger ...         a view behind a feed, which passes on a family of types;
                                                 what feeds it is no projection

    ALTER TABLE <view> MODIFY QUERY              a later migration changes a view so, without a moment without it
    WITH ... SELECT ... FROM ledger WHERE ...

An insert into the ledger is atomic for the ledger's part only: a view that failed leaves entries without typed rows,
and the same SELECT over that range of the ledger puts them there. Filling twice is harmless: typed tables keep one
row for a record.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from modeltrail.storage.migration_files import Migration, load
from modeltrail.storage.queries import sql

__all__ = ["Projection", "fill", "parse_projections", "projections"]

RANGE = 100_000
"""Positions of a chain that one statement fills, so that its memory is bounded."""

_CREATE = re.compile(r"CREATE MATERIALIZED VIEW (\w+) TO (\w+) AS\n(.*)\nCOMMENT '[^'\n]*'\Z", re.DOTALL)
_MODIFY = re.compile(r"ALTER TABLE (\w+) MODIFY QUERY\n(.*)\Z", re.DOTALL)
_DROP = re.compile(r"DROP (?:TABLE|VIEW) IF EXISTS (\w+)")
_SELECT = re.compile(
    r"(?:WITH\n.*\n)?SELECT\n(?P<columns>(?:    [^\n]* AS `?\w+`?,?\n)+)"
    r"FROM (?:ledger|\w+_feed AS ledger)\nWHERE ledger\.status = 'valid' AND ledger\.type = '(?P<type>[a-z0-9_.]+)'\Z",
    re.DOTALL,
)
_COLUMN = re.compile(r" AS `?(\w+)`?,?$", re.MULTILINE)
_FROM = re.compile(r"\nFROM (?:ledger|\w+_feed AS ledger)\n")
_FEED = re.compile(r"CREATE MATERIALIZED VIEW (\w+_feed)_from_(?:ledger|events) TO \1 AS\n")


class Projection(NamedTuple):
    """One event type's way from the ledger into its typed table. `select` is the SELECT of the view."""

    view: str
    table: str
    type: str
    select: str
    columns: tuple[str, ...]

    def select_from(self, source: str) -> str:
        """Return the SELECT over `source`, a query with the columns of the ledger, instead of over new inserts."""
        return _FROM.sub(lambda _: f"\nFROM ({source}) AS ledger\n", self.select, count=1)

    def insert_from(self, source: str, *, into: str | None = None) -> str:
        """Return the INSERT that puts the rows of `source` into the typed table, or into `into`, of its structure."""
        names = ", ".join(f"`{name}`" for name in self.columns)
        return f"INSERT INTO {into or self.table} ({names})\n{self.select_from(source)}"


@cache
def projections() -> tuple[Projection, ...]:
    """Return the projections of the shipped schema, in the order in which its files make them."""
    return tuple(parse_projections(load()))


def parse_projections(migrations: Sequence[Migration]) -> list[Projection]:
    """Read the views out of migrations; the newest definition of each counts. ValueError for another form."""
    found: dict[str, Projection] = {}
    for migration in migrations:
        for statement in migration.statements:
            text = statement.text
            if _FEED.match(text):
                continue
            if created := _CREATE.match(text):
                found[created[1]] = _parse(created[1], created[2], created[3])
            elif text.startswith("CREATE MATERIALIZED VIEW"):
                raise ValueError(f"migration {migration}: not in the form of a view of the ledger: {text[:80]}")
            elif (modified := _MODIFY.match(text)) and modified[1] in found:
                found[modified[1]] = _parse(modified[1], found[modified[1]].table, modified[2])
            elif dropped := _DROP.match(text):
                found.pop(dropped[1], None)
    return list(found.values())


def fill(client: Any, chain: str, first: int, last: int) -> list[str]:
    """Fill the typed tables again from the entries first..last of a chain; return the tables that have rows there.

    Harmless where nothing is missing. Raises what clickhouse-connect raises.
    """
    tables: set[str] = set()
    for start in range(first, last + 1, RANGE):
        parameters = {"chain": chain, "first": start, "last": min(last, start + RANGE - 1)}
        types = {row[0] for row in client.query(sql("projections/types_in_range"), parameters=parameters).result_rows}
        for projection in projections():
            if projection.type in types:
                client.command(projection.insert_from(sql("projections/range")), parameters=parameters)
                tables.add(projection.table)
    return sorted(tables)


def _parse(view: str, table: str, text: str) -> Projection:
    match = _SELECT.match(text)
    if not match:
        raise ValueError(f"view {view}: the SELECT does not have the form that the program reads")
    columns = tuple(_COLUMN.findall(match["columns"]))
    return Projection(view, table, match["type"], text, columns)
