"""What was read of the ledger and is not passed yet: rows and changes that wait, and since when.

An entry may be given to the fold when no chain can bring one before it any more (rule 4 of the watch). A chain is past
an entry when its frontier has a greater log_time; or when it was seen idle, `grace` after the entry was read.

                 read at 10.0      read at 12.0           idle seen at 12.5, grace 1.0:
    chain A   ---- e1 e2 ----------- e3 ------->          what was read at or before 11.5 has been passed
    chain B   ---- (idle) --------------------->          by B: e1 and e2, not yet e3
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from modeltrail.drift.windows.narrow import NO_PREDICTION, Change, NarrowRows
from modeltrail.ledger.chain import Chain

__all__ = ["FOR_EVER", "Passed", "Reading"]

FOR_EVER = 2**63 - 1
"""A log_time that no entry has."""


class Passed(NamedTuple):
    """What may be given to the fold."""

    rows: NarrowRows
    changes: list[Change]


class _Batch(NamedTuple):
    at: float
    """When it was read, in seconds of the monotonic clock."""
    chain: Chain
    rows: NarrowRows
    changes: list[Change]

    @property
    def lowest(self) -> int:
        # Along one chain log_time never falls.
        first = int(self.rows.log_time[0]) if len(self.rows) else FOR_EVER
        return min(first, self.changes[0].position.log_time if self.changes else FOR_EVER)

    @property
    def highest(self) -> int:
        last = int(self.rows.log_time[-1]) if len(self.rows) else -1
        return max(last, self.changes[-1].position.log_time if self.changes else -1)

    def divided(self, limit: int) -> tuple["_Batch", "_Batch"]:
        before, after = self.rows.through(limit)
        return (
            self._replace(rows=before, changes=[each for each in self.changes if each.position.log_time <= limit]),
            self._replace(rows=after, changes=[each for each in self.changes if each.position.log_time > limit]),
        )

    def __bool__(self) -> bool:
        return bool(len(self.rows) or self.changes)


class Reading:
    """Entries that were read and wait, as they came."""

    def __init__(self) -> None:
        self._batches: list[_Batch] = []

    def __len__(self) -> int:
        return sum(len(batch.rows) for batch in self._batches)

    @property
    def oldest(self) -> float | None:
        """When the first of what waits was read, in seconds of the monotonic clock; None where nothing waits."""
        return min((batch.at for batch in self._batches), default=None)

    @property
    def highest(self) -> int:
        """The greatest log_time of what waits, -1 where nothing waits."""
        return max((batch.highest for batch in self._batches), default=-1)

    @property
    def lowest(self) -> int:
        """The smallest log_time of what waits, FOR_EVER where nothing waits."""
        return min((batch.lowest for batch in self._batches), default=FOR_EVER)

    @property
    def models(self) -> set[str]:
        """The models of which a prediction waits."""
        return {
            batch.rows.models[code]
            for batch in self._batches
            for code in np.unique(batch.rows.model).tolist()
            if code != NO_PREDICTION
        }

    def waiting_of(self, chain: Chain) -> int:
        """Return how many entries of a chain wait."""
        return sum(len(batch.rows) for batch in self._batches if batch.chain == chain)

    def lowest_of(self, chain: Chain) -> int:
        """Return the smallest log_time of what waits of a chain, FOR_EVER where nothing of it waits."""
        return min((batch.lowest for batch in self._batches if batch.chain == chain), default=FOR_EVER)

    def add(self, chain: Chain, rows: NarrowRows, changes: Iterable[Change], *, at: float) -> None:
        """Keep what was read of one chain at second `at` of the monotonic clock, in the order of the chain."""
        batch = _Batch(at, chain, rows, list(changes))
        if batch:
            self._batches.append(batch)

    def read_by(self, at: float) -> int:
        """Return the greatest log_time such that all that waits up to it was read by second `at`."""
        return min((batch.lowest - 1 for batch in self._batches if batch.at > at), default=FOR_EVER)

    def take(self, limit: int) -> Passed:
        """Take out what has at most this log_time."""
        divided = [batch.divided(limit) for batch in self._batches]
        self._batches = [after for _, after in divided if after]
        passed = [before for before, _ in divided]
        return Passed(
            NarrowRows.concatenate([batch.rows for batch in passed]),
            [change for batch in passed for change in batch.changes],
        )
