"""Where the logs of audited topics begin and end, and how far the ledger worker is behind them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import aiokafka

from modeltrail.doctor.broker import Topic
from modeltrail.doctor.findings import Finding, passed, skipped, warned
from modeltrail.settings import Settings

__all__ = ["GroupProgress", "LogEnd", "judge_lag", "read_group", "read_log_ends"]

REQUEST_TIMEOUT_MS = 4_000
_CHECK = "worker.lag"
_MEMBERS = 5
"""Position of the members in a group's description, in every version of the answer."""


class LogEnd(NamedTuple):
    """One partition: begin, end (the next offset that a committed record gets), and its newest record.

    `newest_type` is 0 where that record carries the producer's time and 1 for append time, None where none was read.
    """

    topic: str
    partition: int
    begin: int
    end: int
    newest_type: int | None


class GroupProgress(NamedTuple):
    """What the broker knows of a consumer group: members, and committed offsets by (topic, partition)."""

    members: int
    committed: Mapping[tuple[str, int], int]


async def read_log_ends(client_args: Mapping[str, Any], topics: Sequence[Topic]) -> list[LogEnd]:
    """Read them with a consumer without a group; the caller bounds the time."""
    tps = [
        aiokafka.TopicPartition(topic.name, partition.number)
        for topic in topics
        for partition in topic.partitions
        if partition.leader >= 0
    ]
    if not tps:
        return []
    consumer = aiokafka.AIOKafkaConsumer(
        **client_args,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=65_536,  # a record that is larger comes all the same
    )
    newest: dict[Any, Any] = {}
    try:
        await consumer.start()
        begins = await consumer.beginning_offsets(tps)
        ends = await consumer.end_offsets(tps)
        consumer.assign(tps)
        for tp in tps:
            consumer.seek(tp, max(begins[tp], ends[tp] - 1))
        # Some brokers answer with the first offset of the last batch. What comes with a fetch is right everywhere.
        waiting = set(tps)
        while waiting:
            for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                newest[tp] = records[-1]
            waiting = {tp for tp in waiting if consumer.last_stable_offset(tp) is None}
        # What has been fetched and not been handed over yet
        for tp, records in (await consumer.getmany(timeout_ms=0)).items():
            newest[tp] = records[-1]
        stable = {tp: consumer.last_stable_offset(tp) for tp in tps}
    finally:
        await consumer.stop()
    return [
        LogEnd(
            tp.topic,
            tp.partition,
            begins[tp],
            max(ends[tp], stable[tp]),
            newest[tp].timestamp_type if tp in newest else None,
        )
        for tp in tps
    ]


async def read_group(admin: Any, group: str, ends: Sequence[LogEnd]) -> GroupProgress | None:
    """Return what the broker knows of `group`, None where it knows no such group.

    Groups are listed first: asking a new cluster for the coordinator of a group would create a topic in it.
    """
    if group not in {name for name, *_ in await admin.list_consumer_groups()}:
        return None
    coordinator = await admin.find_coordinator(group)
    tps = [aiokafka.TopicPartition(end.topic, end.partition) for end in ends]
    found = await admin.list_consumer_group_offsets(group, group_coordinator_id=coordinator, partitions=tps)
    described = await admin.describe_consumer_groups([group], group_coordinator_id=coordinator)
    members = sum(len(one[_MEMBERS]) for answer in described for one in answer.groups)
    committed = {(tp.topic, tp.partition): at.offset for tp, at in found.items() if at.offset >= 0}
    return GroupProgress(members, committed)


def judge_lag(progress: GroupProgress | None, ends: Sequence[LogEnd], settings: Settings) -> Finding:
    """Judge how many records wait to be chained, and whether anybody works on them."""
    group = settings.worker.group
    committed = progress.committed if progress else {}
    waiting = sum(max(0, end.end - committed.get((end.topic, end.partition), end.begin)) for end in ends)
    if progress is None:
        if waiting:
            return warned(
                _CHECK,
                f"{waiting:,} records wait, and the broker shows this user no group {group!r}: no worker has run",
                "modeltrail worker --role ledger, or grant Describe on the group",
            )
        return skipped(_CHECK, f"the broker shows this user no group {group!r}: no worker has run, or it is hidden")
    lost = [end for end in ends if 0 <= committed.get((end.topic, end.partition), -1) < end.begin]
    if lost:
        named = ", ".join(f"{end.topic}/{end.partition}" for end in lost[:3])
        return warned(
            _CHECK,
            f"{len(lost)} partitions begin beyond what {group!r} has committed ({named}): retention passed the worker, "
            "or the worker has been idle",
            "start the worker and look for alerts of the kind epoch_opened; keep records longer",
        )
    if waiting and not progress.members:
        return warned(
            _CHECK,
            f"{waiting:,} records wait, and the broker lists no worker in {group!r}",
            "modeltrail worker --role ledger",
        )
    workers = f"{progress.members} worker{'' if progress.members == 1 else 's'}"
    return passed(_CHECK, f"{waiting:,} records wait, and the broker lists {workers} in {group!r}")
