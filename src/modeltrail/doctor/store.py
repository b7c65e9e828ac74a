"""ClickHouse, asked in one thread: every statement only reads, or is refused before it could do anything."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from modeltrail.doctor.findings import (
    STORE_CHECKS,
    Finding,
    Findings,
    passed,
    refused,
    skipped,
    warned,
    worst_of,
)
from modeltrail.doctor.ledger_table import judge_ledger_table, judge_schema
from modeltrail.doctor.measures import STORE_DISK_FAIL, STORE_DISK_WARN, ClockReading, judge_clock, judge_disk
from modeltrail.doctor.rights import UserRole, judge_rights
from modeltrail.errors import ModeltrailError, StoreUnavailableError, UnavailableError
from modeltrail.events.registry import REJECTED, topic_name
from modeltrail.settings import Settings
from modeltrail.storage.client import connect
from modeltrail.storage.queries import sql
from modeltrail.storage.server_errors import STORE_FAILURES, error_code, translate

__all__ = ["examine_store"]

CONNECT_S = 3
ANSWER_S = 2
"""Seconds for one statement; after the first that gets no answer nothing more is asked."""

TESTED_WITH = 26
"""Major version of ClickHouse that the tests run on."""

EPOCH_DAYS = 30
REJECTION_DAYS = 30
_CLOCK_LOOKS = 3
_ACCESS_DENIED = 497


class _TooSlowError(StoreUnavailableError):
    """The time for looking is over, and the store has answered all the while."""


class _UntilDeadline:
    """What the checks use of a clickhouse-connect client; refuses to ask anything after the deadline."""

    def __init__(self, client: Any, deadline: float) -> None:
        self._client = client
        self._deadline = deadline
        self.database = ""

    def query(self, *arguments: Any, **options: Any) -> Any:
        self._check()
        return self._client.query(*arguments, **options)

    def command(self, *arguments: Any, **options: Any) -> Any:
        self._check()
        return self._client.command(*arguments, **options)

    def _check(self) -> None:
        if time.monotonic() > self._deadline:
            raise _TooSlowError("ClickHouse answers too slowly to be looked at whole")


def examine_store(settings: Settings, found: Findings, *, role: UserRole | None, deadline: float) -> None:
    """Add a finding for every check of the store; ask nothing more after `deadline` (of `time.monotonic`)."""
    quick = settings.clickhouse.model_copy(
        update={"connect_timeout_s": min(CONNECT_S, settings.clickhouse.connect_timeout_s)}
    )
    try:
        client = connect(quick, database="", answer_timeout_s=ANSWER_S)
    except ModeltrailError as error:
        found.add(refused("store.connection", error))
        found.fill(STORE_CHECKS, "there is no connection to ClickHouse")
        return
    found.add(passed("store.connection", f"{quick.host}:{quick.port}, as user {quick.user}"))
    user = quick.user
    asked = _UntilDeadline(client, deadline)
    of_server = {"store.version": _version, "clock.store": _clock, "store.disk": _disk, "store.inserts": _inserts}
    of_database: dict[str, Callable[[Any], Finding]] = {
        "store.schema": judge_schema,
        "store.ledger_table": lambda asked: judge_ledger_table(asked, settings),
        "store.rights": lambda asked: judge_rights(asked, settings, role),
        "store.epochs": lambda asked: _epochs(asked, settings),
        "store.rejections": lambda asked: _rejections(asked, settings),
    }
    try:
        if _ask(asked, user, found, of_server):
            # Only now: until here the database may be missing.
            client.database = asked.database = quick.database
            _ask(asked, user, found, of_database)
    finally:
        client.close()


def _ask(client: _UntilDeadline, user: str, found: Findings, checks: Mapping[str, Callable[[Any], Finding]]) -> bool:
    """Make the checks; return False, with all others skipped, once nothing more can be asked."""
    for name, check in checks.items():
        try:
            found.add(check(client))
        except (*STORE_FAILURES, ModeltrailError) as failure:
            error = translate(failure, starting=True)
            if isinstance(error, _TooSlowError):
                found.add(warned(name, str(error), "look at its load and at the way to it, then run this again"))
                found.fill(STORE_CHECKS, "ClickHouse answers too slowly")
                return False
            if isinstance(error, UnavailableError):
                found.add(refused(name, error))
                found.fill(STORE_CHECKS, "ClickHouse answers no more")
                return False
            if error_code(failure) == _ACCESS_DENIED:
                found.add(skipped(name, f"user {user} may not look (code {_ACCESS_DENIED})"))
            else:
                found.add(skipped(name, str(error)))
    return True


def _version(client: Any) -> Finding:
    version = client.query(sql("doctor/server")).result_rows[0][0]
    major = version.partition(".")[0]
    if not major.isdecimal() or int(major) < TESTED_WITH:
        return warned(
            "store.version",
            f"ClickHouse {version} is older than {TESTED_WITH}, which this release is tested with",
            f"run ClickHouse {TESTED_WITH} or newer, or try this one with `modeltrail verify` before you rely on it",
        )
    return passed("store.version", f"ClickHouse {version}")


def _clock(client: Any) -> Finding:
    readings = []
    for _look in range(_CLOCK_LOOKS):
        asked = time.time() * 1000
        said = client.query(sql("doctor/clock")).result_rows[0][0]
        readings.append(ClockReading(asked, said, time.time() * 1000))
    return judge_clock("clock.store", "ClickHouse", readings)


def _disk(client: Any) -> Finding:
    rows = client.query(sql("doctor/disks")).result_rows
    if not rows:
        return skipped("store.disk", "ClickHouse tells of no disk with a size")
    parts = [
        judge_disk(
            "store.disk",
            f"disk {name} ({path})",
            free,
            total,
            warn_below=STORE_DISK_WARN,
            fail_below=STORE_DISK_FAIL,
        )
        for name, path, free, total in rows
    ]
    return worst_of("store.disk", parts, otherwise="; ".join(part.detail for part in parts))


def _inserts(client: Any) -> Finding:
    default = dict(client.query(sql("doctor/settings")).result_rows).get("async_insert")
    if default is None:
        return skipped("store.inserts", "ClickHouse does not tell async_insert")
    if default == "1":
        return passed("store.inserts", "async_insert is on by default; workers turn it off for each of their inserts")
    return passed("store.inserts", "async_insert is off by default, as workers want it")


def _epochs(client: Any, settings: Settings) -> Finding:
    since = (time.time_ns() // 1_000_000) - EPOCH_DAYS * 86_400_000
    by_severity = dict(client.query(sql("doctor/epochs"), parameters={"since": since}).result_rows)
    serious = sum(count for severity, count in by_severity.items() if severity != "info")
    quiet = by_severity.get("info", 0)
    if serious:
        return warned(
            "store.epochs",
            f"{serious:,} epochs were opened in the last {EPOCH_DAYS} days because a log was replaced or lost records",
            "see the view open_alerts; for a broker that keeps nothing over a restart set kafka.memory_only = true",
        )
    if quiet and not settings.kafka.memory_only:
        return warned(
            "store.epochs",
            f"{quiet:,} epochs of the last {EPOCH_DAYS} days were noted quietly by a worker with kafka.memory_only, "
            "which is false here",
            "set kafka.memory_only alike for every worker",
        )
    return passed("store.epochs", f"{quiet:,} new epochs in the last {EPOCH_DAYS} days, none of them unexpected")


def _rejections(client: Any, settings: Settings) -> Finding:
    """Count what the contract refused: it is chained and verified like all else, and nobody sees it there."""
    check, when = "store.rejections", f"in the last {REJECTION_DAYS} days"
    since = (time.time_ns() // 1_000_000) - REJECTION_DAYS * 86_400_000
    try:
        rows = client.query(sql("doctor/rejections"), parameters={"since": since}).result_rows
    except STORE_FAILURES as failure:
        error = translate(failure)
        if not isinstance(error, UnavailableError):
            raise
        # It reads every row of those days, and all other questions have had their answers.
        return skipped(check, f"counting what was refused {when} takes more than {ANSWER_S} s ({error})")
    if not rows:
        return passed(check, f"no record was refused by the contract {when}")
    count = sum(records for _, _, records, _ in rows)
    family, _, most, reason = rows[0]
    them = "1 record was" if count == 1 else f"{count:,} records were"
    return warned(
        check,
        f"{them} refused by the contract {when} and {'is' if count == 1 else 'are'} in no typed table, most often "
        f"({most:,}) in {family}: {reason}",
        f"look at the view rejections or the topic {topic_name(REJECTED, settings.topics.prefix)}, and correct the "
        "producer; `modeltrail publish --dry-run FILE` checks events before they are sent",
    )
