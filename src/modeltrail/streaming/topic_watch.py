"""Settings of audited topics that somebody may change under a worker: a change is an alert, never a silent loss.

A compacted log loses records from its middle, producers decide about the order of time where the broker does not
stamp, an unclean election lets acknowledged records vanish. The worker goes on all the same: what is in the log is to
be chained before it goes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from modeltrail.errors import ModeltrailError
from modeltrail.events.encode import Event
from modeltrail.ingest.announcing import alert
from modeltrail.kafka_client import broker_errors
from modeltrail.ledger.chain import PartitionId

__all__ = ["LOOK_S", "Change", "TopicWatch", "read_settings"]

logger = logging.getLogger("modeltrail.worker")

LOOK_S = 60.0
"""Seconds between two looks."""

IDLE_S = 2.0
"""Seconds until a worker that speaks for no topic looks whether that is still so."""

WATCHED = (
    "cleanup.policy",
    "message.timestamp.type",
    "unclean.leader.election.enable",
    "min.insync.replicas",
    "retention.ms",
    "retention.bytes",
)

TopicSettings = Mapping[str, Mapping[str, str]]
"""Topic, setting, value; what the broker does not tell is left out."""


class Change(NamedTuple):
    """A setting that is wrong (critical), or not what it was at the look before (warning)."""

    topic: str
    setting: str
    before: str
    now: str
    why: str

    @property
    def severity(self) -> str:
        """How bad it is."""
        return "critical" if self.why else "warning"

    def event(self, cluster: str, now_ms: int) -> Event:
        """Return the alert. Its id follows from topic, setting and value."""
        was = f" (it was {self.before})" if self.before else ""
        return alert(
            "topic_setting_changed",
            f"{cluster}/{self.topic}\n{self.setting}\n{self.now}",
            severity=self.severity,
            subject=self.topic,
            message=f"{self.topic}: {self.setting}={self.now}{was}{': ' if self.why else ''}{self.why}",
            evidence={"topic": self.topic, "setting": self.setting, "before": self.before, "now": self.now},
            now_ms=now_ms,
        )


def _wrong(setting: str, value: str) -> str:
    """Say what a value does to the audit; empty where it does no harm."""
    if setting == "cleanup.policy" and "compact" in value:
        return (
            "records vanish from the middle of the log; those that vanish before they are chained are chained as gaps"
        )
    if setting == "message.timestamp.type" and value != "LogAppendTime":
        return "producers decide about the order of time"
    if setting == "unclean.leader.election.enable" and value.lower() == "true":
        return "a replica that is behind may become leader, and acknowledged records vanish"
    return ""


class TopicWatch:
    """Remembers what it saw and what it told; one for each worker."""

    def __init__(self) -> None:
        self._before: TopicSettings = {}
        self._told: set[tuple[str, str, str]] = set()

    def look(self, settings: TopicSettings, mine: Collection[str]) -> list[Change]:
        """Return what is to be told of the topics `mine`; all are remembered, because they may become mine."""
        found = []
        for topic, values in settings.items():
            for setting, now in values.items():
                before = self._before.get(topic, {}).get(setting, "")
                why = _wrong(setting, now)
                if not why:
                    self._told = {told for told in self._told if told[:2] != (topic, setting)}
                changed = before not in {"", now}
                if topic in mine and (changed or why) and (topic, setting, now) not in self._told:
                    found.append(Change(topic, setting, before if changed else "", now, why))
                    if why:
                        self._told.add((topic, setting, now))
        self._before = {**self._before, **settings}
        return found

    async def run(
        self,
        read: Callable[[], Awaitable[TopicSettings]],
        assigned: Callable[[], Iterable[PartitionId]],
        send: Callable[[Sequence[Change]], Awaitable[None]],
    ) -> None:
        """Look for ever; to be cancelled. Whoever has partition 0 of a topic speaks for it."""
        refused = ""
        untold: list[Change] = []
        while True:
            mine = {partition.topic for partition in assigned() if partition.partition == 0}
            if not mine:
                await asyncio.sleep(IDLE_S)
                continue
            try:
                untold += self.look(await read(), mine)
                if untold:
                    await send(untold)
                untold, refused = [], ""
            except ModeltrailError as error:
                if str(error) != refused:
                    refused = str(error)
                    logger.warning("settings of topics cannot be looked at: %s", error)
            await asyncio.sleep(LOOK_S)


async def read_settings(client_args: Mapping[str, Any], topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read the watched settings of `topics`; those that the broker does not tell are left out.

    Raises BrokerUnavailableError, AccessError or ConfigurationError.
    """
    async with broker_errors(client_args):
        admin = AIOKafkaAdminClient(**client_args)
        try:
            await admin.start()
            answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in topics])
        finally:
            await admin.close()
    return {
        name: {entry[0]: entry[1] for entry in entries if entry[0] in WATCHED and entry[1] is not None}
        for answer in answers
        for code, _, _, name, entries in answer.resources
        if code == 0
    }
