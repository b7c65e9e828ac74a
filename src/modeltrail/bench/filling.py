"""Filling topics as fast as a client can: whole batches, or transactions of a given size."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import aiokafka

from modeltrail.bench.records import prediction
from modeltrail.kafka_client import broker_errors, kafka_client_args
from modeltrail.settings import Settings

__all__ = ["fill"]

_BATCH_BYTES = 1 << 20
_BATCH_RECORDS = 2_000
_IN_FLIGHT = 8
_LONGEST_S = 3600.0


def fill(
    settings: Settings,
    topic: str,
    partitions: int,
    events: int,
    *,
    transactions: int,
    advance: Callable[[int], None],
    value: Callable[[int], bytes] = prediction,
    batch_records: int = _BATCH_RECORDS,
) -> None:
    """Write `events` predictions to `topic`, spread evenly over its partitions; returns once all are acknowledged.

    `transactions` is the number of records in one transaction, each of which goes to one partition; 0 for none.
    `advance` is told how many more have been written. `value` makes the record with a number, and `batch_records` of
    them fit into a batch. Raises UnavailableError where the broker fails.
    """
    plan = _Filling(topic, partitions, events, transactions, min(transactions or batch_records, batch_records), value)

    async def run() -> None:
        async with broker_errors(settings, timeout_s=_LONGEST_S):
            await _write(settings, plan, advance)

    asyncio.run(run())


class _Filling(NamedTuple):
    topic: str
    partitions: int
    events: int
    transactions: int
    size: int
    """Records in a batch."""
    value: Callable[[int], bytes]


async def _write(settings: Settings, plan: _Filling, advance: Callable[[int], None]) -> None:
    topic, partitions, events, transactions, size, value = plan
    options: dict[str, Any] = {"acks": "all", "max_batch_size": _BATCH_BYTES}
    if transactions:
        options["transactional_id"] = f"modeltrail-bench-{uuid.uuid4().hex}"
    producer = aiokafka.AIOKafkaProducer(**kafka_client_args(settings), **options)
    await producer.start()
    try:
        waiting: deque[Any] = deque()
        in_transaction = 0
        for number, first in enumerate(range(0, events, size)):
            count = min(size, events - first)
            if transactions and not in_transaction:
                await producer.begin_transaction()
            # Of a transaction that is larger than a batch every batch goes to the same partition.
            partition = (first // transactions if transactions else number) % partitions
            waiting.append(await producer.send_batch(_batch(producer, first, count, value), topic, partition=partition))
            in_transaction += count
            while len(waiting) >= _IN_FLIGHT:
                await waiting.popleft()
            if transactions and (in_transaction >= transactions or first + count == events):
                await producer.commit_transaction()
                in_transaction = 0
            advance(count)
        while waiting:
            await waiting.popleft()
    finally:
        await producer.stop()


def _batch(producer: Any, first: int, count: int, value: Callable[[int], bytes]) -> Any:
    batch = producer.create_batch()
    now = time.time_ns() // 1_000_000
    for number in range(first, first + count):
        appended = batch.append(key=b"delays", value=value(number), timestamp=now)
        if appended is None:
            raise RuntimeError(f"{count} records do not fit into a batch of {_BATCH_BYTES} bytes")
    batch.close()
    return batch
