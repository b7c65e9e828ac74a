"""What the doctor says of the store: schema, constraints, rights, disk."""

import time

import pytest

from modeltrail.doctor.rights import UserRole
from modeltrail.embedded.credentials import Role
from modeltrail.events.judge import Judgement
from modeltrail.ledger.chain import Chain
from modeltrail.storage.client import connect
from tests.storage.maker import ChainMaker, insert


def alter(installation, *statements):
    client = connect(installation.settings(Role.MIGRATOR).clickhouse)
    try:
        for statement in statements:
            client.command(statement)
    finally:
        client.close()


async def test_a_healthy_store_passes_every_check(shared, doctor):
    seen = await doctor(shared, user=Role.AUDITOR)
    assert {check: seen.outcome(check) for check in seen.by_check if check.startswith("store.")} == {
        check: "pass" for check in seen.by_check if check.startswith("store.")
    }
    assert seen.outcome("clock.store") == "pass"


@pytest.mark.parametrize("database", ["no_such_database", "default"])
async def test_a_database_without_schema_fails_and_names_the_command(shared, doctor, database):
    seen = await doctor(shared, MODELTRAIL_CLICKHOUSE__DATABASE=database)
    assert seen.outcome("store.schema") == "fail"
    assert seen["store.schema"].fix == "modeltrail migrate"
    assert seen.report.exit_code == 1
    assert seen.outcome("store.ledger_table") == "skipped"
    assert seen.outcome("store.version") == "pass"


async def test_a_record_of_a_migration_that_this_program_does_not_ship_fails(embedded, doctor):
    row = "(9999, 0, 'done', 'from_the_future', 'x', 'somebody')"
    alter(embedded, f"INSERT INTO schema_migrations (number, statement, state, name, sha256, by) VALUES {row}")
    seen = await doctor(embedded)
    assert seen.outcome("store.schema") == "fail"
    assert "9999_from_the_future" in seen["store.schema"].detail
    assert "upgrade" in seen["store.schema"].fix


async def test_a_ledger_without_a_constraint_fails(embedded, doctor):
    alter(embedded, "ALTER TABLE ledger DROP CONSTRAINT entry_hash_follows_from_entry")
    seen = await doctor(embedded)
    assert seen.outcome("store.ledger_table") == "fail"
    assert "without entry_hash_follows_from_entry" in seen["store.ledger_table"].detail


async def test_a_ledger_with_a_constraint_that_always_holds_fails(embedded, doctor):
    alter(
        embedded,
        "ALTER TABLE ledger DROP CONSTRAINT entry_hash_follows_from_entry",
        "ALTER TABLE ledger ADD CONSTRAINT entry_hash_follows_from_entry CHECK 1",
    )
    seen = await doctor(embedded)
    assert seen.outcome("store.ledger_table") == "fail"
    assert "another entry_hash_follows_from_entry" in seen["store.ledger_table"].detail


async def test_a_further_constraint_is_a_warning(embedded, doctor):
    alter(embedded, "ALTER TABLE ledger ADD CONSTRAINT of_mine CHECK seq < 1000")
    seen = await doctor(embedded)
    assert seen.outcome("store.ledger_table") == "warn"
    assert "of_mine" in seen["store.ledger_table"].detail


async def test_a_ledger_that_is_not_replicated_as_the_settings_say_fails(shared, doctor):
    seen = await doctor(shared, MODELTRAIL_CLICKHOUSE__REPLICATED="true")
    assert seen.outcome("store.ledger_table") == "fail"
    assert seen["store.ledger_table"].fix == "set clickhouse.replicated = false"


async def test_refused_records_are_a_warning_with_their_number_topic_and_reason(embedded, doctor):
    seen = await doctor(embedded, user=Role.READER, probe=False)
    assert seen.outcome("store.rejections") == "pass"
    topic = "modeltrail.outcomes"
    log = ChainMaker(Chain("a", topic, 0, 0, 0))
    late = Judgement("rejected", "data.observed_at: missing: is required", "invalid_data", "binary")
    for number in range(3):
        log.judged(late, b"%d" % number)
    log.judged(Judgement("rejected", "not JSON", "not_json", ""), b"x")
    again = log.next_epoch(4)
    again.judged(late, b"3")
    old = ChainMaker(Chain("b", topic, 0, 0, 0))
    old.judged(late, b"0")
    client = connect(embedded.settings(Role.WRITER).clickhouse)
    try:
        for row in (*log.rows, *again.rows):
            insert(client, [row], appended_at=time.time_ns() // 1_000_000)
        insert(client, old.rows)  # 2023
    finally:
        client.close()
    seen = await doctor(embedded, user=Role.READER, probe=False)
    finding = seen["store.rejections"]
    assert (finding.outcome.value, finding.exit_code) == ("warn", 0)
    assert finding.detail == (
        "5 records were refused by the contract in the last 30 days and are in no typed table, most often (4) in "
        "modeltrail.outcomes: data.observed_at: missing: is required"
    )
    assert "the view rejections or the topic " in finding.fix
    assert ".rejected" in finding.fix


@pytest.mark.parametrize(
    ("user", "role", "outcome", "says"),
    [
        (Role.READER, None, "pass", "may read only"),
        (Role.READER, UserRole.READER, "pass", "may read only"),
        (Role.READER, UserRole.WRITER, "fail", "meant to write and may not"),
        (Role.AUDITOR, UserRole.READER, "pass", "may read only"),
        (Role.WRITER, None, "pass", "may append"),
        (Role.WRITER, UserRole.WRITER, "pass", "may append"),
        (Role.WRITER, UserRole.READER, "fail", "meant to read and may write"),
        (Role.WRITER, UserRole.MIGRATOR, "fail", "meant to migrate and may not"),
        (Role.MIGRATOR, None, "warn", "may drop, empty or redefine"),
        (Role.MIGRATOR, UserRole.WRITER, "fail", "may drop, empty or redefine"),
        (Role.MIGRATOR, UserRole.MIGRATOR, "pass", "a migrator"),
    ],
)
async def test_rights_are_judged_by_what_the_user_is_meant_for(shared, doctor, user, role, outcome, says):
    seen = await doctor(shared, user=user, role=role, probe=False)
    assert seen.outcome("store.rights") == outcome
    assert says in seen["store.rights"].detail
    assert bool(seen["store.rights"].fix) == (outcome != "pass")


@pytest.mark.parametrize(("user", "outcome"), [(Role.READER, "skipped"), (Role.AUDITOR, "pass")])
async def test_who_may_not_see_the_disks_skips_them(shared, doctor, user, outcome):
    seen = await doctor(shared, user=user, probe=False)
    assert seen.outcome("store.disk") == outcome


async def test_asking_for_rights_changes_nothing(shared, doctor):
    def state():
        client = shared.client()
        try:
            tables = (
                "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name"
            )
            mutations = "SELECT count() FROM system.mutations WHERE database = currentDatabase()"
            return client.query(tables).result_rows, client.query(mutations).result_rows
        finally:
            client.close()

    before = state()
    for user in (Role.READER, Role.WRITER, Role.MIGRATOR):
        await doctor(shared, user=user, probe=False)
    assert state() == before
