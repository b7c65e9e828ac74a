"""Verification here: raw bytes are streamed from the ledger, and every hash is computed by this process."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from modeltrail.ledger.verification import ChainVerifier, Judge
from modeltrail.storage.verify_reader import LedgerReader
from modeltrail.storage.verify_sql import Range

__all__ = ["WINDOW", "verify_here"]

WINDOW = 100_000
"""Positions a query; within one, the server sends block by block."""

_ADVANCE_EVERY = 5_000
_ALLOCATIONS = 100_000


def verify_here(
    reader: LedgerReader,
    ranges: Iterable[Range],
    advance: Callable[[int], None],
    *,
    judge: Judge | None,
    contract: int,
    window: int = WINDOW,
) -> None:
    """Check `ranges` row by row and add what is found to their reports.

    `judge` reads the records again under version `contract` of the contract; None leaves that out.
    """
    with _fewer_collections():
        for whole in ranges:
            _verify(reader, whole, advance, judge=judge, contract=contract, window=window)


def _verify(
    reader: LedgerReader,
    whole: Range,
    advance: Callable[[int], None],
    *,
    judge: Judge | None,
    contract: int,
    window: int,
) -> None:
    report = whole.report
    verifier = ChainVerifier(report.chain, whole.before, judge=judge, contract=contract)
    first: int | None = whole.first
    while first is not None:
        last = min(first + window - 1, whole.last)
        fed = 0
        for row in reader.stream(report.chain, first, last):
            for found in verifier.feed(row):
                report.add(found)
            fed += 1
            if fed == _ADVANCE_EVERY:
                advance(fed)
                fed = 0
        advance(fed)
        # A hole may be wider than a window: go on where there are rows again.
        first = None if last == whole.last else reader.next_seq(report.chain, last + 1, whole.last)
    report.entries = verifier.entries
    report.repeats = verifier.repeats


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Let the garbage collector run less often: rows hold no cycles, and looking for some takes half of the time."""
    before = gc.get_threshold()
    gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
