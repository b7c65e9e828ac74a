"""Verification on the real engine: both modes find every attack where it is, and nothing where nothing is."""

import clickhouse_connect.driver.exceptions
import pytest

from modeltrail.embedded.credentials import Role
from modeltrail.errors import ConfigurationError, NotVerifiableError
from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.findings import Kind
from modeltrail.ledger.heads import KeptHead
from modeltrail.ledger.report import Verdict
from modeltrail.ledger.sequencer import Sequencer
from modeltrail.storage import migrations, verify_recompute, verify_sql
from modeltrail.storage.projections import projections
from modeltrail.storage.verify_ledger import VerifyRequest, verify_ledger
from tests.integration.verification.scratch import (
    GENUINE,
    HEADS,
    MODES,
    TOTAL,
    SpyClient,
    check,
    first_faults,
    insert,
    login,
)
from tests.ledger.genuine import A0, A1, A2, B0, append, event, fold, head_of
from tests.ledger.tampering_wholes import ATTACKS


@MODES
def test_a_genuine_ledger_holds(ledger, recompute):
    insert(ledger, GENUINE)
    report = check(ledger, recompute=recompute, heads=HEADS)
    assert first_faults(report) == {}
    assert (report.verdict, report.entries, report.repeats, report.heads_checked) == (Verdict.HOLDS, TOTAL, 0, 4)
    assert not any("No kept heads" in line for line in report.not_proven)
    assert {chain.chain: chain.entries for chain in report.chains} == {str(c): len(r) for c, r in GENUINE.items()}


@pytest.mark.parametrize(
    ("recompute", "processes"), [(False, 0), (True, 0), (True, 2)], ids=["sql", "here", "processes"]
)
def test_small_steps_find_the_same(ledger, recompute, processes, monkeypatch):
    monkeypatch.setitem(verify_sql.verify_in_sql.__kwdefaults__, "step", 5)
    monkeypatch.setitem(verify_recompute.verify_here.__kwdefaults__, "window", 5)
    monkeypatch.setitem(verify_recompute.verify_here.__kwdefaults__, "processes", processes)
    insert(ledger, GENUINE)
    report = check(ledger, recompute=recompute)
    assert (report.verdict, report.entries) == (Verdict.HOLDS, TOTAL)
    tampered = GENUINE.copy()
    del tampered[A0][9:27]
    tampered[B0][20] = tampered[B0][20]._replace(prev_hash=bytes(32))
    ledger.command("TRUNCATE TABLE ledger")
    insert(ledger, tampered)
    report = check(ledger, recompute=recompute)
    assert first_faults(report) == {str(A0): (9, Kind.MISSING), str(B0): (20, Kind.ENTRY_HASH)}
    assert report.entries == TOTAL - 18


@MODES
def test_rows_that_a_zombie_wrote_again_are_no_fault_and_count_once(ledger, recompute):
    insert(ledger, GENUINE)
    insert(ledger, GENUINE, appended_at=1_399_534_500_000)
    insert(ledger, {B0: GENUINE[B0][5:9]})
    report = check(ledger, recompute=recompute, heads=HEADS)
    assert (report.verdict, report.entries, report.repeats) == (Verdict.HOLDS, TOTAL, TOTAL + 4)
    ledger.command("SYSTEM START MERGES ledger")
    ledger.command("OPTIMIZE TABLE ledger FINAL")
    assert check(ledger, recompute=recompute, heads=HEADS).entries == TOTAL


@MODES
def test_a_forged_copy_is_found_even_where_merged_reads_hide_it(ledger, recompute):
    forged = GENUINE[B0][7]._replace(value=b"forged")
    insert(ledger, {B0: [forged]})
    insert(ledger, GENUINE)
    assert first_faults(check(ledger, recompute=recompute)) == {str(B0): (7, Kind.RECORD_HASH)}


@MODES
def test_a_late_block_is_listed_and_no_fault(ledger, recompute):
    grown = GENUINE.copy()
    grown[A0] += fold(Sequencer.resume(head_of(grown[A0][-1])), 39)
    insert(ledger, grown)
    report = check(ledger, recompute=recompute)
    assert report.verdict is Verdict.HOLDS
    found = {chain.chain: chain.told() for chain in report.chains if chain.told()}
    assert [(one.kind, one.seq) for one in found[str(A0)]] == [(Kind.LATE_BLOCK, len(GENUINE[A0]))]


@MODES
def test_siblings_are_listed_and_no_fault(ledger, recompute):
    sibling = A1._replace(first_offset=25)
    rows = fold(Sequencer.begin(sibling, GenesisReason.REPLACED, head_of(GENUINE[A0][-1])), 33, tag="s-")
    insert(ledger, {**GENUINE, sibling: rows})
    report = check(ledger, recompute=recompute)
    assert report.verdict is Verdict.HOLDS
    assert {one.kind for chain in report.chains for one in chain.told()} == {Kind.SIBLING}


