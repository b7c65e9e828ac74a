"""Verification on the real engine: both modes find every attack where it is, and nothing where nothing is."""

import copy
import io
import re
from types import SimpleNamespace

import clickhouse_connect.driver.exceptions
import pyarrow as pa
import pytest
from pydantic import SecretStr

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.store_launcher import Store
from modeltrail.errors import ConfigurationError, NotVerifiableError
from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.findings import Kind
from modeltrail.ledger.heads import KeptHead
from modeltrail.ledger.report import Verdict
from modeltrail.ledger.sequencer import Sequencer
from modeltrail.storage import migration_files, migrations, verify_projections, verify_recompute, verify_sql
from modeltrail.storage.arrow_rows import COLUMNS, to_stream
from modeltrail.storage.client import connect
from modeltrail.storage.projections import projections
from modeltrail.storage.queries import sql
from modeltrail.storage.verify_ledger import VerifyRequest, verify_ledger
from modeltrail.storage.verify_reader import LedgerReader
from tests.ledger.tampering import A0, A1, A2, ATTACKS, B0, append, event, fold, genuine, head_of

MODES = pytest.mark.parametrize("recompute", [False, True], ids=["sql", "here"])
GENUINE = genuine()
HEADS = [KeptHead(str(chain), rows[-1].seq, rows[-1].entry_hash) for chain, rows in GENUINE.items()]
TOTAL = sum(len(rows) for rows in GENUINE.values())


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"), scratch=True)
    store.start()
    yield store
    store.stop()


def login(store, role, database):
    who = store.credentials[role]
    address = SimpleNamespace(
        host=store.host, port=store.port, user=who.user, password=SecretStr(who.password), database=database,
        secure=False, ca_file=None,
    )  # fmt: skip
    return connect(address)


def scratch_database(store, name, *, whole):
    """A database without the constraints that would refuse the attacks; with the typed tables where `whole`."""
    client = login(store, Role.SCRATCH, "modeltrail")
    client.command(f"CREATE DATABASE {name}")
    client.close()
    client = login(store, Role.SCRATCH, name)
    for migration in migration_files.load()[: None if whole else 1]:
        for statement in migration.statements:
            client.command(re.sub(r",\s*CONSTRAINT.*\n\)\n(?=ENGINE)", "\n)\n", statement.text, flags=re.DOTALL))
    return client


@pytest.fixture(scope="module")
def scratch(store):
    client = scratch_database(store, "scratch", whole=False)
    yield client
    client.close()


@pytest.fixture
def ledger(scratch):
    """An empty ledger table that takes anything, without its typed tables."""
    scratch.command("TRUNCATE TABLE ledger")
    scratch.command("SYSTEM STOP MERGES ledger")
    return scratch


@pytest.fixture(scope="module")
def typed_database(store):
    client = scratch_database(store, "typed", whole=True)
    yield client
    client.close()


@pytest.fixture
def typed(typed_database):
    """An empty ledger table that takes anything, with the typed tables that its views fill."""
    for table in ("ledger", *sorted({view.table for view in projections()})):
        typed_database.command(f"TRUNCATE TABLE {table}")
    return typed_database


def insert(client, ledger, *, appended_at=1_388_534_500_000):
    """Insert rows as they are: the text of the chain apart from its columns, repeats within the block kept."""
    rows = [row for rows in ledger.values() for row in rows]
    texts = [str(chain) for chain, rows in ledger.items() for _ in rows]
    table = pa.ipc.open_stream(io.BytesIO(to_stream(rows, appended_at))).read_all()
    table = table.set_column(0, "chain", pa.array(texts))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    settings = {"optimize_on_insert": 0, "async_insert": 0}
    client.raw_insert("ledger", COLUMNS, bytes(sink.getvalue()), fmt="ArrowStream", settings=settings)


def check(client, *, recompute, views=(), **options):
    request = VerifyRequest(recompute=recompute, judge=judge, contract=CONTRACT_VERSION, **options)
    return verify_ledger(client, request, views=views, insert_seconds=0.0)


