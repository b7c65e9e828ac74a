"""Small parts of the demo: its directory, its numbers, what it hears from the producer."""

import resource
import sys
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import OperationalError

from modeltrail.demo.directory import DEFAULT_DIRECTORY, claim_directory, is_untouched_demo, mark_as_used
from modeltrail.demo.installation import Installation
from modeltrail.demo.producer_process import Message, ProducerProcess, format_message
from modeltrail.demo.progress import Look, Rates
from modeltrail.embedded.credentials import Role
from modeltrail.embedded.directory import DirectoryLock
from modeltrail.errors import ConfigurationError, ModeltrailError, UnavailableError
from tests.demo.processes import until
from tests.embedded.conftest import connect_to


def test_a_demo_replaces_an_earlier_demo(tmp_path: Path) -> None:
    directory = claim_directory(tmp_path / "demo")
    (directory / "clickhouse").mkdir()
    (directory / "clickhouse" / "data").write_text("old")
    (directory / "heads.txt").write_text("old")
    assert claim_directory(tmp_path / "demo") == directory
    assert sorted(entry.name for entry in directory.iterdir()) == ["demo", "lock"]


def test_a_demo_never_removes_what_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigurationError, match="holds more than a demo"):
        claim_directory(tmp_path / "data")
    assert (tmp_path / "data" / "thesis.txt").read_text() == "years of work"


def test_a_demo_that_was_used_since_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = claim_directory(None)
    assert first.name == DEFAULT_DIRECTORY.name
    assert claim_directory(None) == first
    mark_as_used(first)
    assert not is_untouched_demo(first)
    assert claim_directory(None).name == f"{DEFAULT_DIRECTORY.name}-2"


def test_a_directory_in_use_is_refused_when_named_and_passed_over_when_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = claim_directory(None)
    lock = DirectoryLock(first, what="somebody")
    try:
        with pytest.raises(ConfigurationError, match="is in use by process"):
            claim_directory(first)
        assert claim_directory(None) != first
    finally:
        lock.release()


def test_a_symbolic_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("kept")
    directory = claim_directory(tmp_path / "demo")
    (directory / "link").symlink_to(tmp_path / "elsewhere")
    claim_directory(directory)
    assert (tmp_path / "elsewhere" / "kept").exists()
    assert not (directory / "link").exists()


def test_rates_are_over_the_last_seconds_only() -> None:
    rates = Rates(window_s=2.0)
    assert rates.add(0.0, 0, 0) == (0.0, 0.0)
    assert rates.add(1.0, 100, 10) == (100.0, 10.0)
    assert rates.add(2.0, 200, 10) == (100.0, 5.0)
    rates.add(3.0, 200, 10)
    assert rates.add(4.0, 200, 10) == (0.0, 0.0)


def test_lag_is_what_is_published_and_not_chained() -> None:
    look = Look(
        at=0.0,
        ends={("t", 0): 10, ("t", 1): 5, ("t", 2): 0},
        chained={("t", 0): 7, ("t", 1): 5},
        entries=12,
        chains=2,
        typed_rows=12,
    )
    assert (look.published, look.lag, look.behind) == (15, 3, {("t", 0): 3})


def test_a_look_without_some_topics_counts_the_others() -> None:
    look = Look(
        at=0.0,
        ends={("predictions", 0): 10, ("checks", 0): 4},
        chained={("predictions", 0): 10, ("checks", 0): 3},
        entries=13,
        chains=2,
        typed_rows=13,
        entries_of={("predictions", 0): 10, ("checks", 0): 3},
    )
    rest = look.without({"checks"})
    assert (look.lag, look.entries_in("checks")) == (1, 3)
    assert (rest.published, rest.entries, rest.lag, rest.entries_in("checks")) == (10, 10, 0, 0)


def _producer_that_runs(tmp_path: Path, program: str) -> ProducerProcess:
    producer = ProducerProcess(tmp_path, "127.0.0.1:1", (3,), {})
    producer._child.argv[:] = [sys.executable, "-c", program]
    return producer


def test_the_producer_is_heard_line_by_line(tmp_path: Path) -> None:
    lines = [
        format_message("plan", {"events": 9, "poison": 2, "windows": 3, "types": {}}),
        "a warning of some library\n",
        format_message("published", {"events": 4}),
        format_message("done", {"events": 9, "seconds": 1.5}),
    ]
    producer = _producer_that_runs(tmp_path, f"import sys; sys.stdout.write({''.join(lines)!r})")
    producer.start()
    heard: list[Message] = []
    try:
        until(lambda: heard.extend(producer.poll()) or producer.done, seconds=20, what="the end")
    finally:
        producer.kill()  # it may still be on its way out
    assert [message.step for message in heard] == ["plan", "published", "done"]
    assert (producer.total, producer.poison, producer.windows, producer.published) == (9, 2, 3, 9)
    assert heard[-1].said == {"events": 9, "seconds": 1.5}


def test_a_producer_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    producer = _producer_that_runs(tmp_path, "import sys; sys.exit('modeltrail: the broker is gone')")
    producer.start()

    def fails() -> bool:
        try:
            producer.poll()
        except ModeltrailError:
            return True
        return False

    until(fails, seconds=20, what="the failure")
    with pytest.raises(ModeltrailError, match=r"exit code 1 .*\n.*the broker is gone"):
        producer.poll()


def test_a_store_that_ended_is_told_with_its_reason(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "demo")
    try:
        store = installation.stack.clickhouse
        installation.stack.broker.start()
        store.start()
        installation.check()
        client = connect_to(store, Role.MIGRATOR)
        client.command("CREATE TABLE full (a UInt64) ENGINE = MergeTree ORDER BY a")
        resource.prlimit(store.pid, resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))  # as a disk that is full
        with pytest.raises(OperationalError):
            client.command("INSERT INTO full SELECT rand64(number) FROM numbers(100_000)")
        until(lambda: not store.running, seconds=10, what="the end of the store")
        with pytest.raises(
            UnavailableError, match=r"ended by itself \(log: .*\):\n(.*\n)*.*no space, or a failing disk"
        ):
            installation.check()
    finally:
        installation.kill()
