"""The Faust app of the ledger role: one agent a topic, each no more than a hand-over."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faust

from modeltrail.kafka_client import kafka_client_args
from modeltrail.settings import Settings
from modeltrail.streaming.gate import IngestGate

__all__ = ["engine_credentials", "make_app"]

logger = logging.getLogger(__name__)


def make_app(settings: Settings, *, cluster: str, topics: Sequence[str], scratch: Path) -> Any:
    """Return the app; `app.ingest_gate.ingest` is to be set before it starts.

    `scratch` is a directory that the engine wants to have, for tables that are not used here.

    The settings that differ from Faust's defaults and why: a worker that does not fetch for
    `broker_max_poll_interval` leaves its group for ever, so that is a week; `consumer_auto_offset_reset` "none"
    makes a lost position an error instead of a silent jump; no leader topic and no standby tables, because
    nothing here keeps state in Kafka; metadata every ten seconds, so that a topic that was created again is noticed;
    `stream_wait_empty` would stall the whole group behind one slow insert.
    """
    worker = settings.worker
    servers = settings.kafka.bootstrap_servers.replace(",", ";").replace(" ", "")
    app = faust.App(
        worker.group,
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
        consumer_auto_offset_reset="none",
        consumer_metadata_max_age_ms=10_000,
        stream_wait_empty=False,
        stream_buffer_maxsize=8,
        broker_session_timeout=worker.session_timeout_s,
        broker_heartbeat_interval=worker.heartbeat_s,
        broker_max_poll_interval=604_800.0,
        broker_max_poll_records=worker.poll_records,
        broker_commit_interval=1.0,
    )
    app.audited_topics = frozenset(topics)
    app.ingest_gate = IngestGate(app, cluster, drain_s=worker.drain_s)
    for topic in topics:
        _add_agent(app, topic)
    return app


def _add_agent(app: Any, topic: str) -> None:
    channel = app.topic(topic, key_type=None, value_type=None, value_serializer="raw", acks=False)

    @app.agent(channel, name=f"chain {topic}", concurrency=1)
    async def chain(stream: Any) -> None:
        try:
            async for event in stream.noack().events():
                await app.ingest_gate.batch(event.message)
        except Exception as error:
            # The supervisor would go on with the next batch; the ledger must not.
            await app.crash(error)
            raise


def engine_credentials(settings: Settings) -> Any:
    """Return what the engine needs to log in.

    It takes no user from an address, and without TLS would send passwords bare.
    """
    kafka = settings.kafka
    if kafka.security_protocol == "PLAINTEXT":
        return None
    args = kafka_client_args(settings)
    if kafka.security_protocol == "SSL":
        return faust.SSLCredentials(context=args["ssl_context"])
    return faust.SASLCredentials(
        username=args["sasl_plain_username"],
        password=args["sasl_plain_password"],
        ssl_context=args["ssl_context"],
        mechanism=args["sasl_mechanism"],
    )
