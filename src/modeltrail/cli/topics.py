"""`modeltrail topics create`: the topics of an installation."""

import asyncio

import typer

from modeltrail.cli.options import ConfigOption, JsonOption, SetOption, examples, settings_of
from modeltrail.cli.output import Output

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    group = typer.Typer(
        name="topics",
        help="The topics of an installation.",
        no_args_is_help=True,
        epilog=examples("modeltrail topics create"),
    )
    group.command("create", epilog=examples("modeltrail topics create", "modeltrail topics create --json"))(create)
    app.add_typer(group)


def create(config: ConfigOption = None, assignments: SetOption = None, *, json: JsonOption = False) -> None:
    """Create the topics that are missing, with append time, never compacted; those that exist stay as they are."""
    from modeltrail.streaming.topics import create_topics

    settings = settings_of(config, assignments)
    out = Output(json=json)
    created = asyncio.run(create_topics(settings))
    for name, partitions in created.items():
        out.line(f"created {name} with {partitions} partition{'s' if partitions > 1 else ''}")
    if not created:
        out.line("all topics are there")
    out.result({"created": created})
