"""A rebuilt table is row for row what it was, and nothing that comes in meanwhile is lost."""

import json
import threading
from random import Random

import pytest
from typer.testing import CliRunner

from modeltrail.cli.main import app, main
from modeltrail.embedded.credentials import Role
from modeltrail.errors import ConfigurationError
from modeltrail.storage import missing, rebuild
from modeltrail.storage.client import connect
from modeltrail.storage.migration_files import load
from modeltrail.storage.projections import projections
from modeltrail.storage.rebuild import choose, discard, plan, rebuild_table
from modeltrail.storage.schema_lock import SchemaLock
from tests.storage.events import TYPES, draw
from tests.storage.maker import insert

MIGRATIONS = len(load())
FIRST_TWO = "SELECT chain, seq FROM predictions FINAL ORDER BY chain, seq LIMIT 2"

PREDICTIONS = next(item for item in projections() if item.table == "predictions")
KIND = {kind.table: kind for kind in TYPES}


def contents(client, table):
    found = client.query(f"SELECT * FROM {table} FINAL ORDER BY chain, seq, entry_hash").result_rows
    return [repr(row) for row in found]


def definitions(client):
    return client.query(
        "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name"
    ).result_rows


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch):
    """Several ranges with few entries."""
    monkeypatch.setattr(missing, "RANGE", 10)


@pytest.fixture
def filled(own, chain):
    """A database with two epochs of a chain, all types, rejects and gaps among them."""
    random = Random(11)
    for _ in range(3):
        for kind in TYPES:
            chain.event(draw(kind, random))
        chain.gap(chain.sequencer.next_offset + 1)
    second = chain.next_epoch(5)
    for row in chain.rows[5:9]:
        second.again(row)
    second.event(draw(KIND["predictions"], random))
    insert(own, chain.rows)
    insert(own, second.rows)
    return own


def rebuild_all(client):
    with SchemaLock(client) as lock:
        for projection in projections():
            rebuild_table(client, lock, projection)


def test_every_table_is_row_for_row_the_same(filled):
    before = {table: contents(filled, table) for table in KIND}
    made = definitions(filled)
    rebuild_all(filled)
    assert {table: contents(filled, table) for table in KIND} == before
    assert definitions(filled) == made


def test_forged_and_missing_rows_are_gone_after_it(filled):
    before = contents(filled, "predictions")
    filled.command("INSERT INTO predictions (chain, seq, item_id, offset) VALUES ('x', 7, 'forged', 1)")
    filled.command("ALTER TABLE predictions DELETE WHERE seq = 0", settings={"mutations_sync": 2})
    assert contents(filled, "predictions") != before
    with SchemaLock(filled) as lock:
        rebuild_table(filled, lock, PREDICTIONS)
    assert contents(filled, "predictions") == before


def test_missing_rows_are_added_and_nothing_else(filled):
    before = contents(filled, "predictions")
    assert missing.fill_missing(filled, PREDICTIONS) == 0
    some = ", ".join(str(seq) for seq in sorted(row[1] for row in filled.query(FIRST_TWO).result_rows))
    filled.command(f"ALTER TABLE predictions DELETE WHERE seq IN ({some})", settings={"mutations_sync": 2})
    assert missing.fill_missing(filled, PREDICTIONS, dry_run=True) == 2
    assert len(contents(filled, "predictions")) == len(before) - 2
    assert missing.fill_missing(filled, PREDICTIONS) == 2
    assert contents(filled, "predictions") == before
    assert missing.fill_missing(filled, PREDICTIONS) == 0


def test_a_forged_row_does_not_hide_a_missing_one(filled):
    filled.command("ALTER TABLE predictions DELETE WHERE seq = 0", settings={"mutations_sync": 2})
    filled.command(
        "INSERT INTO predictions (chain, seq, cluster, topic, item_id, offset) "
        "SELECT toString(chain), 1, cluster, topic, 'forged', 77 FROM ledger WHERE epoch = 0 LIMIT 1"
    )
    assert missing.fill_missing(filled, PREDICTIONS) == 1


