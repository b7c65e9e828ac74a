"""`modeltrail doctor`: whether broker, topics, store, rights, disks and clocks are fit for an audit trail."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, examples, settings_of

if TYPE_CHECKING:
    from modeltrail.doctor import Finding, Report

__all__ = ["register"]


class StoreUser(StrEnum):
    """What the user of the settings is meant for; the words are those of `doctor.rights.UserRole`."""

    READER = "reader"
    WRITER = "writer"
    MIGRATOR = "migrator"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "doctor",
        epilog=examples("modeltrail doctor", "modeltrail doctor --json", "modeltrail doctor --role writer --no-probe"),
    )(doctor)


def doctor(
    role: Annotated[
        StoreUser | None, typer.Option(help="What the user of the store is meant for; its rights must fit that.")
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Prove append time by records in a topic that is made for it.")
    ] = True,
    config: ConfigOption = None,
    assignments: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Check broker, topics, store, rights, disks and clocks, and say how to mend what is wrong.

    A check that could not look is skipped, never passed. Ends with 0 when nothing failed, 1 when a check failed,
    2 for a refused login or a wrong setting, 5 when broker or store cannot be reached.
    """
    import asyncio

    from modeltrail.doctor import CHECKS, examine
    from modeltrail.doctor.rights import UserRole

    settings = settings_of(config, assignments)
    out = Output(json=json)
    with out.progress("looking at broker and store", total=len(CHECKS), unit="checks") as meter:
        report = asyncio.run(
            examine(
                settings,
                probe=probe,
                role=None if role is None else UserRole(role.value),
                tell=lambda _finding: meter.advance(),
            )
        )
    _show(out, report)
    raise typer.Exit(report.exit_code)


def _show(out: Output, report: "Report") -> None:
    from modeltrail.doctor import Outcome

    out.table(
        ["result", "check", "found"],
        [(finding.outcome.value, finding.check, finding.detail) for finding in report.findings],
    )
    to_mend = [finding for finding in report.findings if finding.outcome in (Outcome.FAIL, Outcome.WARN)]
    if to_mend:
        out.line()
        out.line("What to do", style="bold")
        for finding in sorted(to_mend, key=lambda one: one.outcome is not Outcome.FAIL):
            colour = "red" if finding.outcome is Outcome.FAIL else "yellow"
            out.line(f"{finding.outcome.value}  {finding.check}: {finding.fix}", style=colour)
    out.line()
    words = {Outcome.PASS: "passed", Outcome.WARN: "warned", Outcome.FAIL: "failed", Outcome.SKIPPED: "skipped"}
    out.line(", ".join(f"{report.count(outcome)} {word}" for outcome, word in words.items()))
    out.result(
        {
            "outcome": report.outcome.value,
            "exit_code": report.exit_code,
            **{word: report.count(outcome) for outcome, word in words.items()},
            "checks": [_plain(finding) for finding in report.findings],
        }
    )


def _plain(finding: "Finding") -> dict[str, str]:
    return {
        "check": finding.check,
        "outcome": finding.outcome.value,
        "detail": finding.detail,
        "fix": finding.fix,
    }
