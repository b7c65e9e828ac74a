"""A store in which the ledger can be tampered with."""

import pytest

from modeltrail.embedded.store_launcher import Store
from modeltrail.storage.projections import projections
from tests.integration.verification.scratch import scratch_database


@pytest.fixture(scope="session")
def scratch_store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"), scratch=True)
    store.start()
    yield store
    store.stop()


@pytest.fixture(scope="session")
def scratch(scratch_store):
    client = scratch_database(scratch_store, "scratch", whole=False)
    yield client
    client.close()


@pytest.fixture
def ledger(scratch):
    """An empty ledger table that takes anything, without its typed tables."""
    scratch.command("TRUNCATE TABLE ledger")
    scratch.command("SYSTEM STOP MERGES ledger")
    return scratch


@pytest.fixture(scope="session")
def typed_database(scratch_store):
    client = scratch_database(scratch_store, "typed", whole=True)
    yield client
    client.close()


@pytest.fixture
def typed(typed_database):
    """An empty ledger table that takes anything, with the typed tables that its views fill."""
    for table in ("ledger", *sorted({view.table for view in projections()})):
        typed_database.command(f"TRUNCATE TABLE {table}")
    return typed_database
