"""`modeltrail verify`, `heads` and `entry` as they are run: output, exit codes, escapes."""

import json

import pytest

from modeltrail.cli.main import main
from modeltrail.embedded.credentials import Role
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.heads import parse_heads
from modeltrail.ledger.sequencer import Sequencer
from tests.integration.verification.scratch import GENUINE, HEADS, TOTAL, insert
from tests.ledger.genuine import A0, A1, A2, B0, append, event, fold

EVIL = b'{"action":"\x1b[2Jgone","resource_type":"item"}'


@pytest.fixture
def run(scratch_store, monkeypatch, capsys, tmp_path):
    """Run a command against the scratch ledger; returns exit code, stdout and stderr."""
    who = scratch_store.credentials[Role.AUDITOR]
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "HOST": scratch_store.host, "PORT": str(scratch_store.port), "USER": who.user,
        "PASSWORD": who.password, "DATABASE": "scratch",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"MODELTRAIL_CLICKHOUSE__{name}", value)

    def command(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture
def genuine_ledger(ledger):
    insert(ledger, GENUINE)
    return ledger


def test_a_genuine_ledger_is_verified_and_the_number_of_entries_is_said(run, genuine_ledger):
    code, out, _ = run("verify", "--no-projections")
    assert code == 0
    assert f"{TOTAL} entries of 4 chains checked in ClickHouse" in out
    assert "VERIFIED" in out.splitlines()[-1]
    assert "No kept heads were given" in out


@pytest.mark.parametrize("mode", [(), ("--recompute",)])
def test_json_is_one_document_in_the_last_line(run, genuine_ledger, mode):
    code, out, _ = run("verify", "--no-projections", "--json", *mode)
    document = json.loads(out.splitlines()[-1])
    assert code == document["exit_code"] == 0
    assert (document["verified"], document["entries"], len(document["chains"])) == (True, TOTAL, 4)


def test_tampering_ends_with_three_and_names_the_position(run, ledger):
    tampered = GENUINE.copy()
    tampered[B0][7] = tampered[B0][7]._replace(value=EVIL)
    insert(ledger, tampered)
    code, out, _ = run("verify", "--no-projections")
    assert code == 3
    assert f"fault: {B0} seq 7: key, headers and value do not hash to the record hash" in out
    assert "TAMPERED" in out.splitlines()[-1]
    code, out, _ = run("verify", "--no-projections", "--json")
    fault = next(chain["first_fault"] for chain in json.loads(out)["chains"] if chain["first_fault"])
    assert (code, fault["finding"], fault["seq"]) == (3, "record_hash", 7)


def test_an_empty_ledger_ends_with_four(run, ledger):
    code, out, err = run("verify", "--no-projections")
    assert (code, out) == (4, "")
    assert "the ledger is empty" in err
    code, out, _ = run("verify", "--json")
    assert (code, json.loads(out)["error"]["kind"]) == (4, "NotVerifiableError")
    assert run("heads")[0] == 4
    assert run("entry", "modeltrail.actions/0", "1")[0] == 4


def test_typed_tables_that_are_not_there_are_not_whole(run, genuine_ledger):
    code, out, _ = run("verify")
    assert code == 4
    assert "NOT WHOLE" in out.splitlines()[-1]


def test_kept_heads_go_round(run, genuine_ledger, tmp_path):
    code, text, _ = run("heads")
    assert code == 0
    assert parse_heads(text) == sorted(HEADS)
    (tmp_path / "heads.txt").write_text(text)
    code, out, _ = run("verify", "--no-projections", "--heads", "heads.txt")
    assert (code, "4 kept heads" in out) == (0, True)
    code, out, _ = run("heads", "--json")
    assert [head["seq"] for head in json.loads(out)["heads"]] == [head.seq for head in sorted(HEADS)]


def test_a_chain_that_was_linked_again_is_found_with_kept_heads_only(run, ledger, tmp_path):
    insert(ledger, GENUINE)
    (tmp_path / "heads.txt").write_text(run("heads")[1])
    ledger.command("TRUNCATE TABLE ledger")
    forged = fold(Sequencer.begin(B0, GenesisReason.START, None), 29, tag="forged-")
    insert(ledger, {**GENUINE, B0: forged})
    assert run("verify", "--no-projections")[0] == 0
    code, out, _ = run("verify", "--no-projections", "--heads", "heads.txt")
    assert (code, "head was kept outside" in out) == (3, True)


def test_heads_that_were_kept_at_different_times_are_all_looked_for(run, ledger, tmp_path):
    insert(ledger, {B0: GENUINE[B0][:10]})
    (tmp_path / "early.txt").write_text(run("heads")[1])
    insert(ledger, GENUINE)
    (tmp_path / "late.txt").write_text(run("heads")[1])
    code, out, _ = run("verify", "--no-projections", "--heads", "early.txt", "--heads", "late.txt")
    assert (code, "5 kept heads" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("verify", "--heads", "nowhere.txt"), "No such file"),
        (("verify", "--heads", "."), "directory"),
        (("verify", "--heads", "bad.txt"), "line 1"),
        (("verify", "--since", "yesterday"), "expected a time"),
        (("verify", "--from", "5", "--to", "4"), "greater"),
        (("verify", "--from", "-1"), "--from"),
        (("verify", "--from", "3"), "one chain"),
        (("entry",), "expected one of"),
        (("entry", "modeltrail.actions/0"), "expected one of"),
        (("entry", "modeltrail.actions/0", "1", "--hash", "00"), "expected one of"),
        (("entry", "modeltrail.actions", "1"), "expected TOPIC/PARTITION"),
        (("entry", "modeltrail.actions/x", "1"), "expected TOPIC/PARTITION"),
        (("entry", "modeltrail.actions/99999999999", "1"), "below 2^32"),
        (("entry", "--hash", "xyz"), "64 hex digits"),
    ],
)
def test_what_cannot_be_is_refused_with_two(run, genuine_ledger, tmp_path, arguments, message):
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "bad.txt").write_text("something else\n")
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err


