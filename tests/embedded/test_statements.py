import pytest

from modeltrail.embedded.sql_tokens import TokenError
from modeltrail.embedded.statements import StatementKind, parse_statement

READ, DATA, QUERY, OTHER = (
    StatementKind.READ,
    StatementKind.INSERT_DATA,
    StatementKind.INSERT_QUERY,
    StatementKind.OTHER,
)


@pytest.mark.parametrize(
    ("sql", "kind", "verb"),
    [
        (b"SELECT 1", READ, "SELECT"),
        (b"select 1;", READ, "SELECT"),
        (b"/* INSERT */ SELECT 1", READ, "SELECT"),
        (b"(SELECT 1) UNION ALL (SELECT 2)", READ, "SELECT"),
        (b"WITH x AS (SELECT 1) SELECT * FROM x", READ, "SELECT"),
        (b"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", QUERY, "INSERT"),
        (b"FROM t SELECT a", READ, "FROM"),
        (b"SHOW TABLES", READ, "SHOW"),
        (b"DESCRIBE TABLE t", READ, "DESCRIBE"),
        (b"EXPLAIN SELECT 1", READ, "EXPLAIN"),
        (b"EXISTS TABLE t", READ, "EXISTS"),
        (b"INSERT INTO t SELECT 1", QUERY, "INSERT"),
        (b"INSERT INTO t SELECT values, format FROM x", QUERY, "INSERT"),
        (b"INSERT INTO t FORMAT CSV\n1", DATA, "INSERT"),
        (b"INSERT INTO t VALUES (1)", DATA, "INSERT"),
        (b"CREATE TABLE t (a Int8) ENGINE = Memory", OTHER, "CREATE"),
        (b"DROP TABLE t", OTHER, "DROP"),
        (b"SYSTEM RELOAD CONFIG", OTHER, "SYSTEM"),
        (b"1 + 1", OTHER, ""),
    ],
)
def test_a_statement_is_told_by_its_verb(sql, kind, verb):
    statement = parse_statement(sql)
    assert (statement.kind, statement.verb) == (kind, verb)


@pytest.mark.parametrize(
    ("sql", "before", "name"),
    [
        (b"SELECT 1 FORMAT Native", b"SELECT 1 ", "Native"),
        (b"SELECT 1 FORMAT Native ; -- end", b"SELECT 1 ", "Native"),
        (b"SELECT 1 format JSON SETTINGS max_threads = 1", b"SELECT 1 ", "JSON"),
        (b"SELECT 1 SETTINGS max_threads = 1 FORMAT JSON", b"SELECT 1 SETTINGS max_threads = 1 ", "JSON"),
        (b"SELECT format FROM t", b"SELECT format FROM t", None),
        (b"SELECT (SELECT 1 FORMAT x)", b"SELECT (SELECT 1 FORMAT x)", None),
        (b"SELECT ' FORMAT CSV'", b"SELECT ' FORMAT CSV'", None),
        (b"SELECT 1 -- FORMAT CSV", b"SELECT 1", None),
    ],
)
def test_rows_go_out_before_the_format_clause(sql, before, name):
    statement = parse_statement(sql)
    assert statement.text[: statement.output_at] == before
    assert statement.format_name == name


@pytest.mark.parametrize(
    ("sql", "data", "name"),
    [
        (b"INSERT INTO t FORMAT CSV\n1,2\n", b"1,2\n", "CSV"),
        (b"INSERT INTO t FORMAT RowBinary \r\n\n\x00", b"\n\x00", "RowBinary"),
        (b"INSERT INTO t (a, b) SETTINGS x = 1 FORMAT TSV\n1\t2", b"1\t2", "TSV"),
        (b"INSERT INTO t VALUES (1), (2)", b" (1), (2)", "Values"),
        (b"INSERT INTO t (`format`) VALUES (1)", b" (1)", "Values"),
    ],
)
def test_data_begins_behind_the_format(sql, data, name):
    statement = parse_statement(sql)
    assert sql[statement.data_at :] == data
    assert statement.format_name == name


def test_the_source_of_data_is_named_before_the_settings():
    statement = parse_statement(b"INSERT INTO t (a) SETTINGS x = 1 FORMAT CSV\n1")
    assert statement.text[: statement.input_at] == b"INSERT INTO t (a) "
    assert statement.text[statement.input_at :] == b"SETTINGS x = 1 "


@pytest.mark.parametrize(
    "sql",
    [
        b"",
        b" ; ",
        b"-- nothing",
        b"SELECT 1; SELECT 2",
        b"SELECT 1; /* x */ DROP TABLE t",
        b"INSERT INTO t VALUES (1); DROP TABLE t",
        b"INSERT INTO t FORMAT",
    ],
)
def test_anything_but_one_statement_is_refused(sql):
    with pytest.raises(TokenError):
        parse_statement(sql)
