"""What the fold of one model is fed with: its predictions in columns, and where they stand among all entries."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.windows.order import Position

__all__ = ["Feed", "Predictions"]


class Feed(Protocol):
    """All entries that are being folded."""

    snapshots: bool
    incomplete: tuple[str, ...]

    def cut(self, at: int) -> dict[str, int]:
        """Return the cut before row `at` of the feed."""
        ...

    def position(self, at: int) -> Position:
        """Return where row `at` stands."""
        ...


class Predictions(NamedTuple):
    """The predictions of one model in a feed, columns as in NarrowRows; `at` are their rows in the feed."""

    at: NDArray[np.int64]
    time_us: NDArray[np.int64]
    log_time: NDArray[np.int64]
    version: NDArray[np.int32]
    versions: tuple[str, ...]

    def take(self, which: Any) -> "Predictions":
        """Return the predictions that a slice or a mask chooses."""
        return Predictions(
            self.at[which], self.time_us[which], self.log_time[which], self.version[which], self.versions
        )
