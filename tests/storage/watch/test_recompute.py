"""Checks of every kind again, years later: from their own words, and from the first entry of the ledger on."""

from dataclasses import replace
from random import Random

import pytest

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.windows.narrow import NarrowRows
from modeltrail.drift.windows.order import Position
from modeltrail.drift.windows.watch import Watch
from modeltrail.errors import NotVerifiableError
from modeltrail.events.checks import CheckCompleted, CheckReference
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain
from modeltrail.storage.watch.from_start import from_start
from modeltrail.storage.watch.history import told
from modeltrail.storage.watch.narrow import read_narrow
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.recompute import recompute
from modeltrail.storage.watch.records import read_checks
from modeltrail.watch.resume import Unit
from tests.storage.maker import ChainMaker, insert
from tests.storage.watch.again import changed_again, differing
from tests.storage.watch.log import HOUR_US, MODEL, VERSION, Log, moment
from tests.storage.watch.test_compute import ledgers

__all__ = ["ledgers"]

PER_HOUR = 60
MINUTE_MS = 60_000
BEGIN_MS = 240 * MINUTE_MS
COUNT = {"window": {"kind": "count", "every": 70}}


class World:
    """Six hours of predictions; what they say moves in hour 4. Before hour 3 the model is silent for two hours.

    hour       0    1    2    . .    3    4    5          late: one more of hours 1 and 4
    silence                   ^ told by a tick, and over at the next prediction; with `dead`, silent at the end, too
    """

    def __init__(self, client, *, ticks=True, dead=False, **monitor):
        self.client, self.log, random = client, Log(2), Random(3)
        self.models, self.checks, self.ticks, self.alerts = (
            ChainMaker(Chain(self.log.cluster, f"modeltrail.{name}", partition, 0, 0))
            for name, partition in (("models", 0), ("checks", 0), ("checks", 1), ("alerts", 0))
        )
        sample = {
            "delay": [random.gauss(0, 1) for _ in range(2000)],
            "label": [random.choice(["late", "on_time"]) for _ in range(2000)],
        }
        sample["truth"] = sample["label"]
        baseline = Baseline.from_frame(
            sample, model_id=MODEL, model_version=VERSION, outcome="truth", positive_label="late"
        )
        self.models.event(baseline.to_event(), timestamp=1)
        given = {"monitor_id": "m", "model_id": MODEL, "window": {"kind": "tumbling", "size_s": 3600}} | monitor
        self.models.event(MonitorConfigured.model_validate(given), timestamp=2)
        pause_ms = 0
        for number in range(6 * PER_HOUR):
            hour = number // PER_HOUR
            if number == 3 * PER_HOUR:
                pause_ms = 120 * MINUTE_MS
                if ticks:
                    self.tick(BEGIN_MS + number * MINUTE_MS + 50 * MINUTE_MS)
            log_ms, label = BEGIN_MS + number * MINUTE_MS + pause_ms + 10, random.choice(["late", "on_time"])
            self.log.predict(
                to=number % 2, at_us=BEGIN_MS * 1000 + number * HOUR_US // PER_HOUR, log_ms=log_ms, label=label,
                prediction_id=str(number), features={"delay": random.gauss(3.0 * (hour >= 4), 1)},
            )  # fmt: skip
            self.log.outcome(
                str(number), to=number % 2, log_ms=log_ms, label=label if hour < 4 or number % 2 else "on_time"
            )
            if number in (3 * PER_HOUR, 5 * PER_HOUR + 5):
                at_us = BEGIN_MS * 1000 + (HOUR_US + 7 if number == 3 * PER_HOUR else 4 * HOUR_US + 9)
                self.log.predict(to=number % 2, at_us=at_us, log_ms=log_ms, features={"delay": 0.0}, label="late")
        end_ms = log_ms + 60 * MINUTE_MS
        if dead:
            self.tick(end_ms)
        end = MonitorAdvanced(model_id=MODEL, through=moment(BEGIN_MS * 1000 + 9 * HOUR_US))
        self.models.event(end, timestamp=end_ms + 1000)
        self.log.insert(client)
        insert(client, [*self.models.rows, *self.ticks.rows])

    def tick(self, log_ms):
        said = CheckCompleted(
            check_id=f"{log_ms:064x}", kind="tick", monitor=CheckReference(id="m", sha256="0" * 64), model_id=MODEL,
            model_version=VERSION, status="completed",
        )  # fmt: skip
        self.ticks.event(said, id=said.check_id, source="modeltrail/watch", timestamp=log_ms)

    def closings(self):
        reader = Reader(self.client)
        makers = (*self.log.chains, self.models)
        rows = NarrowRows.concatenate([read_narrow(reader, maker.chain, 0, 10**6) for maker in makers])
        ends = {maker.chain: maker.head for maker in (self.models, self.ticks) if maker.rows}
        return Watch().feed(rows, [change for part in told(reader, ends) for change in part.changes])

    async def run(self, ledger):
        """Compute and publish every check; return them as the ledger has them."""
        carries, ids = {}, []
        for closing in self.closings():
            computed = await ledger.compute(closing, carries.get(Unit.of(closing)))
            carries[Unit.of(closing)] = computed.carry
            self.publish(computed)
            ids.append(closing.check_id)
        found = read_checks(Reader(self.client), ids)
        return [found[check_id] for check_id in ids]

    def publish(self, computed):
        for event in computed.events:
            maker = {"checks": self.checks, "alerts": self.alerts}[event.kind.family]
            given = {name: getattr(event, name) for name in ("id", "source", "actor", "subject", "time")}
            insert(self.client, [maker.event(event.data, timestamp=10**9, **given)])


