"""A check whole: from a closing and a window's rows to the event, the alerts and what the next check starts from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.check import evaluate, failed, no_baseline, silence_changed
from modeltrail.drift.checks.content import WindowContent
from modeltrail.drift.checks.plan import content_plan
from modeltrail.drift.policy.look_back import WindowCounts
from modeltrail.drift.rows.samples import read_columns
from modeltrail.drift.windows.closing import BaselineRef, Closing, Silence, Window
from modeltrail.drift.windows.order import Position
from modeltrail.errors import InvalidEventError
from modeltrail.events.alerts import AlertRaised, AlertResolved
from modeltrail.events.canonical import content_hash
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.monitors import MonitorConfigured

HOUR = 3_600_000_000
CHAIN = "5L6g3nShT-eMCtK--X86sw/modeltrail.predictions/0/0-0"


def rows(seed, count=1_000, shift=0.0, **columns):
    rng = np.random.default_rng(seed)
    score = rng.random(count)
    made = {
        "delay": rng.exponential(20, count) + shift,
        "dest": rng.choice(["JFK", "EWR", "LGA"], count).tolist(),
        "score": score,
        "label": np.where(score > 0.5, "late", "on time").tolist(),
        "outcome": np.where(rng.random(count) < score, "late", "on time").tolist(),
    }
    return made | columns


BASELINE = Baseline.from_frame(
    rows(0, 5_000), model_id="flights", model_version="1.0.0", positive_label="late", segments=("dest",)
)


def configured(**settings):
    return MonitorConfigured.model_validate({"monitor_id": "hourly", "model_id": "flights"} | settings)


def closing(number=0, monitor=None, **members):
    monitor = monitor or configured()
    made = Closing(
        "drift",
        "flights",
        "1.0.0",
        monitor,
        content_hash(monitor),
        BaselineRef(BASELINE.id, BASELINE.sha256),
        Window(number * HOUR, (number + 1) * HOUR),
        Position.at(3_600_000 * (number + 1), CHAIN, 1000 * number),
        {CHAIN: 1000 * number - 1} if number else {},
        "watermark",
    )
    return replace(made, **members)


def checked(at, frame, carry=None, earlier=(), baseline=BASELINE):
    plan = content_plan(at.monitor, baseline, at.kind, at.label_delay_s)
    content = WindowContent.empty(plan)
    content.add(read_columns(frame, {})[0])
    return evaluate(at, baseline, content, earlier=earlier, carry=carry or {})


def series(frames, monitor=None):
    """Check one window after the other, as the watch does; everything goes through JSON in between."""
    results, earlier, carry = [], [], {}
    for number, frame in enumerate(frames):
        result = checked(closing(number, monitor), frame, carry, earlier)
        check = CheckCompleted.model_validate_json(result.to_event().model_dump_json())
        assert check == result.check
        earlier.append(WindowCounts.of_check(check))
        carry = check.carry
        results.append(result)
    return results


def test_a_drift_is_raised_told_and_resolved_with_all_that_a_replay_needs():
    results = series([rows(1), rows(2, shift=15), rows(3, shift=15), rows(4), rows(5)])
    raised = results[1].alerts[0]
    assert isinstance(raised.data, AlertRaised)
    assert raised.event_id == raised.data.alert_id
    assert (raised.data.kind, raised.data.severity, raised.data.subject) == ("drift", "critical", "flights")
    assert raised.data.opened_at == "1970-01-01T01:00:00.000000Z"
    assert raised.data.message.startswith("flights 1.0.0: `delay` moved: PSI ")
    assert "(critical above 0.25) over 1,000 predictions, 1970-01-01 01:00 to 1970-01-01 02:00; " in raised.data.message
    evidence = raised.data.evidence
    assert evidence["check_id"] == results[1].check.check_id
    assert evidence["window"] == closing(1).check_window.model_dump(exclude_none=True)
    assert evidence["cut"]["frontier"] == {CHAIN: 999}
    assert evidence["cut"]["entry"] == {"chain": CHAIN, "seq": 1000}
    assert evidence["baseline"] == {"id": BASELINE.id, "sha256": BASELINE.sha256}
    assert evidence["monitor"] == {"id": "hourly", "sha256": content_hash(configured())}
    assert evidence["policy"]["version"] == "1"
    assert evidence["thresholds"] == {"warning": 0.1, "critical": 0.25}
    assert evidence["tolerance"] == 0.005
    assert evidence["statistics"]["psi"] > 0.25
    assert evidence["top"]
    resolved = results[4].alerts[0]
    assert isinstance(resolved.data, AlertResolved)
    assert resolved.data.alert_id == raised.data.alert_id
    assert resolved.event_id not in {raised.event_id, resolved.data.alert_id}
    assert resolved.data.opened_at == raised.data.opened_at
    assert "`delay` is back: PSI 0.00" in resolved.data.message
    assert ", below 0.07 in 2 windows, 1970-01-01 04:00 to" in resolved.data.message
    told = [[each.transition for each in result.check.alerts] for result in results]
    assert told == [[], ["raised"], ["open"], ["open"], ["resolved"]]
    assert [len(result.alerts) for result in results] == [0, 1, 0, 0, 1]


def test_a_rise_is_an_event_of_its_own_for_the_same_alert():
    longer = rows(1, 3_000)
    longer["delay"] = longer["delay"] * 1.5
    results = series([longer, longer, rows(3, 3_000, 25.0)])
    events = [alert for result in results for alert in result.alerts]
    assert [(each.data.severity, each.data.alert_id) for each in events] == [
        ("warning", events[0].data.alert_id),
        ("critical", events[0].data.alert_id),
    ]
    assert len({each.event_id for each in events}) == 2


def test_what_comes_back_names_its_predecessor():
    results = series([rows(1, shift=15), rows(2), rows(3), rows(4, shift=15)])
    first, _, again = [alert for result in results for alert in result.alerts]
    assert again.data.evidence["predecessor"] == first.data.alert_id
    assert "predecessor" not in first.data.evidence


def test_the_same_inputs_give_the_same_bytes():
    frames = [rows(1), rows(2, shift=15), rows(3)]
    one, other = ([each.to_event().model_dump_json() for each in series(frames)] for _ in range(2))
    assert one == other


@given(st.permutations(range(400)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_changes_nothing(order):
    frame = rows(1, 400, shift=10)
    shuffled = {name: np.asarray(values)[order].tolist() for name, values in frame.items()}
    monitor = configured(performance=[{"metric": "auc", "max_drop": 0.05}, {"metric": "brier", "max_drop": 0.05}])
    for kind in ("drift", "performance"):
        at = closing(0, monitor, kind=kind)
        assert checked(at, frame).to_event().model_dump_json() == checked(at, shuffled).to_event().model_dump_json()


def test_the_look_back_ends_where_an_alert_ended():
    results = series([rows(1, shift=15), rows(2), rows(3), rows(4), rows(5)])
    field = next(each for each in results[4].fields if each.name == "delay")
    assert field.state == "stable"  # the four windows of a scale would still hold the first but for that


def test_a_late_check_neither_raises_nor_moves_a_streak():
    before = series([rows(1)])[0]
    late = checked(closing(0, late=True, supersedes=before.check.check_id), rows(2, shift=15), before.carry)
    assert late.state == "critical"
    assert late.alerts == ()
    assert late.carry == before.carry
    assert late.check.supersedes == before.check.check_id


def test_a_late_check_resolves_what_its_own_window_raised_and_late_data_takes_back():
    raised = series([rows(1, shift=15)])[0]
    late = checked(closing(0, late=True, supersedes=raised.check.check_id), rows(2), raised.carry)
    (alert,) = late.alerts
    assert isinstance(alert.data, AlertResolved)
    assert alert.data.evidence["reason"] == "corrected"
    assert "late predictions corrected the window" in alert.data.message


def test_a_vanished_feature_is_told_in_words_and_a_new_one_is_listed():
    frame = rows(1, gate=["A1"] * 1_000)
    del frame["delay"]
    (result,) = series([frame])
    assert result.check.new_features == ["gate"]
    assert [each.state for each in result.fields if each.name == "delay"] == ["critical"]
    assert "`delay` has vanished" in result.messages[0]
    assert "missing in all instead of 0 %" in result.messages[0]


def test_a_name_that_no_baseline_may_have_spoils_no_check():
    """Predictions may name features as they like: one of them must not make every check of its window fail."""
    (result,) = series([rows(1, **{"gate\nB": ["A1"] * 1_000, "\x1b[31m": [1] * 1_000})])
    assert result.status == "completed"
    assert result.check.new_features == ["\x1b[31m", "gate\nB"]


def test_groups_with_hostile_names_are_told_printably_and_in_a_line():
    monitor = configured(bias=[{"by": "group", "metric": "selection_rate", "max_gap": 0.01}])
    frame = rows(1)
    frame["group"] = [("x" * 100_000 if label == "late" else "\x1b[2J") for label in frame["label"]]
    baseline = Baseline.from_frame(rows(0, 2_000), model_id="flights", model_version="1.0.0", positive_label="late")
    result = checked(closing(0, monitor, kind="performance"), frame, baseline=baseline)
    (message,) = result.messages
    assert message.isprintable()
    assert len(message) < 500
    assert {each.value for each in result.gaps[0].groups} == {"x" * 117 + "...", "\\x1b[2J"}


def test_text_in_a_numeric_field_is_told_as_that():
    frame = rows(1)
    frame["delay"] = [*["n/a"] * 300, *frame["delay"][300:].tolist()]
    (result,) = series([frame])
    assert "`delay` has turned into text" in result.messages[0]
    assert "30 % instead of 0 % text" in result.messages[0]


def test_new_categories_are_told_as_unseen():
    (result,) = series([rows(1, dest=["SFO"] * 200 + ["JFK", "EWR", "LGA", "EWR"] * 200)])
    assert any("`dest` has values that the baseline lacks" in message for message in result.messages)


def test_segments_are_judged_with_everything_else_and_named():
    monitor = configured(segments=["dest"], fields=["delay"])
    frame = rows(1, 3_000)
    frame["delay"] = np.where(np.array(frame["dest"]) == "JFK", frame["delay"] + 30, frame["delay"])
    (result,) = series([frame], monitor)
    assert {(each.segment.value if each.segment else None): each.state for each in result.fields} == {
        None: "critical", "EWR": "stable", "JFK": "critical", "LGA": "stable",
    }  # fmt: skip
    assert any("`delay` where `dest` is JFK moved" in message for message in result.messages)


def test_groups_that_the_baseline_lacks_are_listed():
    monitor = configured(segments=["dest"], fields=["delay"])
    (result,) = series([rows(1, 1_000, dest=["JFK", "SFO", "EWR", "\x07"] * 250)], monitor)
    assert [(each.by, each.value) for each in result.check.new_segments] == [("dest", "SFO"), ("dest", "\\x07")]
    assert series([rows(1)], monitor)[0].check.new_segments == []


def test_few_rows_are_insufficient_and_never_no_drift():
    (result,) = series([rows(1, 8)])
    assert (result.status, result.state) == ("insufficient_data", None)
    assert {each.state for each in result.fields} == {"insufficient_data"}
    assert all("too few" in each.reason for each in result.fields)


def test_no_baseline_is_reported_as_that():
    carry = series([rows(1, shift=15)])[0].carry
    result = no_baseline(closing(1, baseline=None), rows=7, carry=carry)
    assert (result.status, result.state, result.check.baseline, result.check.rows) == ("no_baseline", None, None, 7)
    assert result.carry == carry


@pytest.mark.parametrize("settings", [{"fields": ["delai"]}, {"segments": ["origin"]}])
def test_a_field_or_segment_that_the_baseline_lacks_fails_by_name(settings):
    monitor = configured(**settings)
    with pytest.raises(InvalidEventError) as refused:
        content_plan(monitor, BASELINE, "drift")
    result = failed(closing(0, monitor), BASELINE, refused.value)
    assert result.status == "failed"
    assert next(iter(settings.values()))[0] in result.check.error


def test_concept_drift_and_gaps_are_raised_beyond_what_is_allowed():
    monitor = configured(
        performance=[{"metric": "accuracy", "max_drop": 0.05}, {"metric": "error_rate", "threshold": 0.4}],
        bias=[{"by": "dest", "metric": "selection_rate", "max_gap": 0.1}],
    )
    at = closing(0, monitor, kind="performance")
    fine = checked(at, rows(1))
    assert (fine.state, fine.messages) == ("stable", [])
    frame = rows(1)
    frame["outcome"] = ["late", "on time"] * 500
    frame["dest"] = ["JFK" if label == "late" and at % 2 else "EWR" for at, label in enumerate(frame["label"])]
    bad = checked(at, frame)
    assert {each.data.kind for each in bad.alerts} == {"performance", "bias"}
    assert {each.metric: each.state for each in bad.metrics}["accuracy"] == "critical"
    assert bad.gaps[0].state == "critical"
    assert any("`accuracy` is 0." in message for message in bad.messages)
    assert any("the gap of `selection_rate` by `dest` is" in message for message in bad.messages)


def test_too_few_labels_are_reported_as_that():
    monitor = configured(performance=[{"metric": "accuracy", "max_drop": 0.05}])
    frame = rows(1)
    frame["outcome"] = [*frame["outcome"][:500], *[None] * 500]
    result = checked(closing(0, monitor, kind="performance"), frame)
    assert result.status == "insufficient_labels"
    assert result.metrics[0].reason == "the truth of 50 % of the predictions is known, 90% needed"
    assert result.metrics[0].coverage == 0.5


def test_a_drift_check_leaves_the_alerts_of_other_kinds_alone():
    monitor = configured(performance=[{"metric": "accuracy", "max_drop": 0.01}])
    frame = rows(1)
    frame["outcome"] = ["late", "on time"] * 500
    bad = checked(closing(0, monitor, kind="performance"), frame)
    assert bad.alerts
    after = checked(closing(0, monitor), rows(1), bad.carry)
    assert [each.transition for each in after.check.alerts] == ["open"]
    assert after.carry["alerts"] == bad.carry["alerts"]


def test_a_field_that_the_monitor_drops_takes_its_alert_along():
    raised = series([rows(1, shift=15)])[0]
    dropped = checked(closing(1, configured(fields=["dest"])), rows(2, shift=15), raised.carry)
    assert [each.data.evidence["reason"] for each in dropped.alerts] == ["unwatched"]
    assert "`delay` is not watched any more" in dropped.messages[0]


def test_runs_that_are_counted_from_0_again_go_on_with_open_alerts_and_with_no_number_of_before():
    monitor = configured(window={"kind": "count", "every": 1_000})

    def run(number, frame, carry, **members):
        at = closing(number, monitor, window=Window(None, None, number, after={}, upto={}), **members)
        return checked(at, frame, carry)

    carry, told = {}, []
    # An alert, the first of two quiet runs, and the monitor is switched off and on.
    for number, shift in ((5, 15), (6, 15), (7, 0), (0, 0), (1, 0)):
        result = run(number, rows(number + 1, shift=shift), carry)
        told.append([each.transition for each in result.check.alerts])
        carry = result.carry
    assert told == [["raised"], ["open"], ["open"], ["open"], ["resolved"]]
    (track,) = carry["alerts"]
    assert track["since"] == 0


def test_a_late_result_of_an_earlier_run_is_no_beginning_of_the_count():
    monitor = configured(window={"kind": "count", "every": 1_000})
    at = [closing(number, monitor, window=Window(None, None, number, after={}, upto={})) for number in range(2)]
    first = checked(at[0], rows(1))
    second = checked(at[1], rows(2, shift=15), first.carry)
    late = checked(replace(at[0], supersedes=first.check.check_id, late=True), rows(3), second.carry)
    assert late.carry["alerts"] == second.carry["alerts"]
    assert late.carry["run"] == 1


def test_silence_is_raised_when_found_and_over_when_the_model_speaks():
    silent = closing(0, kind="silence", silence=Silence(silent=True, last_ms=1_000, max_gap_s=3600))
    result = silence_changed(silent, BASELINE)
    (alert,) = result.alerts
    assert (alert.data.kind, alert.data.severity, result.state) == ("silence", "critical", "critical")
    assert alert.data.message == (
        "flights 1.0.0: no predictions for 60 minutes (allowed 60 minutes) since 1970-01-01T00:00:01.000000Z"
    )
    assert silence_changed(silent, BASELINE, carry=result.carry).alerts == ()
    speaks = closing(1, kind="silence", silence=Silence(silent=False, last_ms=1_000, max_gap_s=3600))
    over = silence_changed(speaks, BASELINE, carry=json.loads(json.dumps(result.carry)))
    assert [each.data.alert_id for each in over.alerts] == [alert.data.alert_id]
    assert isinstance(over.alerts[0].data, AlertResolved)
    assert over.check.silence.condition == "predicting"


@pytest.mark.parametrize(("count", "condition"), [(1_000, "predicting"), (5_000, "fast"), (100, "slow")])
def test_a_rate_that_falls_or_jumps_is_raised(count, condition):
    monitor = configured(silence={"rate_factor": 3})
    results = series([*(rows(seed) for seed in range(1, 7)), rows(9, count)], monitor)
    assert [result.check.silence for result in results[:4]] == [None] * 4
    assert results[5].check.silence.condition == "predicting"
    last = results[6]
    assert last.check.silence.condition == condition
    assert last.check.silence.usual_rate == pytest.approx(1_000 / 3600)
    assert [each.data.kind for each in last.alerts] == ([] if condition == "predicting" else ["silence"])
    if condition == "slow":
        assert "predictions are fewer than usual: 100 instead of about 1,000 (up to 3 times)" in last.messages[0]
