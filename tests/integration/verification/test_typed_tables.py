"""The typed tables against the ledger: what dashboards read is what was chained."""

import time

import pytest

from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.findings import Kind
from modeltrail.ledger.report import Verdict
from modeltrail.ledger.sequencer import Sequencer
from modeltrail.storage import verify_projections
from modeltrail.storage.projections import projections
from modeltrail.storage.queries import sql
from modeltrail.storage.verify_ledger import VerifyRequest, verify_ledger
from tests.integration.verification.scratch import (
    GENUINE,
    MODES,
    SpyClient,
    check,
    first_faults,
    insert,
    scratch_database,
)
from tests.ledger.genuine import A0, A1, B0, fold, head_of


class Landing(SpyClient):
    """The typed rows of an insert land after the first look at the differences."""

    def __init__(self, client):
        super().__init__(client)
        self.landed = False

    def query(self, text, **options):
        answer = super().query(text, **options)
        if text == sql("verify/projection_young") and not self.landed:
            self._client.command("INSERT INTO actions SELECT * FROM kept WHERE seq > 20")
            self.landed = True
        return answer


class TestTypedTables:
    def actions(self, client, where):
        return f"INSERT INTO actions SELECT * REPLACE ({where}) FROM actions FINAL"

    @MODES
    def test_what_the_views_made_holds(self, typed, recompute):
        insert(typed, GENUINE)
        report = check(typed, recompute=recompute, views=projections())
        assert report.verdict is Verdict.HOLDS
        rows = {projection.table: projection.rows for projection in report.projections}
        assert rows["actions"] == sum(row.status == "valid" for chain in GENUINE.values() for row in chain) > 0
        assert not any("typed tables were not compared" in line for line in report.not_proven)

    def test_they_are_left_out_of_partial_verifications_unless_asked_for(self, typed):
        insert(typed, GENUINE)
        typed.command("TRUNCATE TABLE actions")
        assert check(typed, recompute=False, views=projections(), chain=str(B0), first=3).verdict is Verdict.HOLDS
        asked = check(typed, recompute=False, views=projections(), chain=str(B0), first=3, projections=True)
        assert first_faults(asked) == {}
        assert asked.verdict is Verdict.NOT_WHOLE
        unasked = check(typed, recompute=False, views=projections(), projections=False)
        assert unasked.verdict is Verdict.HOLDS
        assert any("typed tables were not compared" in line for line in unasked.not_proven)

    def test_a_missing_row_is_incomplete_and_no_fault(self, typed):
        insert(typed, GENUINE)
        typed.command(f"ALTER TABLE actions DELETE WHERE chain = '{B0}' AND seq = 11", settings={"mutations_sync": 1})
        report = check(typed, recompute=False, views=projections())
        assert (report.verdict, report.verdict.exit_code) == (Verdict.NOT_WHOLE, 4)
        chain = next(chain for chain in report.chains if chain.chain == str(B0))
        assert [(one.kind, one.seq) for one in chain.told()] == [(Kind.PROJECTION_MISSING, 11)]

    def test_an_empty_typed_table_is_incomplete(self, typed):
        insert(typed, GENUINE)
        typed.command("TRUNCATE TABLE actions")
        report = check(typed, recompute=False, views=projections())
        assert report.verdict is Verdict.NOT_WHOLE
        actions = next(projection for projection in report.projections if projection.table == "actions")
        assert (actions.missing, actions.differing, actions.extra) == (actions.rows, 0, 0)

    @pytest.mark.parametrize(
        "change",
        ["'closed' AS action", "resource_type || 'x' AS resource_type", "'{\"a\":1}' AS data", "'nobody' AS actor",
         "time + 1 AS time", "log_time + 1 AS log_time", "toFixedString(unhex(repeat('00', 32)), 32) AS entry_hash"],
    )  # fmt: skip
    def test_a_changed_row_is_tampering(self, typed, change):
        insert(typed, GENUINE)
        typed.command(
            f"INSERT INTO actions SELECT * REPLACE ({change}) FROM actions FINAL WHERE chain = '{B0}' AND seq = 11"
        )
        report = check(typed, recompute=False, views=projections())
        assert first_faults(report) == {str(B0): (11, Kind.PROJECTION_DIFFERS)}

    def test_a_row_that_is_changed_and_put_elsewhere_is_tampering(self, typed):
        insert(typed, GENUINE)
        typed.command(
            f"INSERT INTO actions SELECT * REPLACE ('item-0' AS resource_id) FROM actions WHERE chain = '{B0}' AND seq = 11"
        )
        report = check(typed, recompute=False, views=projections())
        assert first_faults(report) == {str(B0): (11, Kind.PROJECTION_DIFFERS)}

    @pytest.mark.parametrize(
        ("seq", "chain", "found"),
        [(4, str(B0), (4, Kind.PROJECTION_EXTRA)), (25, str(B0), (25, Kind.PROJECTION_EXTRA)),
         (2**62, str(B0), (2**62, Kind.PROJECTION_EXTRA)), (-3, str(B0), (-3, Kind.PROJECTION_EXTRA)),
         (0, "nowhere/t/0/0-0", (0, Kind.PROJECTION_EXTRA))],
        ids=["of a rejected record", "beyond the end", "far beyond the end", "before the beginning", "of no chain"],
    )  # fmt: skip
    def test_a_row_for_no_entry_is_tampering(self, typed, seq, chain, found):
        insert(typed, GENUINE)
        typed.command(
            f"INSERT INTO actions SELECT * REPLACE ({seq} AS seq, '{chain}' AS chain, offset + 1000 AS offset)"
            f" FROM (SELECT * FROM actions WHERE chain = '{B0}' AND seq = 11)"
        )
        report = check(typed, recompute=False, views=projections())
        assert first_faults(report) == {chain: found}

    def test_a_typed_table_that_is_gone_is_incomplete(self, scratch_store):
        client = scratch_database(scratch_store, "without_actions", whole=True)
        insert(client, GENUINE)
        client.command("DROP TABLE actions_from_ledger")
        client.command("DROP TABLE actions")
        report = check(client, recompute=False, views=projections())
        assert report.verdict is Verdict.NOT_WHOLE
        assert [one.text for one in report.findings] == ["an entry lacks its typed row: there is no table actions"]
        client.close()

    @pytest.mark.parametrize("status", ["valid", "rejected"])
    def test_a_status_that_was_changed_in_the_ledger_shows_in_the_typed_tables(self, typed, status):
        tampered = GENUINE.copy()
        insert(typed, GENUINE)
        seq = 4 if status == "valid" else 12
        kind = "modeltrail.action.recorded.v1"
        tampered[B0][seq] = tampered[B0][seq]._replace(status=status, type=kind)
        typed.command(f"ALTER TABLE ledger UPDATE status = '{status}', type = '{kind}' WHERE chain = '{B0}' AND seq = {seq}",
                      settings={"mutations_sync": 1})  # fmt: skip
        report = check(typed, recompute=False, views=projections())
        assert report.verdict is not Verdict.HOLDS

    def test_rows_that_a_zombie_wrote_again_are_no_finding(self, typed):
        typed.command("SYSTEM STOP MERGES actions")
        insert(typed, GENUINE)
        insert(typed, GENUINE, appended_at=1_399_534_500_000)
        assert check(typed, recompute=False, views=projections()).verdict is Verdict.HOLDS
        typed.command("SYSTEM START MERGES actions")

    def test_a_record_that_stands_in_two_epochs_needs_one_typed_row(self, typed):
        again = A1._replace(first_offset=25)
        rows = fold(Sequencer.begin(again, GenesisReason.REPLACED, head_of(GENUINE[A0][-1])), 34)
        insert(typed, {again: rows})
        insert(typed, {A0: GENUINE[A0]})
        report = check(typed, recompute=False, views=projections())
        assert report.verdict is Verdict.HOLDS
        typed.command(f"ALTER TABLE actions DELETE WHERE chain = '{A0}' AND seq = 24", settings={"mutations_sync": 1})
        report = check(typed, recompute=False, views=projections())
        assert report.verdict is Verdict.NOT_WHOLE

    def test_a_row_of_an_insert_that_is_under_way_is_waited_for(self, typed):
        insert(typed, GENUINE, appended_at=int(time.time() * 1000))
        typed.command("CREATE TABLE kept AS actions")
        typed.command("INSERT INTO kept SELECT * FROM actions")
        typed.command("ALTER TABLE actions DELETE WHERE seq > 20", settings={"mutations_sync": 1})
        lands = Landing(typed)
        report = verify_ledger(lands, VerifyRequest(), views=projections(), insert_seconds=30.0)
        assert lands.landed
        assert report.verdict is Verdict.HOLDS
        typed.command("DROP TABLE kept")

    def test_hundreds_of_chains_are_verified_together(self, typed):
        many = {}
        for partition in range(450):
            chain = B0._replace(partition=partition, cluster="x" * 200)
            many[chain] = fold(Sequencer.begin(chain, GenesisReason.START, None), 6)
        insert(typed, many)
        for recompute in (False, True):
            report = check(typed, recompute=recompute, views=projections())
            assert (report.verdict, report.entries, len(report.chains)) == (Verdict.HOLDS, 900, 450)
        worst = str(B0._replace(partition=333, cluster=chain.cluster))
        typed.command(
            f"INSERT INTO actions SELECT * REPLACE ('x' AS action) FROM actions WHERE chain = '{worst}' AND seq = 1"
        )
        assert first_faults(check(typed, recompute=False, views=projections())) == {worst: (1, Kind.PROJECTION_DIFFERS)}

    def test_buckets_that_differ_are_looked_at_in_groups(self):
        size = verify_projections._DIFFERENCES_AT_ONCE // verify_projections._BUCKET
        groups = list(verify_projections._groups([0, 1, 2, size + 5, size + 6, 4 * size]))
        assert groups == [(0, 2), (size + 5, size + 6), (4 * size, 4 * size)]
        assert list(verify_projections._groups([])) == []
        assert list(verify_projections._groups(range(2 * size))) == [(0, size - 1), (size, 2 * size - 1)]
