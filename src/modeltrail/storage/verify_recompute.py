"""Verification here: raw bytes are streamed from the ledger, and every hash is computed by this process or by its own.

1  cut the ranges into spans of positions that exist, and put those of small chains together
2  check every span by column, on every core: most often all of it holds
3  go through the spans in order: compare the first row of each with what stands before it, and look row by row at
   those in which something does not hold
"""

import gc
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from modeltrail.ledger.row import Row
from modeltrail.ledger.verification import Before, ChainVerifier, Judge, Link, check_order
from modeltrail.storage.verify_columns import Held, Span, held
from modeltrail.storage.verify_reader import LedgerReader
from modeltrail.storage.verify_sql import Range
from modeltrail.storage.verify_worker import CheckingProcess, can_be_named

__all__ = ["WINDOW", "verify_here"]

WINDOW = 100_000
"""Positions a query."""

_CHAINS_A_TASK = 200
_ALLOCATIONS = 100_000

_PROCESSES = 4
"""At most; each has about 150 MB."""

_WORTH_A_PROCESS = 400_000
"""Below so many positions, other processes cost more time than they save."""

_AHEAD = 1 << 26
"""Bytes of a task that are read while the one before is being checked."""

Task = Sequence[Span]
Answers = dict[Span, Held | None]


def verify_here(
    reader: LedgerReader,
    ranges: Iterable[Range],
    advance: Callable[[int], None],
    *,
    judge: Judge | None,
    contract: int,
    window: int = WINDOW,
    processes: int | None = None,
) -> None:
    """Check `ranges` and add what is found to their reports; `advance` gets the number of positions of each step.

    `judge` reads the records again under version `contract` of the contract; None leaves that out. `processes` is how
    many beside this one check spans; None takes one for each core if there is enough to do.
    """
    wholes = list(ranges)
    spans = [list(_spans(reader, whole, window)) for whole in wholes]
    tasks = list(_tasks([span for several in spans for span in several], window))
    if processes is None:
        processes = _worth(tasks)
    answers: Answers = {}
    with _fewer_collections():
        if processes and can_be_named(judge):
            _on_every_core(reader, tasks, answers, advance, judge, processes)
        else:
            for task in tasks:
                answers.update(zip(task, _here(reader, task, judge), strict=True))
                advance(_positions(task))
        for whole, several in zip(wholes, spans, strict=True):
            _verify(reader, whole, several, answers, judge=judge, contract=contract)


def _spans(reader: LedgerReader, whole: Range, window: int) -> Iterator[Span]:
    """Cut a range. Each span begins and ends at a position that exists, so that no hole is too wide to step over."""
    chain = whole.report.chain
    if whole.last - whole.first < window:
        yield Span(chain, whole.first, whole.last)
        return
    for first, last in reader.rows("spans", chain=chain, first=whole.first, last=whole.last, window=window):
        yield Span(chain, first, last)


def _tasks(spans: Iterable[Span], window: int) -> Iterator[Task]:
    """Put small spans together, each of another chain."""
    together: list[Span] = []
    size = 0
    for span in spans:
        length = _positions([span])
        if together and (size + length > window or len(together) >= _CHAINS_A_TASK or together[-1].chain == span.chain):
            yield together
            together, size = [], 0
        together.append(span)
        size += length
    if together:
        yield together


def _positions(task: Task) -> int:
    return sum(span.last - span.first + 1 for span in task)


def _worth(tasks: Sequence[Task]) -> int:
    if sum(map(_positions, tasks)) < _WORTH_A_PROCESS:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _PROCESSES, len(tasks)) if cores > 1 else 0


def _here(reader: LedgerReader, task: Task, judge: Judge | None) -> list[Held | None]:
    with reader.columns(task) as stream:
        return held(io.BufferedReader(stream), task, judge)


def _on_every_core(
    reader: LedgerReader,
    tasks: Sequence[Task],
    answers: Answers,
    advance: Callable[[int], None],
    judge: Judge | None,
    processes: int,
) -> None:
    """Check `tasks` in processes; each is fed by a thread of this one, which reads ahead meanwhile."""
    waiting: SimpleQueue[Task] = SimpleQueue()
    done: SimpleQueue[Task | None] = SimpleQueue()
    for task in tasks:
        waiting.put(task)

    def answer(task: Task, said: Sequence[Held | None]) -> None:
        answers.update(zip(task, said, strict=True))
        done.put(task)

    def feed() -> None:
        try:
            with CheckingProcess(judge) as process:
                _feed(reader, process, waiting, answer)
        finally:
            done.put(None)

    with ThreadPoolExecutor(processes, thread_name_prefix="verify") as pool:
        feeding = [pool.submit(feed) for _ in range(processes)]
        left = processes
        while left:
            checked = done.get()
            if checked is None:
                left -= 1
            else:
                advance(_positions(checked))
        for each in feeding:
            each.result()


def _feed(
    reader: LedgerReader,
    process: CheckingProcess,
    waiting: "SimpleQueue[Task]",
    answer: Callable[[Task, Sequence[Held | None]], None],
) -> None:
    given: Task | None = None
    while True:
        try:
            task = waiting.get_nowait()
        except Empty:
            break
        with reader.columns(task) as stream:
            ahead = stream.read(_AHEAD)
            if given is not None:
                answer(given, process.take())
            process.give(task, ahead, stream)
        given = task
    if given is not None:
        answer(given, process.take())


def _verify(
    reader: LedgerReader,
    whole: Range,
    spans: Sequence[Span],
    answers: Answers,
    *,
    judge: Judge | None,
    contract: int,
) -> None:
    report = whole.report
    before: Before | Link | Row = whole.before
    for span in spans:
        holds = answers[span]
        if holds is not None:
            for found in check_order(span.chain, before, holds.first):
                report.add(found)
            report.entries += span.last - span.first + 1
            report.repeats += holds.repeats
            before = holds.last
            continue
        stands = Before(before.seq, before.offset, before.log_time, before.entry_hash, before.kind)
        verifier = ChainVerifier(span.chain, stands, judge=judge, contract=contract)
        for row in reader.stream(*span):
            for found in verifier.feed(row):
                report.add(found)
        report.entries += verifier.entries
        report.repeats += verifier.repeats
        before = verifier.last or before


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Let the garbage collector run less often: rows hold no cycles, and looking for some takes half of the time."""
    before = gc.get_threshold()
    gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
