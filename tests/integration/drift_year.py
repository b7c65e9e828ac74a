"""A year of a model that is watched, what workers say of it, and what an undisturbed watch says of the same ledger."""

import asyncio
import contextlib
import json
import random
import time
from datetime import UTC, datetime, timedelta

import numpy as np

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.embedded.credentials import Role
from modeltrail.events.encode import Event, encode_binary
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured, TumblingWindow
from modeltrail.events.predictions import PredictionRecorded
from modeltrail.kafka_client import kafka_client_args
from modeltrail.storage.watch.ledger import WatchLedger
from modeltrail.streaming.drift_broker import KafkaBroker
from modeltrail.watch.service import WatchOptions, WatchService
from tests.integration.installation import until

START = datetime(2013, 1, 7, tzinfo=UTC)
"""Where a window of four weeks begins."""
MONTHS = 13
"""Of four weeks, as the windows are."""
A_MONTH = 360
DRIFTS_FROM = 6
SOURCE = "modeltrail/watch"
MODELS = ("delays", "prices")


def feature(rng, model, month):
    moved = 1.5 if model == "delays" and month >= DRIFTS_FROM else 0.0
    return {"a": round(rng.gauss(moved, 1.0), 6), "b": round(rng.gauss(0, 1), 6), "c": rng.choice("xyz")}


def baselines():
    rng = random.Random(0)
    for model in MODELS:
        rows = [feature(rng, model, 0) for _ in range(2000)]
        frame = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        yield Baseline.from_frame(frame, model_id=model, model_version="1").to_event()


def monitors():
    window = TumblingWindow(kind="tumbling", size_s=28 * 86_400)
    return [MonitorConfigured(monitor_id=f"{model}-monthly", model_id=model, window=window) for model in MODELS]


def predictions(seed=1, *, months=range(MONTHS), a_month=A_MONTH):
    """(data, event time, id): mostly in order, some hours or days late, one in a hundred sent twice."""
    rng = random.Random(seed)
    for month in months:
        for number in range(a_month):
            model = MODELS[number % len(MODELS)]
            at = START + timedelta(days=28 * (month + number / a_month))
            if rng.random() < 0.1:
                at -= timedelta(days=rng.choice([0.2, 1, 6]))
            data = PredictionRecorded(
                prediction_id=f"{model}-{month}-{number}", item_id=f"i-{number}", model_id=model, model_version="1",
                kind="binary", label="yes", features=feature(rng, model, month),
            )  # fmt: skip
            yield data, at, f"{model}-{month}-{number}"
            if rng.random() < 0.01:
                yield data, at, f"{model}-{month}-{number}"


def records(events):
    """(key, value, headers) of each event."""
    for data, at, event_id in events:
        key, headers, value = encode_binary(Event.of(data, source="tests", actor="tests", id=event_id, time=at))
        yield key, value, headers


async def tell(installation, *told):
    """Publish events of the family models."""
    now = datetime(2013, 1, 1, tzinfo=UTC)
    values = list(records((data, now, f"told-{time.time_ns()}-{number}") for number, data in enumerate(told)))
    await installation.produce(values, family="models", partition=0)


async def configure(installation):
    await tell(installation, *baselines(), *monitors())


async def end(installation):
    """Say that no prediction will follow, so that every window closes."""
    through = (START + timedelta(days=28 * (MONTHS + 1))).isoformat()
    await tell(installation, *(MonitorAdvanced(model_id=model, through=through) for model in MODELS))


async def said(installation):
    """What the workers have published, by id; a repeat that says something else is an error."""
    found = {}
    for family in ("checks", "alerts"):
        for number in range(installation.settings().topics.partitions_of(family)):
            for record in (await installation.log_of(installation.partition(number, family)))[1]:
                headers = {name.decode(): text.decode() for name, text in record.headers}
                if headers["ce_source"] == SOURCE:
                    data = json.loads(record.value)
                    data.pop("duration_ms", None)
                    assert found.setdefault(headers["ce_id"], data) == data, "said twice, and differently"
    return found


class Collected:
    """A publisher that keeps what it is given."""

    def __init__(self):
        self.events = {}

    async def publish(self, events):
        for event in events:
            _, _, value = encode_binary(event)
            data = json.loads(value)
            data.pop("duration_ms", None)
            assert self.events.setdefault(event.id, data) == data


class Forgetful(WatchLedger):
    """A ledger in which no check stands: all of them are computed."""

    async def published(self, _check_ids):
        return {}


class Quiet:
    def __getattr__(self, _name):
        return lambda *_args, **_named: None


class RealClock:
    def now_ms(self):
        return time.time_ns() // 1_000_000

    def monotonic(self):
        return time.monotonic()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


async def undisturbed(installation):
    """What one watch says that reads the ledger from its beginning, computes everything, and is left alone."""
    settings = installation.settings()
    ledger = Forgetful(lambda: installation.client(Role.WRITER))
    broker = KafkaBroker(
        kafka_client_args(settings), cluster=installation.cluster,
        watched=[installation.topic("predictions"), installation.topic("models")], blocks=installation.topic("blocks"),
    )  # fmt: skip
    collected = Collected()
    service = WatchService(
        ledger=ledger, broker=broker, publisher=collected, clock=RealClock(), observer=Quiet(),
        options=WatchOptions(poll_s=0.3, grace_s=0.3),
    )  # fmt: skip
    running = asyncio.create_task(service.run())
    try:
        service.assign(frozenset(range((await broker.layout()).shares)))

        def settled():
            if running.done():
                running.result()
            return service.settled

        await until(settled, what="everything checked", within=240)
        await service.give_up()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await broker.stop()
        ledger.close()
    return collected.events


async def all_said(installation):
    """Wait until everything is chained, and the workers have said what an undisturbed watch says; return that."""
    await installation.chained_to_the_end()
    changes = installation.partition(0, "models")
    last = (await installation.log_of(changes))[1][-1].offset
    await until(lambda: installation.rows(changes)[-1][2] >= last, what="all changes chained")
    expected = await undisturbed(installation)

    async def said_it():
        return expected.keys() <= (await said(installation)).keys()

    await until(said_it, what=f"{len(expected)} events of the watch", every=0.5)
    assert different(await said(installation), expected) == []
    return expected


def different(ours, theirs):
    """What two watches say differently: id, and each member that differs, a few of them."""
    found = []
    for event_id in sorted({*ours, *theirs}):
        one, other = ours.get(event_id, {}), theirs.get(event_id, {})
        members = {
            name: (str(one.get(name))[:200], str(other.get(name))[:200])
            for name in {*one, *other}
            if one.get(name) != other.get(name)
        }
        if members:
            found.append((event_id, one.get("model_id"), one.get("window"), members))
    return found[:3]


def checks_of(events):
    return {event_id: data for event_id, data in events.items() if "check_id" in data and "cut" in data}


def raised(events):
    return [data for data in events.values() if "alert_id" in data]
