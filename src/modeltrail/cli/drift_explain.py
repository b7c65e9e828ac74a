"""`modeltrail drift explain`: from what an alert or a check follows, drawn; and computed again."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli.alerts import SEVERITY_STYLES
from modeltrail.cli.amounts import time_text
from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, counted, settings_of
from modeltrail.errors import ConfigurationError, NotVerifiableError

if TYPE_CHECKING:
    from modeltrail.cli.alerts_records import Alert
    from modeltrail.cli.drift_recompute import Recomputed
    from modeltrail.cli.drift_records import Records
    from modeltrail.drift.baselines.baseline import Baseline
    from modeltrail.drift.baselines.counts import FieldCounts
    from modeltrail.drift.baselines.reference import Reference
    from modeltrail.events.checks import CheckCompleted, CheckField, CheckMetric

__all__ = ["explain"]

_SHOWN = 5
"""Fields that are drawn where none is asked for."""

_SEGMENTS = 20
"""Rows of metrics in segments that are shown."""

_DIFFERS = 3
_RANKS = {"critical": 0, "warning": 1, "shifted": 2, "insufficient_data": 3, "stable": 4}


def explain(
    named: Annotated[
        str, typer.Argument(metavar="ALERT|CHECK", help="Id of an alert or a check, or the first digits of it.")
    ],
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Compute it again from the ledger, with the recorded parameters.")
    ] = False,
    whole: Annotated[
        bool,
        typer.Option(
            "--from-start",
            help="Compute it again from the first entry of the ledger on, with every check before it. Takes longer.",
        ),
    ] = False,
    field: Annotated[
        str | None, typer.Option("--field", metavar="NAME", help="Of a check: draw this field (default: what moved).")
    ] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Show what an alert or a check follows from: window, cut, statistics, and reference against current.

    With --recompute everything is computed from the ledger up to the recorded cut, by the recorded monitor and
    baseline: every number, state and alert event. Taken over is at which entry the window closed, and from the check
    before it which alerts were open. With --from-start nothing is taken over: every entry is read again in watch
    order, and every check that led to this one computed again. Ends with 0 if that is identical to the last digit,
    with 3 if anything differs, and names it.
    """
    from modeltrail.cli.drift_recompute import recompute_check
    from modeltrail.cli.drift_records import open_records

    out = Output(json=json)
    with open_records(settings_of(config, set_)) as records:
        alert, checks = _find(records, named)
        check = checks[0]
        document: dict[str, Any] = {}
        if alert is not None:
            _show_alert(out, alert)
            document["alert"] = alert.as_json(evidence=True)
            field = field or _field_of(alert)
        _show_check(out, check)
        document["check"] = check.model_dump(exclude_none=True)
        document["fields"] = _show_fields(out, records, check, field, alert)
        _show_figures(out, check, alert)
        done: list[Recomputed] = []
        if recompute or whole:
            with out.progress("computing again", total=len(checks), unit="checks") as meter:
                for each in checks:
                    done.append(recompute_check(records.reader, each, whole=whole))
                    meter.advance()
            document["from_start"] = whole
            document["recomputed"] = [each.as_json() for each in done]
            document["identical"] = all(each.identical for each in done)
    _show_recomputed(out, done, whole=whole)
    out.result(document)
    if not all(each.identical for each in done):
        raise typer.Exit(_DIFFERS)


def _find(records: "Records", named: str) -> "tuple[Alert | None, list[CheckCompleted]]":
    """Return the alert of an id with its checks, that of its worst event first; or the check of an id."""
    from modeltrail.cli.alerts import find_alert
    from modeltrail.cli.alerts_records import Said, fold_alerts
    from modeltrail.storage.watch.records import read_checks

    alerts = fold_alerts(map(Said.of_row, records.reader.ask("drift/alerts", id="")))
    matching = [each for each in alerts if each.alert_id.startswith(named)]
    check = records.check(named)
    if check is not None and matching and check.check_id != named:
        raise ConfigurationError(f"{named}: names a check and an alert; give more of its digits")
    if check is not None:
        return None, [check]
    try:
        alert = find_alert(alerts, named)
    except ConfigurationError as error:
        if matching:
            raise
        raise ConfigurationError(f"{named}: the ledger has no alert and no check of this id") from error
    worst = alert.worst.evidence.get("check_id")
    if not isinstance(worst, str):
        raise ConfigurationError(
            f"alert {alert.alert_id}: {alert.worst.kind} follows from no check; `modeltrail alerts show` shows it"
        )
    ids = dict.fromkeys([worst, *(each.evidence.get("check_id") for each in alert.said if each.what != "acknowledged")])
    wanted = [each for each in ids if isinstance(each, str)]
    found = read_checks(records.reader, wanted)
    for check_id in wanted:
        if check_id not in found:
            raise NotVerifiableError(
                f"check {check_id}, which alert {alert.alert_id} follows from, is not in the ledger"
            )
    return alert, [found[check_id] for check_id in wanted]


