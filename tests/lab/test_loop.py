"""The event loop in virtual time: waiting costs nothing, and processes end or stand still at any await."""

import asyncio
import random
import time

import pytest

from modeltrail.lab.loop import Process, VirtualLoop


def loop_of(seed=0, **options):
    return VirtualLoop(random.Random(seed), **options)


def test_an_hour_of_waiting_takes_no_time():
    loop = loop_of()
    seen = []

    async def wait():
        await asyncio.sleep(3600)
        try:
            async with asyncio.timeout(60):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            seen.append(loop.time())
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 40)
        except TimeoutError:
            seen.append(loop.time())

    began = time.monotonic()
    loop.spawn(Process("one"), wait(), name="wait")
    loop.run(10_000)
    assert seen == [3660, 3700]
    assert time.monotonic() - began < 5


def test_time_stands_still_while_somebody_is_ready():
    loop = loop_of()
    times = []

    async def busy():
        for _ in range(100):
            await asyncio.sleep(0)
            times.append(loop.time())

    loop.spawn(Process("one"), busy(), name="busy")
    loop.run(1)
    assert times == [0.0] * 100
    assert loop.time() == 1


def test_a_run_ends_at_its_time_and_goes_on_from_there():
    loop = loop_of()
    ticks = []

    async def tick():
        while True:
            await asyncio.sleep(1)
            ticks.append(loop.time())

    loop.spawn(Process("one"), tick(), name="tick")
    loop.run(3.5)
    assert ticks == [1, 2, 3]
    loop.run(5.5)
    assert ticks == [1, 2, 3, 4, 5]


def steps_of(process, loop, seen):
    async def step(name):
        for number in range(20):
            await asyncio.sleep(0.1)
            seen.append((name, number))

    async def main():
        await asyncio.gather(*(asyncio.create_task(step(name)) for name in "ab"))

    loop.spawn(process, main(), name="main")


@pytest.mark.parametrize("fuse", range(1, 40))
def test_a_killed_process_takes_no_step_more_and_leaves_no_task_pending(fuse):
    loop = loop_of()
    process, other = Process("one"), Process("other")
    seen, others = [], []
    steps_of(process, loop, seen)
    steps_of(other, loop, others)
    at_death = []

    def strike():
        loop.kill(process)
        at_death.append(len(seen))

    tasks = process.tasks[:]
    process.fuse, process.strike = fuse, strike
    loop.run(10)
    assert at_death == [len(seen)]
    assert len(others) == 40
    assert all(task.done() for task in tasks)
    assert loop.errors == []


def test_what_a_process_does_when_it_is_unwound_reaches_nobody():
    loop = loop_of()
    process = Process("one")
    seen = []

    async def stubborn():
        try:
            await asyncio.sleep(100)
        finally:
            seen.append("unwound" if process.dying else "alive")
            await asyncio.sleep(1)
            seen.append("never")

    loop.spawn(process, stubborn(), name="stubborn")
    loop.run(1)
    loop.kill(process)
    loop.run(200)
    assert seen == ["unwound"]


def test_a_frozen_process_stands_still_and_goes_on_with_what_came_meanwhile():
    loop = loop_of()
    process = Process("one")
    seen = []

    async def tick():
        while True:
            await asyncio.sleep(1)
            seen.append(loop.time())

    loop.spawn(process, tick(), name="tick")
    loop.run(2.5)
    process.frozen = True
    loop.run(10)
    assert seen == [1, 2]
    loop.thaw(process)
    loop.run(12.5)
    assert seen == [1, 2, 10, 11, 12]


def orders(seed, *, shuffle):
    loop = loop_of(seed, shuffle=shuffle)
    seen = []

    async def say(name):
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(name)

    for name in "abcdef":
        loop.spawn(Process(name), say(name), name=name)
    loop.run(1)
    return "".join(seen)


def test_the_seed_chooses_the_order_of_what_is_ready_where_it_may():
    assert len({orders(seed, shuffle=False) for seed in range(10)}) == 1
    assert len({orders(seed, shuffle=True) for seed in range(10)}) == 10
    assert orders(3, shuffle=True) == orders(3, shuffle=True)
