"""System calls that fail, of a worker and of the store under it: nothing lost, nothing chained twice, no person needed."""

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from modeltrail.errors import UnavailableError
from tests.faults.exact import assert_undisturbed, finish
from tests.faults.system import inject, require_strace, watch, with_own_store
from tests.integration.events_for_tests import POISON, predictions
from tests.integration.installation import until

pytestmark = pytest.mark.kafka

FAULTS = ("EIO", "ENOSPC", "SIGKILL")
BAD = [POISON["not json"], POISON["header name not utf-8"]]


@pytest.fixture(autouse=True)
def traceable():
    require_strace()


def some(number, count=40):
    """A few records, two of them to be rejected; other ones for each number."""
    return [*predictions(count, 1_000 * number), *BAD]


WORKER_CALLS = ("sendto", "recvfrom", "write", "openat", "fsync")
STORE_CALLS = ("openat", "write", "fsync", "fdatasync", "sendto", "recvfrom")
"""The engine syncs with fdatasync."""


class Victim:
    """A process of the commit path, whose calls are made to fail while a batch passes."""

    def __init__(self, here, log):
        self.here, self.log = here, log
        self.batches = 0
        self.seen = []

    async def batch(self):
        self.batches += 1
        await self.here.produce(some(self.batches))

    async def counted(self, calls):
        """How often one thread makes each call while a batch passes undisturbed, once everything is warm."""
        await self.batch()
        await self.here.chained_to_the_end()
        with watch(self.process, self.log, calls) as tracer:
            await self.batch()
            await self.here.chained_to_the_end()
            await until(self.worker.ready)
        return {call: tracer.most_of_a_thread.get(call, 0) for call in calls}

    async def strike(self, call, fault, when):
        """Let the n-th call of a thread fail, and pass a batch; whatever dies is started again."""
        with inject(self.process, self.log, call, fault, when) as tracer:
            await self.batch()
            # a thread for each connection: as long as strace is there, every connection would meet the fault
            await until(lambda: tracer.injected or self.passed(), what=f"struck by {call} {fault} {when}", every=0.05)
        injected = tracer.injected + (fault == "SIGKILL" and not self.alive())
        await until(self.passed, what=f"passed {call} {fault} {when}")
        self.seen.append(f"{call} {when} {fault}: {injected} injected, {self.outcome()}")
        await until(self.passed, what=f"chained after {self.seen[-1]}")

    def passed(self):
        """Whether the batch is chained, or the victim dead."""
        if not self.alive():
            return True
        # each partition has all that was sent to it
        wanted = self.batches * 42 // self.here.partitions
        return all(len(self.here.rows(self.here.partition(number))) >= wanted for number in range(self.here.partitions))


class WorkerVictim(Victim):
    def __init__(self, here, log):
        super().__init__(here, log)
        self.worker = here.worker()

    @property
    def process(self):
        return self.worker.process

    def alive(self):
        return self.worker.alive

    def outcome(self):
        if self.worker.alive:
            return "went on"
        code = self.worker.process.returncode
        if code != -9:  # it has to say why
            assert "modeltrail: " in self.worker.output[-3000:], self.worker.output[-3000:]
        self.worker = self.here.worker()
        return f"ended with {code}, started again"


class StoreVictim(Victim):
    def __init__(self, here, log):
        super().__init__(here, log)
        self.store = here.stack.clickhouse
        self.worker = here.worker()

    @property
    def process(self):
        return self.store._child._process

    def alive(self):
        return self.store.running

    def passed(self):
        try:
            return super().passed()
        except (ClickHouseError, UnavailableError, OSError):  # the fault hit the question
            return not self.alive()

    def outcome(self):
        assert self.worker.alive, self.worker.output[-3000:]
        if self.store.running:
            return "went on"
        self.store.start()
        return "ended, started again"


@pytest.fixture
def own_store(apache_stack, tmp_path):
    """The session's broker with a store of its own: an engine whose calls failed is not for others."""
    stack = with_own_store(apache_stack, tmp_path / "store")
    stack.clickhouse.start()
    yield stack
    stack.clickhouse.stop()


async def strike_all(victim, calls, faults, *, sample):
    """Strike each of the calls with every fault: at every position that a batch reaches, or at one, now and then."""
    await until(victim.worker.ready, what="ready")
    counts = await victim.counted(calls)
    print(f"calls of a thread while a batch passes: {counts}")  # noqa: T201
    for call in calls:
        for fault in FAULTS:
            if not counts[call] or faults.random.random() >= sample:
                continue
            every = range(1, counts[call] + counts[call] // 4 + 2)
            for when in every if sample == 1 else [faults.random.randint(1, 1 + counts[call] // 3)]:
                await victim.strike(call, fault, when)
                print(victim.seen[-1])  # noqa: T201
    await finish(victim.here, victim.worker)
    await assert_undisturbed(victim.here)


async def test_a_call_of_a_worker_fails_now_and_then(install, faults, tmp_path):
    await strike_all(WorkerVictim(install(), tmp_path / "calls"), WORKER_CALLS, faults, sample=0.99)


async def test_a_call_of_the_store_fails_now_and_then(install, faults, tmp_path, own_store):
    await strike_all(StoreVictim(install(stack=own_store), tmp_path / "calls"), STORE_CALLS, faults, sample=0.4)


@pytest.mark.full
@pytest.mark.parametrize("call", WORKER_CALLS)
async def test_every_call_of_a_worker_fails_one_by_one(install, faults, tmp_path, call):
    await strike_all(WorkerVictim(install(), tmp_path / "calls"), [call], faults, sample=1)


@pytest.mark.full
@pytest.mark.parametrize("call", STORE_CALLS)
async def test_every_call_of_the_store_fails_one_by_one(install, faults, tmp_path, own_store, call):
    await strike_all(StoreVictim(install(stack=own_store), tmp_path / "calls"), [call], faults, sample=1)