def _field_of(alert: "Alert") -> str | None:
    condition = alert.worst.evidence.get("condition")
    return condition.get("name") if isinstance(condition, dict) and condition.get("kind") == "drift" else None


def _show_alert(out: Output, alert: "Alert") -> None:
    worst = alert.worst
    out.line(f"{worst.severity}: {worst.message}", style=SEVERITY_STYLES.get(worst.severity))
    by = f" by {alert.acknowledged.by}" if alert.state == "acknowledged" and alert.acknowledged else ""
    out.line(f"  alert       {alert.alert_id}, {alert.state}{by}")


def _show_check(out: Output, check: "CheckCompleted") -> None:
    window, cut, policy = check.window, check.cut, check.policy
    of = f"{check.model_id} {check.model_version or ''}".rstrip()
    out.line(f"{of}: {check.kind} {_window(check)}, {check.state or check.status}", style="bold")
    out.line(f"  check       {check.check_id}")
    repeats = f", {counted(check.duplicates, 'repeat')} left out" if check.duplicates else ""
    late = f", {check.late.counted:,} of them late" if check.late and check.late.counted else ""
    out.line(f"  status      {check.status}{f': {check.error}' if check.error else ''}")
    out.line(f"  rows        {counted(check.rows, 'prediction')}{late}{repeats}")
    if window is not None and window.label_delay_s:
        out.line(f"  labels      waited for {window.label_delay_s:,} s after the window")
    if cut is not None:
        out.line(f"  closed by   {check.closed_by}: {cut.entry.chain} seq {cut.entry.seq}")
        for number, (chain, seq) in enumerate(cut.frontier.items()):
            out.line(f"  {'' if number else 'cut':<11} {chain} to {seq}")
    out.line(f"  monitor     {check.monitor.id}, {check.monitor.sha256}")
    if check.baseline is not None:
        out.line(f"  baseline    {check.baseline.id}, {check.baseline.sha256}")
    if policy:
        numbers = ", ".join(f"{name} {policy[name]}" for name in ("fdr", "delta0", "d0", "raise_at") if name in policy)
        out.line(f"  policy      {policy.get('preset')}, version {policy.get('version')}: {numbers}")
    if check.look_back:
        out.line(f"  look-back   {counted(len(check.look_back), 'window')} merged with this one at most")
    if check.incomplete:
        out.line(f"  not waited  for {', '.join(check.incomplete)}", style="yellow")
    if check.supersedes:
        out.line(f"  supersedes  {check.supersedes}")
    if check.new_features:
        out.line(f"  new         {', '.join(check.new_features)}: features that the baseline lacks", style="yellow")
    if check.silence is not None:
        gap = f", nothing for {check.silence.gap_s:,.0f} s" if check.silence.gap_s else ""
        out.line(f"  silence     {check.silence.condition}{gap}")


def _window(check: "CheckCompleted") -> str:
    window = check.window
    if window is None:
        return ""
    return (
        f"of window {window.index}"
        if window.index is not None
        else (f"from {time_text(window.start)} to {time_text(window.end)}")
    )


