"""Tells a worker that is stuck from one that waits for a dependency, or that has nothing to do. Pure."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from modeltrail.ledger.chain import PartitionId

__all__ = ["PLACING_S", "STUCK_S", "Stuck", "Watchdog"]

STUCK_S = 300.0
"""A partition whose watermark stands still below its end for this long seems stuck."""

PLACING_S = 3600.0
"""A partition that is being placed for this long is stuck. Filling typed tables again can take many minutes."""


class Stuck(NamedTuple):
    """A partition that makes no progress, since how many seconds, and at which watermark; None while it is placed."""

    partition: PartitionId
    seconds: float
    watermark: int | None

    def __str__(self) -> str:
        """Return one line for the log."""
        if self.watermark is None:
            return f"{self.partition}: not placed after {self.seconds:.0f} s"
        return f"{self.partition}: no progress for {self.seconds:.0f} s at offset {self.watermark}"


class Watchdog:
    """Looks at the partitions of a worker every now and then, each by itself: one can hang while the others go on."""

    def __init__(self, *, stuck_s: float = STUCK_S, placing_s: float = PLACING_S) -> None:
        self._stuck_s = stuck_s
        self._placing_s = placing_s
        self._reading: dict[PartitionId, tuple[int, float]] = {}
        self._placing: dict[PartitionId, float] = {}

    def look(
        self,
        now: float,
        *,
        reading: Mapping[PartitionId, tuple[int, int]],
        placing: Collection[PartitionId],
        waiting: bool,
    ) -> Stuck | None:
        """Return what seems stuck at the time `now` (seconds that never go back), None where nothing does.

        `reading` are watermark and stable end of each partition that is placed and in service, `placing` those that
        are being placed. While the worker is `waiting` for a dependency no time counts. Behind a transaction the end
        lies one beyond the last record for ever: whoever has asked the log and found no record there says so by
        `excuse`.
        """
        before = {} if waiting else self._reading
        self._reading = {
            partition: (watermark, self._since(before.get(partition), watermark, end, now))
            for partition, (watermark, end) in reading.items()
        }
        self._placing = {partition: now if waiting else self._placing.get(partition, now) for partition in placing}
        for partition, (watermark, since) in self._reading.items():
            if now - since > self._stuck_s:
                return Stuck(partition, now - since, watermark)
        for partition, since in self._placing.items():
            if now - since > self._placing_s:
                return Stuck(partition, now - since, None)
        return None

    def excuse(self, stuck: Stuck, now: float) -> None:
        """There was nothing to read: the partition begins anew."""
        if stuck.watermark is not None:
            self._reading[stuck.partition] = (stuck.watermark, now)

    @staticmethod
    def _since(before: tuple[int, float] | None, watermark: int, end: int, now: float) -> float:
        """Return since when a partition makes no progress."""
        if before is None or before[0] != watermark or end <= watermark:
            return now
        return before[1]
