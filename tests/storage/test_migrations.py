"""The schema goes forward, once, from anywhere it stopped, whoever else is at it."""

import threading
from pathlib import Path

import pytest

from modeltrail.embedded.credentials import Role
from modeltrail.errors import AccessError, ConfigurationError, SchemaVersionError, StoreUnavailableError
from modeltrail.settings.model import ClickHouse
from modeltrail.storage import migrations
from modeltrail.storage.client import connect
from modeltrail.storage.migration_files import load, parse_migration
from modeltrail.storage.migrations import MigrationState, apply, create_database, require_current, status
from modeltrail.storage.queries import sql
from modeltrail.storage.schema_lock import SchemaLock

TWO = [
    parse_migration(
        1, "first", "CREATE TABLE a (x Int8) ENGINE = Memory;\n\nCREATE TABLE b (x Int8) ENGINE = Memory;\n"
    ),
    parse_migration(
        2,
        "second",
        "-- why\nALTER TABLE a MODIFY COMMENT 'c';\n\nCREATE VIEW v AS\nSELECT x\nFROM a;\n\nDROP TABLE IF EXISTS b;\n",
    ),
]


def tables(client):
    found = client.query("SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name").result_rows
    return [row[0] for row in found]


def schema(client):
    """Name and definition of everything but the records, and a lock whose holder died when all was done."""
    return client.query(
        "SELECT name, create_table_query FROM system.tables "
        "WHERE database = currentDatabase() AND name NOT IN ('schema_migrations', 'schema_lock') ORDER BY name"
    ).result_rows


def test_an_empty_database_gets_every_migration_once(fresh):
    assert apply(fresh, migrations=TWO) == TWO
    assert tables(fresh) == ["a", "schema_migrations", "v"]
    assert apply(fresh, migrations=TWO) == []
    assert [item.state for item in status(fresh, TWO)] == [MigrationState.APPLIED] * 2
    require_current(fresh, TWO)


def test_a_dry_run_changes_nothing(fresh):
    assert apply(fresh, migrations=TWO, dry_run=True) == TWO
    assert tables(fresh) == []


def test_progress_names_every_statement(fresh):
    seen = []
    apply(fresh, migrations=TWO, progress=lambda migration, position: seen.append((migration.number, position)))
    assert seen == [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]


def test_a_database_without_schema_says_what_to_run(fresh):
    with pytest.raises(SchemaVersionError, match="no schema yet: run `modeltrail migrate`"):
        require_current(fresh, TWO)


def test_an_older_schema_says_what_is_missing(fresh):
    apply(fresh, migrations=TWO[:1])
    with pytest.raises(SchemaVersionError, match=r"older than this program .0002_second missing"):
        require_current(fresh, TWO)


def test_a_newer_schema_is_refused_by_everybody(fresh):
    apply(fresh, migrations=TWO)
    for call in (require_current, lambda client, shipped: apply(client, migrations=shipped)):
        with pytest.raises(SchemaVersionError, match=r"newer than this program .it has 0002_second"):
            call(fresh, TWO[:1])


def test_a_migration_that_changed_after_it_was_applied_is_refused(fresh):
    apply(fresh, migrations=TWO)
    changed = [TWO[0], parse_migration(2, "second", "DROP TABLE IF EXISTS b;\n")]
    for call in (require_current, lambda client, shipped: apply(client, migrations=shipped)):
        with pytest.raises(SchemaVersionError, match="0002_second was applied with another content"):
            call(fresh, changed)


def test_line_ends_do_not_change_a_checksum():
    text = "CREATE TABLE a\n(x Int8) ENGINE = Memory;\n"
    assert parse_migration(1, "a", text.replace("\n", "\r\n")) == parse_migration(1, "a", text)


class DyingClient:
    """A client that dies at its nth command: before the server gets it, or after it was carried out."""

    class DiedError(BaseException):
        pass

    def __init__(self, client, nth, *, before):
        self._client = client
        self._left = nth
        self._before = before

    def __getattr__(self, name):
        return getattr(self._client, name)

    def command(self, *args, **kwargs):
        self._left -= 1
        if self._left == 0 and self._before:
            raise self.DiedError
        result = self._client.command(*args, **kwargs)
        if self._left == 0:
            raise self.DiedError
        return result


@pytest.fixture
def nobody_waits(monkeypatch):
    """A lock counts as stale at once, as after the time that a dead holder costs."""
    monkeypatch.setattr(SchemaLock.__init__, "__kwdefaults__", {"stale_s": 0, "wait_s": 10.0})


@pytest.mark.parametrize("before", [True, False])
def test_a_run_that_dies_at_any_command_is_finished_by_the_next(address, new_database, before, nobody_waits):
    client = connect(address(new_database()))
    apply(client, migrations=TWO)
    wanted = [(name, text.replace(f"{client.database}.", "db.")) for name, text in schema(client)]
    for nth in range(1, 100):
        client = connect(address(new_database()))
        try:
            apply(DyingClient(client, nth, before=before), migrations=TWO)
            break
        except DyingClient.DiedError:
            apply(client, migrations=TWO)
        assert [(name, text.replace(f"{client.database}.", "db.")) for name, text in schema(client)] == wanted, nth
        require_current(client, TWO)
        client.close()
    assert nth > 15, "every command has been the last one"


