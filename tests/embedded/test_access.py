"""The rules without an engine; test_front_access.py holds the same evasions against the real one."""

import pytest

from modeltrail.embedded.access import AccessRules, DeniedError
from modeltrail.embedded.credentials import Role
from modeltrail.embedded.statements import parse_statement

RULES = AccessRules(
    table_functions=frozenset({"file", "url", "remote", "s3", "numbers", "values", "view", "merge", "executable"}),
    setting_names=frozenset(
        {"max_threads", "dialect", "database", "format_schema", "readonly", "index_granularity", "disk"}
    ),
)
READER, WRITER, MIGRATOR, AUDITOR, SCRATCH = Role.READER, Role.WRITER, Role.MIGRATOR, Role.AUDITOR, Role.SCRATCH


def check(role, sql, *, database="modeltrail", parameters=None, settings=None):
    text = sql.encode() if isinstance(sql, str) else sql
    RULES.check(role, parse_statement(text), database=database, parameters=parameters or {}, settings=settings or {})


ALLOWED = [
    (READER, "SELECT * FROM ledger FINAL WHERE seq = 1"),
    (READER, "WITH x AS (SELECT 1) SELECT * FROM x"),
    (READER, "SELECT * FROM numbers(10)"),
    (READER, "SELECT * FROM values('a Int8', 1)"),
    (READER, "SHOW TABLES"),
    (READER, "DESCRIBE TABLE ledger"),
    (READER, "EXPLAIN SELECT 1"),
    (READER, "SELECT name, value, readonly FROM system.settings LIMIT 10000"),
    (READER, "SELECT 'file(''/etc/passwd'')'"),
    (READER, "SELECT file FROM t -- url('x')"),
    (READER, "SELECT 1 SETTINGS max_threads = 1"),
    (AUDITOR, "SELECT * FROM system.parts"),
    (WRITER, "INSERT INTO ledger FORMAT ArrowStream\n"),
    (WRITER, "INSERT INTO runs SELECT * FROM ledger WHERE seq > 5"),
    (WRITER, "WITH 1 AS x INSERT INTO runs SELECT x"),
    (WRITER, "INSERT INTO t VALUES (unhex('00'))"),
    (WRITER, "SELECT 1"),
    (MIGRATOR, "CREATE TABLE IF NOT EXISTS t (engine String) ENGINE = ReplacingMergeTree ORDER BY engine"),
    (MIGRATOR, "CREATE MATERIALIZED VIEW v TO t AS SELECT * FROM ledger"),
    (MIGRATOR, "CREATE OR REPLACE VIEW v AS SELECT 1"),
    (MIGRATOR, "CREATE DATABASE IF NOT EXISTS modeltrail"),
    (MIGRATOR, "CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS index_granularity = 1024"),
    (MIGRATOR, "ALTER TABLE t ADD COLUMN b String, MODIFY COMMENT 'x'"),
    (MIGRATOR, "ALTER TABLE t DROP PARTITION 202401"),
    (MIGRATOR, "TRUNCATE TABLE t"),
    (MIGRATOR, "EXCHANGE TABLES a AND b"),
    (MIGRATOR, "RENAME TABLE a TO b"),
    (MIGRATOR, "DROP TABLE IF EXISTS t"),
    (MIGRATOR, "DROP DATABASE modeltrail"),
    (MIGRATOR, "SELECT * FROM system.parts"),
    (SCRATCH, "SELECT * FROM file('/etc/passwd')"),
    (SCRATCH, "ALTER TABLE t DELETE WHERE 1"),
    (SCRATCH, "SYSTEM STOP MERGES"),
]

