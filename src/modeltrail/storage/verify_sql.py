"""Verification inside ClickHouse: the server recomputes every hash and compares every position with the one before.

Two queries a step, over at most `STEP` positions, so that memory stays bounded and progress shows: one over the rows
in any order, one over the positions in order. Small chains share a step. A third one compares status and envelope
with the records, where that is asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from modeltrail.ledger.findings import Kind, finding
from modeltrail.ledger.report import ChainReport
from modeltrail.ledger.verification import Before, Link, check_order
from modeltrail.storage.verify_reader import LedgerReader, bounds_of

__all__ = ["STEP", "Range", "verify_in_sql"]

STEP = 1_000_000
"""Positions a step."""

_CHAINS_A_STEP = 200
_ROW_CHECKS = (Kind.CHAIN_NAME, Kind.KIND, Kind.RECORD_HASH, Kind.ENTRY_HASH)
_GAP_CHECKS = (Kind.GAP_CONTENT, Kind.RECORD_HASH)
_ENVELOPE_CHECKS = (Kind.JUDGEMENT, Kind.JUDGED_DIFFERENTLY, Kind.UNKNOWN_CONTRACT)
_LINK = len(Link._fields) - 1
"""What the server tells of the first row: all but its own entry hash."""


class Range(NamedTuple):
    """Positions of a chain to check, and what stands before the first of them."""

    report: ChainReport
    first: int
    last: int
    before: Before


def verify_in_sql(
    reader: LedgerReader,
    ranges: Iterable[Range],
    advance: Callable[[int], None],
    *,
    contract: int | None = None,
    step: int = STEP,
) -> None:
    """Check `ranges` and add what is found to their reports; `advance` gets the number of rows of each step.

    `contract` is the version of the contract under which status and envelope are compared with the records; None
    leaves that out, which costs more than everything else.
    """
    for part in _steps(reader, ranges, step):
        rows = _check(reader, part, contract)
        advance(rows)


def _steps(reader: LedgerReader, ranges: Iterable[Range], step: int) -> Iterator[list[Range]]:
    together: list[Range] = []
    size = 0
    for whole in ranges:
        length = whole.last - whole.first + 1
        if length > step:
            yield from ([part] for part in _windows(reader, whole, step))
            continue
        if together and (size + length > step or len(together) >= _CHAINS_A_STEP):
            yield together
            together, size = [], 0
        together.append(whole)
        size += length
    if together:
        yield together


def _windows(reader: LedgerReader, whole: Range, step: int) -> Iterator[Range]:
    """Cut one long range. Each window begins at a position that exists, so that no hole is too wide to step over."""
    chain = whole.report.chain
    first: int | None = whole.first
    before = whole.before
    while first is not None:
        last = min(first + step - 1, whole.last)
        yield Range(whole.report, first, last, before)
        if last == whole.last:
            return
        first = reader.next_seq(chain, last + 1, whole.last)
        before = (reader.before(chain, first) if first is not None else None) or whole.before


def _check(reader: LedgerReader, part: Sequence[Range], contract: int | None) -> int:
    reports = {each.report.chain: each.report for each in part}
    befores = {each.report.chain: each.before for each in part}
    bounds = bounds_of([(each.report.chain, each.first, each.last) for each in part])
    total = 0
    with_gaps = []
    for chain, rows, gaps, *checks in reader.rows("rows", **bounds):
        total += rows
        _add(reports[chain], _ROW_CHECKS, checks)
        if gaps:
            with_gaps.append(chain)
    if with_gaps:
        ranges = [(each.report.chain, each.first, each.last) for each in part if each.report.chain in with_gaps]
        for chain, *checks in reader.rows("gaps", **bounds_of(ranges)):
            _add(reports[chain], _GAP_CHECKS, checks)
    if contract is not None:
        for chain, *checks in reader.rows("envelope", **bounds, contract=contract):
            _add(reports[chain], _ENVELOPE_CHECKS, checks)
    repeated = []
    for chain, entries, repeats, first_repeat, last_repeat, *columns in reader.rows("links", **bounds):
        report = reports[chain]
        report.entries += entries
        report.repeats += repeats
        if repeats:
            repeated.append((chain, first_repeat, last_repeat))
        for found in check_order(chain, befores[chain], Link._make((*columns[:_LINK], b""))):
            report.add(found)
        _order_checks(report, columns[_LINK:])
    if repeated:
        for chain, *checks in reader.rows("repeats", **bounds_of(repeated)):
            _repeat_checks(reports[chain], checks)
    return total


def _add(report: ChainReport, kinds: Sequence[Kind], checks: Sequence[int]) -> None:
    for kind, failed, first in zip(kinds, checks[::2], checks[1::2], strict=True):
        if failed:
            report.add(finding(kind, report.chain, first), failed)


def _order_checks(report: ChainReport, checks: Sequence[int]) -> None:
    holes, first_missing, last_missing, links, first_link = checks[:5]
    offsets, first_offset, offset_expected, offset_found = checks[5:9]
    times, first_time, time_expected, time_found = checks[9:]
    if holes:
        which = f"{first_missing}" if first_missing == last_missing else f"{first_missing} to {last_missing}"
        report.add(finding(Kind.MISSING, report.chain, first_missing, which), holes)
    if links:
        report.add(finding(Kind.LINK, report.chain, first_link), links)
    if offsets:
        follows = offset_expected == offset_found
        detail = "a gap follows a gap" if follows else f"expected {offset_expected}, found {offset_found}"
        report.add(finding(Kind.OFFSET, report.chain, first_offset, detail), offsets)
    if times:
        detail = f"expected {time_expected}, found {time_found}"
        report.add(finding(Kind.LOG_TIME, report.chain, first_time, detail), times)


def _repeat_checks(report: ChainReport, checks: Sequence[int]) -> None:
    forks, first_fork, readings, first_reading, contracts, first_contract = checks
    if forks:
        report.add(finding(Kind.FORK, report.chain, first_fork, "their entry hashes differ"), forks)
    if readings:
        report.add(finding(Kind.FORK, report.chain, first_reading, "columns that no hash covers differ"), readings)
    if contracts:
        report.add(finding(Kind.JUDGED_DIFFERENTLY, report.chain, first_contract), contracts)