@pytest.mark.parametrize("table", ["outcomes", "classifications", "runs_items_skipped"])
def test_the_lower_epoch_comes_back_where_only_the_higher_was_left(filled, table):
    projection = next(item for item in projections() if item.table == table)
    before = contents(filled, table)
    filled.command(f"TRUNCATE TABLE {table}")
    second = filled.query("SELECT toString(chain) FROM ledger WHERE epoch = 1 LIMIT 1").result_rows[0][0]
    filled.command(
        projection.insert_from("SELECT * FROM ledger FINAL WHERE chain = {chain:String}"), parameters={"chain": second}
    )
    missing.fill_missing(filled, projection)
    assert contents(filled, table) == before


class Died(BaseException):
    pass


class DyingClient:
    """Dies after its nth command."""

    def __init__(self, client, nth):
        self._client = client
        self._left = nth

    def __getattr__(self, name):
        return getattr(self._client, name)

    def command(self, *args, **kwargs):
        result = self._client.command(*args, **kwargs)
        self._left -= 1
        if self._left == 0:
            raise Died
        return result


def test_a_rebuild_that_died_anywhere_is_finished_by_the_next(filled, chain):
    """Blocks go on coming in between, and forged rows of the old table never come back."""
    made = definitions(filled)
    random = Random(4)
    for nth in range(1, 60):
        filled.command(f"INSERT INTO predictions (chain, seq, item_id, offset) VALUES ('x', {nth}, 'forged', 1)")
        with SchemaLock(filled) as lock:
            try:
                rebuild_table(DyingClient(filled, nth), lock, PREDICTIONS)
                finished = True
            except Died:
                finished = False
            insert(filled, [chain.event(draw(KIND["predictions"], random))])
            if not finished:
                rebuild_table(filled, lock, PREDICTIONS)
        assert definitions(filled) == made, nth
        expected = filled.query(
            "SELECT uniqExact(offset, timestamp, record_hash) FROM ledger WHERE type = {type:String} AND status = 'valid'",
            {"type": PREDICTIONS.type},
        ).result_rows[0][0]
        assert filled.query("SELECT count(), countIf(item_id = 'forged') FROM predictions FINAL").result_rows == [
            (expected, 0)
        ], nth
        if finished:
            break
    assert nth > 8, "every command has been the last one"


def test_a_resumed_rebuild_reads_only_what_is_left(filled):
    with SchemaLock(filled) as lock:
        with pytest.raises(Died):  # lock, shadow, view, first range
            rebuild_table(DyingClient(filled, 3), lock, PREDICTIONS)
        whole = plan(filled, PREDICTIONS)
        left = sum(
            part.entries for part in missing.incomplete_ranges(filled, PREDICTIONS, table="predictions__rebuild")
        )
        done = rebuild_table(filled, lock, PREDICTIONS)
    assert 0 < left < whole.rows
    assert done.rows == whole.rows


def test_what_an_interrupted_rebuild_left_can_be_dropped(filled):
    made = definitions(filled)
    with SchemaLock(filled) as lock, pytest.raises(Died):
        rebuild_table(DyingClient(filled, 3), lock, PREDICTIONS)
    assert definitions(filled) != made
    assert discard(filled, PREDICTIONS)
    assert definitions(filled) == made
    assert not discard(filled, PREDICTIONS)


