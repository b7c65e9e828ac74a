"""Workers that die, freeze, come back, come and go: the ledger equals an undisturbed run of the same log."""

import asyncio
import contextlib
import signal
import time

import pytest

from tests.faults.commit_points import POINTS
from tests.faults.conftest import doomed, through
from tests.faults.exact import assert_undisturbed, caught_up, finish
from tests.faults.proxy import Fault, StoreProxy, entries_of
from tests.integration.events_for_tests import POISON, predictions
from tests.integration.installation import http_get, until

pytestmark = pytest.mark.kafka

BAD = [POISON["not json"], POISON["deep"], POISON["header name not utf-8"]]

DOUBTFUL = ("read_back.before", "read_back.after")
"""Points that are reached only after an insert whose answer was lost."""

LEAVING = ("give_up.before", "give_up.after")
"""Points that are reached when a worker is told to stop."""


STEADY = ("insert.", "send.", "durable.", "offsets.")
"""Points that every commit passes."""


def batch(count, start):
    """Valid records with a few bad ones among them."""
    records = predictions(count, start)
    for at, bad in enumerate(BAD):
        records.insert(7 + 11 * at, bad)
    return records


@contextlib.asynccontextmanager
async def producing(here, count):
    """Records keep coming, `count` at a time, while the block lasts."""
    over = asyncio.Event()

    async def work():
        number = 0
        while not over.is_set():
            await here.produce(batch(count, number))
            number += count
            await asyncio.sleep(0.1)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        over.set()
        await task


async def die_at(here, proxy, points, *, nth=1):
    """One worker after the other, each with new records to chain, each killed at another point."""
    for number, point in enumerate(points):
        await here.produce(batch(60 * nth, 1_000 * number))
        if point in DOUBTFUL:
            proxy.add(Fault(entries_of(here), cut_after=0))
        worker = doomed(here, f"{point}:{nth}:kill", **through(proxy))
        if point in LEAVING:
            await until(worker.ready, what="ready")
            await here.produce(batch(60, 1_000 * number + 500))
            worker.signal(signal.SIGTERM)
        elif nth > 1:
            await keep_busy(here, worker)
        await until(lambda worker=worker: not worker.alive, what=f"dead at {point}")
        assert worker.process.returncode == -signal.SIGKILL, f"{point}: {worker.output[-2000:]}"
    worker = here.worker()
    await finish(here, worker)
    await assert_undisturbed(here, verify=True)


async def keep_busy(here, worker, seconds=60):
    """Give a worker something to chain, again and again, until it is gone."""
    end = time.monotonic() + seconds
    start = 100_000
    while worker.alive and time.monotonic() < end:
        await here.produce(batch(20, start))
        start += 100
        await asyncio.sleep(0.3)


async def test_a_worker_killed_at_any_commit_point_leaves_nothing_that_the_next_one_does_not_complete(install, faults):
    # Each installation begins with a point after which it has something to place, two of them with a point of the
    # very first assignment: later ones find an offset.
    groups = [["start.before", "insert.after"], ["start.after", "send.before"], ["durable.before"]]
    rest = sorted(set(POINTS).difference(*groups))
    faults.random.shuffle(rest)
    if not faults.full:  # the seed chooses which, so that in a few runs each has its turn
        groups, rest = groups[1:], rest[:7]
    installations = [install() for _ in groups]
    with StoreProxy(installations[0].stack.clickhouse.port, seed=faults.seed) as proxy:
        for nth in range(1, 1 + faults.times(1, 4)):
            if nth > 1:  # those that come again and again while a worker works
                groups, rest = [[] for _ in groups], [point for point in POINTS if point.startswith(STEADY)]
            chosen = [[*group, *rest[number :: len(groups)]] for number, group in enumerate(groups)]
            await asyncio.gather(
                *(die_at(here, proxy, points, nth=nth) for here, points in zip(installations, chosen, strict=True))
            )


async def test_workers_killed_at_random_moments_lose_and_double_nothing(install, faults):
    here = install(WORKER__BLOCK_ROWS=200, WORKER__POLL_RECORDS=100)
    times = faults.times(2, 20)
    async with producing(here, 200):
        workers = [here.worker(), here.worker()]
        await until(lambda: here.rows(here.partition()), what="work has begun")
        for _ in range(times):
            await asyncio.sleep(faults.random.uniform(0.0, 3.0))
            victim = faults.random.randrange(2)
            workers[victim].kill()
            workers[victim] = here.worker()
    await caught_up(here)
    assert all(worker.alive for worker in workers)
    await until(workers[0].ready, what="ready")
    assert workers[0].stop() == 0
    await finish(here, workers[1])
    await assert_undisturbed(here)


FROZEN = ("insert.before", "insert.within", "send.before", "durable.before", "offsets.before", "reading.before")


async def thaw_late(here, point):
    """A worker freezes at `point` past its session; another takes over; then the frozen one goes on where it was."""
    await here.produce(batch(120, 0))
    frozen = doomed(here, f"{point}:1:stop")
    await until(lambda: state_of(frozen) == "T", what=f"frozen at {point}")
    heir = here.worker()
    await here.produce(batch(120, 1_000))
    await caught_up(here)
    await until(heir.ready, what="the heir is ready")
    frozen.signal(signal.SIGCONT)
    await here.produce(batch(120, 2_000))
    await caught_up(here)
    await until(frozen.ready, what="the zombie has joined again")
    assert frozen.stop() == 0, frozen.output[-2000:]
    await here.produce(batch(20, 3_000))
    await finish(here, heir)
    await assert_undisturbed(here)