def first_faults(report):
    found = {chain.chain: chain.first_fault for chain in report.chains if chain.first_fault is not None}
    found |= {one.chain: one for one in report.findings}
    return {chain: (one.seq, one.kind) for chain, one in found.items()}


@MODES
def test_a_genuine_ledger_holds(ledger, recompute):
    insert(ledger, GENUINE)
    report = check(ledger, recompute=recompute, heads=HEADS)
    assert first_faults(report) == {}
    assert (report.verdict, report.entries, report.repeats, report.heads_checked) == (Verdict.HOLDS, TOTAL, 0, 4)
    assert not any("No kept heads" in line for line in report.not_proven)
    assert {chain.chain: chain.entries for chain in report.chains} == {str(c): len(r) for c, r in GENUINE.items()}


@MODES
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_found_at_its_first_position(ledger, attack, recompute):
    tampered = copy.deepcopy(GENUINE)
    attack.do(tampered)
    insert(ledger, tampered)
    alone = check(ledger, recompute=recompute)
    with_heads = check(ledger, recompute=recompute, heads=HEADS)
    if attack.only_here and not recompute:
        assert alone.verdict is with_heads.verdict is Verdict.HOLDS
        assert any("Status and envelope" in line for line in alone.not_proven)
        return
    if attack.needs_heads:
        assert alone.verdict is Verdict.HOLDS
        assert any("No kept heads" in line for line in alone.not_proven)
    else:
        assert alone.verdict is Verdict.TAMPERED
        assert first_faults(alone)[str(attack.chain)] == (attack.seq, attack.kind)
    assert with_heads.verdict is Verdict.TAMPERED
    assert first_faults(with_heads)[str(attack.chain)] == (attack.seq, attack.kind)
    assert with_heads.verdict.exit_code == 3


@MODES
def test_small_steps_find_the_same(ledger, recompute, monkeypatch):
    monkeypatch.setattr(verify_sql, "STEP", 5)
    monkeypatch.setattr(verify_sql.verify_in_sql, "__kwdefaults__", {"step": 5})
    monkeypatch.setattr(verify_recompute.verify_here, "__kwdefaults__", {"window": 5})
    insert(ledger, GENUINE)
    report = check(ledger, recompute=recompute)
    assert (report.verdict, report.entries) == (Verdict.HOLDS, TOTAL)
    tampered = copy.deepcopy(GENUINE)
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
    grown = copy.deepcopy(GENUINE)
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
def test_a_missing_ledger_is_not_verifiable(store, recompute):
    client = login(store, Role.SCRATCH, "modeltrail")
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
    tampered = copy.deepcopy(GENUINE)
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
    tampered = copy.deepcopy(GENUINE)
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
    tampered = copy.deepcopy(GENUINE)
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
    reader = LedgerReader(ledger)
    for statement in ("TRUNCATE TABLE ledger", "INSERT INTO ledger SELECT * FROM ledger", "DROP TABLE ledger"):
        with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match=r"readonly|164"):
            ledger.command(statement, settings=reader.settings)
    sent = []
    spy = SpyClient(ledger, sent)
    report = verify_ledger(spy, VerifyRequest(recompute=recompute, judge=judge, contract=1))
    assert report.verdict is Verdict.HOLDS
    assert all(settings == {"readonly": "2"} for settings in sent[1:])
    assert len(sent) > 3


class SpyClient:
    """Passes queries on, and keeps the settings they are sent with."""

    def __init__(self, client, sent):
        self._client = client
        self._sent = sent

    def query(self, text, **options):
        self._sent.append(options.get("settings"))
        return self._client.query(text, **options)

    def query_column_block_stream(self, text, **options):
        self._sent.append(options.get("settings"))
        return self._client.query_column_block_stream(text, **options)


@pytest.fixture
def read_only_login(store, ledger):
    insert(ledger, GENUINE)
    client = login(store, Role.READER, "scratch")
    yield client
    client.close()


