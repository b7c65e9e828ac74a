"""Options that commands share, so that they are spelt and explained alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modeltrail.errors import ConfigurationError

if TYPE_CHECKING:
    from modeltrail.settings import Settings

__all__ = ["ConfigOption", "JsonOption", "SetOption", "examples", "settings_of"]

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings file (default: modeltrail.toml of this directory, if it is there)."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One setting, before file and environment; may be repeated."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, the last line on stdout; errors as JSON too.")
]


def examples(*lines: str) -> str:
    """Return the epilog of a command: its examples, one a line."""
    return "\n\n".join(["[bold]Examples[/bold]", *(line.replace("[", "\\[") for line in lines)])


def settings_of(config: Path | None, assignments: Sequence[str] | None = None) -> "Settings":
    """Load the settings for a command from its --config and --set.

    Raises ConfigurationError as `settings.load` does, and for a --set that is not NAME=VALUE.
    """
    from modeltrail.settings import load

    overrides: dict[str, object] = {}
    for assignment in assignments or ():
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise ConfigurationError(
                f"--set {assignment!r}: must be NAME=VALUE, as in kafka.bootstrap_servers=host:9092"
            )
        overrides[name.strip()] = value
    return load(config, overrides)