def state_of(worker):
    """The state of a process as the kernel names it: T is stopped."""
    try:
        with open(f"/proc/{worker.process.pid}/stat") as stat:  # noqa: PTH123 - not a file of ours
            return stat.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


async def test_a_worker_frozen_past_its_session_writes_late_and_changes_nothing(install, faults):
    points = FROZEN if faults.full else FROZEN[:2]
    for pair in zip(points[::2], points[1::2], strict=True):
        await asyncio.gather(*(thaw_late(install(), point) for point in pair))


async def test_joins_and_leaves_within_a_minute(install, faults):
    here = install(partitions=6, WORKER__BLOCK_ROWS=200)
    changes = faults.times(5, 20)
    pause = faults.seconds(10, 60) / changes
    async with producing(here, 120):
        workers = [here.worker()]
        for _ in range(changes):
            await asyncio.sleep(pause * faults.random.uniform(0.5, 1.5))
            if len(workers) > 1 and (len(workers) > 3 or faults.random.random() < 0.5):
                leaving = workers.pop(faults.random.randrange(len(workers)))
                faults.random.choice((leaving.kill, lambda leaving=leaving: leaving.signal(signal.SIGTERM)))()
            else:
                workers.append(here.worker())
    await caught_up(here)
    for worker in workers[1:]:
        await until(worker.ready, what="ready")
        assert worker.stop() == 0, worker.output[-2000:]
    await finish(here, workers[0])
    await assert_undisturbed(here)


ONE_PARTITION = {f"TOPICS__PARTITIONS__{family}": 1 for family in ("BLOCKS", "REJECTED", "ALERTS")}


async def test_64_partitions_on_one_worker_that_is_killed_in_the_middle(install, faults):
    here = install(partitions=64, **ONE_PARTITION, WORKER__BLOCK_ROWS=2_000)
    records = faults.times(3_200, 64_000)
    await here.produce(batch(records // 2, 0))
    worker = here.worker()
    await until(lambda: here.rows(here.partition(63)), what="the last partition has entries")
    worker.kill()
    await here.produce(batch(records // 2, records))
    worker = here.worker()
    await finish(here, worker)
    await assert_undisturbed(here)


async def test_a_worker_told_to_stop_while_the_store_is_silent_ends_soon_and_in_order(install, store_proxy):
    """Neither an insert that nobody answers nor a placement that does not end holds up the end of the process."""
    here = install(WORKER__INSERT_TIMEOUT_S=300)
    worker = here.worker(**through(store_proxy))
    await here.produce(batch(60, 0))
    await caught_up(here)
    await until(worker.ready, what="ready")
    hidden = store_proxy.add(Fault(entries_of(here), times=None, lose_request=True, black_hole=True))
    await here.produce(batch(60, 100))
    await until(lambda: hidden.hits, what="an insert that hangs")
    assert worker.stop(timeout=40) == 0
    store_proxy.normal()
    hidden = store_proxy.add(
        Fault(lambda request: "FROM ledger" in request.statement, times=None, lose_request=True, black_hole=True)
    )
    worker = here.worker(**through(store_proxy))
    await until(lambda: hidden.hits, what="a placement that hangs")
    await until(lambda: worker.url, what="an address")
    assert worker.ready() is False
    assert worker.stop(timeout=40) == 0
    store_proxy.normal()
    worker = here.worker()
    await finish(here, worker)
    await assert_undisturbed(here)


OTHER_HANGS = [pytest.param(point, marks=pytest.mark.full) for point in ("reading.before", "send.before", "head.after")]


@pytest.mark.parametrize("point", ["insert.before", *OTHER_HANGS])
async def test_a_partition_that_hangs_is_noticed_and_the_worker_ends_to_be_started_again(install, point):
    here = install(partitions=1)
    await here.produce(batch(60, 0))
    worker = doomed(here, f"{point}:1:hang", STUCK_S="1")
    await until(lambda: not worker.alive, what=f"the end of a worker that hangs at {point}")
    assert worker.process.returncode == 1
    assert "ending to be restarted" in worker.output
    worker = here.worker()
    await finish(here, worker)
    await assert_undisturbed(here)


@pytest.mark.full
async def test_a_worker_behind_a_transaction_has_nothing_to_read_and_is_not_stuck(install):
    here = install(partitions=1)
    worker = doomed(here, "", STUCK_S="6")
    producer = here.producer(transactional_id=here.prefix)
    await producer.start()
    try:
        await producer.begin_transaction()
        await here.produce(batch(60, 0), producer=producer)
        await producer.commit_transaction()
    finally:
        await producer.stop()
    await caught_up(here)
    await until(lambda: worker.url, what="an address")
    lines = "modeltrail_lag_records"
    await until(
        lambda: f'{lines}{{partition="0",topic="{here.topic()}"}} 1.0' in http_get(f"{worker.url}/metrics")[1],
        what="a lag",
    )
    await asyncio.sleep(20)
    assert worker.alive, worker.output[-2000:]
    await finish(here, worker)
    await assert_undisturbed(here)


async def test_an_error_in_the_middle_of_a_stop_still_ends_the_process(install):
    here = install()
    await here.produce(batch(60, 0))
    worker = doomed(here, "give_up.before:1:raise")
    await until(worker.ready, what="ready")
    assert worker.stop(timeout=60) == 1
    assert "the stop failed" in worker.output
    worker = here.worker()
    await finish(here, worker)
    await assert_undisturbed(here)


async def test_a_worker_that_cannot_start_says_why_although_its_stop_fails_too(install):
    here = install()
    worker = doomed(here, "app.start:1:raise,give_up.before:1:raise")
    await until(lambda: not worker.alive, what="the end of a worker that cannot start")
    assert worker.process.returncode == 1
    assert "raised at app.start" in worker.output
