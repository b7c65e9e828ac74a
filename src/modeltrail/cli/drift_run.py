"""`modeltrail drift run`: a back-test over the ledger. Nothing is published."""

import json as json_text
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli import monitor_arguments as asks
from modeltrail.cli.alerts import SEVERITY_STYLES
from modeltrail.cli.amounts import moment_of, time_text
from modeltrail.cli.option_errors import named_by_options
from modeltrail.cli.output import ConfigOption, JsonOption, Meter, Output, SetOption, counted, examples, settings_of
from modeltrail.errors import ConfigurationError, InvalidEventError

if TYPE_CHECKING:
    from modeltrail.cli.drift_records import Records
    from modeltrail.drift.baselines.baseline import Baseline
    from modeltrail.drift.checks.results import CheckResult
    from modeltrail.drift.windows.closing import Closing
    from modeltrail.events.monitors import MonitorConfigured

__all__ = ["BACK_TEST_EXAMPLES", "run"]

BACK_TEST_EXAMPLES = examples(
    "modeltrail drift run --model flights-delay --from 2013-03-01 --until 2014-01-01 --window 7d",
    "modeltrail drift run --model flights-delay --until 2014-01-01 --monitor flights-delay --policy sensitive",
    "modeltrail drift run --model flights-delay --until 2014-01-01 --baseline baseline.json --json",
)

_TEXTBOOK = 0.1
"""PSI above which the textbook calls it a shift, whatever the number of rows."""
_FILES = (".json", ".parquet", ".pq", ".csv", ".gz")


@dataclass(slots=True)
class _Tally:
    """What a back-test adds up to."""

    windows: dict[tuple[object, ...], int] = field(default_factory=dict)
    """The predictions of each window, by the last check of it: one that supersedes another counts them again."""
    statuses: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    textbook: int = 0
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, closing: "Closing", result: "CheckResult") -> None:
        check = result.check
        self.statuses[check.status] += 1
        if check.kind == "drift":
            window = closing.window
            self.windows[check.model_version, window.start_us, window.end_us, window.index] = check.rows
        if check.supersedes is None:
            self.states.update(each.state for each in check.fields)
            self.states.update(each.state for each in check.metrics)
            self.states.update(each.state for each in check.gaps)
            self.textbook += sum(each.statistics.get("psi", 0.0) > _TEXTBOOK for each in check.fields)
        transitions = {each.alert_id: each.transition for each in check.alerts}
        for alert in result.alerts:
            data = alert.data
            self.alerts.append({
                "transition": transitions[data.alert_id],
                "alert_id": data.alert_id,
                "kind": data.kind,
                "severity": data.severity,
                "message": data.message,
                "opened_at": data.opened_at,
                "check_id": check.check_id,
                "end_us": closing.window.end_us,
                "number": closing.window.index,
            })  # fmt: skip

    @property
    def rows(self) -> int:
        """Predictions in all windows."""
        return sum(self.windows.values())

    def raised(self) -> int:
        return sum(each["transition"] == "raised" for each in self.alerts)

    def as_json(self) -> dict[str, Any]:
        return {
            "windows": len(self.windows),
            "predictions": self.rows,
            "checks": dict(sorted(self.statuses.items())),
            "cells": dict(sorted(self.states.items())),
            "textbook_psi_cells": self.textbook,
            "raised": self.raised(),
            "alerts": self.alerts,
        }


