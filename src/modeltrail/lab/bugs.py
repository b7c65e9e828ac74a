"""Eight deliberate mistakes in the commit protocol, to see that the lab finds each of them.

Each is a part of the ingest with one method replaced. Nothing outside the lab and its tests knows of them.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from modeltrail.ingest.block import Share
from modeltrail.ingest.committer import Committer
from modeltrail.ingest.doubts import Doubts
from modeltrail.ingest.intake import Intake
from modeltrail.ingest.lane import Again, Lane
from modeltrail.ingest.placing import Placer
from modeltrail.ingest.protocols import Clock, Stored
from modeltrail.ingest.service import Ingest
from modeltrail.ledger.chain import PartitionId
from modeltrail.ledger.records import Records
from modeltrail.ledger.sequencer import Head

__all__ = ["BUGS"]


class _AcknowledgesFirst(Committer):
    async def _commit(self, shares: list[Share]) -> None:
        for share in shares:
            if self._lanes.holds(share.lane):
                self._flow.durable(share.lane.partition, share.pieces[-1].next_offset, share.lane.generation)
        await super()._commit(shares)


class _AnnouncesLast(Committer):
    async def _announce(self, stored: Sequence[Share]) -> None:
        for share in stored:
            self._acknowledge(share)
        await super()._announce(stored)


class _AnnouncesAtOnce(Committer):
    """Takes no heed of the block before: a later watermark can pass what was not announced."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._all: set[asyncio.Task[None]] = set()

    async def _announced(self) -> None:
        if self._behind is not None:
            self._all.add(self._behind)
            self._behind.add_done_callback(self._all.discard)
            self._behind = None


class _NeverReadsBack(Committer):
    async def _read_back(self, pending: Sequence[Share]) -> tuple[list[Share], list[Share]]:
        return [], list(pending)


class _InsertsTwoAtOnce(Committer):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._commits: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        while True:
            if len(self._commits) == 2 or not (shares := self._take()):
                await asyncio.sleep(0.01)
                continue
            task = asyncio.create_task(self._one(shares))
            self._commits.add(task)
            task.add_done_callback(self._commits.discard)

    async def _one(self, shares: list[Share]) -> None:
        stored = await self._stored(shares)
        if stored:
            await self._announce(stored)


class _BelievesGaps(Intake):
    async def _without_unproven_holes(self, lane: Lane, records: Records) -> Records:  # noqa: ARG002
        return records


class _SkipsWithoutComparing(Intake):
    async def _compare(self, lane: Lane, records: Records) -> list[Again] | None:
        stored = await self._patiently(
            lane, lambda: self._store.chained(lane.partition, records[0].offset, records[-1].offset)
        )
        if stored is None:
            return None
        judge, topic = self._judge, lane.partition.topic
        return [
            Again(stored[record.offset], record, judge(topic, record.key, record.headers, record.value))
            for record in records
            if record.offset in stored
        ]


class _TrustsTheHead(Placer):
    async def _agrees(self, partition: PartitionId, entry: Head | Stored) -> bool:  # noqa: ARG002
        return True


class _OpensAtOnce(Placer):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._settle_s = 0.0


class _AcknowledgeBeforeInsert(Ingest):
    committer_type = _AcknowledgesFirst


class _BelieveAGap(Ingest):
    intake_type = _BelievesGaps


class _SkipWithoutComparing(Ingest):
    intake_type = _SkipsWithoutComparing
    placer_type = _TrustsTheHead


class _RetryWithoutReadingBack(Ingest):
    committer_type = _NeverReadsBack


class _TwoInsertsInFlight(Ingest):
    committer_type = _InsertsTwoAtOnce


class _WatermarkBeforeRejects(Ingest):
    committer_type = _AnnouncesLast


class _DoubtsNothing(Doubts):
    def logs(self, partition: PartitionId) -> set[str]:  # noqa: ARG002
        return set()


class _AnnounceAtOnce(Ingest):
    committer_type = _AnnouncesAtOnce


class _EpochWithoutWaiting(Ingest):
    placer_type = _OpensAtOnce

    def __init__(self, *, clock: Clock, **parts: Any) -> None:
        super().__init__(clock=clock, **parts)
        self.lanes.doubts = _DoubtsNothing(clock, settle_s=0.0)


BUGS: dict[str, type[Ingest]] = {
    "acknowledge-before-insert": _AcknowledgeBeforeInsert,
    "believe-a-gap": _BelieveAGap,
    "skip-without-comparing": _SkipWithoutComparing,
    "retry-without-reading-back": _RetryWithoutReadingBack,
    "two-inserts-in-flight": _TwoInsertsInFlight,
    "watermark-before-rejects": _WatermarkBeforeRejects,
    "announce-at-once": _AnnounceAtOnce,
    "epoch-without-waiting": _EpochWithoutWaiting,
}
"""By name: an ingest with one mistake."""
