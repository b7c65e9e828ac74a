"""Where the scores of a large window wait to be merged: a temporary file, 16 bytes a score, so that memory stays small.

The directory is that of Python's `tempfile` (TMPDIR). The file has no name, and is gone with the process.
"""

import tempfile
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from modeltrail.drift.statistics.ranking import Ranks
from modeltrail.errors import UnavailableError

__all__ = ["Spool"]

_RANK = np.dtype([("score", "<f8"), ("positives", "<u4"), ("negatives", "<u4")])


class Spool:
    """Keeps runs of ranks (`ranking.Keep`), as a context manager. The file is made for the first one."""

    def __init__(self) -> None:
        self._file: Any = None
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give the disk space back; what was kept cannot be read any more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def keep(self, ranks: Ranks) -> "_Kept":
        """Write a run of less than 2^32 rows. UnavailableError where the disk does not take it."""
        written = np.empty(len(ranks), dtype=_RANK)
        for name, column in zip(_RANK.names or (), (ranks.scores, ranks.positives, ranks.negatives), strict=True):
            written[name] = column
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(  # noqa: SIM115 - closed by __exit__
                    prefix="modeltrail-scores-", buffering=0
                )
            self._file.seek(self._end)
            data = memoryview(written.tobytes())
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise UnavailableError(f"scores cannot be kept in {tempfile.gettempdir()}: {error}") from error
        kept = _Kept(self, self._end, len(ranks))
        self._end += written.nbytes
        return kept

    def read(self, place: int, ranks: int) -> Ranks:
        """Return ranks from a place in the file. UnavailableError where the disk does not give them."""
        try:
            self._file.seek(place)
            found = np.frombuffer(self._file.read(ranks * _RANK.itemsize), dtype=_RANK)
        except OSError as error:
            raise UnavailableError(f"scores cannot be read in {tempfile.gettempdir()}: {error}") from error
        if found.size != ranks:
            raise UnavailableError(f"scores in {tempfile.gettempdir()}: {found.size} were read, expected {ranks}")
        return Ranks(found["score"].copy(), found["positives"].astype(np.int64), found["negatives"].astype(np.int64))


@dataclass(frozen=True)
class _Kept:
    """A run in the file."""

    spool: Spool
    place: int
    ranks: int

    def __len__(self) -> int:
        return self.ranks

    def part(self, first: int, end: int) -> Ranks:
        first, end = min(first, self.ranks), min(end, self.ranks)
        return self.spool.read(self.place + first * _RANK.itemsize, end - first)
