"""What an examination says: one finding for each check, and the exit code that follows."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from modeltrail.errors import (
    AccessError,
    BrokerUnavailableError,
    ModeltrailError,
    StoreUnavailableError,
    UnavailableError,
)

__all__ = [
    "BROKER_CHECKS",
    "CHECKS",
    "LOCAL_CHECKS",
    "STORE_CHECKS",
    "Finding",
    "Findings",
    "Outcome",
    "Report",
    "failed",
    "passed",
    "refused",
    "skipped",
    "warned",
    "worst_of",
]

BROKER_CHECKS = (
    "broker.connection",
    "broker.cluster_id",
    "broker.auto_create",
    "broker.memory_only",
    "topics.exist",
    "topics.cleanup_policy",
    "topics.timestamp_type",
    "topics.append_time",
    "topics.replication",
    "topics.unclean_election",
    "topics.retention",
    "worker.lag",
    "clock.broker",
)
STORE_CHECKS = (
    "store.connection",
    "store.version",
    "store.schema",
    "store.ledger_table",
    "store.rights",
    "store.inserts",
    "store.disk",
    "store.epochs",
    "store.rejections",
    "clock.store",
)
LOCAL_CHECKS = ("local.disk",)
CHECKS = (*BROKER_CHECKS, *STORE_CHECKS, *LOCAL_CHECKS)
"""Every check, in the order of a report. An examination has exactly one finding for each."""

_SHOWN_PARTS = 5


class Outcome(StrEnum):
    """What came of a check."""

    PASS = "pass"  # noqa: S105 - a word, no secret
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"
    """It could not look; the detail says why."""


class Finding(NamedTuple):
    """What one check found. `fix` is one line for a failure or a warning; `exit_code` what it alone would end with."""

    check: str
    outcome: Outcome
    detail: str
    fix: str = ""
    exit_code: int = 0


def passed(check: str, detail: str) -> Finding:
    """Return a finding of something that is as it should be."""
    return Finding(check, Outcome.PASS, detail)


def warned(check: str, detail: str, fix: str) -> Finding:
    """Return a finding of something that works and carries a risk."""
    return Finding(check, Outcome.WARN, detail, fix)


def failed(check: str, detail: str, fix: str, *, exit_code: int = 1) -> Finding:
    """Return a finding of something that must not stay."""
    return Finding(check, Outcome.FAIL, detail, fix, exit_code)


def skipped(check: str, reason: str) -> Finding:
    """Return a finding of nothing: `reason` says why nobody could look."""
    return Finding(check, Outcome.SKIPPED, reason)


def refused(check: str, error: ModeltrailError) -> Finding:
    """Return the failure that an error is which ended an examination; it keeps the error's exit code."""
    match error:
        case BrokerUnavailableError():
            fix = "start the broker, or correct kafka.bootstrap_servers (see `modeltrail config show`)"
        case StoreUnavailableError():
            fix = "start ClickHouse, or correct clickhouse.host and clickhouse.port (see `modeltrail config show`)"
        case UnavailableError():
            fix = "wait until it answers, then run this again"
        case AccessError() if check.startswith("store"):
            fix = "correct clickhouse.user and clickhouse.password (see `modeltrail config show`)"
        case AccessError():
            fix = "correct kafka.username, kafka.password and kafka.sasl_mechanism (see `modeltrail config show`)"
        case _:
            section = "clickhouse" if check.startswith("store") else "kafka"
            fix = f"correct the settings of section {section} (see `modeltrail config show`)"
    return failed(check, str(error), fix, exit_code=error.exit_code)


def worst_of(check: str, parts: Iterable[Finding], *, otherwise: str) -> Finding:
    """Return one finding of many: the worst outcome with all that have it, or a pass with the text `otherwise`.

    A failure is worse than a warning, and that worse than a check that could not look, which is worse than a pass.
    """
    found = list(parts)
    for outcome in (Outcome.FAIL, Outcome.WARN, Outcome.SKIPPED):
        those = [part for part in found if part.outcome is outcome]
        if those:
            fix = "; ".join(dict.fromkeys(_few([part.fix for part in those if part.fix])))
            return Finding(
                check, outcome, "; ".join(_few([part.detail for part in those])), fix, max(p.exit_code for p in those)
            )
    return passed(check, otherwise)


def _few(texts: Sequence[str]) -> list[str]:
    distinct = list(dict.fromkeys(texts))
    more = len(distinct) - _SHOWN_PARTS
    return distinct if more <= 0 else [*distinct[:_SHOWN_PARTS], f"and {more} more"]


class Findings:
    """What has been found so far; `tell` is called with each finding, from the thread that made it."""

    def __init__(self, tell: Callable[[Finding], None] | None = None) -> None:
        self._tell = tell
        self._by_check: dict[str, Finding] = {}

    def add(self, finding: Finding) -> None:
        """Keep a finding. Raises ValueError for a check that is not known or was made before."""
        if finding.check not in CHECKS or finding.check in self._by_check:
            raise ValueError(f"{finding.check}: expected each known check once")
        self._by_check[finding.check] = finding
        if self._tell is not None:
            self._tell(finding)

    def has(self, check: str) -> bool:
        """Return whether the check was made."""
        return check in self._by_check

    def fill(self, checks: Iterable[str], reason: str) -> None:
        """Skip, for `reason`, those of `checks` that have no finding."""
        for check in checks:
            if check not in self._by_check:
                self.add(skipped(check, reason))

    def report(self) -> "Report":
        """Return all findings in the order of CHECKS. Raises KeyError where one is missing."""
        return Report(tuple(self._by_check[check] for check in CHECKS))


class Report(NamedTuple):
    """The findings of one examination, in the order of CHECKS."""

    findings: tuple[Finding, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many checks had this outcome."""
        return sum(finding.outcome is outcome for finding in self.findings)

    @property
    def outcome(self) -> Outcome:
        """The worst outcome; skipped only where nothing at all could be looked at."""
        for outcome in (Outcome.FAIL, Outcome.WARN, Outcome.PASS):
            if self.count(outcome):
                return outcome
        return Outcome.SKIPPED

    @property
    def exit_code(self) -> int:
        """0 without a failure; 2 for configuration, else 5 for what cannot be reached, else 1."""
        codes = {finding.exit_code for finding in self.findings}
        return next((code for code in (2, 5, 1) if code in codes), 0)