@MODES
def test_a_row_under_a_name_that_is_no_chain_is_a_fault(ledger, recompute):
    insert(ledger, {**GENUINE, "somewhere else": GENUINE[B0][:1]})
    report = check(ledger, recompute=recompute)
    assert first_faults(report) == {"somewhere else": (None, Kind.CHAIN_NAME)}
    assert report.entries == TOTAL


@MODES
def test_an_empty_ledger_is_not_verifiable(ledger, recompute):
    with pytest.raises(NotVerifiableError, match="empty"):
        check(ledger, recompute=recompute)
    with pytest.raises(NotVerifiableError, match="empty"):
        check(ledger, recompute=recompute, heads=[])


@MODES
def test_an_empty_ledger_of_which_heads_were_kept_is_tampering(ledger, recompute):
    report = check(ledger, recompute=recompute, heads=HEADS)
    assert (report.verdict, report.entries) == (Verdict.TAMPERED, 0)
    assert {one.kind for one in report.findings} == {Kind.HEAD_MISSING}


@MODES
def test_a_missing_ledger_is_not_verifiable(scratch_store, recompute):
    client = login(scratch_store, Role.SCRATCH, "modeltrail")
    with pytest.raises(NotVerifiableError, match="no ledger"):
        check(client, recompute=recompute)
    client.close()


@MODES
def test_a_chain_that_is_not_there_is_not_verifiable(ledger, recompute):
    insert(ledger, GENUINE)
    with pytest.raises(NotVerifiableError, match="no chain"):
        check(ledger, recompute=recompute, chain="modeltrail.actions/9")


@MODES
@pytest.mark.parametrize(
    ("selection", "chains"),
    [(str(A1), [A1]), ("modeltrail.actions/0", [A0, A1, A2]), ("modeltrail.actions/0/2", [A2])],
)
def test_chains_can_be_selected(ledger, recompute, selection, chains):
    insert(ledger, GENUINE)
    report = check(ledger, recompute=recompute, chain=selection)
    assert [chain.chain for chain in report.chains] == [str(chain) for chain in chains]
    assert report.verdict is Verdict.HOLDS
    assert any("Only some of the chains" in line for line in report.not_proven)


@MODES
def test_a_range_is_checked_and_nothing_else(ledger, recompute):
    tampered = GENUINE.copy()
    tampered[B0][4] = tampered[B0][4]._replace(value=b"x")
    tampered[B0][16] = tampered[B0][16]._replace(value=b"x")
    insert(ledger, tampered)
    inside = check(ledger, recompute=recompute, chain=str(B0), first=5, last=15)
    assert (inside.verdict, inside.entries) == (Verdict.HOLDS, 11)
    assert any("Only a range" in line for line in inside.not_proven)
    wider = check(ledger, recompute=recompute, chain=str(B0), first=5, last=16)
    assert first_faults(wider) == {str(B0): (16, Kind.RECORD_HASH)}


@MODES
def test_the_link_into_a_range_is_checked(ledger, recompute):
    tampered = GENUINE.copy()
    tampered[B0][9] = tampered[B0][9]._replace(entry_hash=bytes(32))
    insert(ledger, tampered)
    report = check(ledger, recompute=recompute, chain=str(B0), first=10)
    assert first_faults(report) == {str(B0): (10, Kind.LINK)}


@MODES
def test_a_range_beyond_the_end_is_not_whole(ledger, recompute):
    insert(ledger, GENUINE)
    half = check(ledger, recompute=recompute, chain=str(B0), first=20, last=30)
    assert (half.verdict, half.entries) == (Verdict.NOT_WHOLE, 5)
    none = check(ledger, recompute=recompute, chain=str(B0), first=30, last=40)
    assert (none.verdict, none.entries) == (Verdict.NOT_WHOLE, 0)


@MODES
def test_a_range_of_several_chains_is_refused(ledger, recompute):
    insert(ledger, GENUINE)
    with pytest.raises(ConfigurationError, match="one chain"):
        check(ledger, recompute=recompute, first=3)


@MODES
def test_entries_since_a_time_are_checked(ledger, recompute):
    insert(ledger, GENUINE)
    since = GENUINE[B0][10].log_time
    report = check(ledger, recompute=recompute, since=since)
    expected = sum(row.log_time >= since for rows in GENUINE.values() for row in rows)
    assert (report.verdict, report.entries) == (Verdict.HOLDS, expected)
    assert check(ledger, recompute=recompute, since=2**62).verdict is Verdict.NOT_WHOLE


