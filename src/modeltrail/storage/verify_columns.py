"""Verification here, by column: whether everything holds in a stream of rows.

Answers only yes or no for each range of a chain, so that it can take columns whole: bytes that were computed are
compared with bytes that are stored, thousands of rows at a time. A range in which anything is not as it should be is
looked at once more, row by row, by `ledger.verification`, which says what it is and where. So this may refuse what
holds, which costs time, but must never take what does not: it compares everything that `ChainVerifier` compares.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from modeltrail.events.judge import REJECTED, VALID
from modeltrail.ledger.chain import Chain, parse_chain
from modeltrail.ledger.entry import GAP_TIMESTAMP, gap_hash, preimage_format
from modeltrail.ledger.records import Records
from modeltrail.ledger.row import GAP, RECORD
from modeltrail.ledger.verification import Judge, Link, check_order

__all__ = ["Held", "Span", "held"]

_ROWS = 8192
"""Rows whose columns are in memory as Python objects at a time."""

_DIGEST = 32
_TEXTS = (
    "mode", "source", "id", "type", "subject", "time_us", "actor", "tenant",
    "sequence", "traceparent", "correlationid", "causationid", "retentionclass",
)  # fmt: skip
"""Columns of the envelope, in the order of a judgement."""

_EMPTY = {"time_us": None}
"""What stands in a gap where it is not the empty text."""

Columns = Mapping[str, Any]


class Span(NamedTuple):
    """Positions of a chain that are to be in the stream, each of them."""

    chain: str
    first: int
    last: int


class Held(NamedTuple):
    """A span in which everything holds: what must be compared with what stands before it and after it."""

    first: Link
    last: Link
    repeats: int


class _Refused(Exception):  # noqa: N818 - not an error: something is to be looked at row by row
    """Something is not as it should be, or cannot be said by column."""


def held(stream: Any, spans: Sequence[Span], judge: Judge | None) -> list[Held | None]:
    """Check an Arrow stream of the query `verify/columns`; return for each span what holds, None if anything does not.

    `stream` is a file or a buffer. Repeats are dropped where they are the same row again.
    """
    wanted = {span.chain: _Progress(span) for span in spans}
    try:
        for chain, columns in _pieces(stream):
            progress = wanted.get(chain)
            if progress is None:
                return [None] * len(spans)
            progress.take(columns, judge)
    except (pa.ArrowException, LookupError, ValueError, OSError):
        return [None] * len(spans)  # a stream that was cut or garbled, or is not what was asked for: read once more
    return [progress.result() for progress in wanted.values()]


class _Progress:
    """One span, as far as its rows have come by."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._chain: Chain | None
        try:
            self._chain = parse_chain(span.chain)
        except ValueError:
            self._chain = None
        self._linked = preimage_format(span.chain.encode())
        self._first: Link | None = None
        self._last: Link | None = None
        self._last_row: Any = None
        self._repeats = 0
        self._refused = self._chain is None

    def take(self, batch: Any, judge: Judge | None) -> None:
        """Check the next rows."""
        if self._refused or self._chain is None:
            return
        try:
            batch, repeats = _without_repeats(batch, self._last_row)
            self._repeats += repeats
            if batch.num_rows:
                self._check(batch, self._chain, judge)
                self._last_row = batch.slice(batch.num_rows - 1)
        except (_Refused, pa.ArrowInvalid):
            self._refused = True

    def _check(self, batch: Any, chain: Chain, judge: Judge | None) -> None:
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        _parts(columns, chain)
        order = _Order(columns, self._span.chain)
        if self._last is not None and check_order(self._span.chain, self._last, order.link(0)):
            raise _Refused
        _content(columns, order, chain, self._linked, judge)
        if self._first is None:
            self._first = order.link(0)
        self._last = order.link(-1)

    def result(self) -> Held | None:
        """Return what holds, None if not everything did or not every position came by."""
        if self._refused or self._first is None or self._last is None:
            return None
        if (self._first.seq, self._last.seq) != self._span[1:]:
            return None
        return Held(self._first, self._last, self._repeats)


def _pieces(stream: Any) -> Iterator[tuple[str, Any]]:
    """Yield the rows of each chain, a few thousand at a time."""
    with pa.ipc.open_stream(stream) as reader:
        for batch in reader:
            batch.validate(full=True)  # what comes over a wire may point anywhere
            for start in range(0, batch.num_rows, _ROWS):
                piece = batch.slice(start, _ROWS)
                names = _values(piece.column("chain"))
                begin = 0
                for at in (*_changes(names), len(names)):
                    yield names[begin].decode(), piece.slice(begin, at - begin)
                    begin = at


