"""Commands run as users run them: in processes of their own, with an environment of their own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.sdk.conftest import own_broker, place, shared_broker

__all__ = ["Outcome", "modeltrail", "own_broker", "place", "shared_broker"]


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def document(self):
        """What --json prints: the last line of stdout."""
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture
def modeltrail(tmp_path):
    """Run a command in an empty directory, without settings of whoever runs the tests."""

    def run(*arguments, env=None, data=None, script=None) -> Outcome:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MODELTRAIL_")}
        command = ["-c", script] if script else ["-m", "modeltrail.cli.main"]
        done = subprocess.run(
            [sys.executable, *command, *arguments],
            cwd=tmp_path, env={**clean, **(env or {})}, input=data, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
