"""The third chapter: every window is closed; what drifted, what did not, and one alert computed again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from modeltrail.cli.charts import columns, sparkline
from modeltrail.cli.drift_recompute import recompute_check
from modeltrail.demo.drifted import MOVED, AlertFeed, Cell, Findings, Told, checked, read_findings
from modeltrail.demo.installation import Installation
from modeltrail.demo.model import MODEL_ID, MODEL_VERSION
from modeltrail.demo.progress import Look, Observer
from modeltrail.demo.registration import MONITOR_ID
from modeltrail.demo.screen import Screen
from modeltrail.errors import ModeltrailError
from modeltrail.events.alerts import AlertRaised
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import read_checks, read_events

__all__ = ["Watched", "draw", "tell_alert", "tell_findings", "wait_until_closed"]

_KINDS = ("drift", "performance")
_LOOK_S = 0.4
_STUCK_S = 90.0
_HEIGHT = 7
_WIDTH = 78
_LIMITS = {"warning": 0.1, "critical": 0.25}


@dataclass(frozen=True)
class Watched:
    """What came of the watch. `look`: broker and ledger when all was chained, checks and alerts too.

    `explained` is the id of the alert that was computed again, None where none was raised.
    """

    look: Look
    checks: int
    alerts: int
    findings: Findings
    explained: str | None
    recomputed: bool


def tell_alert(screen: Screen, told: Told) -> None:
    """Say what the watch has just said."""
    message = told.message.removeprefix(f"{MODEL_ID} {MODEL_VERSION}: ")
    if told.told == "raised":
        screen.struck(told.severity, message)
    else:
        screen.done("resolved", message)


def wait_until_closed(
    installation: Installation, client: Any, observer: Observer, tell_news: Callable[[], None], *, windows: int
) -> tuple[Look, int]:
    """Wait until all `windows` are checked and everything is chained; return the last look, and how many checks.

    `tell_news` is called again and again, the last time after everything is there. Raises ModeltrailError when no
    window is closed for 90 seconds, UnavailableError when a process ends by itself.
    """
    moved_at, seen = time.monotonic(), -1
    while True:
        installation.check()
        tell_news()
        found, checks = checked(client)
        if checks != seen:
            seen, moved_at = checks, time.monotonic()
        if all(found.get(kind, 0) >= windows for kind in _KINDS):
            look = observer.look(exact=True)
            # An alert is published before its check, but on a chain of its own: it is there when nothing is behind.
            if look.lag == 0 and checked(client)[1] == checks:
                tell_news()
                return look, checks
        if time.monotonic() - moved_at > _STUCK_S:
            closed = ", ".join(f"{found.get(kind, 0)} of {windows} for {kind}" for kind in _KINDS)
            raise ModeltrailError(
                f"no window was closed for {_STUCK_S:.0f} s ({closed}); logs are in {installation.directory}"
            )
        time.sleep(_LOOK_S)


def tell_findings(screen: Screen, client: Any, feed: AlertFeed, look: Look, checks: int) -> Watched:
    """Say what was found in all windows, draw what moved most, compute an alert again, and compare with textbooks."""
    findings = read_findings(client, MONITOR_ID)
    states = findings.states
    screen.done(
        "windows",
        f"{findings.windows} weeks, {len(findings.cells)} cells of a field and a week: {findings.moved} beyond the"
        f" tolerance, {states.get('warning', 0)} of them a warning and {states.get('critical', 0)} critical",
    )
    told = sorted({figure.name for figure in findings.figures})
    beyond = sum(figure.state in MOVED for figure in findings.figures)
    screen.more(
        f"{', '.join(told)}: {beyond} of {len(findings.figures)} beyond what is allowed; outcomes came hours later"
    )
    opened = len({told.alert_id for told in feed.told} - {t.alert_id for t in feed.told if t.told == "resolved"})
    screen.done("alerts", f"{feed.raised} in all, {opened} of them still open")
    draw(screen, findings, feed.told)
    screen.done(
        "textbook",
        f"PSI above 0.1 would have sent {findings.psi_above} alerts, in {findings.psi_windows} of {findings.windows}"
        f" weeks; Kolmogorov-Smirnov with p < 0.05 {findings.ks_below}, of {findings.ks_cells} cells that it can test",
    )
    explained, recomputed = _recompute(screen, Reader(client), feed)
    return Watched(look, checks, feed.raised, findings, explained, recomputed)


def draw(screen: Screen, findings: Findings, told: Sequence[Told]) -> None:
    """Draw the field that moved most week by week, with its alerts, and the others in a line each."""
    fields = findings.by_name()
    if screen.plain or not fields:
        return
    (name, cells), *_ = fields.items()
    raised = {each.opened_at.date() for each in told if each.told == "raised" and f"`{name}`" in each.message}
    alerts = " (^ an alert was raised)" if raised else ""
    screen.paragraph(f"{name}, which moved most: its debiased PSI week by week{alerts}")
    chart = columns(
        [cell.effect for cell in cells],
        height=_HEIGHT,
        width=_WIDTH,
        lines=_LIMITS,
        marks="".join("^" if cell.week in raised else " " for cell in cells) if raised else "",
        ends=(str(cells[0].week), str(cells[-1].week)),
    )
    screen.drawing(chart)
    screen.paragraph("The others, each on the scale from 0 to critical; the error rate from 0 to twice the baseline's:")
    lines = [
        f"{name:12} {sparkline([cell.effect for cell in cells], top=_LIMITS['critical'])}  {_highest(cells)}"
        for name, cells in list(fields.items())[1:]
    ]
    rates = [figure for figure in findings.figures if figure.name == "error_rate"]
    if rates and rates[0].reference:
        drawn = sparkline([figure.value for figure in rates], top=2 * rates[0].reference)
        worst = max(rates, key=lambda figure: figure.value or 0.0)
        lines.append(
            f"{'error_rate':12} {drawn}  {rates[0].reference:.3f} in the baseline,"
            f" {worst.value or 0.0:.3f} in the week of {worst.week}"
        )
    screen.drawing(lines)


def _highest(cells: Sequence[Cell]) -> str:
    moved = [cell for cell in cells if cell.state in MOVED]
    if not moved:
        return "stable"
    most = max(moved, key=lambda cell: cell.effect or 0.0)
    return f"at most {most.effect or 0.0:.3f}, in the week of {most.week}"


def _recompute(screen: Screen, reader: Reader, feed: AlertFeed) -> tuple[str | None, bool]:
    """Compute the check again that raised the most severe alert, the first of them."""
    raised = [told for told in feed.told if told.told == "raised"]
    if not raised:
        screen.struck("recomputed", "no alert was raised: nothing to compute again")
        return None, False
    told = min(raised, key=lambda each: each.severity != "critical")
    [alert] = read_events(reader, AlertRaised, [told.event_id])
    check_id = alert.evidence["check_id"]
    check = read_checks(reader, [check_id])[check_id]
    with screen.waiting("one alert again, from the ledger"):
        done = recompute_check(reader, check)
    what = f"alert {told.alert_id[:12]}, from {done.rows:,} predictions in the ledger up to its cut"
    if done.identical:
        screen.done("recomputed", f"{what}: identical, to the last digit")
    else:
        screen.struck("recomputed", f"{what}: differs in {', '.join(each.path for each in done.found[:5])}")
    return told.alert_id, done.identical
