"""The demo as a command: what it proves, and what it leaves behind."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modeltrail.cli.drift_recompute import recompute_check
from modeltrail.ledger.heads import parse_heads
from modeltrail.settings import load
from modeltrail.storage.client import connect
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import read_checks
from tests.demo.processes import Command, alive, listens, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

EVENTS = 124_122
"""What the producer publishes: two months of flights."""

ADDRESS = re.compile(r"127\.0\.0\.1:\d+")


def _addresses(command: Command) -> set[str]:
    return {address for line in (*command.out, *command.err) for address in ADDRESS.findall(line)}


@pytest.mark.timeout(900)  # it ends with computing every check again
def test_the_fast_demo_publishes_chains_verifies_and_finds_every_forgery(tmp_path: Path) -> None:
    with Command("demo", "--fast", "--json", cwd=tmp_path) as command:
        assert command.ends(seconds=300) == 0, command.told()
        assert not any(listens(address) for address in _addresses(command))
    assert len(command.out) == 1
    outcome = json.loads(command.out[0])
    assert outcome["verified"] is True
    assert outcome["tampers_found"] == 3
    assert outcome["rejected"] == 7
    assert outcome["events"] == EVENTS
    assert outcome["windows"] == 10
    assert outcome["checks"] == 20
    assert outcome["alerts"] == 1
    assert outcome["recomputed"] is True
    assert outcome["entries"] == EVENTS + outcome["checks"] + outcome["alerts"]
    assert outcome["chains"] == 15
    assert outcome["seconds"] > 0
    directory = Path(outcome["directory"])
    assert directory == tmp_path / "modeltrail-demo"
    assert sum(head.seq + 1 for head in parse_heads((directory / "heads.txt").read_text())) == outcome["entries"]
    assert (directory / "modeltrail.toml").stat().st_mode & 0o077 == 0
    assert not (directory / "scratch").exists()
    told = "".join(command.err)
    assert "SIGKILL to worker 2" in told
    # The week in which air traffic controllers were furloughed: the model was wrong, and its inputs looked calm.
    assert re.search(r"critical +`error_rate` is 0\.177, .* 2013-04-22 to 2013-04-29", told)
    assert "identical, to the last digit" in told
    assert "constraint record_hash_follows_from_record" in told
    _the_commands_that_it_suggests_work(tmp_path, command)


def _the_commands_that_it_suggests_work(cwd: Path, command: Command) -> None:
    suggested = [line.strip().split()[1:] for line in command.err if line.startswith("   modeltrail ")]
    assert [words[0] for words in suggested] == ["up", "verify", "drift", "entry"]
    with Command(*suggested[0], cwd=cwd) as up:
        up.wait_for("Ready")
        for words in suggested[1:]:
            ran = subprocess.run(
                [sys.executable, "-m", "modeltrail.cli.main", *words],
                cwd=cwd,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert ran.returncode == 0, ran.stdout + ran.stderr
        _every_check_is_the_same_when_computed_again(cwd / "modeltrail-demo" / "modeltrail.toml")
        up.signal(signal.SIGINT)
        assert up.ends(seconds=60) == 0


def _every_check_is_the_same_when_computed_again(settings: Path) -> None:
    client = connect(load(settings, environ={}).clickhouse)
    try:
        reader = Reader(client)
        ids = [row[0] for row in client.query("SELECT DISTINCT check_id FROM checks").result_rows]
        again = [recompute_check(reader, check) for check in read_checks(reader, ids).values()]
    finally:
        client.close()
    assert len(again) == 20
    assert sum(each.alerts for each in again) == 1
    assert [(each.check_id, each.found) for each in again if not each.identical] == []


@pytest.mark.parametrize(
    "moment",
    [
        "broker",
        "published",
        "Tamper",
        *(
            pytest.param(moment, marks=pytest.mark.full)
            for moment in ("Modeltrail demo", "schema", "kill", "What drifted")
        ),
    ],
)
def test_ctrl_c_leaves_no_process_and_no_port(tmp_path: Path, moment: str) -> None:
    with Command("demo", "--fast", "--remove", "--json", cwd=tmp_path) as command:
        command.wait_for(moment, seconds=300)
        command.signal(signal.SIGINT)
        assert command.ends(seconds=30) == 130, command.told()
        until(lambda: not any(map(alive, command.started)), seconds=10, what="the end of every process")
        assert not any(listens(address) for address in _addresses(command))
    assert json.loads(command.out[-1])["error"]["exit_code"] == 130
    assert not (tmp_path / "modeltrail-demo").exists()


def test_nothing_outlives_a_demo_that_was_killed(tmp_path: Path) -> None:
    with Command("demo", "--fast", cwd=tmp_path) as command:
        command.wait_for("published")
        command.signal(signal.SIGKILL)
        command.ends(seconds=30)
        assert len(command.started) >= 5
        until(lambda: not any(map(alive, command.started)), seconds=40, what="the end of every process")
