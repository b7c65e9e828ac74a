"""Two monitors of one model with the same windows: each has alerts of its own, whoever computes them, and when.

hour      0    1    2    3     4     5    6    7    8
delay     .    .    .   +1.5  +3    +.5  +.5   .    .
strict                  C     |     |    |    |    resolved         PSI .1 and .25
lax                     W     C     |   resolved                    PSI 1 and 3.5
"""

from collections import defaultdict
from random import Random

import pytest

from modeltrail.cli.alerts_records import Said, fold_alerts
from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.windows.narrow import NarrowRows
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.alerts import AlertAcknowledged, AlertRaised, AlertResolved
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain
from modeltrail.storage.watch.narrow import read_changes, read_narrow
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import read_checks
from modeltrail.storage.watch.replay import Span, replay
from modeltrail.watch.protocols import Frontier
from modeltrail.watch.resume import Unit
from tests.storage.maker import ChainMaker, insert
from tests.storage.watch.again import changed_again
from tests.storage.watch.log import HOUR_US, MODEL, VERSION, Log, moment
from tests.storage.watch.test_compute import ledgers, timeless

__all__ = ["ledgers"]

SHIFTS = (0, 0, 0, 1.5, 3, 0.5, 0.5, 0, 0)
ROWS = 300
OF = {"model_id": MODEL, "window": {"kind": "tumbling", "size_s": 3600}}
STRICT = MonitorConfigured.model_validate(OF | {"monitor_id": "strict", "fields": ["delay"]})
LAX = MonitorConfigured.model_validate(
    OF | {"monitor_id": "lax", "fields": ["delay", "carrier"], "thresholds": {"psi_warning": 1, "psi_critical": 3.5}}
)


def features(random, shift=0.0):
    return {"delay": random.gauss(shift, 1), "carrier": random.choice("ABC")}


