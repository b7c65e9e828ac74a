"""Checking by column: takes what holds, and nothing that a check row by row would not take."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltrail.errors import ModeltrailError
from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.row import Row
from modeltrail.ledger.sequencer import Sequencer
from modeltrail.ledger.verification import Before, ChainVerifier
from modeltrail.storage.verify_columns import Held, Span, held
from modeltrail.storage.verify_worker import CheckingProcess, can_be_named
from tests.ledger.genuine import A0, A1, A2, B0, fold, genuine
from tests.ledger.tampering_wholes import ATTACKS
from tests.storage.columns import columns, to_arrow

GENUINE = genuine()


def check(rows, chain, *, judge=judge, span=None, **options):
    first, last = rows[0].seq, rows[-1].seq
    return held(to_arrow(columns(rows, str(chain)), **options), [span or Span(str(chain), first, last)], judge)


@pytest.mark.parametrize("dictionaries", [True, False], ids=["dictionaries", "plain"])
@pytest.mark.parametrize("judging", [True, False], ids=["judged", "hashes"])
@pytest.mark.parametrize("rows_a_batch", [1, 7, 1000])
def test_genuine_chains_hold(dictionaries, judging, rows_a_batch):
    for chain, rows in GENUINE.items():
        (found,) = check(
            rows, chain, judge=judge if judging else None, dictionaries=dictionaries, rows_a_batch=rows_a_batch
        )
        assert (found.first.prev_hash, found.last.entry_hash) == (rows[0].prev_hash, rows[-1].entry_hash)
        assert (found.first[:6], found.last.seq, found.repeats) == (rows[0][1:7], rows[-1].seq, 0)


def test_several_chains_are_checked_in_one_stream():
    made = [columns(GENUINE[chain]) for chain in (A0, A1, A2, B0)]
    together = {name: [value for one in made for value in one[name]] for name in made[0]}
    spans = [Span(str(chain), 0, GENUINE[chain][-1].seq) for chain in (A0, A1, A2, B0)]
    assert all(held(to_arrow(together), spans, judge))
    together["value"][5] = b"forged"
    answers = held(to_arrow(together), spans, judge)
    assert [one is None for one in answers] == [True, False, False, False]


def row_by_row(rows, chain, judge):
    """Whether a check row by row finds anything, not knowing what stands before the first row."""
    verifier = ChainVerifier(
        str(chain), Before(rows[0].seq - 1, None, None, None), judge=judge, contract=CONTRACT_VERSION
    )
    return any(verifier.feed(row) for row in sorted(rows, key=lambda row: (row.seq, row.entry_hash)))


@pytest.mark.parametrize("judging", [True, False], ids=["judged", "hashes"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_what_an_attack_leaves_is_taken_only_if_it_holds_row_by_row(attack, judging):
    ledger = GENUINE.copy()
    attack.do(ledger)
    judging = judge if judging else None
    for chain, rows in ledger.items():
        natural = [row for row in rows if row.seq >= 0]
        assert (check(natural, chain, judge=judging) == [None]) == row_by_row(natural, chain, judging)


@settings(deadline=None)
@given(seq=st.integers(0, 24), column=st.sampled_from([f for f in Row._fields if f not in ("reason", "contract")]))
def test_no_column_but_the_reason_can_be_changed_unseen(seq, column):
    rows = list(GENUINE[B0])
    old = getattr(rows[seq], column)
    other = {
        "chain": B0._replace(topic="modeltrail.runs"),
        "headers": (*rows[seq].headers, (b"x", b"")),
        "key": (old or b"") + b"x" if column == "key" else None,
        "value": (old or b"") + b"x" if column == "value" else None,
        "time_us": 1 if old is None else old + 1 if column == "time_us" else None,
    }.get(column)
    if other is None:
        other = old + 1 if isinstance(old, int) else bytes(32) if isinstance(old, bytes) else f"{old}x"
    rows[seq] = rows[seq]._replace(**{column: other})
    wrong_before_the_first_row_only = (seq, column) in ((0, "log_time"), (0, "prev_hash"))
    assert row_by_row(rows, B0, judge) or wrong_before_the_first_row_only
    assert (check(rows, B0, span=Span(str(B0), 0, 24)) == [None]) == row_by_row(rows, B0, judge)


def test_a_row_that_is_there_twice_holds_and_counts_once_wherever_the_stream_is_cut():
    for rows_a_batch in (1, 2, 3, 7, 1000):
        (found,) = check([row for row in GENUINE[A0] for _ in range(3)], A0, rows_a_batch=rows_a_batch)
        assert (found.last.seq, found.repeats) == (GENUINE[A0][-1].seq, 2 * len(GENUINE[A0]))


@pytest.mark.parametrize("columns_of_other", [{"subject": "x"}, {"contract": 7}, {"value": b"x"}, {"log_time": 5}])
@pytest.mark.parametrize("rows_a_batch", [1, 2, 1000])
def test_another_row_at_a_position_is_not_taken_for_a_repeat(columns_of_other, rows_a_batch):
    rows = [*GENUINE[B0][:8], GENUINE[B0][7]._replace(**columns_of_other), *GENUINE[B0][8:]]
    assert check(rows, B0, rows_a_batch=rows_a_batch) == [None]


@pytest.mark.parametrize("span", [Span(str(B0), 0, 25), Span(str(B0), 1, 24), Span(str(A0), 0, 24)])
def test_a_stream_of_other_positions_than_were_asked_for_is_not_taken(span):
    assert check(GENUINE[B0], B0, span=span) == [None]


def test_a_stream_that_is_cut_is_not_taken():
    stream = to_arrow(columns(GENUINE[B0])).to_pybytes()
    span = [Span(str(B0), 0, 24)]
    assert held(pa.py_buffer(stream), span, None) != [None]
    for length in range(0, len(stream) - 8, 997):
        assert held(pa.py_buffer(stream[:length]), span, None) == [None]


@settings(deadline=None)
@given(st.data())
def test_a_stream_with_a_flipped_bit_is_never_taken_for_another_ledger(data):
    stream = bytearray(to_arrow(columns(GENUINE[B0])).to_pybytes())
    at = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[at // 8] ^= 1 << (at % 8)
    (found,) = held(pa.py_buffer(bytes(stream)), [Span(str(B0), 0, 24)], judge)
    if found is not None:  # padding, or a column that nothing is proven of
        assert (found.first.prev_hash, found.last.entry_hash) == (GENUINE[B0][0].prev_hash, GENUINE[B0][-1].entry_hash)


def test_text_that_is_no_utf_8_is_not_taken():
    made = columns(GENUINE[B0])
    made["subject"][3] = b"\xff"
    assert held(to_arrow(made), [Span(str(B0), 0, 24)], None) != [None]  # nothing is compared with it
    assert held(to_arrow(made), [Span(str(B0), 0, 24)], judge) == [None]


def test_a_chain_with_gaps_at_every_edge_holds():
    rows = fold(Sequencer.begin(B0, GenesisReason.START, None), 60, gaps=[(at, at) for at in range(6, 60, 2)])
    for rows_a_batch in (1, 2, 5):
        assert check(rows, B0, rows_a_batch=rows_a_batch) != [None]


class TestAnotherProcess:
    def test_it_answers_as_this_one_does(self):
        rows, span = GENUINE[A0], Span(str(A0), 0, GENUINE[A0][-1].seq)
        good = to_arrow(columns(rows)).to_pybytes()
        bad = to_arrow(columns([row._replace(value=b"x") for row in rows])).to_pybytes()
        with CheckingProcess(judge) as process:
            for stream in (good, bad, good):
                process.give([span], stream[:1000], pa.BufferReader(stream[1000:]))
                (answer,) = process.take()
                assert answer == held(pa.py_buffer(stream), [span], judge)[0]
                assert (answer is None) == (stream is bad)
        assert isinstance(held(pa.py_buffer(good), [span], judge)[0], Held)

    def test_one_that_was_ended_is_an_error_and_never_an_answer(self):
        with CheckingProcess(None) as process:
            process._process.kill()
            with pytest.raises(ModeltrailError, match="a process that verifies ended"):
                process.take()

    def test_a_judge_that_cannot_be_imported_stays_here(self):
        assert can_be_named(judge)
        assert can_be_named(None)
        assert not can_be_named(lambda *_: None)
