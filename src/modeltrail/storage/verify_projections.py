"""The typed tables against the ledger: what dashboards read is what was chained.

The view's own SELECT over the ledger says what a typed table must hold. Both sides are read merged, as dashboards
read them, and compared as sums of row hashes under a secret key, bucket by bucket: the ledger in steps along its
primary key, each typed table in one pass. Only buckets that differ are looked at row by row.

    missing      the view makes a row of an entry, and the table has none: `rebuild --missing` mends it
    differing    the row of an entry is not the one that the view makes
    extra        a row stands for no entry, or for one that the view makes no row of

An insert puts rows into the ledger first and into the typed tables right after. A missing row of an entry that was
appended a moment ago is therefore looked for again until the longest insert has ended.
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any, Protocol

from modeltrail.errors import SchemaVersionError
from modeltrail.ledger.chain import parse_chain
from modeltrail.ledger.findings import Kind, finding
from modeltrail.ledger.report import ChainReport, ProjectionReport, Report
from modeltrail.storage.queries import sql
from modeltrail.storage.verify_reader import LedgerReader

__all__ = ["INSERT_SECONDS", "ViewOfLedger", "check_projections"]

INSERT_SECONDS = 30.0
"""One attempt at an insert ends after this time."""

_BUCKET = 32_768
_STEP = 500_000
_CHAINS_A_STEP = 200
_DIFFERENCES_AT_ONCE = 16 * _BUCKET
_LOOK_AGAIN_SECONDS = 0.25

Bounds = Mapping[str, tuple[int, int]]
Sums = dict[str, dict[int, tuple[int, int]]]
"""Chain, bucket: rows and sum of hashes."""


class ViewOfLedger(Protocol):
    """A materialized view of the ledger: what `storage.projections.Projection` offers."""

    @property
    def table(self) -> str:
        """The typed table."""
        ...

    @property
    def type(self) -> str:
        """The event type whose valid entries the view reads."""
        ...

    def select_from(self, source: str) -> str:
        """Return the view's SELECT over another source with the columns of the ledger."""
        ...


@dataclass(frozen=True)
class _Compared:
    """One view with what is needed to compare its table."""

    view: ViewOfLedger
    report: ProjectionReport
    hash: str

    def expected(self) -> str:
        return self.view.select_from(sql("verify/projection_source"))

    def stored(self) -> str:
        return _for_table("projection_stored", self)

    def sums(self, rows: str) -> str:
        return Template(sql("verify/projection_sums")).substitute(hash=self.hash, rows=rows)


def check_projections(
    reader: LedgerReader,
    views: Sequence[ViewOfLedger],
    bounds: Bounds,
    reports: Mapping[str, ChainReport],
    report: Report,
    *,
    advance: Callable[[int], None] = lambda _: None,
    insert_seconds: float = INSERT_SECONDS,
) -> None:
    """Compare the typed tables of `views` with the entries that `reports` cover.

    `bounds` are the bounds of all chains when the verification began. `advance` gets the number of positions of
    each step over the ledger, which are as many as `reports` cover.
    """
    keys = {"k0": secrets.randbits(64), "k1": secrets.randbits(64), "bucket": _BUCKET}
    compared = [made for view in views if (made := _compared(reader, view, report)) is not None]
    report.projections.extend(each.report for each in compared)
    expected: dict[str, Sums] = {each.view.table: defaultdict(dict) for each in compared}
    for part in _steps(reports.values()):
        limits = _limits(part)
        types = {row[0] for row in reader.rows("projection_types", **limits)}
        for each in compared:
            if each.view.type in types:
                _add_sums(expected[each.view.table], reader.ask(each.sums(each.expected()), **limits, **keys))
        advance(sum(last - first + 1 for _, first, last in part))
    ranges = [(chain, each.first_seq, each.last_seq) for chain, each in reports.items() if each.entries]
    comparison = _Comparison(reader, reports, keys, time.monotonic() + insert_seconds, insert_seconds)
    for each in compared:
        wanted = expected[each.view.table]
        each.report.rows = sum(rows for buckets in wanted.values() for rows, _ in buckets.values())
        stored: Sums = defaultdict(dict)
        for start in range(0, len(ranges), _CHAINS_A_STEP):
            limits = _limits(ranges[start : start + _CHAINS_A_STEP])
            _add_sums(stored, reader.ask(each.sums(each.stored()), **limits, **keys))
        for chain, _, _ in ranges:
            comparison.chain(each, chain, wanted.get(chain, {}), stored.get(chain, {}))
    _strays(reader, compared, bounds, reports, report)


def _compared(reader: LedgerReader, view: ViewOfLedger, report: Report) -> _Compared | None:
    made = ProjectionReport(view.table)
    try:
        described = reader.ask(f"DESCRIBE TABLE {view.table}")
    except SchemaVersionError:
        made.missing = 1
        report.projections.append(made)
        report.findings.append(finding(Kind.PROJECTION_MISSING, "", None, f"there is no table {view.table}"))
        return None
    # Casting to the table's own types makes both sides the same bytes; RowBinary tells null from zero.
    columns = ", ".join(f"CAST(`{row[0]}`, '{_quoted(row[1])}')" for row in described)
    return _Compared(view, made, f"sipHash64Keyed(({{k0:UInt64}}, {{k1:UInt64}}), formatRow('RowBinary', {columns}))")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _steps(reports: Any) -> Iterator[list[tuple[str, int, int]]]:
    together: list[tuple[str, int, int]] = []
    size = 0
    for each in reports:
        if not each.entries:
            continue
        first = each.first_seq
        while first <= each.last_seq:
            last = min(each.last_seq, first + _STEP - size - 1)
            together.append((each.chain, first, last))
            size += last - first + 1
            first = last + 1
            if size >= _STEP or len(together) >= _CHAINS_A_STEP:
                yield together
                together, size = [], 0
    if together:
        yield together


