"""What a cluster says of itself: brokers, topics, settings. Read once, judged from what was read."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from modeltrail.doctor.findings import Finding, failed, passed, skipped, warned
from modeltrail.ledger.chain import check_cluster_id
from modeltrail.settings import Settings

__all__ = [
    "Cluster",
    "Partition",
    "Topic",
    "judge_auto_create",
    "judge_cluster_id",
    "judge_connection",
    "judge_memory_only",
    "read_cluster",
]

SHARED_CLUSTER_IDS = {"tansu_cluster"}
"""Ids that a broker gives to every cluster that was not told one."""


class Partition(NamedTuple):
    """One partition; ids of brokers, `leader` -1 for none."""

    number: int
    leader: int
    replicas: Sequence[int]
    in_sync: Sequence[int]


class Topic(NamedTuple):
    """A topic; `config` holds what the broker tells of it, nothing where it does not, for the reason `untold`."""

    name: str
    partitions: Sequence[Partition]
    config: Mapping[str, str | None]
    untold: str = "the broker does not tell it"


class Cluster(NamedTuple):
    """What was read. `config` and `untold` are of the broker with the id `told_by`."""

    cluster_id: str | None
    brokers: Sequence[int]
    topics: Mapping[str, Topic]
    config: Mapping[str, str | None]
    untold: str
    told_by: int


async def read_cluster(admin: Any, names: Sequence[str]) -> Cluster:
    """Read the cluster and those of the topics `names` that exist, with a started AIOKafkaAdminClient.

    All topics are asked for: a question about one that is missing can create it.
    """
    described = await admin.describe_cluster()
    brokers = sorted(broker["node_id"] for broker in described["brokers"])
    wanted = set(names)
    existing = {topic["topic"]: topic for topic in await admin.describe_topics() if topic["topic"] in wanted}
    told_by = brokers[0] if brokers else -1
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(existing)]
    if brokers:
        resources.append(ConfigResource(ConfigResourceType.BROKER, str(told_by)))
    configs: dict[tuple[int, str], tuple[dict[str, str | None], str]] = {}
    for answer in await admin.describe_configs(resources) if resources else ():
        for code, _, kind, name, entries in answer.resources:
            untold = (
                f"the broker refuses to tell it ({for_code(code).__name__})" if code else "the broker does not tell it"
            )
            configs[(kind, name)] = ({entry[0]: entry[1] for entry in entries}, untold)
    topics = {
        name: Topic(name, _partitions(topic), *configs.get((int(ConfigResourceType.TOPIC), name), ({}, "no answer")))
        for name, topic in existing.items()
    }
    own = configs.get((int(ConfigResourceType.BROKER), str(told_by)), ({}, "no answer"))
    return Cluster(described["cluster_id"], brokers, topics, *own, told_by)


def _partitions(topic: Mapping[str, Any]) -> list[Partition]:
    found = [Partition(one["partition"], one["leader"], one["replicas"], one["isr"]) for one in topic["partitions"]]
    return sorted(found)


def judge_connection(cluster: Cluster, bootstrap_servers: str) -> Finding:
    """Say what answers."""
    count = len(cluster.brokers)
    return passed("broker.connection", f"{bootstrap_servers}: {count} broker{'' if count == 1 else 's'}")


def judge_cluster_id(cluster: Cluster) -> Finding:
    """Judge the id with which every chain's name begins."""
    check, found = "broker.cluster_id", cluster.cluster_id
    if not found:
        return failed(check, "the cluster has no id", "give the cluster an id: chains are named after it")
    try:
        check_cluster_id(found)
    except ValueError as error:
        return failed(check, str(error), "give the cluster an id of printable ASCII without space and slash")
    if found in SHARED_CLUSTER_IDS:
        return warned(
            check,
            f"{found} is the id of every cluster of this kind that was given none: two of them name their chains alike",
            "start the broker with an id of its own (Tansu: --cluster-id)",
        )
    return passed(check, found)


def judge_auto_create(cluster: Cluster) -> Finding:
    """Judge whether a mistyped topic name makes a topic."""
    check, value = "broker.auto_create", cluster.config.get("auto.create.topics.enable")
    if value is None:
        return skipped(check, f"auto.create.topics.enable of broker {cluster.told_by}: {cluster.untold}")
    if value.lower() == "true":
        return warned(
            check,
            f"broker {cluster.told_by} creates a topic for any name that somebody asks for, without append time",
            "set auto.create.topics.enable=false in the configuration of every broker",
        )
    return passed(check, "topics are created on purpose only")


def judge_memory_only(cluster: Cluster, settings: Settings) -> Finding:
    """Judge kafka.memory_only against what the broker says of its log."""
    check, declared = "broker.memory_only", settings.kafka.memory_only
    directory = cluster.config.get("log.dirs") or cluster.config.get("log.dir")
    if not directory:
        said = "true" if declared else "false"
        return skipped(check, f"kafka.memory_only is {said}; where the log is kept: {cluster.untold}")
    if declared:
        return warned(
            check,
            f"kafka.memory_only is true, but broker {cluster.told_by} keeps its log on disk ({directory}): "
            "a log that was replaced would be no more than a note",
            "set kafka.memory_only = false",
        )
    return passed(check, f"broker {cluster.told_by} keeps its log on disk ({directory})")
