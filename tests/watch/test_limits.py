"""Up to where entries may be given on: chains, clocks and what waits."""

import numpy as np

from modeltrail.drift.windows.narrow import NarrowRows
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.watch.limits import End, Limit, find_limits, holding_back
from modeltrail.watch.protocols import Frontier
from modeltrail.watch.reading import FOR_EVER, Reading

A, B = PartitionId("c", "t.predictions", 0), PartitionId("c", "t.predictions", 1)


def rows(partition, *log_times, first=0):
    chain = Chain(*partition, 0, 0)
    count = len(log_times)
    return chain, NarrowRows.of_chain(
        chain,
        seq=np.arange(first, first + count),
        log_time=log_times,
        time_us=[0] * count,
        model=[None] * count,
        version=[None] * count,
    )


def reading(*reads):
    """Reads of (second, partition, log times)."""
    found = Reading()
    for at, partition, *log_times in reads:
        found.add(*rows(partition, *log_times), [], at=at)
    return found


def end(partition, log_time, *, idle_at=None):
    chain = Chain(*partition, 0, 0)
    return End(chain, Frontier(9, log_time), idle_at)


def limits(ends, what, *, now=100.0, max_wait_s=900.0, grace_s=1.0):
    return find_limits(ends, what, grace_s=grace_s, now=now, max_wait_s=max_wait_s)


def test_what_is_before_the_last_of_every_chain_has_passed():
    #   A  10 20 30      B  12 25       25 itself may still be followed by another 25 of B
    assert limits({A: end(A, 30), B: end(B, 25)}, reading((1.0, A, 10, 20, 30), (1.0, B, 12, 25))) == [Limit(24)]


def test_an_idle_chain_passes_what_was_read_a_grace_before_the_look():
    #   A  10 at 1.0   20 at 2.0       B seen idle at 2.5, grace 1.0: what was read by 1.5
    what = reading((1.0, A, 10), (2.0, A, 20))
    assert limits({A: end(A, 30), B: end(B, 5, idle_at=2.5)}, what) == [Limit(19)]
    assert limits({A: end(A, 30), B: end(B, 5, idle_at=1.9)}, what) == [Limit(9)]
    assert limits({A: end(A, 30), B: End(None, None, 3.0)}, what) == [Limit(29)]


def test_when_everybody_is_idle_all_has_passed():
    what = reading((1.0, A, 10), (2.0, A, 20))
    assert limits({A: end(A, 20, idle_at=9.0), B: End(None, None, 9.0)}, what) == [Limit(FOR_EVER)]


def test_a_partition_of_which_nothing_is_known_holds_back_everything():
    what = reading((1.0, A, 10))
    ends = {A: end(A, 10, idle_at=9.0), B: End(None, None, None)}
    assert limits(ends, what) == []
    assert holding_back(ends, what, through=what.highest, grace_s=1.0) == [B]


def test_what_has_waited_too_long_goes_on_without_those_that_are_slow():
    what = reading((1.0, A, 10), (600.0, A, 20))
    ends = {A: end(A, 30), B: end(B, 5)}
    assert limits(ends, what, now=902.0) == [Limit(4), Limit(19, ("t.predictions/1",))]
    assert limits(ends, what, now=900.0) == [Limit(4)]
    assert limits(ends, what, now=1600.0) == [Limit(4), Limit(20, ("t.predictions/1",))]


def test_what_is_in_the_ledger_and_was_not_read_yet_is_not_late():
    what = reading((1.0, A, 10), (2.0, A, 20))
    ends = {A: end(A, 30), B: end(B, 5)}
    given = {"grace_s": 1.0, "now": 1600.0, "max_wait_s": 900.0}
    assert find_limits(ends, what, **given, read_through=14) == [Limit(4), Limit(14, ("t.predictions/1",))]
    assert find_limits(ends, what, **given, read_through=4) == [Limit(4)]


def test_entries_are_taken_by_log_time_and_the_rest_keeps_its_hour():
    what = reading((1.0, A, 10, 20), (2.0, B, 15, 25))
    assert (len(what), what.highest, what.oldest) == (4, 25, 1.0)
    assert what.waiting_of(Chain(*B, 0, 0)) == 2
    taken = what.take(20)
    assert sorted(taken.rows.log_time.tolist()) == [10, 15, 20]
    assert (len(what), what.oldest) == (1, 2.0)
    assert what.read_by(1.5) == 24
    assert what.take(FOR_EVER).rows.log_time.tolist() == [25]
    assert (len(what), what.oldest, what.highest, what.read_by(0.0)) == (0, None, -1, FOR_EVER)
