"""What a worker counts, for Prometheus. Labels come from closed sets: topics, partitions, classes, never ids."""

import logging
import time
from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entries import REASON_CLASS, STATUS, Entries

__all__ = ["WorkerMetrics"]

logger = logging.getLogger("modeltrail.worker")

_ROWS = (1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000)
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REPEAT_S = 30.0
"""A condition that lasts is logged again after this many seconds."""


class WorkerMetrics:
    """Implements `ingest.protocols.Observer`: counts, and says in the log what an operator should know."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.unavailable: dict[str, str] = {}
        self._logged: dict[str, float] = {}
        self._events = Counter(
            "modeltrail_events_total", "Records chained", ["topic", "status"], registry=self.registry
        )
        self._rejects = Counter(
            "modeltrail_rejects_total", "Records rejected", ["topic", "reason"], registry=self.registry
        )
        self._bytes = Counter("modeltrail_payload_bytes_total", "Payload bytes stored", registry=self.registry)
        self._block_rows = Histogram("modeltrail_block_rows", "Rows in a block", buckets=_ROWS, registry=self.registry)
        self._insert = Histogram(
            "modeltrail_insert_seconds", "Time of a successful insert", buckets=_SECONDS, registry=self.registry
        )
        self._head = Gauge(
            "modeltrail_head_seq", "Last position of the chain", ["topic", "partition"], registry=self.registry
        )
        self._lag = Gauge(
            "modeltrail_lag_records",
            "Last stable offset minus the next offset to be stored",
            ["topic", "partition"],
            registry=self.registry,
        )
        self._durable = Gauge(
            "modeltrail_last_durable_timestamp_seconds", "When a block last became durable", registry=self.registry
        )
        self._epochs = Counter("modeltrail_epochs_opened_total", "Epochs opened", ["topic"], registry=self.registry)
        self._rereads = Counter(
            "modeltrail_rereads_total", "Times that records were asked for again", ["topic"], registry=self.registry
        )
        self._stopped = Gauge(
            "modeltrail_partition_stopped",
            "1 where a partition is out of service",
            ["topic", "partition"],
            registry=self.registry,
        )
        self._waits = Counter(
            "modeltrail_waits_total",
            "Attempts that met a dependency that was away",
            ["dependency"],
            registry=self.registry,
        )

    def chained(self, partition: PartitionId, rows: Entries) -> None:
        """See `Observer.chained`."""
        for status, count in Tally(rows.judged(STATUS)).items():
            self._events.labels(partition.topic, status).inc(count)
        for reason, count in Tally(rows.judged(REASON_CLASS)).items():
            if reason:
                self._rejects.labels(partition.topic, reason).inc(count)
        self._head.labels(partition.topic, partition.partition).set(rows[-1].seq)

    def inserted(self, rows: int, size: int, seconds: float) -> None:
        """See `Observer.inserted`."""
        self._block_rows.observe(rows)
        self._bytes.inc(size)
        self._insert.observe(seconds)
        self._durable.set_to_current_time()

    def waiting(self, dependency: str, error: Exception) -> None:
        """See `Observer.waiting`."""
        self._waits.labels(dependency).inc()
        self.unavailable[dependency] = str(error)
        if self._due(dependency):
            logger.warning("waiting for %s, nothing is acknowledged meanwhile: %s", dependency, error)

    def going_on(self, dependency: str) -> None:
        """See `Observer.going_on`."""
        self.unavailable.pop(dependency, None)
        self._logged.pop(dependency, None)
        logger.info("going on: %s answers again", dependency)

    def placed(self, partition: PartitionId, chain: Chain, next_seq: int, start: int, *, opened: bool) -> None:
        """See `Observer.placed`."""
        self._stopped.labels(partition.topic, partition.partition).set(0)
        if opened:
            self._epochs.labels(partition.topic).inc()
            logger.warning("%s: a new epoch begins: %s", partition, chain)
        else:
            logger.info("%s: goes on at seq %d, reads from offset %d", partition, next_seq, start)

    def stopped(self, partition: PartitionId, kind: str, message: str) -> None:
        """See `Observer.stopped`."""
        self._stopped.labels(partition.topic, partition.partition).set(1)
        logger.error("%s: %s: %s", partition, kind, message)

    def reread(self, partition: PartitionId, offset: int, why: str) -> None:
        """See `Observer.reread`."""
        self._rereads.labels(partition.topic).inc()
        logger.warning("%s: reading again from about offset %d: %s", partition, offset, why)

    def lag(self, partition: PartitionId, records: int) -> None:
        """Set how far a partition is behind its log."""
        self._lag.labels(partition.topic, partition.partition).set(max(0, records))

    def forget(self, partition: PartitionId) -> None:
        """Drop the gauges of a partition that another worker has now."""
        for gauge in (self._lag, self._head, self._stopped):
            try:
                gauge.remove(partition.topic, str(partition.partition))
            except KeyError:
                continue

    def _due(self, key: str) -> bool:
        now = time.monotonic()
        if now - self._logged.get(key, -REPEAT_S) < REPEAT_S:
            return False
        self._logged[key] = now
        return True
