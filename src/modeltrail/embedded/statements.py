"""What a statement is: one that answers with rows, an INSERT with data, or any other, and where its parts are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from modeltrail.embedded.sql_tokens import Token, TokenError, TokenKind, tokens

__all__ = ["Statement", "StatementKind", "parse_statement"]

_READING = ("SELECT", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK")
_BLANK_THEN_NEWLINE = re.compile(rb"[ \t\f]*(?:\r?\n)?")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class StatementKind(Enum):
    """How a statement is run."""

    READ = "read"
    INSERT_DATA = "insert data"
    INSERT_QUERY = "insert query"
    OTHER = "other"


@dataclass(frozen=True)
class Statement:
    """One statement and where its parts are.

    `verb` is its first word in capitals; `tokens` are those before any data (and those of data in the format
    Values, which holds expressions); `text` is the statement without what stands behind its last token. Of a
    reading statement `text[:output_at]` is what comes before its FORMAT clause. Of an INSERT with data, the data
    is what follows `data_at` in the request, `text` ends before FORMAT or VALUES, `input_at` is where its source
    is named, and `format_name` how it is written.
    """

    kind: StatementKind
    verb: str
    text: bytes
    tokens: tuple[Token, ...] = field(repr=False)
    format_name: str | None = None
    output_at: int = 0
    input_at: int = 0
    data_at: int = 0


def parse_statement(text: bytes) -> Statement:
    """Classify the one statement in `text`.

    Raises TokenError for an empty text, more than one statement, or what cannot be cut into tokens.
    """
    stream = tokens(text)
    seen: list[Token] = []
    may_hold_data = False
    for token in stream:
        if token.is_mark(";") and token.depth == 0:
            _refuse_more(stream)
            break
        if not seen:
            may_hold_data = token.is_word("INSERT")
        elif token.depth == 0 and token.is_word("SELECT", "WITH", "FROM"):
            may_hold_data = False  # from here on, format and values are names like any other
        seen.append(token)
        if may_hold_data and token.depth == 0 and token.is_word("FORMAT", "VALUES"):
            return _insert_with_data(text, stream, seen)
    if not seen:
        raise TokenError("the query is empty", 0)
    verb = _verb(seen)
    text = text[: seen[-1].end]
    if verb == "INSERT":
        return Statement(StatementKind.INSERT_QUERY, verb, text, tuple(seen))
    if verb in _READING:
        return _reading(verb, text, seen)
    return Statement(StatementKind.OTHER, verb, text, tuple(seen))


def _refuse_more(stream: Iterator[Token]) -> None:
    for token in stream:
        if not token.is_mark(";"):
            raise TokenError("more than one statement", token.start)


def _verb(seen: list[Token]) -> str:
    """Return the word that says what the statement does; behind WITH it is the first SELECT or INSERT outside."""
    first = next((token for token in seen if not token.is_mark("(")), seen[0])
    if first.is_word("WITH"):
        found = next(
            (token for token in seen if token.depth == first.depth and token.is_word("SELECT", "INSERT")), first
        )
        return found.text.upper()
    return first.text.upper() if first.kind is TokenKind.WORD else ""


def _reading(verb: str, text: bytes, seen: list[Token]) -> Statement:
    # FORMAT is no reserved word: it is the clause where a name follows it and then the end or SETTINGS.
    for index in range(len(seen) - 2, 0, -1):
        token, name = seen[index], seen[index + 1]
        if token.depth or not token.is_word("FORMAT") or name.kind is not TokenKind.WORD:
            continue
        if index + 2 == len(seen) or seen[index + 2].is_word("SETTINGS"):
            return Statement(StatementKind.READ, verb, text, tuple(seen), format_name=name.text, output_at=token.start)
    return Statement(StatementKind.READ, verb, text, tuple(seen), output_at=len(text))


def _insert_with_data(text: bytes, stream: Iterator[Token], seen: list[Token]) -> Statement:
    clause = seen[-1]
    format_name, data_at = "Values", clause.end
    if clause.is_word("FORMAT"):
        name = next(stream, None)
        if name is None or not _PLAIN_NAME.fullmatch(name.text):
            raise TokenError("FORMAT names no format", clause.start)
        format_name = name.text
        blank = _BLANK_THEN_NEWLINE.match(text, name.end)
        data_at = blank.end() if blank else name.end
    head = seen[:-1]
    settings = next((token for token in head if token.depth == 0 and token.is_word("SETTINGS")), clause)
    if format_name.upper() == "VALUES":
        # The engine evaluates expressions in this format, so they are looked at like the rest of the statement.
        for token in stream:
            if token.is_mark(";") and token.depth == 0:
                _refuse_more(stream)
                break
            head.append(token)
    return Statement(
        StatementKind.INSERT_DATA,
        "INSERT",
        text[: clause.start],
        tuple(head),
        format_name=format_name,
        input_at=settings.start,
        data_at=data_at,
    )