def _changes(values: Sequence[Any]) -> Iterator[int]:
    if values[0] != values[-1] or values.count(values[0]) != len(values):
        yield from (at for at in range(1, len(values)) if values[at] != values[at - 1])


def _without_repeats(batch: Any, last_row: Any) -> tuple[Any, int]:
    """Drop rows that are the one before again; refuse where another row stands at the same position."""
    seqs = batch.column("seq").to_numpy()
    same = seqs[1:] == seqs[:-1]
    repeats = 0
    if same.any():
        repeated = np.flatnonzero(same) + 1
        if not batch.take(pa.array(repeated)).equals(batch.take(pa.array(repeated - 1))):
            raise _Refused
        repeats = len(repeated)
        batch = batch.filter(pa.array(np.concatenate([[True], ~same])))
    if last_row is not None and batch.column("seq")[0] == last_row.column("seq")[0]:
        if batch.slice(0, 1).to_pylist() != last_row.to_pylist():  # by value: the dictionaries may be others
            raise _Refused
        return batch.slice(1), repeats + 1
    return batch, repeats


def _parts(columns: Columns, chain: Chain) -> None:
    """The columns of the chain's parts say what its name says."""
    texts = [(name, part.encode()) for name, part in (("cluster", chain.cluster), ("topic", chain.topic))]
    numbers = [("partition", chain.partition), ("epoch", chain.epoch), ("first_offset", chain.first_offset)]
    if any(columns[name].unique().cast(pa.binary()).to_pylist() != [text] for name, text in texts):
        raise _Refused
    if any((columns[name].to_numpy() != number).any() for name, number in numbers):
        raise _Refused


class _Order:
    """The columns that decide about the order, checked against each other."""

    def __init__(self, columns: Columns, chain: str) -> None:
        self.count = count = len(columns["seq"])
        self.kinds = _texts(columns["kind"])
        self.gaps = [at for at, kind in enumerate(self.kinds) if kind == GAP]
        if self.kinds.count(RECORD) + len(self.gaps) != count:
            raise _Refused
        self.seqs, self.offsets, self.timestamps, self.log_times, self.gap_firsts = (
            columns[name].to_numpy() for name in ("seq", "offset", "timestamp", "log_time", "gap_first")
        )
        self.prev = _digests(columns["prev_hash"])
        self.entry = _digests(columns["entry_hash"])
        first = int(self.seqs[0])
        if first < 0 or not np.array_equal(self.seqs, np.arange(first, first + count)):
            raise _Refused
        begins = self.offsets.copy()
        is_gap = np.zeros(count, bool)
        if self.gaps:
            is_gap[self.gaps] = True
            begins[self.gaps] = self.gap_firsts[self.gaps]
        if (
            begins.min() < 0
            or not np.array_equal(begins[1:] - 1, self.offsets[:-1])
            or (is_gap[1:] & is_gap[:-1]).any()
        ):
            raise _Refused
        if self.gap_firsts[~is_gap].any():
            raise _Refused
        running = self.timestamps.copy()
        running[0] = self.log_times[0]
        if not np.array_equal(np.maximum.accumulate(running), self.log_times):
            raise _Refused
        if self.prev[_DIGEST:] != self.entry[:-_DIGEST]:
            raise _Refused
        self._chain = chain

    def link(self, at: int) -> Link:
        """The row at a place, as far as the order is concerned with it."""
        end = (at % self.count + 1) * _DIGEST
        return Link(
            int(self.seqs[at]),
            int(self.offsets[at]),
            int(self.timestamps[at]),
            int(self.log_times[at]),
            self.kinds[at],
            int(self.gap_firsts[at]),
            self.prev[end - _DIGEST : end],
            self.entry[end - _DIGEST : end],
        )


def _content(columns: Columns, order: _Order, chain: Chain, linked: bytes, judge: Judge | None) -> None:
    """Hashes, what a gap holds, and what the judge reads in the records."""
    records = Records(
        order.offsets.tolist(),
        order.timestamps.tolist(),
        columns["key"].cast(pa.binary()).to_pylist(),
        _headers(columns["header_names"], columns["header_values"]),
        columns["value"].cast(pa.binary()).to_pylist(),
    )
    digests = records.digests()
    for at in order.gaps:
        digests[at] = gap_hash(int(order.gap_firsts[at]), int(order.offsets[at]))
    stored = _digests(columns["record_hash"])
    if b"".join(digests) != stored:
        raise _Refused
    prev, hexes = order.prev, stored.hex().encode()
    computed = [
        sha256(linked % (prev[at : at + _DIGEST], seq, offset, timestamp, hexes[2 * at : 2 * at + 64])).digest()
        for at, seq, offset, timestamp in zip(
            range(0, len(prev), _DIGEST), order.seqs.tolist(), records.offsets, records.timestamps, strict=True
        )
    ]
    if b"".join(computed) != order.entry:
        raise _Refused
    statuses = _texts(columns["status"])
    if order.gaps:
        _gaps(columns, order, records, statuses)
    if judge is None:
        if statuses.count(VALID) + statuses.count(REJECTED) + len(order.gaps) != order.count:
            raise _Refused
    else:
        _judged(columns, order, records, statuses, chain.topic, judge)


