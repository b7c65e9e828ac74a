"""A real engine behind its HTTP front, and databases in it that tests do not share."""

from itertools import count

import pytest
from pydantic import SecretStr

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.store_launcher import Store
from modeltrail.ledger.chain import Chain
from modeltrail.settings.model import ClickHouse
from modeltrail.storage import migrations
from modeltrail.storage.client import connect
from tests.storage.maker import ChainMaker

_numbers = count()


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"), scratch=True)
    store.start()
    yield store
    store.stop()


def address_of(store, role, database):
    """Settings for a database, as a role."""
    known = store.credentials[role]
    return ClickHouse(
        host=store.host, port=store.port, user=known.user, password=SecretStr(known.password), database=database
    )


def login(store, role, database):
    """A client of a database, as a role."""
    return connect(address_of(store, role, database))


@pytest.fixture(scope="session")
def address(store):
    """Settings for a database, by default of the role that may do everything."""
    return lambda database, role=Role.SCRATCH: address_of(store, role, database)


@pytest.fixture(scope="session")
def new_database(address):
    """Make a database without a schema; returns its name."""

    def make():
        database = f"t{next(_numbers)}"
        client = connect(address("modeltrail"))
        client.command(f"CREATE DATABASE {database}")
        client.close()
        return database

    return make


@pytest.fixture(scope="session")
def migrated(address, new_database):
    """The name of a database with the shipped schema, shared by tests that use chains of their own."""
    database = new_database()
    client = connect(address(database, Role.MIGRATOR))
    migrations.apply(client)
    client.close()
    return database


@pytest.fixture
def client(address, migrated):
    """May do everything, in the shared database."""
    client = connect(address(migrated))
    yield client
    client.close()


@pytest.fixture
def fresh(address, new_database):
    """May do everything, in a database of its own without a schema."""
    client = connect(address(new_database()))
    yield client
    client.close()


@pytest.fixture
def own(fresh):
    """May do everything, in a database of its own with the shipped schema."""
    migrations.apply(fresh)
    return fresh


@pytest.fixture
def chain():
    """A chain on a cluster of its own."""
    return ChainMaker(Chain(f"cluster{next(_numbers)}", "modeltrail.predictions", 0, 0, 0))
