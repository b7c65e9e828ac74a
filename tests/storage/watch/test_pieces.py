"""Pieces hold every prediction of a window once, and none too many; repeats are set aside or kept together."""

import numpy as np
import pytest

from modeltrail.drift.windows.closing import Window
from modeltrail.storage.watch.arrow_columns import digests
from modeltrail.storage.watch.content import Wanted, read_content
from modeltrail.storage.watch.pieces import cut_up
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.scope import Scope
from tests.storage.watch.log import HOUR_US, MODEL, VERSION, Log, read_slowly

PREDICTIONS, REPEATED = 90, 5
MOST = 14


def filled(client, repeats):
    """90 predictions on three chains, every third an hour later, and `repeats` of the first five on another chain."""
    log = Log(3)
    for number in range(PREDICTIONS):
        at_us = HOUR_US * (number % 3 // 2) + number
        log.predict(to=number // 30, event_id=f"e{number}", score=number / 100, at_us=at_us, log_ms=1000 + number)
    for number in range(repeats):
        at = number % REPEATED
        log.predict(to=2, event_id=f"e{at}", score=at / 100, at_us=at, log_ms=2000 + number)
    log.insert(client)
    return log, Scope(Window(0, HOUR_US), log.cut, MODEL, VERSION)


def rows_of(reader, piece):
    survey = reader.columns("watch/survey", **{**piece.parameters, "step": 10**6})
    return sum(survey.column("entries").to_pylist())


@pytest.mark.parametrize("repeats", [0, REPEATED])
def test_each_piece_is_a_range_of_positions_with_few_predictions(client, reader, repeats):
    _, scope = filled(client, repeats)
    cut = cut_up(reader, scope.content(), MOST)
    sizes = [rows_of(reader, piece) for piece in cut.pieces]
    assert sum(sizes) == PREDICTIONS * 2 // 3 + repeats
    assert 5 <= len(sizes) <= 7
    assert max(sizes) <= MOST
    assert cut.repeated.size == (4 if repeats else 0)  # one of them is in the window once
    assert cut.first_log_time == 1000
    ranks = sorted({int(rank) for piece in cut.pieces for rank in piece.ranks})
    assert ranks == [0, 1, 2]
    assert any(len(piece.ranks) > 1 for piece in cut.pieces)  # across the end of a chain


def test_few_predictions_are_one_piece_and_none_is_none(client, reader):
    _, scope = filled(client, REPEATED)
    cut = cut_up(reader, scope.content(), 1000)
    assert len(cut.pieces) == 1
    assert not cut.repeated.size
    later = Scope(Window(5 * HOUR_US, 6 * HOUR_US), scope.cut, MODEL, VERSION)
    assert cut_up(reader, later.content(), MOST).pieces == ()
    assert list(read_content(reader, later, Wanted())) == []


def test_where_most_is_repeated_repeats_are_in_one_piece(client, reader):
    _, scope = filled(client, 60)
    cut = cut_up(reader, scope.content(), MOST)
    assert [piece.parameters["part"] for piece in cut.pieces] == list(range(9))
    assert not cut.repeated.size
    assert sum(rows_of(reader, piece) for piece in cut.pieces[:1]) == 120


@pytest.mark.parametrize("repeats", [0, REPEATED, 60])
def test_a_window_in_pieces_is_what_a_slow_reading_finds(client, repeats, monkeypatch):
    monkeypatch.setattr("modeltrail.storage.watch.content._LEAST", 1)
    log, scope = filled(client, repeats)
    chunks = list(read_content(Reader(client, rows_at_once=MOST), scope, Wanted()))
    assert len(chunks) > 3
    found, duplicates = read_slowly(log.rows, log.cut, end_us=HOUR_US)
    scores = [float(score) for chunk in chunks for score in chunk.columns.column("score", "score").numbers]
    assert sorted(scores) == sorted(each["score"] for each in found)
    assert sum(chunk.duplicates for chunk in chunks) == duplicates
    assert (duplicates > 0) == (repeats > 0)


def test_half_of_a_hash_sets_aside_at_least_what_is_repeated(client, reader):
    _, scope = filled(client, REPEATED)
    cut = cut_up(reader, scope.content(), MOST)
    table = reader.columns("watch/repeated", **scope.content(), parts=1, part=0, most=10**6).combine_chunks()
    events = digests(table.column("event").combine_chunks())
    assert cut.set_aside(events).all()
    assert not cut.set_aside(events + np.uint64(1)).any()
