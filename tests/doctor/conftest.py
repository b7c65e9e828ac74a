"""Examinations of real installations; broker, store and installation are those of the integration tests."""

import pytest

from modeltrail.doctor import CHECKS, Report, examine
from modeltrail.embedded.credentials import Role
from modeltrail.settings import load
from tests.integration.conftest import installation, on_apache, stack
from tests.integration.installation import Installation

__all__ = ["doctor", "embedded", "installation", "on_apache", "shared", "stack"]


@pytest.fixture(scope="module")
def shared(stacks, tmp_path_factory):
    """One installation on the embedded broker for all tests of a file that only look."""
    with Installation(stacks("tansu"), tmp_path_factory.mktemp("shared")) as prepared:
        yield prepared


@pytest.fixture
def embedded(stacks, tmp_path):
    """An installation of its own on the embedded broker, for a test that changes it."""
    with Installation(stacks("tansu"), tmp_path) as prepared:
        yield prepared


class Seen:
    """A report by the names of its checks."""

    def __init__(self, report: Report):
        self.report = report
        self.by_check = {finding.check: finding for finding in report.findings}
        assert list(self.by_check) == list(CHECKS)

    def __getitem__(self, check):
        return self.by_check[check]

    def outcome(self, check):
        return self[check].outcome.value

    def with_outcome(self, outcome):
        return {check for check, finding in self.by_check.items() if finding.outcome == outcome}


@pytest.fixture
def doctor():
    """Examine an installation as one of the store's users, with settings of its own."""

    async def look(installation, *, user=Role.WRITER, probe=True, role=None, **own):
        env = installation.env(user, **own)
        settings = load(environ={name: value for name, value in env.items() if name.startswith("MODELTRAIL_")})
        return Seen(await examine(settings, probe=probe, role=role, directory=installation.directory))

    return look
