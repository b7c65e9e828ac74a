"""The ledger as a worker has it for months: what it remembers, and when that is not to be trusted."""

from dataclasses import replace

import pytest

from modeltrail.drift.windows.closing import Window
from modeltrail.errors import StoreUnavailableError
from modeltrail.events.checks import CheckWindow
from modeltrail.storage.client import connect
from modeltrail.storage.watch.history import outermost, own_predictions
from modeltrail.storage.watch.ledger import WatchLedger
from modeltrail.storage.watch.look_back import Earlier
from modeltrail.storage.watch.reader import Reader
from modeltrail.watch.protocols import Frontier, Since
from tests.storage.maker import ChainMaker, insert
from tests.storage.watch.log import Log
from tests.storage.watch.test_compute import World, ledgers, run, timeless

__all__ = ["ledgers"]


class Server:
    """A client whose server seems to have been started again when `back_s` grows."""

    def __init__(self, client):
        self._client = client
        self.back_s = 0

    def __getattr__(self, name):
        return getattr(self._client, name)

    def query(self, text, **given):
        answer = self._client.query(text, **given)
        if "uptime()" not in text:
            return answer
        ((up, table),) = answer.result_rows
        return _Answer([(10**6 + up - self.back_s, table)])


class _Answer:
    def __init__(self, rows):
        self.result_rows = rows


@pytest.fixture
def restarted(address):
    """A ledger and its server."""
    made = []

    def make(database):
        server = Server(connect(address(database)))
        made.append(WatchLedger(lambda: server))
        return made[-1], server

    yield make
    for ledger in made:
        ledger.close()


def end_of(frontiers, maker):
    return frontiers[maker.chain].seq


async def test_a_share_that_was_away_and_comes_back_knows_what_others_have_checked(own, ledgers, monkeypatch):
    """Windows 0 1 here, 2 3 by another worker, 4 here again: it is merged with all four."""
    # As one that was away for longer than a new chain, that of the first checks, may go unseen.
    monkeypatch.setattr("modeltrail.storage.watch.ledger._CHAINS_S", 0.0)
    world = World(own)
    closings = world.closings()
    expected = await run(ledgers(own.database), closings)
    here, there = ledgers(own.database), ledgers(own.database)
    carry = {}
    for ledger, mine in ((here, closings[:2]), (there, closings[2:4]), (here, closings[4:])):
        ends = await ledger.frontiers()
        last = await ledger.last_checks(ends)
        found = await ledger.published([each.check_id for each in last])
        carry = next(iter(found.values()), {})
        for closing, before in zip(mine, expected[closings.index(mine[0]) :], strict=False):
            computed = await ledger.compute(closing, carry)
            assert timeless(computed.check) == timeless(before.check)
            carry = computed.carry
            world.publish(computed.events)
    assert max(len(each.check.look_back) for each in expected) == 4


async def test_a_store_that_lost_its_last_block_is_believed_once_it_was_restarted(own, restarted):
    log = Log()
    for number in range(6):
        log.predict(log_ms=1000 + number)
    log.insert(own)
    (maker,) = log.chains
    ledger, server = restarted(own.database)
    assert end_of(await ledger.frontiers(), maker) == 5
    own.command("ALTER TABLE ledger DELETE WHERE seq > 3", settings={"mutations_sync": 1})
    with pytest.raises(StoreUnavailableError, match="2 of the entries 2 to 5 are there now, expected 4"):
        await ledger.read(maker.chain, 2, 5)
    with pytest.raises(StoreUnavailableError, match="position 5 is not in the ledger now"):
        await ledger.offsets({maker.chain: 5})
    server.back_s = 500
    with pytest.raises(StoreUnavailableError, match="was restarted"):
        await ledger.frontiers()
    assert end_of(await ledger.frontiers(), maker) == 3
    log.insert(own)
    assert end_of(await ledger.frontiers(), maker) == 5


async def test_a_check_under_which_the_store_was_restarted_is_computed_again(own, restarted):
    world = World(own)
    closing = world.closings()[0]
    ledger, server = restarted(own.database)
    expected = await ledger.compute(closing, None)
    server.back_s = 500
    with pytest.raises(StoreUnavailableError, match="was restarted"):
        await ledger.compute(closing, None)
    assert timeless((await ledger.compute(closing, None)).check) == timeless(expected.check)


