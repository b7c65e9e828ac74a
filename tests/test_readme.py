"""What the README tells people to type is run, in its order, in an empty folder."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")


def blocks(kind):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [block for its_kind, block in fenced if its_kind == kind]


def test_the_two_commands_stand_alone_on_their_lines_and_first():
    commands = [line for line in TEXT.splitlines() if line.startswith("python3 -m venv")]
    assert commands == [
        "python3 -m venv .venv && .venv/bin/pip install '.[embedded]' && .venv/bin/modeltrail demo",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest",
    ]
    assert blocks("")[0].strip() == commands[0]


def test_ci_runs_the_test_command_of_the_readme():
    script = (README.parent / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"grep -m1 -E '([^']+)' README.md", script)[1]
    assert [line for line in TEXT.splitlines() if re.match(pattern, line)] == [
        "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest"
    ]


def test_every_file_that_the_readme_names_is_there():
    for name in re.findall(r"`((?:src|tests|schemas)/[\w./-]+|\w+\.md|docker-compose\.yml)`", TEXT):
        assert (README.parent / name).exists(), name


@pytest.fixture
def tour(tmp_path):
    """`modeltrail up` as the README starts it; yields the environment of the other terminal."""
    programs = Path(sys.executable).parent
    env = {k: v for k, v in os.environ.items() if not k.startswith("MODELTRAIL_")}
    env["PATH"] = f"{programs}:{env['PATH']}"
    [command] = [line[2:] for line in blocks("console")[0].splitlines() if line.startswith("$ ")]
    with (tmp_path / "up.log").open("wb") as log:
        up = subprocess.Popen(command.split(), cwd=tmp_path, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 90
        while b"Ready" not in (tmp_path / "up.log").read_bytes():
            assert up.poll() is None, (tmp_path / "up.log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "up.log").read_text()
            time.sleep(0.1)
        yield env
    finally:
        up.send_signal(signal.SIGINT)
        assert up.wait(60) == 0, (tmp_path / "up.log").read_text()


@pytest.mark.slow
def test_the_tour(tour, tmp_path):
    publish, verify, watch = blocks("sh")
    env = tour | {"MODELTRAIL_CONFIG": "tour/modeltrail.toml"}

    def run(*command, text=None):
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, input=text, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "3 published, 0 failed" in run("bash", "-eu", "-c", publish)
    snippet, notebook = blocks("python")
    assert re.fullmatch(r"\S+/modeltrail\.predictions/\d/0-0 \d+", run(sys.executable, "-", text=snippet).strip())
    deadline = time.monotonic() + 60
    while sum(int(line.split()[1]) + 1 for line in run("modeltrail", "heads").splitlines()[1:]) < 4:
        assert time.monotonic() < deadline, "four events were published, and not all of them are chained"
        time.sleep(0.2)
    verified = run("bash", "-eu", "-c", verify)
    assert "VERIFIED: all of it holds." in verified
    _the_watch(run, watch)
    _says(run(sys.executable, "-", text=notebook), next(block for block in blocks("") if block.startswith("stable ")))


def _the_watch(run, script):
    made = run("bash", "-eu", "-c", script)
    assert "2,500 published, 0 failed" in made
    _says(made, next(block for block in blocks("") if block.startswith("field ")))
    shown = {command: rest for command, _, rest in (block[2:].partition("\n") for block in blocks("console"))}
    alerts = next(command for command in shown if "alerts list" in command)
    explain = next(command for command in shown if "explain" in command)
    deadline = time.monotonic() + 60
    while "3 alerts" not in (found := run(*alerts.split())):
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    _says(found, shown[alerts])
    # Which entry closes a window, and so the id of the check, is another one in each ledger.
    _says(run(*explain.split()), re.sub(r"(?m)^check \w+: ", "", shown[explain]))


def _says(output, block):
    """Each line of a block of the README stands in the output, however wide its columns are."""
    said = " ".join(output.split())
    for line in block.splitlines():
        assert " ".join(line.split()) in said, output