@MODES
def test_rows_appended_meanwhile_do_not_change_the_verdict(ledger, recompute):
    insert(ledger, GENUINE)
    resumed = Sequencer.resume(head_of(GENUINE[B0][-1]))
    pending = [append(resumed, event(offset)) for offset in range(30, 40)]

    def meanwhile(_stage, _done, _total):
        if pending:
            insert(ledger, {B0: pending[:4], A2._replace(partition=7, epoch=0): []})
            pending.clear()

    request = VerifyRequest(recompute=recompute, judge=judge, contract=CONTRACT_VERSION, heads=HEADS)
    report = verify_ledger(ledger, request, progress=meanwhile)
    assert (report.verdict, report.entries) == (Verdict.HOLDS, TOTAL)


@MODES
def test_several_kept_heads_of_a_chain_say_where_it_was_linked_again(ledger, recompute):
    heads = [KeptHead(str(B0), seq, GENUINE[B0][seq].entry_hash) for seq in (5, 11, 20, 24)]
    tampered = GENUINE.copy()
    next(attack for attack in ATTACKS if attack.name.startswith("the chain is linked again")).do(tampered)
    insert(ledger, tampered)
    report = check(ledger, recompute=recompute, heads=heads)
    assert first_faults(report) == {str(B0): (20, Kind.HEAD_DIFFERS)}
    assert report.heads_checked == 4
    assert any("kept head at seq 11 fits" in one.text for chain in report.chains for one in chain.told())


@MODES
def test_what_kept_heads_do_not_cover_is_said(ledger, recompute):
    insert(ledger, GENUINE)
    report = check(ledger, recompute=recompute, heads=[KeptHead(str(B0), 5, GENUINE[B0][5].entry_hash)])
    assert report.verdict is Verdict.HOLDS
    assert any("19 entries come after the kept heads" in line for line in report.not_proven)
    assert any("3 chains have no kept head" in line for line in report.not_proven)


@MODES
def test_heads_of_chains_that_are_not_selected_are_left_out(ledger, recompute):
    insert(ledger, {B0: GENUINE[B0]})
    report = check(ledger, recompute=recompute, heads=HEADS, chain=str(B0))
    assert (report.verdict, report.heads_checked) == (Verdict.HOLDS, 1)


@MODES
def test_nothing_is_ever_written(ledger, recompute):
    insert(ledger, GENUINE)
    parts = "SELECT name, rows, modification_time FROM system.parts WHERE database = 'scratch' AND active ORDER BY name"
    before = ledger.query(parts).result_rows
    spy = SpyClient(ledger)
    report = verify_ledger(spy, VerifyRequest(recompute=recompute, judge=judge, contract=CONTRACT_VERSION))
    assert report.verdict is Verdict.HOLDS
    assert ledger.query(parts).result_rows == before
    statements = {
        next(line for line in text.splitlines() if not line.startswith("--")).split()[0] for text, _ in spy.sent
    }
    assert statements <= {"SELECT", "WITH", "DESCRIBE"}


@MODES
def test_every_query_is_sent_read_only_where_the_user_could_write(ledger, recompute):
    insert(ledger, GENUINE)
    spy = SpyClient(ledger, may_write=True)
    verify_ledger(spy, VerifyRequest(recompute=recompute, judge=judge, contract=CONTRACT_VERSION))
    assert len(spy.sent) > 3
    assert {settings["readonly"] for _, settings in spy.sent[1:]} == {"2"}


@pytest.fixture
def read_only_login(scratch_store, ledger):
    insert(ledger, GENUINE)
    client = login(scratch_store, Role.READER, "scratch")
    yield client
    client.close()


@MODES
def test_a_reader_may_verify(read_only_login, recompute):
    assert check(read_only_login, recompute=recompute, heads=HEADS).verdict is Verdict.HOLDS


def test_the_table_as_shipped_refuses_what_the_attacks_insert(scratch_store):
    client = login(scratch_store, Role.SCRATCH, "modeltrail")
    client.command("CREATE DATABASE shipped")
    client.close()
    client = login(scratch_store, Role.SCRATCH, "shipped")
    migrations.apply(client)
    insert(client, GENUINE)
    report = check(client, recompute=False, views=projections(), heads=HEADS)
    assert (report.verdict, report.entries) == (Verdict.HOLDS, TOTAL)
    forged = GENUINE[B0][7]._replace(value=b"forged")
    with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError):
        insert(client, {B0: [forged]})
    assert check(client, recompute=True, heads=HEADS).verdict is Verdict.HOLDS
    client.close()
