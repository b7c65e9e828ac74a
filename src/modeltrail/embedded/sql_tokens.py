r"""Cuts a ClickHouse statement into tokens, on bytes, as far as access rules need it.

What the engine could read in two ways is refused instead of guessed at: a comment within a comment, a
backslash in a quoted name (the engine unescapes it: "fi\x6ce" is file), bytes outside of ASCII, and NUL,
anywhere but in string literals, quoted names and comments.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = ["Token", "TokenError", "TokenKind", "tokens"]


class TokenError(Exception):
    """The text cannot be cut into tokens for certain. `position` is the byte where, counted from 0."""

    def __init__(self, problem: str, position: int) -> None:
        self.position = position
        super().__init__(f"{problem} at position {position + 1}")


class TokenKind(Enum):
    """What a token is; names and words differ in that a quoted name is never a keyword."""

    WORD = "word"
    QUOTED = "quoted name"
    STRING = "string"
    NUMBER = "number"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `text` without quotes, `start` and `end` as byte positions, `depth` of brackets around it."""

    kind: TokenKind
    text: str
    start: int
    end: int
    depth: int

    def is_word(self, *words: str) -> bool:
        """Tell whether this is one of the unquoted `words` (given in capitals)."""
        return self.kind is TokenKind.WORD and self.text.upper() in words

    def is_mark(self, mark: str) -> bool:
        """Tell whether this is the punctuation `mark`."""
        return self.kind is TokenKind.MARK and self.text == mark

    @property
    def is_name(self) -> bool:
        """True for what can name a table, a function or a setting."""
        return self.kind in (TokenKind.WORD, TokenKind.QUOTED)


_SPACE = re.compile(rb"[ \t\r\n\v\f]+")
_LINE_COMMENT = re.compile(rb"(?:--|//|#[ !])[^\n]*")
_STRING = re.compile(rb"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_QUOTED = re.compile(rb"\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`", re.DOTALL)
_HEREDOC = re.compile(rb"\$([A-Za-z0-9_]*)\$")
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_$]*")
_NUMBER = re.compile(rb"[0-9][0-9A-Za-z_.]*")
_OPEN, _CLOSE = b"([{", b")]}"


def tokens(text: bytes) -> Iterator[Token]:
    """Yield the tokens of `text` one after the other, without spaces and comments.

    Nothing behind the token that was asked for last is looked at, so the data of an INSERT is never cut.
    Raises TokenError.
    """
    position, depth = 0, 0
    while position < len(text):
        after = _skip(text, position)
        if after != position:
            position = after
            continue
        token = _token(text, position, depth)
        if token.kind is TokenKind.MARK and token.text in "([{":
            depth += 1
        elif token.kind is TokenKind.MARK and token.text in ")]}":
            depth -= 1
            token = Token(token.kind, token.text, token.start, token.end, depth)
            if depth < 0:
                raise TokenError(f"{token.text!r} closes nothing", position)
        yield token
        position = token.end


def _skip(text: bytes, position: int) -> int:
    for pattern in (_SPACE, _LINE_COMMENT):
        found = pattern.match(text, position)
        if found:
            return found.end()
    if not text.startswith(b"/*", position):
        return position
    end = text.find(b"*/", position + 2)
    if end < 0:
        raise TokenError("a comment has no end", position)
    if b"/*" in text[position + 2 : end]:
        raise TokenError("a comment within a comment is not accepted here", position)
    return end + 2


def _token(text: bytes, position: int, depth: int) -> Token:
    byte = text[position : position + 1]
    if byte == b"'":
        return _quoted(_STRING, TokenKind.STRING, text, position, depth)
    if byte in (b'"', b"`"):
        token = _quoted(_QUOTED, TokenKind.QUOTED, text, position, depth)
        if "\\" in token.text:
            raise TokenError("a backslash in a quoted name is not accepted here", position)
        return token
    if byte == b"$":
        return _heredoc(text, position, depth)
    for pattern, kind in ((_WORD, TokenKind.WORD), (_NUMBER, TokenKind.NUMBER)):
        found = pattern.match(text, position)
        if found:
            return Token(kind, found[0].decode("ascii"), position, found.end(), depth)
    if not byte.isascii() or byte == b"\0":
        raise TokenError(f"the byte 0x{byte[0]:02X} outside of quotes is not accepted here", position)
    return Token(TokenKind.MARK, byte.decode("ascii"), position, position + 1, depth)


def _quoted(pattern: re.Pattern[bytes], kind: TokenKind, text: bytes, position: int, depth: int) -> Token:
    found = pattern.match(text, position)
    if found is None:
        raise TokenError(f"a {kind.value} has no end", position)
    quote = text[position : position + 1]
    inner = found[0][1:-1].replace(quote * 2, quote).decode(errors="backslashreplace")
    if kind is TokenKind.QUOTED and not found[0].isascii():
        raise TokenError("a quoted name outside of ASCII is not accepted here", position)
    return Token(kind, inner, position, found.end(), depth)


def _heredoc(text: bytes, position: int, depth: int) -> Token:
    opening = _HEREDOC.match(text, position)
    if opening is None:
        raise TokenError("'$' does not begin a here-document", position)
    end = text.find(opening[0], opening.end())
    if end < 0:
        raise TokenError("a here-document has no end", position)
    inner = text[opening.end() : end].decode(errors="backslashreplace")
    return Token(TokenKind.STRING, inner, position, end + len(opening[0]), depth)
