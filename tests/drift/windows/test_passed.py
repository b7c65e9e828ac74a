"""How far entries may be folded while chains come at different speeds."""

import pytest

from modeltrail.drift.windows.narrow import NarrowRows
from modeltrail.drift.windows.order import Position, joined
from modeltrail.drift.windows.passed import Frontier, passed
from modeltrail.ledger.chain import Chain

C0, C1, C10 = (Chain("c", "p", number, 0, 0) for number in (0, 1, 10))


def frontier(chain, log_time, idle=None):
    return Frontier(chain.of, chain, log_time, idle)


def test_an_entry_is_passed_when_every_frontier_is_strictly_behind_it():
    """chain 0  --5----9     chain 1  ----7     : another entry with 7 may still come in chain 1."""
    assert passed([frontier(C0, 9), frontier(C1, 7)]) == 6


def test_an_idle_chain_holds_nobody_up_as_far_as_was_read_before_the_look():
    """chain 0  --5----9     chain 1  -2  (looked at after 8 had been read)."""
    assert passed([frontier(C0, 20), frontier(C1, 2, idle=8)]) == 8
    assert passed([frontier(C0, 20), frontier(C1, 30, idle=8)]) == 19


def test_a_partition_without_any_entry_holds_everything_up_until_it_is_idle():
    assert passed([frontier(C0, 9), Frontier(C1.of, None, None)]) is None
    assert passed([frontier(C0, 9), Frontier(C1.of, None, None, 7)]) == 7


def test_of_a_partition_the_newest_epoch_counts_by_number():
    old, new = Chain("c", "p", 0, 9, 0), Chain("c", "p", 0, 10, 500)
    assert passed([frontier(new, 40), frontier(old, 3)]) == 39
    assert passed([frontier(old, 3), frontier(new, 40)]) == 39


def test_where_nothing_is_known_nothing_is_passed():
    assert passed([]) is None
    assert passed([frontier(C0, 0)]) is None


def test_positions_compare_numbers_as_numbers():
    ordered = [
        Position.at(9, C10, 5),
        Position.at(10, C0, 7),
        Position.at(10, C1, 2),
        Position.at(10, C1, 10),
        Position.at(10, C1._replace(epoch=2), 0),
        Position.at(10, C1._replace(epoch=10), 0),
        Position.at(10, C10, 0),
    ]
    assert sorted(ordered[at] for at in (3, 0, 6, 1, 5, 2, 4)) == ordered
    assert Position.at(10, "c/p/10/0-0", 0) == ordered[-1]
    assert ordered[-1].chain == "c/p/10/0-0"


def test_two_cuts_are_joined_chain_by_chain():
    assert joined({"a": 1, "b": 5}, {"b": 3, "c": 0}) == {"a": 1, "b": 5, "c": 0}


def rows(chain, seqs, log_times):
    count = len(seqs)
    return NarrowRows.of_chain(
        chain, seq=seqs, log_time=log_times, time_us=[0] * count, model=["m"] * count, version=["1"] * count
    )


def test_rows_are_sorted_into_watch_order_and_divided_at_a_log_time():
    all_rows = NarrowRows.concatenate([rows(C10, [0, 1], [1, 5]), rows(C1, [0, 1], [5, 5]), rows(C0, [0], [6])])
    ordered = all_rows.in_watch_order()
    found = [ordered.position(row) for row in range(len(ordered))]
    assert found == sorted(found)
    assert ordered.in_watch_order() is ordered
    through, rest = ordered.through(5)
    assert (len(through), len(rest)) == (4, 1)


def test_what_is_no_prediction_stays_so_when_codes_are_joined():
    other = NarrowRows.of_chain(C1, seq=[0], log_time=[1], time_us=[0], model=[None], version=[None])
    both = NarrowRows.concatenate([rows(C0, [0], [1]), other])
    assert both.model.tolist() == [0, -1]


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="expected one length"):
        NarrowRows.of_chain(C0, seq=[0, 1], log_time=[1], time_us=[0], model=[None], version=[None])
