"""Predictions joined to what turned out to be true of them: the latest outcome in watch order within the cut."""

from random import Random

import pytest

from modeltrail.drift.checks.content import SCORE, TRUTH_LABEL, TRUTH_VALUE
from modeltrail.drift.windows.closing import Window
from modeltrail.storage.watch.content import OUTCOME_LEAD_MS, Wanted, read_labelled
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.scope import Scope
from tests.storage.maker import BOTH_MODES, insert
from tests.storage.watch.log import HOUR_US, MODEL, VERSION, Log, read_slowly, truth_slowly, values

HOUR = Window(0, HOUR_US)
WEEK_MS = 7 * 86_400_000


def read(reader, log, cut=None, window=HOUR):
    """(score, true label, true value) of each prediction."""
    found = []
    for chunk in read_labelled(reader, Scope(window, cut or log.cut, MODEL, VERSION), Wanted()):
        columns = [values(chunk.columns.column(*key)) for key in (SCORE, TRUTH_LABEL, TRUTH_VALUE)]
        found += zip(*([value for _, value in column] for column in columns), strict=True)
    return found


def slowly(log, cut=None):
    cut = cut or log.cut
    found = []
    for data in read_slowly(log.rows, cut, end_us=HOUR_US)[0]:
        truth = truth_slowly(log.rows, cut, data) or {}
        value = truth.get("value")
        found.append((data.get("score"), truth.get("label", value), value))
    return found


def test_an_outcome_that_comes_weeks_late_counts_from_its_entry_on(client, reader):
    """predictions  p-0 ........................... three weeks ....... outcome
    cut                           here: unknown            here: known"""
    log = Log(2)
    log.predict(score=0.5, prediction_id="p", to=0)
    late = log.outcome("p", to=1, log_ms=1_000 + 3 * WEEK_MS, label="late")
    log.insert(client)
    before = {**log.cut, str(late.chain): late.seq - 1}
    assert read(reader, log, before) == [(0.5, None, None)]
    assert read(reader, log) == [(0.5, "late", None)]


def test_the_latest_outcome_counts_and_a_repeat_of_an_old_one_replaces_nothing(client, reader):
    """first(late)  correction(on_time)  first again     on_time it is"""
    log = Log(2)
    log.predict(score=0.5, prediction_id="p")
    log.outcome("p", event_id="first", label="late", log_ms=2_000)
    log.outcome("p", event_id="correction", label="on_time", log_ms=3_000, to=1)
    log.outcome("p", event_id="first", label="late", log_ms=4_000)
    log.insert(client)
    assert read(reader, log) == [(0.5, "on_time", None)] == slowly(log)
    one, two = (str(chain.chain) for chain in log.chains)
    assert read(reader, log, {one: 1}) == [(0.5, "late", None)]
    assert read(reader, log, {one: 1, two: 0}) == [(0.5, "on_time", None)]


def test_outcomes_on_other_chains_are_put_in_watch_order(client, reader):
    log = Log(3)
    log.predict(score=0.5, prediction_id="p", to=2)
    log.outcome("p", to=2, label="second", log_ms=3_000)
    log.outcome("p", to=0, label="third", log_ms=3_001)
    log.outcome("p", to=1, label="first", log_ms=2_000)
    log.insert(client)
    assert read(reader, log) == [(0.5, "third", None)]


def test_an_outcome_of_another_version_or_model_is_about_another_prediction(client, reader):
    log = Log()
    log.predict(score=0.5, prediction_id="p")
    log.outcome("p", label="late", model_version="2.0.0")
    log.outcome("p", label="late", model_id="other")
    log.outcome("q", label="late")
    log.insert(client)
    assert read(reader, log) == [(0.5, None, None)]


def test_numbers_and_labels_of_the_truth(client, reader):
    log = Log()
    for number, truth in enumerate([{"value": 2.5}, {"label": "x", "value": 0.1}, {"label": "y"}]):
        log.predict(score=number, prediction_id=str(number))
        log.outcome(str(number), **truth)
    log.insert(client)
    assert read(reader, log) == [(0, 2.5, 2.5), (1, "x", 0.1), (2, "y", None)]


def test_an_outcome_long_before_the_window_is_not_looked_for(client, reader):
    log = Log(2)
    log.outcome("p", label="late", log_ms=1_000, to=1)
    log.outcome("q", label="late", log_ms=1_001, to=1)
    log.predict(score=0.5, prediction_id="p", log_ms=1_001 + OUTCOME_LEAD_MS)
    log.predict(score=0.6, prediction_id="q", log_ms=1_001 + OUTCOME_LEAD_MS)
    log.insert(client)
    assert read(reader, log) == [(0.5, None, None), (0.6, "late", None)]


@pytest.mark.parametrize("rows_at_once", [40, 10_000])
def test_random_logs_are_joined_as_a_slow_reading_joins_them(client, rows_at_once, monkeypatch):
    monkeypatch.setattr("modeltrail.storage.watch.content._LEAST", 1)
    log, random = Log(3), Random(11)
    for _ in range(150):
        log.predict(
            to=random.randrange(3), event_id=str(random.randrange(100)), prediction_id=str(random.randrange(80)),
            score=random.random(), log_ms=1000 + random.randrange(100), at_us=random.randrange(2 * HOUR_US),
            encode=random.choice(BOTH_MODES),
        )  # fmt: skip
    for _ in range(200):
        log.outcome(
            str(random.randrange(100)), to=random.randrange(3), event_id=f"o{random.randrange(120)}",
            log_ms=1050 + random.randrange(100), encode=random.choice(BOTH_MODES),
            **random.choice([{"label": random.choice("ab")}, {"value": random.random()}]),
        )  # fmt: skip
    log.insert(client)
    insert(client, log.chains[1].rows)
    cut = {chain: last - 5 for chain, last in log.cut.items()}
    found = read(Reader(client, rows_at_once=rows_at_once), log, cut)
    assert sorted(map(repr, found)) == sorted(map(repr, slowly(log, cut)))
    assert sum(label is not None for _, label, _ in found) > 20
    assert any(label is None for _, label, _ in found)
