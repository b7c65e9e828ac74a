"""State views fold in the order of the log, count the first of repeats, and keep look-ups quick."""

from datetime import datetime

import pytest

from modeltrail.events.actions import ActionRecorded
from modeltrail.events.alerts import AlertAcknowledged, AlertRaised, AlertResolved
from modeltrail.events.classifications import ClassificationRecorded
from modeltrail.events.judge import Judgement
from modeltrail.events.predictions import PredictionRecorded
from modeltrail.events.runs import (
    RunCompleted,
    RunFailedStep,
    RunHealthChecked,
    RunItemProcessed,
    RunItemSkipped,
    RunRuleEvaluated,
    RunStarted,
)
from tests.storage.maker import ChainMaker, insert


@pytest.fixture
def ask(client, chain):
    """Query a view for the rows of this test, which are those of a tenant of its own; one dict a row."""

    def query(text, **parameters):
        return list(client.query(text, parameters={"tenant": tenant(chain)} | parameters).named_results())

    return query


def tenant(chain):
    return chain.chain.cluster


def label(item, to, origin="model", **given):
    return ClassificationRecorded(item_id=item, label=to, origin=origin, **given)


CURRENT = "SELECT * FROM current_classifications WHERE tenant = {tenant:String} ORDER BY item_id"
HISTORY = "SELECT * FROM classification_history WHERE tenant = {tenant:String} ORDER BY item_id, step_number"


def test_the_last_label_in_the_log_counts_whatever_time_it_states(client, chain, ask):
    of = {"tenant": tenant(chain)}
    chain.event(label("a", "late", confidence=0.9), time="2030-01-01T00:00:00Z", **of)
    chain.event(
        label("a", "on_time", "user", reason="seen at the gate"), time="2001-01-01T00:00:00Z", actor="eve", **of
    )
    chain.event(label("b", "late"), **of)
    insert(client, chain.rows)
    a, b = ask(CURRENT)
    assert (a["label"], a["origin"], a["actor"], a["reason"]) == ("on_time", "user", "eve", "seen at the gate")
    assert (a["confidence"], a["original_model_label"], a["overridden"], a["changes"]) == (None, "late", True, 1)
    assert (b["label"], b["overridden"], b["changes"], b["classifications"]) == ("late", False, 0, 1)
    first, second = ask(HISTORY)[:2]
    assert (first["label_before"], first["label"], first["changed"]) == (None, "late", True)
    assert (second["label_before"], second["label"], second["changed"]) == ("late", "on_time", True)


def test_log_time_decides_before_partition_and_offset(client, chain, ask):
    other = ChainMaker(chain.chain._replace(partition=1))
    of = {"tenant": tenant(chain)}
    chain.event(label("a", "second"), timestamp=2_000, **of)
    chain.event(label("a", "third"), timestamp=1_000, **of)  # its log_time is 2000: the chain's clock never goes back
    other.event(label("a", "first"), timestamp=1_999, **of)
    other.event(label("a", "fourth"), timestamp=2_000, **of)  # an equal log_time: the partition decides
    insert(client, other.rows + chain.rows)
    assert [row["label"] for row in ask(HISTORY)] == ["first", "second", "third", "fourth"]
    assert ask(CURRENT)[0]["label"] == "fourth"


def test_epochs_compare_as_numbers(client, ask, chain):
    low, high = (ChainMaker(chain.chain._replace(epoch=epoch)) for epoch in (9, 10))
    of = {"tenant": tenant(chain), "timestamp": 5_000}
    low.event(label("a", "ninth"), **of)
    high.event(label("a", "tenth"), **of)
    insert(client, high.rows + low.rows)
    assert [row["label"] for row in ask(HISTORY)] == ["ninth", "tenth"]


def test_the_first_of_a_repeat_counts(client, chain, ask):
    of = {"tenant": tenant(chain)}
    chain.event(label("a", "late"), id="1", **of)
    chain.event(label("a", "on_time"), id="2", **of)
    chain.event(label("a", "late"), id="1", **of)
    chain.event(label("a", "forged"), id="2", **of)
    chain.event(label("a", "other"), id="1", source="somebody/else", **of)
    insert(client, chain.rows)
    current = ask(CURRENT)[0]
    assert (current["label"], current["classifications"], current["changes"]) == ("other", 3, 2)
    assert [row["label"] for row in ask(HISTORY)] == ["late", "on_time", "other"]