def _limits(part: Sequence[tuple[str, int, int]]) -> dict[str, Any]:
    return {
        "chains": [chain for chain, _, _ in part],
        "lows": [first for _, first, _ in part],
        "highs": [last for _, _, last in part],
        "low": min((first for _, first, _ in part), default=0),
        "high": max((last for _, _, last in part), default=-1),
    }


def _add_sums(sums: Sums, rows: Sequence[Sequence[Any]]) -> None:
    for chain, place, count, hashes in rows:
        before_count, before_hashes = sums[chain].get(place, (0, 0))
        sums[chain][place] = (before_count + count, (before_hashes + hashes) % 2**64)


@dataclass
class _Comparison:
    """Finds out what differs where the sums of a bucket differ."""

    reader: LedgerReader
    reports: Mapping[str, ChainReport]
    keys: Mapping[str, int]
    until: float
    insert_seconds: float

    def chain(
        self,
        each: _Compared,
        chain: str,
        wanted: Mapping[int, tuple[int, int]],
        stored: Mapping[int, tuple[int, int]],
    ) -> None:
        report = self.reports[chain]
        places = sorted(place for place in wanted.keys() | stored.keys() if wanted.get(place) != stored.get(place))
        for first, last in _groups(places):
            low = max(report.first_seq, first * _BUCKET)
            high = min(report.last_seq, (last + 1) * _BUCKET - 1)
            self._differences(each, chain, low, high)

    def _differences(self, each: _Compared, chain: str, low: int, high: int) -> None:
        found = self._look(each, chain, low, high)
        while found[0] and time.monotonic() < self.until and self._young(chain, found[1], found[2]):
            time.sleep(_LOOK_AGAIN_SECONDS)  # an insert is under way, and ends within `until`
            found = self._look(each, chain, low, high)
        missing, first_missing, _, differing, first_differing, extra, first_extra = found
        each.report.missing += missing
        each.report.differing += differing
        each.report.extra += extra
        report, table = self.reports[chain], each.view.table
        if missing:
            report.add(finding(Kind.PROJECTION_MISSING, chain, first_missing, f"in {table}, {missing} rows"), missing)
        if differing:
            report.add(
                finding(Kind.PROJECTION_DIFFERS, chain, first_differing, f"in {table}, {differing} rows"), differing
            )
        if extra:
            report.add(finding(Kind.PROJECTION_EXTRA, chain, first_extra, f"in {table}, {extra} rows"), extra)

    def _look(self, each: _Compared, chain: str, low: int, high: int) -> Sequence[int]:
        text = Template(sql("verify/projection_differences")).substitute(
            hash=each.hash, rows=each.expected(), stored=each.stored()
        )
        this = parse_chain(chain)
        rows = self.reader.ask(
            text,
            **_limits([(chain, low, high)]),
            **self.keys,
            prefix=this.of.prefix,
            epoch=this.epoch,
            first_offset=this.first_offset,
            type=each.view.type,
        )
        return rows[0]

    def _young(self, chain: str, first: int, last: int) -> bool:
        seconds = int(self.insert_seconds) + 1
        rows = self.reader.rows("projection_young", chain=chain, first=first, last=last, seconds=seconds)
        return bool(rows[0][0])


def _groups(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Join neighbours, so that a typed table is not read once for each bucket."""
    first = last = None
    for place in places:
        if first is None or last is None or (place - first + 1) * _BUCKET > _DIFFERENCES_AT_ONCE:
            if first is not None and last is not None:
                yield first, last
            first = place
        last = place
    if first is not None and last is not None:
        yield first, last


def _strays(
    reader: LedgerReader,
    compared: Sequence[_Compared],
    bounds: Bounds,
    reports: Mapping[str, ChainReport],
    report: Report,
) -> None:
    beyond = [
        (each, chain)
        for each in compared
        for chain, first, last in reader.ask(_for_table("projection_strays", each))
        if first < 0 or last > bounds.get(chain, (0, -1))[1]
    ]
    if not beyond:
        return
    # Entries that were appended meanwhile have typed rows too, so the ends of the chains are read again.
    now = {chain: last for chain, _, last in reader.rows("chains")}
    for each, chain in beyond:
        rows, first = reader.ask(_for_table("projection_beyond", each), chain=chain, last=now.get(chain, -1))[0]
        if not rows:
            continue
        each.report.extra += rows
        stray = finding(Kind.PROJECTION_EXTRA, chain, first, f"in {each.view.table}, beyond what the ledger holds")
        if chain in reports:
            reports[chain].add(stray, rows)
        elif chain not in bounds or len(reports) == len(bounds):
            report.findings.append(stray)


def _for_table(name: str, each: _Compared) -> str:
    return Template(sql(f"verify/{name}")).substitute(table=each.view.table)
