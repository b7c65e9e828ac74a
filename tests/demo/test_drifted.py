"""What the demo says of drift: what it counts, and what simpler rules would have sent."""

from datetime import date, datetime, time

import numpy as np
import pytest
from scipy import stats

from modeltrail.demo.drift_chapter import draw, tell_alert
from modeltrail.demo.drifted import AlertFeed, Cell, Figure, Findings, Told, findings_of
from modeltrail.demo.screen import Screen

WEEK = [date(2013, 3, 4), date(2013, 3, 11), date(2013, 3, 18)]


def _cell(week: int, name: str, state: str = "stable", **more: float | None) -> Cell:
    numbers = {"counted": 1000, "psi": 0.01, "effect": 0.0, "ks": None} | more
    return Cell(WEEK[week], name, state, **numbers)


def test_what_moved_is_counted_by_state_and_the_field_that_moved_most_comes_first() -> None:
    cells = [
        _cell(0, "a", "shifted", effect=0.05),
        _cell(1, "a", "stable", effect=0.01),
        _cell(0, "b", "critical", effect=0.3),
        _cell(1, "b", "insufficient_data", effect=None),
    ]
    found = findings_of(cells, [Figure(WEEK[0], "auc", "stable", 0.9, 0.91)], {"a": 1, "b": 1})
    assert (found.windows, found.moved) == (2, 2)
    assert found.states == {"shifted": 1, "stable": 1, "critical": 1, "insufficient_data": 1}
    assert list(found.by_name()) == ["b", "a"]


def test_psi_on_its_own_is_counted_by_cell_and_by_window() -> None:
    cells = [_cell(0, "a", psi=0.11), _cell(0, "b", psi=0.2), _cell(1, "a", psi=0.1), _cell(2, "a", psi=0.5)]
    found = findings_of(cells, [], {})
    assert (found.psi_above, found.psi_windows) == (3, 2)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.2])
def test_kolmogorov_smirnov_on_its_own_is_what_scipy_says(shift: float) -> None:
    random = np.random.default_rng(3)
    reference = random.normal(size=4000)
    cells, expected = [], 0
    for _ in range(40):
        current = random.normal(shift, size=900)
        exact = stats.ks_2samp(reference, current, method="asymp")
        cells.append(_cell(0, "a", ks=exact.statistic, counted=900))
        expected += exact.pvalue < 0.05
    found = findings_of([*cells, _cell(0, "text")], [], {"a": 4000})
    assert found.ks_cells == 40
    assert abs(found.ks_below - expected) <= 1, "the two use slightly different asymptotic formulas"


class _Client:
    """Answers with so many rows of what was told, the last ones added by each question."""

    def __init__(self, *answers: list[tuple[object, ...]]) -> None:
        self._answers = iter(answers)

    def query(self, _text: str) -> "_Client":
        self.result_rows = next(self._answers)
        return self


def test_alerts_are_told_once_and_one_that_rises_is_the_same_alert() -> None:
    raised = ("e1", "a1", "raised", "warning", "moved", None)
    rises = ("e2", "a1", "raised", "critical", "moved more", None)
    resolved = ("e3", "a1", "resolved", "critical", "is back", None)
    other = ("e4", "a2", "raised", "warning", "moved too", None)
    feed = AlertFeed(_Client([], [raised, raised], [raised, raised, rises], [raised, rises, resolved, other]))
    assert [[told.event_id for told in feed.new()] for _ in range(4)] == [[], ["e1"], ["e2"], ["e3", "e4"]]
    assert feed.raised == 2
    assert [told.event_id for told in feed.told] == ["e1", "e2", "e3", "e4"]


@pytest.fixture
def findings() -> Findings:
    cells = [
        *(_cell(week, "dep_delay", "critical", effect=effect) for week, effect in enumerate((0.0, 0.3, 0.1))),
        *(_cell(week, "dest", "shifted", effect=0.02 * week) for week in range(3)),
        *(_cell(week, "hour") for week in range(3)),
    ]
    return findings_of(cells, [Figure(week, "error_rate", "stable", 0.1, 0.1) for week in WEEK], {})


def _raised(message: str, *, week: date) -> Told:
    return Told("e", "a", "raised", "critical", message, datetime.combine(week, time()))


def test_the_field_that_moved_most_is_drawn_with_its_alerts_and_the_others_in_a_line_each(
    findings: Findings, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [_raised("`dep_delay` moved", week=WEEK[1]), _raised("`dest` moved", week=WEEK[2])]
    draw(Screen(json=False), findings, told)
    shown = capsys.readouterr().out
    chart, _, others = shown.partition("The others")
    [marks] = [line for line in chart.splitlines() if line.strip() == "^"]
    highest = next(line for line in chart.splitlines() if "█" in line or "▇" in line or "▅" in line)
    assert marks.index("^") == next(at for at, sign in enumerate(highest) if sign in "▁▂▃▄▅▆▇█")
    assert "critical" in chart
    assert "dest" in others
    assert "at most 0.040, in the week of 2013-03-18" in others
    assert [line.split()[-1] for line in others.splitlines() if "hour" in line] == ["stable"]
    assert "0.100 in the baseline" in others


def test_nothing_is_drawn_where_only_ascii_can_be_shown(findings: Findings, capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(json=False)
    screen.plain = True
    draw(screen, findings, [])
    assert capsys.readouterr().out == ""


def test_an_alert_is_told_without_the_name_of_the_only_model(capsys: pytest.CaptureFixture[str]) -> None:
    message = "flights-delay 1.0.0: `dep_delay` moved"
    tell_alert(Screen(json=False), _raised(message, week=WEEK[0]))
    tell_alert(Screen(json=False), _raised(message, week=WEEK[0])._replace(told="resolved"))
    raised, resolved = (line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines())
    assert (raised[1], raised[2].strip()) == ("critical", "`dep_delay` moved")
    assert (resolved[1], resolved[2].strip()) == ("resolved", "`dep_delay` moved")