async def test_windows_that_were_checked_are_known_after_the_store_was_restarted_though_not_chained_yet(own, restarted):
    closings = World(own).closings()[:3]
    undisturbed, _ = restarted(own.database)
    expected = await run(undisturbed, closings)
    ledger, server = restarted(own.database)
    found = await run(ledger, closings[:2])
    server.back_s = 500
    with pytest.raises(StoreUnavailableError, match="was restarted"):
        await ledger.frontiers()
    found.append(await ledger.compute(closings[2], found[-1].carry))
    assert [timeless(each.check) for each in found] == [timeless(each.check) for each in expected]
    assert len(found[-1].check.look_back) == 2


async def test_a_chain_with_a_fork_is_read_up_to_there_and_the_others_go_on(own, address):
    log = Log(2)
    for number in range(6):
        log.predict(to=0, log_ms=1000 + number)
        log.predict(to=1, log_ms=1000 + number)
    log.insert(own)
    forked, whole = log.chains
    forged = ChainMaker(forked.chain)
    for number in range(5):
        log.predict(to=forged, log_ms=1000 + number)
    insert(own, forged.rows[4:])
    told = []
    ledger = WatchLedger(lambda: connect(address(own.database)), tampered=told.append)
    for _ in range(2):
        frontiers = await ledger.frontiers()
        assert (end_of(frontiers, forked), end_of(frontiers, whole)) == (3, 5)
    assert {(error.chain, error.seq) for error in told} == {(str(forked.chain), 4)}
    ledger.close()


async def test_what_is_remembered_of_a_unit_has_an_end(own, ledgers):
    world = World(own)
    closing = next(each for each in world.closings() if each.kind == "drift")
    closing = replace(closing, fold={"large": "x" * 1000})
    check = (await ledgers(own.database).compute(closing, None)).check
    earlier = Earlier(Reader(own))
    for number in range(2000):
        window = CheckWindow(index=number)
        noted = check.model_copy(update={"check_id": f"{number:064x}", "window": window})
        mine = replace(closing, window=Window(index=number))
        earlier.of(mine, lambda _: pytest.fail("nothing is counted again"))
        earlier.note(noted, mine)
    (known,) = earlier._known.values()
    assert len(known) < 200
    assert max(each.window.window.index for each in known.values()) == 1999
    assert not any(each.closing.fold for each in known.values())


class Listening(Reader):
    """Notes how long the longest parameter of a query was."""

    longest = 0

    def columns_of(self, text, /, **parameters):
        self.longest = max(self.longest, *(len(str(each)) for each in parameters.values()))
        return super().columns_of(text, **parameters)

    def ask(self, name, /, **parameters):
        self.longest = max(self.longest, *(len(str(each)) for each in parameters.values()))
        return super().ask(name, **parameters)


@pytest.mark.parametrize("most", [10**6, 40])
def test_a_thousand_models_are_asked_for_in_questions_that_a_server_takes(own, most):
    """It takes 128 KiB of a parameter; names of models may have a thousand characters."""
    log, reader = Log(2), Listening(own)
    models = [f"{number:04}" + "m" * 400 for number in range(1000)]
    for number in range(60):
        log.predict(to=number % 2, log_ms=1000 + number, at_us=number, model_id=models[17 * number % 1000])
    log.insert(own)
    ends = {maker.chain: Frontier(29, 1059) for maker in log.chains}
    since = {model: Since({str(log.chains[0].chain): 4}, 0) for model in models}
    found, behind = [], -1
    while behind < 1059:
        part = own_predictions(reader, since, ends, behind=behind, through=1059, most=most)
        found += [
            (time, part.rows.models[model]) for time, model in zip(part.rows.log_time, part.rows.model, strict=True)
        ]
        assert part.through > behind
        behind = part.through
    wanted = [number for number in range(60) if number % 2 or number // 2 > 4]
    assert found == [(1000 + number, models[17 * number % 1000]) for number in wanted]
    assert outermost(reader, dict.fromkeys(models, 0), 0, ends) is None
    assert reader.longest < 128 * 1024
