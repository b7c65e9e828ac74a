"""`modeltrail worker`: chain records and store them, or watch models."""

from enum import StrEnum
from typing import Annotated

import typer

from modeltrail.cli.options import ConfigOption, JsonOption, SetOption, examples, settings_of
from modeltrail.cli.output import Output

__all__ = ["register"]


class Role(StrEnum):
    """What a worker does."""

    LEDGER = "ledger"
    DRIFT = "drift"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "worker",
        epilog=examples(
            "modeltrail worker --role ledger",
            "modeltrail worker --role drift",
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
    """Do one part of the service until SIGINT or SIGTERM: chain and store records, or watch models for drift.

    The role ledger chains every record of the audited topics; the role drift reads the ledger and publishes checks
    and alerts. Several workers of a role share its work. Health and metrics are served on worker.http_port, and on
    drift.http_port.
    """
    import asyncio

    from modeltrail.streaming.logs import configure_logs

    settings = settings_of(config, assignments)
    configure_logs(settings.log.level, settings.log.format)
    out = Output(json=json)

    def ready(address: str) -> None:
        if json:
            out.record({"role": role.value, "ready": True, "http": address})

    if role is Role.DRIFT:
        from modeltrail.streaming.drift_worker import run_drift_worker

        asyncio.run(run_drift_worker(settings, on_ready=ready))
    else:
        from modeltrail.streaming.worker import run_worker

        asyncio.run(run_worker(settings, on_ready=ready))
    out.result({"role": role.value, "stopped": True})
