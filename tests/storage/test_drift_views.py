"""What the views say of the checks of the watch: the newest result of each window, once."""

from datetime import datetime

import pytest

from modeltrail.events.checks import CheckCompleted
from modeltrail.testing import make_event
from tests.storage.maker import insert


@pytest.fixture
def publish(chain):
    """Append a check of a window of a tenant of its own; returns its id."""

    def append(number, day, *, model="m", **given):
        check_id = f"{number:064x}"
        window = {"start": f"2013-07-{day:02}T00:00:00Z", "end": f"2013-07-{day + 1:02}T00:00:00Z"}
        data = make_event(CheckCompleted, check_id=check_id, model_id=model, window=window, kind="drift", **given).data
        chain.event(data, tenant=chain.chain.cluster)
        return check_id

    return append


@pytest.fixture
def ask(client, chain):
    def query(view, where="1"):
        text = f"SELECT * FROM {view} WHERE tenant = {{tenant:String}} AND {where} ORDER BY window_start, check_id"
        return list(client.query(text, parameters={"tenant": chain.chain.cluster}).named_results())

    return query


def field(name, psi, state="stable", **given):
    return {
        "name": name, "role": "feature", "kind": "numeric", "state": state, "n": 6, "missing": 1, "counts": [2, 3],
        "statistics": {"psi": psi}, "p_values": {"psi": 0.5},
    } | given  # fmt: skip


def test_drift_history_has_a_row_a_window_field_and_segment(client, chain, publish, ask):
    segment = {"by": "origin", "value": "EWR"}
    publish(1, 1, fields=[field("a", 0.1), field("a", 0.3, "critical", segment=segment)], state="critical", rows=6)
    publish(2, 2, fields=[field("b", 0.2)])
    publish(3, 1, model="other", fields=[field("a", 0.4)])
    publish(4, 3, status="insufficient_data")
    insert(client, chain.rows)
    found = ask("drift_history", "model_id = 'm'")
    assert sorted((row["window_start"].day, row["name"], row["segment_value"] or "", row["state"]) for row in found) == [
        (1, "a", "", "stable"), (1, "a", "EWR", "critical"), (2, "b", "", "stable"),
    ]  # fmt: skip
    assert found[2]["statistics"] == {"psi": 0.2}
    assert (found[2]["n"], found[2]["missing"], found[2]["counts"]) == (6, 1, [2, 3])
    assert found[2]["window_end"] == datetime(2013, 7, 3)  # noqa: DTZ001 - as the client reads it
    assert [row["status"] for row in ask("latest_checks", "model_id = 'm'")][-1] == "insufficient_data"


def test_of_the_results_of_a_window_the_newest_counts_and_a_repeat_counts_once(client, chain, publish, ask):
    """Window 1: first result, superseded by a second, that by a third. Window 2: published twice after a crash.

        ledger   1   2   3   2'  4   4'
        window   1   1   1   1   2   2        2' repeats 2, 4' repeats 4
    """  # fmt: skip
    first = publish(1, 1, fields=[field("a", 0.1)])
    second = publish(2, 1, fields=[field("a", 0.2)], supersedes=first)
    publish(3, 1, fields=[field("a", 0.3)], supersedes=second)
    publish(2, 1, fields=[field("a", 0.2)], supersedes=first, duration_ms=7)
    publish(4, 2, fields=[field("a", 0.4)], duration_ms=1)
    publish(4, 2, fields=[field("a", 0.4)], duration_ms=2)
    insert(client, chain.rows)
    assert [row["statistics"]["psi"] for row in ask("drift_history")] == [0.3, 0.4]
    assert [row["duration_ms"] for row in ask("latest_checks")][-1] == 1


def test_a_check_that_names_itself_as_superseded_is_still_there(client, chain, publish, ask):
    publish(1, 1, fields=[field("a", 0.1)], supersedes=f"{1:064x}")
    insert(client, chain.rows)
    assert len(ask("drift_history")) == 1


def test_a_check_in_two_epochs_counts_once(client, chain, publish, ask):
    publish(1, 1, fields=[field("a", 0.1)])
    second = chain.next_epoch(0)
    second.again(chain.rows[0])
    insert(client, second.rows)
    insert(client, chain.rows)
    assert [(row["chain"], row["seq"]) for row in ask("drift_history")] == [(str(chain.chain), 0)]


def test_figures_and_gaps_have_histories_of_their_own(client, chain, publish, ask):
    metric = {"metric": "auc", "state": "warning", "value": 0.6, "n": 50, "low": 0.5, "high": 0.7, "coverage": 0.9}
    groups = [{"value": "AA", "n": 20, "measured": 0.2}, {"value": "HA", "n": 1}]
    gap = {"by": "carrier", "metric": "mean_score", "state": "stable", "value": 0.2, "n": 50, "groups": groups}
    publish(1, 1, metrics=[metric], gaps=[gap])
    insert(client, chain.rows)
    (figure,) = ask("performance_history")
    assert (figure["segment_by"], figure["segment_value"], figure["reference_of"]) == (None, None, None)
    assert (figure["metric"], figure["value"], figure["low"], figure["high"]) == ("auc", 0.6, 0.5, 0.7)
    (between,) = ask("bias_history")
    assert (between["by"], between["value"], between["groups"]) == (
        "carrier", 0.2, [{"value": "AA", "n": 20, "measured": 0.2}, {"value": "HA", "n": 1, "measured": None}],
    )  # fmt: skip


def test_performance_history_has_a_row_a_window_metric_and_segment(client, chain, publish, ask):
    whole = {"metric": "auc", "state": "stable", "value": 0.7, "n": 50, "reference": 0.72}
    newark = {"by": "origin", "value": "EWR"}
    split = whole | {"segment": newark, "state": "critical", "value": 0.5, "n": 20, "reference_of": "segment"}
    condition = {"kind": "performance", "name": "auc", "segment": newark}
    alert = {"alert_id": "a", "condition": condition, "transition": "raised"}
    publish(1, 1, metrics=[whole, split], alerts=[alert])
    publish(2, 2, metrics=[whole])
    insert(client, chain.rows)
    found = ask("performance_history")
    assert sorted((row["window_start"].day, row["segment_value"] or "", row["state"], row["n"]) for row in found) == [
        (1, "", "stable", 50), (1, "EWR", "critical", 20), (2, "", "stable", 50),
    ]  # fmt: skip
    assert [row["reference_of"] for row in found if row["segment_by"] == "origin"] == ["segment"]
    (alerts,) = (row["alerts"] for row in ask("latest_checks") if row["alerts"])
    assert [(each["name"], each["segment_by"], each["segment_value"]) for each in alerts] == [("auc", "origin", "EWR")]


def test_a_history_reads_no_column_that_is_not_asked_for_and_goes_by_the_model(client, chain, publish):
    """Counts of bins are large: who asks for states of checks must not read them, nor those of other models."""
    publish(1, 1, model="a1")  # a table without a part has no plan
    insert(client, chain.rows)
    text = "EXPLAIN {} SELECT state FROM latest_checks WHERE model_id = 'a1'"
    header = "\n".join(row[0] for row in client.query(text.format("header = 1")).result_rows)
    assert "check_id" in header
    assert "gaps" not in header
    assert "fields" not in header
    plan = [row[0] for row in client.query(text.format("indexes = 1")).result_rows]
    assert any("Condition:" in line and "'a1'" in line for line in plan)
