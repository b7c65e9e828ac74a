"""Stop, kill and restart of the store: what was acknowledged is there again, on the same port."""

import contextlib
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from modeltrail.embedded.credentials import Role
from modeltrail.embedded.directory import free_port
from modeltrail.embedded.store_launcher import Store
from modeltrail.errors import ConfigurationError
from tests.demo.processes import until

from .conftest import connect_to
from .test_process import ended


@pytest.fixture
def own_store(tmp_path):
    started = Store(tmp_path / "store")
    started.start()
    yield started
    started.kill()


def count(store, table="kept"):
    return connect_to(store, Role.READER).command(f"SELECT count() FROM {table}")


def fill(store, rows=1000, database="modeltrail"):
    migrator = connect_to(store, Role.MIGRATOR, database=database)
    migrator.command("CREATE TABLE IF NOT EXISTS kept (a UInt64) ENGINE = MergeTree ORDER BY a")
    migrator.command(f"INSERT INTO kept SELECT number FROM numbers({rows})")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_was_written_is_there_after_a_restart_on_the_same_port(own_store, end):
    fill(own_store)
    port, password = own_store.port, own_store.credentials[Role.READER].password
    for _ in range(2):
        getattr(own_store, end)()
        assert not own_store.running
        own_store.start()
        assert (own_store.port, own_store.credentials[Role.READER].password) == (port, password)
        assert count(own_store) == 1000


def test_tables_in_the_default_database_survive_too(own_store):
    fill(own_store, database="default")
    for end in (own_store.kill, own_store.stop, own_store.kill):
        end()
        own_store.start()
        assert count(own_store, "default.kept") == 1000


def test_another_launcher_finds_the_same_tables(own_store):
    fill(own_store)
    own_store.stop()
    other = Store(own_store.directory)
    other.start()
    assert count(other) == 1000
    other.stop()


def test_a_stop_waits_for_the_running_insert(own_store):
    fill(own_store, rows=0)
    auditor = connect_to(own_store, Role.AUDITOR)
    failed = []

    def write():
        try:
            connect_to(own_store, Role.WRITER).command(
                "INSERT INTO kept SELECT number + sleepEachRow(0.01) FROM numbers(100) SETTINGS max_block_size = 10"
            )
        except DatabaseError as error:
            failed.append(error)

    writing = threading.Thread(target=write)
    writing.start()
    seen = 0
    while not seen and writing.is_alive():
        seen = auditor.command("SELECT count() FROM system.processes WHERE query LIKE 'INSERT%sleepEachRow%'")
    assert seen == 1
    own_store.stop()
    writing.join()
    assert not failed
    own_store.start()
    assert count(own_store) == 100


def test_a_second_process_on_the_directory_is_told_so_in_one_line(own_store):
    with pytest.raises(ConfigurationError, match=f"is in use by process {own_store.pid}") as refused:
        Store(own_store.directory).start()
    assert len(str(refused.value).splitlines()) == 1
    assert own_store.running
    assert connect_to(own_store, Role.READER).command("SELECT 1") == 1


def test_a_taken_port_is_said_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is in use") as refused:
            Store(tmp_path / "store", port=port).start()
    assert len(str(refused.value).splitlines()) == 1


