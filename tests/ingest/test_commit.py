"""The commit protocol crossed at every step with: failed, failed although it took effect, and gone."""

import asyncio
import itertools

import pytest

from modeltrail.errors import TamperError
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.row import GAP
from tests.ingest.world import P0, P1, CrashError, Fault, MemoryStore, Worker, World, fold

CALLS = (
    "head",
    "incarnations",
    "bounds",
    "committed",
    "commit",
    "chained",
    "existing",
    "insert",
    "hashes",
    "fill",
    "send",
    "read",
)


def filled_world(faults=()):
    world = World()
    for partition in (P0, P1):
        world.write(partition, *[b"not json %d" % i for i in range(11)], None, None, b"x", b"y", None, *[b"z"] * 20)
    world.faults = list(faults)
    return world


async def run_until_done(world, partitions=(P0, P1), restarts=10, **options):
    """Run workers one after the other until one finishes."""
    for _ in range(restarts):
        try:
            await Worker(world, partitions, **options).run()
        except CrashError:
            continue
        except BaseExceptionGroup as group:
            if group.subgroup(CrashError):
                continue
            raise
        return
    raise AssertionError("never finished")


def assert_exact(world):
    for partition in (P0, P1):
        assert world.chain(partition) == fold(world, partition)
        assert {(row.chain, row.seq) for row in world.chain(partition)} <= world.typed
    announced = {(reject.chain, reject.seq) for reject in world.rejects}
    rejected = {(str(row.chain), row.seq) for row in world.ledger() if row.status == "rejected"}
    assert announced == rejected
    for partition in (P0, P1):
        chain = world.chain(partition)
        covered = set()
        for block in world.blocks:
            if block.chain == str(chain[0].chain):
                covered.update(range(block.first_seq, block.last_seq + 1))
        assert covered == set(range(len(chain)))


async def test_an_undisturbed_run_equals_the_fold_of_the_log():
    world = filled_world()
    await run_until_done(world)
    assert_exact(world)
    assert [row.kind for row in world.chain(P0)].count(GAP) == 2


@pytest.mark.parametrize(
    ("call", "when", "what", "nth"),
    [*itertools.product(CALLS, ("before", "after"), ("fail", "crash"), (1, 2, 3))],
)
async def test_a_fault_at_any_call_changes_no_byte(call, when, what, nth):
    world = filled_world([Fault(call, when, what, nth)])
    await run_until_done(world)
    world.faults = []
    await run_until_done(world)  # whoever comes next agrees
    assert_exact(world)


@pytest.mark.parametrize("first", CALLS)
@pytest.mark.parametrize("second", ["insert", "send", "hashes", "fill"])
async def test_two_faults_in_one_run_change_no_byte(first, second):
    world = filled_world([Fault(first, "after", "fail", 1), Fault(second, "after", "crash", 2)])
    await run_until_done(world)
    assert_exact(world)


async def test_an_insert_that_took_effect_but_failed_is_not_repeated_and_its_views_are_filled():
    world = filled_world([Fault("insert", "after", "fail", 1)])
    insert = world.store.insert

    def without_views(rows):
        insert(rows)
        if len(world.store.blocks) == 1:
            world.typed.clear()

    world.store.insert = without_views
    await run_until_done(world)
    assert_exact(world)
    assert set(world.store.standing.values()) == {1}


def assert_exact_ledger(world):
    for partition in (P0, P1):
        assert world.chain(partition) == fold(world, partition)


async def test_nothing_is_acknowledged_before_it_was_announced():
    world = filled_world([Fault("send", "before", "crash", 1)])
    with pytest.raises(CrashError):
        await Worker(world, (P0, P1)).run()
    assert world.rows
    assert all(offset == 0 for offset in world.committed.values())


async def test_rows_refused_for_good_stop_their_chain_only():
    world = filled_world()
    world.refused = {P0}
    worker = Worker(world, (P0, P1))
    await worker.run()
    assert worker.stopped == [P0]
    assert world.chain(P0) == []
    assert world.chain(P1) == fold(world, P1)
    assert [alert.data.kind for alert in world.alerts] == ["chain_refused"]


@pytest.mark.parametrize("times", [1, 2])
async def test_an_insert_that_arrives_garbled_is_repeated_and_stops_nothing(times):
    world = filled_world()
    world.garbled = {P0: 1 + times}  # once in a block of both, then alone
    await run_until_done(world)
    assert world.garbled == {P0: 0}
    assert world.alerts == []
    for partition in (P0, P1):
        assert world.chain(partition) == fold(world, partition)


async def test_a_shorter_log_opens_an_epoch_and_says_so():
    world = filled_world()
    await run_until_done(world)
    old = world.store.head(P0)
    world.recreate(P0, b"a", b"b")
    await run_until_done(world, (P0,))
    assert world.chain(P0, 1) == fold(world, P0, epoch=1, first=0, old_head=old, reason=GenesisReason.REPLACED)
    assert [alert.data.kind for alert in world.alerts] == ["epoch_opened"]


