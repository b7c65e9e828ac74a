"""The life of an alert, as timelines: `timelines.py` says how to read them."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.drift.policy.alerts import Span, correct, follow, from_json, restarted, to_json
from modeltrail.drift.policy.policy import PRESETS, Policy
from modeltrail.drift.policy.states import Subject
from tests.drift.timelines import DEFAULT, FIELD, alert_name, played, tumbling, verdict


@pytest.mark.parametrize(
    ("windows", "happened"),
    [
        ("....", "...."),
        ("ssss", "...."),  # shifted is visible, and told to nobody
        ("w.w.", "...."),  # never two in a row
        ("wwww", ".R--"),
        ("W...", "R-X."),  # beyond doubt: at once
        ("wws.", ".R-X"),  # shifted, at a PSI below .07, is quiet
        ("ww.w..", ".R---X"),  # one quiet window is none
        ("ww.?.", ".R--X"),  # too little data is neither quiet nor loud
        ("w?w", "..R"),  # nor does it break a streak
        ("wc", ".R"),  # critical for one window only: raised as a warning
        ("wccc", ".RE-"),
        ("WCcc", "RE--"),
        ("ccw.w", ".R---"),  # from critical to warning is no end
        ("Wqq.", "R-X."),  # merged windows remember; single ones decide when it is over
        ("W..ww", "R-X.R"),
        ("WwWWw..W", "R-----XR"),
    ],
)
def test_a_timeline(windows, happened):
    assert played(windows)[0] == happened


def test_one_alert_a_condition_and_never_one_a_window():
    _, transitions, _ = played("w" * 30)
    assert len({each.alert_id for each in transitions}) == 1
    assert sum(each.kind == "raised" for each in transitions) == 1


def test_an_alert_that_comes_back_is_a_new_one_and_names_its_predecessor():
    _, transitions, _ = played("W..W")
    first, _, _, again = transitions
    assert (first.predecessor, again.predecessor) == (None, first.alert_id)
    assert again.alert_id != first.alert_id


def test_an_alert_keeps_the_time_at_which_it_was_opened_and_its_level_to_the_end():
    _, transitions, _ = played("WCc..")
    assert {each.opened_at for each in transitions} == {"at 0"}
    assert [each.level for each in transitions] == ["warning", *["critical"] * 4]
    assert transitions[-1].reason == "quiet"


def test_what_was_merged_before_the_end_of_an_alert_is_no_evidence_after_it():
    """W q q: over in the third window. A merge that began in the first would raise it again in the fourth."""
    _, _, states = played("Wqq")
    assert states[-1][FIELD].since == 10
    assert states[-1][FIELD].holds == {}


@pytest.mark.parametrize(("consecutive", "happened"), [(1, "R--"), (2, ".R-"), (3, "..R")])
def test_as_many_windows_in_a_row_as_the_policy_says(consecutive, happened):
    assert played("www", Policy(consecutive=consecutive))[0] == happened


def test_overlapping_windows_count_once_where_they_overlap():
    """Sliding by a quarter: windows 0 to 3 overlap the first, window 4 is the second that is disjoint.

    |-0-------|
       |-1-------|
             |-3-------|
                |-4-------|   the same rows four times are no four witnesses
    """
    spans = [Span(5 * at, 5 * at + 20) for at in range(6)]
    assert played("wwwwww", spans=spans)[0] == "....R-"


def test_overlapping_quiet_windows_do_not_end_an_alert_twice_as_fast():
    spans = [Span(5 * at, 5 * at + 20) for at in range(10)]
    assert played("W.........", spans=spans)[0] == "R----X...."


def test_sensitive_tells_of_shifted_and_holds_on_until_nothing_is_significant():
    assert played("ss..", PRESETS["sensitive"])[0] == ".R-X"
    assert played("sss", PRESETS["sensitive"])[1][0].level == "shifted"


def test_an_alert_that_only_many_windows_together_show_is_not_over_because_one_shows_nothing():
    """Found on 4 merged windows, which overlap until the fifth: two witnesses. Over when no four are significant."""
    found = verdict("q")
    slow = replace(found, state="shifted", trial=replace(found.trial, effect=0.02))
    tracks, spans = {}, tumbling(7)
    for at, span in enumerate(spans):
        tracks, happened = follow(tracks, [slow], span, PRESETS["sensitive"], alert_name(span))
        assert [each.kind for each in happened] == [[], [], [], [], ["raised"], ["open"], ["open"]][at]


def test_a_field_that_is_not_watched_any_more_is_told_once():
    _, _, states = played("W")
    after, happened = follow(states[-1], [], Span(10, 20), DEFAULT, alert_name(Span(10, 20)), "", watched=set())
    assert [(each.kind, each.reason) for each in happened] == [("resolved", "unwatched")]
    assert after[FIELD].open is None
    assert follow(after, [], Span(20, 30), DEFAULT, alert_name(Span(20, 30)), "", watched=set())[1] == []


def test_a_field_without_enough_data_is_still_watched():
    _, _, states = played("W")
    _, happened = follow(states[-1], [], Span(10, 20), DEFAULT, alert_name(Span(10, 20)), "", watched={FIELD})
    assert [each.kind for each in happened] == ["open"]


def test_a_superseding_result_of_the_window_that_raised_resolves():
    _, _, states = played("W")
    after, happened = correct(states[-1], [verdict("s")], Span(0, 10), DEFAULT)
    assert [(each.kind, each.reason) for each in happened] == [("resolved", "corrected")]
    assert after[FIELD].open is None


@pytest.mark.parametrize("mark", ".swWcC")
@pytest.mark.parametrize("before", ["", ".", "w", "W", "ww"])
def test_a_superseding_result_never_raises(before, mark):
    _, _, states = played(before)
    tracks = states[-1] if states else {}
    for span in tumbling(len(before) + 1):
        after, happened = correct(tracks, [verdict(mark)], span, DEFAULT)
        assert all(each.kind == "resolved" for each in happened)
        assert {subject for subject, track in after.items() if track.open} <= {
            subject for subject, track in tracks.items() if track.open
        }


def test_a_superseding_result_of_another_window_changes_nothing():
    _, _, states = played("W")
    assert correct(states[-1], [verdict(".")], Span(10, 20), DEFAULT) == (states[-1], [])


def test_a_new_monitor_begins_streaks_anew_and_keeps_open_alerts():
    _, _, states = played("w")
    assert restarted(states[-1], same_clock=True) == {}
    _, _, states = played("W.")
    kept = restarted(states[-1], same_clock=True)
    assert kept[FIELD].open.alert_id == states[-1][FIELD].open.alert_id
    assert played(".", spans=[Span(20, 30)], tracks=kept)[0] == "-"


OTHER = Subject("performance", "", "auc")
LINES = st.lists(st.tuples(*[st.sampled_from(".swWcCq?")] * 2), min_size=1, max_size=40)
POLICIES = st.builds(
    lambda preset, **numbers: replace(PRESETS[preset], **numbers),
    st.sampled_from(sorted(PRESETS)),
    raise_at=st.sampled_from(["shifted", "warning", "critical"]),
    consecutive=st.integers(1, 4),
    quiet_windows=st.integers(1, 3),
)


def folded(line, policy, spans, cuts=()):
    """Fold two subjects; after the windows of `cuts` what is remembered goes through JSON."""
    tracks, told = {}, []
    for at, (marks, span) in enumerate(zip(line, spans, strict=True)):
        verdicts = [
            each for mark, subject in zip(marks, (FIELD, OTHER), strict=True) if (each := verdict(mark, subject))
        ]
        tracks, happened = follow(tracks, verdicts, span, policy, alert_name(span), f"at {span.start}", {FIELD, OTHER})
        told.append(happened)
        if at in cuts:
            tracks = from_json(json.loads(json.dumps(to_json(tracks))))
    return tracks, told


@given(LINES, POLICIES, st.sets(st.integers(0, 39)), st.sampled_from([10, 15, 40]))
def test_carried_on_from_any_window_it_goes_as_if_never_interrupted(line, policy, cuts, size):
    spans = [Span(10 * at, 10 * at + size) for at in range(len(line))]
    assert folded(line, policy, spans, cuts) == folded(line, policy, spans)


@given(LINES, POLICIES, st.sampled_from([10, 15, 40]))
def test_every_alert_is_raised_once_and_resolved_at_most_once_in_this_order(line, policy, size):
    spans = [Span(10 * at, 10 * at + size) for at in range(len(line))]
    _, told = folded(line, policy, spans)
    lives, last = {}, {}
    for happened in told:
        assert len({each.subject for each in happened}) == len(happened)
        for each in happened:
            lives.setdefault(each.alert_id + each.subject.kind, []).append(each.kind)
            if each.kind == "raised":
                assert each.predecessor == last.get(each.subject)
                last[each.subject] = each.alert_id
    for life in lives.values():
        assert life[0] == "raised"
        assert life.count("raised") == 1
        assert "resolved" not in life[:-1]
        assert life.count("escalated") <= 2


@given(LINES)
def test_what_is_remembered_is_small(line):
    """A subject that is stable, never had an alert and holds nothing is not remembered at all."""
    tracks, _ = folded(line, DEFAULT, tumbling(len(line)))
    for track in tracks.values():
        assert track.holds or track.open or track.previous
