"""`modeltrail bench`: what it costs on this machine, beside what else could be done."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, examples, settings_of
from modeltrail.errors import ConfigurationError

if TYPE_CHECKING:
    from modeltrail.bench.bed import Ground
    from modeltrail.bench.ingest import Stage

__all__ = ["register"]

InstalledOption = Annotated[
    bool,
    typer.Option("--installed", help="Use the broker and the store of the settings, not ones started for this."),
]
DirectoryOption = Annotated[
    Path | None,
    typer.Option("--dir", metavar="DIR", help="Where broker and store keep their data (default: a temporary one)."),
]

bench = typer.Typer(
    help="Measure speed and memory on this machine. What is compared runs in the same run, in interleaved rounds.",
    no_args_is_help=True,
    epilog=examples("modeltrail bench ingest --events 200000 --rounds 1", "modeltrail bench verify --json"),
)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(bench, name="bench")


@bench.command(
    epilog=examples("modeltrail bench ingest", "modeltrail bench ingest --transactions 100 --json"),
)
def ingest(
    events: Annotated[int, typer.Option(min=60_000, help="Predictions of about 370 bytes.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Each measures the worker and both peers; medians are told.")] = 3,
    partitions: Annotated[int, typer.Option(min=1, max=1000, help="Partitions of the topic.")] = 4,
    transactions: Annotated[
        int, typer.Option(min=0, metavar="N", help="Publish in transactions of N records; 0: without.")
    ] = 0,
    installed: InstalledOption = False,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """From a filled topic to durable in the ledger, by one worker; beside it a plain consumer and stock Faust."""
    from modeltrail.bench.ingest import IngestPlan, measure_ingest

    out = Output(json=json)
    plan = IngestPlan(events, rounds, partitions, transactions)
    with _ground(out, directory, installed=installed, config=config, set_=set_) as (ground, stage):
        figures = measure_ingest(ground, plan, stage)
    out.table(
        ["", "events/s", "CPU us an event"],
        [
            ("modeltrail worker", round(figures["events_per_s"]), round(figures["cpu_us_per_event"], 1)),
            (
                "getmany loop, does nothing",
                round(figures["getmany_events_per_s"]),
                round(figures["getmany_cpu_us_per_event"], 1),
            ),
            (
                "stock Faust, does nothing",
                round(figures["stock_faust_events_per_s"]),
                round(figures["stock_faust_cpu_us_per_event"], 1),
            ),
        ],
    )
    out.line(
        f"{figures['ratio_to_stock_faust']:.1f} times the rate of stock Faust; "
        f"{figures['cpu_ratio_to_getmany']:.1f} times the CPU of a getmany loop; "
        f"{figures['store_cpu_us_per_event']:.1f} us an event in the store; "
        f"at most {figures['rss_mb_max']:.0f} MB in the worker."
    )
    out.result(figures)


@bench.command(epilog=examples("modeltrail bench verify", "modeltrail bench verify --entries 200000 --rounds 1 --json"))
def verify(
    entries: Annotated[int, typer.Option(min=60_000, help="Entries of the ledger that is verified.")] = 2_000_000,
    rounds: Annotated[
        int, typer.Option(min=1, help="Each verifies in ClickHouse and in Python; medians are told.")
    ] = 3,
    installed: InstalledOption = False,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Verify a ledger that a worker has just made, in ClickHouse and in Python; beside it SHA-256 alone."""
    from modeltrail.bench.verify import VerifyPlan, measure_verify

    out = Output(json=json)
    with _ground(out, directory, installed=installed, config=config, set_=set_) as (ground, stage):
        figures = measure_verify(ground, VerifyPlan(entries, rounds), stage)
    out.table(
        ["", "entries/s", "times the ingest", "memory MB"],
        [
            (
                "in ClickHouse",
                round(figures["sql_entries_per_s"]),
                round(figures["sql_ratio_to_ingest"], 1),
                round(figures["sql_store_mb_max"]),
            ),
            (
                "in Python (--recompute)",
                round(figures["python_entries_per_s"]),
                round(figures["python_ratio_to_ingest"], 1),
                round(figures["rss_mb_max"]),
            ),
            ("the worker made it", round(figures["ingest_events_per_s"]), 1.0, None),
            ("SHA-256 alone, one core", round(figures["sha256_limit_entries_per_s"]), None, None),
        ],
    )
    out.result(figures)