@MODES
def test_a_reader_may_verify(read_only_login, recompute):
    assert check(read_only_login, recompute=recompute, heads=HEADS).verdict is Verdict.HOLDS


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
         (2**62, str(B0), (25, Kind.PROJECTION_EXTRA)), (-3, str(B0), (-3, Kind.PROJECTION_EXTRA)),
         (0, "nowhere/t/0/0-0", (0, Kind.PROJECTION_EXTRA))],
        ids=["of a rejected record", "beyond the end", "far beyond the end", "before the beginning", "of no chain"],
    )  # fmt: skip
    def test_a_row_for_no_entry_is_tampering(self, typed, seq, chain, found):
        insert(typed, GENUINE)
        typed.command(
            f"INSERT INTO actions SELECT * REPLACE ({seq} AS seq, '{chain}' AS chain, offset + 1000 AS offset)"
            f" FROM actions WHERE chain = '{B0}' AND seq = 11"
        )
        report = check(typed, recompute=False, views=projections())
        assert first_faults(report) == {chain: found}

    def test_a_typed_table_that_is_gone_is_incomplete(self, store):
        client = scratch_database(store, "without_actions", whole=True)
        insert(client, GENUINE)
        client.command("DROP TABLE actions_from_ledger")
        client.command("DROP TABLE actions")
        report = check(client, recompute=False, views=projections())
        assert report.verdict is Verdict.NOT_WHOLE
        assert [one.text for one in report.findings] == ["an entry lacks its typed row: there is no table actions"]
        client.close()

    @pytest.mark.parametrize("status", ["valid", "rejected"])
    def test_a_status_that_was_changed_in_the_ledger_shows_in_the_typed_tables(self, typed, status):
        tampered = copy.deepcopy(GENUINE)
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
        insert(typed, GENUINE)
        typed.command("CREATE TABLE kept AS actions")
        typed.command("INSERT INTO kept SELECT * FROM actions")
        typed.command("ALTER TABLE actions DELETE WHERE seq > 20", settings={"mutations_sync": 1})
        typed.command("ALTER TABLE ledger UPDATE appended_at = now64(3) WHERE 1", settings={"mutations_sync": 1})
        lands = Landing(typed)
        report = verify_ledger(lands, VerifyRequest(), views=projections(), insert_seconds=30.0)
        assert lands.landed
        assert report.verdict is Verdict.HOLDS
        typed.command("DROP TABLE kept")

    def test_buckets_that_differ_are_looked_at_in_groups(self):
        size = verify_projections._DIFFERENCES_AT_ONCE // verify_projections._BUCKET
        groups = list(verify_projections._groups([0, 1, 2, size + 5, size + 6, 4 * size]))
        assert groups == [(0, 2), (size + 5, size + 6), (4 * size, 4 * size)]
        assert list(verify_projections._groups([])) == []
        assert list(verify_projections._groups(range(2 * size))) == [(0, size - 1), (size, 2 * size - 1)]


class Landing(SpyClient):
    """The typed rows of an insert land after the first look at the differences."""

    def __init__(self, client):
        super().__init__(client, [])
        self.landed = False

    def query(self, text, **options):
        answer = super().query(text, **options)
        if text == sql("verify/projection_young") and not self.landed:
            self._client.command("INSERT INTO actions SELECT * FROM kept WHERE seq > 20")
            self.landed = True
        return answer


def test_the_table_as_shipped_refuses_what_the_attacks_insert(store):
    client = login(store, Role.SCRATCH, "modeltrail")
    client.command("CREATE DATABASE shipped")
    client.close()
    client = login(store, Role.SCRATCH, "shipped")
    migrations.apply(client)
    insert(client, GENUINE)
    report = check(client, recompute=False, views=projections(), heads=HEADS)
    assert (report.verdict, report.entries) == (Verdict.HOLDS, TOTAL)
    forged = GENUINE[B0][7]._replace(value=b"forged")
    with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError):
        insert(client, {B0: [forged]})
    assert check(client, recompute=True, heads=HEADS).verdict is Verdict.HOLDS
    client.close()
