"""`modeltrail up`: starts, keeps, finishes, and goes on with the same ledger."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo.processes import Command, alive, listens, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EVENT = {
    "type": "modeltrail.run.started.v1",
    "source": "urn:example:test",
    "actor": "test",
    "data": {"run_id": "r-1", "engine": "test", "mode": "test", "trigger": "manual"},
}


def _up(tmp_path: Path, *more: str) -> Command:
    return Command("up", "--dir", "ledger", "--json", *more, cwd=tmp_path)


def _ready(command: Command) -> dict:
    until(lambda: bool(command.out) or command.process.poll() is not None, seconds=90, what="the addresses")
    assert command.out, command.told()
    return json.loads(command.out[0])


def _modeltrail(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "modeltrail.cli.main", *arguments],
        cwd=tmp_path,
        env=os.environ | {"MODELTRAIL_CONFIG": str(tmp_path / "ledger" / "modeltrail.toml")},
        capture_output=True,
        text=True,
        timeout=60,
    )


def _publish(tmp_path: Path, number: int) -> None:
    lines = "".join(json.dumps(EVENT | {"id": f"event-{i}"}) + "\n" for i in range(number))
    (tmp_path / "events.jsonl").write_text(lines)
    assert _modeltrail(tmp_path, "publish", "events.jsonl").returncode == 0


def test_the_ledger_survives_a_restart_and_goes_on_in_a_new_epoch(tmp_path: Path) -> None:
    with _up(tmp_path) as command:
        addresses = _ready(command)
        assert (tmp_path / "ledger" / "modeltrail.toml").stat().st_mode & 0o077 == 0
        _publish(tmp_path, 200)
        # At once: what was published has to be chained before the broker forgets it.
        command.signal(signal.SIGINT)
        assert command.ends(seconds=90) == 0, command.told()
        assert not listens(addresses["bootstrap_servers"])
        assert not any(map(alive, command.started))
    with _up(tmp_path) as command:
        _ready(command)
        assert "1 chains are there already" in "".join(command.err)
        _publish(tmp_path, 3)
        until(lambda: len(_chains(tmp_path)) >= 2, seconds=60, what="the chain of the new epoch")
        verified = _modeltrail(tmp_path, "verify", "--json")
        assert verified.returncode == 0, verified.stdout
        runs = [chain for chain in _chains(tmp_path) if "modeltrail.runs/" in chain["chain"]]
        assert [chain["entries"] for chain in runs] == [200, 3]
        assert runs[1]["chain"].endswith("/1-0")
        command.signal(signal.SIGTERM)
        assert command.ends(seconds=90) == 0, command.told()


def _chains(tmp_path: Path) -> list[dict]:
    return json.loads(_modeltrail(tmp_path, "verify", "--json").stdout)["chains"]


def test_a_worker_that_dies_is_started_again(tmp_path: Path) -> None:
    with _up(tmp_path) as command:
        pid = _ready(command)["workers"][0]["pid"]
        # One that dies right after its start would be given up.
        until(lambda: _age(pid) > 21, seconds=40, what="a worker that has lived for a while")
        os.kill(pid, signal.SIGKILL)
        command.wait_for("starting it again")
        _publish(tmp_path, 5)
        until(lambda: _entries(tmp_path) == 5, seconds=60, what="5 entries")
        command.signal(signal.SIGINT)
        assert command.ends(seconds=90) == 0, command.told()


def _age(pid: int) -> float:
    started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return float(Path("/proc/uptime").read_text().split()[0]) - started


def _entries(tmp_path: Path) -> int:
    return json.loads(_modeltrail(tmp_path, "verify", "--json").stdout).get("entries", 0)


def test_a_directory_in_use_and_a_port_in_use_are_said_in_one_line(tmp_path: Path) -> None:
    with _up(tmp_path) as command:
        address = _ready(command)["bootstrap_servers"]
        second = _modeltrail(tmp_path, "up", "--dir", "ledger")
        assert second.returncode == 2
        assert f"is in use by process {command.process.pid}" in second.stderr
        third = _modeltrail(tmp_path, "up", "--dir", "other", "--kafka-port", address.rpartition(":")[2])
        assert third.returncode == 2
        assert "is in use by another program" in third.stderr
        # Twice at once: the second one must not break the putting away.
        command.signal(signal.SIGINT)
        command.signal(signal.SIGINT)
        assert command.ends(seconds=60) in {0, 130}
        until(lambda: not any(map(alive, command.started)), seconds=10, what="the end of every process")
