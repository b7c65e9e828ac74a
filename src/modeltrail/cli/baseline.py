"""`modeltrail baseline`: what a model's fields looked like when all was well."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli.amounts import day_text, moment_of, time_text
from modeltrail.cli.drift_publish import ActorOption, SourceOption, place, publish_one
from modeltrail.cli.option_errors import named_by_options
from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, counted, examples, settings_of
from modeltrail.errors import ConfigurationError

if TYPE_CHECKING:
    from modeltrail.drift.baselines.baseline import Baseline
    from modeltrail.events.baselines import BaselineField, BaselineRegistered
    from modeltrail.settings import Settings

__all__ = ["register", "show_baseline"]

_SOURCE = "modeltrail/cli"
_SHOWN_SHORT = 12


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(
        name="baseline",
        help="Baselines: what a model's fields looked like when all was well. A baseline never changes; it is"
        " addressed by the SHA-256 of its content.",
        no_args_is_help=True,
        epilog=examples(
            "modeltrail baseline add --model flights-delay --version 1.0.0 --from training.parquet",
            "modeltrail baseline list",
        ),
    )
    group.command(
        "add",
        epilog=examples(
            "modeltrail baseline add --model flights-delay --version 1.0.0 --from training.parquet --time departed",
            "modeltrail baseline add --model flights-delay --version 1.0.0 --from holdout.csv --role p_late=score"
            " --outcome late --positive late --segment origin",
            "modeltrail baseline add --model flights-delay --version 1.0.0 --ledger --since 2013-01-01"
            " --until 2013-03-01",
            "modeltrail baseline add --model flights-delay --version 1.0.0 --from training.parquet --dry-run --json",
        ),
    )(add)
    group.command(
        "list", epilog=examples("modeltrail baseline list", "modeltrail baseline list --model flights-delay")
    )(list_baselines)
    group.command("show", epilog=examples("modeltrail baseline show flights-delay-2013"))(show)
    app.add_typer(group)


def add(
    model: Annotated[str, typer.Option("--model", metavar="MODEL", help="The model.")],
    version: Annotated[str, typer.Option("--version", metavar="VERSION", help="The version of the model.")],
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="A sample: .parquet, .csv or .csv.gz, one prediction a row."),
    ] = None,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Take the predictions that were recorded, with --since and --until.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="With --ledger: event time of the first prediction.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="With --ledger: event time after the last one.")
    ] = None,
    baseline_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Name of the baseline (default: its SHA-256).")
    ] = None,
    roles: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="COLUMN=ROLE",
            help="What a column is: feature, prediction, score, label, confidence, stratum, outcome, time or ignore"
            " (default: by its name, else a feature); may be repeated.",
        ),
    ] = None,
    segments: Annotated[
        list[str] | None,
        typer.Option(
            "--segment", metavar="NAME", help="A feature or stratum that monitors may split by; may be repeated."
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            "--time", metavar="COLUMN", help="Column of the event time: how much fields wobble anyway is learned."
        ),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", metavar="COLUMN", help="Column of what turned out to be true.")
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option("--positive", metavar="LABEL", help="The class that scores speak of, as --outcome spells it."),
    ] = None,
    categorical: Annotated[
        list[str] | None,
        typer.Option("--categorical", metavar="COLUMN", help="A feature whose numbers are codes; may be repeated."),
    ] = None,
    chunk_rows: Annotated[
        int | None,
        typer.Option(
            "--chunk-rows",
            metavar="N",
            min=2,
            help="Rows a window will have: wobble is learned from chunks of so many (default: a tenth of all).",
        ),
    ] = None,
    training: Annotated[bool, typer.Option("--training", help="The sample is the training set.")] = False,
    actor: ActorOption = None,
    source: SourceOption = _SOURCE,
    config: ConfigOption = None,
    set_: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Make it, show it, and publish nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a baseline from a sample or from what was recorded, and publish it.

    Returns once it is durable. It is in force for windows that close after it was chained. With --dry-run --json the
    whole baseline is printed, to be kept or to be given to `modeltrail drift run --baseline`.
    """
    if (file is None) == (not ledger):
        raise ConfigurationError("expected one of: --from FILE, or --ledger with --since and --until")
    settings = settings_of(config, set_)
    out = Output(json=json)
    options: dict[str, Any] = {
        "baseline_id": baseline_id,
        "segments": tuple(segments or ()),
        "categorical": tuple(categorical or ()),
        "positive_label": positive,
        "chunk_rows": chunk_rows,
    }
    if file is not None:
        for name, given in (("--since", since), ("--until", until)):
            if given is not None:
                raise ConfigurationError(f"{name} {given}: is only allowed with --ledger")
        kind = "training_set" if training else "sample"
        with named_by_options(_given(roles, time, outcome, positive, baseline_id, file), where="data"):
            made = from_file(file, model, version, _roles(roles), time=time, outcome=outcome, kind=kind, **options)
    else:
        for name, text in (("--role", roles), ("--time", time), ("--outcome", outcome), ("--training", training)):
            if text:
                raise ConfigurationError(f"{name}: is only allowed with --from; the ledger knows what its fields are")
        if since is None or until is None:
            raise ConfigurationError("--ledger: expected --since and --until")
        span = moment_of(since, "--since"), moment_of(until, "--until")
        if span[0] >= span[1]:
            raise ConfigurationError(f"--until {until}: expected a time after --since {since}")
        with named_by_options(_given(None, None, None, positive, baseline_id, None), where="data"):
            made = _from_ledger(settings, model, version, span, **options)
    event = made.to_event()
    _warn(out, event)
    if dry_run:
        show_baseline(out, event)
        out.line("Nothing was published (--dry-run).")
        out.result({"published": False, "baseline": event.model_dump(exclude_none=True)})
        return
    delivery = publish_one(settings, event, source=source, actor=actor)
    show_baseline(out, event)
    out.line(f"Published to {delivery.topic}/{delivery.partition}, offset {delivery.offset}.", style="green")
    out.result({"published": True, **summary(event), "event": place(delivery)})


