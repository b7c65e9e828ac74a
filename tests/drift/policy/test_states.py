"""From p-values to states: which are significant, and what that is called."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from modeltrail.drift.policy.policy import PRESETS, Policy, rank
from modeltrail.drift.policy.states import Hypothesis, Subject, Trial, judge
from modeltrail.drift.statistics.significance import rejection_limit

DEFAULT = Policy()


def subject(name="x"):
    return Subject("drift", "feature", name)


def hypothesis(p, effect=0.03, *, name="x", aspect="distribution", tests=1, scale=1):
    return Hypothesis(subject(name), aspect, tests, (Trial(scale, 1000, p, effect),))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from([0.01, 0.05, 0.2]))
def test_significant_is_what_benjamini_and_hochberg_reject(p_values, fdr):
    found = judge([hypothesis(p, name=str(at)) for at, p in enumerate(p_values)], Policy(fdr=fdr))
    rejected = [verdict.state != "stable" for verdict in found]
    assert rejected == [p <= rejection_limit(p_values, fdr) for p in p_values]
    # scipy's adjusted p-values round at the border itself.
    adjusted = false_discovery_control(p_values)
    clear = ~np.isclose(adjusted, fdr, rtol=1e-9)
    assert (np.array(rejected)[clear] == (adjusted <= fdr)[clear]).all()


@pytest.mark.parametrize(
    ("p", "effect", "state"),
    [
        (0.5, 3.0, "stable"),  # large and not significant: three rows
        (1e-9, 0.0, "shifted"),  # significant and not large: a million rows
        (1e-9, 0.0999, "shifted"),
        (1e-9, 0.1, "warning"),
        (1e-9, 0.25, "critical"),
    ],
)
def test_significant_and_large_are_two_questions(p, effect, state):
    (verdict,) = judge([hypothesis(p, effect)], DEFAULT)
    assert verdict.state == state


def test_the_smallest_of_six_p_values_is_paid_for_six_times():
    assert judge([hypothesis(0.04, tests=1)], DEFAULT)[0].state == "shifted"
    assert judge([hypothesis(0.04, tests=6)], DEFAULT)[0].state == "stable"
    assert judge([hypothesis(0.04, tests=6)], DEFAULT)[0].p == pytest.approx(0.24)


def test_a_subject_is_as_bad_as_its_worst_aspect_that_is_significant():
    found = judge(
        [hypothesis(1e-9, 0.02), hypothesis(1e-9, 0.9, aspect="missing"), hypothesis(0.9, 5.0, aspect="unseen")],
        DEFAULT,
    )
    assert [(each.state, each.aspect) for each in found] == [("critical", "missing")]


def test_only_a_scale_that_is_significant_itself_decides():
    """One window says nothing, at a large effect; sixteen together are sure of a small one."""
    asked = Hypothesis(subject(), "distribution", 6, (Trial(1, 50, 0.3, 0.8), Trial(16, 800, 1e-12, 0.03)))
    (verdict,) = judge([asked], DEFAULT)
    assert (verdict.state, verdict.trial.scale, verdict.significant) == ("shifted", 16, (16,))
    assert verdict.effects == {1: 0.8, 16: 0.03}


def test_at_once_is_beyond_doubt_among_all_that_is_tested():
    alone = judge([hypothesis(4e-4, 0.2)], DEFAULT)[0]
    among = judge([hypothesis(4e-4, 0.2), *(hypothesis(0.5, name=str(at)) for at in range(3))], DEFAULT)[0]
    assert (alone.state, alone.immediate) == ("warning", "warning")
    assert (among.state, among.immediate) == ("warning", "stable")


def test_what_is_nothing_on_both_sides_costs_the_others_nothing():
    nothing = [
        Hypothesis(subject(str(at)), "missing", 3, (Trial(1, 100, 1.0, 0.0, trivial=True),)) for at in range(500)
    ]
    found = judge([hypothesis(0.04), *nothing], DEFAULT)
    assert found[0].state == "shifted"
    assert {each.state for each in found[1:]} == {"stable"}


def test_a_single_window_is_judged_by_its_distribution_where_it_has_enough_for_one():
    """Twenty rows a window: no missing values in them are no sign that the drift of sixteen windows is over."""
    shares = Hypothesis(
        subject(), "missing", 3, (Trial(1, 60, 1.0, 0.0, trivial=True), Trial(4, 240, 1.0, 0.0, trivial=True))
    )
    merged = Hypothesis(subject(), "distribution", 6, (Trial(4, 240, 1e-9, 0.3),))
    (verdict,) = judge([merged, shares], DEFAULT)
    assert verdict.effects == {4: 0.3}


def test_presets():
    assert {name: (each.delta0, each.d0, each.fdr, each.raise_at) for name, each in PRESETS.items()} == {
        "default": (0.005, 0.02, 0.05, "warning"),
        "sensitive": (0.0, 0.0, 0.01, "shifted"),
        "tolerant": (0.01, 0.03, 0.05, "warning"),
    }


@pytest.mark.parametrize(
    ("preset", "taught", "tolerance"),
    [
        ("default", None, 0.005),
        ("default", 0.001, 0.005),  # never below the policy's
        ("default", 0.02, 0.02),
        ("default", 3.0, 0.05),  # a wild baseline does not blind the watch
        ("tolerant", 0.008, 0.01),
        ("sensitive", 0.02, 0.0),  # who wants no tolerance is taught none
    ],
)
def test_a_baseline_teaches_tolerance_within_limits(preset, taught, tolerance):
    assert PRESETS[preset].tolerance(taught) == tolerance


def test_learned_tolerance_can_be_declined():
    assert Policy(learned_tolerance=False).tolerance(0.04) == 0.005


def test_levels_have_an_order():
    assert sorted(["critical", "stable", "warning", "shifted"], key=rank) == [
        "stable",
        "shifted",
        "warning",
        "critical",
    ]
