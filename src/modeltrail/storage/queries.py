"""Named SQL: `sql("ledger/head")` is the text of `storage/sql/ledger/head.sql`."""

from functools import cache
from importlib.resources import files

__all__ = ["sql"]


@cache
def sql(name: str) -> str:
    """Return the text of a query that ships with the package; FileNotFoundError for an unknown name."""
    return files("modeltrail.storage").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
