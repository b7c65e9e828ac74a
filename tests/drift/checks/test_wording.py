"""What is said to people."""

import re

import numpy as np
import pytest

from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.checks.wording import (
    bin_words,
    measure_words,
    moved_bins,
    percent,
    subject_words,
    told_words,
    window_words,
)
from modeltrail.drift.policy.states import Subject
from modeltrail.drift.rows.columns import Column
from modeltrail.drift.windows.closing import Window

DAY = 86_400_000_000


def numeric(values):
    return Reference.from_column("feature", "x", Column.from_numbers(values))


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"), (1.0, "100 %"), (0.14, "14 %"), (0.005, "0.5 %"), (0.0001, "less than 0.1 %"),
        (0.999, "more than 99 %"), (0.994, "99 %"),
    ],
)  # fmt: skip
def test_a_share_is_never_rounded_to_none_or_all(share, words):
    assert percent(share) == words


@pytest.mark.parametrize(
    ("window", "earlier", "words"),
    [
        (Window(0, 7 * DAY), (), "1970-01-01 to 1970-01-08"),
        (Window(0, DAY // 24), (), "1970-01-01 to 1970-01-01 01:00"),
        (Window(0, 90_000_000), (), "1970-01-01 to 1970-01-01 00:01:30"),
        (Window(3 * DAY, 4 * DAY), (Window(2 * DAY, 3 * DAY), Window(DAY, 2 * DAY)), "1970-01-02 to 1970-01-05"),
        (Window(index=7), (), "window 7"),
        (Window(index=7), (Window(index=6), Window(index=4)), "windows 4 to 7"),
    ],
)
def test_a_window_is_told_as_short_as_it_can_be(window, earlier, words):
    assert window_words(window, earlier) == words


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (Subject("drift", "feature", "dep_delay"), "`dep_delay`"),
        (Subject("drift", "feature", "dep_delay", "origin", "EWR"), "`dep_delay` where `origin` is EWR"),
        (Subject("performance", "", "auc"), "`auc`"),
        (Subject("bias", "", "selection_rate", "carrier"), "`selection_rate` by `carrier`"),
    ],
)
def test_a_subject_is_called_by_its_name(subject, words):
    assert subject_words(subject) == words


def test_how_much_is_told_beside_the_limit_that_it_passed():
    assert measure_words(0.312, "critical", 0.25, 0.005) == "PSI 0.31 (critical above 0.25)"
    assert measure_words(0.0123, "shifted", None, 0.005) == "PSI 0.012 (beyond the tolerance of 0.005)"


def test_bins_of_whole_numbers_are_told_in_whole_numbers():
    reference = numeric(np.repeat(np.arange(100.0), 10))
    last = reference.groups.size - 1
    words = [bin_words(reference, 0, 0), bin_words(reference, 1, 2), bin_words(reference, last, last)]
    assert [re.sub("[0-9]+", "N", each) for each in words] == ["below N", "N to N", "above N"]


def test_an_atom_is_told_as_one_value():
    values = np.where(np.arange(1_000) % 2 == 0, 5.0, np.linspace(0, 10, 1_000))
    reference = numeric(values)
    words = [bin_words(reference, at, at) for at in range(reference.groups.size)]
    assert "at 5" in words
    assert words[0].startswith("below ")
    assert words[-1].startswith("above ")


def test_a_bin_stands_after_a_share_as_people_say_it():
    reference = numeric(np.linspace(0, 100, 1_000))
    coded = Reference.from_column("feature", "x", Column.from_values(["JFK", "5 to 10"]))
    assert told_words(reference, "above 60") == "above 60"
    assert told_words(reference, "5 to 10") == "from 5 to 10"
    assert told_words(coded, "5 to 10") == "`5 to 10`"


def test_two_edges_that_look_alike_get_more_digits():
    reference = numeric(1_000_000 + np.linspace(0, 1, 1_000))
    assert len({bin_words(reference, at, at) for at in range(reference.groups.size)}) == reference.groups.size


def test_neighbours_that_moved_alike_are_told_as_one():
    reference = numeric(np.linspace(0, 100, 10_000))
    current = np.concatenate((np.linspace(0, 80, 6_000), np.linspace(80, 100, 4_000)))
    top = moved_bins(reference, reference.count(Column.from_numbers(current)))[0]
    assert top.words == "above 80.01"
    assert (top.reference, top.current) == (pytest.approx(0.2, abs=0.01), pytest.approx(0.4, abs=0.01))


def test_the_categories_that_moved_most_come_first():
    reference = Reference.from_column("feature", "x", Column.from_values(["a"] * 500 + ["b"] * 300 + ["c"] * 200))
    found = moved_bins(reference, reference.count(Column.from_values(["a"] * 500 + ["b"] * 100 + ["c"] * 400)))
    assert {found[0].words, found[1].words} == {"b", "c"}
    assert moved_bins(reference, reference.count(Column.from_values([None] * 9))) == []