async def test_a_log_of_other_records_and_more_of_them_is_not_continued():
    world = filled_world()
    await run_until_done(world)
    old = world.store.head(P0)
    world.recreate(P0, *[b"other"] * 60)
    await run_until_done(world, (P0,))
    assert world.chain(P0, 1) == fold(world, P0, epoch=1, first=0, old_head=old, reason=GenesisReason.REPLACED)


async def test_a_torn_tail_keeps_what_still_agrees():
    world = filled_world()
    await run_until_done(world)
    old = world.store.head(P0)
    world.tear(P0, 20, *[b"rewritten"] * 30)
    world.committed[P0] = 0
    await run_until_done(world, (P0,))
    assert world.chain(P0, 1) == fold(world, P0, epoch=1, first=20, old_head=old, reason=GenesisReason.REPLACED)


async def test_a_difference_below_the_head_is_found_when_it_is_read_again():
    world = filled_world()
    await run_until_done(world)
    record = world.records(P0)[4]
    world.records(P0)[4] = record._replace(value=b"changed")
    world.committed[P0] = 0
    await run_until_done(world, (P0,))
    assert world.chain(P0, 1)[0].offset == 4


async def test_records_that_expired_unread_open_an_epoch_with_the_reason():
    world = filled_world()
    await run_until_done(world)
    old = world.store.head(P0)
    world.write(P0, *[b"more"] * 10)
    world.expire(P0, world.logs[P0].end - 3)
    await run_until_done(world, (P0,))
    expected = fold(world, P0, epoch=1, first=world.logs[P0].begin, old_head=old, reason=GenesisReason.RETENTION)
    assert world.chain(P0, 1) == expected
    assert world.alerts[-1].data.evidence["reason"] == "retention"


async def test_an_expired_log_whose_records_were_all_chained_goes_on_in_its_epoch():
    world = filled_world()
    await run_until_done(world)
    world.expire(P0, world.logs[P0].end)
    world.write(P0, b"after")
    before = len(world.chain(P0))
    await run_until_done(world, (P0,))
    assert len(world.chain(P0)) == before + 1
    assert world.chain(P0, 1) == []
    assert world.alerts == []


async def test_a_store_that_lost_its_last_block_is_filled_again():
    world = filled_world()
    await run_until_done(world)
    whole = world.rows
    world.lose(lambda row: row.chain.of == P0 and row.seq >= 20)
    await run_until_done(world)
    assert world.rows == whole


async def test_a_store_that_lost_a_block_in_the_middle_is_filled_from_before_the_hole():
    world = filled_world()
    await run_until_done(world)
    whole = world.rows
    world.lose(lambda row: row.chain.of == P0 and 10 <= row.seq < 15)
    await run_until_done(world)
    assert world.rows == whole


async def test_without_a_committed_offset_all_is_read_again_and_nothing_is_chained_twice():
    world = filled_world()
    await run_until_done(world)
    whole = world.rows
    world.committed.clear()
    await run_until_done(world)
    assert world.rows == whole
    assert_exact(world)


async def test_a_record_that_was_not_delivered_is_read_again_and_never_believed_missing():
    world = filled_world()
    worker = Worker(world, (P0,))
    deliver = worker._deliver
    skipped = []

    async def skip_one(partition):
        if worker.flow.positions.get(partition) == 7 and not skipped:
            skipped.append(worker.flow.positions[partition])
            worker.flow.positions[partition] = 9
        await deliver(partition)

    worker._deliver = skip_one
    await worker.run()
    assert skipped
    assert world.chain(P0) == fold(world, P0)


async def test_a_zombie_that_inserts_late_changes_nothing():
    world = filled_world()
    await run_until_done(world)
    whole = world.rows
    zombie = MemoryStore(world)
    await zombie.insert(world.chain(P0)[5:25], appended_at=1)
    await run_until_done(world)
    assert world.rows == whole


async def test_a_ledger_that_contradicts_itself_stops_its_partition_and_says_so(monkeypatch):
    world = filled_world()

    async def contradict(self, partition):
        if partition == P0:
            raise TamperError("chain", 3, "two different entries stand at this position")
        return self.world.store.head(partition)

    monkeypatch.setattr(MemoryStore, "head", contradict)
    worker = Worker(world, (P0, P1))
    await worker.run()
    assert worker.stopped == [P0]
    assert world.chain(P1) == fold(world, P1)
    assert [alert.data.kind for alert in world.alerts] == ["partition_stopped"]


async def test_a_store_that_was_restarted_without_its_last_block_is_filled_before_anything_new():
    world = filled_world()
    worker = Worker(world, (P0, P1))
    running = asyncio.create_task(worker.run(polls=2_000))
    while len(world.chain(P0)) < 20:  # noqa: ASYNC110 - a condition of the world, not an event
        await asyncio.sleep(0)
    world.lose(lambda row: row.seq >= 9)
    world.store.restarts += 1
    await running
    assert_exact_ledger(world)
