"""`modeltrail up`."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from modeltrail.cli.options import JsonOption, examples
from modeltrail.cli.output import Output

__all__ = ["register"]


class BrokerKind(StrEnum):
    """Which broker is started."""

    TANSU = "tansu"
    APACHE = "apache"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=examples("modeltrail up", "modeltrail up --dir ledger --broker apache --workers 2"))(up)


def up(
    directory: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where everything is kept; a restart goes on with it.")
    ] = Path("modeltrail-data"),
    *,
    broker: Annotated[
        BrokerKind, typer.Option(help="tansu keeps its log in memory only; apache needs Java 17 and Maven.")
    ] = BrokerKind.TANSU,
    workers: Annotated[int, typer.Option(min=1, max=16, help="How many ledger workers, each a process.")] = 1,
    kafka_port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port of the broker (default: a free one).")
    ] = None,
    clickhouse_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="HTTP port of the store (0: a free one).")
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Start a broker, a store and a worker of each role on this machine, and keep them until Ctrl-C.

    For development: everything listens on 127.0.0.1. With --json the addresses are printed in one line once all of it
    is ready. Ctrl-C lets the workers finish what was published, then stops; a second one stops at once.
    """
    from modeltrail.demo.directory import mark_as_used
    from modeltrail.demo.installation import Installation
    from modeltrail.demo.interrupts import interruptible
    from modeltrail.demo.keeping import addresses, finish, keep, start
    from modeltrail.demo.screen import Screen

    screen = Screen(json=json)
    screen.title(
        "Modeltrail on this machine", "For development: loopback addresses only, one directory; Ctrl-C stops it."
    )
    _same_broker(directory, broker)
    installation = Installation(directory, broker=broker.value, kafka_port=kafka_port, clickhouse_port=clickhouse_port)
    try:
        with interruptible():
            mark_as_used(installation.directory)
            start(installation, screen, workers=workers)
        Output(json=json).result(addresses(installation))
        shown = _near(installation.directory)
        screen.gap()
        screen.paragraph("Ready. In another terminal:", style="bold")
        screen.commands(
            [
                (f"export MODELTRAIL_CONFIG={shown}/modeltrail.toml", "addresses and password, for all that follows"),
                ("modeltrail publish events.jsonl", "publish events, one JSON object a line"),
                ("modeltrail verify", "verify the ledger; `modeltrail heads > heads.txt` keeps its heads"),
            ]
        )
        store = installation.stack.clickhouse
        screen.paragraph(f"SQL: {store.url}, user reader; passwords in {shown}/clickhouse/credentials.json")
        screen.gap()
        try:
            with interruptible():
                keep(installation, screen)
        except KeyboardInterrupt:
            with interruptible():
                finish(installation, screen)
    finally:
        installation.kill()


def _same_broker(directory: Path, broker: BrokerKind) -> None:
    """Refuse a memory-only broker in a directory whose log is on disk: what is published would not be kept."""
    from modeltrail.errors import ConfigurationError

    if broker is BrokerKind.TANSU and (directory / "kafka" / "data").exists():
        raise ConfigurationError(
            f"{directory} was begun with --broker apache, whose log is kept on disk: go on with it,"
            " or name another directory by --dir"
        )


def _near(directory: Path) -> str:
    """Return the shorter way to a directory: from here, unless that leads upwards."""
    relative = os.path.relpath(directory)
    return str(directory) if relative.startswith("..") else relative
