"""`modeltrail verify`: the whole verification, from what is in the ledger to the report.

1  read the chains and the bounds of their positions; nothing beyond these bounds is looked at later
2  look for the kept heads
3  check how the chains of each partition follow each other
4  check every row and every position, in ClickHouse or here
5  compare the typed tables
6  say what was not proven
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from modeltrail.errors import ConfigurationError, NotVerifiableError, SchemaVersionError
from modeltrail.ledger.chain import Chain, parse_chain
from modeltrail.ledger.epochs import ChainEnds, Edge, HeadSearch, check_epochs, is_genesis
from modeltrail.ledger.findings import Kind, finding
from modeltrail.ledger.heads import KeptHead
from modeltrail.ledger.report import ChainReport, Report, Scope, not_proven
from modeltrail.ledger.row import GAP
from modeltrail.ledger.verification import Before, Judge
from modeltrail.storage.verify_heads import check_heads
from modeltrail.storage.verify_projections import INSERT_SECONDS, ViewOfLedger, check_projections
from modeltrail.storage.verify_reader import LedgerReader
from modeltrail.storage.verify_recompute import verify_here
from modeltrail.storage.verify_sql import Range, verify_in_sql

__all__ = ["Progress", "VerifyRequest", "matches", "verify_ledger"]

Progress = Callable[[str, int, int], None]
"""Called with a stage, what is done of it, and its total, both in rows."""

_SEARCH_PAGE = 100_000


@dataclass(frozen=True)
class VerifyRequest:
    """What to verify. Without a selection: every chain, whole.

    `chain` is a chain's text, TOPIC/PARTITION or TOPIC/PARTITION/EPOCH; `first` and `last` are positions of one
    chain; `since` is a log time in milliseconds. `heads` are heads that were kept outside, None for no file.
    `projections` says whether what stands beside the records is compared with them: the typed tables and, in
    ClickHouse, status and envelope; None means: where whole chains are checked. `judge` reads records again when
    recomputing, under version `contract` of the contract.
    """

    chain: str | None = None
    first: int | None = None
    last: int | None = None
    since: int | None = None
    heads: Sequence[KeptHead] | None = None
    projections: bool | None = None
    recompute: bool = False
    judge: Judge | None = None
    contract: int = 0


def matches(chain: str, selection: str | None) -> bool:
    """Whether a chain's text is selected by itself, by TOPIC/PARTITION or by TOPIC/PARTITION/EPOCH."""
    if selection is None or chain == selection:
        return True
    try:
        parts = parse_chain(chain)
    except ValueError:
        return False
    return selection in (f"{parts.topic}/{parts.partition}", f"{parts.topic}/{parts.partition}/{parts.epoch}")


def verify_ledger(
    client: Any,
    request: VerifyRequest,
    *,
    views: Sequence[ViewOfLedger] = (),
    progress: Progress | None = None,
    insert_seconds: float = INSERT_SECONDS,
) -> Report:
    """Verify the ledger that `client` (clickhouse-connect) is connected to; never writes.

    `views` are what fills the typed tables; `insert_seconds` is how long an insert may be under way.
    Raises NotVerifiableError where there is no ledger or nothing in it that was asked for, ConfigurationError for
    a request that cannot be, and what `storage.client.translate` makes of a failing store.
    """
    started = time.monotonic()
    reader = LedgerReader(client)
    bounds = _bounds(reader)
    heads = None if request.heads is None else [kept for kept in request.heads if matches(kept.chain, request.chain)]
    if not bounds and not heads:
        raise NotVerifiableError("the ledger is empty: there is nothing to verify")
    selected = {chain: limits for chain, limits in bounds.items() if matches(chain, request.chain)}
    if not selected and not heads:
        raise NotVerifiableError(f"no chain of the ledger is {request.chain!r}: there is nothing to verify")
    report = Report("recompute" if request.recompute else "sql")
    reports = _chain_reports(reader, request, selected, report)
    if heads is not None:
        check_heads(reader, heads, bounds, reports, report)
    ranges = _ranges(reader, request, bounds, reports, report)
    total = sum(each.last - each.first + 1 for each in ranges)
    advance = _counter(progress, "entries", total)
    partial = any((each.first_seq, each.last_seq) != (0, bounds[each.chain][1]) for each in report.chains)
    projections = (not partial) if request.projections is None else request.projections
    if request.recompute:
        verify_here(reader, ranges, advance, judge=request.judge, contract=request.contract)
    else:
        verify_in_sql(reader, ranges, advance, contract=request.contract if projections else None)
    if projections and views and report.chains:
        check_projections(
            reader,
            views,
            bounds,
            reports,
            report,
            advance=_counter(progress, "typed tables", total),
            insert_seconds=insert_seconds,
        )
    scope = Scope(
        recompute=request.recompute,
        envelope=projections,
        projections=projections and bool(views),
        heads=bool(heads),
        partial=partial,
        selected=len(reports) < len(bounds),
    )
    report.not_proven = not_proven(scope) + report.not_proven
    if not report.entries and not report.findings and not any(chain.findings for chain in report.chains):
        report.findings.append(finding(Kind.NOTHING, request.chain or "", None))
    report.seconds = time.monotonic() - started
    return report