TRUTH = {"performance": [{"metric": "accuracy", "max_drop": 0.05, "label_delay_s": 1800}]}
SILENCE = {"silence": {"max_gap_s": 1800}}


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (SILENCE, {"drift", "silence"}),
        (SILENCE | {"ticks": False}, {"drift", "silence"}),
        (SILENCE | TRUTH | {"dead": True}, {"drift", "performance", "silence"}),
        (COUNT | TRUTH, {"drift", "performance"}),
        (COUNT | SILENCE, {"drift", "silence"}),
        ({"window": {"kind": "sliding", "size_s": 7200, "step_s": 3600}} | TRUTH, {"drift", "performance"}),
    ],
    ids=["tick", "no-tick", "dead", "count", "count-and-silence", "sliding"],
)
async def test_every_check_is_identical_from_its_own_words_and_from_the_start(own, ledgers, given, kinds):
    checks = await World(own, **given).run(ledgers(own.database))
    reader = Reader(own)
    assert {check.kind for check in checks} == kinds
    if "silence" in given:
        told_of = [check.silence.condition for check in checks if check.kind == "silence"]
        assert told_of == ["silent", "predicting", "silent"][: 3 if given.get("dead") else 2]
    if "window" not in given or given["window"]["kind"] == "sliding":
        assert any(check.supersedes for check in checks if check.kind == "drift")
    assert any(check.alerts for check in checks if check.kind == "drift")
    assert {check.check_id: changed_again(reader, check) for check in checks} == {each.check_id: [] for each in checks}
    # From the start on: the last one of each unit needs all before it.
    last = {Unit(*_unit(check)): check for check in checks}
    superseding = [check for check in checks if check.supersedes]
    for check in [*last.values(), *superseding[:1]]:
        assert differing(check, from_start(reader, check).check) == []


def _unit(check):
    return (
        check.monitor.id, check.model_id, check.model_version, check.kind, (check.window.label_delay_s or 0),
    )  # fmt: skip


async def test_only_from_the_start_a_window_that_closed_at_a_wrong_entry_is_found_out(own, ledgers):
    """A check that follows from its own words, at an entry that closed nothing."""
    world, ledger = World(own), ledgers(own.database)
    checks = await world.run(ledger)
    closing = world.closings()[0]
    chain = closing.x.chain
    later = replace(
        closing, x=Position.at(closing.x.log_time, chain, closing.x.seq + 1), cut=closing.cut | {chain: closing.x.seq}
    )
    computed = await ledger.compute(later, {})
    world.publish(computed)
    reader = Reader(own)
    forged = read_checks(reader, [later.check_id])[later.check_id]
    forged_again = recompute(reader, forged.model_copy(update={"carry": computed.carry}))
    assert forged_again.check.cut == forged.cut
    assert from_start(reader, forged) is None
    assert differing(checks[0], from_start(reader, checks[0]).check) == []


async def test_only_from_the_start_another_state_to_go_on_from_is_found_out(own, ledgers):
    checks = await World(own).run(ledgers(own.database))
    reader = Reader(own)
    carry = {**checks[2].carry, "fold": {**checks[2].carry["fold"], "watermark": 7}}
    said = checks[2].model_copy(update={"carry": carry})
    assert changed_again(reader, said) == []
    assert differing(said, from_start(reader, said).check) == ["carry"]


async def test_from_the_start_needs_a_window_and_its_entry(own, ledgers):
    checks = await World(own).run(ledgers(own.database))
    reader = Reader(own)
    with pytest.raises(NotVerifiableError, match="kind tick: expected one of a window"):
        from_start(reader, checks[0].model_copy(update={"kind": "tick"}))
    cut = checks[0].cut.model_copy(update={"entry": checks[0].cut.entry.model_copy(update={"seq": 10**6})})
    with pytest.raises(NotVerifiableError, match="seq 1000000: the entry that closed the window is not in the ledger"):
        from_start(reader, checks[0].model_copy(update={"cut": cut}))
