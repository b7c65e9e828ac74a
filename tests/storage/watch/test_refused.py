"""Checks in the ledger that were valid once, and that the contract of this version refuses."""

import logging

from modeltrail.events.encode import Event, encode_binary
from modeltrail.events.judge import judge
from modeltrail.events.models import MonitorAdvanced
from modeltrail.storage.watch.narrow import read_changes
from modeltrail.storage.watch.reader import Reader
from tests.storage.maker import TIME, insert
from tests.storage.watch.log import MODEL
from tests.storage.watch.test_compute import World, ledgers, run, timeless

__all__ = ["ledgers"]

FORMER = b'"status":"of_a_former_contract"'


def publish_refused(world, events):
    """Chain checks as a former contract would have had them."""
    for event in events:
        if event.kind.family != "checks":
            world.publish([event])
            continue
        key, headers, value = encode_binary(event)
        raw = tuple((name.encode(), content) for name, content in headers)
        found = judge("modeltrail.checks", key, raw, value)
        former = value.replace(b'"status":"completed"', FORMER)
        assert former != value
        insert(world.client, [world.checks.judged(found, former, key=key, headers=raw, timestamp=10**9)])


async def test_a_check_that_is_refused_is_not_there_and_the_log_says_why(own, ledgers, caplog):
    world = World(own)
    first, second = await run(ledgers(own.database), world.closings()[:2])
    publish_refused(world, first.events)
    world.publish(second.events)
    ids = [first.check.check_id, second.check.check_id]
    with caplog.at_level(logging.WARNING, "modeltrail.drift"):
        found = await ledgers(own.database).published(ids)
    assert set(found) == {second.check.check_id}
    (said,) = {each.getMessage() for each in caplog.records}
    assert said.startswith(
        f"modeltrail.check.completed.v1 {ids[0]} is left out, this version refuses it: data.status: "
    )
    assert "of_a_former_contract" in said
    world.publish(first.events)  # computed anew, it has the same id
    assert set(await ledgers(own.database).published(ids)) == set(ids)


async def test_look_backs_count_again_what_is_refused(own, ledgers):
    """Windows 0 to 3 are refused, also the one that is superseded; each is counted at its own first cut."""
    world = World(own)
    closings = world.closings()
    expected = await run(ledgers(own.database), closings)
    data = [each for each, closing in zip(expected, closings, strict=True) if closing.kind == "drift"]
    for each in data[:4]:
        publish_refused(world, each.events)
    ledger = ledgers(own.database)
    await ledger.last_checks(await ledger.frontiers())
    later = [closing for closing in closings if closing.kind == "drift"][4:]
    carry = data[3].carry
    for closing, before in zip(later, data[4:], strict=True):
        computed = await ledger.compute(closing, carry)
        assert timeless(computed.check) == timeless(before.check)
        carry = computed.carry
    assert max(len(each.check.look_back) for each in data) == 4
    assert [bool(closing.supersedes) for closing in later] == [True, False]


async def test_runs_of_predictions_are_counted_again_from_where_they_lie(own, ledgers):
    world = World(own, window={"kind": "count", "every": 300})
    closings = world.closings()
    expected = await run(ledgers(own.database), closings)
    for each in expected[:3]:
        publish_refused(world, each.events)
    ledger = ledgers(own.database)
    await ledger.last_checks(await ledger.frontiers())
    computed = await ledger.compute(closings[3], expected[2].carry)
    assert timeless(computed.check) == timeless(expected[3].check)
    assert len(computed.check.look_back) == 3


def test_what_is_told_and_refused_tells_nothing(own, caplog):
    world = World(own)
    event = Event.of(MonitorAdvanced(model_id=MODEL, through=TIME), source="tests", actor="tester", id="7", time=TIME)
    key, headers, value = encode_binary(event)
    raw = tuple((name.encode(), content) for name, content in headers)
    found = judge("modeltrail.models", key, raw, value)
    former = value.replace(b'"through"', b'"until"')
    row = world.models.judged(found, former, key=key, headers=raw, timestamp=10**9)
    insert(own, [row])
    changes = read_changes(Reader(own), world.models.chain, 0, row.seq)
    assert [change.position.seq for change in changes] == list(range(row.seq))
    assert f"modeltrail.monitor.advanced.v1 at {row.seq} of {world.models.chain} is left out" in caplog.text
