"""While a ledger is verified, the table is merged, typed tables are rebuilt and zombies write: no verdict changes."""

import threading

import pytest

from modeltrail.embedded.credentials import Role
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.report import Verdict
from modeltrail.ledger.sequencer import Sequencer
from modeltrail.storage.projections import projections
from modeltrail.storage.rebuild import choose, rebuild_table
from modeltrail.storage.schema_lock import SchemaLock
from tests.integration.verification.scratch import check, heads_of, insert, login, scratch_database
from tests.ledger.genuine import B0, fold, genuine

ROUNDS = 3


class Meanwhile(threading.Thread):
    """Does something again and again until it is told to end; what it raises is raised by `ended`."""

    def __init__(self, name, client, do):
        super().__init__(name=name, daemon=True)
        self.times = 0
        self._client = client
        self._do = do
        self.over = threading.Event()
        self._failed = None
        self.once = threading.Event()

    def run(self):
        try:
            while not self.over.is_set():
                self._do(self._client, self.times)
                self.times += 1
                self.once.set()
        except Exception as error:  # noqa: BLE001 - handed over to the test
            self._failed = error
            self.once.set()

    def ended(self):
        self.over.set()
        self.join(60)
        self._client.close()
        if self._failed is not None:
            raise self._failed
        assert not self.is_alive()
        return self.times


def optimize(client, number):
    client.command("OPTIMIZE TABLE ledger" + (" FINAL" if number % 2 else ""))
    client.command("OPTIMIZE TABLE actions FINAL")


def rebuild(client, _number):
    with SchemaLock(client) as lock:
        rebuild_table(client, lock, choose("actions")[0])


def write_again(client, number):
    """What a zombie does: rows that are there already, in other blocks."""
    rows = GENUINE[B0]
    begin = number * 7 % len(rows)
    insert(client, {B0: rows[begin : begin + 11]}, appended_at=1_388_534_500_000 + number)


LONG = B0._replace(partition=2)
GENUINE = genuine()
GENUINE[LONG] = fold(Sequencer.begin(LONG, GenesisReason.START, None), 2000, poisoned=range(20, 2000, 97))


@pytest.fixture
def busy(scratch_store):
    client = scratch_database(scratch_store, "busy", whole=True)
    for begin in range(0, len(GENUINE[LONG]), 400):
        insert(client, {LONG: GENUINE[LONG][begin : begin + 400]}, appended_at=1_388_534_500_000 + begin)
    insert(client, {chain: rows for chain, rows in GENUINE.items() if chain != LONG})
    helpers = []

    def start(do):
        helper = Meanwhile(do.__name__, login(scratch_store, Role.SCRATCH, "busy"), do)
        helpers.append(helper)
        helper.start()
        return helper

    yield client, start
    for helper in helpers:
        helper.over.set()
        helper.join(60)
    client.close()


def test_merges_rebuilds_and_zombies_meanwhile_are_no_finding(busy):
    client, start = busy
    helpers = [start(do) for do in (optimize, rebuild, write_again)]
    for helper in helpers:
        assert helper.once.wait(60)
    heads = heads_of(GENUINE)
    for recompute in (False, True) * ROUNDS:
        report = check(client, recompute=recompute, heads=heads, views=projections())
        told = {chain.chain: [one.text for one in chain.told()] for chain in report.chains if chain.told()}
        assert (told, report.findings) == ({}, [])
        assert report.verdict is Verdict.HOLDS
        assert report.entries == sum(map(len, GENUINE.values()))
    assert all(helper.ended() > 0 for helper in helpers)