def test_a_statement_that_was_mended_after_it_failed_is_taken(fresh):
    broken = [TWO[0], parse_migration(2, "second", "ALTER TABLE nothing MODIFY COMMENT 'c';\n")]
    with pytest.raises(SchemaVersionError):
        apply(fresh, migrations=broken)
    assert [item.state for item in status(fresh, TWO)] == [MigrationState.APPLIED, MigrationState.PARTIAL]
    assert apply(fresh, migrations=TWO) == TWO[1:]
    require_current(fresh, TWO)


def test_a_table_that_no_migration_made_is_not_taken_for_ours(fresh):
    fresh.command("CREATE TABLE b (y String) ENGINE = Memory")
    with pytest.raises(SchemaVersionError, match="b exists already and no migration made it"):
        apply(fresh, migrations=TWO)


def test_two_machines_at_once_apply_each_statement_together_once(address, new_database):
    database = new_database()
    clients = [connect(address(database)) for _ in range(4)]
    start = threading.Barrier(len(clients))
    outcomes = []

    def run(client):
        start.wait()
        try:
            apply(client)
            outcomes.append(None)
        except Exception as error:  # noqa: BLE001 - told below
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [None] * len(clients)
    require_current(clients[0])
    done = clients[0].query(
        "SELECT number, statement, count() FROM schema_migrations WHERE state = 'begun' GROUP BY ALL HAVING count() > 1"
    )
    assert done.result_rows == []
    assert "schema_lock" not in tables(clients[0])


def test_a_living_holder_is_waited_for_and_named(fresh):
    with SchemaLock(fresh), pytest.raises(StoreUnavailableError, match=r"is running \(.* process \d+\)"):
        SchemaLock(fresh, wait_s=0.3).renew()
    SchemaLock(fresh, wait_s=0.0).renew()


def test_a_dead_holder_is_followed(fresh):
    dead = SchemaLock(fresh)
    dead.renew()
    with SchemaLock(fresh, stale_s=0), SchemaLock(fresh, stale_s=0):
        pass
    assert "schema_lock" not in tables(fresh)
    dead.__exit__()
    assert dead._take()


def test_the_shipped_schema_is_sound(migrated, address):
    client = connect(address(migrated, Role.READER))
    require_current(client)
    without = client.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = '' "
        "AND table NOT LIKE '%\\_from\\_ledger' AND table IN "
        "(SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')"
    )
    assert without.result_rows == []
    silent = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = '' AND name != 'ledger'"
    )
    assert silent.result_rows == []
    client.close()


def test_a_reader_and_a_writer_need_no_right_to_define_anything(migrated, address):
    for role in (Role.READER, Role.WRITER, Role.AUDITOR):
        client = connect(address(migrated, role))
        require_current(client)
        assert apply(client) == []
        client.close()


def test_a_user_who_may_not_migrate_is_told_so(new_database, address):
    client = connect(address(new_database(), Role.WRITER))
    with pytest.raises(AccessError, match="a right is missing"):
        apply(client)
    client.close()


def test_a_missing_database_is_made(address, new_database):
    settings = address(f"{new_database()}_more", Role.MIGRATOR)
    with pytest.raises(SchemaVersionError, match="run `modeltrail migrate`"):
        connect(settings)
    assert create_database(settings)
    assert not create_database(settings)
    connect(settings).close()


@pytest.mark.parametrize("name", ["", "a b", "a`; DROP DATABASE x", "1a", "é", "a.b", "x" * 64])
def test_a_database_name_that_needs_quoting_is_refused(name):
    with pytest.raises(ConfigurationError, match=r"clickhouse.database"):
        create_database(ClickHouse.model_construct(database=name))


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = Memory;",
        "INSERT INTO a VALUES (1);",
        "DROP TABLE a;",
        "ALTER TABLE a ADD COLUMN y Int8;",
        "ALTER TABLE a DELETE WHERE 1;",
        "ALTER TABLE a UPDATE x = 1 WHERE 1;",
        "TRUNCATE TABLE a;",
        "CREATE TABLE a (x Int8) ENGINE = Memory",
        "-- nothing",
    ],
)
def test_a_statement_that_could_not_be_resumed_is_refused(text):
    with pytest.raises(ValueError, match="migration 0001"):
        parse_migration(1, "a", text)


def test_a_hole_in_the_numbers_is_refused(tmp_path: Path):
    for number in (1, 3):
        (tmp_path / f"{number:04}_a.sql").write_text("DROP TABLE IF EXISTS a;\n")
    with pytest.raises(ValueError, match="migration 0003: expected number 0002"):
        load(tmp_path)


def test_access_names_every_table_and_view(migrated, address, client):
    access = (Path(__file__).parents[2] / "schemas" / "clickhouse" / "access.sql").read_text(encoding="utf-8")
    body = "\n".join(line for line in access.splitlines() if not line.startswith("--"))
    statements = [text.strip() for text in body.split(";") if text.strip()]
    for text in statements:
        client.query("SELECT formatQuerySingleLine({text:String})", {"text": text})
    relations = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'MaterializedView'"
    ).result_rows
    for (name,) in relations:
        assert f"ON modeltrail.{name} TO mt_reader" in access.replace("\n", " "), name
    assert sql("migrations/records")
    assert migrations.__all__
