"""Charts and amounts: numbers in, text out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.cli.amounts import duration_text, moment_of, seconds_of, time_text
from modeltrail.cli.charts import NO_VALUE, bar, columns, sparkline
from modeltrail.errors import ConfigurationError

VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1e6), st.just(math.nan)), max_size=200)


def test_a_sparkline_goes_from_nothing_to_the_largest_value():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇██"
    assert sparkline([0.1, None, 0.1], top=0.2) == "▅·▅"
    assert sparkline([0.3, -1, math.inf], top=0.2) == "█▁·"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""


@given(VALUES)
def test_a_sparkline_has_one_character_a_value_and_keeps_their_order(values):
    line = sparkline(values)
    assert len(line) == len(values)
    known = [(value, mark) for value, mark in zip(values, line, strict=True) if value is not None and value == value]
    assert all(mark == NO_VALUE for value, mark in zip(values, line, strict=True) if value is None or value != value)
    for (low, mark), (high, other) in zip(sorted(known), sorted(known)[1:], strict=False):
        assert low > high or mark <= other


@pytest.mark.parametrize(
    ("share", "width", "drawn"),
    [(1, 4, "████"), (0.5, 4, "██"), (0.53, 4, "██▏"), (0.001, 4, "▏"), (0, 4, ""), (2, 3, "███"), (0.5, 0, "")],
)
def test_a_bar_is_a_share_of_its_width(share, width, drawn):
    assert bar(share, width) == drawn


@given(st.floats(0, 1), st.integers(1, 60))
def test_a_bar_is_never_wrong_by_more_than_an_eighth(share, width):
    drawn = bar(share, width)
    eighths = sum(8 if mark == "█" else "▏▎▍▌▋▊▉".index(mark) + 1 for mark in drawn)
    assert len(drawn) <= width
    assert abs(eighths - share * width * 8) <= 1


def test_columns_have_an_axis_and_thresholds():
    chart = columns([0.02, 0.05, None, 0.31, 0.12], height=8, width=60, lines={"warning": 0.1, "critical": 0.25})
    assert len(chart) == 9
    named = {line.split()[-1].strip("┄ "): line for line in chart if line.endswith(("warning", "critical"))}
    assert named["critical"].lstrip().startswith("0.25 ┤")
    assert named["warning"].lstrip().startswith("0.1 ┤")
    assert "·" in chart[-2]
    # The tallest column reaches above both thresholds, the small ones stay below them.
    assert sum("█" in line for line in chart) >= 6
    assert chart.index(named["critical"]) < chart.index(named["warning"])


def test_columns_bear_marks_and_their_ends_below():
    chart = columns([0.1, 0.2, 0.3], height=4, width=40, marks="·sC", ends=("June", "July"))
    axis = chart[-3].index("└") + 1
    assert chart[-2][axis:] == "·   s   C"
    assert chart[-1][axis:] == "June    July"
    # Where there is no room for all, marks and values are cut alike.
    assert columns([0.1] * 100, width=20, marks="a" * 99 + "z")[-1].endswith("az")


def test_a_threshold_far_above_all_values_does_not_press_them_flat():
    assert not any("critical" in line for line in columns([0.01, 0.02], lines={"critical": 0.25}))


@given(VALUES, st.integers(30, 120), st.integers(4, 20))
def test_columns_keep_to_their_width(values, width, height):
    chart = columns(
        values, width=width, height=height, lines={"warning": 0.1}, marks="s" * len(values), ends=("2013-01", "2013-12")
    )
    assert height + 2 <= len(chart) <= height + 3
    assert max(map(len, chart)) <= width


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800), ("1w", 604_800)]
)
def test_durations(text, seconds):
    assert seconds_of(text, "--window") == seconds
    assert seconds_of(duration_text(seconds), "--window") == seconds


@pytest.mark.parametrize("text", ["", "d", "1.5h", "-1d", "0d", "7 days", "1y"])
def test_what_is_no_duration_is_named_with_its_option(text):
    with pytest.raises(ConfigurationError, match="--window"):
        seconds_of(text, "--window")


def test_moments():
    assert moment_of("2013-07-01", "--since") == "2013-07-01T00:00:00.000000Z"
    assert moment_of("2013-07-01T02:00:00+02:00", "--since") == "2013-07-01T00:00:00.000000Z"
    for text in ("yesterday", "2013-02-30", "1969-12-31"):
        with pytest.raises(ConfigurationError, match="--since"):
            moment_of(text, "--since")
    assert time_text("2013-07-01T00:00:00.000000Z") == "2013-07-01"
    assert time_text("2013-07-01T05:30:00Z") == "2013-07-01 05:30"
    assert time_text(1_000_000) == "1970-01-01 00:00:01"