def test_a_human_who_agrees_with_the_model_overrides_nothing(client, chain, ask):
    of = {"tenant": tenant(chain)}
    chain.event(label("a", "late"), **of)
    chain.event(label("a", "late", "admin"), **of)
    chain.event(label("b", "late", "user"), **of)
    chain.event(label("c", "late"), **of)
    chain.event(label("c", "early"), **of)
    chain.event(label("c", "late", "user"), **of)
    insert(client, chain.rows)
    a, b, c = ask(CURRENT)
    assert (a["overridden"], a["changes"], a["original_model_label"]) == (False, 0, "late")
    assert (b["overridden"], b["original_model_label"]) == (False, None)
    assert (c["overridden"], c["original_model_label"], c["latest_model_label"], c["changes"]) == (
        True,
        "late",
        "early",
        2,
    )


def test_tenants_do_not_see_each_others_items(client, chain, ask):
    chain.event(label("a", "mine"), tenant=tenant(chain))
    chain.event(label("a", "theirs"), tenant=tenant(chain) + "x")
    insert(client, chain.rows)
    assert [row["label"] for row in ask(CURRENT)] == ["mine"]


COUNTS = {
    "processed": 2,
    "with_predictions": 1,
    "skipped": 1,
    "predictions": 3,
    "rules_evaluated": 2,
    "rules_matched": 1,
}


def start(run="r", **given):
    return RunStarted(
        run_id=run, **{"engine": "e", "mode": "test", "trigger": "cron", "expected_duration_s": 60} | given
    )


def test_a_run_is_summed_up_from_all_its_events(client, chain, ask):
    of = {"tenant": tenant(chain)}
    chain.event(start(input={"kind": "file", "name": "f.csv"}), time="2020-01-01T00:00:00Z", actor="cron", **of)
    chain.event(RunHealthChecked(run_id="r", checks=[], allowed=False), **of)
    for item in ("a", "b"):
        chain.event(RunItemProcessed(run_id="r", item_id=item, predictions=2, duration_ms=1), **of)
    chain.event(RunItemSkipped(run_id="r", item_id="c", category="error", reason="no time"), **of)
    for item, triggered in (("a", True), ("b", False)):
        chain.event(
            RunRuleEvaluated(run_id="r", item_id=item, rule_id="7", rule_code="C", triggered=triggered, duration_ms=2),
            **of,
        )
    chain.event(RunFailedStep(run_id="r", kind="k", message="m", severity="error", halted=True), **of)
    chain.event(RunCompleted(run_id="r", status="partial", counts=COUNTS), time="2020-01-01T00:01:30Z", **of)
    for row in list(chain.rows):  # the producer sends everything twice
        chain.judged(Judgement(row.status, "", "", row.mode, *row[18:]), row.value, key=row.key, headers=row.headers)
    insert(client, chain.rows)
    (run,) = ask("SELECT * FROM run_summary WHERE tenant = {tenant:String}")
    assert (run["status"], run["duration_s"], run["engine_name"], run["input_name"]) == ("partial", 90, "e", "f.csv")
    assert run["started_by"] == "cron"
    assert {name: run[name] for name in COUNTS} == COUNTS
    assert (run["items_processed_seen"], run["predictions_seen"], run["items_skipped_seen"]) == (2, 4, 1)
    assert (run["rules_evaluated_seen"], run["rules_matched_seen"]) == (2, 1)
    assert (run["steps_failed"], run["halted"], run["health_checks_refused"]) == (1, True, 1)


def test_a_run_that_goes_on_or_never_began_is_told(client, chain, ask):
    of = {"tenant": tenant(chain)}
    chain.event(start("going"), **of)
    chain.event(RunCompleted(run_id="lost", status="completed", counts=COUNTS), **of)
    insert(client, chain.rows)
    going, lost = ask("SELECT * FROM run_summary WHERE tenant = {tenant:String} ORDER BY run_id")
    assert (going["status"], going["completed_at"], going["duration_s"], going["processed"]) == (
        "running",
        None,
        None,
        None,
    )
    assert (lost["status"], lost["started_at"], lost["duration_s"], lost["started_by"]) == (
        "completed",
        None,
        None,
        None,
    )


