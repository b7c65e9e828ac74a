"""A store that refuses, is slow, away or killed, whose answers are lost, whose tables change: the worker waits it out."""

import asyncio
import json
import time

import pytest

from modeltrail.embedded.credentials import Role
from tests.faults.conftest import through
from tests.faults.exact import acknowledged, assert_undisturbed, caught_up, finish
from tests.faults.proxy import Fault, chaos, entries_of
from tests.faults.test_workers import batch
from tests.integration.events_for_tests import predictions
from tests.integration.installation import until

pytestmark = pytest.mark.kafka


def count(here, table="ledger", *, merged=True):
    client = here.client()
    try:
        return client.query(f"SELECT count() FROM {table}{' FINAL' if merged else ''}").result_rows[0][0]
    finally:
        client.close()


def command(here, *statements):
    client = here.client(Role.MIGRATOR)
    try:
        for statement in statements:
            client.command(statement)
    finally:
        client.close()


async def held_up(here, worker, reason, *, seconds=1.0):
    """The worker says that it waits and why; as long as this lasts it lives, and nothing is stored or acknowledged."""
    await until(lambda: reason in json.dumps(worker.failing()), what=f"not ready for {reason}", within=30)
    before, stored = await here.committed(), count(here)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert worker.alive
        assert worker.ready() is False
        await asyncio.sleep(0.2)
    assert (await here.committed(), count(here)) == (before, stored)


def altered(setting, value):
    """The ledger's own setting, changed and back again."""
    return (
        lambda here, _: command(here, f"ALTER TABLE ledger MODIFY SETTING {setting} = {value}"),
        lambda here, _: command(here, f"ALTER TABLE ledger RESET SETTING {setting}"),
    )


def profiled(**settings):
    """A setting that the user's profile brings to every insert of a block."""
    return (
        lambda here, proxy: proxy.add(Fault(entries_of(here), times=None, settings=settings)),
        lambda _, proxy: proxy.normal(),
    )


def locked_out():
    """The password was changed: every request is refused."""
    return (
        lambda _, proxy: proxy.add(Fault(times=None, edit=lambda request, _: request.without_login())),
        lambda _, proxy: proxy.normal(),
    )


REFUSALS = {
    "code 252": altered("parts_to_throw_insert", 1),
    "code 243": altered("min_free_disk_bytes_to_perform_insert", 10**15),
    "code 241": profiled(max_memory_usage=1),
    "code 164": profiled(readonly=1),
    "code 159": profiled(max_execution_time="0.001"),
    "code 516": locked_out(),
}


async def test_while_the_store_refuses_the_worker_waits_and_then_goes_on_by_itself(install, store_proxy, faults):
    here = install()
    worker = here.worker(**through(store_proxy))
    await here.produce(batch(60, 0))
    await caught_up(here)
    for number, (reason, (refuse, allow)) in enumerate(REFUSALS.items(), 1):
        await until(worker.ready, what=f"ready before {reason}")
        await acknowledged(here)
        refuse(here, store_proxy)
        await here.produce(batch(60, 100 * number))
        await held_up(here, worker, reason, seconds=faults.seconds(0.6, 20.0))
        allow(here, store_proxy)
        await caught_up(here)
    await finish(here, worker)
    await assert_undisturbed(here)


def shortened(request, dice):
    return request.with_body(request.body[: dice.randrange(len(request.body))])


