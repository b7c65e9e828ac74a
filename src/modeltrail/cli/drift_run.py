"""`modeltrail drift run`: a back-test over the ledger. Nothing is published."""

import json as json_text
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli.alerts import SEVERITY_STYLES
from modeltrail.cli.amounts import moment_of, time_text
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

    windows: set[tuple[object, ...]] = field(default_factory=set)
    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    textbook: int = 0
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, closing: "Closing", result: "CheckResult") -> None:
        check = result.check
        self.statuses[check.status] += 1
        if check.kind == "drift":
            self.windows.add(
                (check.model_version, closing.window.start_us, closing.window.end_us, closing.window.index)
            )
            self.rows += check.rows
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
    window: Annotated[
        str | None, typer.Option("--window", metavar="LENGTH", help="Windows of 15m, 1h, 7d ... (default: 1d).")
    ] = None,
    step: Annotated[
        str | None, typer.Option("--step", metavar="LENGTH", help="Sliding: a window begins every so often.")
    ] = None,
    cron: Annotated[
        str | None,
        typer.Option(
            "--cron", metavar="CRON", help="Windows of the calendar: @hourly, @daily, @weekly or five fields."
        ),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", metavar="ZONE", help="Time zone of --cron (default: UTC).")
    ] = None,
    every: Annotated[
        int | None, typer.Option("--every", metavar="N", min=1, help="Windows of so many predictions.")
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME", help="A field to compare (default: all); may be repeated."),
    ] = None,
    segments: Annotated[
        list[str] | None,
        typer.Option("--segment", metavar="NAME", help="What to split by, as the baseline does; may be repeated."),
    ] = None,
    raise_at: Annotated[
        str | None,
        typer.Option("--raise-at", metavar="STATE", help="Alert from: shifted, warning (default) or critical."),
    ] = None,
    performance: Annotated[
        list[str] | None,
        typer.Option("--performance", metavar="METRIC:MAX_DROP", help="A metric, as in `monitor set`."),
    ] = None,
    bias: Annotated[
        list[str] | None,
        typer.Option("--bias", metavar="BY:METRIC:MAX_GAP", help="A gap between groups, as in `monitor set`."),
    ] = None,
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
    from modeltrail.cli.monitor_options import (
        bias_of,
        metric_of,
        monitor_of,
        read_monitor_file,
        window_of,
        window_words,
    )
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
    with open_records(settings_of(config, set_)) as records:
        records.require_model(model)
        members = read_monitor_file(from_file) if from_file is not None else {}
        if monitor is not None:
            members = records.monitor(monitor).monitor.model_dump()
        chosen = window_of(window=window, step=step, cron=cron, timezone=timezone, every=every, lateness=None)
        numbers = {"preset": policy, "raise_at": raise_at}
        given = {
            "model_id": model,
            "window": chosen,
            "fields": fields,
            "segments": segments,
            "performance": None if performance is None else [metric_of(text) for text in performance],
            "bias": None if bias is None else [bias_of(text) for text in bias],
        }
        members |= {name: value for name, value in given.items() if value is not None}
        members["policy"] = {
            **(members.get("policy") or {}), **{name: value for name, value in numbers.items() if value is not None}
        }  # fmt: skip
        members.setdefault("monitor_id", f"{model}-back-test")
        configured = monitor_of(members)
        reference = _baseline(records, baseline, model, version or configured.model_version, configured)
        if reference.model_id != model:
            raise ConfigurationError(f"--baseline {baseline}: is one of {reference.model_id}, expected one of {model}")
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
        return _baseline_in(path)
    from modeltrail.cli.baseline import from_file

    if version is None:
        raise ConfigurationError(f"--baseline {named}: expected --version too, because a sample does not say it")
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
