"""`modeltrail monitor`: what the watch does for a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli import monitor_arguments as asks
from modeltrail.cli.amounts import day_text, duration_text, moment_of, seconds_of
from modeltrail.cli.drift_publish import ActorOption, SourceOption, place, publish_one
from modeltrail.cli.option_errors import named_by_options
from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, counted, examples, settings_of
from modeltrail.errors import ConfigurationError

if TYPE_CHECKING:
    from modeltrail.cli.drift_records import Records
    from modeltrail.events.monitors import MonitorConfigured
    from modeltrail.settings import Settings

__all__ = ["register"]

_SOURCE = "modeltrail/cli"

NoCheckOption = Annotated[
    bool, typer.Option("--no-check", help="Do not look into the ledger whether model, baseline and fields are there.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(
        name="monitor",
        help="Monitors: what is compared with the baseline, in which windows, and when an alert is raised.",
        no_args_is_help=True,
        epilog=examples(
            "modeltrail monitor set --model flights-delay --window 7d",
            "modeltrail monitor list",
        ),
    )
    group.command(
        "set",
        epilog=examples(
            "modeltrail monitor set --model flights-delay",
            "modeltrail monitor set --model flights-delay --cron @weekly --timezone America/New_York --segment origin",
            "modeltrail monitor set --model flights-delay --window 7d --step 1d --preset sensitive",
            "modeltrail monitor set --model flights-delay --window 7d --performance auc:0.05 --label-delay 2d"
            " --bias carrier:selection_rate:0.1 --silence 2h",
            "modeltrail monitor set --from-file monitor.toml",
        ),
    )(set_monitor)
    listing = examples("modeltrail monitor list", "modeltrail monitor list --model flights-delay --json")
    group.command("list", epilog=listing)(list_monitors)
    group.command("show", epilog=examples("modeltrail monitor show flights-delay"))(show)
    group.command("enable", epilog=examples("modeltrail monitor enable flights-delay"))(enable)
    group.command("disable", epilog=examples("modeltrail monitor disable flights-delay"))(disable)
    advancing = examples("modeltrail monitor advance --model flights-delay --through 2014-01-06")
    group.command("advance", epilog=advancing)(advance)
    app.add_typer(group)


def set_monitor(
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help="The model.")] = None,
    version: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="Its version (default: every one).")
    ] = None,
    monitor_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Name of the monitor (default: that of the model).")
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from-file", metavar="FILE", help="Members of monitor.configured, .json or .toml; options win."),
    ] = None,
    window: asks.WindowOption = None,
    step: asks.StepOption = None,
    cron: asks.CronOption = None,
    timezone: asks.TimezoneOption = None,
    every: asks.EveryOption = None,
    lateness: asks.LatenessOption = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="ID", help="The baseline (default: the newest of the version).")
    ] = None,
    fields: asks.FieldsOption = None,
    segments: asks.SegmentsOption = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="default, sensitive or tolerant.")
    ] = None,
    raise_at: asks.RaiseAtOption = None,
    fdr: asks.FdrOption = None,
    consecutive: asks.ConsecutiveOption = None,
    psi_warning: asks.PsiWarningOption = None,
    psi_critical: asks.PsiCriticalOption = None,
    performance: asks.PerformanceOption = None,
    bias: asks.BiasOption = None,
    label_delay: asks.LabelDelayOption = None,
    silence: Annotated[
        str | None,
        typer.Option(
            "--silence", metavar="LENGTH", help="Without a prediction for so long it is silent; what is open closes."
        ),
    ] = None,
    rate_factor: Annotated[
        float | None,
        typer.Option("--rate-factor", metavar="X", help="Alert if the rate falls or rises by more than this."),
    ] = None,
    learn: Annotated[
        int | None,
        typer.Option("--learn", metavar="N", help="Without a baseline, learn one of the first N (100 or more)."),
    ] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Configure it, and do not watch yet.")] = False,
    actor: ActorOption = None,
    source: SourceOption = _SOURCE,
    config: ConfigOption = None,
    set_: SetOption = None,
    no_check: NoCheckOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, show it, and publish nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Say what the watch does for a model from now on. What is not said has its default; a model is enough.

    A monitor of the same id is replaced as a whole. It is in force for windows that close after it was chained;
    `modeltrail drift run --monitor ID` says what it would have raised before.
    """
    from modeltrail.cli.monitor_options import monitor_of, read_monitor_file

    asked = asks.MonitorArguments(
        window=window, step=step, cron=cron, timezone=timezone, every=every, lateness=lateness, fields=fields,
        segments=segments, preset=preset, raise_at=raise_at, fdr=fdr, consecutive=consecutive, psi_warning=psi_warning,
        psi_critical=psi_critical, performance=performance, bias=bias, label_delay=label_delay,
    )  # fmt: skip
    members = asked.over(read_monitor_file(from_file) if from_file is not None else {})
    given: dict[str, tuple[str, object]] = {
        "model_id": ("--model", model),
        "model_version": ("--version", version),
        "monitor_id": ("--id", monitor_id),
        "baseline_id": ("--baseline", baseline),
    }
    given = {name: said for name, said in given.items() if said[1] is not None}
    members |= {name: text for name, (_, text) in given.items()}
    gap_s = None if silence is None else seconds_of(silence, "--silence")
    asks.put_in(members, "silence", {"max_gap_s": gap_s, "rate_factor": rate_factor})
    asks.put_in(members, "learn", {"predictions": learn})
    if disabled:
        members["enabled"] = False
    if "model_id" not in members:
        raise ConfigurationError("expected --model MODEL, or a --from-file that names model_id")
    if "monitor_id" not in members:
        of_version = members.get("model_version")
        members["monitor_id"] = f"{members['model_id']}-{of_version}" if of_version else members["model_id"]
    options = asked.options() | given
    for path, option, text in (
        ("silence.max_gap_s", "--silence", silence),
        ("silence.rate_factor", "--rate-factor", rate_factor),
        ("learn.predictions", "--learn", learn),
    ):
        if text is not None:
            options[path] = (option, text)
    otherwise = "" if from_file is None else f"--from-file {from_file}"
    with named_by_options(options, where="monitor", otherwise=otherwise):
        monitor = monitor_of(members)
    settings = settings_of(config, set_)
    out = Output(json=json)
    if not no_check:
        with named_by_options(options, otherwise=otherwise):
            _compare_with_ledger(settings, monitor, out)
    _publish(out, settings, monitor, source=source, actor=actor, dry_run=dry_run)


