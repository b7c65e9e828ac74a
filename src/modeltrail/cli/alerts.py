"""`modeltrail alerts`: what the watch, and the ledger itself, want people to know."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli.amounts import day_text, time_text
from modeltrail.cli.drift_publish import SourceOption, place, publish_one
from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, counted, examples, settings_of
from modeltrail.errors import ConfigurationError

if TYPE_CHECKING:
    from modeltrail.cli.alerts_follow import Heard
    from modeltrail.cli.alerts_records import Alert
    from modeltrail.settings import Settings

__all__ = ["SEVERITY_STYLES", "register"]

_SOURCE = "modeltrail/cli"
_SHORT = 12

SEVERITY_STYLES = {
    "critical": "bold red", "warning": "yellow", "info": "cyan", "open": "bold", "shifted": "cyan",
    "stable": "green", "resolved": "green",
}  # fmt: skip
"""How words are shown on a terminal."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(
        name="alerts",
        help="Alerts: one a condition, from the moment it counts until it is resolved.",
        no_args_is_help=True,
        epilog=examples("modeltrail alerts list --open", "modeltrail alerts follow"),
    )
    listing = examples("modeltrail alerts list --open", "modeltrail alerts list --model flights-delay --json")
    group.command("list", epilog=listing)(list_alerts)
    group.command("show", epilog=examples("modeltrail alerts show 3f1c9a"))(show)
    group.command(
        "follow", epilog=examples("modeltrail alerts follow", "modeltrail alerts follow --json | jq .message")
    )(follow)
    group.command("ack", epilog=examples('modeltrail alerts ack 3f1c9a --by ops --note "the storms of late June"'))(ack)
    app.add_typer(group)


def list_alerts(
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not resolved.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="Only of this model, or other subject.")
    ] = None,
    monitor: Annotated[str | None, typer.Option("--monitor", metavar="ID", help="Only of this monitor.")] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """List the alerts in the ledger in the order in which they were raised.

    What was raised for one window of a model stands together below a line that counts it: one change moves many fields.
    Each monitor of a model raises alerts of its own; where it does not bear the model's name, it stands behind them.
    """
    from modeltrail.cli.alerts_records import by_window

    out = Output(json=json)
    alerts = _alerts(settings_of(config, set_))
    shown = [
        alert
        for alert in alerts
        if not (only_open and alert.resolved is not None)
        and model in (None, alert.worst.subject)
        and monitor in (None, alert.monitor_id)
    ]
    rows = [row for group in by_window(shown) for row in _rows(group)]
    if rows:
        out.table(["alert", "since", "state", "severity", ""], rows, styles=SEVERITY_STYLES)
        out.line(f"{counted(len(shown), 'alert')}, {sum(alert.resolved is None for alert in shown)} not resolved")
    else:
        out.line("There are no open alerts." if only_open else "There are no alerts.", style="green")
    out.result({"alerts": [alert.as_json() for alert in shown]})


