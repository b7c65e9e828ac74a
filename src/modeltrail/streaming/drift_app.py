"""The Faust app of the drift role: it takes block messages as a hint that there is something new in the ledger.

Nothing depends on a single one of them: the watch reads the ledger itself, so that a message may be lost, doubled or
late. Offsets are never committed; every start begins at the newest message.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import faust
from faust.types import TP

from modeltrail.ledger.chain import PartitionId
from modeltrail.settings import Settings
from modeltrail.streaming.app import engine_credentials

__all__ = ["DriftGate", "Sharer", "make_drift_app"]


class Sharer(Protocol):
    """Whoever watches the models of the shares that this worker has."""

    def assign(self, shares: frozenset[int]) -> None:
        """These shares, and no others, belong to this worker now."""
        ...

    async def give_up(self) -> None:
        """Come to an end between two checks: another worker may have the shares next."""
        ...

    def wake(self) -> None:
        """There may be something new in the ledger."""
        ...


class DriftGate:
    """Between the batch transport's consumer and the watch; the transport calls it where it calls the ledger's gate.

    `watch` is to be set before the app starts.
    """

    def __init__(self, app: Any, cluster: str) -> None:
        self._app = app
        self._cluster = cluster
        self.joined = False
        """Whether the group has given this worker its share, which may be empty."""
        self.watch: Sharer

    def name(self, tp: TP) -> PartitionId:
        """Return the partition that Faust calls `tp`."""
        return PartitionId(self._cluster, tp.topic, tp.partition)

    def assigned(self, tps: Iterable[TP]) -> None:
        """Let messages of these partitions flow, and watch their models."""
        tps = set(tps)
        self._app.consumer.resume_partitions(tps)
        self.joined = True
        self.watch.assign(frozenset(tp.partition for tp in tps))

    async def revoked(self, _tps: Iterable[TP]) -> None:
        """Every rebalance takes all partitions of all members away."""
        self.joined = False
        await self.watch.give_up()

    def out_of_range(self, _tp: TP) -> None:
        """Old messages have expired; the consumer goes on at the newest by itself, and the ledger has it all."""
        self.watch.wake()

    def unreadable(self, tp: TP, _position: int, _reason: str) -> None:
        """Leave a partition alone that cannot be read: looking at the ledger every few seconds stands in for it."""
        self._app.consumer.pause_partitions({tp})
        self.watch.wake()

    def placements(self) -> Mapping[PartitionId, int]:
        """See `IngestGate.placements`: here nothing is placed."""
        return {}

    async def batch(self, message: Any) -> None:
        """Take a batch of block messages: a wake-up call."""
        # The engine's events refer to each other in circles, and the collector hardly ever runs in a worker.
        message.value.records.clear()
        self.watch.wake()


def make_drift_app(settings: Settings, *, cluster: str, blocks: str, scratch: Path) -> Any:
    """Return the app; `app.ingest_gate.watch` is to be set before it starts.

    Settings as in `streaming.app.make_app`, and for the same reasons, but for the start at the newest message.
    `scratch` is a directory that the engine wants to have, for tables that are not used here.
    """
    drift = settings.drift
    servers = settings.kafka.bootstrap_servers.replace(",", ";").replace(" ", "")
    app = faust.App(
        drift.group,
        broker=f"ledger://{servers}",
        broker_credentials=engine_credentials(settings),
        store="memory://",
        datadir=scratch,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        consumer_auto_offset_reset="latest",
        consumer_metadata_max_age_ms=10_000,
        stream_wait_empty=False,
        stream_buffer_maxsize=8,
        broker_session_timeout=drift.session_timeout_s,
        broker_heartbeat_interval=drift.heartbeat_s,
        broker_max_poll_interval=604_800.0,
        broker_max_poll_records=500,
        broker_commit_interval=60.0,
    )
    app.audited_topics = frozenset({blocks})
    app.ingest_gate = DriftGate(app, cluster)
    channel = app.topic(blocks, key_type=None, value_type=None, value_serializer="raw", acks=False)

    @app.agent(channel, name="watch", concurrency=1)
    async def watch(stream: Any) -> None:
        try:
            async for event in stream.noack().events():
                await app.ingest_gate.batch(event.message)
        except Exception as error:
            await app.crash(error)
            raise

    return app
