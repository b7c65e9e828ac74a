"""`modeltrail drift status`, `history` and `stats`: what the checks in the ledger add up to."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli.alerts import SEVERITY_STYLES
from modeltrail.cli.amounts import day_text, time_text
from modeltrail.cli.charts import columns, sparkline
from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, counted, settings_of
from modeltrail.errors import ConfigurationError

if TYPE_CHECKING:
    from modeltrail.cli.drift_records import CheckLine, FieldLine, Records

__all__ = ["history", "stats", "status"]

_WINDOWS = 20
_ROWS = 30
_CRITICAL = 0.25
_MARKS = {"stable": "·", "shifted": "s", "warning": "W", "critical": "C", "insufficient_data": "?"}
_LEGEND = "· stable   s shifted   W warning   C critical   ? too little data"
_RANKS = {"critical": 4, "warning": 3, "shifted": 2, "stable": 1, "insufficient_data": 0}
_PSI = "psi_debiased"

ModelOption = Annotated[str | None, typer.Option("--model", metavar="MODEL", help="Only this model.")]
VersionOption = Annotated[str | None, typer.Option("--version", metavar="VERSION", help="Only this version.")]
MonitorOption = Annotated[str | None, typer.Option("--monitor", metavar="ID", help="Only by this monitor.")]


def status(
    model: ModelOption = None,
    version: VersionOption = None,
    monitor: MonitorOption = None,
    windows: Annotated[int, typer.Option("--windows", metavar="N", min=1, max=200, help="Windows back.")] = _WINDOWS,
    everything: Annotated[bool, typer.Option("--all", help="Every field; else the worst of each monitor.")] = False,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Show where each model stands: its fields with their last state, PSI, and a line over the last windows."""
    from modeltrail.cli.drift_records import open_records

    out = Output(json=json)
    with open_records(settings_of(config, set_)) as records:
        records.require_model(model, version)
        lines = records.lines(model=model, version=version, monitor=monitor, windows=windows)
        waiting = [each.monitor for each in records.monitors(model) if monitor in (None, each.monitor.monitor_id)]
        too_late = _too_late(records.stats(model))
    units: dict[tuple[str, str, str], list[CheckLine]] = defaultdict(list)
    for line in lines:
        units[line.model_id, line.model_version, line.monitor_id].append(line)
    off = {each.monitor_id for each in waiting if not each.enabled}
    documents = [
        _show_unit(out, unit, checks, everything=everything, enabled=unit[2] not in off, too_late=too_late[unit])
        for unit, checks in units.items()
    ]
    checked = {(model_id, monitor_id) for model_id, _, monitor_id in units}
    for each in waiting:
        if (each.model_id, each.monitor_id) not in checked:
            why = "no window has closed yet" if each.enabled else "is disabled"
            out.line(f"{each.model_id}: monitor {each.monitor_id}: {why}", style="yellow")
            documents.append({"model_id": each.model_id, "monitor_id": each.monitor_id, "checks": 0})
    if units:
        out.line(_LEGEND)
    if not documents:
        out.line("Nothing is monitored; `modeltrail monitor set --model MODEL` begins it.")
    out.result({"units": documents})


