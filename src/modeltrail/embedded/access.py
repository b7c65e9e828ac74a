"""Who may run which statement in the local store: an allow-list for each role.

The engine in this process enforces no grants, so a mistake that production would refuse would pass
unnoticed here. The rules follow the grants that Modeltrail asks for in production:

    reader     SELECT, SHOW, DESCRIBE, EXPLAIN, EXISTS; of `system` only what every ClickHouse user may see
    auditor    the same, and all of `system`
    writer     as reader, and INSERT INTO tables
    migrator   as auditor, and INSERT, CREATE, ALTER (no UPDATE or DELETE), DROP, TRUNCATE, RENAME, EXCHANGE,
               OPTIMIZE
    scratch    everything

Nobody but scratch may use a table function or a function that reaches outside of the database, read from
or write to files, name a table engine that does, or change settings that would change how a statement is
understood. Refusals carry ClickHouse's own codes: 497 for a right, 452 for a setting.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.sql_tokens import Token, TokenKind
from modeltrail.embedded.statements import Statement, StatementKind

__all__ = ["AccessRules", "DeniedError"]

ACCESS_DENIED = 497
SETTING_CONSTRAINT_VIOLATION = 452

_HARMLESS_TABLE_FUNCTIONS = frozenset(
    {
        "format", "generate_series", "generaterandom", "generateseries", "input", "null", "numbers", "numbers_mt",
        "primes", "values", "view", "zeros", "zeros_mt",
    }
)  # fmt: skip
_REACHING_FUNCTIONS = re.compile(
    r"file|catboostevaluate|getmacro|ai(?:classify|embed|extract|filter|generate|redact|similarity|translate)"
)
_OPEN_SYSTEM_TABLES = frozenset(
    {
        "aggregate_function_combinators", "build_options", "collations", "columns", "contributors",
        "data_type_families", "databases", "formats", "functions", "licenses", "merge_tree_settings", "numbers",
        "numbers_mt", "one", "settings", "table_engines", "table_functions", "tables", "time_zones", "zeros",
        "zeros_mt",
    }
)  # fmt: skip
_ENGINES = re.compile(r"(?:[A-Z][A-Za-z]*)?MergeTree|Memory|Null|Set|Join|Log|TinyLog|StripeLog|Atomic")
_CREATED = ("TABLE", "VIEW", "MATERIALIZED", "DATABASE")
_DROPPED = ("TABLE", "VIEW", "DATABASE")
_DEFINING = ("CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "EXCHANGE", "OPTIMIZE")
_REFUSED_ALTERATIONS = (
    "UPDATE", "DELETE", "ATTACH", "DETACH", "FETCH", "FREEZE", "UNFREEZE", "MOVE", "APPLY", "REWRITE", "EXECUTE",
)  # fmt: skip
# A setting is refused when a part of its name is one of these, or when the whole name is one of the others:
# they choose another parser, rewrite the statement, or name a place outside of the database.
_REFUSED_SETTING_PARTS = frozenset(
    {"dialect", "path", "url", "schema", "credentials", "introspection", "implicit", "promql", "profile"}
)
_REFUSED_SETTINGS = frozenset(
    {
        "additional_result_filter", "allow_ddl", "compression", "database", "disk", "filter", "format",
        "function_implementation", "input_format", "order", "output_format", "rename_files_after_processing",
        "s3_base", "select", "sort", "storage_policy", "table_disk", "workload",
    }
)  # fmt: skip


class DeniedError(Exception):
    """The statement is refused: `code` is ClickHouse's, the text says who may not do what."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class AccessRules:
    """The rules, with what they need to know of the engine: the names of its table functions and settings."""

    table_functions: Collection[str]
    setting_names: Collection[str]

    def check(
        self,
        role: Role,
        statement: Statement,
        *,
        database: str,
        parameters: Mapping[str, str],
        settings: Mapping[str, str],
    ) -> None:
        """Raise DeniedError if `role` may not run `statement`.

        `database` is where unqualified names are looked up, `parameters` the values of `{name:Type}`,
        `settings` those that came with the request.
        """
        if role is Role.SCRATCH:
            return
        words = _with_parameters(statement.tokens, parameters)
        _check_verb(role, statement, words)
        self._check_settings(role, words, settings)
        self._check_functions(role, words)
        if role in (Role.READER, Role.WRITER):
            _check_system_tables(role, words, database)

    def _check_settings(self, role: Role, words: list[Token], settings: Mapping[str, str]) -> None:
        named = set(settings)
        if any(token.is_word("SETTINGS", "SETTING") for token in words):
            named.update(
                token.text
                for token, following in pairwise(words)
                if token.is_name and following.is_mark("=") and token.text in self.setting_names
            )
        for name in sorted(named):
            if name in _REFUSED_SETTINGS or not _REFUSED_SETTING_PARTS.isdisjoint(name.lower().split("_")):
                raise DeniedError(SETTING_CONSTRAINT_VIOLATION, f"{role.value}: Setting {name} should not be changed")

    def _check_functions(self, role: Role, words: list[Token]) -> None:
        for token, following in pairwise(words):
            if not token.is_name or not following.is_mark("("):
                continue
            name = token.text.lower()
            if name in self.table_functions and name not in _HARMLESS_TABLE_FUNCTIONS:
                raise _denied(role, f"use the table function {token.text}")
            if _REACHING_FUNCTIONS.fullmatch(name):
                raise _denied(role, f"use the function {token.text}")