def _show_fields(
    out: Output, records: "Records", check: "CheckCompleted", field: str | None, alert: "Alert | None"
) -> list[dict[str, Any]]:
    if not check.fields or check.baseline is None:
        return []
    from modeltrail.cli.drift_bins import as_json, bars, bin_rows, width
    from modeltrail.events.refusal import nearest
    from modeltrail.storage.watch.records import read_baseline

    chosen = _chosen(check, field, alert)
    if not chosen and field is not None:
        known = {each.name for each in check.fields}
        raise ConfigurationError(f"--field {field}: check {check.check_id} has no such field{nearest(field, known)}")
    baseline = read_baseline(records.reader, check.baseline.sha256)
    moved = [each for each in check.fields if each.state not in ("stable", "insufficient_data")]
    untested = sum(each.state == "insufficient_data" for each in check.fields)
    stable = len(check.fields) - len(moved) - untested
    out.line(f"  fields      {len(moved)} moved, {stable} stable, {untested} with too little data")
    shown = chosen if field is not None else chosen[:_SHOWN]
    documents = []
    for each in shown:
        reference = _reference(baseline, each)
        scale = each.scale or 1
        rows = bin_rows(reference, _counts(records, check, each, scale))
        out.line()
        _show_field(out, each, scale)
        for line in bars(rows, width() - 2):
            out.line(f"  {line}")
        documents.append({
            "name": each.name, "role": each.role, "state": each.state, "scale": scale, "bins": as_json(rows),
            "segment": None if each.segment is None else each.segment.model_dump(),
        })  # fmt: skip
    if len(chosen) > len(shown):
        out.line()
        out.line(f"... and {len(chosen) - len(shown)} more that moved; --field NAME draws one, --json has all")
    return documents


def _chosen(check: "CheckCompleted", field: str | None, alert: "Alert | None") -> "list[CheckField]":
    """Return what is drawn, the worst first: what the alert is about, the field that was asked for, or what moved."""
    if alert is not None and field == _field_of(alert):
        condition = alert.worst.evidence.get("condition", {})
        about = [
            each
            for each in check.fields
            if each.name == field
            and each.role == condition.get("role", each.role)
            and (None if each.segment is None else each.segment.model_dump()) == condition.get("segment")
        ]
        if about:
            return about
    if field is not None:
        return [each for each in check.fields if each.name == field]
    moved = [each for each in check.fields if each.state not in ("stable", "insufficient_data")]
    return sorted(moved, key=lambda each: (_RANKS[each.state], -each.statistics.get("psi_debiased", 0.0)))


def _reference(baseline: "Baseline", field: "CheckField") -> "Reference":
    from modeltrail.drift.rows.columns import FieldKey

    key = FieldKey(field.role, field.name)
    if field.segment is None:
        return baseline.references[key]
    return baseline.segments[field.segment.by, field.segment.value][key]


def _counts(records: "Records", check: "CheckCompleted", field: "CheckField", scale: int) -> "FieldCounts":
    """Return the counts that decided: those of the window, merged with the ones before it that the scale says."""
    from modeltrail.drift.baselines.counts import FieldCounts, merge
    from modeltrail.drift.checks.content import CountKey, Segment
    from modeltrail.drift.policy.look_back import WindowCounts
    from modeltrail.storage.watch.records import read_checks

    own = FieldCounts.of(field.counts, field.missing, field.unseen, field.mistyped)
    before = [each.check_id for each in check.look_back[: scale - 1]]
    if not before:
        return own
    segment = None if field.segment is None else Segment(field.segment.by, field.segment.value)
    key = CountKey(field.role, field.name, segment)
    found = read_checks(records.reader, before)
    counted_before = [WindowCounts.of_check(found[each]).counts.get(key) for each in before if each in found]
    return merge([own, *(each for each in counted_before if each is not None)], len(field.counts))


def _show_field(out: Output, field: "CheckField", scale: int) -> None:
    where = f" where {field.segment.by} is {field.segment.value}" if field.segment else ""
    windows = f", decided on {scale} windows" if scale > 1 else ""
    title = f"{field.name}{where} ({field.role}, {field.kind}): {field.state}{windows}"
    out.line(title, style=SEVERITY_STYLES.get(field.state))
    if field.reason:
        out.line(f"  {field.reason}")
    numbers = dict(field.statistics)
    said = [
        f"{label} {numbers[name]:.4g}"
        for name, label in (
            ("psi", "PSI"), ("psi_debiased", "debiased"), (f"effect_{scale}", "largest effect"), ("ks", "KS"),
            ("jensenshannon", "Jensen-Shannon"), ("wasserstein", "Wasserstein"), ("chisquare", "chi-square"),
            ("missing_share", "missing"), ("unseen_share", "unseen"), ("mistyped_share", "mistyped"),
        )
        if name in numbers
    ]  # fmt: skip
    for start in range(0, len(said), 5):
        out.line(f"  {', '.join(said[start : start + 5])}")
    tolerance = f"tolerance {field.tolerance:.4g}" if field.tolerance is not None else ""
    p = f"corrected p {field.p_values['corrected']:.3g}" if "corrected" in field.p_values else ""
    if tolerance or p:
        out.line(f"  {', '.join(each for each in (tolerance, p) if each)}")