def run(
    model: Annotated[str, typer.Option("--model", metavar="MODEL", help="The model.")],
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Event time of the first prediction (default: the first)."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="TIME", help="Event time after the last one; every window that is over closes."
        ),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="The version (default: that of the baseline).")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="FILE|ID",
            help="Of the ledger by id or SHA-256; or a file: .json of `baseline show --json`, .parquet or .csv"
            " (default: the newest).",
        ),
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="PRESET", help="default, sensitive or tolerant.")
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option(
            "--monitor",
            metavar="ID",
            help="Begin with this monitor of the ledger: its window, lateness, fields, policy.",
        ),
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from-file", metavar="FILE", help="Begin with a monitor in a .json or .toml file.")
    ] = None,
    window: asks.WindowOption = None,
    step: asks.StepOption = None,
    cron: asks.CronOption = None,
    timezone: asks.TimezoneOption = None,
    every: asks.EveryOption = None,
    lateness: asks.LatenessOption = None,
    fields: asks.FieldsOption = None,
    segments: asks.SegmentsOption = None,
    raise_at: asks.RaiseAtOption = None,
    fdr: asks.FdrOption = None,
    consecutive: asks.ConsecutiveOption = None,
    psi_warning: asks.PsiWarningOption = None,
    psi_critical: asks.PsiCriticalOption = None,
    performance: asks.PerformanceOption = None,
    bias: asks.BiasOption = None,
    label_delay: asks.LabelDelayOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a monitor would have raised over what is in the ledger. Nothing is published.

    The same code as in the live watch runs over the same entries in the same order, as if the monitor had been there
    from the beginning. What no option says is as in --monitor or --from-file, else the default, which waits for nothing
    late: to repeat what was live, give --monitor.
    """
    from modeltrail.cli.drift_records import open_records
    from modeltrail.cli.monitor_blind import blind_spots
    from modeltrail.cli.monitor_options import monitor_of, read_monitor_file, window_words
    from modeltrail.drift.checks.plan import content_plan
    from modeltrail.events.moment import parse_moment
    from modeltrail.storage.watch.replay import Span, replay

    if monitor is not None and from_file is not None:
        raise ConfigurationError("--monitor and --from-file: expected one of them")
    span = Span(
        None if since is None else parse_moment(moment_of(since, "--from")),
        None if until is None else parse_moment(moment_of(until, "--until")),
    )
    if span.since_us is not None and span.until_us is not None and span.since_us >= span.until_us:
        raise ConfigurationError(f"--until {until}: expected a time after --from {since}")
    out = Output(json=json)
    asked = asks.MonitorArguments(
        window=window, step=step, cron=cron, timezone=timezone, every=every, lateness=lateness, fields=fields,
        segments=segments, preset=policy, preset_option="--policy", raise_at=raise_at, fdr=fdr,
        consecutive=consecutive, psi_warning=psi_warning, psi_critical=psi_critical, performance=performance, bias=bias,
        label_delay=label_delay,
    )  # fmt: skip
    options = asked.options() | {"model_id": ("--model", model)}
    otherwise = "" if from_file is None else f"--from-file {from_file}"
    members = read_monitor_file(from_file) if from_file is not None else {}
    if monitor is None:  # before anything is asked: what is wrong with it does not depend on the ledger
        members = asked.over(members) | {"model_id": model}
        members.setdefault("monitor_id", f"{model}-back-test")
        with named_by_options(options, where="monitor", otherwise=otherwise):
            configured = monitor_of(members)
    with open_records(settings_of(config, set_)) as records:
        records.require_model(model)
        if monitor is not None:
            members = asked.over(records.monitor(monitor).monitor.model_dump()) | {"model_id": model}
            with named_by_options(options, where="monitor", otherwise=f"--monitor {monitor}"):
                configured = monitor_of(members)
        reference = _baseline(records, baseline, model, version or configured.model_version, configured)
        if reference.model_id != model:
            raise ConfigurationError(f"--baseline {baseline}: is one of {reference.model_id}, expected one of {model}")
        with named_by_options(options, otherwise=otherwise or f"--monitor {monitor}"):
            content_plan(configured, reference, "drift")
        for sentence in blind_spots(configured, reference):
            out.warning(sentence)
        title = f"{model} {reference.model_version}: back-test, windows {window_words(configured)}"
        out.line(f"{title}, policy {configured.policy.preset}, baseline {reference.id[:40]}", style="bold")
        tally = _Tally()
        with out.progress("computing", unit="checks") as meter:
            for closing, result in replay(records.reader, configured, reference, span, progress=_told(meter)):
                before = len(tally.alerts)
                tally.add(closing, result)
                for alert in tally.alerts[before:]:
                    _show_alert(out, alert)
    _show(out, tally)
    out.result({
        "model_id": model, "model_version": reference.model_version, "baseline": reference.sha256,
        "monitor": configured.model_dump(mode="json", exclude_none=True), **tally.as_json(),
    })  # fmt: skip


def _baseline(
    records: "Records", named: str | None, model: str, version: str | None, monitor: "MonitorConfigured"
) -> "Baseline":
    if named is None and monitor.baseline_id is not None:
        named = monitor.baseline_id
    if named is None:
        return records.newest_baseline(model, version)
    path = Path(named)
    if path.suffix.lower() not in _FILES:
        return records.baseline(named)
    if path.suffix.lower() == ".json":
        with named_by_options({}, otherwise=f"--baseline {path}"):
            return _baseline_in(path)
    from modeltrail.cli.baseline import from_file

    if version is None:
        raise ConfigurationError(f"--baseline {named}: expected --version too, because a sample does not say it")
    with named_by_options({}, otherwise=f"--baseline {path}"):
        return from_file(path, model, version, {}, segments=tuple(monitor.segments))


def _baseline_in(path: Path) -> "Baseline":
    from pydantic import ValidationError

    from modeltrail.drift.baselines.baseline import Baseline
    from modeltrail.events.baselines import BaselineRegistered
    from modeltrail.events.refusal import refusal_of

    try:
        document = json_text.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"--baseline {path}: cannot be read: {error.strerror}") from error
    except json_text.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigurationError(f"--baseline {path}, {where}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"--baseline {path}: byte {error.start} is not UTF-8") from error
    if isinstance(document, dict) and isinstance(document.get("baseline"), dict):
        document = document["baseline"]  # as `baseline add --dry-run --json` prints it
    if not isinstance(document, dict):
        raise InvalidEventError("baseline", type(document).__name__, "must be an object")
    try:
        return Baseline.from_event(BaselineRegistered.model_validate(document))
    except ValidationError as error:
        raise refusal_of(error, "baseline", BaselineRegistered.model_fields).as_invalid_event() from None


def _told(meter: Meter) -> "Any":
    seen = 0

    def progress(done: int, total: int) -> None:
        nonlocal seen
        if not seen:
            meter.total(total)
        meter.advance(done - seen)
        seen = done

    return progress


def _show_alert(out: Output, alert: dict[str, Any]) -> None:
    style = "green" if alert["transition"] == "resolved" else SEVERITY_STYLES.get(alert["severity"])
    when = f"window {alert['number']}" if alert["end_us"] is None else time_text(alert["end_us"])
    out.line(f"{when:<16}  {alert['transition']:<9} {alert['severity']:<8}  {alert['message']}", style=style)


def _show(out: Output, tally: _Tally) -> None:
    if not tally.windows:
        out.line("No window with a prediction is over: there was nothing to compare.", style="yellow")
        return
    tested = sum(count for state, count in tally.states.items() if state != "insufficient_data")
    states = ", ".join(f"{tally.states[state]:,} {state}" for state in ("stable", "shifted", "warning", "critical"))
    windows, predictions = counted(len(tally.windows), "window"), counted(tally.rows, "prediction")
    out.line(f"{windows}, {predictions}, {counted(tested, 'cell')} tested: {states}")
    if untested := tally.states["insufficient_data"]:
        out.line(f"{counted(untested, 'cell')} with too little data")
    for status, count in sorted(tally.statuses.items()):
        if status not in ("completed", "insufficient_data"):
            out.line(f"{counted(count, 'check')}: {status}", style="yellow")
    out.line(
        f"{counted(tally.raised(), 'alert')} would have been raised; PSI > 0.1 alone is met by {tally.textbook} cells"
    )
