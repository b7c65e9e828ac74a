"""How far chains are there, and what the fold is fed with."""

import numpy as np
import pytest

from modeltrail.drift.windows.narrow import NO_PREDICTION, Tick
from modeltrail.errors import StoreUnavailableError, TamperError
from modeltrail.events.checks import CheckCompleted, CheckReference
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain
from modeltrail.storage.watch import narrow
from modeltrail.storage.watch.frontiers import Frontiers
from modeltrail.storage.watch.narrow import read_changes, read_narrow
from modeltrail.storage.watch.reader import Reader
from tests.storage.maker import BOTH_MODES, ChainMaker, insert
from tests.storage.watch.log import MODEL, VERSION, Log


def predicted(log, numbers, to=0):
    for number in numbers:
        log.predict(to=to, log_ms=1000 + number, at_us=number)


def ends(frontiers, log):
    return {str(chain): end for chain, end in frontiers.read().items() if chain.cluster == log.cluster}


def test_the_end_is_before_the_first_hole_and_moves_when_it_is_filled(own):
    """0 1 2 . 4 5      2 is the end until 3 is there"""
    log = Log()
    predicted(log, range(6))
    rows, name = log.rows, str(log.chains[0].chain)
    frontiers = Frontiers(Reader(own))
    insert(own, rows[1:3])
    assert ends(frontiers, log) == {}
    insert(own, rows[:1])
    assert ends(frontiers, log) == {name: (2, 1002)}
    insert(own, rows[4:])
    assert ends(frontiers, log) == {name: (2, 1002)}
    with pytest.raises(StoreUnavailableError, match="position 3 is not in the ledger yet"):
        frontiers.require({name: 5})
    frontiers.require({name: 2})
    insert(own, rows[3:4])
    assert ends(frontiers, log) == {name: (5, 1005)}
    frontiers.require({name: 5})
    assert frontiers.offsets({log.chains[0].chain: 4}) == {log.chains[0].chain: 4}


@pytest.mark.parametrize("from_the_start", [False, True])
def test_long_chains_are_counted_step_by_step(own, monkeypatch, from_the_start):
    monkeypatch.setattr("modeltrail.storage.watch.frontiers._STEP", 7)
    log, reader = Log(), Reader(own)
    predicted(log, range(30))
    name, frontiers = str(log.chains[0].chain), Frontiers(reader)
    insert(own, [row for row in log.rows if row.seq != 20])
    assert ends(frontiers, log) == {name: (19, 1019)}
    insert(own, log.rows)
    assert ends(Frontiers(reader) if from_the_start else frontiers, log) == {name: (29, 1029)}


def test_identical_rows_are_one_position_and_two_entries_at_one_are_tampering(own):
    log, reader = Log(), Reader(own)
    predicted(log, range(4))
    own.command("SYSTEM STOP MERGES ledger")
    insert(own, log.rows)
    insert(own, log.rows)
    assert ends(Frontiers(reader), log) == {str(log.chains[0].chain): (3, 1003)}
    forged = ChainMaker(log.chains[0].chain)
    log.predict(to=forged, log_ms=1000)
    log.predict(to=forged, log_ms=1009)
    insert(own, forged.rows[1:])
    with pytest.raises(TamperError, match="two different entries") as caught:
        Frontiers(reader).read()
    assert (caught.value.chain, caught.value.seq) == (str(log.chains[0].chain), 1)


def test_every_epoch_is_found_and_other_topics_are_not(own):
    log, reader = Log(12), Reader(own)
    for partition in range(12):
        predicted(log, [partition], to=partition)
    second = log.chains[3].next_epoch(1)
    second.again(log.chains[3].rows[0])
    log.chains.append(second)
    for topic in (
        "modeltrail.alerts",
        "modeltrail.actions",
        "modeltrail.runs",
        "modeltrail.models",
        "modeltrail.checks",
    ):
        log.chains.append(ChainMaker(Chain(log.cluster, topic, 0, 0, 0)))
        log.chains[-1].gap(3)
    log.insert(own)
    watched = {
        maker.chain for maker in log.chains if maker.chain.topic.endswith((".predictions", ".models", ".checks"))
    }
    assert set(Frontiers(reader).read()) == watched
    assert len(watched) == 15


def test_narrow_rows_are_all_entries_of_a_chain_once(own):
    log, reader = Log(), Reader(own)
    for number, encode in enumerate(BOTH_MODES * 3):
        log.predict(
            encode=encode,
            log_ms=1000 + number,
            at_us=number + 5,
            model_id=f"m{number % 2}",
            model_version=f"v{number % 3}",
        )
        log.outcome(f"p-{number}", label="late", log_ms=1000 + number)
    log.chains[0].gap(log.chains[0].sequencer.next_offset + 2)
    own.command("SYSTEM STOP MERGES ledger")
    insert(own, log.rows)
    insert(own, log.rows[3:9], appended_at=1_710_000_000_000)
    rows = read_narrow(reader, log.chains[0].chain, 0, 99)
    assert rows.seq.tolist() == list(range(13))
    predictions = rows.model != NO_PREDICTION
    assert np.flatnonzero(predictions).tolist() == [0, 2, 4, 6, 8, 10]
    assert [rows.models[code] for code in rows.model[predictions]] == ["m0", "m1"] * 3
    assert [rows.versions[code] for code in rows.version[predictions]] == ["v0", "v1", "v2"] * 2
    assert rows.time_us[predictions].tolist() == [5, 6, 7, 8, 9, 10]
    assert rows.log_time.tolist() == [row.log_time for row in log.rows]
    assert "" not in rows.models
    assert read_narrow(reader, log.chains[0].chain, 4, 6).seq.tolist() == [4, 5, 6]
    assert len(read_narrow(reader, log.chains[0].chain, 50, 60)) == 0


def test_changes_are_told_in_order_in_both_content_modes(client, reader, monkeypatch):
    log = Log()
    models = ChainMaker(Chain(log.cluster, "modeltrail.models", 0, 0, 0))
    checks = ChainMaker(Chain(log.cluster, "modeltrail.checks", 0, 0, 0))
    told = []
    for encode in BOTH_MODES:
        for data in (
            MonitorConfigured(monitor_id='é "q"', model_id=MODEL, model_version=VERSION),
            MonitorAdvanced(model_id=MODEL, through="1970-01-02T00:00:00Z"),
        ):
            models.event(data, encode=encode)
            told.append(data)
        tick = CheckCompleted(
            check_id="0" * 64,
            kind="tick",
            monitor=CheckReference(id="m", sha256="0" * 64),
            model_id=MODEL,
            status="completed",
        )
        checks.event(tick, encode=encode)
    insert(client, models.rows)
    insert(client, models.rows)
    insert(client, checks.rows)
    changes = read_changes(reader, models.chain, 0, 99)
    assert [change.told for change in changes] == told
    assert [change.position.seq for change in changes] == [0, 1, 2, 3]
    assert changes[2].position.log_time == models.rows[2].log_time
    assert [change.told for change in read_changes(reader, checks.chain, 0, 99)] == [Tick(MODEL), Tick(MODEL)]
    assert read_changes(reader, models.chain, 4, 99) == []
    monkeypatch.setattr(narrow, "_AT_ONCE", 3)
    assert read_changes(reader, models.chain, 0, 3) == changes
    assert read_changes(reader, models.chain, 1, 2) == changes[1:3]
