"""One store for all tests that only talk to it; tests that stop or kill one start their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.store_launcher import Store

Connect = Callable[..., Client]


def connect_to(store: Store, role: Role, **options: object) -> Client:
    """A production client for `role`, in the store's database unless `options` name another."""
    user = store.credentials[role]
    wanted = {"database": store.database, "autogenerate_session_id": False, **options}
    return clickhouse_connect.get_client(
        host=store.host, port=store.port, username=user.user, password=user.password, **wanted
    )


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    running = Store(tmp_path_factory.mktemp("store"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def connect(store: Store) -> Connect:
    def connected(role: Role, **options: object) -> Client:
        return connect_to(store, role, **options)

    return connected


@pytest.fixture
def table(connect: Connect, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a fresh table (a UInt64, s String), dropped afterwards."""
    name = f"t_{abs(hash(request.node.nodeid))}"
    migrator = connect(Role.MIGRATOR)
    migrator.command(f"CREATE TABLE {name} (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    yield name
    migrator.command(f"DROP TABLE {name} SYNC")
    migrator.close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside of the store whose content must never come out of it."""
    file = tmp_path / "secret.csv"
    file.write_text("TOPSECRET,1\n")
    return file
