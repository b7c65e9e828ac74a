"""One installation of Modeltrail for a test: topics and a database of its own on a shared broker and store."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.stack import APPEND_TIME, Stack
from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.sequencer import Sequencer
from modeltrail.settings import load
from modeltrail.storage import migrations
from modeltrail.storage.client import connect
from modeltrail.streaming.records import to_record
from modeltrail.streaming.topics import required_topics

DEADLINE_S = 120.0


async def until(condition, *, within=DEADLINE_S, what="the condition", every=0.1):
    """Poll a real condition; fail with what was seen last."""
    deadline = time.monotonic() + within
    while True:
        seen = condition()
        if asyncio.iscoroutine(seen):
            seen = await seen
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within} s")
        await asyncio.sleep(every)


class WorkerProcess:
    """A worker as a process of its own: the command, or a module of the tests that runs it in some way."""

    def __init__(self, env, log: Path, module="modeltrail.cli.main", role="ledger"):
        self.role = role
        self.log = log
        self.env = env
        self.module = module
        self.process = None

    def start(self):
        self.folder = self.log.parent / "working-directory"
        self.folder.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "worker", "--role", self.role],
                env=self.env,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        return self

    def kill(self):
        """SIGKILL, and wait until it is gone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout=60):
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    @property
    def alive(self):
        return self.process.poll() is None

    @property
    def output(self):
        return self.log.read_text(errors="replace")

    @property
    def url(self):
        """Where it serves health and metrics; None until it has said so."""
        found = re.findall(r"health and metrics on (http://[^\s\"]+)", self.output)
        return found[-1] if found else None

    def ready(self):
        """Whether it says that it is ready; None while it serves nothing yet."""
        return http_get(f"{self.url}/readyz")[0] == 200 if self.url else None

    def failing(self):
        """What keeps it from being ready."""
        return json.loads(http_get(f"{self.url}/readyz")[1])["failing"] if self.url else {"start": "no address yet"}

    @property
    def rss_mb(self):
        """Resident memory of the process."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Installation:
    def __init__(self, stack: Stack, directory: Path, *, partitions=2, extra_env=None):
        name = "t" + uuid.uuid4().hex[:10]
        self.stack = stack
        self.directory = directory
        self.partitions = partitions
        self.workers = []
        self.http_ports = {}
        self.own = {
            "MODELTRAIL_TOPICS__PREFIX": name,
            "MODELTRAIL_CLICKHOUSE__DATABASE": name,
            "MODELTRAIL_WORKER__GROUP": name,
            "MODELTRAIL_WORKER__HTTP_PORT": "0",
            "MODELTRAIL_DRIFT__GROUP": f"{name}-drift",
            "MODELTRAIL_DRIFT__HTTP_PORT": "0",
            "MODELTRAIL_DRIFT__POLL_S": "0.5",
            "MODELTRAIL_DRIFT__WATCH_GRACE_S": "0.5",
            "MODELTRAIL_WORKER__BLOCK_SECONDS": "0.2",
            "MODELTRAIL_TOPICS__PARTITIONS__DEFAULT": str(partitions),
            "MODELTRAIL_KAFKA__MEMORY_ONLY": "true",
            **(extra_env or {}),
        }
        self.prefix = name
        self.cluster = stack.broker.cluster_id

    def env(self, role=Role.WRITER, **more):
        base = {k: v for k, v in os.environ.items() if not k.startswith("MODELTRAIL_")}
        return base | self.stack.settings_env(role) | self.own | more

    def settings(self, role=Role.WRITER):
        values = {k: v for k, v in self.env(role).items() if k.startswith("MODELTRAIL_")}
        return load(environ=values)

    def client(self, role=Role.AUDITOR):
        return connect(self.settings(role).clickhouse)

    def prepare(self):
        """Create the database, its tables and the topics."""
        settings = self.settings(Role.MIGRATOR)
        migrations.create_database(settings.clickhouse)
        client = connect(settings.clickhouse)
        migrations.apply(client)
        client.close()
        self.stack.create_topics(required_topics(settings))
        return self

    def topic(self, family="predictions"):
        return f"{self.prefix}.{family}"

    def partition(self, number=0, family="predictions"):
        return PartitionId(self.cluster, self.topic(family), number)

    def worker(self, *, module="modeltrail.cli.main", role="ledger", **more_env):
        log = self.directory / f"worker-{len(self.workers)}.log"
        process = WorkerProcess(self.env(**more_env), log, module, role)
        self.workers.append(process)
        return process.start()

    def close(self):
        for worker in self.workers:
            if worker.process and worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.kill()

    def __enter__(self):
        return self.prepare()

    def __exit__(self, *_):
        self.close()

    # Kafka

    def producer(self, **options):
        return aiokafka.AIOKafkaProducer(
            bootstrap_servers=self.stack.bootstrap_servers, acks="all", linger_ms=5, **options
        )

    async def produce(self, values, *, family="predictions", partition=None, producer=None):
        """Send raw values round-robin over the partitions, or to one; returns when all are acknowledged."""
        own = producer is None
        producer = producer or self.producer()
        if own:
            await producer.start()
        try:
            futures = [
                await producer.send(
                    self.topic(family),
                    value=value[1] if isinstance(value, tuple) else value,
                    headers=value[2] if isinstance(value, tuple) else None,
                    key=value[0] if isinstance(value, tuple) else b"k",
                    partition=i % self.partitions if partition is None else partition,
                )
                for i, value in enumerate(values)
            ]
            return [await future for future in futures]
        finally:
            if own:
                await producer.stop()

    async def log_of(self, partition: PartitionId):
        """All committed records of a partition, and its first offset, read without a group."""
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.stack.bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
        )
        await consumer.start()
        try:
            tp = aiokafka.TopicPartition(partition.topic, partition.partition)
            begin = (await consumer.beginning_offsets([tp]))[tp]
            end = (await consumer.end_offsets([tp]))[tp]
            records = []
            consumer.assign([tp])
            consumer.seek(tp, begin)
            while consumer.last_stable_offset(tp) is None:
                records += [to_record(r) for r in (await consumer.getmany(tp, timeout_ms=200)).get(tp, ())]
            # The embedded broker says too little of its end; what comes with a fetch is right.
            while await consumer.position(tp) < max(end, consumer.last_stable_offset(tp) or 0):
                batches = await consumer.getmany(tp, timeout_ms=200)
                records += [to_record(record) for record in batches.get(tp, ())]
            return begin, records
        finally:
            await consumer.stop()

    async def admin(self, action):
        client = AIOKafkaAdminClient(bootstrap_servers=self.stack.bootstrap_servers)
        await client.start()
        try:
            return await action(client)
        finally:
            await client.close()

    async def recreate_topic(self, topic):
        """Delete a topic and create it again, empty."""
        await self.admin(lambda client: client.delete_topics([topic]))

        async def gone():
            return topic not in await self.admin(lambda client: client.list_topics())

        await until(gone, what=f"{topic} gone")

        async def there():
            try:
                return topic in self.stack.create_topics({topic: self.partitions}, APPEND_TIME)
            except Exception as error:
                if "marked for deletion" in str(error) or "exists" in str(error).lower():
                    return False
                raise

        await until(there, what=f"{topic} created again")

    async def committed(self, family="predictions"):
        """{partition: offset} of what the workers' group has acknowledged."""
        # A member that never joins: the embedded broker does not answer the question for all offsets of a group.
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.stack.bootstrap_servers, group_id=self.prefix, enable_auto_commit=False
        )
        await consumer.start()
        try:
            tps = [aiokafka.TopicPartition(self.topic(family), number) for number in range(self.partitions)]
            consumer.assign(tps)
            return {tp.partition: await consumer.committed(tp) for tp in tps}
        finally:
            await consumer.stop()

    # The ledger

    def rows(self, partition: PartitionId, epoch=None):
        """(epoch, seq, offset, kind, status, entry hash) in order, duplicates merged."""
        client = self.client()
        try:
            return [
                tuple(row)
                for row in client.query(
                    "SELECT epoch, seq, offset, kind, status, entry_hash FROM ledger FINAL"
                    " WHERE topic = {topic:String} AND partition = {partition:UInt32}"
                    " ORDER BY epoch, first_offset, seq",
                    parameters={"topic": partition.topic, "partition": partition.partition},
                ).result_rows
                if epoch is None or row[0] == epoch
            ]
        finally:
            client.close()

    async def fold(self, partition: PartitionId):
        """What the partition's log folds to in epoch 0: the entry hashes in order, made without a worker."""
        return folded(partition, *await self.log_of(partition))

    async def chained_to_the_end(self, family="predictions", *, epoch=None, within=DEADLINE_S):
        """Wait until each partition's ledger reaches the end of its log."""
        for number in range(self.partitions):
            partition = self.partition(number, family)
            _, records = await self.log_of(partition)
            if not records:
                continue

            def reached(partition=partition, last=records[-1].offset):
                rows = self.rows(partition, epoch)
                return rows and rows[-1][2] >= last

            await until(reached, within=within, what=f"{partition} chained to offset {records[-1].offset}", every=0.3)

    async def assert_exact(self, family="predictions"):
        """The ledger equals the fold of the log, byte for byte."""
        for number in range(self.partitions):
            partition = self.partition(number, family)
            folded = [
                (0, row.seq, row.offset, row.kind, row.status, row.entry_hash) for row in await self.fold(partition)
            ]
            stored = self.rows(partition)
            differing = [pair for pair in zip(folded, stored, strict=False) if pair[0] != pair[1]]
            assert not differing, f"{partition}: the log folds to, and the ledger holds: {differing[:3]}"
            assert len(stored) == len(folded)

    def verify(self, *options):
        """Run the command as a user would; returns (exit code, JSON result)."""
        done = subprocess.run(
            [sys.executable, "-m", "modeltrail.cli.main", "verify", "--json", *options],
            env=self.env(Role.AUDITOR),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        return done.returncode, json.loads(done.stdout.splitlines()[-1])


def folded(partition: PartitionId, begin, records):
    """The rows of epoch 0 that these records of a log from offset `begin` on become, made without a worker."""
    sequencer = Sequencer.begin(Chain(*partition, 0, begin), GenesisReason.START, None)
    rows = []
    for record in records:
        if record.offset > sequencer.next_offset:
            rows.append(sequencer.append_gap(record.offset - 1, CONTRACT_VERSION))
        judged = judge(partition.topic, record.key, record.headers, record.value)
        rows.append(sequencer.append(record, record.digest(), judged, CONTRACT_VERSION))
    return rows


def http_get(url):
    """(status, body) of a GET, also of an error."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