class World:
    def __init__(self, client):
        self.client, self.log, random = client, Log(1), Random(3)
        self.models, self.checks, self.alerts = (
            ChainMaker(Chain(self.log.cluster, f"modeltrail.{family}", 0, 0, 0))
            for family in ("models", "checks", "alerts")
        )
        sample = [features(random) for _ in range(4000)]
        columns = {name: [row[name] for row in sample] for name in ("delay", "carrier")}
        self.baseline = Baseline.from_frame(columns, model_id=MODEL, model_version=VERSION)
        self.models.event(self.baseline.to_event(), timestamp=1)
        for monitor in (STRICT, LAX):
            self.models.event(monitor, timestamp=2)
        for number in range(len(SHIFTS) * ROWS):
            at_us = number * HOUR_US // ROWS
            shift = SHIFTS[number // ROWS]
            self.log.predict(at_us=at_us, log_ms=at_us // 1000 + 10, features=features(random, shift))
        end = MonitorAdvanced(model_id=MODEL, through=moment(len(SHIFTS) * HOUR_US))
        self.models.event(end, timestamp=len(SHIFTS) * HOUR_US // 1000 + 100)
        self.log.insert(client)
        insert(client, self.models.rows)
        self.reader = Reader(client)
        rows = NarrowRows.concatenate(
            [read_narrow(self.reader, maker.chain, 0, 10**6) for maker in (*self.log.chains, self.models)]
        )
        self.closings = Watch().feed(rows, read_changes(self.reader, self.models.chain, 0, 999))

    def publish(self, events):
        for event in events:
            maker = {"checks": self.checks, "alerts": self.alerts}[event.kind.family]
            names = ("id", "source", "actor", "subject", "time")
            given = {name: getattr(event, name) for name in names}
            insert(self.client, [maker.event(event.data, timestamp=10**9, **given)])

    async def run(self, ledger, carries=None, known=0, *, publish=True):
        """Compute what closes behind the first `known`, each line of checks from the one before."""
        carries, computed = dict(carries or {}), []
        for closing in self.closings[known:]:
            unit = Unit.of(closing)
            computed.append(await ledger.compute(closing, carries.get(unit)))
            carries[unit] = computed[-1].carry
            if publish:
                self.publish(computed[-1].events)
        return computed

    def alerts_now(self):
        """The alerts that `alerts list` shows, by the monitor."""
        found = defaultdict(list)
        for alert in fold_alerts(map(Said.of_row, self.reader.ask("drift/alerts", id=""))):
            found[alert.monitor_id].append(alert)
        return found

    def open_alerts(self):
        rows = self.client.query("SELECT monitor_id, severity, acknowledged_by FROM open_alerts").result_rows
        return {monitor_id: (str(severity), by) for monitor_id, severity, by in rows}


def told(checks):
    """What happened to the alerts of each monitor: in which hour, what, which alert."""
    found = defaultdict(list)
    for check in checks:
        hour = int(check.window.start[11:13])
        news = [each for each in check.alerts if each.transition != "open"]
        found[check.monitor.id] += [(hour, each.transition, each.alert_id) for each in news]
    return found


@pytest.fixture
def world(own):
    return World(own)


async def test_each_raises_escalates_and_resolves_its_own_and_anybody_finds_the_same(world, own, ledgers):
    live = await world.run(ledgers(own.database))
    checks = [each.check for each in live]
    found = told(checks)
    (mine,), (other,) = ({alert_id for _, _, alert_id in found[each.monitor_id]} for each in (STRICT, LAX))
    assert mine != other
    assert found == {
        "strict": [(3, "raised", mine), (8, "resolved", mine)],
        "lax": [(3, "raised", other), (4, "escalated", other), (6, "resolved", other)],
    }
    events = [event for each in live for event in each.events]
    assert len({event.id for event in events}) == len(events), "nothing of one is a repeat of the other's"

    # A back-test of each alone finds what it found beside the other.
    for monitor in (STRICT, LAX):
        span = Span(None, len(SHIFTS) * HOUR_US)
        alone = [result.check for _, result in replay(world.reader, monitor, world.baseline, span)]
        assert told(alone) == {monitor.monitor_id: found[monitor.monitor_id]}

    # Years later.
    assert len(read_checks(world.reader, [check.check_id for check in checks])) == 2 * len(SHIFTS)
    news = [check for check in checks if any(each.transition != "open" for each in check.alerts)]
    assert [changed_again(world.reader, check) for check in news] == [[]] * 5


async def test_a_restart_goes_on_with_each_ones_alerts(world, own, ledgers):
    """Before both raise, between the two, and between the check in which one resolves and that of the other."""
    live = await world.run(ledgers(own.database))
    for known in (6, 7, 13):
        successor = ledgers(own.database)
        last = await successor.last_checks({world.checks.chain: Frontier(known - 1, 10**9)})
        carries = await successor.published([check.check_id for check in last])
        assert len(last) == 2
        begun = {Unit.of(check): carries[check.check_id] for check in last}
        found = await world.run(successor, begun, known, publish=False)
        assert [timeless(each.check) for each in found] == [timeless(each.check) for each in live[known:]]
        assert [event.data for each in found for event in each.events[:-1]] == [
            event.data for each in live[known:] for event in each.events[:-1]
        ]


async def test_a_second_worker_that_publishes_all_again_adds_nothing(world, own, ledgers):
    await world.run(ledgers(own.database))
    once = {name: [alert.as_json() for alert in alerts] for name, alerts in world.alerts_now().items()}
    await world.run(ledgers(own.database))
    again = {name: [alert.as_json() for alert in alerts] for name, alerts in world.alerts_now().items()}
    assert again == once
    assert {name: [alert["state"] for alert in alerts] for name, alerts in again.items()} == {
        "strict": ["resolved"], "lax": ["resolved"],
    }  # fmt: skip
    query = "SELECT monitor_id, count() FROM latest_checks GROUP BY monitor_id"
    assert dict(own.query(query).result_rows) == {"strict": len(SHIFTS), "lax": len(SHIFTS)}
    query = "SELECT monitor_id, name, count() FROM drift_history GROUP BY monitor_id, name"
    assert {tuple(row) for row in own.query(query).result_rows} == {
        ("strict", "delay", len(SHIFTS)), ("lax", "delay", len(SHIFTS)), ("lax", "carrier", len(SHIFTS)),
    }  # fmt: skip


async def test_an_acknowledgement_and_an_end_are_those_of_one_alert(world, own, ledgers):
    ledger, carries, unseen = ledgers(own.database), {}, True
    for closing in world.closings:
        computed = await ledger.compute(closing, carries.get(Unit.of(closing)))
        carries[Unit.of(closing)] = computed.carry
        world.publish(computed.events)
        hour, monitor_id = closing.window.start_us // HOUR_US, closing.monitor.monitor_id
        raised = [event.data for event in computed.events if isinstance(event.data, AlertRaised)]
        if raised and monitor_id == "strict" and unseen:
            acknowledged = AlertAcknowledged(alert_id=raised[0].alert_id, by="ops")
            insert(own, [world.alerts.event(acknowledged, timestamp=10**9)])
            unseen = False
        if any(isinstance(event.data, AlertResolved) for event in computed.events):
            assert (hour, monitor_id) in {(6, "lax"), (8, "strict")}
        if (hour, monitor_id) == (4, "strict"):
            assert world.open_alerts() == {"strict": ("critical", "ops"), "lax": ("critical", None)}
        if (hour, monitor_id) == (6, "strict"):
            assert world.open_alerts() == {"strict": ("critical", "ops")}, "the end of the other's is not its own"
    assert not unseen
    assert world.open_alerts() == {}