def _gaps(columns: Columns, order: _Order, records: Records, statuses: Sequence[str]) -> None:
    """A gap holds nothing but the offsets that it stands for."""
    for at in order.gaps:
        holds_nothing = records.keys[at] is None and records.values[at] is None and not records.headers[at]
        if not holds_nothing or records.timestamps[at] != GAP_TIMESTAMP or statuses[at] != GAP:
            raise _Refused
        if not order.gap_firsts[at] <= order.offsets[at]:
            raise _Refused
    which = pa.array(order.gaps)
    if not all(columns["without_reason"].take(which).to_pylist()):
        raise _Refused
    for name in ("reason_class", *_TEXTS):
        empty = _EMPTY.get(name, "")
        if any(value != empty for value in _texts(columns[name].take(which))):
            raise _Refused


def _judged(
    columns: Columns, order: _Order, records: Records, statuses: Sequence[str], topic: str, judge: Judge
) -> None:
    """Status and envelope are what the judge reads in each record."""
    keys, headers, values = records.keys, records.headers, records.values
    stored = [statuses, *(_texts(columns[name]) for name in ("reason_class", *_TEXTS))]
    if order.gaps:
        gaps = frozenset(order.gaps)
        kept = [at for at in range(order.count) if at not in gaps]
        keys, headers, values = ([keys[at] for at in kept], [headers[at] for at in kept], [values[at] for at in kept])
        stored = [[column[at] for at in kept] for column in stored]
    if not keys:
        return
    read = [judge(topic, key, header, value) for key, header, value in zip(keys, headers, values, strict=True)]
    status, _reason, reason_class, *envelope = zip(*read, strict=True)
    if any(_differ(here, there) for here, there in zip((status, reason_class, *envelope), stored, strict=True)):
        raise _Refused


def _differ(here: Sequence[Any], there: Sequence[Any]) -> bool:
    return list(here) != there


def _headers(names: Any, values: Any) -> list[tuple[tuple[bytes, bytes | None], ...]]:
    if not len(names.flatten()):
        return [()] * len(names) if not len(values.flatten()) else _refuse()
    ends = names.offsets.to_numpy() - names.offsets[0].as_py()
    if not np.array_equal(ends, values.offsets.to_numpy() - values.offsets[0].as_py()):
        raise _Refused
    flat = list(
        zip(names.flatten().cast(pa.binary()).to_pylist(), values.flatten().cast(pa.binary()).to_pylist(), strict=True)
    )
    bounds = ends.tolist()
    return [tuple(flat[begin:end]) for begin, end in pairwise(bounds)]


def _refuse() -> Any:
    raise _Refused


def _texts(column: Any) -> list[Any]:
    """A column as Python values: texts decoded; ArrowInvalid where one is not UTF-8."""
    values: Iterable[Any]
    if pa.types.is_dictionary(column.type):
        known = np.array([*column.dictionary.cast(pa.binary()).cast(pa.string()).to_pylist(), None], object)
        values = known[column.indices.fill_null(len(known) - 1).to_numpy()].tolist()
    elif pa.types.is_integer(column.type):
        values = column.to_pylist()
    else:
        text = column.cast(pa.binary()).cast(pa.string())
        values = [""] * len(text) if _is_empty(text) else text.to_pylist()
    return list(values)


def _is_empty(text: Any) -> bool:
    """Whether all texts are empty, as those of most columns of an envelope are."""
    if text.null_count:
        return False
    ends = np.frombuffer(text.buffers()[1], np.int32)
    return bool(ends[text.offset] == ends[text.offset + len(text)])


def _values(column: Any) -> list[Any]:
    """A column of chains as bytes."""
    if pa.types.is_dictionary(column.type):
        known = np.array(column.dictionary.cast(pa.binary()).to_pylist(), object)
        return list(known[column.indices.to_numpy()].tolist())
    return list(column.cast(pa.binary()).to_pylist())


def _digests(column: Any) -> bytes:
    """The bytes of a column of digests, one after the other."""
    if column.null_count or column.type != pa.binary(_DIGEST):
        raise _Refused
    begin = column.offset * _DIGEST
    return bytes(memoryview(column.buffers()[1])[begin : begin + len(column) * _DIGEST])
