"""`modeltrail config show`: each setting, its value and where the value came from."""

import typer

from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, examples, settings_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    group = typer.Typer(
        name="config",
        help="Show the settings.",
        no_args_is_help=True,
        epilog=examples("modeltrail config show"),
    )
    group.command(
        "show",
        epilog=examples(
            "modeltrail config show",
            "modeltrail config show --config /etc/modeltrail.toml --json",
            "modeltrail config show --set kafka.bootstrap_servers=broker:9092",
        ),
    )(show)
    app.add_typer(group)


def show(config: ConfigOption = None, assignments: SetOption = None, *, json: JsonOption = False) -> None:
    """Print each setting with its value and its source. Secrets are masked."""
    out = Output(json=json)
    settings = settings_of(config, assignments)
    shown = list(settings.shown())
    out.table(["setting", "value", "source"], [(one.name, _text(one.value), one.source) for one in shown])
    out.result({"settings": {one.name: {"value": one.value, "source": one.source} for one in shown}})


def _text(value: object) -> str:
    match value:
        case None:
            return "(not set)"
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(str(part) for part in value) or "(none)"
        case _:
            return str(value)