def history(
    model: Annotated[str, typer.Option("--model", metavar="MODEL", help="The model.")],
    field: Annotated[
        str,
        typer.Option("--field", metavar="NAME", help="A field; or a metric (auc), or a gap (selection_rate:carrier)."),
    ],
    segment: Annotated[
        str | None, typer.Option("--segment", metavar="BY=VALUE", help="In this group (default: all predictions).")
    ] = None,
    version: VersionOption = None,
    monitor: MonitorOption = None,
    statistic: Annotated[
        str,
        typer.Option(
            "--statistic",
            metavar="NAME",
            help="Of a field: psi_debiased, psi, ks, wasserstein, jensenshannon, kl_div, chisquare, missing_share,"
            " unseen_share or mistyped_share.",
        ),
    ] = _PSI,
    windows: Annotated[int, typer.Option("--windows", metavar="N", min=1, max=2000, help="Windows back.")] = 100,
    table: Annotated[bool, typer.Option("--table", help="Every window in a row, below the chart.")] = False,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Draw one field, metric or gap of a model over its windows, with its states and thresholds."""
    from modeltrail.cli.drift_bins import width
    from modeltrail.cli.drift_records import open_records

    out = Output(json=json)
    with open_records(settings_of(config, set_)) as records:
        records.require_model(model, version)
        lines = records.lines(model=model, version=version, monitor=monitor, name=field, windows=windows)
        limits = _limits(records, model)
        found = _series(lines, segment or "")
        if not found:
            raise _unknown(records, model, field, segment, version)
    documents = []
    for (version_of, monitor_id, kind, name), points in found.items():
        values = [_value(part, statistic) for _, part in points]
        valueless = all(value is None for value in values)
        if valueless:
            _check_statistic(statistic, [part for _, part in points])
        where = f" where {segment.replace('=', ' is ', 1)}" if segment else ""
        shown = kind if kind in ("metric", "gap") else statistic
        out.line(f"{model} {version_of}: {name}{where} ({shown}), monitor {monitor_id}", style="bold")
        if valueless:
            out.line(_why_no_value([part for _, part in points], shown), style="yellow")
        else:
            thresholds = limits.get(monitor_id, {}) if shown in (_PSI, "psi") else _references(points)
            ends = (_window(points[0][0]), _window(points[-1][0]))
            marks = "".join(_MARKS.get(part.state, " ") for _, part in points)
            for row in columns(values, height=10, width=width(), lines=thresholds, marks=marks, ends=ends):
                out.line(row)
            out.line(_LEGEND)
        if table:
            rows = [
                (_window(line), part.state, _number(value), _decided(part), part.n, line.check_id[:12])
                for (line, part), value in zip(points, values, strict=True)
            ]
            out.table(["window", "state", shown, "merged", "n", "check"], rows, styles=SEVERITY_STYLES)
        documents.append({
            "model_id": model, "model_version": version_of, "monitor_id": monitor_id, "kind": kind, "name": name,
            "segment": segment, "statistic": shown,
            "windows": [{**_times(line), **_part(part), "check_id": line.check_id} for line, part in points],
        })  # fmt: skip
    out.result({"series": documents})


def stats(
    model: ModelOption = None, config: ConfigOption = None, set_: SetOption = None, json: JsonOption = False
) -> None:
    """Count what the watch did: checks by status with their reasons, alerts, success rate, durations."""
    from modeltrail.cli.alerts_records import Said, fold_alerts
    from modeltrail.cli.drift_records import open_records

    out = Output(json=json)
    with open_records(settings_of(config, set_)) as records:
        records.require_model(model)
        groups = records.stats(model)
        alerts = fold_alerts(map(Said.of_row, records.reader.ask("drift/alerts", id="")))
    watched = [each for each in alerts if each.worst.evidence.get("check_id") and model in (None, each.worst.subject)]
    rows = [
        (
            each["model_id"], each["model_version"], each["monitor_id"], each["kind"], each["status"], each["checks"],
            each["rows"],
            f"{each['p50_ms']:.0f}", f"{each['p95_ms']:.0f}", "; ".join(text for text in each["reasons"] if text),
        )
        for each in groups
    ]  # fmt: skip
    if rows:
        headings = ["model", "version", "monitor", "kind", "status", "checks", "predictions", "ms p50", "p95", "reason"]
        out.table(headings, rows)
    document = _totals(groups)
    document["alerts"] = {
        "raised": len(watched),
        "open": sum(each.resolved is None for each in watched),
        "acknowledged": sum(each.acknowledged is not None for each in watched),
        "by_kind": _count(each.worst.kind for each in watched),
        "by_severity": _count(each.worst.severity for each in watched),
    }
    total = document["checks"]
    if total:
        out.line(
            f"{counted(total, 'check')}: {document['success_rate']:.1%} without a failure; {document['completed']:,}"
            f" completed, {document['failed']:,} failed, {document['skipped']:,} skipped, {document['insufficient']:,}"
            f" with too little data or labels, {document['no_baseline']:,} without baseline"
        )
        if document["late"] or document["too_late"]:
            out.line(
                f"{counted(document['late'], 'prediction')} came late and counted, {document['too_late']:,} came too"
                " late for any window"
            )
        out.line(f"{document['tested']:,} cells (field by window) tested, {document['moved']:,} of them moved")
        out.line(f"{counted(len(watched), 'alert')} raised, {document['alerts']['open']:,} not resolved")
        out.line(f"first {day_text(document['first_log_time'])}, last {day_text(document['last_log_time'])}")
    else:
        out.line("There are no checks.")
    out.result({**document, "groups": groups})


def _show_unit(
    out: Output,
    unit: tuple[str, str, str],
    checks: "list[CheckLine]",
    *,
    everything: bool,
    enabled: bool = True,
    too_late: int = 0,
) -> dict[str, Any]:
    model_id, version, monitor_id = unit
    by_kind: dict[tuple[str, int], list[CheckLine]] = defaultdict(list)
    for line in checks:
        by_kind[line.kind, line.label_delay_s].append(line)
    newest = [lines[-1] for lines in by_kind.values()]
    last = max(newest, key=lambda line: (_RANKS.get(line.state, -1), line.log_time))
    switched = "" if enabled else " (disabled)"
    out.line(f"{model_id} {version}, monitor {monitor_id}{switched}: {last.state or last.status}", style="bold")
    for (kind, _), lines in by_kind.items():
        line = lines[-1]
        said = line.state or line.status
        error = f" ({line.error})" if line.error else f" ({line.silence})" if line.silence else ""
        windows, rows = counted(len(lines), "window"), counted(line.rows, "prediction")
        out.line(f"  {kind}: {windows} shown, the last from {_window(line)}: {said}{error}, {rows}")
    if too_late:
        out.line(
            f"  {counted(too_late, 'prediction')} came too late to be counted in any window: a longer --lateness waits",
            style="yellow",
        )
    series = [each for lines in by_kind.values() for each in _aligned(lines)]
    ordered = sorted(series, key=lambda parts: _urgency(_last(parts)))
    shown = ordered if everything else ordered[:_ROWS]
    _table(out, shown)
    if len(shown) < len(ordered):
        out.line(f"... and {len(ordered) - len(shown)} more fields, none of them worse; --all shows them")
    out.line()
    return {
        "model_id": model_id,
        "model_version": version,
        "monitor_id": monitor_id,
        "enabled": enabled,
        "checks": len(checks),
        "too_late": too_late,
        "status": last.status,
        "state": last.state or None,
        "window": _times(last),
        "fields": [
            {
                **_part(_last(parts)),
                "values": [None if each is None else each.value for each in parts],
                "states": [None if each is None else each.state for each in parts],
            }
            for parts in ordered
        ],
    }


def _too_late(groups: "Sequence[Mapping[str, Any]]") -> Counter[tuple[str, str, str]]:
    """Return how many predictions came too late for the windows of each unit, since it has been watched."""
    found: Counter[tuple[str, str, str]] = Counter()
    for each in groups:
        if each["kind"] == "drift":  # what waits for the truth waits longer
            found[each["model_id"], each["model_version"], each["monitor_id"]] += each["too_late"]
    return found


_Points = list[tuple["CheckLine", "FieldLine"]]


def _aligned(lines: "Sequence[CheckLine]") -> "list[list[FieldLine | None]]":
    """Return the parts of checks of one kind, one list a field with a place for every check; None where it lacks it."""
    series: dict[tuple[str, str, str], list[FieldLine | None]] = {}
    for number, line in enumerate(lines):
        for part in line.parts:
            parts = series.setdefault((part.kind, part.name, part.segment), [None] * len(lines))
            parts[number] = part
    return list(series.values())


def _last(parts: "Sequence[FieldLine | None]") -> "FieldLine":
    return next(part for part in reversed(parts) if part is not None)


def _mark(part: "FieldLine | None") -> str:
    return " " if part is None else _MARKS.get(part.state, " ")


def _series(lines: "Iterable[CheckLine]", segment: str) -> dict[tuple[str, str, str, str], _Points]:
    found: dict[tuple[str, str, str, str], _Points] = defaultdict(list)
    for line in lines:
        for part in line.parts:
            if part.segment == segment:
                found[line.model_version, line.monitor_id, part.kind, part.name].append((line, part))
    return found


def _urgency(part: "FieldLine") -> tuple[int, float, str]:
    return -_RANKS.get(part.state, 0), -(part.value or 0.0) if _is_field(part) else 0.0, part.name


def _is_field(part: "FieldLine") -> bool:
    return part.kind not in ("metric", "gap")


def _decided(part: "FieldLine") -> str:
    """Return the change in merged windows, where these decided and not the last one alone: `0.238 in 4`."""
    if part.scale == 1 or part.state in ("stable", "insufficient_data"):
        return ""
    effect = part.numbers.get(f"effect_{part.scale}")
    return f"in {part.scale}" if effect is None else f"{_number(effect)} in {part.scale}"


def _table(out: Output, shown: "Sequence[Sequence[FieldLine | None]]") -> None:
    """Print a line a field. On a terminal only as many of the last windows as there is room for."""
    from modeltrail.cli.drift_bins import width

    if not shown:
        return
    last = [_last(parts) for parts in shown]
    named = {
        "field": [part.name for part in last],
        "segment": [part.segment for part in last],
        "state": [part.state for part in last],
        "last": [_number(part.value) for part in last],
        "merged": [_decided(part) for part in last],
    }
    named = {heading: cells for heading, cells in named.items() if any(cells)}
    room = max(map(len, shown))
    if sys.stdout.isatty():
        taken = sum(max(map(len, [heading, *cells])) + 3 for heading, cells in named.items())
        room = max(8, (width() - taken - 5) // 2)
    lines, marks = [], []
    for parts, part in zip(shown, last, strict=True):
        values = [None if each is None else each.value for each in parts]
        top = max([_CRITICAL, *(value for value in values if value is not None)]) if _is_field(part) else None
        lines.append(sparkline(values, top=top)[-room:])
        marks.append("".join(map(_mark, parts))[-room:])
    named |= {"windows": lines, "states": marks}
    out.table(list(named), list(zip(*named.values(), strict=True)), styles=SEVERITY_STYLES)


def _value(part: "FieldLine", statistic: str) -> float | None:
    return part.numbers.get(statistic) if _is_field(part) else part.value


def _check_statistic(statistic: str, parts: "Sequence[FieldLine]") -> None:
    """Raise ConfigurationError where a field has statistics, and not this one: it was misspelt, or is of other fields.

    Metrics and gaps have none to choose; what no window has a figure of is not the fault of a name.
    """
    known = sorted(
        {key for part in parts if _is_field(part) for key, number in part.numbers.items() if number is not None}
    )
    if known and statistic not in known and (statistic != _PSI or not any(part.reason for part in parts)):
        raise ConfigurationError(f"--statistic {statistic}: expected one of {', '.join(known)}")


def _why_no_value(parts: "Sequence[FieldLine]", shown: str) -> str:
    """Return that no window has a value and why, the most frequent reason first, with the coverage of a metric."""
    reasons = Counter(part.reason for part in parts if part.reason)
    said = "; ".join(f"{reason} ({counted(count, 'window')})" for reason, count in reasons.most_common(3))
    covered = [part.coverage for part in parts if part.coverage is not None]
    if covered and shown == "metric":
        least, most = f"{min(covered):.0%}", f"{max(covered):.0%}"
        said += f"; the truth is known of {least if least == most else f'{least} to {most}'} of the predictions"
    none = "The window has no value" if len(parts) == 1 else f"None of the {len(parts):,} windows has a value"
    return f"{none}: {said or 'too little data'}"


def _limits(records: "Records", model: str) -> dict[str, dict[str, float]]:
    found = {}
    for line in records.monitors(model):
        limits = line.monitor.thresholds
        found[line.monitor.monitor_id] = {"warning": limits.psi_warning, "critical": limits.psi_critical}
    return found


def _references(points: _Points) -> dict[str, float]:
    reference = points[-1][1].numbers.get("reference")
    return {} if reference is None else {"baseline": reference}


def _unknown(
    records: "Records", model: str, field: str, segment: str | None, version: str | None
) -> ConfigurationError:
    from modeltrail.events.refusal import nearest

    lines = records.lines(model=model, version=version, windows=1)
    if not lines:
        return ConfigurationError(f"--model {model}: no window has been checked yet")
    parts = [part for line in lines for part in line.parts]
    names = {part.name for part in parts}
    if field not in names:
        hint = nearest(field, names) or f"; there are {', '.join(sorted(names)[:8])}"
        return ConfigurationError(f"--field {field}: no check of {model} has it{hint}")
    segments = sorted({part.segment for part in parts if part.name == field and part.segment})
    hint = nearest(segment or "", segments) or (f"; there are {', '.join(segments[:8])}" if segments else "")
    return ConfigurationError(f"--segment {segment}: no check of {field} has it{hint}")


def _times(line: "CheckLine") -> dict[str, Any]:
    return {"start_us": line.start_us, "end_us": line.end_us, "index": line.number}


def _part(part: "FieldLine") -> dict[str, Any]:
    return {**part._asdict(), "segment": part.segment or None, "numbers": dict(part.numbers)}


def _window(line: "CheckLine") -> str:
    return f"#{line.number}" if line.number is not None else time_text(line.start_us)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _totals(groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    by_status: dict[str, int] = defaultdict(int)
    for each in groups:
        by_status[each["status"]] += each["checks"]
    total = sum(by_status.values())
    return {
        "checks": total,
        "completed": by_status["completed"],
        "failed": by_status["failed"],
        "skipped": by_status["skipped"],
        "insufficient": by_status["insufficient_data"] + by_status["insufficient_labels"],
        "no_baseline": by_status["no_baseline"],
        "success_rate": 1 - by_status["failed"] / total if total else None,
        "superseding": sum(each["superseding"] for each in groups),
        "late": sum(each["late"] for each in groups if each["kind"] == "drift"),
        "too_late": _too_late(groups).total(),
        "tested": sum(each["tested"] for each in groups),
        "moved": sum(each["moved"] for each in groups),
        "first_log_time": min((each["first_log_time"] for each in groups), default=None),
        "last_log_time": max((each["last_log_time"] for each in groups), default=None),
    }


def _count(words: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for word in words:
        found[word] += 1
    return dict(sorted(found.items()))