def _denied(role: Role, what: str) -> DeniedError:
    return DeniedError(ACCESS_DENIED, f"{role.value}: Not enough privileges. This user may not {what}")


def _with_parameters(found: tuple[Token, ...], parameters: Mapping[str, str]) -> list[Token]:
    """Put the value in the place of each `{name:Identifier}`, so that a parameter cannot hide a name."""
    words: list[Token] = []
    index = 0
    while index < len(found):
        piece = found[index : index + 5]
        if (
            len(piece) == 5
            and piece[0].is_mark("{")
            and piece[2].is_mark(":")
            and piece[3].is_word("IDENTIFIER")
            and piece[4].is_mark("}")
        ):
            value = parameters.get(piece[1].text, "")
            words.append(Token(TokenKind.QUOTED, value, piece[0].start, piece[4].end, piece[0].depth))
            index += 5
        else:
            words.append(found[index])
            index += 1
    return words


def _check_verb(role: Role, statement: Statement, words: list[Token]) -> None:
    outside = [token for token in words if token.depth == 0]
    if any(token.is_word("OUTFILE", "INFILE") for token in words):
        raise _denied(role, "read from or write to files")
    if statement.kind is StatementKind.READ:
        if statement.verb == "CHECK" and role not in (Role.AUDITOR, Role.MIGRATOR):
            raise _denied(role, "run CHECK")
        return
    if statement.verb == "INSERT" and role in (Role.WRITER, Role.MIGRATOR):
        pairs = pairwise(outside)
        if any(token.is_word("FUNCTION") and before.is_word("INSERT", "INTO", "TABLE") for before, token in pairs):
            raise _denied(role, "insert into a table function")
        return
    if role is Role.MIGRATOR and statement.verb in _DEFINING:
        _check_definition(role, statement.verb, outside)
        return
    raise _denied(role, f"run {statement.verb}" if statement.verb else "run this statement")


def _check_definition(role: Role, verb: str, outside: list[Token]) -> None:
    second = outside[1].text.upper() if len(outside) > 1 else ""
    if verb == "CREATE":
        skip = 3 if [token.text.upper() for token in outside[1:3]] == ["OR", "REPLACE"] else 1
        created = outside[skip].text.upper() if len(outside) > skip else ""
        if created not in _CREATED:
            raise _denied(role, f"run CREATE {created}")
        _check_engines(role, outside)
    elif verb == "DROP":
        if second not in _DROPPED:
            raise _denied(role, f"run DROP {second}")
        if second == "DATABASE" and any(token.is_name and token.text == "default" for token in outside):
            raise _denied(role, "drop the database default, in which every connection begins")
    elif verb in ("RENAME", "EXCHANGE") and second not in ("TABLE", "TABLES"):
        raise _denied(role, f"run {verb} {second}")
    elif verb == "ALTER":
        if second != "TABLE":
            raise _denied(role, f"run ALTER {second}")
        for token in outside[2:]:
            if token.is_word(*_REFUSED_ALTERATIONS):
                raise _denied(role, f"run ALTER TABLE ... {token.text.upper()}")


def _check_engines(role: Role, outside: list[Token]) -> None:
    for index, token in enumerate(outside):
        if not token.is_word("ENGINE"):
            continue
        rest = [other for other in outside[index + 1 : index + 3] if not other.is_mark("=")]
        if rest and rest[0].is_name and not _ENGINES.fullmatch(rest[0].text):
            raise _denied(role, f"create a table with the engine {rest[0].text}")


def _check_system_tables(role: Role, words: list[Token], database: str) -> None:
    if database.lower() == "system":
        raise _denied(role, "use the database system as its default")
    for token, dot, table in zip(words, words[1:], words[2:], strict=False):
        if token.is_name and token.text == "system" and dot.is_mark(".") and table.text not in _OPEN_SYSTEM_TABLES:
            raise _denied(role, f"read system.{table.text}")
