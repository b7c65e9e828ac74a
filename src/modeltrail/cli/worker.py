"""`modeltrail worker`: chain records and store them."""

from enum import StrEnum
from typing import Annotated

import typer

from modeltrail.cli.options import ConfigOption, JsonOption, SetOption, examples, settings_of
from modeltrail.cli.output import Output

__all__ = ["register"]


class Role(StrEnum):
    """What a worker does."""

    LEDGER = "ledger"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "worker",
        epilog=examples(
            "modeltrail worker --role ledger",
            "modeltrail worker --config /etc/modeltrail.toml --set worker.http_port=0",
        ),
    )(worker)


def worker(
    role: Annotated[Role, typer.Option(help="What this worker does.")] = Role.LEDGER,
    config: ConfigOption = None,
    assignments: SetOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Chain every record of the audited topics and store it, until SIGINT or SIGTERM.

    Several workers share the partitions. Health and metrics are served on worker.http_port.
    """
    import asyncio

    from modeltrail.streaming.logs import configure_logs
    from modeltrail.streaming.worker import run_worker

    settings = settings_of(config, assignments)
    configure_logs(settings.log.level, settings.log.format)
    out = Output(json=json)

    def ready(address: str) -> None:
        if json:
            out.record({"role": role.value, "ready": True, "http": address})

    asyncio.run(run_worker(settings, on_ready=ready))
    out.result({"role": role.value, "stopped": True})
