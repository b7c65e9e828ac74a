"""What a restart asks the ledger, against a slow and obvious reading of the same log."""

import random

import pytest

from modeltrail.drift.windows.narrow import NO_PREDICTION, NarrowRows, Tick
from modeltrail.drift.windows.stretch import AHEAD_US
from modeltrail.events.checks import CheckCompleted, CheckCut, CheckEntry, CheckReference, CheckWindow
from modeltrail.events.models import MonitorAdvanced
from modeltrail.ledger.chain import Chain
from modeltrail.storage.watch.history import cuts, entries_before, last_checks, outermost, own_predictions, told
from modeltrail.storage.watch.history import entries as narrow_entries
from modeltrail.storage.watch.narrow import read_narrow
from modeltrail.watch.protocols import Frontier, Since
from tests.storage.maker import BOTH_MODES, ChainMaker, insert
from tests.storage.watch.log import MODEL, Log


def ends_of(*chains):
    return {maker.chain: Frontier(maker.rows[-1].seq, maker.rows[-1].log_time) for maker in chains if maker.rows}


def drawn(seed, partitions=3, entries=120):
    rng = random.Random(seed)
    log = Log(partitions)
    for number in range(entries):
        to, log_ms = rng.randrange(partitions), 400_000 + 10 * (number // 3)
        if rng.random() < 0.1:
            log.outcome(f"p-{number}", to=to, log_ms=log_ms, label="late")
            continue
        at_us = rng.choice([rng.randrange(500_000_000), log_ms * 1000 + AHEAD_US + rng.choice([0, 1])])
        log.predict(
            to=to, log_ms=log_ms, at_us=at_us, model_id=rng.choice("abc"), model_version=rng.choice("12"),
            encode=rng.choice(BOTH_MODES),
        )  # fmt: skip
    return log


def entries(reader, chains):
    """Every prediction of chains as (chain, seq, log_time, time_us, model, version)."""
    return listed(NarrowRows.concatenate([read_narrow(reader, maker.chain, 0, maker.rows[-1].seq) for maker in chains]))


def listed(rows):
    return {
        (
            rows.chains[rows.chain[row]], int(rows.seq[row]), int(rows.log_time[row]), int(rows.time_us[row]),
            rows.models[rows.model[row]], rows.versions[rows.version[row]],
        )
        for row in range(len(rows))
        if rows.model[row] != NO_PREDICTION
    }  # fmt: skip


def in_parts(reader, since, ends, *, through=10**9, most=10**6):
    """All predictions, and how many parts they came in; each part has whole log times behind those of the one before."""
    parts, behind = [], -1
    while behind < through:
        rows, until = own_predictions(reader, since, ends, behind=behind, through=through, most=most)
        assert not len(rows) or behind < rows.log_time.min() <= rows.log_time.max() <= until
        parts.append(rows)
        behind = until
    return NarrowRows.concatenate(parts), len(parts)


@pytest.mark.parametrize("seed", range(4))
def test_predictions_are_each_from_where_they_are_wanted_a_bounded_number_at_a_time(client, reader, seed):
    log = drawn(seed)
    log.insert(client)
    cut = {str(log.chains[0].chain): 7, str(log.chains[1].chain): 20}
    since = {"a": Since(cut, 0), "b": Since({}, 400_200)}
    ends = ends_of(*log.chains)
    ends[log.chains[2].chain] = Frontier(25, 0)
    wanted = {
        row
        for row in entries(reader, log.chains)
        if row[1] <= ends[row[0]].seq and row[2] <= 400_350
        and ((row[4] == "b" and row[2] >= 400_200) or (row[4] == "a" and row[1] > cut.get(str(row[0]), -1)))
    }  # fmt: skip
    for most in (1, 7, 10**6):
        rows, parts = in_parts(reader, since, ends, through=400_350, most=most)
        assert listed(rows) == wanted
        assert len(rows) == len(wanted)
        assert (parts > 3) == (most < 10)
    assert len(own_predictions(reader, {}, ends, behind=-1, through=10**9, most=9).rows) == 0


@pytest.mark.parametrize("seed", range(4))
def test_what_was_before_comes_to_the_outermost_of_each_version(client, reader, seed):
    log = drawn(seed)
    log.insert(client)
    ends = ends_of(*log.chains)
    ends[log.chains[2].chain] = Frontier(25, 0)
    before = {"a": 0, "b": 400_200}
    rest = {
        row
        for row in entries(reader, log.chains)
        if row[1] <= ends[row[0]].seq and row[2] < before.get(row[4], 400_300)
    }
    found = outermost(reader, before, 400_300, ends)
    got = listed(found)
    assert len(found) == len(got) <= 12
    assert got <= rest
    for model, version in {row[4:] for row in rest}:
        whole = [row for row in rest if row[4:] == (model, version)]
        some = [row for row in got if row[4:] == (model, version)]
        assert max(row[2] for row in some) == max(row[2] for row in whole)
        sane, sane_got = ([row[3] for row in rows if row[3] <= row[2] * 1000 + AHEAD_US] for rows in (whole, some))
        assert (min(sane_got), max(sane_got)) == (min(sane), max(sane))
    assert len(outermost(reader, {"a": 0, "b": 0, "c": 0}, 400_300, ends)) == 0


def test_single_entries_are_found_where_they_are_predictions(client, reader):
    log = drawn(6)
    log.insert(client)
    every = entries(reader, log.chains)
    places = {(maker.chain, row.seq) for maker in log.chains for row in maker.rows[::5]}
    assert listed(narrow_entries(reader, places)) == {row for row in every if row[:2] in places}
    assert 0 < len(narrow_entries(reader, places)) < len(places)
    assert len(narrow_entries(reader, ())) == 0


def test_a_typed_table_that_lacks_a_row_has_no_answer(client, reader):
    log = drawn(9)
    log.insert(client)
    ends = ends_of(*log.chains)
    assert outermost(reader, {}, 10**9, ends) is not None
    chain, seq = next((row.chain, row.seq) for row in log.rows if row.type == "modeltrail.prediction.recorded.v1")
    client.command(
        "DELETE FROM predictions WHERE chain = {chain:String} AND seq = {seq:Int64}",
        parameters={"chain": str(chain), "seq": seq},
        settings={"lightweight_deletes_sync": 2},
    )
    assert outermost(reader, {}, 10**9, ends) is None


@pytest.mark.parametrize("merged", [False, True])
def test_a_record_in_several_epochs_stands_in_each_of_them_as_in_the_ledger(client, reader, merged):
    """epoch 0   0 1 2 3 4 5              typed, once merged: 0 1 2 3 4 5 in epoch 0, 6 in epoch 1, 7 in epoch 2
    epoch 1         3 4 5 6
    epoch 2             5 6 7"""
    log = Log()
    for number in range(6):
        log.predict(log_ms=1000 + number, at_us=number, model_id="ab"[number % 2])
    old = log.chains[0]
    new = old.next_epoch(3)
    for row in old.rows[3:]:
        new.again(row)
    log.predict(to=new, log_ms=1006, at_us=6, model_id="a")
    newest = new.next_epoch(5)
    for row in new.rows[2:]:
        newest.again(row)
    log.predict(to=newest, log_ms=1007, at_us=7, model_id="a")
    insert(client, [*old.rows, *new.rows, *newest.rows])
    if merged:
        client.command("OPTIMIZE TABLE predictions FINAL")
    makers = (old, new, newest)
    every, ends = entries(reader, makers), ends_of(*makers)
    assert len(every) == 13
    rows, _ = in_parts(reader, {"a": Since({str(old.chain): 1}, 0), "b": Since({}, 0)}, ends, most=2)
    assert listed(rows) == {row for row in every if row[4] == "b" or (row[0], row[1]) != (old.chain, 0)}
    assert len(rows) == 12
    assert listed(outermost(reader, {"b": 0}, 1006, ends)) <= {row for row in every if row[4] == "a"}


def test_a_topic_that_was_made_anew_has_no_record_twice(client, reader):
    log = Log()
    for number in range(6):
        log.predict(log_ms=1000 + number, at_us=number)
    new = log.chains[0].next_epoch(0)
    for number in range(3):
        log.predict(to=new, log_ms=2000 + number, at_us=number)
    insert(client, [*log.rows, *new.rows])
    every, ends = entries(reader, (*log.chains, new)), ends_of(*log.chains, new)
    rows, _ = in_parts(reader, {MODEL: Since({}, 0)}, ends)
    assert listed(rows) == every
    assert len(rows) == 9


@pytest.mark.parametrize("seed", range(3))
def test_cuts_are_the_last_entries_before_each_moment(client, reader, seed):
    log = drawn(20 + seed)
    log.insert(client)
    ends = ends_of(*log.chains)
    ends[log.chains[1].chain] = Frontier(11, 0)
    moments = [400_390, 0, 400_000, 400_010, 400_200, 900_000]
    wanted = {
        moment: {
            str(maker.chain): max(seqs)
            for maker in log.chains
            if (seqs := [row.seq for row in maker.rows if row.log_time < moment and row.seq <= ends[maker.chain].seq])
        }
        for moment in moments
    }
    assert cuts(reader, moments, ends) == wanted
    assert cuts(reader, [], ends) == {}


def test_the_last_entry_before_a_moment_is_found_in_every_chain(client, reader):
    log = drawn(5)
    log.insert(client)
    ends = ends_of(*log.chains)
    for log_time in (0, 400_000, 400_010, 400_200, 400_390, 900_000):
        wanted = {}
        for maker in log.chains:
            before = [row for row in maker.rows if row.log_time < log_time]
            if before:
                wanted[maker.chain] = Frontier(before[-1].seq, before[-1].log_time)
        assert entries_before(reader, log_time, ends) == wanted


def a_check(model, number, *, monitor="w", version="1", kind="drift", window=1, seq=0, frontier=0, delay=None):
    return CheckCompleted(
        check_id=f"{number:064x}", kind=kind, monitor=CheckReference(id=monitor, sha256="0" * 64), model_id=model,
        model_version=version, status="completed", rows=number,
        window=CheckWindow(start="2026-01-01T00:00:00Z", end=f"2026-01-{window + 1:02}T00:00:00Z", label_delay_s=delay),
        cut=CheckCut(entry=CheckEntry(chain="c/t.predictions/0/0-0", seq=seq), frontier={"c/t.predictions/0/0-0": frontier}),
    )  # fmt: skip


def test_the_last_check_of_every_unit_is_the_one_that_saw_most(client, reader):
    log = Log()
    checks = ChainMaker(Chain(log.cluster, "modeltrail.checks", 0, 0, 0))
    said = [
        a_check("m", 1, frontier=4, seq=5),
        a_check("m", 2, frontier=9, seq=10, window=2),
        a_check("m", 3, frontier=9, seq=10, window=3),
        a_check("m", 4, frontier=7, seq=8, window=4),
        a_check("m", 5, frontier=3, seq=4, version="2"),
        a_check("m", 6, frontier=3, seq=4, kind="performance", delay=60),
        a_check("m", 7, frontier=3, seq=4, monitor="v"),
        a_check("m", 8, frontier=99, seq=4),
    ]
    for check in said:
        checks.event(check, id=check.check_id, source="modeltrail/watch", timestamp=1000)
    checks.event(a_check("m", 9, frontier=99, seq=4), id="forged", source="somebody", timestamp=1000)
    insert(client, checks.rows)
    found = last_checks(reader, {checks.chain: Frontier(6, 1000)})
    assert {int(each.check_id, 16): (each.reach, each.entry[1], each.label_delay_s) for each in found} == {
        3: (10, 10, 0), 5: (4, 4, 0), 6: (4, 4, 60), 7: (4, 4, 0),
    }  # fmt: skip
    everything = last_checks(reader, ends_of(checks))
    assert max(int(each.check_id, 16) for each in everything) == 8


def test_what_was_told_is_all_of_models_and_the_ticks_of_checks(client, reader):
    log = Log()
    models = ChainMaker(Chain(log.cluster, "modeltrail.models", 0, 0, 0))
    checks = ChainMaker(Chain(log.cluster, "modeltrail.checks", 0, 0, 0))
    models.event(MonitorAdvanced(model_id="m", through="2026-01-01T00:00:00Z"), id="a", timestamp=1000)
    checks.event(a_check("m", 1), id="c", source="modeltrail/watch", timestamp=1000)
    tick = CheckCompleted(
        check_id="2" * 64, kind="tick", monitor=CheckReference(id="w", sha256="0" * 64), model_id="m",
        model_version="1", status="completed",
    )  # fmt: skip
    checks.event(tick, id="t", source="modeltrail/watch", timestamp=1500)
    insert(client, [*models.rows, *checks.rows])
    of_models, of_checks = told(reader, ends_of(models, checks))
    assert (of_models.chain, len(of_models.rows)) == (models.chain, 1)
    assert [change.told for change in of_models.changes] == [
        MonitorAdvanced(model_id="m", through="2026-01-01T00:00:00Z")
    ]
    assert len(of_checks.rows) == 0
    assert [(change.position.seq, change.position.log_time, change.told) for change in of_checks.changes] == [
        (1, 1500, Tick("m"))
    ]
    assert of_checks.after(1500).changes == []
    assert len(of_checks.after(1499).changes) == 1
