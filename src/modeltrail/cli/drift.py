"""`modeltrail drift`: look at drift, explain it, compute it again, and test it back."""

import typer

from modeltrail.cli.drift_explain import explain
from modeltrail.cli.drift_history import history, stats, status
from modeltrail.cli.drift_run import BACK_TEST_EXAMPLES, run
from modeltrail.cli.output import examples

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(
        name="drift",
        help="Drift: where models stand, why, and that it can be computed again from the ledger.",
        no_args_is_help=True,
        epilog=examples(
            "modeltrail drift status",
            "modeltrail drift history --model flights-delay --field dep_delay",
            "modeltrail drift explain 3f1c9a --recompute",
        ),
    )
    standing = examples("modeltrail drift status", "modeltrail drift status --model flights-delay --all --windows 52")
    group.command("status", epilog=standing)(status)
    drawing = examples(
        "modeltrail drift history --model flights-delay --field dep_delay",
        "modeltrail drift history --model flights-delay --field dep_delay --segment origin=EWR --statistic ks --table",
        "modeltrail drift history --model flights-delay --field auc",
        "modeltrail drift history --model flights-delay --field auc --segment origin=EWR",
    )
    group.command("history", epilog=drawing)(history)
    explaining = examples("modeltrail drift explain 3f1c9a", "modeltrail drift explain 3f1c9a --recompute --json")
    group.command("explain", epilog=explaining)(explain)
    group.command("run", epilog=BACK_TEST_EXAMPLES)(run)
    group.command("stats", epilog=examples("modeltrail drift stats", "modeltrail drift stats --json"))(stats)
    app.add_typer(group)