def garbled(request, dice):
    at = dice.randrange(len(request.body) // 4, len(request.body) * 3 // 4)
    return request.with_body(request.body[:at] + bytes([request.body[at] ^ 0xFF]) + request.body[at + 1 :])


LOSSES = {
    "no answer": {"cut_after": 0},
    "the status line": {"cut_after": 17},
    "cut within the headers": {"cut_after": 150},
    "cut before the last byte": {"cut_after": lambda _, length: length - 1},
    "an answer that never comes": {"black_hole": True},
    "a late answer": {"delay_s": 1.0},
    "the request lost": {"lose_request": True},
    "the request cut": {"edit": shortened},
    "the request garbled": {"edit": garbled},
    "the request lost three times": {"lose_request": True, "times": 3},
    "the request cut twice": {"edit": shortened, "times": 2},
    "the request doubled": {"repeat": 1},
}


async def test_an_insert_whose_answer_is_lost_is_read_back_and_neither_lost_nor_doubled(install, store_proxy, faults):
    here = install()
    worker = here.worker(**through(store_proxy))
    await here.produce(batch(60, 0))
    await caught_up(here)
    for number, (name, options) in enumerate(LOSSES.items(), 1):
        for turn in range(faults.times(1, 5)):
            fault = store_proxy.add(Fault(entries_of(here), **options))
            await here.produce(batch(60, 1_000 * number + 100 * turn))
            await caught_up(here)
            await until(lambda fault=fault: fault.hits == fault.times, what=name)
            store_proxy.normal()
            if "repeat" not in options:
                assert count(here, merged=False) == count(here), f"{name}: rows stand twice"
    await finish(here, worker)
    await assert_undisturbed(here)


async def test_a_network_that_loses_cuts_delays_and_doubles_at_random(install, store_proxy, faults):
    here = install(WORKER__BLOCK_ROWS=100, WORKER__POLL_RECORDS=50)
    worker = here.worker(**through(store_proxy))
    await until(worker.ready, what="ready")
    store_proxy.chaos = chaos(0.15)
    for number in range(faults.times(3, 200)):
        await here.produce(batch(150, 1_000 * number))
        await asyncio.sleep(faults.random.uniform(0, 0.5))
    await until(lambda: store_proxy.inserts >= 5, what="inserts went through the chaos")
    store_proxy.normal()
    await finish(here, worker)
    await assert_undisturbed(here)


async def test_a_view_that_fails_leaves_no_typed_row_missing(install):
    here = install()
    worker = here.worker()
    await here.produce(batch(60, 0))
    await caught_up(here)
    command(here, "CREATE MATERIALIZED VIEW broken ENGINE = Memory AS SELECT throwIf(1) AS x FROM ledger")
    for number in range(1, 3):
        await here.produce(batch(60, 100 * number))
        await caught_up(here)
    assert "a materialized view of the ledger failed" in worker.output
    command(here, "DROP VIEW broken")
    await here.produce(batch(60, 500))
    await finish(here, worker)
    await assert_undisturbed(here, verify=True)


async def test_the_engine_killed_inside_an_insert_stores_the_block_whole_or_not_at_all(install, store_proxy, faults):
    here = install()
    store = here.stack.clickhouse
    worker = here.worker(**through(store_proxy))
    await here.produce(batch(60, 0))
    await caught_up(here)
    for number in range(1, 1 + faults.times(1, 10)):
        wait = faults.random.uniform(0, 0.06)

        def kill(wait=wait):
            time.sleep(wait)
            store.kill()

        try:
            store_proxy.add(Fault(entries_of(here), then=kill))
            await here.produce(batch(1_500, 10_000 * number))
            await until(lambda: not store.running, what="the engine is dead")
            await until(lambda: worker.ready() is False, what="not ready")
        finally:
            store_proxy.normal()
            if not store.running:
                store.start()
        await caught_up(here)
    await finish(here, worker)
    await assert_undisturbed(here, verify=True)


async def test_a_slow_store_makes_the_worker_slow_and_nothing_else(install, store_proxy, faults):
    """Whole set: each answer takes longer than the session, which a busy machine alone does not use up."""
    here = install(WORKER__SESSION_TIMEOUT_S=10, WORKER__INSERT_TIMEOUT_S=30)
    worker = here.worker(**through(store_proxy))
    await until(worker.ready, what="ready")
    store_proxy.delay_s = faults.seconds(0.4, 12.0)
    end = time.monotonic() + faults.seconds(3.0, 60.0)
    number = 0
    while time.monotonic() < end:
        await here.produce(batch(60, 100 * number))
        number += 1
        await asyncio.sleep(0.3)
    await caught_up(here)
    store_proxy.normal()
    await finish(here, worker)
    assert worker.output.count("predictions/0: goes on") == 1, "it was placed again: it had left its group"
    await assert_undisturbed(here)


def large(number, start):
    """Valid records of 20 kB each."""
    return [(key, value, [*headers, ("padding", b"x" * 20_000)]) for key, value, headers in predictions(number, start)]


async def test_a_store_that_is_away_is_waited_for_with_flat_memory_and_nothing_acknowledged(install, faults):
    """Idle first: also a worker with nothing to chain says that it is not ready. Then far more comes than it may hold."""
    here = install(WORKER__POLL_RECORDS=100, WORKER__BLOCK_ROWS=100, WORKER__BLOCK_BYTES=2**20)
    store = here.stack.clickhouse
    worker = here.worker()
    await here.produce(large(200, 0))
    await caught_up(here)
    await until(worker.ready, what="ready")
    committed = await acknowledged(here)
    store.kill()
    try:
        await until(lambda: worker.ready() is False, within=30, what="idle and not ready")
        before = worker.rss_mb
        await here.produce(large(faults.times(2_500, 6_000), 1_000))
        end = time.monotonic() + faults.seconds(4.0, 600.0)
        most = 0.0
        while time.monotonic() < end:
            assert worker.alive
            assert worker.ready() is False
            most = max(most, worker.rss_mb)
            await asyncio.sleep(0.2)
        assert await here.committed() == committed
        # 50 MB wait in the log (120 in the whole set); what may wait in memory are two blocks, what was fetched, and the engine's buffers.
        assert most - before < 40, f"{before:.0f} MB before, {most:.0f} MB while the store was away"
    finally:
        store.start()
    await caught_up(here)
    await finish(here, worker)
    await assert_undisturbed(here)


async def test_a_schema_that_changes_under_a_worker_ends_it_with_what_to_do(install):
    here = install()
    worker = here.worker()
    await here.produce(batch(60, 0))
    await caught_up(here)
    for change, back in (
        (
            "ALTER TABLE ledger RENAME COLUMN causationid TO cause",
            "ALTER TABLE ledger RENAME COLUMN cause TO causationid",
        ),
        ("RENAME TABLE ledger TO elsewhere", "RENAME TABLE elsewhere TO ledger"),
    ):
        command(here, change)
        await here.produce(batch(60, 100))
        await until(lambda worker=worker: not worker.alive, what=f"the end after {change}")
        assert worker.process.returncode == 2
        assert "modeltrail migrate" in worker.output
        refused = here.worker()
        await until(lambda refused=refused: not refused.alive, what="no start on another schema")
        assert refused.process.returncode == 2
        command(here, back)
        worker = here.worker()
        await caught_up(here)
    await finish(here, worker)
    await assert_undisturbed(here)


async def test_a_ledger_that_is_swapped_for_another_is_filled_from_the_log(install):
    """Somebody restores a copy, or moves the table away: what is in the place of the ledger follows from the log again."""
    here = install()
    worker = here.worker()
    await here.produce(batch(60, 0))
    await caught_up(here)
    command(here, "CREATE TABLE other AS ledger", "EXCHANGE TABLES ledger AND other")
    await here.produce(batch(60, 100))
    await caught_up(here)
    await until(lambda: count(here) == 126, what="the other table holds the whole log")
    command(here, "EXCHANGE TABLES ledger AND other")
    await here.produce(batch(60, 200))
    await caught_up(here)
    await finish(here, worker)
    command(here, "DROP TABLE other")
    await assert_undisturbed(here)