def test_nothing_is_lost_while_blocks_come_in(filled, chain, address):
    """A writer inserts without a pause while the table is rebuilt several times."""
    random = Random(8)
    stop = threading.Event()
    inserted = []
    writer = connect(address(filled.database, Role.WRITER))

    def write():
        while not stop.is_set():
            block = [chain.event(draw(KIND["predictions"], random)) for _ in range(20)]
            insert(writer, block)
            inserted.extend(block)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3):
            seen = len(inserted)
            with SchemaLock(filled) as lock:
                rebuild_table(filled, lock, PREDICTIONS)
            while len(inserted) == seen and thread.is_alive():
                stop.wait(0.01)
    finally:
        stop.set()
        thread.join()
        writer.close()
    assert len(inserted) > 60
    found = {row[0] for row in filled.query("SELECT entry_hash FROM predictions FINAL").result_rows}
    assert {row.entry_hash for row in inserted} <= found
    assert missing.fill_missing(filled, PREDICTIONS) == 0


def test_an_insert_under_way_is_outlived(filled, monkeypatch):
    asked = iter([{"a", "b"}, {"a", "b", "c"}, {"b", "c"}, {"c"}])
    monkeypatch.setattr(rebuild, "_inserts", lambda _client: next(asked))
    rebuild._outlive_inserts(filled)
    assert list(asked) == []


def test_an_unknown_table_is_refused_with_the_names():
    with pytest.raises(
        ConfigurationError, match="--table: 'ledger' is no typed table: expected one of predictions, out"
    ):
        choose("ledger")
    assert [item.table for item in choose("actions")] == ["actions"]


@pytest.fixture
def command(filled, address, monkeypatch, capsys, tmp_path):
    """Run the command line against the database; returns exit code and what --json printed."""
    monkeypatch.chdir(tmp_path)
    settings = address(filled.database, Role.MIGRATOR)
    for name in ("host", "port", "user", "database"):
        monkeypatch.setenv(f"MODELTRAIL_CLICKHOUSE__{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("MODELTRAIL_CLICKHOUSE__PASSWORD", settings.password.get_secret_value())

    def run(*arguments):
        code = main([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


def test_the_command_rebuilds_fills_and_plans(command, filled):
    before = {table: contents(filled, table) for table in KIND}
    code, document = command("rebuild", "--table", "predictions", "--dry-run")
    assert (code, document["tables"][0]["rows"]) == (0, len(before["predictions"]))
    filled.command("TRUNCATE TABLE outcomes")
    code, document = command("rebuild", "--missing", "--dry-run", "--table", "outcomes")
    assert (code, document["tables"]) == (0, [{"table": "outcomes", "missing": len(before["outcomes"])}])
    code, document = command("rebuild", "--missing")
    assert code == 0
    assert {item["table"]: item["added"] for item in document["tables"]}["outcomes"] == len(before["outcomes"])
    code, document = command("rebuild")
    assert code == 0
    assert {item["table"]: item["rows"] for item in document["tables"]} == {
        key: len(rows) for key, rows in before.items()
    }
    assert {table: contents(filled, table) for table in KIND} == before
    code, document = command("rebuild", "--discard")
    assert (code, {item["discarded"] for item in document["tables"]}) == (0, {False})


def test_the_command_refuses_what_cannot_be(command):
    assert command("rebuild", "--table", "nix")[0] == 2
    assert command("rebuild", "--discard", "--missing")[0] == 2


def test_the_command_migrates_plans_and_says_when_typed_tables_are_new(command, filled, new_database, monkeypatch):
    assert command("migrate") == (
        0,
        {
            "database": filled.database, "database_created": False, "applied": [],
            "migrations": MIGRATIONS, "dry_run": False, "rebuild_needed": False,
        },
    )  # fmt: skip
    monkeypatch.setenv("MODELTRAIL_CLICKHOUSE__DATABASE", f"{new_database()}_new")
    code, document = command("migrate", "--dry-run")
    assert (code, document["database_created"], len(document["applied"])) == (0, True, MIGRATIONS)
    assert command("verify")[0] != 0
    code, document = command("migrate")
    assert (code, document["database_created"], len(document["applied"])) == (0, True, MIGRATIONS)


def test_help_of_both_commands_is_whole():
    for name in ("migrate", "rebuild"):
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0
