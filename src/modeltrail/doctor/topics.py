"""The topics of an installation, judged from what the cluster says of them."""

from collections.abc import Callable, Iterable

from modeltrail.doctor.broker import Cluster, Topic
from modeltrail.doctor.findings import Finding, failed, passed, skipped, warned, worst_of
from modeltrail.settings import Settings
from modeltrail.streaming.topics import audited_topics, required_topics

__all__ = ["judge_topics"]

HOUR_MS = 3_600_000
RETENTION_WARN_MS = 24 * HOUR_MS
"""A store or a worker that is down over a night must not cost records."""

_SHOWN_NAMES = 3


def judge_topics(cluster: Cluster, settings: Settings) -> list[Finding]:
    """Return a finding for each `topics.` check but `topics.append_time`, which no description can answer."""
    names = list(required_topics(settings))
    there = [cluster.topics[name] for name in names if name in cluster.topics]
    audited = set(audited_topics(settings))
    return [
        _exist(cluster, settings),
        _each("topics.cleanup_policy", there, lambda topic: _cleanup(topic, audited=topic.name in audited)),
        _each("topics.timestamp_type", there, lambda topic: _timestamps(topic, audited=topic.name in audited)),
        _each("topics.replication", there, lambda topic: _replication(topic, settings)),
        _each("topics.unclean_election", [topic for topic in there if topic.name in audited], _unclean),
        _each("topics.retention", [topic for topic in there if topic.name in audited], _retention),
    ]


def _each(check: str, topics: Iterable[Topic], judge: Callable[[Topic], Finding]) -> Finding:
    """Judge each topic; those of which the same is said are named together, in place of `{topic}` in the fix."""
    alike: dict[Finding, list[str]] = {}
    for topic in topics:
        alike.setdefault(judge(topic)._replace(check=check), []).append(topic.name)
    if not alike:
        return skipped(check, "there is no topic to look at")
    parts = [
        part._replace(
            detail=f"{_named(names)}: {part.detail}",
            fix=part.fix.replace("{topic}", names[0] if len(names) == 1 else "TOPIC"),
        )
        for part, names in alike.items()
    ]
    said = [f"{len(names)} topics: {part.detail}" for part, names in alike.items()]
    return worst_of(check, parts, otherwise="; ".join(said))


def _named(names: list[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_SHOWN_NAMES])} and {more} more"


def _alter(setting: str) -> str:
    return f"kafka-configs.sh --bootstrap-server ... --alter --topic {{topic}} --add-config {setting}"


def _untold(topic: Topic, setting: str) -> Finding:
    return skipped("", f"{setting}: {topic.untold}")


def _exist(cluster: Cluster, settings: Settings) -> Finding:
    wanted = required_topics(settings)
    missing = [name for name in wanted if name not in cluster.topics]
    if missing:
        return failed(
            "topics.exist",
            f"missing, or hidden from this user: {', '.join(missing)}",
            "modeltrail topics create, or grant Describe on them",
        )
    partitions = sum(len(cluster.topics[name].partitions) for name in wanted)
    return passed("topics.exist", f"{len(wanted)} topics, {partitions} partitions")


def _cleanup(topic: Topic, *, audited: bool) -> Finding:
    value = topic.config.get("cleanup.policy")
    if value is None:
        return _untold(topic, "cleanup.policy")
    if "compact" not in value:
        return passed("", f"cleanup.policy={value}")
    detail = f"compacted (cleanup.policy={value}): records vanish from the middle"
    fix = _alter("cleanup.policy=delete")
    return failed("", detail, fix) if audited else warned("", detail, fix)


def _timestamps(topic: Topic, *, audited: bool) -> Finding:
    value = topic.config.get("message.timestamp.type")
    if value is None:
        return _untold(topic, "message.timestamp.type")
    if value == "LogAppendTime":
        return passed("", f"message.timestamp.type={value}")
    detail = f"keeps the producer's time (message.timestamp.type={value})"
    fix = _alter("message.timestamp.type=LogAppendTime")
    return (
        failed("", f"{detail}: a producer decides about the order of time", fix) if audited else warned("", detail, fix)
    )


def _replication(topic: Topic, settings: Settings) -> Finding:
    dead = [str(partition.number) for partition in topic.partitions if partition.leader < 0]
    if dead:
        return failed("", f"no leader for partition {', '.join(dead)}", "bring the brokers back that hold them")
    replicas = min((len(partition.replicas) for partition in topic.partitions), default=0)
    value = topic.config.get("min.insync.replicas")
    if value is not None and value.isdecimal() and int(value) > replicas:
        return failed(
            "",
            f"min.insync.replicas={value} with {replicas} replica{'' if replicas == 1 else 's'}: "
            "nothing can be published durably",
            _alter(f"min.insync.replicas={max(1, replicas - 1)}"),
        )
    lagging = [str(one.number) for one in topic.partitions if len(one.in_sync) < len(one.replicas)]
    if lagging:
        return warned("", f"replicas of partition {', '.join(lagging)} are behind", "bring the missing brokers back")
    if replicas <= 1:
        if settings.kafka.memory_only:
            return passed("", "one replica, on a broker that is declared memory-only")
        return warned(
            "",
            "one replica: records are lost with that broker's disk",
            "keep three replicas and min.insync.replicas=2 (kafka-reassign-partitions.sh)",
        )
    if value is None or not value.isdecimal():
        return _untold(topic, "min.insync.replicas")
    if int(value) == 1:
        return warned(
            "",
            f"min.insync.replicas=1: a record counts as durable on one of {replicas} replicas",
            _alter("min.insync.replicas=2"),
        )
    if int(value) == replicas:
        return warned(
            "",
            f"min.insync.replicas={value} of {replicas} replicas: one broker down stops publishing",
            "keep one replica more than min.insync.replicas",
        )
    return passed("", f"{replicas} replicas, min.insync.replicas={value}")


def _unclean(topic: Topic) -> Finding:
    value = topic.config.get("unclean.leader.election.enable")
    if value is None:
        return _untold(topic, "unclean.leader.election.enable")
    if value.lower() == "true":
        return failed(
            "",
            "a replica that is behind may become leader, and acknowledged records vanish",
            _alter("unclean.leader.election.enable=false"),
        )
    return passed("", "unclean.leader.election.enable=false")


def _retention(topic: Topic) -> Finding:
    time, size = topic.config.get("retention.ms"), topic.config.get("retention.bytes")
    if time is None:
        return _untold(topic, "retention.ms")
    hours = int(time) / HOUR_MS
    if 0 <= int(time) < RETENTION_WARN_MS:
        return warned(
            "",
            f"keeps records for {hours:,.3g} h: what is not chained by then is lost",
            _alter("retention.ms=604800000"),
        )
    if size is not None and int(size) >= 0:
        return warned(
            "",
            f"drops records beyond {int(size):,} bytes a partition, chained or not",
            _alter("retention.bytes=-1"),
        )
    return passed("", "kept for ever" if int(time) < 0 else f"kept for {hours:,.3g} h")
