"""The ledger's ingest as one thing: partitions come and go, batches come in, entries go out."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from modeltrail.ingest.block import BlockLimits
from modeltrail.ingest.committer import Committer
from modeltrail.ingest.doubts import Doubts
from modeltrail.ingest.intake import Intake, Judge
from modeltrail.ingest.lanes import Lanes
from modeltrail.ingest.placing import Placer
from modeltrail.ingest.protocols import Clock, Flow, Log, Observer, Outbox, Store
from modeltrail.ledger.chain import PartitionId
from modeltrail.ledger.sequencer import Record

__all__ = ["Ingest", "IngestOptions"]


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How much may wait, and for how long. Times in seconds.

    `settle_s`: insert timeout and session timeout together, which a new epoch waits out.
    `queue_limit`: pieces that may wait in a lane before its partition is paused (once the next block is ready); it
    resumes below half of that.
    `memory_only`: the broker is declared to keep nothing over a restart.
    """

    limits: BlockLimits = field(default_factory=BlockLimits)
    queue_limit: int = 4
    settle_s: float = 36.0
    memory_only: bool = False


class Ingest:
    """The commit protocol over small Protocols. To be made inside a running event loop.

    The types of its parts are attributes so that the lab can put in a part with a mistake and see it found.
    """

    placer_type: ClassVar[type[Placer]] = Placer
    intake_type: ClassVar[type[Intake]] = Intake
    committer_type: ClassVar[type[Committer]] = Committer

    def __init__(
        self,
        *,
        store: Store,
        log: Log,
        flow: Flow,
        outbox: Outbox,
        clock: Clock,
        observer: Observer,
        judge: Judge,
        options: IngestOptions,
    ) -> None:
        ready = asyncio.Event()
        self._log = log
        placer = self.placer_type(store, log, flow, clock, settle_s=options.settle_s, memory_only=options.memory_only)
        doubts = Doubts(clock, settle_s=options.settle_s)
        self.lanes = Lanes(store, flow, outbox, placer, clock, observer, doubts, memory_only=options.memory_only)
        self._intake = self.intake_type(
            self.lanes,
            store,
            log,
            flow,
            clock,
            observer,
            judge,
            limit=options.queue_limit,
            block=options.limits,
            ready=ready,
        )
        self._committer = self.committer_type(
            self.lanes,
            store,
            log,
            flow,
            outbox,
            clock,
            observer,
            limits=options.limits,
            resume_below=max(1, options.queue_limit // 2),
            ready=ready,
        )

    async def run(self) -> None:
        """Commit until cancelled, or until something fails that no waiting can mend, which is raised."""
        committing = asyncio.create_task(self._committer.run(), name="commit")
        try:
            waited: set[asyncio.Future[Any]] = {committing, self.lanes.failure}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if committing.done():
                committing.result()
            else:
                raise self.lanes.failure.result()
        finally:
            self.lanes.close()
            committing.cancel()
            await asyncio.gather(committing, return_exceptions=True)

    def assign(self, partitions: Iterable[PartitionId], generation: int) -> None:
        """Place partitions in the background; their batches are taken from then on. All others are given up."""
        wanted = list(partitions)
        self.lanes.keep_only(wanted)
        for partition in wanted:
            self.lanes.place(partition, generation)

    def placements(self) -> Mapping[PartitionId, int]:
        """Return the number of each partition's placement, to be asked before its records are fetched."""
        return self.lanes.placements()

    async def accept(self, partition: PartitionId, records: Sequence[Record], placement: int) -> None:
        """Take a batch of one partition, in offset order, with the number of the placement that it was fetched for."""
        await self._intake.accept(partition, records, placement)

    async def look_for_replaced_logs(self) -> None:
        """Place again the partitions whose log is another one now, although nothing came out of it yet.

        Raises BrokerUnavailableError where nobody answers.
        """
        lanes = list(self.lanes)
        self.lanes.compare_logs(lanes, await self._log.incarnations([lane.partition for lane in lanes]))

    async def look_for_restart(self) -> None:
        """Place everything again if the store was restarted, although nothing is to be inserted now.

        Raises StoreUnavailableError where it does not answer.
        """
        await self.lanes.look_for_restart()

    async def stop_partition(self, partition: PartitionId, condition: str, message: str, *, within_s: float) -> None:
        """Store what is in memory, then take a partition out of service: what follows in its log cannot be read."""
        lane = self.lanes.get(partition)
        if lane is None:
            return
        with contextlib.suppress(TimeoutError):  # what was not stored stands in the log
            await asyncio.wait_for(self._committer.drain(list(lane.pieces)), within_s)
        await self.lanes.stop(lane, "partition_stopped", condition, message)

    async def give_up(self, partitions: Iterable[PartitionId], *, within_s: float) -> None:
        """Commit what is in memory for at most `within_s` seconds, then give the partitions up."""
        partitions = list(partitions)
        try:
            with contextlib.suppress(TimeoutError):  # what was not stored is read again by the next owner
                await asyncio.wait_for(self._committer.drain(self.lanes.unsettled(partitions)), within_s)
        finally:
            self.lanes.revoke(partitions)
