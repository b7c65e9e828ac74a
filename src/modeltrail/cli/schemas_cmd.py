"""`modeltrail schemas export`: the contract as JSON Schemas and an AsyncAPI document."""

from pathlib import Path
from typing import Annotated

import typer

from modeltrail.cli.options import JsonOption, examples
from modeltrail.cli.output import Output
from modeltrail.errors import ConfigurationError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    group = typer.Typer(
        name="schemas",
        help="The contract of the events, for other programs.",
        no_args_is_help=True,
        epilog=examples("modeltrail schemas export"),
    )
    group.command("export", epilog=examples("modeltrail schemas export", "modeltrail schemas export docs --check"))(
        export
    )
    app.add_typer(group)


def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are.")] = Path("schemas"),
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file is not current.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a JSON Schema of each event type and an AsyncAPI document of all topics."""
    from modeltrail.events import schemas

    out = Output(json=json)
    if check:
        stale = schemas.check(directory)
        for path in stale:
            out.line(f"not current: {path}", style="red")
        if not stale:
            out.line(f"all files in {directory} are current")
        out.result({"directory": str(directory), "current": not stale, "stale": [str(path) for path in stale]})
        if stale:
            raise typer.Exit(1)
        return
    try:
        written = schemas.export(directory)
    except OSError as error:
        raise ConfigurationError(f"{error.filename or directory}: cannot be written: {error.strerror}") from error
    out.line(f"{len(written)} files written to {directory}")
    out.result({"directory": str(directory), "written": [str(path) for path in written]})