DENIED = [
    *[
        (role, sql, 497)
        for role in (READER, AUDITOR)
        for sql in (
            "INSERT INTO t VALUES (1)",
            "INSERT INTO t SELECT 1",
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
            "/* SELECT */ INSERT INTO t SELECT 1",
            "CREATE TABLE t (a Int8) ENGINE = Memory",
            "DROP TABLE t",
            "iNsErT iNtO t SELECT 1",
        )
    ],
    *[
        (role, sql, 497)
        for role in (READER, AUDITOR, WRITER, MIGRATOR)
        for sql in (
            "SELECT * FROM file('/etc/passwd')",
            "SELECT * FROM FILE('/etc/passwd')",
            "SELECT * FROM file /* x */ ('/etc/passwd')",
            "SELECT * FROM file -- x\n('/etc/passwd')",
            "SELECT * FROM `file`('/etc/passwd')",
            "SELECT * FROM \"file\"('/etc/passwd')",
            "SELECT * FROM (SELECT * FROM view(SELECT * FROM url('http://x')))",
            "SELECT * FROM t JOIN s3('x') AS b USING a",
            "SELECT * FROM t WHERE a IN (SELECT a FROM remote('127.0.0.1', system.parts))",
            "WITH x AS (SELECT * FROM executable('sh', CSV, 'a String')) SELECT * FROM x",
            "DESCRIBE TABLE file('/etc/passwd')",
            "EXPLAIN SELECT * FROM file('/etc/passwd')",
            "SELECT file('/etc/passwd')",
            "SELECT aiGenerate('x')",
            "SELECT * FROM merge('system', 'parts')",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "SELECT 1 INTO/**/OUTFILE '/tmp/x' TRUNCATE",
            "SYSTEM RELOAD CONFIG",
            "SET max_threads = 1",
            "USE system",
            "KILL QUERY WHERE 1",
            "ATTACH TABLE t FROM '/etc'",
            "DETACH TABLE t",
            "GRANT ALL ON *.* TO reader",
            "BACKUP TABLE t TO Disk('x', 'y')",
            "EXECUTE AS scratch SELECT 1",
            "DELETE FROM t WHERE 1",
            "UPDATE t SET a = 1 WHERE 1",
        )
    ],
    (WRITER, "INSERT INTO FUNCTION file('/tmp/x') SELECT 1", 497),
    (WRITER, "INSERT INTO TABLE FUNCTION view(SELECT 1) SELECT 1", 497),
    (WRITER, "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV\n", 497),
    (WRITER, "INSERT INTO t VALUES (file('/etc/passwd'))", 497),
    (WRITER, "INSERT INTO t FORMAT Values (file('/etc/passwd'))", 497),
    (WRITER, "INSERT INTO t SELECT * FROM file('/etc/passwd')", 497),
    (WRITER, "CREATE TABLE t (a Int8) ENGINE = Memory", 497),
    (WRITER, "TRUNCATE TABLE t", 497),
    (WRITER, "ALTER TABLE t ADD COLUMN b String", 497),
    (WRITER, "OPTIMIZE TABLE t FINAL", 497),
    (MIGRATOR, "CREATE TABLE t (a Int8) ENGINE = File(CSV)", 497),
    (MIGRATOR, "CREATE TABLE t (a Int8) ENGINE File(CSV)", 497),
    (MIGRATOR, "CREATE TABLE t (a Int8) ENGINE = `File`(CSV)", 497),
    (MIGRATOR, "CREATE TABLE t (a Int8) ENGINE = /**/ URL('http://x')", 497),
    (MIGRATOR, "CREATE DATABASE d ENGINE = MySQL('x', 'y', 'z', 'w')", 497),
    (MIGRATOR, "CREATE TABLE t AS url('http://x')", 497),
    (MIGRATOR, "CREATE TABLE t (a String DEFAULT file('/etc/passwd')) ENGINE = Memory", 497),
    (MIGRATOR, "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(FILE(path '/x' format 'CSV')) LAYOUT(FLAT())", 497),
    (MIGRATOR, "CREATE FUNCTION f AS x -> x", 497),
    (MIGRATOR, "CREATE USER x", 497),
    (MIGRATOR, "CREATE NAMED COLLECTION x AS a = 1", 497),
    (MIGRATOR, "ALTER TABLE t UPDATE a = 1 WHERE 1", 497),
    (MIGRATOR, "ALTER TABLE t ADD COLUMN b String, DELETE WHERE 1", 497),
    (MIGRATOR, "ALTER TABLE t FREEZE", 497),
    (MIGRATOR, "ALTER USER reader IDENTIFIED BY 'x'", 497),
    (MIGRATOR, "DROP DATABASE `default`", 497),
    (MIGRATOR, "DROP USER x", 497),
    *[
        (role, sql, 497)
        for role in (READER, WRITER)
        for sql in (
            "SELECT * FROM system.parts",
            "SELECT * FROM system . parts",
            "SELECT * FROM system/**/./**/query_log",
            'SELECT * FROM "system"."parts"',
            "SELECT * FROM `system`.parts",
            "SELECT * FROM view(SELECT * FROM system.processes)",
            "SELECT a FROM t WHERE a IN (system.parts)",
        )
    ],
    *[
        (role, sql, 452)
        for role in (READER, WRITER, AUDITOR, MIGRATOR)
        for sql in (
            "SELECT 1 SETTINGS dialect = 'kusto'",
            "SELECT 1 SETTINGS max_threads = 1, dialect = 'kusto'",
            "SELECT * FROM (SELECT 1 SETTINGS `dialect` = 'kusto')",
            "SELECT * FROM parts SETTINGS database = 'system'",
            "SELECT 1 SETTINGS format_schema = '/etc/passwd'",
        )
    ],
    (
        MIGRATOR,
        "CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '/')",
        452,
    ),
    (MIGRATOR, "ALTER TABLE t MODIFY SETTING disk = 'x'", 452),
]


@pytest.mark.parametrize(("role", "sql"), ALLOWED)
def test_what_a_role_is_for_passes(role, sql):
    check(role, sql)


@pytest.mark.parametrize(("role", "sql", "code"), DENIED)
def test_what_a_role_is_not_for_is_refused(role, sql, code):
    with pytest.raises(DeniedError) as refused:
        check(role, sql)
    assert refused.value.code == code
    assert str(refused.value).startswith(f"{role.value}: ")


def test_a_setting_of_the_request_is_held_to_the_same_rule():
    check(READER, "SELECT 1", settings={"max_threads": "2", "final": "1"})
    for name in ("dialect", "implicit_select", "format_schema", "input_format_record_errors_file_path", "select"):
        with pytest.raises(DeniedError) as refused:
            check(READER, "SELECT 1", settings={name: "1"})
        assert refused.value.code == 452


def test_a_parameter_cannot_hide_a_name():
    with pytest.raises(DeniedError):
        check(READER, "SELECT * FROM {d:Identifier}.parts", parameters={"d": "system"})
    with pytest.raises(DeniedError):
        check(READER, "SELECT * FROM system.{t:Identifier}", parameters={"t": "parts"})
    with pytest.raises(DeniedError):
        check(READER, "SELECT * FROM {f:Identifier}('/etc/passwd')", parameters={"f": "file"})
    check(READER, "SELECT * FROM {t:Identifier}", parameters={"t": "ledger"})


def test_system_is_no_default_database_for_a_reader():
    with pytest.raises(DeniedError):
        check(READER, "SELECT * FROM parts", database="system")
    check(AUDITOR, "SELECT * FROM parts", database="system")