def show(
    alert_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first digits of it.")],
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Show an alert: what was said of it and when, and all that it was found from."""
    out = Output(json=json)
    alert = find_alert(_alerts(settings_of(config, set_)), alert_id)
    worst = alert.worst
    out.line(f"{worst.severity}: {worst.message}", style=SEVERITY_STYLES.get(worst.severity))
    out.line(f"  alert       {alert.alert_id}, {alert.state}")
    for said in alert.said:
        words = f"by {said.by}{f': {said.note}' if said.note else ''}" if said.what == "acknowledged" else said.message
        out.line(f"  {day_text(said.log_time)}  {said.what:<12} {said.severity:<9} {words}")
    _show_evidence(out, worst.evidence)
    if worst.evidence.get("check_id"):
        out.line(
            f"  modeltrail drift explain {alert.alert_id[:_SHORT]} draws it; with --recompute it is computed again."
        )
    out.result(alert.as_json(evidence=True))


def follow(
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Everything that is in the topic first, then what comes.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="Only of this model, or other subject.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="End after so many events.")] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Print alerts as they come, until Ctrl-C: raised, worse, resolved, acknowledged.

    With --json each is a line of its own (NDJSON).
    """
    from modeltrail.cli.alerts_follow import follow_alerts
    from modeltrail.events.registry import topic_name
    from modeltrail.kafka_client import kafka_client_args

    settings = settings_of(config, set_)
    out = Output(json=json)
    topic = topic_name("alerts", settings.topics.prefix)
    seen = 0

    async def run() -> None:
        nonlocal seen
        heard = follow_alerts(kafka_client_args(settings), topic, from_beginning=from_beginning)
        try:
            async for each in heard:
                if model not in (None, getattr(each.data, "subject", None)):
                    continue
                _tell(out, each)
                seen += 1
                if seen == count:
                    return
        finally:
            await heard.aclose()  # type: ignore[attr-defined]

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        out.note(f"{counted(seen, 'event')} of {topic} shown")


def ack(
    alert_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first digits of it.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who takes care of it.")],
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="What there is to say.")] = None,
    source: SourceOption = _SOURCE,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Say that somebody saw an alert and takes care of it. It stays open until its condition is gone."""
    from modeltrail.events.alerts import AlertAcknowledged

    settings = settings_of(config, set_)
    out = Output(json=json)
    alert = find_alert(_alerts(settings), alert_id)
    data = AlertAcknowledged(alert_id=alert.alert_id, by=by, note=note)
    if alert.resolved is not None:
        out.warning(f"alert {alert.alert_id[:_SHORT]} is resolved already")
    delivery = publish_one(settings, data, source=source, actor=by)
    out.line(f"{by} takes care of: {alert.worst.message}", style="green")
    out.result({"published": True, **data.model_dump(exclude_none=True), "event": place(delivery)})


def find_alert(alerts: "list[Alert]", named: str) -> "Alert":
    """Return the alert of an id or its first digits. ConfigurationError where there is none, or more than one."""
    from modeltrail.events.refusal import nearest

    found = [alert for alert in alerts if alert.alert_id == named] or [
        alert for alert in alerts if alert.alert_id.startswith(named)
    ]
    if not found:
        hint = nearest(named, [alert.alert_id[: len(named)] for alert in alerts])
        raise ConfigurationError(f"alert {named}: the ledger has none of this id{hint}")
    if len(found) > 1:
        several = ", ".join(alert.alert_id[: max(_SHORT, len(named) + 4)] for alert in found[:5])
        raise ConfigurationError(f"alert {named}: there are several: {several}; give more of its digits")
    return found[0]


def _alerts(settings: "Settings") -> "list[Alert]":
    from modeltrail.cli.alerts_records import Said, fold_alerts
    from modeltrail.cli.drift_records import open_records

    with open_records(settings) as records:
        return fold_alerts(map(Said.of_row, records.reader.ask("drift/alerts", id="")))


def _rows(group: "list[Alert]") -> "list[tuple[object, ...]]":
    """Return the rows of what was raised for one window: a headline, where there are several, and a row each."""
    from modeltrail.cli.alerts_records import sentence

    rows: list[tuple[object, ...]] = []
    indent = ""
    if len(group) > 1:
        first = max(group, key=lambda alert: alert.worst.rank).worst
        unresolved = sum(alert.resolved is None for alert in group)
        evidence = group[0].raises[0].evidence
        of = sentence(f"{first.subject} {evidence.get('model_version') or ''}".rstrip(), evidence, first.subject)
        state = f"{unresolved} not resolved" if unresolved else "resolved"
        since = min((alert.worst.opened_us for alert in group if alert.worst.opened_us is not None), default=None)
        headline = f"{of}, window {_window_words(evidence['window'])}"
        rows.append((counted(len(group), "alert"), time_text(since), state, first.severity, headline))
        indent = "  "
    rows += [
        (
            alert.alert_id[:_SHORT], time_text(alert.worst.opened_us), alert.state, alert.worst.severity,
            indent + _said(alert),
        )
        for alert in group
    ]  # fmt: skip
    return rows


def _window_words(window: dict[str, Any]) -> str:
    if window.get("start"):
        return f"{time_text(window['start'])} to {time_text(window['end'])}"
    return f"#{window.get('index')}"


def _said(alert: "Alert") -> str:
    from modeltrail.cli.alerts_records import sentence

    by = alert.acknowledged
    note = f" ({by.by}: {by.note})" if by and by.note else f" ({by.by})" if by else ""
    return f"{sentence(alert.worst.message, alert.worst.evidence, alert.worst.subject)}{note}"


def _tell(out: Output, heard: "Heard") -> None:
    from modeltrail.cli.alerts_records import sentence

    data: Any = heard.data
    if out.json_mode:
        out.record({"what": heard.what, "id": heard.id, "time_us": heard.time_us, **data.model_dump(exclude_none=True)})
        return
    severity = getattr(data, "severity", "")
    if heard.what == "acknowledged":
        words = f"{data.alert_id[:_SHORT]} by {data.by}{f': {data.note}' if data.note else ''}"
    else:
        words = sentence(data.message, data.evidence, data.subject)
    style = "green" if heard.what == "resolved" else SEVERITY_STYLES.get(severity)
    out.line(f"{time_text(heard.time_us)}  {heard.what:<12} {severity:<8}  {words}", style=style)


def _show_evidence(out: Output, evidence: dict[str, Any]) -> None:
    """Print what an alert was found from: short things in lines, long ones left to --json."""
    for name in ("check_id", "level", "predecessor", "tolerance", "p", "reason"):
        if evidence.get(name) not in (None, ""):
            out.line(f"  {name.replace('_', ' '):<11} {evidence[name]}")
    for name in ("monitor", "baseline"):
        if isinstance(each := evidence.get(name), dict):
            out.line(f"  {name:<11} {each.get('id')}, {each.get('sha256')}")
    window = evidence.get("window")
    if isinstance(window, dict) and window.get("start"):
        out.line(f"  window      {time_text(window['start'])} to {time_text(window['end'])}")
    elif isinstance(window, dict):
        out.line(f"  window      {window.get('index')}")
    cut = evidence.get("cut")
    if isinstance(cut, dict) and isinstance(entry := cut.get("entry"), dict):
        out.line(f"  closed by   {entry.get('chain')} seq {entry.get('seq')}")
    for name in ("thresholds", "statistics"):
        if isinstance(numbers := evidence.get(name), dict) and numbers:
            said = ", ".join(f"{key} {_number(value)}" for key, value in numbers.items() if value is not None)
            out.line(f"  {name:<11} {said}")
    policy = evidence.get("policy")
    if isinstance(policy, dict):
        out.line(f"  policy      {policy.get('preset')}, version {policy.get('version')}, FDR {policy.get('fdr')}")


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
