"""Reading the ledger in order to verify it: every query runs read-only, whatever the user may do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from modeltrail.ledger.chain import Chain
from modeltrail.ledger.epochs import Edge
from modeltrail.ledger.row import Row
from modeltrail.ledger.verification import Before
from modeltrail.storage.queries import sql
from modeltrail.storage.server_errors import translated

__all__ = ["LedgerReader", "Position", "bounds_of"]

READ_ONLY = {"readonly": "2"}
"""The server refuses to write under this setting, whatever the user may do otherwise."""

_ARROW = {
    "output_format_arrow_string_as_string": "0",
    "output_format_arrow_low_cardinality_as_dictionary": "1",
    "output_format_arrow_compression_method": "lz4_frame",
}
"""Spares time; the columns are understood without."""

_BYTES = dict.fromkeys(
    ("key", "header_names", "header_values", "value", "record_hash", "prev_hash", "entry_hash"), "bytes"
)
_PAGE = 200
"""Names of chains in one parameter: the server takes up to 128 KiB, and a name may have 300 bytes."""

_PARTS = len(Chain._fields)

Position = tuple[str, int]
"""A chain's text and a seq."""


def bounds_of(ranges: Sequence[tuple[str, int, int]]) -> dict[str, Any]:
    """Return the parameters of queries over ranges of chains: the chain, its first position, its last."""
    return {
        "chains": [chain for chain, _, _ in ranges],
        "lows": [first for _, first, _ in ranges],
        "highs": [last for _, _, last in ranges],
        "low": min(first for _, first, _ in ranges),
        "high": max(last for _, _, last in ranges),
    }


class LedgerReader:
    """Named queries over one clickhouse-connect client, each of them read-only."""

    def __init__(self, client: Any) -> None:
        self._client = client
        with translated(starting=True):
            limited = client.query("SELECT toUInt8(getSetting('readonly'))").result_rows[0][0]
        # A user who is read-only by profile cannot change the setting, and need not; 1 forbids every other one too.
        self.settings: dict[str, str] = {} if limited else dict(READ_ONLY)
        self._arrow = {} if limited == 1 else _ARROW

    def ask(self, text: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """Run a query and return its rows; strings as text, digests as bytes."""
        with translated():
            answer = self._client.query(
                text, parameters=parameters, settings=self.settings, query_formats={"FixedString": "bytes"}
            )
            return list(answer.result_rows)

    def rows(self, name: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """Run the named query `verify/<name>` and return its rows."""
        return self.ask(sql(f"verify/{name}"), **parameters)

    def edges(self, positions: Sequence[Position]) -> dict[Position, list[tuple[Edge, str]]]:
        """Return what stands at each position that exists: the entries there, with their kind."""
        found: dict[Position, list[tuple[Edge, str]]] = {}
        for start in range(0, len(positions), _PAGE):
            page = positions[start : start + _PAGE]
            chains, seqs = [chain for chain, _ in page], [seq for _, seq in page]
            for chain, seq, _offset, log_time, kind, prev, entry in self.rows("edges", chains=chains, seqs=seqs):
                found.setdefault((chain, seq), []).append((Edge(seq, log_time, prev, entry), kind))
        return found

    def before(self, chain: str, seq: int) -> Before | None:
        """Return the last row of `chain` with a smaller seq, None if there is none."""
        for last, offset, log_time, kind, entry in self.rows("before", chain=chain, seq=seq):
            return Before(last, offset, log_time, entry, kind)
        return None

    def next_seq(self, chain: str, first: int, last: int) -> int | None:
        """Return the first position within first..last that exists."""
        for (seq,) in self.rows("next", chain=chain, first=first, last=last):
            return int(seq)
        return None

    @contextmanager
    def columns(self, spans: Sequence[tuple[str, int, int]]) -> Iterator[Any]:
        """Give the rows of ranges of chains by column, each range in the order (seq, entry_hash): an Arrow stream."""
        with translated():
            stream = self._client.raw_stream(
                sql("verify/columns"),
                parameters=bounds_of(spans),
                settings=self.settings | self._arrow,
                fmt="ArrowStream",
            )
            try:
                yield stream
            finally:
                stream.close()

    def stream(self, chain: str, first: int, last: int) -> Iterator[Row]:
        """Yield the rows of a range in the order (seq, entry_hash), a block of the server at a time in memory."""
        chains: dict[tuple[Any, ...], Chain] = {}
        with (
            translated(),
            self._client.query_column_block_stream(
                sql("verify/stream"),
                parameters={"chain": chain, "first": first, "last": last},
                settings=self.settings,
                column_formats=_BYTES,
            ) as blocks,
        ):
            for block in blocks:
                parts = zip(*block[:_PARTS], strict=True)
                before_headers = block[_PARTS : _PARTS + 7]
                names, values = block[_PARTS + 7 : _PARTS + 9]
                headers = [tuple(zip(*pair, strict=True)) for pair in zip(names, values, strict=True)]
                named = [chains.get(part) or chains.setdefault(part, Chain(*part)) for part in parts]
                yield from map(Row._make, zip(named, *before_headers, headers, *block[_PARTS + 9 :], strict=True))