def test_skips_are_counted_by_category(client, chain, ask):
    of = {"tenant": tenant(chain)}
    for number, (item, category) in enumerate([("a", "error"), ("b", "error"), ("b", "error"), ("c", "duplicate")]):
        chain.event(RunItemSkipped(run_id="r", item_id=item, category=category, reason=f"why {number % 2}"), **of)
    insert(client, chain.rows)
    found = ask("SELECT * FROM run_skips WHERE tenant = {tenant:String} ORDER BY category")
    assert [(row["category"], row["skips"], row["items"], row["some_reasons"]) for row in found] == [
        ("duplicate", 1, 1, ["why 1"]),
        ("error", 3, 2, ["why 0", "why 1"]),
    ]


def test_rules_are_judged_over_all_runs(client, chain, ask):
    of = {"tenant": tenant(chain)}
    for run, triggered, confidence in (("r1", True, 0.5), ("r1", False, 0.1), ("r2", True, None), ("r2", True, 1)):
        rule = RunRuleEvaluated(
            run_id=run,
            item_id="a",
            rule_id="7",
            rule_code="C",
            triggered=triggered,
            confidence=confidence,
            duration_ms=2,
        )
        chain.event(rule, **of)
    insert(client, chain.rows)
    (rule,) = ask("SELECT * FROM rule_performance WHERE tenant = {tenant:String}")
    assert (rule["evaluations"], rule["triggered"], rule["trigger_rate"], rule["runs"]) == (4, 3, 0.75, 2)
    assert (rule["mean_confidence_when_triggered"], rule["mean_duration_ms"], rule["rule_code"]) == (0.75, 2, "C")


def test_a_run_is_stuck_beyond_its_expectation_and_the_grace_by_the_clock_of_the_log(client, chain, ask):
    of = {"tenant": tenant(chain), "timestamp": 1_577_836_800_000}  # 2020-01-01T00:00:00Z
    chain.event(start("short", expected_duration_s=60), time="2000-01-01T00:00:00Z", **of)
    chain.event(start("long", expected_duration_s=600), **of)
    chain.event(start("unknown", expected_duration_s=None), **of)
    chain.event(start("done"), **of)
    chain.event(RunCompleted(run_id="done", status="completed", counts=COUNTS), **of)
    insert(client, chain.rows)
    text = "SELECT run_id FROM stuck_runs(now = {now:DateTime64(3, 'UTC')}, grace_s = 30) WHERE tenant = {tenant:String} ORDER BY run_id"

    def stuck(now):
        return [row["run_id"] for row in ask(text, now=now)]

    assert stuck("2020-01-01 00:00:30.000") == []
    assert stuck("2020-01-01 00:00:30.001") == ["unknown"]
    assert stuck("2020-01-01 00:01:30.000") == ["unknown"]
    assert stuck("2020-01-01 00:01:30.001") == ["short", "unknown"]
    assert stuck("2021-01-01 00:00:00.000") == ["long", "short", "unknown"]


def alert(name, model=AlertRaised, **given):
    return model(
        **{
            "alert_id": name, "kind": "late_block", "severity": "critical", "subject": "s", "message": f"about {name}",
            "opened_at": "2020-01-01T00:00:00Z",
        } | given
    )  # fmt: skip


def test_an_alert_is_open_until_it_is_resolved_or_superseded(client, chain, ask):
    of = {"tenant": tenant(chain)}
    for name in ("open", "resolved", "replaced", "again"):
        chain.event(alert(name), **of)
    chain.event(alert("again", message="a repeat of the condition"), **of)
    chain.event(alert("resolved", AlertResolved), **of)
    chain.event(alert("newer", supersedes="replaced"), **of)
    chain.event(alert("elsewhere", AlertResolved), tenant="somebody-else")
    insert(client, chain.rows)
    found = ask("SELECT * FROM open_alerts WHERE tenant = {tenant:String} ORDER BY alert_id")
    assert [row["alert_id"] for row in found] == ["again", "newer", "open"]
    assert found[0]["message"] == "about again"
    assert found[0]["opened_at"] == datetime(2020, 1, 1)  # noqa: DTZ001 - as the client reads it


