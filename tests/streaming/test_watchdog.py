"""Which worker is stuck, and which only waits or has nothing to do."""

from modeltrail.ledger.chain import PartitionId
from modeltrail.streaming.watchdog import Stuck, Watchdog

P0, P1 = (PartitionId("c", "t", number) for number in range(2))


def looks(watchdog, *states):
    """What the watchdog says at seconds 0, 10, 20 and so on."""
    return [
        watchdog.look(10.0 * turn, reading=reading, placing=placing, waiting=waiting)
        for turn, (reading, placing, waiting) in enumerate(states)
    ]


def test_a_partition_whose_watermark_stands_still_is_stuck_although_others_go_on():
    said = looks(Watchdog(stuck_s=25, placing_s=99), *(({P0: (5, 7), P1: (turn, 7)}, (), False) for turn in range(4)))
    assert said == [None, None, None, Stuck(P0, 30.0, 5)]
    assert str(said[-1]) == f"{P0}: no progress for 30 s at offset 5"


def test_a_partition_that_has_nothing_to_read_or_moves_is_not_stuck():
    assert not any(
        looks(Watchdog(stuck_s=5, placing_s=5), *(({P0: (5, 5), P1: (turn, 99)}, (), False) for turn in range(9)))
    )


def test_time_does_not_count_while_the_worker_waits_for_a_dependency():
    states = [({P0: (5, 7)}, (P1,), waiting) for waiting in (False, False, True, False, False, False)]
    assert not any(looks(Watchdog(stuck_s=35, placing_s=35), *states))
    assert looks(Watchdog(stuck_s=35, placing_s=35), *states, states[0])[-1] is not None


def test_a_placement_that_does_not_end_is_stuck():
    said = looks(Watchdog(stuck_s=5, placing_s=25), *(({}, (P1,), False) for _ in range(4)))
    assert said == [None, None, None, Stuck(P1, 30.0, None)]
    assert str(said[-1]) == f"{P1}: not placed after 30 s"


def test_a_partition_that_is_placed_again_begins_anew():
    watchdog = Watchdog(stuck_s=25, placing_s=25)
    states = [({}, (P0,), False), ({P0: (0, 1)}, (), False)] * 4
    assert not any(looks(watchdog, *states))


def test_where_the_log_holds_no_record_behind_the_watermark_time_begins_anew():
    """Behind a transaction: its marker is the last offset, and nobody ever delivers it."""
    watchdog = Watchdog(stuck_s=15, placing_s=15)
    state = ({P0: (8, 9)}, (), False)
    found = looks(watchdog, state, state, state)[-1]
    watchdog.excuse(found, 20.0)
    assert watchdog.look(30.0, reading=state[0], placing=(), waiting=False) is None
    assert watchdog.look(40.0, reading=state[0], placing=(), waiting=False) == Stuck(P0, 20.0, 8)
