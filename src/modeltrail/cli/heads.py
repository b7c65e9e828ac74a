"""`modeltrail heads`: the last entry of each chain, to be kept where nobody who writes the ledger can."""

import typer

from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, examples, settings_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "heads",
        epilog=examples("modeltrail heads > heads-2026-01-31.txt", "modeltrail verify --heads heads-2026-01-31.txt"),
    )(heads)


def heads(config: ConfigOption = None, set_: SetOption = None, json: JsonOption = False) -> None:
    """Print the head of every chain, as a file to keep elsewhere.

    Whoever can rewrite the ledger can link a chain again up to its end; only a head that was kept outside shows it.
    """
    from modeltrail.storage.client import connect
    from modeltrail.storage.verify_heads import read_heads
    from modeltrail.storage.verify_reader import LedgerReader

    settings = settings_of(config, set_)
    client = connect(settings.clickhouse)
    try:
        kept = read_heads(LedgerReader(client))
    finally:
        client.close()
    out = Output(json=json)
    if json:
        out.result(
            {"heads": [{"chain": head.chain, "seq": head.seq, "entry_hash": head.entry_hash.hex()} for head in kept]}
        )
        return
    from modeltrail.ledger.heads import format_heads

    typer.echo(format_heads(kept), nl=False)
