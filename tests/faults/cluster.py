"""Apache Kafka as a cluster of three processes: a controller and two brokers, each of which may die alone."""

import asyncio
import socket
import threading

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from modeltrail.embedded.apache import ApacheBroker
from modeltrail.embedded.directory import LOOPBACK, free_port
from modeltrail.embedded.stack import APPEND_TIME
from tests.integration.installation import until

CONTROLLER = 1
BROKERS = (2, 3)


class _Node(ApacheBroker):
    """One process of the cluster. Its storage is formatted with the cluster's id."""

    def __init__(self, directory, *, cluster_id, node_id, voters):
        directory.mkdir(parents=True)
        (directory / "cluster-id").write_text(cluster_id)
        self._voters = voters
        super().__init__(directory, port=free_port(), node_id=node_id, quorum_voters=voters, heap_megabytes=300)

    def _default_properties(self, port, controller_port):
        common = super()._default_properties(port, controller_port)
        if self.node_id == CONTROLLER:
            for name in ("advertised.listeners", "inter.broker.listener.name"):
                del common[name]
            return common | {
                "process.roles": "controller",
                "listeners": f"CONTROLLER://{LOOPBACK}:{port}",
            }
        return common | {
            "process.roles": "broker",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
            "offsets.topic.replication.factor": "2",
            "transaction.state.log.replication.factor": "2",
            "group.min.session.timeout.ms": "500",
        }

    def _answers(self, port):
        if self.node_id != CONTROLLER:
            return super()._answers(port)
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            return False
        return True


class Cluster:
    """Stands where tests want a `Stack`: its brokers are these, its store is that of `stack`."""

    def __init__(self, directory, stack):
        self.clickhouse = stack.clickhouse
        self._stack = stack
        controller_port = free_port()
        voters = f"{CONTROLLER}@{LOOPBACK}:{controller_port}"
        cluster_id = "BrokersOfTheTests00000"
        self.nodes = {
            node: _Node(directory / f"node-{node}", cluster_id=cluster_id, node_id=node, voters=voters)
            for node in (CONTROLLER, *BROKERS)
        }
        self.nodes[CONTROLLER]._port = controller_port
        self.broker = self.nodes[BROKERS[0]]  # for its cluster id

    def __enter__(self):
        try:
            for node in self.nodes.values():
                node.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in reversed(self.nodes.values()):
            node.kill()

    @property
    def bootstrap_servers(self):
        return ",".join(self.nodes[node].bootstrap_servers for node in BROKERS)

    def settings_env(self, role):
        return self._stack.settings_env(role) | {"MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers}

    def create_topics(self, topics, config=None):
        """Every topic on both brokers."""
        self._create([NewTopic(name, n, 2, topic_configs=APPEND_TIME | (config or {})) for name, n in topics.items()])

    def create_unreplicated(self, topic, nodes):
        """A topic whose partition i stands on `nodes[i]` alone."""
        at = {number: [node] for number, node in enumerate(nodes)}
        self._create([NewTopic(topic, -1, -1, replica_assignments=at, topic_configs=dict(APPEND_TIME))])

    def _create(self, topics):
        async def work():
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
            await admin.start()
            try:
                answer = await admin.create_topics(topics)
            finally:
                await admin.close()
            failed.extend(error for error in answer.topic_errors if error[1])

        failed = []
        thread = threading.Thread(target=lambda: asyncio.run(work()))
        thread.start()
        thread.join()
        assert not failed, failed

    async def in_sync(self):
        """Wait until every replica of every partition is in sync and leads again where it is meant to."""

        async def told():
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
            await admin.start()
            try:
                topics = await admin.describe_topics()
            except KafkaError:  # a broker that is on its way up or down
                return False
            finally:
                await admin.close()
            return all(
                partition["leader"] >= 0 and len(partition["isr"]) == len(partition["replicas"])
                for topic in topics
                for partition in topic["partitions"]
            )

        await until(told, what="all replicas in sync", every=0.5)