def _bounds(reader: LedgerReader) -> dict[str, tuple[int, int]]:
    try:
        return {chain: (first, last) for chain, first, last in reader.rows("chains")}
    except SchemaVersionError as error:
        raise NotVerifiableError(f"there is no ledger to verify: {error}") from error


def _counter(progress: Progress | None, stage: str, total: int) -> Callable[[int], None]:
    done = 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        if progress is not None:
            progress(stage, min(done, total), total)

    return advance


def _chain_reports(
    reader: LedgerReader, request: VerifyRequest, selected: dict[str, tuple[int, int]], report: Report
) -> dict[str, ChainReport]:
    """Make the report of each chain, with the range that is to be checked."""
    ranged = request.first is not None or request.last is not None
    if ranged and len(selected) != 1:
        which = ", ".join(sorted(selected)[:8]) or "none"
        raise ConfigurationError(f"--from and --to are positions of one chain; name it with --chain: {which}")
    since: dict[str, int] | None = None
    if request.since is not None:
        since = {row[0]: row[1] for row in reader.rows("since", since=request.since)}
    reports: dict[str, ChainReport] = {}
    for chain, (_, end) in sorted(selected.items(), key=lambda item: _order(item[0])):
        first = request.first or 0
        if since is not None:
            if chain not in since:
                continue
            first = max(first, since[chain])
        last = end if request.last is None else min(request.last, end)
        if first > last and not ranged:  # only negative positions: told as a fault below
            first = last = 0
        made = ChainReport(chain, first, last)
        if first > end or (request.last or 0) > end:
            made.add(finding(Kind.OUT_OF_RANGE, chain, end, f"it ends at {end}"))
        reports[chain] = made
        report.chains.append(made)
    return reports


def _order(chain: str) -> tuple[Any, ...]:
    try:
        return (0, *parse_chain(chain))
    except ValueError:
        return (1, chain)


def _ranges(
    reader: LedgerReader,
    request: VerifyRequest,
    bounds: dict[str, tuple[int, int]],
    reports: dict[str, ChainReport],
    report: Report,
) -> list[Range]:
    """Check epochs and ends of the chains, and return what is left to check row by row."""
    named: dict[str, Chain] = {}
    for chain in bounds:
        try:
            named[chain] = parse_chain(chain)
        except ValueError as error:
            if chain in reports:
                reports[chain].add(finding(Kind.CHAIN_NAME, chain, None, str(error)))
    positions = [(chain, seq) for chain in named for seq in {max(0, bounds[chain][0]), bounds[chain][1]}]
    edges = reader.edges(positions)
    ends = [
        ChainEnds(parts, edges[chain, max(0, bounds[chain][0])][0][0], edges[chain, bounds[chain][1]][-1][0])
        for chain, parts in named.items()
        if (chain, max(0, bounds[chain][0])) in edges and (chain, bounds[chain][1]) in edges
    ]
    whole = {chain for chain, each in reports.items() if each.first_seq == 0}
    checked = check_epochs(
        ends,
        _search(reader, bounds, recompute=request.recompute),
        selected=frozenset(named[chain] for chain in whole if chain in named),
    )
    for found in checked.findings:
        if found.chain in reports:
            reports[found.chain].add(found)
        else:
            report.findings.append(found)
    ranges: list[Range] = []
    for chain, each in reports.items():
        begin, end = bounds[chain]
        if begin < 0:
            each.add(finding(Kind.POSITION, chain, begin, f"seq {begin}"))
        if chain not in named or each.first_seq > each.last_seq:
            continue
        if each.first_seq == 0:
            before = checked.before.get(named[chain], Before(-1, None, None, None))
        else:
            before = reader.before(chain, each.first_seq) or Before(-1, None, None, None)
        ranges.append(Range(each, each.first_seq, each.last_seq, before))
        if each.last_seq == end and any(kind == GAP for _, kind in edges.get((chain, end), ())):
            each.add(finding(Kind.ENDS_IN_GAP, chain, end))
    return ranges


def _search(reader: LedgerReader, bounds: dict[str, tuple[int, int]], *, recompute: bool) -> HeadSearch:
    """Look for the entry that a genesis commits to; what the server says is computed once more here."""

    def search(older: Chain, newer: Chain, genesis: bytes) -> Edge | None:
        chain = str(older)
        first: int | None = 0
        end = bounds[chain][1]
        while first is not None:
            last = min(first + _SEARCH_PAGE - 1, end)
            rows: Iterable[Sequence[Any]]
            if recompute:
                rows = reader.rows("entry_hashes", chain=chain, first=first, last=last)
            else:
                rows = reader.rows(
                    "committed_head", older=chain, newer=str(newer), genesis=genesis.hex(), first=first, last=last
                )
            for seq, log_time, prev, entry in rows:
                if is_genesis(genesis, newer, entry):
                    return Edge(seq, log_time, prev, entry)
            first = None if last == end else reader.next_seq(chain, last + 1, end)
        return None

    return search