def test_an_entry_is_shown_with_its_event_and_its_neighbours(run, genuine_ledger):
    code, out, _ = run("entry", "modeltrail.actions/1", 7)
    row = GENUINE[B0][7]
    assert code == 0
    for part in (row.record_hash, row.prev_hash, row.entry_hash, GENUINE[B0][6].entry_hash, GENUINE[B0][8].entry_hash):
        assert part.hex() in out
    assert '"action": "opened"' in out
    assert "ce_id: event-12" in out
    assert "The hashes compute again" in out
    assert "follows from the one before" in out


def test_the_newest_epoch_is_shown_unless_an_older_one_is_named(run, genuine_ledger):
    assert json.loads(run("entry", "modeltrail.actions/0", 3, "--json")[1])["chain"] == str(A2)
    assert json.loads(run("entry", "modeltrail.actions/0/1", 3, "--json")[1])["chain"] == str(A1)
    assert json.loads(run("entry", str(A0), 3, "--json")[1])["chain"] == str(A0)


def test_partitions_of_the_same_name_in_two_clusters_must_be_told_apart(run, genuine_ledger):
    other = B0._replace(cluster="elsewhere")
    insert(genuine_ledger, {other: fold(Sequencer.begin(other, GenesisReason.START, None), 9)})
    code, _, err = run("entry", "modeltrail.actions/1", 3)
    assert (code, str(other) in err) == (2, True)
    assert run("entry", str(other), 3)[0] == 0


def test_an_entry_is_found_by_event_and_by_hash(run, genuine_ledger):
    found = json.loads(run("entry", "--id", "tests", "event-15", "--json")[1])
    assert (found["seq"], found["chain"]) == (13, str(A0))
    assert found["also_at"] == [{"chain": str(B0), "seq": 10}]
    digest = GENUINE[A1][4].entry_hash.hex()
    found = json.loads(run("entry", "--hash", digest.upper(), "--json")[1])
    assert (found["chain"], found["seq"], found["rows"][0]["entry_hash"]) == (str(A1), 4, digest)
    assert run("entry", "--id", "tests", "event-4711")[0] == 4
    assert run("entry", "--hash", "00" * 32)[0] == 4
    assert run("entry", "modeltrail.actions/1", 4711)[0] == 4


def test_a_gap_and_a_record_that_is_no_text_are_shown(run, genuine_ledger):
    code, out, _ = run("entry", str(A0), 10)
    assert (code, "offsets 10 to 12 hold no committed record" in out) == (0, True)
    code, out, _ = run("entry", str(A0), 6)
    assert (code, "\\xff\\xfe: (null)" in out, "rejected" in out) == (0, True, True)
    row = json.loads(run("entry", str(A0), 6, "--json")[1])["rows"][0]
    assert row["headers"] == [
        {"name": {"hex": "fffe"}, "value": None},
        {"name": {"text": ""}, "value": {"text": "\u0000"}},
    ]
    assert (row["key"], row["value"]) == (None, None)


def test_the_first_entry_of_a_chain_is_compared_with_its_genesis(run, genuine_ledger):
    assert json.loads(run("entry", str(B0), 0, "--json")[1])["linked"] is True
    assert json.loads(run("entry", str(A1), 0, "--json")[1])["linked"] is None


def test_a_tampered_entry_ends_with_three_and_moves_no_cursor(run, ledger):
    tampered = GENUINE.copy()
    tampered[B0][7] = tampered[B0][7]._replace(value=EVIL, subject="\x1b[31mred")
    insert(ledger, tampered)
    code, out, _ = run("entry", str(B0), 7)
    assert code == 3
    assert "\x1b" not in out
    assert "\\x1b[31mred" in out
    assert "do not hash to the record hash" in out


def test_two_rows_at_one_position_are_both_in_the_document(run, ledger):
    forked = GENUINE.copy()
    other = append(
        Sequencer(B0, next_seq=7, next_offset=12, prev_hash=forked[B0][6].entry_hash, log_time=0), event(12, tag="x-")
    )
    forked[B0].insert(8, other)
    insert(ledger, forked)
    code, out, _ = run("entry", str(B0), 7, "--json")
    document = json.loads(out)
    assert (code, len(document["rows"]), document["holds"]) == (3, 2, False)
    assert "fork" in [found["finding"] for found in document["findings"]]
    assert run("heads")[0] == 0


def test_a_fork_at_the_end_has_no_head_to_keep(run, ledger):
    forked = GENUINE.copy()
    last = forked[B0][-1]
    forked[B0].append(
        append(Sequencer(B0, next_seq=last.seq, next_offset=last.offset, prev_hash=last.prev_hash, log_time=0),
               event(last.offset, tag="x-"))
    )  # fmt: skip
    insert(ledger, forked)
    code, out, err = run("heads")
    assert (code, out) == (3, "")
    assert "two different rows" in err


def test_a_store_that_does_not_answer_ends_with_five(run, monkeypatch):
    monkeypatch.setenv("MODELTRAIL_CLICKHOUSE__PORT", "1")
    for command in (("verify",), ("heads",), ("entry", "t/0", "1")):
        assert run(*command)[0] == 5


def test_a_wrong_password_ends_with_two(run, monkeypatch):
    monkeypatch.setenv("MODELTRAIL_CLICKHOUSE__PASSWORD", "wrong")
    assert run("verify")[0] == 2
