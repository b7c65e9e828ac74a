"""The numbered SQL files that make the schema: `schemas/clickhouse/NNNN_name.sql`, shipped inside the package.

A file is a sequence of statements. A statement ends at a line that ends with a semicolon. After a crash a statement
may run a second time, so a file may hold only what can be resumed:

    CREATE TABLE | VIEW | MATERIALIZED VIEW name     made whole or not at all; a second time the server says 57
    CREATE OR REPLACE VIEW name
    ALTER TABLE name ADD ... IF NOT EXISTS ... | DROP ... IF EXISTS ... | MODIFY ...
    DROP TABLE | VIEW IF EXISTS name

`CREATE ... IF NOT EXISTS` is refused: it would take any table of that name for ours.
"""

import re
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from modeltrail.errors import ConfigurationError

__all__ = ["Migration", "Statement", "load", "parse_migration", "schema_directory"]

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql\Z")
_CREATE = re.compile(r"CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) (?!IF )([a-z_][a-z0-9_]*)\b")
_REPEATABLE = re.compile(
    r"CREATE OR REPLACE VIEW [a-z_]"
    r"|DROP (?:TABLE|VIEW) IF EXISTS [a-z_]"
    r"|ALTER TABLE [a-z_][a-z0-9_]*\s+(?:ADD \w+ IF NOT EXISTS|DROP \w+ IF EXISTS|MODIFY) "
)


class Statement(NamedTuple):
    """One statement: its text without the semicolon, and its SHA-256 in hex."""

    text: str
    sha256: str

    @property
    def creates(self) -> str | None:
        """The table or view that a plain CREATE makes; None for a statement that may simply run again."""
        found = _CREATE.match(self.text)
        return found[1] if found else None


class Migration(NamedTuple):
    """One file. `number` orders them, `sha256` (hex) is over the text with newlines as line ends."""

    number: int
    name: str
    sha256: str
    statements: tuple[Statement, ...]

    def __str__(self) -> str:
        return f"{self.number:04}_{self.name}"


def load(directory: Traversable | Path | None = None) -> list[Migration]:
    """Return the migrations of `directory` (the shipped ones by default) in order, numbered 1, 2, 3 without a hole.

    Raises ValueError for a file that breaks the rules above.
    """
    found = []
    for file in (directory or schema_directory()).iterdir():
        match = _FILE_NAME.match(file.name)
        if match:
            found.append(parse_migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    found.sort()
    for before, after in pairwise([0, *(migration.number for migration in found)]):
        if after != before + 1:
            raise ValueError(f"migration {after:04}: expected number {before + 1:04}")
    return found


def schema_directory() -> Traversable | Path:
    """Return where the SQL files are: in the installed package, or else in the repository that it runs from."""
    shipped = files("modeltrail").joinpath("_schemas", "clickhouse")
    if shipped.is_dir():
        return shipped
    repository = Path(__file__).resolve().parents[3] / "schemas" / "clickhouse"
    if repository.is_dir():
        return repository
    raise ConfigurationError("the schema files are not part of this installation: install modeltrail again")


def parse_migration(number: int, name: str, text: str) -> Migration:
    """Split the text of a file; ValueError for a statement that could not be resumed after a crash."""
    text = text.replace("\r\n", "\n")
    statements: list[Statement] = []
    lines: list[str] = []
    for line in text.split("\n"):
        if not lines and (not line.strip() or line.startswith("--")):
            continue
        lines.append(line.rstrip())
        if lines[-1].endswith(";"):
            body = "\n".join(lines)[:-1]
            if not (_CREATE.match(body) or _REPEATABLE.match(body)):
                raise ValueError(f"migration {number:04}: cannot be resumed after a crash: {lines[0]}")
            statements.append(Statement(body, sha256(body.encode()).hexdigest()))
            lines = []
    if lines:
        raise ValueError(f"migration {number:04}: no semicolon ends the statement that begins: {lines[0]}")
    if not statements:
        raise ValueError(f"migration {number:04}: holds no statement")
    return Migration(number, name, sha256(text.encode()).hexdigest(), tuple(statements))
