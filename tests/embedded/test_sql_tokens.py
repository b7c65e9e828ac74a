import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.embedded.sql_tokens import TokenError, TokenKind, tokens


def texts(sql: bytes) -> list[str]:
    return [token.text for token in tokens(sql)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (b"SELECT 1", ["SELECT", "1"]),
        (b"a.b", ["a", ".", "b"]),
        (b"SELECT -- note\n1", ["SELECT", "1"]),
        (b"SELECT // note\n1", ["SELECT", "1"]),
        (b"SELECT # note\n1", ["SELECT", "1"]),
        (b"SELECT /* ; DROP */ 1", ["SELECT", "1"]),
        (b"'a''b' 'a\\'b'", ["a'b", "a\\'b"]),
        (b"'; DROP TABLE t; --'", ["; DROP TABLE t; --"]),
        (b'"a""b" `c``d`', ['a"b', "c`d"]),
        (b"$x$ ' \" ; $x$", [" ' \" ; "]),
        (b"$$ $x$ $$", [" $x$ "]),
        (b"1--1", ["1"]),
        (b"'\xff\xfe'", ["\\xff\\xfe"]),
    ],
)
def test_text_is_cut_as_the_engine_cuts_it(sql, expected):
    assert texts(sql) == expected


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        (b"SELECT 'a", "string has no end"),
        (b'SELECT "a', "quoted name has no end"),
        (b"SELECT /* a", "comment has no end"),
        (b"SELECT /* /* */ 1 */", "comment within a comment"),
        (b'SELECT "fi\\x6ce"(1)', "backslash in a quoted name"),
        (b"SELECT $a$ 1", "here-document has no end"),
        (b"SELECT $ 1", "here-document"),
        (b"SELECT \xe2\x80\x98a\xe2\x80\x99", "outside of quotes"),
        (b"SELECT\xc2\xa01", "outside of quotes"),
        (b"SELECT 1\x00; DROP", "outside of quotes"),
        (b"SELECT 1)", "closes nothing"),
        ('SELECT "ünï"'.encode(), "outside of ASCII"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(sql, problem):
    with pytest.raises(TokenError, match=problem):
        texts(sql)


def test_brackets_are_counted():
    assert [(token.text, token.depth) for token in tokens(b"f(a[1])")] == [
        ("f", 0),
        ("(", 0),
        ("a", 1),
        ("[", 1),
        ("1", 2),
        ("]", 1),
        (")", 0),
    ]


def test_a_quoted_name_is_never_a_keyword():
    (token,) = tokens(b'"SELECT"')
    assert token.kind is TokenKind.QUOTED
    assert not token.is_word("SELECT")


def test_nothing_behind_the_last_token_asked_for_is_looked_at():
    stream = tokens(b"FORMAT Native\n\x00\xff'")
    assert [next(stream).text, next(stream).text] == ["FORMAT", "Native"]


@given(st.binary(max_size=60))
def test_any_bytes_are_cut_or_refused_and_positions_ascend(sql):
    try:
        found = list(tokens(sql))
    except TokenError:
        return
    ends = [position for token in found for position in (token.start, token.end)]
    assert ends == sorted(ends)
    assert all(token.start < token.end for token in found)