def test_an_open_alert_shows_how_bad_it_became_and_who_takes_care_of_it(client, chain, ask):
    of = {"tenant": tenant(chain)}
    chain.event(alert("worse", severity="warning", opened_at="2020-01-01T00:00:00Z", message="began"), **of)
    chain.event(alert("worse", opened_at="2020-01-02T00:00:00Z", message="escalated"), **of)
    chain.event(alert("worse", severity="warning", message="a worker that lagged behind"), **of)
    chain.event(alert("seen"), **of)
    chain.event(AlertAcknowledged(alert_id="seen", by="ada"), time="2020-01-03T00:00:00Z", **of)
    chain.event(AlertAcknowledged(alert_id="seen", by="eve", note="on it"), time="2020-01-02T00:00:00Z", **of)
    chain.event(AlertAcknowledged(alert_id="worse", by="mallory"), tenant="somebody-else")
    chain.event(AlertAcknowledged(alert_id="unknown", by="ada"), **of)
    insert(client, chain.rows)
    seen, worse = ask("SELECT * FROM open_alerts WHERE tenant = {tenant:String} ORDER BY alert_id")
    assert (worse["severity"], worse["message"], worse["opened_at"]) == ("critical", "escalated", datetime(2020, 1, 1))  # noqa: DTZ001
    assert (worse["acknowledged"], worse["acknowledged_by"], worse["acknowledged_at"]) == (False, None, None)
    assert (seen["acknowledged"], seen["acknowledged_by"], seen["acknowledgement"]) == (True, "eve", "on it")
    assert seen["acknowledged_at"] == datetime(2020, 1, 2)  # noqa: DTZ001


def test_trails_show_who_did_what_to_what(client, chain, ask):
    of = {"tenant": tenant(chain)}
    chain.event(
        ActionRecorded(action="threshold.changed", resource_type="model", resource_id="m", data={"to": 0.6}),
        actor="ada",
        **of,
    )
    chain.event(label("i", "late"), actor="bot", **of)
    chain.event(label("i", "on_time", "user"), actor="ada", **of)
    prediction = PredictionRecorded(
        prediction_id="p", item_id="i", model_id="m", model_version="1", kind="regression", value=2.5
    )
    chain.event(prediction, actor="bot", **of)
    insert(client, chain.rows)
    by_ada = ask("SELECT * FROM actor_trail WHERE tenant = {tenant:String} AND actor = 'ada' ORDER BY log_time")
    assert [(row["what"], row["resource_type"], row["resource_id"], row["detail"]) for row in by_ada] == [
        ("threshold.changed", "model", "m", '{"to":0.6}'),
        ("classification.recorded", "item", "i", "on_time"),
    ]
    of_item = ask(
        "SELECT * FROM resource_trail WHERE tenant = {tenant:String} AND resource_type = 'item' AND resource_id = 'i' ORDER BY log_time"
    )
    assert [(row["actor"], row["what"], row["detail"]) for row in of_item] == [
        ("bot", "classification.recorded", "late"),
        ("ada", "classification.recorded", "on_time"),
        ("bot", "prediction.recorded", "2.5"),
    ]
    assert [row["seq"] for row in of_item] == [1, 2, 3]


def test_chains_show_heads_and_what_is_in_them(client, chain, ask):
    chain.event(label("a", "x"))
    chain.gap(4)
    chain.judged(Judgement("rejected", "why not", "data", ""), b"\xff")
    insert(client, chain.rows)
    (found,) = ask("SELECT * FROM chains WHERE cluster = {c:String}", c=chain.chain.cluster)
    assert (found["chain"], found["epoch"], found["first_offset"]) == (str(chain.chain), 0, 0)
    assert (found["entries"], found["positions"], found["first_seq"], found["last_seq"]) == (3, 3, 0, 2)
    assert (found["begin_offset"], found["last_offset"], found["head_hash"]) == (0, 5, chain.rows[-1].entry_hash)
    assert (found["records"], found["valid"], found["rejected"], found["gaps"]) == (2, 1, 1, 1)
    assert found["log_time"] == chain.rows[-1].log_time


