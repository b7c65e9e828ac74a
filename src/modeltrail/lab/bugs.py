"""Seven deliberate mistakes in the commit protocol, to see that the lab finds each of them.

Each is a part of the ingest with one method replaced. Nothing outside the lab and its tests knows of them.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from modeltrail.ingest.announcing import announce
from modeltrail.ingest.committer import Committer, _Share
from modeltrail.ingest.doubts import Doubts
from modeltrail.ingest.intake import Intake
from modeltrail.ingest.lane import Again, Lane, Piece
from modeltrail.ingest.placing import Placer
from modeltrail.ingest.protocols import Clock, Stored
from modeltrail.ingest.service import Ingest
from modeltrail.ledger.chain import PartitionId
from modeltrail.ledger.entries import Entries
from modeltrail.ledger.records import Records
from modeltrail.ledger.sequencer import Head

__all__ = ["BUGS"]


class _AcknowledgesFirst(Committer):
    async def _commit(self, shares: list[_Share]) -> None:
        for share in shares:
            if self._lanes.holds(share.lane):
                self._flow.durable(share.lane.partition, share.pieces[-1].next_offset, share.lane.generation)
        await super()._commit(shares)


class _AnnouncesLast(Committer):
    async def _commit(self, shares: list[_Share]) -> None:
        shares = await self._of_the_same_log(shares)
        stored = await self._insert(shares)
        stored.extend(share for share in shares if not share.rows)
        for share in stored:
            self._acknowledge(share)
        if stored:
            await self._send(announce((share.rows, share.again) for share in stored), stored)


class _NeverReadsBack(Committer):
    async def _read_back(self, pending: Sequence[_Share]) -> tuple[list[_Share], list[_Share]]:
        return [], list(pending)


class _InsertsTwoAtOnce(Committer):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._under_way: list[Piece] = []
        self._commits: set[asyncio.Task[None]] = set()

    def _take(self) -> list[_Share]:
        shares = super()._take()
        for share in shares:
            share.pieces = [piece for piece in share.pieces if piece not in self._under_way]
            share.rows = Entries.joined(piece.rows for piece in share.pieces)
            share.again = [again for piece in share.pieces for again in piece.again]
        return [share for share in shares if share.pieces]

    async def run(self) -> None:
        while True:
            shares = self._take()
            if not shares or len(self._commits) == 2:
                await asyncio.sleep(0.01)
                continue
            pieces = [piece for share in shares for piece in share.pieces]
            self._under_way += pieces
            task = asyncio.create_task(self._one(shares, pieces))
            self._commits.add(task)
            task.add_done_callback(self._commits.discard)

    async def _one(self, shares: list[_Share], pieces: list[Piece]) -> None:
        try:
            await self._commit(shares)
        finally:
            self._under_way = [piece for piece in self._under_way if piece not in pieces]
        async with self._done:
            self._done.notify_all()


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
    "epoch-without-waiting": _EpochWithoutWaiting,
}
"""By name: an ingest with one mistake."""
