"""Workers that die, freeze, come back, come and go: the ledger equals an undisturbed run of the same log."""

import pytest

from tests.faults.conftest import doomed
from tests.faults.exact import assert_undisturbed, finish
from tests.integration.events_for_tests import POISON, predictions
from tests.integration.installation import until

pytestmark = pytest.mark.kafka

BAD = [POISON["not json"], POISON["deep"], POISON["header name not utf-8"]]


def batch(count, start):
    """Valid records with a few bad ones among them."""
    records = predictions(count, start)
    for at, bad in enumerate(BAD):
        records.insert(7 + 11 * at, bad)
    return records


async def test_a_worker_killed_after_an_insert(install):
    here = install()
    worker = doomed(here, "insert.after:1:kill")
    await here.produce(batch(200, 0))
    await until(lambda: not worker.alive, what="the worker is dead")
    assert worker.process.returncode == -9
    worker = here.worker()
    await finish(here, worker)
    await assert_undisturbed(here)
