"""A stretch: the predictions of one model between two changes of its watch, in watch order, and its watermark.

event time   10  12  11  99  14 | 13  20           99 is more than five minutes after its own log time:
watermark    10  12  12  12  14 | 14  20           a producer with a wrong clock closes nobody's window
                              a monitor is configured: a new stretch begins
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["AHEAD_US", "NEVER", "Stretch"]

AHEAD_US = 300 * 1_000_000
"""How far an event time may be ahead of its own log time and still move the watermark."""

NEVER = -(2**62)
"""The watermark of a model before its first prediction."""


class Stretch:
    """Predictions of one model, n rows.

    `at` rows of the whole feed; `time_us`, `log_time` as in NarrowRows; `sane` whether the time moves the watermark
    and belongs to a window; `watermark` after each row; `before` that before the first one.
    """

    def __init__(
        self,
        at: NDArray[np.int64],
        time_us: NDArray[np.int64],
        log_time: NDArray[np.int64],
        version: NDArray[np.int32],
        versions: tuple[str, ...],
        before: int,
    ) -> None:
        self.at = at
        self.time_us = time_us
        self.log_time = log_time
        self.before = before
        self.sane = time_us <= log_time * 1000 + AHEAD_US
        self.watermark = np.maximum.accumulate(np.where(self.sane, time_us, NEVER)) if at.size else time_us
        if at.size:
            np.maximum(self.watermark, before, out=self.watermark)
        self._version = version
        self._names = versions

    def __len__(self) -> int:
        return self.at.size

    @cached_property
    def rows_of(self) -> dict[str, NDArray[np.int64]]:
        """The rows of each version that is there, rising."""
        present = np.flatnonzero(np.bincount(self._version)) if self._version.size else self._version
        if len(present) == 1:
            return {self._names[present[0]]: np.arange(len(self))}
        return {self._names[code]: np.flatnonzero(self._version == code) for code in present}

    @cached_property
    def sane_rows_of(self) -> dict[str, NDArray[np.int64]]:
        """The same without those whose time is too far ahead."""
        if self.sane.all():
            return self.rows_of
        return {name: rows[self.sane[rows]] for name, rows in self.rows_of.items()}

    def watermark_before(self, row: int) -> int:
        """Return the watermark before a row; of row n, that after all."""
        return int(self.watermark[row - 1]) if row else self.before

    def first_reaching(self, instants: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each instant the first row whose watermark is at or past it; n where there is none."""
        return np.searchsorted(self.watermark, instants, "left").astype(np.int64)
