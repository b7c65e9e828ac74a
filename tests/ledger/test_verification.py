"""Verification of chains and epochs without a store: every attack is found where it is, and nothing else is."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.epochs import ChainEnds, check_epochs
from modeltrail.ledger.findings import Finding, Kind, Severity, finding
from modeltrail.ledger.report import KEPT_FINDINGS, ChainReport, Report, Scope, Verdict, not_proven
from modeltrail.ledger.row import Row
from modeltrail.ledger.sequencer import Sequencer
from modeltrail.ledger.verification import Before, ChainVerifier
from tests.ledger.genuine import A0, A1, A2, B0, append, event, fold, genuine, head_of, poison, relink
from tests.ledger.in_memory import edge, faults, verify
from tests.ledger.tampering import EVIL
from tests.ledger.tampering_wholes import ATTACKS

GENUINE = genuine()


def test_a_genuine_ledger_has_no_findings():
    assert verify(GENUINE) == []


@pytest.mark.parametrize("attack", [a for a in ATTACKS if not a.needs_heads], ids=lambda a: a.name)
def test_an_attack_is_found_at_its_first_position(attack):
    ledger = GENUINE.copy()
    attack.do(ledger)
    found = [one for one in faults(verify(ledger)) if one.chain == str(attack.chain)]
    assert found, "nothing was found"
    assert (found[0].seq, found[0].kind) == (attack.seq, attack.kind)


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.needs_heads], ids=lambda a: a.name)
def test_an_attack_that_only_kept_heads_show_is_not_seen_by_the_chain_itself(attack):
    ledger = GENUINE.copy()
    attack.do(ledger)
    assert faults(verify(ledger)) == []


def test_attacks_have_names_of_their_own():
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 25


def test_a_row_that_is_there_twice_is_no_fault_and_counts_once():
    verifier = ChainVerifier(str(B0), Before(-1, 4, -1, GENUINE[B0][0].prev_hash))
    for row in GENUINE[B0]:
        assert verifier.feed(row) == []
        assert verifier.feed(Row(*row)) == []
    assert (verifier.entries, verifier.repeats) == (25, 25)


def test_a_row_that_two_contracts_judge_differently_is_a_note():
    verifier = ChainVerifier(str(B0), Before(-1, 4, -1, None))
    verifier.feed(GENUINE[B0][0])
    other = GENUINE[B0][0]._replace(contract=7, status="rejected", reason_class="schema")
    assert [one.kind for one in verifier.feed(other)] == [Kind.JUDGED_DIFFERENTLY]


def judged_under(contract, verifier):
    ledger = GENUINE.copy()
    ledger[B0][12] = ledger[B0][12]._replace(contract=contract, status="rejected", reason_class="schema")
    checking = ChainVerifier(str(B0), Before(-1, 4, -1, GENUINE[B0][0].prev_hash), judge=judge, contract=verifier)
    return [(found.kind, found.seq) for row in ledger[B0] for found in checking.feed(row) if found.seq == 12]


def test_a_status_under_an_older_contract_is_judged_differently_not_tampering():
    assert judged_under(CONTRACT_VERSION, CONTRACT_VERSION + 1) == [(Kind.JUDGED_DIFFERENTLY, 12)]


@pytest.mark.parametrize("unknown", [0, CONTRACT_VERSION + 1, 65_535])
def test_a_version_that_nobody_knows_excuses_nothing(unknown):
    assert judged_under(unknown, CONTRACT_VERSION) == [(Kind.UNKNOWN_CONTRACT, 12)]
    assert Kind.UNKNOWN_CONTRACT.severity is Severity.INCOMPLETE


def test_another_reason_text_is_no_finding_because_no_hash_covers_it():
    ledger = GENUINE.copy()
    ledger[B0].insert(4, ledger[B0][4]._replace(reason="in other words"))
    assert verify(ledger) == []


def test_rows_out_of_order_are_refused():
    verifier = ChainVerifier(str(B0), Before(-1, 4, -1, None))
    verifier.feed(GENUINE[B0][0])
    verifier.feed(GENUINE[B0][1])
    with pytest.raises(ValueError, match="seq 0 was fed after 1"):
        verifier.feed(GENUINE[B0][0])


@given(first=st.integers(1, 24))
def test_a_range_is_verified_from_what_stands_before_it(first):
    before = GENUINE[B0][first - 1]
    verifier = ChainVerifier(
        str(B0), Before(before.seq, before.offset, before.log_time, before.entry_hash, before.kind)
    )
    assert [one for row in GENUINE[B0][first:] for one in verifier.feed(row)] == []
    assert verifier.entries == 25 - first


@given(seq=st.integers(0, 24), column=st.sampled_from([f for f in Row._fields if f not in ("reason", "appended_at")]))
def test_no_column_but_the_reason_can_be_changed_unseen(seq, column):
    ledger = GENUINE.copy()
    row = ledger[B0][seq]
    old = getattr(row, column)
    other = {
        "chain": B0._replace(topic="modeltrail.runs"),
        "headers": (*row.headers, (b"x", b"")),
        "contract": row.contract,
    }.get(column)
    if column == "contract":
        return  # another version of the contract makes no difference where it judges alike
    if other is None:
        other = old + 1 if isinstance(old, int) else bytes(32) if isinstance(old, bytes) else f"{old or ''}x"
        if column in ("key", "value"):
            other = b"x" if old is None else old + b"x"
        if column == "time_us":
            other = 1 if old is None else old + 1
    ledger[B0][seq] = row._replace(**{column: other})
    found = faults(verify(ledger))
    assert found
    assert found[0].seq == (seq if column != "seq" else min(seq, found[0].seq))


def test_a_late_block_is_a_note_at_the_first_entry_that_landed_late():
    ledger = GENUINE.copy()
    ledger[A0] += fold(Sequencer.resume(head_of(ledger[A0][-1])), 39)
    late = [one for one in verify(ledger) if one.kind is Kind.LATE_BLOCK]
    assert faults(verify(ledger)) == []
    assert [(one.chain, one.seq) for one in late] == [(str(A0), len(GENUINE[A0]))]
    assert "5 in number" in late[0].text


def test_an_altered_late_block_is_still_a_fault():
    ledger = GENUINE.copy()
    ledger[A0] += fold(Sequencer.resume(head_of(ledger[A0][-1])), 39)
    ledger[A0][-2] = ledger[A0][-2]._replace(value=EVIL)
    assert [(one.kind, one.seq) for one in faults(verify(ledger))] == [(Kind.RECORD_HASH, ledger[A0][-2].seq)]


def test_siblings_are_notes_and_each_may_be_committed_to():
    ledger = GENUINE.copy()
    sibling = A1._replace(first_offset=25)
    ledger[sibling] = fold(Sequencer.begin(sibling, GenesisReason.REPLACED, head_of(ledger[A0][-1])), 33, tag="s-")
    found = verify(ledger)
    assert faults(found) == []
    assert {(one.kind, one.chain) for one in found} == {(Kind.SIBLING, str(A1)), (Kind.SIBLING, str(sibling))}


def test_epochs_of_ten_and_more_follow_each_other_as_numbers():
    ledger = {A0: copy.deepcopy(GENUINE[A0])}
    old = ledger[A0][-1]
    for epoch in range(1, 13):
        chain = A0._replace(epoch=epoch, first_offset=100 * epoch)
        ledger[chain] = fold(Sequencer.begin(chain, GenesisReason.RETENTION, head_of(old)), 100 * epoch + 3)
        old = ledger[chain][-1]
    assert verify(ledger) == []
    del ledger[A0._replace(epoch=10, first_offset=1000)]
    assert [(one.kind, one.seq) for one in faults(verify(ledger))] == [(Kind.EPOCH_MISSING, 0)]


def test_findings_are_told_for_the_selected_chains_only():
    ledger = GENUINE.copy()
    ends = [ChainEnds(chain, edge(rows[0]), edge(rows[-1])) for chain, rows in ledger.items() if chain != A0]
    assert check_epochs(ends, lambda *_: None, selected=frozenset({B0})).findings == []
    assert [one.chain for one in check_epochs(ends, lambda *_: None).findings] == [str(A1)]


def test_a_genesis_that_commits_to_an_earlier_entry_carries_the_log_time_of_that_entry():
    ledger = GENUINE.copy()
    late = Sequencer.resume(head_of(ledger[A0][-1]))
    ledger[A0].append(append(late, event(35)._replace(timestamp=2**45)))
    assert faults(verify(ledger)) == []


class TestReport:
    def test_an_empty_report_is_not_whole(self):
        assert Report("sql").verdict is Verdict.NOT_WHOLE
        assert Report("sql").as_json()["verified"] is False

    def test_something_checked_and_no_fault_holds(self):
        report = Report("sql", chains=[ChainReport("c", 0, 4, entries=5)])
        assert (report.verdict, report.verdict.exit_code, report.entries) == (Verdict.HOLDS, 0, 5)

    @pytest.mark.parametrize(
        ("kind", "verdict", "code"),
        [
            (Kind.LATE_BLOCK, Verdict.HOLDS, 0),
            (Kind.PROJECTION_MISSING, Verdict.NOT_WHOLE, 4),
            (Kind.PROJECTION_EXTRA, Verdict.TAMPERED, 3),
            (Kind.LINK, Verdict.TAMPERED, 3),
        ],
    )
    def test_the_gravest_finding_decides(self, kind, verdict, code):
        report = Report("sql", chains=[ChainReport("c", 0, 4, entries=5)])
        report.chains[0].add(finding(Kind.SIBLING, "c", None))
        report.chains[0].add(finding(kind, "c", 3))
        assert (report.verdict, report.verdict.exit_code) == (verdict, code)

    def test_a_finding_about_a_chain_that_is_gone_counts_too(self):
        report = Report("sql", chains=[ChainReport("c", 0, 4, entries=5)])
        report.findings.append(finding(Kind.HEAD_MISSING, "gone", 3))
        assert report.verdict is Verdict.TAMPERED

    def test_the_first_position_and_the_gravest_finding_there_are_told_first(self):
        report = ChainReport("c", 0, 9)
        for kind, seq in [(Kind.LINK, 5), (Kind.OFFSET, 4), (Kind.SIBLING, None), (Kind.ENTRY_HASH, 4)]:
            report.add(finding(kind, "c", seq))
        assert report.first_fault == Finding(Kind.ENTRY_HASH, "c", 4, Kind.ENTRY_HASH.sentence)

    @given(st.permutations(range(100)))
    def test_the_first_fault_is_kept_however_many_there_are(self, order):
        report = ChainReport("c", 0, 99)
        for seq in order:
            report.add(finding(Kind.LINK, "c", seq))
        assert report.first_fault.seq == 0
        assert report.counts[Kind.LINK] == 100
        assert [one.seq for one in report.told()] == list(range(KEPT_FINDINGS))

    def test_what_was_not_proven_depends_on_what_was_asked(self):
        everything = Scope(recompute=True, envelope=True, projections=True, heads=True, partial=False, selected=False)
        nothing = Scope(recompute=False, envelope=False, projections=False, heads=False, partial=True, selected=True)
        assert not any("kept heads were given" in line for line in not_proven(everything))
        assert len(not_proven(nothing)) > len(not_proven(everything)) > 0
        assert any("log was not read again" in line for line in not_proven(everything))


def test_kinds_have_codes_of_their_own_and_keep_their_order():
    assert len({kind.value for kind in Kind}) == len(list(Kind))
    assert Kind.MISSING.rank < Kind.RECORD_HASH.rank < Kind.LINK.rank < Kind.OFFSET.rank


def test_the_genuine_ledger_holds_what_the_attacks_need():
    assert [row.seq for row in GENUINE[A0] if row.kind == "gap"] == [10, 18]
    assert GENUINE[A2][0].kind == "gap"
    assert poison(6).value is None
    assert relink(rows := copy.deepcopy(GENUINE[B0]), 0) is None
    assert rows == GENUINE[B0]
    assert {row.status for row in GENUINE[B0]} == {"valid", "rejected"}
