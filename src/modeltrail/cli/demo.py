"""`modeltrail demo`."""

import json as json_text
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
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
    fast: Annotated[bool, typer.Option("--fast", help="Two months of flights instead of ten: under a minute.")] = False,
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
    from modeltrail.demo.story import Demo

    with ended_by_signals():
        outcome = Demo(screen, directory=directory, fast=fast, keep=keep).run()
    if json:
        sys.stdout.write(json_text.dumps(outcome.as_json(), separators=(",", ":")) + "\n")
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does: by KeyboardInterrupt, so that everything is put away."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        # One is enough: a second one must not interrupt the putting away.
        for number in known:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    known = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, interrupt) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
