"""Inserts of this worker whose end is not known: their rows may still land.

Where the log is still the same, such rows are the ones that a new placement makes again, byte for byte. Where the log
was rewritten meanwhile they are not: they would stand beside other entries at the same positions. So a partition that
is placed in another log than the rows of a doubtful insert came from waits until that insert has ended.
"""

from typing import NamedTuple

from modeltrail.ingest.lane import Lane
from modeltrail.ingest.protocols import Clock
from modeltrail.ledger.chain import PartitionId

__all__ = ["Doubts"]

_LOOK_S = 0.5


class _Doubt(NamedTuple):
    """`until` is on the monotonic clock; None while the insert is under way."""

    log: str
    until: float | None
    began: float
    lane: Lane


class Doubts:
    """At most one insert is under way in a worker; an insert that failed can take effect for `settle_s` seconds."""

    def __init__(self, clock: Clock, *, settle_s: float) -> None:
        self._clock = clock
        self._settle_s = settle_s
        self._doubts: dict[PartitionId, list[_Doubt]] = {}

    def begun(self, lane: Lane) -> None:
        """An insert with rows of `lane` begins."""
        now = self._clock.monotonic()
        kept = [doubt for doubt in self._doubts.get(lane.partition, ()) if doubt.until is None or doubt.until > now]
        self._doubts[lane.partition] = [*kept, _Doubt(lane.log, None, now, lane)]

    def ended(self, lane: Lane, *, known: bool) -> None:
        """It ended; `known` where it is sure that its rows, and those of attempts before it, land no more."""
        doubts = self._doubts.get(lane.partition, [])
        if known:
            left = [doubt for doubt in doubts if doubt.lane is not lane]
        else:
            left = [
                doubt._replace(until=doubt.began + self._settle_s) if doubt.until is None else doubt for doubt in doubts
            ]
        if left:
            self._doubts[lane.partition] = left
        else:
            self._doubts.pop(lane.partition, None)

    def logs(self, partition: PartitionId) -> set[str]:
        """Return the logs that rows come from which may still land."""
        now = self._clock.monotonic()
        return {doubt.log for doubt in self._doubts.get(partition, ()) if doubt.until is None or doubt.until > now}

    async def outlast(self, partition: PartitionId, log: str) -> bool:
        """Wait for inserts of rows of another log than `log`; return whether there were any."""
        waited = False
        while True:
            if not self.logs(partition) - {log}:
                return waited
            waited = True
            await self._clock.sleep(_LOOK_S)
