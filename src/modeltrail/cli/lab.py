"""`modeltrail lab`: the commit protocol, or the live watch, in a simulated world, from seeds."""

import time
from collections.abc import Collection
from typing import Annotated

import typer

from modeltrail.cli.output import JsonOption, Output, examples
from modeltrail.errors import ConfigurationError

__all__ = ["register"]

_LINES = 60
"""Lines of a trace that are shown of a run that failed."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        epilog=examples(
            "modeltrail lab --seeds 2000 --jobs 2",
            "modeltrail lab --from 1404 --seeds 1 --liveness --trace",
            "modeltrail lab --seeds 5000 --bug believe-a-gap",
            "modeltrail lab --watch --seeds 300 --jobs 2",
        )
    )
    def lab(
        seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="How many seeds to run.")] = 200,
        first: Annotated[int, typer.Option("--from", metavar="SEED", min=0, help="The first seed.")] = 0,
        safety: Annotated[
            bool, typer.Option("--safety", help="Only runs in which every process is killed at the end.")
        ] = False,
        liveness: Annotated[
            bool, typer.Option("--liveness", help="Only runs in which the processes that are left must converge.")
        ] = False,
        watch: Annotated[
            bool, typer.Option("--watch", help="The live watch instead: every run must publish the same checks.")
        ] = False,
        jobs: Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="Processes.")] = 1,
        bug: Annotated[
            str | None, typer.Option("--bug", metavar="NAME", help="Put a deliberate mistake in, to see it found.")
        ] = None,
        trace: Annotated[
            bool, typer.Option("--trace", help="Show all of a run: of the failed one, or of one seed.")
        ] = False,
        json: JsonOption = False,
    ) -> None:
        """Run the ledger's commit protocol in a simulated world, from seeds, with faults of every kind.

        Kafka, ClickHouse, clocks and several workers are simulated in one event loop in virtual time; the protocol is
        the real one. After each run the ledger must be what the log demands. A seed always makes the same run. Ends
        with 1 at the first run in which something does not hold, with the line that repeats it.

        With --watch, workers that watch for drift are killed, frozen and cut off instead; what they publish must be
        what the whole log gives when it is folded at once.
        """
        modes = [name for name, wanted in (("safety", safety), ("liveness", liveness)) if wanted]
        if watch and modes:
            raise ConfigurationError(f"--watch: expected without --{modes[0]}, which is about the commit protocol")
        modes = ["watch"] if watch else modes
        _run(Output(json=json), range(first, first + seeds), modes or ["safety", "liveness"], jobs, bug, trace=trace)


def _run(out: Output, seeds: range, modes: list[str], jobs: int, bug: str | None, *, trace: bool) -> None:
    from modeltrail.lab.bugs import BUGS
    from modeltrail.lab.drift.bugs import BUGS as WATCH_BUGS
    from modeltrail.lab.many import play_many, replay

    known: Collection[str] = WATCH_BUGS if modes == ["watch"] else BUGS
    if bug is not None and bug not in known:
        raise ConfigurationError(f"--bug {bug!r}: there are {', '.join(known)}")
    began = time.monotonic()
    with out.progress("Simulating", total=len(seeds) * len(modes), unit="runs") as meter:
        tally = play_many(seeds, modes=modes, bug=bug, jobs=jobs, progress=meter.advance)
    took = time.monotonic() - began
    kind = "checks" if modes == ["watch"] else "chains"
    document: dict[str, object] = {
        "from": seeds.start,
        "seeds": len(seeds),
        "modes": modes,
        "runs": tally.runs,
        "steps": tally.steps,
        "entries": tally.rows,
        kind: tally.chains,
        "simulated_seconds": round(tally.seconds),
        "seconds": round(took, 1),
        "tolerated": dict(sorted(tally.tolerated.items())),
        "failed": None,
    }
    shown = tally.failed
    if shown is None and trace and len(seeds) == 1:
        shown = replay(seeds.start, modes[-1], None)
        for line in shown.trace:
            out.note(line)
        shown = None
    out.line(
        f"{tally.runs:,} runs, {tally.rows:,} entries in {tally.chains:,} {kind}, {tally.seconds / 3600:,.1f} simulated"
        f" hours, {tally.steps:,} steps in {took:.1f} s"
    )
    for what, times in sorted(tally.tolerated.items()):
        out.line(f"  by design: {what}: {times:,}")
    if shown is None:
        out.line("Everything held.", style="bold green")
        out.result(document)
        return
    again = f"modeltrail lab --from {shown.seed} --seeds 1 --{shown.mode}" + (f" --bug {bug}" if bug else "")
    lines = replay(shown.seed, shown.mode, bug).trace
    for line in lines if trace else lines[-_LINES:]:
        out.note(line)
    out.line(f"FAILED at seed {shown.seed} ({shown.mode}): {shown.problem}", style="bold red")
    out.line(f"Repeat it: {again} --trace")
    document["failed"] = {"seed": shown.seed, "mode": shown.mode, "problem": shown.problem, "repeat": again}
    out.result(document)
    raise typer.Exit(1)
