"""From a log to checks and alerts over the real engine, live, with a memory that was lost, and again years later."""

from dataclasses import replace
from random import Random

import pytest

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.monitor import Monitor as FrameMonitor
from modeltrail.drift.windows.narrow import NO_PREDICTION, NarrowRows
from modeltrail.drift.windows.watch import Watch
from modeltrail.errors import NotVerifiableError, StoreUnavailableError
from modeltrail.events.alerts import AlertRaised
from modeltrail.events.encode import encode_binary, encode_structured
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain
from modeltrail.storage.client import connect
from modeltrail.storage.watch.ledger import WatchLedger
from modeltrail.storage.watch.narrow import read_changes, read_narrow
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.recompute import recompute
from modeltrail.storage.watch.records import read_checks, read_events
from tests.storage.maker import ChainMaker, insert
from tests.storage.watch.again import changed_again, differing
from tests.storage.watch.log import HOUR_US, MODEL, VERSION, Log, moment

WINDOWS = 5
ROWS = 300
MOVES_AT = 3


def features(random, moved):
    return {
        "delay": random.gauss(2.0 if moved else 0.0, 1),
        "carrier": random.choice("ABC"),
        "flag": random.random() < 0.5,
    }


class World:
    """A model that is watched by the hour, whose input moves in window 3, and whose truth comes an hour later.

    It is right, but `wrong_in` one origin from window 3 on: there it is wrong every second time.
    """

    def __init__(self, client, wrong_in=None, **monitor):
        self.client, self.log, random = client, Log(2), Random(5)
        cluster = self.log.cluster
        self.models, self.checks, self.alerts = (
            ChainMaker(Chain(cluster, f"modeltrail.{family}", 0, 0, 0)) for family in ("models", "checks", "alerts")
        )
        sample = [features(random, moved=False) for _ in range(3000)]
        columns = {name: [row[name] for row in sample] for name in ("delay", "carrier", "flag")}
        columns |= {
            "label": [random.choice(["late", "on_time"]) for _ in sample],
            "score": [random.random() for _ in sample],
        }
        columns |= {"truth": columns["label"], "origin": [random.choice(["EWR", "JFK"]) for _ in sample]}
        self.baseline = Baseline.from_frame(
            columns, model_id=MODEL, model_version=VERSION, roles={"origin": "stratum"}, outcome="truth",
            segments=("origin",), positive_label="late",
        )  # fmt: skip
        self.models.event(self.baseline.to_event(), timestamp=1)
        self.monitor = MonitorConfigured.model_validate(
            {"monitor_id": "m", "model_id": MODEL, "window": {"kind": "tumbling", "size_s": 3600}} | monitor
        )
        self.models.event(self.monitor, timestamp=2)
        true, self.rows = {}, []
        for number in range(WINDOWS * ROWS):
            at_us, moved = number * HOUR_US // ROWS, number >= MOVES_AT * ROWS
            label, score = random.choice(["late", "on_time"]), random.random()
            values, origin = features(random, moved), random.choice(["EWR", "JFK"])
            self.log.predict(
                to=number % 2, at_us=at_us, log_ms=at_us // 1000 + 10, label=label, score=score,
                prediction_id=str(number), features=values, strata={"origin": origin},
                encode=(encode_binary, encode_structured)[number % 2],
            )  # fmt: skip
            is_wrong = moved and origin == wrong_in and number % 4 < 2
            true[number] = {"late": "on_time", "on_time": "late"}[label] if is_wrong else label
            self.rows.append({"label": label, "score": score, "origin": origin, "outcome": true[number]})
            if number % ROWS == ROWS - 1:
                for earlier in range(number - ROWS + 1, number + 1):
                    self.log.outcome(str(earlier), to=earlier % 2, label=true[earlier], log_ms=at_us // 1000 + 11)
        self.late = self.log.predict(
            to=0, at_us=HOUR_US, log_ms=WINDOWS * HOUR_US // 1000, features={"delay": 0.0}, score=0.5
        )
        end = MonitorAdvanced(model_id=MODEL, through=moment((WINDOWS + 3) * HOUR_US))
        self.models.event(end, timestamp=WINDOWS * HOUR_US // 1000 + 100)
        self.log.insert(client)
        insert(client, self.models.rows)

    def closings(self):
        reader, watch = Reader(self.client), Watch()
        rows = NarrowRows.concatenate(
            [read_narrow(reader, maker.chain, 0, 10**6) for maker in (*self.log.chains, self.models)]
        )
        assert (rows.model != NO_PREDICTION).sum() == WINDOWS * ROWS + 1
        return watch.feed(rows, read_changes(reader, self.models.chain, 0, 999))

    def publish(self, events):
        for event in events:
            maker = {"checks": self.checks, "alerts": self.alerts}[event.kind.family]
            given = {
                "id": event.id,
                "source": event.source,
                "actor": event.actor,
                "subject": event.subject,
                "time": event.time,
            }
            insert(self.client, [maker.event(event.data, timestamp=10**9, **given)])


@pytest.fixture
def ledgers(address):
    made = []

    def make(database):
        made.append(WatchLedger(lambda: connect(address(database))))
        return made[-1]

    yield make
    for ledger in made:
        ledger.close()


async def run(ledger, closings, publish=lambda _: None):
    computed, carries = [], {}
    for closing in closings:
        unit = (closing.kind, closing.label_delay_s)
        computed.append(await ledger.compute(closing, carries.get(unit)))
        carries[unit] = computed[-1].carry
        publish(computed[-1].events)
    return computed


def timeless(check):
    """Return a check without what no input decides: how long it took."""
    return check.model_copy(update={"duration_ms": 0.0})


async def test_a_log_becomes_checks_and_alerts_that_can_be_computed_again(own, ledgers):
    """hour       0    1    2    3    4         delay moves in hour 3 and stays there
    checks     .    .    .    !    !   1'    1' supersedes 1: a prediction of that hour came late
    truth           .    .    .    .    .    the hour after"""
    world = World(
        own, segments=["origin"], performance=[{"metric": "accuracy", "max_drop": 0.9, "label_delay_s": 3600}],
        bias=[{"by": "origin", "metric": "selection_rate", "max_gap": 0.5, "label_delay_s": 3600}],
    )  # fmt: skip
    closings = world.closings()
    database = own.database
    live = await run(ledgers(database), closings, world.publish)
    assert [each.check.check_id for each in live] == [closing.check_id for closing in closings]

    data = [each.check for each in live if each.check.kind == "drift" and not each.check.supersedes]
    assert [check.rows for check in data] == [ROWS] * WINDOWS
    assert [check.state for check in data[:MOVES_AT]] == ["stable"] * MOVES_AT
    assert [check.state for check in data[MOVES_AT:]] == ["critical"] * 2
    assert [len(check.look_back) for check in data] == [0, 1, 2, 3, 4]
    moved = {
        (field.name, field.segment.value if field.segment else None)
        for field in data[-1].fields
        if field.state == "critical"
    }
    assert moved == {("delay", None), ("delay", "EWR"), ("delay", "JFK")}
    again = [each.check for each in live if each.check.supersedes]
    assert [(check.rows, check.late.counted) for check in again if check.kind == "drift"] == [(ROWS + 1, 1)]
    truth = [each.check for each in live if each.check.kind == "performance"]
    assert all(check.metrics[0].coverage >= ROWS / (ROWS + 1) for check in truth)
    assert all(check.gaps[0].value is not None for check in truth)
    assert len(truth) >= WINDOWS

    raised = [event for each in live for event in each.events if event.type.endswith("alert.raised.v1")]
    assert raised
    assert [each.events[-1].data for each in live] == [each.check for each in live]  # alerts go out before their check
    reader = Reader(own)
    assert read_events(reader, AlertRaised, [raised[0].data.alert_id]) == [raised[0].data]

    # Years later, by somebody who has nothing but the ledger.
    stored = read_checks(reader, [closing.check_id for closing in closings])
    assert len(stored) == len(closings)
    assert {check_id: changed_again(reader, check) for check_id, check in stored.items()} == {
        check_id: [] for check_id in stored
    }

    # A check that says something else is found out.
    said = stored[data[-1].check_id]
    field = said.fields[0].model_copy(update={"counts": [1, *said.fields[0].counts[1:]]})
    assert changed_again(reader, said.model_copy(update={"fields": [field, *said.fields[1:]]})) == ["fields"]
    assert changed_again(reader, said.model_copy(update={"rows": 7})) == ["rows"]
    with pytest.raises(NotVerifiableError, match=r"no monitor\.configured with hash"):
        recompute(reader, said.model_copy(update={"monitor": said.monitor.model_copy(update={"sha256": "0" * 64})}))

    # A worker that comes after a crash: what is chained is found, what is not is computed again, the same.
    for known in (0, 3, len(closings)):
        successor = ledgers(database)
        ids = [closing.check_id for closing in closings]
        carries = await successor.published(ids[:known])
        assert carries == {check_id: stored[check_id].carry for check_id in ids[:known]}
        following = {("drift", 0): {}, ("performance", 3600): {}}
        for closing in closings[:known]:
            following[closing.kind, closing.label_delay_s] = carries[closing.check_id]
        for closing, before in zip(closings[known:], live[known:], strict=True):
            unit = (closing.kind, closing.label_delay_s)
            found = await successor.compute(closing, following[unit])
            assert timeless(found.check) == timeless(before.check)
            assert found.events[:-1] == before.events[:-1]
            assert found.events[-1].id == before.events[-1].id
            following[unit] = found.carry


async def test_metrics_by_segment_are_raised_shown_and_computed_again(own, ledgers):
    """hour          0    1    2    3    4         from hour 3 on the model is wrong in every second flight from JFK
    accuracy, JFK    .    .    .    !    !         the truth comes an hour later
    accuracy, EWR    .    .    .    .    ."""
    world = World(
        own, wrong_in="JFK", segments=["origin"],
        performance=[
            {"metric": "accuracy", "max_drop": 0.3, "label_delay_s": 3600},
            {"metric": "auc", "max_drop": 0.3, "label_delay_s": 3600},
        ],
    )  # fmt: skip
    closings = [closing for closing in world.closings() if closing.kind == "performance"]
    live = await run(ledgers(own.database), closings, world.publish)
    first = [each.check for each in live if not each.check.supersedes]
    assert len(first) == WINDOWS
    for number, check in enumerate(first):
        found = {(each.metric, each.segment.value if each.segment else None): each for each in check.metrics}
        assert list(found) == [(metric, value) for value in (None, "EWR", "JFK") for metric in ("accuracy", "auc")]
        accuracy = {value: each for (metric, value), each in found.items() if metric == "accuracy"}
        assert accuracy["EWR"].n + accuracy["JFK"].n == accuracy[None].n == ROWS
        assert accuracy["EWR"].value == 1.0
        assert (accuracy["JFK"].value == 1.0) == (number < MOVES_AT)
        assert (accuracy["JFK"].state == "stable") == (number < MOVES_AT)
        right = accuracy["EWR"].value * accuracy["EWR"].n + accuracy["JFK"].value * accuracy["JFK"].n
        assert accuracy[None].value == pytest.approx(right / ROWS)
        assert {each.reference_of for each in check.metrics if each.segment} == {"segment"}

    (raised,) = (event.data for each in live for event in each.events if event.type.endswith("alert.raised.v1"))
    assert "`accuracy` where `origin` is JFK is 0." in raised.message
    reader = Reader(own)
    assert read_events(reader, AlertRaised, [raised.alert_id]) == [raised]
    stored = read_checks(reader, [closing.check_id for closing in closings])
    again = {check_id: recompute(reader, check) for check_id, check in stored.items()}
    assert {check_id: differing(stored[check_id], found.check) for check_id, found in again.items()} == {
        check_id: [] for check_id in stored
    }
    assert [alert.data for result in again.values() for alert in result.alerts] == [raised]

    rows = own.query(
        "SELECT segment_value, count(), countIf(state = 'stable'), min(reference_of) FROM performance_history "
        "WHERE metric = 'accuracy' AND segment_by = 'origin' GROUP BY segment_value ORDER BY segment_value"
    ).result_rows
    assert [tuple(row) for row in rows] == [("EWR", WINDOWS, WINDOWS, "segment"), ("JFK", WINDOWS, MOVES_AT, "segment")]

    # The same rows in a frame, without any server.
    def frame(number):
        events = world.rows[number * ROWS : (number + 1) * ROWS]
        return {name: [event[name] for event in events] for name in events[0]}

    asked = [each.model_dump() for each in world.monitor.performance]
    monitor = FrameMonitor(world.baseline, segments=["origin"], performance=asked)
    for number, check in enumerate(first):
        if number != 1:  # where a prediction came late
            assert monitor.check_performance(frame(number), roles={"origin": "stratum"}).metrics == check.metrics


async def test_counts_of_windows_that_are_nowhere_are_counted_again(own, ledgers, monkeypatch):
    """Nothing is published, and nothing fits into memory: each look-back comes from the ledger's predictions."""
    world = World(own)
    closings = [closing for closing in world.closings() if closing.kind == "drift"]
    kept = await run(ledgers(own.database), closings)
    monkeypatch.setattr("modeltrail.storage.watch.ledger.ROOM", 0)
    counted = await run(ledgers(own.database), closings)
    assert [timeless(each.check) for each in counted] == [timeless(each.check) for each in kept]
    assert max(len(each.check.look_back) for each in counted) == WINDOWS - 1


async def test_a_missing_entry_is_waited_for_and_never_left_out(own, ledgers):
    world = World(own)
    closing = next(closing for closing in world.closings() if closing.kind == "drift")
    chain, last = next(iter(closing.cut.items()))
    beyond = replace(closing, cut={**closing.cut, chain: last + 10**6})
    with pytest.raises(StoreUnavailableError, match="is not in the ledger yet"):
        await ledgers(own.database).compute(beyond, {})


async def test_a_window_without_baseline_says_so_and_a_wrong_monitor_makes_a_failed_check(own, ledgers):
    world = World(own, fields=["delay", "nothing"])
    closings = [closing for closing in world.closings() if closing.kind == "drift"]
    ledger = ledgers(own.database)
    failed = (await ledger.compute(closings[0], {})).check
    assert (failed.status, "nothing" in failed.error) == ("failed", True)
    without = (await ledger.compute(replace(closings[0], baseline=None), {})).check
    assert (without.status, without.rows) == ("no_baseline", ROWS)


async def test_a_model_learns_its_baseline_from_its_first_predictions(own, ledgers):
    log, random = Log(2), Random(9)
    models = ChainMaker(Chain(log.cluster, "modeltrail.models", 0, 0, 0))
    monitor = {"monitor_id": "m", "model_id": MODEL, "learn": {"predictions": 500}, "segments": ["origin"]}
    models.event(MonitorConfigured.model_validate(monitor), timestamp=1)
    for number in range(700):
        log.predict(
            to=number % 2, at_us=number * 1_000_000, log_ms=1000 + number, score=random.random(),
            features=features(random, moved=number >= 500) | {"nothing": None}, strata={"origin": random.choice("XY")},
        )  # fmt: skip
    log.insert(own)
    insert(own, models.rows)
    reader = Reader(own)
    rows = NarrowRows.concatenate([read_narrow(reader, maker.chain, 0, 10**6) for maker in (*log.chains, models)])
    closing = next(
        each for each in Watch().feed(rows, read_changes(reader, models.chain, 0, 9)) if each.kind == "learn"
    )
    computed = await ledgers(own.database).compute(closing, None)
    assert computed.check is None
    (event,) = computed.events
    learned = event.data
    assert (event.id, learned.rows, learned.source.kind) == (learned.baseline_id, 500, "learned")
    names = {(field.role, field.name) for field in learned.fields}
    assert names == {
        ("feature", "delay"),
        ("feature", "carrier"),
        ("feature", "flag"),
        ("score", "score"),
        ("label", "label"),
    }
    delay = next(field for field in learned.fields if field.name == "delay")
    assert abs(delay.mean) < 0.3  # those after the first 500 have moved by two
    assert {part.value for part in learned.segments} == {"X", "Y"}
    another = await ledgers(own.database).compute(closing, None)
    assert another.events == computed.events
