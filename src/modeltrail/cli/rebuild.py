"""`modeltrail rebuild`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, examples, settings_of
from modeltrail.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeltrail.settings import Settings
    from modeltrail.storage.projections import Projection

__all__ = ["register"]

_ANSWER_TIMEOUT_S = 3600


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog=examples("modeltrail rebuild --missing", "modeltrail rebuild --table predictions --dry-run"))
    def rebuild(
        missing: Annotated[
            bool, typer.Option("--missing", help="Only add rows that are missing; leave the others alone.")
        ] = False,
        table: Annotated[str | None, typer.Option(metavar="T", help="One typed table (default: all).")] = None,
        discard: Annotated[
            bool, typer.Option("--discard", help="Drop what an interrupted rebuild left behind, and nothing else.")
        ] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
        config: ConfigOption = None,
        assignments: SetOption = None,
        json: JsonOption = False,
    ) -> None:
        """Make the typed tables anew from the ledger, while workers run; an interrupted rebuild goes on where it was.

        Queries read the old table until the new one is whole. Needs the rights of a migration, and twice the space.
        """
        from modeltrail.storage.rebuild import choose

        if discard and (missing or dry_run):
            raise ConfigurationError("--discard goes with neither --missing nor --dry-run")
        chosen = choose(table)
        settings, output = settings_of(config, assignments), Output(json=json)
        what = "discard" if discard else "missing" if missing else "rebuild"
        _run(settings, output, chosen, what=what, dry_run=dry_run)


def _run(settings: "Settings", output: Output, chosen: "Sequence[Projection]", *, what: str, dry_run: bool) -> None:
    from modeltrail.storage.client import connect, translated
    from modeltrail.storage.migrations import require_current

    client = connect(settings.clickhouse, answer_timeout_s=_ANSWER_TIMEOUT_S)
    try:
        require_current(client)
        with translated(starting=True):
            tables = [_one(client, output, projection, what=what, dry_run=dry_run) for projection in chosen]
    except KeyboardInterrupt:
        if what == "rebuild" and not dry_run:
            output.note("what was rebuilt so far is kept: run it again to go on, or with --discard to drop it")
        raise
    finally:
        client.close()
    output.result({"what": what, "dry_run": dry_run, "tables": tables})


def _one(client: Any, output: Output, projection: "Projection", *, what: str, dry_run: bool) -> dict[str, object]:
    from modeltrail.storage.missing import fill_missing
    from modeltrail.storage.rebuild import discard, plan, rebuild_table
    from modeltrail.storage.schema_lock import SchemaLock

    table = projection.table
    if what == "discard":
        with SchemaLock(client):
            found = discard(client, projection)
        output.line(f"{table}: {'dropped what was left' if found else 'nothing was left'}")
        return {"table": table, "discarded": found}
    if what == "missing":
        with output.progress(f"filling {table}", unit="entries") as meter:
            rows = fill_missing(client, projection, dry_run=dry_run, advance=meter.advance)
        output.line(f"{table}: {rows:,} rows {'are missing' if dry_run else 'added'}")
        return {"table": table, "missing" if dry_run else "added": rows}
    if dry_run:
        planned = plan(client, projection)
        output.line(f"{table}: {planned.rows:,} rows would be made anew")
        return {"table": table, "rows": planned.rows, "entries_of_incomplete_ranges": planned.entries}
    with output.progress(f"rebuilding {table}", unit="entries") as meter, SchemaLock(client) as lock:
        done = rebuild_table(client, lock, projection, advance=meter.advance)
    output.line(f"{table}: {done.rows:,} rows")
    return {"table": table, "rows": done.rows, "entries": done.entries}
