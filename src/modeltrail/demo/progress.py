"""How far everything is, from the broker and the ledger themselves."""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any, NamedTuple, Self

from modeltrail.kafka_client import kafka_client_args
from modeltrail.ledger.chain import PartitionId
from modeltrail.settings import Settings
from modeltrail.storage.client import connect
from modeltrail.storage.server_errors import translated
from modeltrail.streaming.log import KafkaLog
from modeltrail.streaming.topics import audited_topics

__all__ = ["Look", "Observer", "Rates", "query"]

_BEYOND = 2**63 - 1
_TYPED_S = 2.0
"""Typed tables are counted merged, which costs more than the rest, so it is done this often."""

Partition = tuple[str, int]
"""Topic and number."""


def query(name: str) -> str:
    """Return the text of a query of the demo."""
    return files("modeltrail.demo").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Look:
    """What there was to see at one moment."""

    at: float
    """Seconds of the monotonic clock."""
    ends: Mapping[Partition, int]
    """The offset behind the last record, of each audited partition."""
    chained: Mapping[Partition, int]
    """The offset behind the last record that the newest chain holds."""
    entries: int
    """In all chains."""
    chains: int
    typed_rows: int
    entries_of: Mapping[Partition, int] = field(default_factory=dict)
    """In the chains of each partition."""

    def without(self, topics: Collection[str]) -> "Look":
        """Return the same without some topics; chains and typed rows are still those of all."""
        entries_of = {place: entries for place, entries in self.entries_of.items() if place[0] not in topics}
        return replace(
            self,
            ends={place: end for place, end in self.ends.items() if place[0] not in topics},
            chained={place: end for place, end in self.chained.items() if place[0] not in topics},
            entries=sum(entries_of.values()),
            entries_of=entries_of,
        )

    def entries_in(self, topic: str) -> int:
        """Return the entries of one topic."""
        return sum(entries for (name, _), entries in self.entries_of.items() if name == topic)

    @property
    def published(self) -> int:
        """Records in the audited topics."""
        return sum(self.ends.values())

    @property
    def behind(self) -> dict[Partition, int]:
        """Records that are not chained yet, by partition; partitions without any are left out."""
        lags = {partition: end - self.chained.get(partition, 0) for partition, end in self.ends.items()}
        return {partition: lag for partition, lag in lags.items() if lag > 0}

    @property
    def lag(self) -> int:
        """Records that are published and not chained yet."""
        return sum(self.behind.values())


class Observer:
    """Looks at broker and ledger without taking part. A context manager; used by one thread.

    Raises BrokerUnavailableError or StoreUnavailableError when one of them does not answer.
    """

    def __init__(self, settings: Settings, *, cluster: str) -> None:
        self._partitions = [
            PartitionId(cluster, topic, number)
            for topic in audited_topics(settings)
            for number in range(settings.topics.partitions_of(topic))
        ]
        self._log = KafkaLog(kafka_client_args(settings))
        self._client: Any = connect(settings.clickhouse)
        self._runner = asyncio.Runner()
        self._typed = 0
        self._typed_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect from both."""
        self._client.close()
        self._runner.run(self._log.stop())
        self._runner.close()

    def look(self, *, exact: bool = False) -> Look:
        """Return what there is to see now.

        Ends are those that the broker answers with in one question; the embedded one leaves out all but the first
        record of the last batch. With `exact` each partition is asked by a fetch, which takes a second or two.
        """
        # The ledger first: what is chained is then never more than what is published.
        with translated():
            rows = self._client.query(query("progress")).result_rows
            if exact or time.monotonic() - self._typed_at >= _TYPED_S:
                self._typed = int(self._client.query(query("typed_rows")).first_row[0])
                self._typed_at = time.monotonic()
        ends = self._runner.run(self._exact_ends() if exact else self._log.ends(self._partitions))
        newest: dict[Partition, tuple[int, int, int]] = {}
        entries_of: dict[Partition, int] = {}
        for topic, partition, epoch, first_offset, entries, next_offset in rows:
            place = (epoch, first_offset, next_offset)
            newest[topic, partition] = max(newest.get((topic, partition), place), place)
            entries_of[topic, partition] = entries_of.get((topic, partition), 0) + entries
        chained = {partition: place[2] for partition, place in newest.items()}
        return Look(
            at=time.monotonic(),
            ends={
                (topic, number): max(end, chained.get((topic, number), 0)) for (_, topic, number), end in ends.items()
            },
            chained=chained,
            entries=sum(row[4] for row in rows),
            chains=len(rows),
            typed_rows=self._typed,
            entries_of=entries_of,
        )

    async def _exact_ends(self) -> dict[PartitionId, int]:
        ends = await self._log.ends(self._partitions)
        for partition, end in ends.items():
            if end:
                # No end is ever this high, so that the log looks for itself instead of believing the first answer.
                ends[partition] = (await self._log.bounds(partition, expected_end=_BEYOND)).end
        return ends


class _Sample(NamedTuple):
    at: float
    counts: tuple[int, ...]


@dataclass
class Rates:
    """Counts a second over the last `window_s` seconds, for several counts at once."""

    window_s: float = 2.5
    _samples: deque[_Sample] = field(default_factory=deque)

    def add(self, at: float, *counts: int) -> tuple[float, ...]:
        """Add a sample at second `at`; return the rate of each count."""
        self._samples.append(_Sample(at, counts))
        while len(self._samples) > 2 and self._samples[1].at <= at - self.window_s:
            self._samples.popleft()
        first = self._samples[0]
        seconds = at - first.at
        if seconds <= 0:
            return tuple(0.0 for _ in counts)
        return tuple((now - before) / seconds for now, before in zip(counts, first.counts, strict=True))