def test_a_directory_that_is_a_file_is_said_in_one_line(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(ConfigurationError, match="there is a file of that name") as refused:
        Store(tmp_path / "store")
    assert len(str(refused.value).splitlines()) == 1


def test_a_given_port_is_used(tmp_path):
    started = Store(tmp_path / "store", port=free_port())
    started.start()
    assert connect_to(started, Role.READER).command("SELECT 1") == 1
    started.stop()


def test_damaged_credentials_are_said_in_one_line(own_store):
    own_store.stop()
    (own_store.directory / "credentials.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="remove it to have new ones drawn"):
        own_store.start()


def test_passwords_are_for_the_owner_only_and_differ(own_store, tmp_path):
    file = own_store.directory / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    stored = json.loads(file.read_text())
    assert len({entry["password"] for entry in stored.values()}) == len(stored) == 5
    assert "password='" not in repr(own_store.credentials)


def test_a_store_for_tampering_has_a_user_who_may_do_everything(tmp_path, secret):
    scratch = Store(tmp_path / "store", scratch=True)
    scratch.start()
    client = connect_to(scratch, Role.SCRATCH)
    fill(scratch)
    client.command("ALTER TABLE kept DELETE WHERE a < 10 SETTINGS mutations_sync = 2")
    assert count(scratch) == 990
    assert client.raw_query(f"SELECT * FROM file('{secret}', CSV)") == b"TOPSECRET\t1\n"
    assert "may do everything" in scratch.log_file.read_text()
    with pytest.raises(DatabaseError):
        connect_to(scratch, Role.READER).command("DROP TABLE kept")
    scratch.stop()


def test_the_first_line_says_what_it_is_for(own_store):
    (line,) = own_store.log_file.read_text().splitlines()
    assert "for development" in line
    assert own_store.url in line


def by_hand(directory, *options):
    return subprocess.Popen(
        [sys.executable, "-m", "modeltrail.embedded.store", "--dir", str(directory), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_started_by_hand_it_says_its_address_and_ends_on_a_signal(tmp_path, number):
    with by_hand(tmp_path / "store") as process:
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""


def test_started_by_hand_a_problem_is_one_line_and_exit_code_2(own_store):
    with by_hand(own_store.directory) as process:
        assert process.wait(timeout=30) == 2
        assert len(process.stderr.read().splitlines()) == 1


def test_it_ends_with_the_process_that_started_it(tmp_path):
    code = (
        "import sys; from pathlib import Path; from modeltrail.embedded.store_launcher import Store;"
        "s = Store(Path(sys.argv[1])); s.start(); print(s.pid, s.port, flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "store")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        pid, port = map(int, parent.stdout.readline().split())
        parent.kill()
        parent.wait(timeout=20)
        assert ended(pid)
    with pytest.raises(ConnectionRefusedError), contextlib.closing(socket.create_connection(("127.0.0.1", port))):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission_is_said_in_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="no permission"):
        Store(tmp_path / "store")


def test_an_insert_whose_write_is_refused_is_not_answered_and_its_torn_part_is_set_aside(own_store):
    """The engine itself goes on, and says that the rows are stored, when the system refuses to write them."""
    fill(own_store)
    writer = connect_to(own_store, Role.WRITER)
    resource.prlimit(own_store.pid, resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))  # as a disk that is full
    with pytest.raises(OperationalError):
        writer.command("INSERT INTO kept SELECT rand64(number) FROM numbers(1_000_000)")
    own_store.stop()
    assert "writes of the engine (no space, or a failing disk): the local store ends" in own_store.log_file.read_text()
    own_store.start()
    assert count(own_store) == 1000
    fill(own_store)
    assert count(own_store) == 2000


def test_a_merge_whose_write_is_refused_ends_the_store_although_nobody_asks_it_anything(tmp_path):
    """What it was made of is kept for some minutes: whoever starts the store again in time loses nothing."""
    store = Store(tmp_path / "store", scratch=True)
    store.start()
    try:
        client = connect_to(store, Role.SCRATCH)
        client.command("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY tuple()")
        client.command("SYSTEM STOP MERGES kept")
        for _ in range(12):
            client.command("INSERT INTO kept SELECT rand64(number) FROM numbers(6_000)")  # 48 kB that stay as large
        resource.prlimit(store.pid, resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))
        client.command("SYSTEM START MERGES kept")
        until(lambda: not store.running, seconds=60, what="the end of the store")
        assert "the local store ends" in store.log_file.read_text()
        store.start()
        assert count(store) == 12 * 6_000
    finally:
        store.kill()
