"""A back-test over a log with late entries, several chains, and a rewritten one."""

import numpy as np
import pytest

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.storage.watch.frontiers import PREDICTIONS, Frontiers
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.replay import Span, replay, rows_in_order
from tests.storage.watch.log import HOUR_US, MODEL, VERSION, Log


def baseline(shift=0.0):
    values = np.random.default_rng(1).normal(10 + shift, 3, 2000)
    return Baseline.from_frame({"delay": values}, model_id=MODEL, model_version=VERSION)


def monitor(**settings):
    window = {"kind": "tumbling", "size_s": 3600}
    return MonitorConfigured.model_validate({"monitor_id": "back", "model_id": MODEL, "window": window} | settings)


def filled(own, hours=5, a_window=60, late=()):
    """Hours of predictions on two chains in turn; `late` are hours of which one more comes at the very end."""
    log = Log(partitions=2)
    values = np.random.default_rng(2).normal(10, 3, hours * a_window)
    for number, value in enumerate(values.tolist()):
        at = (number // a_window) * HOUR_US + (number % a_window) * 1_000_000
        log.predict(to=number % 2, at_us=at, log_ms=86_400_000 + number, features={"delay": value})
    for number, hour in enumerate(late):
        log.predict(at_us=hour * HOUR_US + 5, log_ms=90_000_000 + number, features={"delay": 10.0})
    log.insert(own)
    return log


def found(own, *arguments, **options):
    return list(replay(Reader(own), *arguments, **options))


def windows(checks):
    return [(closing.window.start_us // HOUR_US, result.check.rows, closing.late) for closing, result in checks]


@pytest.mark.parametrize("at_once", [40, 10**6])
def test_windows_close_as_their_predictions_close_them_and_at_the_end(own, at_once):
    filled(own)
    assert windows(found(own, monitor(), baseline(), at_once=at_once)) == [(hour, 60, False) for hour in range(4)]
    all_of_it = found(own, monitor(), baseline(), Span(None, 5 * HOUR_US), at_once=at_once)
    assert windows(all_of_it) == [(hour, 60, False) for hour in range(5)]
    assert {result.check.status for _, result in all_of_it} == {"completed"}
    assert all_of_it[-1][0].closed_by == "advanced"


def test_a_span_chooses_windows_and_what_they_hold_is_whole(own):
    filled(own)
    middle = Span(HOUR_US + HOUR_US // 100, 3 * HOUR_US)
    assert windows(found(own, monitor(), baseline(), middle)) == [(1, 60, False), (2, 60, False)]
    assert found(own, monitor(), baseline(), Span(50 * HOUR_US, 60 * HOUR_US)) == []


def test_a_late_prediction_supersedes_and_names_what_it_supersedes(own):
    filled(own, late=(2,))
    checks = found(own, monitor(), baseline(), Span(None, 5 * HOUR_US))
    (again,) = ((closing, result) for closing, result in checks if closing.late)
    (first,) = (closing for closing, _ in checks if closing.window == again[0].window and not closing.late)
    assert again[0].supersedes == first.check_id == again[1].check.supersedes
    assert again[1].check.rows == 61
    assert again[1].check.late.counted == 1


def test_the_chain_of_the_back_test_is_in_no_cut(own):
    log = filled(own)
    for closing, result in found(own, monitor(), baseline(), Span(None, 5 * HOUR_US)):
        assert set(closing.cut) <= set(log.cut)
        assert set(result.check.cut.frontier) <= set(log.cut)


def test_another_baseline_gives_another_answer(own):
    filled(own)
    states = {
        shift: [result.check.state for _, result in found(own, monitor(), baseline(shift), Span(None, 5 * HOUR_US))]
        for shift in (0.0, 9.0)
    }
    assert set(states[0.0]) == {"stable"}
    assert set(states[9.0]) == {"critical"}


def test_windows_by_count_hold_so_many_from_the_first_of_the_span_on(own):
    filled(own)
    by_count = monitor(window={"kind": "count", "every": 50})
    checks = found(own, by_count, baseline(), Span(HOUR_US, 4 * HOUR_US))
    assert [result.check.rows for _, result in checks] == [50] * 3  # of 180
    assert checks == found(own, by_count, baseline(), Span(HOUR_US, 4 * HOUR_US), at_once=70)


def test_progress_is_told_up_to_the_end(own):
    filled(own)
    told = []
    found(own, monitor(), baseline(), progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 4) for number in range(5)]


@pytest.mark.parametrize("at_once", [17, 10**6])
def test_entries_come_in_watch_order_whatever_is_read_at_once(own, at_once):
    log = filled(own, hours=2, late=(0, 1))
    parts = list(rows_in_order(Frontiers(Reader(own), suffixes=(PREDICTIONS,)), at_once=at_once))
    positions = [part.position(row) for part in parts for row in range(len(part))]
    assert positions == sorted(positions)
    assert len(positions) == len(log.rows)