def _show_figures(out: Output, check: "CheckCompleted", alert: "Alert | None") -> None:
    if check.metrics:
        out.line()
        # All predictions first; of the segments the worst, and what the alert is about.
        condition = alert.worst.evidence.get("condition") if alert is not None else None
        split = sorted((each for each in check.metrics if each.segment), key=lambda each: _order(each, condition))
        shown = [*(each for each in check.metrics if not each.segment), *split[:_SEGMENTS]]
        columns = {
            "metric": [each.metric for each in shown],
            "segment": [f"{each.segment.by}={each.segment.value}" if each.segment else "" for each in shown],
            "state": [each.state for each in shown],
            "value": [_number(each.value) for each in shown],
            "95 %": [_interval(each.low, each.high) for each in shown],
            "baseline": [_number(each.reference) for each in shown],
            "of": [each.reference_of or "" for each in shown],
            "allowed": [_number(each.max_drop if each.threshold is None else each.threshold) for each in shown],
            "n": [each.n for each in shown],
            "labelled": ["" if each.coverage is None else f"{each.coverage:.1%}" for each in shown],
            "": [each.reason or "" for each in shown],
        }
        columns = {heading: cells for heading, cells in columns.items() if split or heading not in ("segment", "of")}
        out.table(list(columns), list(zip(*columns.values(), strict=True)), styles=SEVERITY_STYLES)
        if len(shown) < len(check.metrics):
            out.line(f"... and {len(check.metrics) - len(shown)} more in segments, none of them worse; --json has all")
    for gap in check.gaps:
        out.line()
        measured = "" if gap.value is None else f", gap {_number(gap.value)} ({_interval(gap.low, gap.high)})"
        baseline = "" if gap.reference is None else f", {_number(gap.reference)} in the baseline"
        reason = f": {gap.reason}" if gap.reason else ""
        title = f"{gap.metric} by {gap.by}: {gap.state}{reason}{measured}{baseline}, {_number(gap.max_gap)} allowed"
        out.line(title, style=SEVERITY_STYLES.get(gap.state))
        if gap.groups:
            out.table(["group", "n", "measured"], [(each.value, each.n, _number(each.measured)) for each in gap.groups])


def _order(metric: "CheckMetric", condition: Any) -> tuple[bool, int]:
    segment = None if metric.segment is None else metric.segment.model_dump()
    about = {"kind": "performance", "name": metric.metric, "segment": segment}
    return condition != about, _RANKS[metric.state]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4g} to {high:.4g}"


def _show_recomputed(out: Output, done: "list[Recomputed]", *, whole: bool) -> None:
    from modeltrail.cli.drift_recompute import table_of

    if not done:
        return
    out.line()
    for each in done:
        what = f"check {each.check_id[:12]}: {counted(each.rows, 'prediction')} read again"
        alerts = f", {counted(each.alerts, 'alert event')} compared" if each.alerts else ""
        verdict = "identical" if each.identical else counted(len(each.found), "difference")
        out.line(f"{what}{alerts}: {verdict}", style="green" if each.identical else "bold red")
        for note in each.notes:
            out.line(f"  {note}")
        if each.found:
            out.table(["member", "recorded", "computed"], table_of(each.found))
    if all(each.identical for each in done):
        out.line("IDENTICAL: computed from the ledger, to the last digit.", style="bold green")
        if whole:
            out.line("  Nothing is taken over: every entry was read in watch order, with all checks before.")
        else:
            out.line("  Taken over: what closed it, and the state of the alerts before; --from-start proves both.")
    else:
        out.line("DIFFERENT: this is not what follows from the ledger.", style="bold red")