def test_a_fork_shows_as_more_entries_than_positions(client, chain, ask):
    twin = ChainMaker(chain.chain)
    chain.event(label("a", "x"))
    twin.event(label("a", "y"))
    insert(client, chain.rows + twin.rows)
    (found,) = ask("SELECT entries, positions FROM chains WHERE cluster = {c:String}", c=chain.chain.cluster)
    assert (found["entries"], found["positions"]) == (2, 1)


def test_rejections_name_reason_and_place_once(client, chain, ask):
    row = chain.judged(Judgement("rejected", "data.label: is required", "data", "binary", "s", "i", "t"), b"{}")
    second = chain.next_epoch(0)
    second.again(row)
    insert(client, second.rows)
    insert(client, chain.rows)
    insert(client, chain.rows)
    (found,) = ask("SELECT * FROM rejections WHERE startsWith(chain, {c:String})", c=chain.chain.cluster + "/")
    assert (found["chain"], found["seq"], found["reason_class"]) == (str(chain.chain), 0, "data")
    assert found["reason"] == "data.label: is required"
    assert found["entry_hash"] == row.entry_hash


def test_duplicates_list_each_repeat_and_where_the_first_is(client, chain, ask):
    source = chain.chain.cluster
    first = chain.event(label("a", "x"), id="1", source=source)
    chain.event(label("a", "x"), id="2", source=source)
    chain.event(label("b", "y"), id="1", source=source)
    second = chain.next_epoch(2)
    second.again(chain.rows[2])
    second.event(label("a", "x"), id="1", source=source)
    insert(client, second.rows)
    insert(client, chain.rows)
    (found,) = ask("SELECT * FROM duplicates WHERE source = {s:String}", s=source)
    assert (found["id"], found["records"]) == ("1", 3)
    assert (found["first_chain"], found["first_seq"]) == (str(chain.chain), first.seq)
    places = [(item["chain"], item["seq"]) if isinstance(item, dict) else item[1:3] for item in found["repeats"]]
    assert [tuple(place) for place in places] == [(str(chain.chain), 2), (str(second.chain), 1)]


def test_ingest_stats_count_records_by_hour_and_type(client, chain, ask):
    hour = 3_600_000
    for timestamp in (0, hour - 1, hour):
        chain.event(label("a", "x"), timestamp=timestamp)
    chain.judged(Judgement("rejected", "why", "data", ""), b"", timestamp=hour)
    insert(client, chain.rows)
    found = ask("SELECT * FROM ingest_stats WHERE cluster = {c:String} ORDER BY hour, type", c=chain.chain.cluster)
    assert [
        (row["hour"].hour, row["type"].split(".")[-2:-1], row["records"], row["valid"], row["rejected"])
        for row in found
    ] == [
        (0, ["recorded"], 2, 2, 0),
        (1, [], 1, 0, 1),
        (1, ["recorded"], 1, 1, 0),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM current_classifications WHERE item_id = 'a1'",
        "SELECT * FROM classification_history WHERE item_id = 'a1'",
        "SELECT * FROM run_summary WHERE run_id = 'a1'",
    ],
)
def test_a_look_up_reads_along_the_primary_index(client, text):
    """However large the table is: every read in the plan has the condition on what the table is sorted by."""
    plan = [row[0] for row in client.query(f"EXPLAIN indexes = 1 {text}").result_rows]
    reads = [line for line in plan if "ReadFromMergeTree" in line]
    conditions = [line for line in plan if "Condition:" in line and "'a1'" in line]
    assert len(conditions) == len(reads)


def test_views_work_on_an_empty_database(own):
    views = own.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name"
    ).result_rows
    assert len(views) == 17
    for (name,) in views:
        call = "(now = '2020-01-01 00:00:00', grace_s = 1)" if name == "stuck_runs" else ""
        assert own.query(f"SELECT * FROM {name}{call}").result_rows == []
