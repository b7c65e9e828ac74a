"""`modeltrail demo`."""

import json as json_text
import sys
from pathlib import Path
from typing import Annotated

import typer

from modeltrail.cli.options import JsonOption, examples

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=examples("modeltrail demo", "modeltrail demo --fast --json"))(demo)


def demo(
    directory: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where everything is kept (default: modeltrail-demo)."),
    ] = None,
    *,
    fast: Annotated[bool, typer.Option("--fast", help="Two months of flights instead of ten: about a minute.")] = False,
    keep: Annotated[bool, typer.Option("--keep/--remove", help="Keep the directory at the end, or remove it.")] = True,
    json: JsonOption = False,
) -> None:
    """Real flights, a real model, a real broker and store: publish, kill a worker, verify, tamper, find it.

    Everything runs on this machine, on free ports of 127.0.0.1, in one directory. Ctrl-C ends all of it.
    """
    from modeltrail.demo.screen import Screen

    screen = Screen(json=json)
    screen.title(
        "Modeltrail demo: what a model did, in a ledger that shows every later change",
        "Everything runs on this machine and ends with this command; Ctrl-C ends it at once.",
    )
    from modeltrail.demo.interrupts import interruptible
    from modeltrail.demo.story import Demo

    with interruptible():
        outcome = Demo(screen, directory=directory, fast=fast, keep=keep).run()
    if json:
        sys.stdout.write(json_text.dumps(outcome.as_json(), separators=(",", ":")) + "\n")
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)
