"""Who writes the timestamps: proven by a record, because a broker can describe append time and not do it.

An audited topic would chain a probe, and the others have readers who parse every record. So the probe goes into a
topic of its own, `<prefix>.doctor-probe`, created with append time and deleted again. It carries a timestamp of the
year 2000; a broker that keeps append time stores its own. What that says of the broker is not yet true of every
topic, so the newest record of each audited topic is looked at too: each batch says whose time it carries.
"""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiokafka
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from modeltrail.doctor.findings import Finding, failed, passed, skipped, warned
from modeltrail.doctor.log_ends import LogEnd
from modeltrail.doctor.measures import ClockReading
from modeltrail.settings import Settings

__all__ = ["Probe", "judge_append_time", "probe_append_time", "probe_topic"]

PROBE_TIMESTAMP_MS = 946_684_800_000
"""2000-01-01T00:00:00Z: no clock that works says so."""

PROBE_RECORDS = 3
"""The first also waits for metadata; the clock is read from the quickest."""

REQUEST_TIMEOUT_MS = 4_000

_CHECK = "topics.append_time"
_APPEND_TIME = 1


class Probe(NamedTuple):
    """What came of the probe: whether the broker stamped it, its clock if it did, and what was left behind."""

    stamped: bool
    readings: tuple[ClockReading, ...] = ()
    left_behind: str = ""


def probe_topic(settings: Settings) -> str:
    """Return the name of the topic that carries the probe, and nothing else."""
    return f"{settings.topics.prefix}.doctor-probe"


async def probe_append_time(admin: Any, client_args: Mapping[str, Any], topic: str) -> Probe | str:
    """Create `topic`, send records, read them back, delete it; a text says why that could not be done.

    `admin` is a started AIOKafkaAdminClient. A topic of that name that is there already is used and left alone.
    """
    configs = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete", "retention.ms": "3600000"}
    # -1: as many replicas as the broker makes by default; aiokafka wants an empty assignment next to it
    new = NewTopic(topic, num_partitions=1, replication_factor=-1, replica_assignments={}, topic_configs=configs)
    answer = await admin.create_topics([new], timeout_ms=REQUEST_TIMEOUT_MS)
    created = False
    for _, code, *reason in answer.topic_errors:
        created = code == 0
        if code not in {0, TopicAlreadyExistsError.errno}:
            said = reason[0] if reason and reason[0] else for_code(code).__name__
            return f"a topic for a probe cannot be created: {said}"
    left_behind = ""
    try:
        readings = await _send_and_read(client_args, topic)
    except (KafkaError, OSError, TimeoutError) as error:
        return f"the probe did not get through ({type(error).__name__})"
    finally:
        if created and not await _deleted(admin, topic):
            left_behind = topic
    stamped = all(reading.said != PROBE_TIMESTAMP_MS for reading in readings)
    return Probe(stamped, tuple(readings) if stamped else (), left_behind)


async def _deleted(admin: Any, topic: str) -> bool:
    try:
        answer = await admin.delete_topics([topic], timeout_ms=REQUEST_TIMEOUT_MS)
    except (KafkaError, OSError, TimeoutError):
        return False
    return all(code == 0 for _, code in answer.topic_error_codes)


async def _send_and_read(client_args: Mapping[str, Any], topic: str) -> list[ClockReading]:
    producer = aiokafka.AIOKafkaProducer(
        **client_args, acks="all", enable_idempotence=False, request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    sent: dict[int, tuple[float, float]] = {}
    try:
        await producer.start()
        for _ in range(PROBE_RECORDS):
            asked = time.time() * 1000
            told = await producer.send_and_wait(topic, b"probe", partition=0, timestamp_ms=PROBE_TIMESTAMP_MS)
            sent[told.offset] = (asked, time.time() * 1000)
    finally:
        await producer.stop()
    stored = await _read(client_args, topic, min(sent), max(sent))
    return [ClockReading(asked, stored[offset], answered) for offset, (asked, answered) in sent.items()]


async def _read(client_args: Mapping[str, Any], topic: str, first: int, last: int) -> dict[int, int]:
    consumer = aiokafka.AIOKafkaConsumer(
        **client_args,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        fetch_max_wait_ms=100,
    )
    stored: dict[int, int] = {}
    try:
        await consumer.start()
        tp = aiokafka.TopicPartition(topic, 0)
        consumer.assign([tp])
        consumer.seek(tp, first)
        while last not in stored:
            for record in (await consumer.getmany(tp, timeout_ms=200)).get(tp, ()):
                stored[record.offset] = record.timestamp
    finally:
        await consumer.stop()
    return stored


def judge_append_time(probe: Probe | str, ends: list[LogEnd] | str, settings: Settings) -> Finding:
    """Judge the probe and the newest records of audited topics; a text is the reason why there are none."""
    finding = _judged(probe, ends, settings)
    if isinstance(probe, Probe) and probe.left_behind and finding.outcome != "fail":
        return warned(
            _CHECK,
            f"{finding.detail}; the topic of the probe could not be deleted",
            "; ".join(filter(None, [finding.fix, f"delete the topic {probe.left_behind}"])),
        )
    return finding


def _judged(probe: Probe | str, ends: list[LogEnd] | str, settings: Settings) -> Finding:
    if isinstance(probe, Probe) and not probe.stamped:
        detail = "the broker accepts append time and stores the producer's time: a producer decides about time"
        if settings.kafka.memory_only:
            return warned(_CHECK, detail, "use this broker for development only")
        return failed(_CHECK, detail, "use a broker that keeps append time, such as Apache Kafka")
    newest = [] if isinstance(ends, str) else [end for end in ends if end.newest_type is not None]
    foreign = sorted({end.topic for end in newest if end.newest_type != _APPEND_TIME})
    if foreign:
        detail = f"the newest record of {', '.join(foreign)} carries the producer's time"
        fix = "set message.timestamp.type=LogAppendTime on it; the finding ends with the next record"
        if settings.kafka.memory_only and not isinstance(probe, Probe):
            return warned(_CHECK, detail, fix)
        return failed(_CHECK, detail, fix)
    if isinstance(probe, Probe):
        also = f", and so were the newest records of {_topics(newest)}" if newest else ""
        return passed(_CHECK, f"a probe was stamped by the broker{also}")
    if isinstance(ends, str):
        return skipped(_CHECK, f"{probe}; newest records: {ends}")
    empty = sorted({end.topic for end in ends} - {end.topic for end in newest})
    if empty or not newest:
        return skipped(_CHECK, f"{probe}; no record was read from {', '.join(empty) or 'any topic'}")
    return passed(_CHECK, f"the newest records of {_topics(newest)} were stamped by the broker ({probe})")


def _topics(newest: list[LogEnd]) -> str:
    count = len({end.topic for end in newest})
    return f"{count} topic{'' if count == 1 else 's'}"
