"""Alerts as they come: a consumer of the alerts topic that belongs to no group and changes nothing.

What relays alerts to people elsewhere reads the same topic in the same way.
"""

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import aiokafka

from modeltrail.errors import ConfigurationError
from modeltrail.events.fields import Data
from modeltrail.events.judge import judge
from modeltrail.events.reading import parse
from modeltrail.events.registry import EVENT_TYPES
from modeltrail.kafka_client import CONNECT_TIMEOUT_S, broker_errors

__all__ = ["Heard", "follow_alerts"]

_REMEMBERED = 10_000
"""Events that are known again when they come twice: the watch may publish one again after a crash."""
_WAIT_MS = 500
_PREFIX = "modeltrail.alert."


class Heard(NamedTuple):
    """An event of the topic. `what`: raised, resolved or acknowledged; `time_us` in microseconds since 1970."""

    what: str
    id: str
    time_us: int
    data: Data


async def follow_alerts(
    client_args: Mapping[str, Any], topic: str, *, from_beginning: bool = False
) -> AsyncIterator[Heard]:
    """Yield the valid events of the alerts topic for ever, each once, from now on or from the beginning.

    What is there already comes in the order of its time in the log, whatever its partition. What comes later does so
    within what was read at once; within a partition order always holds. ConfigurationError where there is no such
    topic; BrokerUnavailableError where nobody answers at the start. A broker that goes away later is waited for.
    """
    consumer = aiokafka.AIOKafkaConsumer(
        **client_args,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if from_beginning else "latest",
        isolation_level="read_committed",
        request_timeout_ms=int(CONNECT_TIMEOUT_S * 1000),
    )
    try:
        async with broker_errors(client_args):
            await consumer.start()
            # Asked for all topics: a question about one can create it, with settings that nobody chose.
            if topic not in await consumer.topics():
                raise ConfigurationError(
                    f"the broker has no topic {topic}: create the topics first: modeltrail topics create"
                )
            tps = [aiokafka.TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
            consumer.assign(tps)
            if not from_beginning:
                for tp, end in (await consumer.end_offsets(tps)).items():
                    consumer.seek(tp, end)
        known: OrderedDict[tuple[str, str], None] = OrderedDict()
        if from_beginning:
            async for record in _so_far(consumer, tps):
                if (heard := _heard(record, known)) is not None:
                    yield heard
        while True:
            read = await consumer.getmany(timeout_ms=_WAIT_MS)
            for record in sorted(chain.from_iterable(read.values()), key=_place):
                if (heard := _heard(record, known)) is not None:
                    yield heard
    finally:
        await consumer.stop()


async def _so_far(consumer: Any, tps: Sequence[Any]) -> AsyncIterator[Any]:
    """Yield what the partitions hold now in the order of time, with no more in memory than is fetched of each.

    An acknowledgement is in another partition than its alert, and would come before it.
    """
    begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    waiting: dict[Any, deque[Any]] = {tp: deque() for tp in tps if begins[tp] < ends[tp]}
    unread = set(waiting)
    while unread or any(waiting.values()):
        # Only once something of each is known, it is known what is the oldest.
        if lacking := [tp for tp in unread if not waiting[tp]]:
            for tp, records in (await consumer.getmany(*lacking, timeout_ms=_WAIT_MS)).items():
                waiting[tp].extend(records)
            for tp in lacking:
                if await consumer.position(tp) >= ends[tp]:
                    unread.discard(tp)
            continue
        oldest = min((tp for tp in waiting if waiting[tp]), key=lambda tp: _place(waiting[tp][0]))
        yield waiting[oldest].popleft()


def _place(record: Any) -> tuple[int, int, int]:
    """Return where a record stands among those of all partitions."""
    return record.timestamp, record.partition, record.offset


def _heard(record: Any, known: "OrderedDict[tuple[str, str], None]") -> Heard | None:
    judged = judge(record.topic, record.key, record.headers, record.value)
    if judged.status != "valid" or not judged.type.startswith(_PREFIX):
        return None
    name = (judged.source, judged.id)
    if name in known:
        return None
    known[name] = None
    if len(known) > _REMEMBERED:
        known.popitem(last=False)
    document = parse(record.value)
    data = EVENT_TYPES[judged.type].validate(document["data"] if judged.mode == "structured" else document)
    what = judged.type.removeprefix(_PREFIX).partition(".")[0]
    return Heard(what, judged.id, judged.time_us or 0, data)