@bench.command(
    epilog=examples("modeltrail bench scale", "modeltrail bench scale --events 100000 --millions 0,1 --json")
)
def scale(
    events: Annotated[int, typer.Option(min=60_000, help="Events of each step.")] = 300_000,
    partitions: Annotated[str, typer.Option(metavar="N,...", help="Partitions of the topic.")] = "4,16,64",
    millions: Annotated[
        str, typer.Option(metavar="N,...", help="Million entries that the ledger has before.")
    ] = "0,5,20",
    workers: Annotated[str, typer.Option(metavar="N,...", help="Workers on 16 partitions.")] = "1,2",
    installed: InstalledOption = False,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """What an event costs with more partitions, a larger ledger, a second worker: one is varied at a time."""
    from modeltrail.bench.scale import ScalePlan, measure_scale

    out = Output(json=json)
    plan = ScalePlan(
        events, _numbers("--partitions", partitions), _numbers("--millions", millions), _numbers("--workers", workers)
    )
    with _ground(out, directory, installed=installed, config=config, set_=set_) as (ground, stage):
        figures = measure_scale(ground, plan, stage)
    steps = figures["steps"]
    longest = max(step["cpu_us_per_event"] + step["store_cpu_us_per_event"] for step in steps)
    out.table(
        ["partitions", "million entries", "workers", "events/s", "worker us", "store us", "MB", "CPU an event"],
        [
            (
                *(step[name] for name in _SCALE_COLUMNS),
                "#" * round(_BAR * (step["cpu_us_per_event"] + step["store_cpu_us_per_event"]) / longest),
            )
            for step in steps
        ],
    )
    out.result(figures)


@bench.command(epilog=examples("modeltrail bench drift", "modeltrail bench drift --rows 100000 --rounds 1 --json"))
def drift(
    rows: Annotated[int, typer.Option(min=1000, help="Rows of the window that is checked in memory.")] = 1_000_000,
    fields: Annotated[int, typer.Option(min=1, max=100, help="Fields that are compared, here and there.")] = 20,
    events: Annotated[int, typer.Option(min=60_000, help="Predictions that are chained and watched.")] = 300_000,
    rounds: Annotated[int, typer.Option(min=1, help="Each measures everything once; medians are told.")] = 3,
    installed: InstalledOption = False,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """What a check costs beside Evidently and scipy, and what it costs the ingest that all fields are watched."""
    from modeltrail.bench.drift import CheckPlan, measure_check
    from modeltrail.bench.drift_stream import StreamPlan, measure_stream

    out = Output(json=json)
    with _ground(out, directory, installed=installed, config=config, set_=set_) as (ground, stage):
        figures = measure_check(CheckPlan(rows, fields, rounds=rounds), stage)
        figures |= measure_stream(ground, StreamPlan(events, rounds, fields=fields), stage)
    out.table(
        [f"{fields} fields of {rows:,} rows", "s", "times ours"],
        [
            ("a whole check", figures["check_s"], 1.0),
            ("Evidently, its default report", figures["evidently_s"], figures["ratio_to_evidently"]),
            ("scipy, ks_2samp alone", figures["scipy_s"], figures["ratio_to_scipy"]),
        ],
    )
    if skipped := figures.get("evidently_skipped"):
        out.line(f"Evidently was skipped: {skipped}")
    out.table(
        ["", "events/s", "share"],
        [
            ("ledger alone", round(figures["ingest_events_per_s"]), 1.0),
            (
                f"and {fields} fields watched",
                round(figures["ingest_with_drift_events_per_s"]),
                round(figures["ingest_share_with_drift"], 2),
            ),
        ],
    )
    out.line(
        f"Watching costs {figures['us_per_event']:.1f} us of CPU an event, worker and store together; the last check "
        f"came {figures['behind_s']:.1f} s after the last block."
    )
    out.result(figures)


@bench.command(
    name="drift-quality",
    epilog=examples(
        "modeltrail bench drift-quality", "modeltrail bench drift-quality --windows 200 --changes 40 --json"
    ),
)
def drift_quality(
    windows: Annotated[int, typer.Option(min=10, help="Windows of each length in which nothing happens.")] = 1000,
    changes: Annotated[int, typer.Option(min=5, help="Changes of each kind, at each length of a window.")] = 100,
    rows: Annotated[str, typer.Option(metavar="N,...", help="Rows of a window.")] = "200,1000,5000",
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same figures.")] = 1,
    json: JsonOption = False,
) -> None:
    """How often the drift policy cries wolf, and what it finds; beside it the defaults of others, on the same data."""
    from modeltrail.bench.drift_quality import QualityPlan, measure_quality
    from modeltrail.demo.interrupts import interruptible

    out = Output(json=json)
    lengths = _numbers("--rows", rows)
    for length in lengths:
        if length < 50 or length % 5:  # sessions of five
            raise ConfigurationError(f"--rows {length}: expected multiples of 5 from 50")
    with interruptible(), ExitStack() as shown:

        def stage(what: str, total: int) -> Callable[[int], None]:
            shown.close()
            return shown.enter_context(out.progress(what, total=total, unit="windows")).advance

        figures = measure_quality(QualityPlan(windows, changes, lengths, seed), stage)
    for kind, title in (
        ("false_raises", f"False raises per 1,000 windows x 20 features, at {rows} rows a window"),
        ("alerts", "Of these, alerts that people are sent"),
        ("power", f"Changes found within three windows, at {rows} rows a window"),
        ("alert_power", "Changes that people are told of within three windows"),
    ):
        _quality_table(out, title, kind, figures["cells"])
    out.line(
        f"Default policy: at most {figures['false_raises_default_max']:.2g} false raises where nothing happens; "
        f"{figures['power_default']:.0%} of all changes found."
    )
    out.result(figures)


@bench.command(
    name="drift-memory",
    epilog=examples(
        "modeltrail bench drift-memory",
        "modeltrail bench drift-memory --models 0 --window 20000000 --outcomes 10000000 --json",
    ),
)
def drift_memory(
    models: Annotated[int, typer.Option(min=0, max=1000, help="Models that are watched at once; 0: skip.")] = 10,
    fields: Annotated[int, typer.Option(min=1, max=100, help="Monitored fields of each.")] = 100,
    panes: Annotated[int, typer.Option(min=1, max=1000, help="Sliding windows of each that are open.")] = 60,
    rows: Annotated[str, typer.Option(metavar="N,...", help="Predictions of a model a pane, one run each.")] = "25,100",
    window: Annotated[int, typer.Option(min=0, help="Predictions of 20 fields in one window; 0: skip.")] = 2_000_000,
    learned: Annotated[int, typer.Option(min=0, help="Of them, those that a baseline is learned from.")] = 500_000,
    outcomes: Annotated[int, typer.Option(min=0, help="Predictions with an outcome in one window; 0: skip.")] = 500_000,
    installed: InstalledOption = False,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """What the watch holds in memory: by models, fields and open windows, and for one window of millions of rows."""
    from modeltrail.bench.drift_memory import MemoryPlan, measure_memory
    from modeltrail.bench.drift_window import PARTITIONS, WindowPlan, measure_window

    out = Output(json=json)
    plan = WindowPlan(window, outcomes=outcomes, learned=learned)
    for option, number in (("--window", window), ("--learned", learned), ("--outcomes", outcomes)):
        if number % PARTITIONS or 0 < number < plan.least:
            raise ConfigurationError(f"{option} {number}: expected 0, or a multiple of {PARTITIONS} from {plan.least}")
    figures: dict[str, Any] = {}
    with _ground(out, directory, installed=installed, config=config, set_=set_) as (ground, stage):
        if models:
            figures |= measure_memory(ground, MemoryPlan(models, fields, panes, _numbers("--rows", rows)), stage)
        figures["windows"] = list(measure_window(ground, plan, stage))
    if models:
        out.table(
            ["events", "checks", "worker MB", "store MB"],
            [(run["events"], run["checks"], run["rss_mb_max"], run["store_mb_max"]) for run in figures["runs"]],
            title=f"{models} models of {fields} monitored fields, {panes} open windows each",
        )
    out.table(
        ["one window", "rows", "s", "worker MB", "store MB"],
        [
            (each["work"], each["rows"], each["seconds"], each["rss_mb_max"], each["store_mb_max"])
            for each in figures["windows"]
        ],
    )
    out.result(figures)


def _quality_table(out: Output, title: str, kind: str, cells: list[dict[str, Any]]) -> None:
    """Print one figure: policies in rows, worlds in columns, the lengths of windows within a cell."""
    told = [cell for cell in cells if kind in cell]
    worlds = list(dict.fromkeys(cell["world"] for cell in told))
    form = "{:.1f}" if kind in ("false_raises", "alerts") else "{:.2f}"
    body = [
        [policy]
        + [
            " / ".join(form.format(c[kind]) for c in told if c["policy"] == policy and c["world"] == world)
            for world in worlds
        ]
        for policy in dict.fromkeys(cell["policy"] for cell in told)
    ]
    out.table(["", *worlds], body, title=title)


_BAR = 40
_SCALE_COLUMNS = (
    "partitions", "ledger_millions", "workers", "events_per_s", "cpu_us_per_event", "store_cpu_us_per_event",
    "rss_mb_max",
)  # fmt: skip


def _numbers(option: str, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise ConfigurationError(f"{option} {text!r}: expected whole numbers with commas between, as in 4,16,64")
    return [int(part) for part in parts]


@contextmanager
def _ground(
    out: Output, directory: Path | None, *, installed: bool, config: Path | None, set_: list[str] | None
) -> Iterator[tuple["Ground", "Stage"]]:
    """What the benchmark runs on, and how it tells its progress; all of it ends with the block, also on Ctrl-C."""
    from modeltrail.bench.bed import ground
    from modeltrail.demo.interrupts import interruptible

    shown = ExitStack()

    def stage(what: str, total: int) -> Callable[[int], None]:
        shown.close()
        return shown.enter_context(out.progress(what, total=total, unit="events")).advance

    settings = settings_of(config, set_) if installed else None
    with interruptible(), ground(settings, directory) as prepared, shown:
        yield prepared, stage
