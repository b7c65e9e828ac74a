"""Typed rows that a view left out, found and filled in.

A typed table is compared with the ledger range by range, by count and checksum of its entries; ranges that agree are
done with. In the others a row is missing if the typed table holds no row of the same record from this epoch or a
lower one (a record that stands in two epochs counts in the lowest, so the higher one's row is rightly not there).
Rows that are there and differ are left alone: telling them is what verification is for, and `rebuild` makes the
table anew.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from modeltrail.ledger.chain import parse_chain
from modeltrail.storage.projections import RANGE, Projection
from modeltrail.storage.queries import sql

__all__ = ["Advance", "Range", "fill_missing", "incomplete_ranges"]

Advance = Callable[[int], None]
"""Called with the number of ledger entries that were just dealt with."""


class Range(NamedTuple):
    """Entries first..last of a chain, `entries` of which belong into the typed table."""

    chain: str
    first: int
    last: int
    entries: int


def incomplete_ranges(client: Any, projection: Projection, *, table: str | None = None) -> list[Range]:
    """Return the ranges in which the typed table (or `table`, of its structure) is not what the ledger says."""
    parameters = {"range": RANGE, "type": projection.type, "table": table or projection.table}
    found = client.query(sql("rebuild/ranges"), parameters=parameters).result_rows
    return [Range(chain, first, last, entries) for chain, _, entries, first, last in found]


def fill_missing(client: Any, projection: Projection, *, dry_run: bool = False, advance: Advance | None = None) -> int:
    """Fill the missing rows of a typed table from the ledger; return how many there were.

    With `dry_run` they are only counted. Filling is idempotent: a run that was cut off is simply repeated.
    """
    filled = 0
    for part in incomplete_ranges(client, projection):
        parameters = _bounds(client, projection, part)
        source = sql("rebuild/missing")
        counted = client.query(f"SELECT count() FROM ({source})", parameters=parameters)  # noqa: S608 - shipped SQL
        missing = int(counted.result_rows[0][0])
        if missing and not dry_run:
            client.command(projection.insert_from(source), parameters=parameters)
        filled += missing
        if advance is not None:
            advance(part.entries)
    return filled


def _bounds(client: Any, projection: Projection, part: Range) -> dict[str, Any]:
    chain = parse_chain(part.chain)
    where = {"chain": part.chain, "first": part.first, "last": part.last}
    first_offset, last_offset = client.query(sql("rebuild/offsets"), parameters=where).result_rows[0]
    return where | {
        "type": projection.type,
        "table": projection.table,
        "cluster": chain.cluster,
        "topic": chain.topic,
        "partition": chain.partition,
        "version": -((chain.epoch << 64) + chain.first_offset),
        "first_offset": first_offset,
        "last_offset": last_offset,
    }
