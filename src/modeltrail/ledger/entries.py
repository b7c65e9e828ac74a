"""Entries on their way to the ledger, by column: what the sequencer makes of a batch, and a block of such runs.

A block holds tens of thousands of entries of several chains. As a sequence it consists of rows, which are made one by
one for whoever looks at one; whoever stores or counts them takes the columns.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain as flatten
from typing import Any, overload

from modeltrail.events.judge import REJECTED, Judgement
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GAP_TIMESTAMP
from modeltrail.ledger.records import Records
from modeltrail.ledger.row import GAP, RECORD, Row

__all__ = ["GAP_JUDGEMENT", "REASON_CLASS", "STATUS", "TYPE", "Entries", "Judged", "Run"]

STATUS, REASON_CLASS, TYPE = map(Judgement._fields.index, ("status", "reason_class", "type"))
"""Columns of the judgements."""

Judged = tuple[tuple[Any, ...], ...]
"""Judgements by column: statuses, reasons and so on, in the order of `Judgement`."""

GAP_JUDGEMENT = Judgement(GAP, "", "", "")
"""What stands in the columns of the judgement where an entry is a gap."""


class Run:
    """Consecutive entries of one chain, by column. Gaps stand among the records, without key, headers and value."""

    __slots__ = (
        "chain",
        "contract",
        "entry_hashes",
        "first_seq",
        "gaps",
        "judged",
        "log_times",
        "prev_hash",
        "record_hashes",
        "records",
    )

    def __init__(
        self,
        chain: Chain,
        first_seq: int,
        records: Records,
        log_times: list[int],
        gaps: dict[int, int],
        record_hashes: list[bytes],
        prev_hash: bytes,
        entry_hashes: list[bytes],
        judged: Judged,
        contract: int,
    ) -> None:
        """`gaps` has the first missing offset of each gap by its place in the columns."""
        self.chain = chain
        self.first_seq = first_seq
        self.records = records
        self.log_times = log_times
        self.gaps = gaps
        self.record_hashes = record_hashes
        self.prev_hash = prev_hash
        self.entry_hashes = entry_hashes
        self.judged = judged
        self.contract = contract

    def __len__(self) -> int:
        return len(self.entry_hashes)

    def row(self, at: int) -> Row:
        """Return one entry as a row."""
        offset, timestamp, key, headers, value = self.records[at]
        status, reason, reason_class, *envelope = [column[at] for column in self.judged]
        return Row(
            self.chain,
            self.first_seq + at,
            offset,
            timestamp,
            self.log_times[at],
            GAP if at in self.gaps else RECORD,
            self.gaps.get(at, 0),
            key,
            headers,
            value,
            self.record_hashes[at],
            self.entry_hashes[at - 1] if at else self.prev_hash,
            self.entry_hashes[at],
            status,
            reason_class,
            reason,
            self.contract,
            *envelope,
        )


class Entries(Sequence[Row]):
    """Runs one after the other; as a sequence, their rows."""

    __slots__ = ("_length", "runs")

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.runs = list(runs)
        self._length = sum(map(len, self.runs))

    def extend(self, other: "Entries") -> None:
        """Add the runs of `other` at the end."""
        self.runs += other.runs
        self._length += len(other)

    @classmethod
    def joined(cls, parts: Iterable["Entries"]) -> "Entries":
        """Return the entries of all `parts` in their order."""
        return cls(flatten.from_iterable(part.runs for part in parts))

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(self._length))]
        at = index + self._length if index < 0 else index
        if at < 0:
            raise IndexError(index)
        for run in self.runs:
            if at < len(run):
                return run.row(at)
            at -= len(run)
        raise IndexError(index)

    def __iter__(self) -> Iterator[Row]:
        for run in self.runs:
            for at in range(len(run)):
                yield run.row(at)

    def judged(self, column: int) -> Iterator[Any]:
        """Return one column of the judgements, counted as in `Judgement`."""
        return flatten.from_iterable(run.judged[column] for run in self.runs)

    def times(self) -> tuple[int, int]:
        """Return the smallest and the largest timestamp of the records, -1 twice where there are only gaps."""
        times: list[int] = []
        for run in self.runs:
            of_run = run.records.timestamps
            if run.gaps:
                of_run = [time for at, time in enumerate(of_run) if at not in run.gaps]
            if of_run:
                times += (min(of_run), max(of_run))
        return min(times, default=GAP_TIMESTAMP), max(times, default=GAP_TIMESTAMP)

    def rejected(self) -> Iterator[Row]:
        """Return the rows of the records that were rejected."""
        for run in self.runs:
            if REJECTED in run.judged[STATUS]:
                for at, status in enumerate(run.judged[STATUS]):
                    if status == REJECTED:
                        yield run.row(at)
