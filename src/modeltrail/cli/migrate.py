"""`modeltrail migrate`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, examples, settings_of
from modeltrail.errors import SchemaVersionError

if TYPE_CHECKING:
    from modeltrail.settings import Settings
    from modeltrail.storage.migration_files import Migration

__all__ = ["register"]

_ANSWER_TIMEOUT_S = 300


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog=examples("modeltrail migrate --dry-run", "modeltrail migrate --config modeltrail.toml"))
    def migrate(
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Say what would be applied, and change nothing.")
        ] = False,
        config: ConfigOption = None,
        assignments: SetOption = None,
        json: JsonOption = False,
    ) -> None:
        """Bring the schema in ClickHouse to what this release needs. Forward only; may run twice, and on two machines.

        Needs a user who may create databases, tables and views; a worker needs no such right.
        """
        _run(settings_of(config, assignments), Output(json=json), dry_run=dry_run)


def _run(settings: "Settings", output: Output, *, dry_run: bool) -> None:
    from modeltrail.storage import migrations
    from modeltrail.storage.client import connect
    from modeltrail.storage.migration_files import load

    shipped = load()
    created = False
    if dry_run:
        try:
            client = connect(settings.clickhouse)
        except SchemaVersionError:
            _tell(output, settings, shipped, shipped, created=True, unfilled=False, dry_run=True)
            return
    else:
        created = migrations.create_database(settings.clickhouse)
        client = connect(settings.clickhouse, answer_timeout_s=_ANSWER_TIMEOUT_S)
    try:
        with output.progress("applying migrations", unit="statements") as meter:
            applied = migrations.apply(client, dry_run=dry_run, progress=lambda _migration, _position: meter.advance())
        unfilled = not dry_run and _needs_filling(client, applied)
    finally:
        client.close()
    _tell(output, settings, shipped, applied, created=created, unfilled=unfilled, dry_run=dry_run)


def _needs_filling(client: Any, applied: "list[Migration]") -> bool:
    """Return whether a view was made over a ledger that held entries already."""
    from modeltrail.storage.client import translated
    from modeltrail.storage.projections import parse_projections

    if not parse_projections(applied):
        return False
    with translated(starting=True):
        return bool(client.query("SELECT 1 FROM ledger LIMIT 1").result_rows)


def _tell(
    output: Output,
    settings: "Settings",
    shipped: "list[Migration]",
    applied: "list[Migration]",
    *,
    created: bool,
    unfilled: bool,
    dry_run: bool,
) -> None:
    database = settings.clickhouse.database
    would = "would be " if dry_run else ""
    if created:
        output.line(f"database {database}: {would}created")
    for migration in applied:
        output.line(f"{migration}: {would}applied")
    if not applied:
        output.line(f"the schema of {database} is current ({len(shipped)} migrations)")
    if unfilled:
        output.warning("typed tables were added to a ledger that holds entries: run `modeltrail rebuild --missing`")
    output.result(
        {
            "database": database,
            "database_created": created,
            "applied": [str(migration) for migration in applied],
            "migrations": len(shipped),
            "dry_run": dry_run,
            "rebuild_needed": unfilled,
        }
    )
