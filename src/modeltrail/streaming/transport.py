"""A Faust transport that hands over batches: one message per partition and poll, its value the list of records.

Registered as `ledger://` through the entry-point group `faust.transports`. The stock consumer makes several tasks
for every record; this one makes them for every batch. Beyond that it
- reads committed records only (Faust asks for that only with exactly-once switched on);
- places every partition by the ledger before its first record flows: partitions stay paused while `app.ingest`
  places them in the background, because Faust gives up silently when `perform_seek` takes long;
- commits a watermark of its own, which moves when records are stored and announced;
- commits before partitions are given up, while the broker still accepts it;
- survives a partition that cannot be fetched, without holding up the others.

Pinned to faust-streaming 0.15.3: it overrides what that release does inside.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, cast

from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError, RecordTooLargeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from modeltrail.ledger.chain import PartitionId
from modeltrail.streaming import moving_brokers, tolerant_records
from modeltrail.streaming.gate import Fetched

__all__ = ["Consumer", "Transport"]


class _Unfiltered(defaultdict[TP, Any]):
    """Read offsets that Faust cannot use to drop what is read again: the sequencer decides what is a repeat."""

    def __getitem__(self, key: TP) -> None:
        return None

    def __setitem__(self, key: TP, value: Any) -> None:
        pass

    def update(self, *args: Any, **kwargs: Any) -> None:
        pass


class _ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - read when the client starts
        consumer._value_deserializer = tolerant_records.as_it_stands  # noqa: SLF001 - likewise
        return consumer


class Consumer(driver.Consumer):  # type: ignore[misc]
    """The consumer of a ledger worker. `app.ingest_gate` is where batches and assignments go."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _Unfiltered()
        self._watermark: dict[TP, int] = {}
        self._placements: Mapping[PartitionId, int] = {}
        loop = asyncio.get_running_loop()

        def unreadable(tp: Any, position: int, reason: str) -> None:
            loop.call_soon_threadsafe(self._unreadable, TP(tp.topic, tp.partition), position, reason)

        tolerant_records.on_unreadable(unreadable)

    def _unreadable(self, tp: TP, position: int, reason: str) -> None:
        if tp in self._watermark:  # not what another client of this process met
            self.app.ingest_gate.unreadable(tp, position, reason)

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # Batches

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's signature
        """Yield one message per partition and poll; its value is the list of records."""
        try:
            records, _ = await self._wait_next_records(timeout)
        except OffsetOutOfRangeError as error:
            for tp in cast("Mapping[Any, int]", error.args[0]):
                self.app.ingest_gate.out_of_range(TP(tp.topic, tp.partition))
            return
        except NoOffsetForPartitionError as error:
            # The group's offsets went with a topic that was deleted. The placement seeks, whatever was committed.
            tp = error.args[0]
            self.app.ingest_gate.out_of_range(TP(tp.topic, tp.partition))
            return
        except RecordTooLargeError as error:  # a broker that does not return the first batch whole
            tp = error.args[1]
            self.app.ingest_gate.unreadable(TP(tp.topic, tp.partition), int(error.args[2]), "larger than a fetch")
            return
        generation, placements = self.app.consumer_generation_id, self._placements
        if records is None or self.should_stop:
            return
        if not self.flow_active:  # fetched across a rebalance: dropped, and read again from where it is placed
            return
        for tp, batch in records.items():
            if generation != self.app.consumer_generation_id or not self.flow_active:
                return
            # Also of a partition that was paused meanwhile: the reader's position has moved on already.
            if batch:
                fetched = Fetched(batch, placements.get(self.app.ingest_gate.name(tp), 0))
                yield tp, self._message(tp, fetched)

    def _message(self, tp: Any, fetched: Fetched) -> ConsumerMessage:
        """One message for a batch, which is its value; of its last record it has the place."""
        last = fetched.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            [],
            last.key,
            fetched,
            None,
            generation_id=self.app.consumer_generation_id,
            tp=tp,
        )

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        # The partitions of this poll are fixed here (Faust's set changes while the thread fetches): one that is being
        # placed is paused, and not among them.
        self._placements = self.app.ingest_gate.placements()
        return await super()._getmany(set(active_partitions), timeout)

    async def perform_seek(self) -> None:
        """Let the ledger place the partitions; the last step before Faust lets records flow, so it never waits."""
        await super().perform_seek()
        assigned = {TP(tp.topic, tp.partition) for tp in self.assignment()}
        audited = {tp for tp in assigned if tp.topic in self.app.audited_topics}
        self.pause_partitions(audited)
        self.app.ingest_gate.assigned(audited)

    # Offsets

    def begin_at(self, tp: TP, offset: int) -> None:
        """Records before `offset` are stored and announced already."""
        self._watermark[tp] = offset

    def durable(self, tp: TP, next_offset: int, generation: int) -> None:
        """Move the watermark; it never goes back, and never moves for another generation."""
        if generation == self.app.consumer_generation_id and next_offset > self._watermark.get(tp, 0):
            self._watermark[tp] = next_offset

    def watermark(self, tp: TP) -> int | None:
        """Return the next offset that is not stored and announced yet."""
        return self._watermark.get(tp)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter([tp for tp in self._watermark if topics is None or tp in topics or tp.topic in topics])

    def _new_offset(self, tp: TP) -> int | None:
        return self._watermark.get(tp)

    def stable_end(self, tp: TP) -> int:
        """Return the last stable offset that came with the last fetch, 0 before the first."""
        client = self._thread._ensure_consumer()  # noqa: SLF001
        asked = driver.ensure_aiokafka_TP(tp)
        return (client.last_stable_offset(asked) or 0) if asked in client.assignment() else 0

    async def committed_offset(self, tp: TP) -> int | None:
        """Return what the group has committed for a partition; KafkaError when the broker does not say."""
        client = self._thread._ensure_consumer()  # noqa: SLF001
        answer = await self._thread.call_thread(client.committed, driver.ensure_aiokafka_TP(tp))
        return None if answer is None or answer < 0 else int(answer)

    async def commit_now(self, tp: TP, offset: int) -> None:
        """Commit one offset and wait for it; KafkaError when the broker refuses or does not answer."""
        client = self._thread._ensure_consumer()  # noqa: SLF001
        # It may go back, where a new log begins. The watermark goes first: the timer must not commit the old one
        # behind this. Faust itself commits only what is greater than what it committed before.
        self._watermark[tp] = offset
        await asyncio.wait_for(
            self._thread.call_thread(client.commit, {driver.ensure_aiokafka_TP(tp): offset}), timeout=10.0
        )
        self._committed_offset[tp] = offset or None

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        if self.crashed or self.app.crashed:  # the consumer thread answers no more
            return False
        try:
            return bool(await asyncio.wait_for(super()._commit(offsets), timeout=10.0))
        except TimeoutError:
            return False

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Store and announce what is in memory, commit, and only then give the partitions up."""
        await self.app.ingest_gate.revoked({TP(tp.topic, tp.partition) for tp in revoked})
        await self.commit()
        for tp in revoked:
            self._watermark.pop(TP(tp.topic, tp.partition), None)
        await super().on_partitions_revoked(revoked)


class Transport(driver.Transport):  # type: ignore[misc]
    """`ledger://host:port;host:port`."""

    Consumer = Consumer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        tolerant_records.install()
        moving_brokers.install()
        super().__init__(*args, **kwargs)
