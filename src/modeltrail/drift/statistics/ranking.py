"""Scores with their truth in ascending order, however many there are: what the area under the curve is computed from.

    add, add, add ...   ->   runs, each sorted, equal scores counted together   ->   merged, a slice of each at a time

A run may be kept anywhere (`keep`), so that memory does not grow with the rows. Counts are integers: the result
depends neither on the order of the rows nor on how they were cut into runs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Keep", "Ranking", "Ranks", "Run"]

_ROOM = 1 << 16
"""Rows that wait until they are sorted: 9 bytes each. Where many rankings share the room, each has its part."""
_LEAST_ROOM = 1 << 10
_SLICES = 1 << 18
"""Ranks of all runs together that are merged at a time."""
_LEAST_SLICE = 1 << 10


@dataclass(frozen=True, eq=False)
class Ranks:
    """How many rows have each score: `scores` float64[k], strictly ascending, `positives` and `negatives` int64[k].

    The simplest run: one in memory.
    """

    scores: NDArray[np.float64]
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]

    def __len__(self) -> int:
        return self.scores.size

    def part(self, first: int, end: int) -> "Ranks":
        """Return the ranks first..end-1, as many of them as there are."""
        return Ranks(self.scores[first:end], self.positives[first:end], self.negatives[first:end])

    @classmethod
    def of(cls, scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> "Ranks":
        """Return the ranks of rows: their scores (no NaN), and which are positive."""
        return _together(scores, positive.astype(np.int64), (~positive).astype(np.int64))

    @classmethod
    def sum(cls, parts: Sequence["Ranks"]) -> "Ranks":
        """Return the ranks of the rows of all parts."""
        columns = zip(*((part.scores, part.positives, part.negatives) for part in parts), strict=True)
        return _together(*(np.concatenate(column) for column in columns))


def _together(scores: NDArray[np.float64], positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> Ranks:
    """Return rows of any scores, each with its counts, in ascending order and equal scores as one."""
    order = np.argsort(scores)
    scores = scores[order]
    begins = np.ones(scores.size, dtype=np.bool_)
    begins[1:] = scores[1:] != scores[:-1]
    at = np.flatnonzero(begins)
    if not at.size:
        return Ranks(scores, positives, negatives)
    return Ranks(scores[at], np.add.reduceat(positives[order], at), np.add.reduceat(negatives[order], at))


class Run(Protocol):
    """Ranks that are kept somewhere."""

    def __len__(self) -> int: ...

    def part(self, first: int, end: int) -> Ranks:
        """Return the ranks first..end-1, as many of them as there are."""
        ...


Keep = Callable[[Ranks], Run]
"""Puts a run where it is kept."""


class Ranking:
    """Rows by score. `keep` says where runs of many rows go; without it, they stay in memory.

    `shared_by`: how many such share the room in which rows wait until they are many.
    """

    def __init__(self, keep: Keep | None = None, shared_by: int = 1) -> None:
        self.keep = keep
        self._room = min(_ROOM, max(_LEAST_ROOM, _ROOM // shared_by))
        self.positives = 0
        self.negatives = 0
        self._runs: list[Run] = []
        self._waiting: list[tuple[NDArray[np.float64], NDArray[np.bool_]]] = []
        self._rows = 0

    def add(self, scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> None:
        """Add rows: their scores (no NaN), and which are positive; arrays of one length."""
        found = int(np.count_nonzero(positive))
        self.positives += found
        self.negatives += len(scores) - found
        for first in range(0, len(scores), self._room):
            part = slice(first, first + self._room)
            self._waiting.append((scores[part].astype(np.float64, copy=True), positive[part].copy()))
            self._rows += len(self._waiting[-1][0])
            if self._rows >= self._room:
                self._put_away()

    def __add__(self, other: "Ranking") -> "Ranking":
        """Return the rows of both."""
        both = Ranking(self.keep)
        both._room = self._room
        both.positives, both.negatives = self.positives + other.positives, self.negatives + other.negatives
        both._runs = self._runs + other._runs
        both._waiting = self._waiting + other._waiting
        both._rows = self._rows + other._rows
        return both

    def ascending(self) -> Iterator[Ranks]:
        """Yield the ranks of all rows, a part at a time: every score once, in ascending order."""
        self._put_away()
        runs = self._runs
        at_once = max(_LEAST_SLICE, _SLICES // max(1, len(runs)))
        read = [min(at_once, len(run)) for run in runs]
        slices = [run.part(0, end) for run, end in zip(runs, read, strict=True)]
        while any(len(each) for each in slices):
            # Up to the least of the last scores of what is left to be read, everything is here.
            border = min(
                (each.scores[-1] for each, run, end in zip(slices, runs, read, strict=True) if end < len(run)),
                default=np.inf,
            )
            ends = [int(np.searchsorted(each.scores, border, side="right")) for each in slices]
            yield Ranks.sum([each.part(0, end) for each, end in zip(slices, ends, strict=True) if end])
            for at, end in enumerate(ends):
                slices[at] = slices[at].part(end, len(slices[at]))
                if not len(slices[at]) and read[at] < len(runs[at]):
                    first, read[at] = read[at], min(read[at] + at_once, len(runs[at]))
                    slices[at] = runs[at].part(first, read[at])

    def _put_away(self) -> None:
        if self._waiting:
            scores, positive = (np.concatenate(column) for column in zip(*self._waiting, strict=True))
            ranks = Ranks.of(scores, positive)
            self._runs.append(self.keep(ranks) if self.keep is not None and self._rows >= self._room else ranks)
            self._waiting, self._rows = [], 0