def list_monitors(
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help="Only of this model.")] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """List the monitors as they were configured last."""
    from modeltrail.cli.drift_records import open_records
    from modeltrail.cli.monitor_options import policy_words, window_words

    out = Output(json=json)
    with open_records(settings_of(config, set_)) as records:
        records.require_model(model)
        found = records.monitors(model)
    rows = [
        (
            monitor.monitor_id, monitor.model_id, monitor.model_version or "every", window_words(monitor),
            len(monitor.fields) or "all", ", ".join(monitor.segments), policy_words(monitor),
            "yes" if monitor.enabled else "no", day_text(log_time),
        )
        for monitor, _, log_time in found
    ]  # fmt: skip
    if rows:
        headings = ["monitor", "model", "version", "window", "fields", "segments", "policy", "enabled", "since"]
        out.table(headings, rows)
    else:
        out.line("There are no monitors; `modeltrail monitor set` makes one.")
    out.result({"monitors": [_document(each.monitor, each.sha256) for each in found]})


def show(
    monitor_id: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Show a monitor as it was configured last, all defaults filled in."""
    from modeltrail.cli.drift_records import open_records

    out = Output(json=json)
    with open_records(settings_of(config, set_)) as records:
        line = records.monitor(monitor_id)
    _show(out, line.monitor, line.sha256)
    out.line(f"  chained     {day_text(line.log_time)}")
    out.result(_document(line.monitor, line.sha256))


def enable(
    monitor_id: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    actor: ActorOption = None,
    source: SourceOption = _SOURCE,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Put a monitor in force again, as it was configured last."""
    _switch(monitor_id, config, set_, json, enabled=True, source=source, actor=actor)


def disable(
    monitor_id: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    actor: ActorOption = None,
    source: SourceOption = _SOURCE,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Take a monitor out of force, until it is enabled again."""
    _switch(monitor_id, config, set_, json, enabled=False, source=source, actor=actor)


def advance(
    model: Annotated[str, typer.Option("--model", metavar="MODEL", help="The model.")],
    through: Annotated[
        str, typer.Option("--through", metavar="TIME", help="No prediction with an event time up to here will follow.")
    ],
    actor: ActorOption = None,
    source: SourceOption = _SOURCE,
    config: ConfigOption = None,
    set_: SetOption = None,
    no_check: NoCheckOption = False,
    json: JsonOption = False,
) -> None:
    """Say that all predictions of a model up to a time are sent: windows that end by then may close.

    A window closes when a prediction of its model is past its end, the lateness and, for performance, the label delay.
    A model that predicts no more closes nothing itself. With --silence in any of its monitors the watch sees that it
    is silent, closes what is open, and each window that waits for the truth as soon as, by the clock of the log, the
    label delay is over. Without it nobody can tell a dead model from one that has nothing to do, and what is open
    stays open until the model predicts again or this says that all is sent. Put the label delay on top of the time:
    to close the performance of windows up to 31 December with a delay of 7 days, advance through 7 January.
    """
    from modeltrail.cli.drift_records import open_records
    from modeltrail.events.models import MonitorAdvanced

    out = Output(json=json)
    settings = settings_of(config, set_)
    data = MonitorAdvanced(model_id=model, through=moment_of(through, "--through"))
    if not no_check:
        with open_records(settings) as records:
            records.require_model(model)
    delivery = publish_one(settings, data, source=source, actor=actor)
    out.line(f"{model}: windows that end by {data.through} may close.", style="green")
    out.result({"published": True, **data.model_dump(), "event": place(delivery)})


def _switch(
    monitor_id: str,
    config: Path | None,
    set_: list[str] | None,
    json: bool,
    *,
    enabled: bool,
    source: str,
    actor: str | None,
) -> None:
    from modeltrail.cli.drift_records import open_records

    out = Output(json=json)
    settings = settings_of(config, set_)
    with open_records(settings) as records:
        line = records.monitor(monitor_id)
    if line.monitor.enabled == enabled:
        out.line(f"{monitor_id} is {'enabled' if enabled else 'disabled'} already.")
        out.result({"published": False, **_document(line.monitor, line.sha256)})
        return
    _publish(out, settings, line.monitor.model_copy(update={"enabled": enabled}), source=source, actor=actor)


def _compare_with_ledger(settings: "Settings", monitor: "MonitorConfigured", out: Output) -> None:
    from modeltrail.cli.drift_records import open_records
    from modeltrail.cli.monitor_blind import blind_spots
    from modeltrail.drift.checks.plan import content_plan

    with open_records(settings) as records:
        records.require_model(monitor.model_id)
        baseline = _baseline_of(records, monitor)
        if baseline is not None:
            content_plan(monitor, baseline, "drift")
            for sentence in blind_spots(monitor, baseline):
                out.warning(sentence)
        elif monitor.learn is None:
            name = f"{monitor.model_id} {monitor.model_version}" if monitor.model_version else monitor.model_id
            out.warning(
                f"{name} has no baseline yet: its checks will say so until `modeltrail baseline add` makes one, or"
                " --learn N lets the watch learn one"
            )


def _baseline_of(records: "Records", monitor: "MonitorConfigured") -> Any:
    if monitor.baseline_id is not None:
        return records.baseline(monitor.baseline_id, model=monitor.model_id)
    version = monitor.model_version
    known = [each for each in records.baselines(monitor.model_id) if version in (None, each["model_version"])]
    return records.baseline(known[-1]["sha256"], model=monitor.model_id) if known else None


def _publish(
    out: Output,
    settings: "Settings",
    monitor: "MonitorConfigured",
    *,
    source: str,
    actor: str | None,
    dry_run: bool = False,
) -> None:
    from modeltrail.events.canonical import content_hash

    sha256 = content_hash(monitor)
    if dry_run:
        _show(out, monitor, sha256)
        out.line("Nothing was published (--dry-run).")
        out.result({"published": False, **_document(monitor, sha256)})
        return
    delivery = publish_one(settings, monitor, source=source, actor=actor)
    _show(out, monitor, sha256)
    out.line(f"Published to {delivery.topic}/{delivery.partition}, offset {delivery.offset}.", style="green")
    out.result({"published": True, **_document(monitor, sha256), "event": place(delivery)})


def _document(monitor: "MonitorConfigured", sha256: str) -> dict[str, Any]:
    return {"sha256": sha256, "monitor": monitor.model_dump(mode="json", exclude_none=True)}


def _show(out: Output, monitor: "MonitorConfigured", sha256: str) -> None:
    from modeltrail.cli.monitor_options import policy_words, window_words

    of = f"{monitor.model_id} {monitor.model_version or '(every version)'}"
    out.line(f"{monitor.monitor_id}: monitor of {of}{'' if monitor.enabled else ', disabled'}", style="bold")
    out.line(f"  sha256      {sha256}")
    out.line(f"  window      {window_words(monitor)}")
    out.line(f"  baseline    {monitor.baseline_id or 'the newest of the version'}")
    out.line(f"  fields      {', '.join(monitor.fields) or 'all of the baseline'}")
    if monitor.segments:
        out.line(f"  segments    {', '.join(monitor.segments)}")
    limits = monitor.thresholds
    out.line(f"  policy      {policy_words(monitor)}")
    out.line(f"  PSI         warning from {limits.psi_warning:g}, critical from {limits.psi_critical:g}")
    for metric in monitor.performance:
        limit = f"at worst {metric.threshold:g}" if metric.max_drop is None else f"may drop by {metric.max_drop:g}"
        out.line(f"  {metric.metric:<11} {limit}{_waiting(metric.label_delay_s)}, {metric.min_coverage:.0%} labelled")
    for gap in monitor.bias:
        out.line(f"  bias        {gap.metric} by {gap.by}: at most {gap.max_gap:g}{_waiting(gap.label_delay_s)}")
    if monitor.silence is not None:
        gap_s, factor = monitor.silence.max_gap_s, monitor.silence.rate_factor
        said = [f"after {duration_text(gap_s)}"] if gap_s else []
        said += [f"where the rate changes by a factor of {factor:g}"] if factor else []
        out.line(f"  silence     {', '.join(said)}")
    if monitor.learn is not None:
        out.line(f"  learns      a baseline of its first {counted(monitor.learn.predictions, 'prediction')}")


def _waiting(delay_s: int) -> str:
    return f", labels after {duration_text(delay_s)}" if delay_s else ""