def _warn(out: Output, event: "BaselineRegistered") -> None:
    from modeltrail.cli.baseline_odd import oddities

    for sentence in oddities(event):
        out.warning(sentence)


def list_baselines(
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help="Only of this model.")] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """List the baselines in the ledger, the newest last."""
    from modeltrail.cli.drift_records import open_records

    out = Output(json=json)
    with open_records(settings_of(config, set_)) as records:
        records.require_model(model)
        found = records.baselines(model)
    rows = [
        (
            each["model_id"], each["model_version"], _short_id(each["baseline_id"]), each["sha256"][:_SHOWN_SHORT],
            each["rows"], each["fields"], each["segments"],
            each["source_name"] or each["source_kind"].replace("_", " "), day_text(each["log_time"]),
        )
        for each in found
    ]  # fmt: skip
    if rows:
        out.table(["model", "version", "id", "sha256", "rows", "fields", "segments", "from", "chained"], rows)
    else:
        out.line("There are no baselines; `modeltrail baseline add` makes one.")
    out.result({"baselines": found})


def show(
    baseline_id: Annotated[str, typer.Argument(metavar="ID", help="Its id or SHA-256, or the first digits of it.")],
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Show a baseline: where it comes from, its fields and what the model was worth. --json prints all of it."""
    from modeltrail.cli.drift_records import open_records

    out = Output(json=json)
    with open_records(settings_of(config, set_)) as records:
        event = records.baseline(baseline_id).to_event()
    show_baseline(out, event)
    out.result(event.model_dump(exclude_none=True))


def from_file(
    file: Path,
    model: str,
    version: str,
    roles: dict[str, str],
    *,
    time: str | None = None,
    outcome: str | None = None,
    kind: str = "sample",
    **options: Any,
) -> "Baseline":
    """Return the baseline of a sample in a file; options as for `Baseline.from_columns`.

    ConfigurationError and InvalidEventError name what is wrong with the file, by row and column where it is one value.
    """
    from modeltrail.cli.baseline_files import read_file, sha256_of
    from modeltrail.drift.baselines.baseline import Baseline
    from modeltrail.drift.rows.samples import read_columns
    from modeltrail.events.baselines import BaselineSource

    texts = {*options.get("categorical", ()), *(name for name, role in roles.items() if role in _TEXTS)}
    columns, times = read_columns(read_file(file, texts=texts), roles, time=time, outcome=outcome)
    since = until = None
    if times is not None:
        since, until = _moment(int(times.min())), _moment(int(times.max()) + 1)
    source = BaselineSource(
        kind=kind, name=file.name, rows=columns.rows, since=since, until=until, sha256=sha256_of(file)  # type: ignore[arg-type]
    )  # fmt: skip
    return Baseline.from_columns(columns, model_id=model, model_version=version, times=times, source=source, **options)


_TEXTS = ("label", "stratum", "outcome", "ignore")


def _from_ledger(settings: "Settings", model: str, version: str, span: tuple[str, str], **options: Any) -> "Baseline":
    from modeltrail.cli.drift_records import open_records
    from modeltrail.drift.baselines.baseline import Baseline
    from modeltrail.drift.windows.closing import Window
    from modeltrail.events.baselines import BaselineSource
    from modeltrail.events.moment import parse_moment
    from modeltrail.storage.watch.sample import read_sample
    from modeltrail.storage.watch.scope import Scope

    with open_records(settings) as records:
        records.require_model(model, version)
        cut = records.frontier()
        window = Window(parse_moment(span[0]), parse_moment(span[1]))
        by = options["segments"]
        chunk = read_sample(
            records.reader,
            Scope(window, cut, model, version),
            by=by,
            positive=options["positive_label"],
            labelled=True,
        )
    rows = chunk.columns.rows
    source = BaselineSource(kind="ledger_range", rows=rows, since=span[0], until=span[1], cut=cut)
    return Baseline.from_columns(
        chunk.columns, model_id=model, model_version=version, times=chunk.times_us, source=source, **options
    )


def _roles(assignments: list[str] | None) -> dict[str, str]:
    roles: dict[str, str] = {}
    for assignment in assignments or ():
        name, equals, role = assignment.rpartition("=")
        if not equals or not name or not role:
            raise ConfigurationError(f"--role {assignment!r}: expected COLUMN=ROLE, as in p_late=score")
        if roles.setdefault(name, role) != role:
            raise ConfigurationError(f"--role {assignment!r}: column {name} already has the role {roles[name]}")
    return roles


def _given(
    roles: list[str] | None,
    time: str | None,
    outcome: str | None,
    positive: str | None,
    baseline_id: str | None,
    file: Path | None,
) -> dict[str, tuple[str, object]]:
    """Return which option gave what, for `named_by_options`; None where the refused value is what was typed."""
    given: dict[str, tuple[str, object]] = {
        "segments": ("--segment", None),
        "categorical": ("--categorical", None),
        "model_id": ("--model", None),
        "model_version": ("--version", None),
        "baseline_id": ("--id", baseline_id),
        "positive_label": ("--positive", positive),
    }
    if file is not None:
        given |= {name: ("--from", str(file)) for name in ("frame", "rows", "fields")}
    # A column that the sample lacks is the value of the error, and one of these named it.
    columns = {
        column: ("--role", assignment) for assignment in roles or () for column in [assignment.rpartition("=")[0]]
    }
    columns |= {name: (option, name) for name, option in ((time, "--time"), (outcome, "--outcome")) if name is not None}
    return given | {f"roles.{column}": said for column, said in columns.items()}


def show_baseline(out: Output, event: "BaselineRegistered") -> None:
    """Print a baseline for people: names, hash, origin, fields, worth."""
    from modeltrail.drift.baselines.baseline import Baseline

    out.line(f"{event.model_id} {event.model_version}: baseline {event.baseline_id}", style="bold")
    out.line(f"  sha256    {event.sha256}")
    source = event.source
    span = f", {time_text(source.since)} to {time_text(source.until)}" if source.since and source.until else ""
    out.line(f"  from      {source.kind.replace('_', ' ')}{f' {source.name}' if source.name else ''}{span}")
    learned = f"; tolerance learned from chunks of {event.chunk_rows:,}" if event.chunk_rows else ""
    out.line(f"  rows      {event.rows:,}{learned}")
    if event.kind:
        out.line(
            f"  predicts  {event.kind}{f', scores speak of {event.positive_label}' if event.positive_label else ''}"
        )
    references = Baseline.from_event(event).references
    rows = []
    for each, reference in zip(event.fields, references.values(), strict=True):
        bins = f"{reference.bins} bins" if each.kind == "numeric" else counted(reference.bins, "category", "categories")
        rows.append((
            each.name, each.role, each.kind, bins, _share(each.missing, each.n), _typical(each),
            f"{each.phi:.2f}", f"{each.tolerance:.4f}{'' if each.learned else ' (default)'}",
        ))  # fmt: skip
    out.table(["field", "role", "kind", "counted in", "missing", "typical", "phi", "tolerance"], rows)
    if event.segments:
        groups: dict[str, list[str]] = {}
        for segment in event.segments:
            groups.setdefault(segment.by, []).append(segment.value)
        for by, values in groups.items():
            out.line(f"  segments  {by}: {', '.join(values)}")
    for metric in event.performance:
        interval = (
            f" ({metric.low:.3f} to {metric.high:.3f})" if metric.low is not None and metric.high is not None else ""
        )
        out.line(f"  {metric.metric:<12}{metric.value:.4g}{interval} over {metric.n:,}")
    for gap in event.bias:
        out.line(f"  {gap.metric} by {gap.by}: gap {gap.value:.4g} over {gap.n:,}")


def summary(event: "BaselineRegistered") -> dict[str, Any]:
    """Return what names a baseline, with its fields and their kinds, for --json."""
    return {
        "baseline_id": event.baseline_id,
        "sha256": event.sha256,
        "model_id": event.model_id,
        "model_version": event.model_version,
        "rows": event.rows,
        "fields": [{"name": each.name, "role": each.role, "kind": each.kind} for each in event.fields],
        "segments": [{"by": each.by, "value": each.value} for each in event.segments],
        "performance": {each.metric: each.value for each in event.performance},
    }


def _typical(field: "BaselineField") -> str:
    if field.kind == "numeric":
        return f"{field.mean:.4g} ± {field.std:.3g}" if field.mean is not None and field.std is not None else ""
    total = sum(field.counts)
    at = max(range(len(field.counts)), key=field.counts.__getitem__)
    return f"{(field.categories or [''])[at]} ({_share(field.counts[at], total)})"


def _share(part: int, whole: int) -> str:
    return "0 %" if not part else f"{100 * part / max(1, whole):.1f} %"


def _short_id(baseline_id: str) -> str:
    is_hash = len(baseline_id) == 64 and all(digit in "0123456789abcdef" for digit in baseline_id)
    return f"{baseline_id[:_SHOWN_SHORT]}…" if is_hash else baseline_id


def _moment(time_us: int) -> str:
    from modeltrail.drift.checks.wording import moment_text

    return moment_text(time_us)
