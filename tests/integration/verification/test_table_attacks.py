"""What somebody with every right can do to the shipped table itself, constraints and all: mutations, TTL, partitions."""

from datetime import UTC, datetime

import pytest

from modeltrail.embedded.credentials import Role
from modeltrail.ledger.findings import Kind
from modeltrail.ledger.report import Verdict
from modeltrail.storage import migrations
from tests.integration.verification.scratch import check, first_faults, heads_of, insert, login
from tests.ledger.genuine import A0, A1, A2, B0, genuine

GENUINE = genuine()
HEADS = heads_of(GENUINE)
MONTHS = [int(datetime(2014, month, 5, tzinfo=UTC).timestamp() * 1000) for month in (1, 2, 3)]
AT_ONCE = {"mutations_sync": 2}

KEY, MISSING, HEAD = Kind.RECORD_HASH, Kind.MISSING, Kind.HEAD_MISSING


@pytest.fixture(scope="module")
def shipped(scratch_store):
    client = login(scratch_store, Role.SCRATCH, "modeltrail")
    client.command("CREATE DATABASE attacked")
    client.close()
    client = login(scratch_store, Role.SCRATCH, "attacked")
    migrations.apply(client)
    yield client
    client.close()


@pytest.fixture
def table(shipped):
    """The genuine ledger in three months of the shipped table: B0 0 to 7, 8 to 16, 17 to 24."""
    shipped.command("TRUNCATE TABLE ledger")
    months = [
        {B0: GENUINE[B0][:8], A0: GENUINE[A0]},
        {B0: GENUINE[B0][8:17], A1: GENUINE[A1]},
        {B0: GENUINE[B0][17:], A2: GENUINE[A2]},
    ]
    for month, rows in zip(MONTHS, months, strict=True):
        insert(shipped, rows, appended_at=month)
    return shipped


def run(client, *statements):
    for statement in statements:
        client.command(statement, settings=AT_ONCE)


MONTH_LATER = "toDateTime(appended_at) + INTERVAL 1 MONTH"
WHERE = f"chain = '{B0}' AND seq"

ATTACKS = {
    "a mutation changes a payload": ([f"ALTER TABLE ledger UPDATE value = 'x' WHERE {WHERE} = 5"], B0, 5, KEY),
    "a mutation changes a column that no hash covers": (
        [f"ALTER TABLE ledger UPDATE actor = 'nobody' WHERE {WHERE} = 5"], B0, 5, Kind.JUDGEMENT),
    "a mutation changes every log time": (
        [f"ALTER TABLE ledger UPDATE log_time = log_time + 1 WHERE {WHERE} >= 3"], B0, 3, Kind.LOG_TIME),
    "a mutation deletes an entry": ([f"ALTER TABLE ledger DELETE WHERE {WHERE} = 5"], B0, 5, MISSING),
    "a lightweight delete hides an entry": ([f"DELETE FROM ledger WHERE {WHERE} = 6"], B0, 6, MISSING),
    "a mutation deletes the first entry": ([f"ALTER TABLE ledger DELETE WHERE {WHERE} = 0"], B0, 0, MISSING),
    "a TTL expires the oldest entries": (
        [f"ALTER TABLE ledger MODIFY TTL {MONTH_LATER} DELETE WHERE chain = '{B0}' AND toMonth(appended_at) = 1",
         "OPTIMIZE TABLE ledger FINAL", "ALTER TABLE ledger REMOVE TTL"], B0, 0, MISSING),
    "a column's TTL empties the payloads": (
        [f"ALTER TABLE ledger MODIFY COLUMN value TTL {MONTH_LATER}", "OPTIMIZE TABLE ledger FINAL",
         "ALTER TABLE ledger MODIFY COLUMN value REMOVE TTL"], B0, 0, KEY),
    "the oldest month is dropped": (["ALTER TABLE ledger DROP PARTITION 201401"], B0, 0, MISSING),
    "a month in the middle is dropped": (["ALTER TABLE ledger DROP PARTITION 201402"], B0, 8, MISSING),
    "a month in the middle is detached": (["ALTER TABLE ledger DETACH PARTITION 201402"], B0, 8, MISSING),
    "a forged part is attached without constraints": (
        ["CREATE OR REPLACE TABLE forged AS ledger", "ALTER TABLE forged DROP CONSTRAINT record_hash_follows_from_record",
         f"INSERT INTO forged SELECT * REPLACE ('x' AS value) FROM ledger WHERE {WHERE} = 9",
         "ALTER TABLE ledger ATTACH PARTITION 201402 FROM forged"], B0, 9, KEY),
}  # fmt: skip

ONLY_WITH_HEADS = {
    "the newest month is dropped": (["ALTER TABLE ledger DROP PARTITION 201403"], B0, 24, HEAD),
    "the table is truncated to one epoch": ([f"ALTER TABLE ledger DELETE WHERE chain != '{A0}'"], B0, 24, HEAD),
    "an older copy of the table is put in its place": (
        ["DROP TABLE IF EXISTS copy", "CREATE TABLE copy AS ledger",
         "INSERT INTO copy SELECT * FROM ledger WHERE appended_at < toDateTime('2014-02-20 00:00:00', 'UTC')",
         "EXCHANGE TABLES copy AND ledger"], B0, 24, HEAD),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_the_table_is_found_by_both_verifiers(table, name):
    statements, chain, seq, kind = ATTACKS[name]
    run(table, *statements)
    for recompute in (False, True):
        report = check(table, recompute=recompute)
        assert report.verdict is Verdict.TAMPERED
        assert first_faults(report)[str(chain)] == (seq, kind)


@pytest.mark.parametrize("name", ONLY_WITH_HEADS)
def test_what_leaves_a_whole_ledger_behind_is_found_against_kept_heads(table, name):
    statements, chain, seq, kind = ONLY_WITH_HEADS[name]
    run(table, *statements)
    for recompute in (False, True):
        alone = check(table, recompute=recompute)
        assert alone.verdict is Verdict.HOLDS
        assert any("No kept heads" in line for line in alone.not_proven)
        report = check(table, recompute=recompute, heads=HEADS)
        assert report.verdict is Verdict.TAMPERED
        assert first_faults(report)[str(chain)] == (seq, kind)


def test_the_genuine_months_hold_before_any_of_it(table):
    for recompute in (False, True):
        assert check(table, recompute=recompute, heads=HEADS).verdict is Verdict.HOLDS
