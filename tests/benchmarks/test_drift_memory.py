"""What `bench drift-memory` reports: every figure, of things that really happened. Never how large a figure is."""

import json

import pytest

from modeltrail.bench.drift_memory import MemoryPlan, pane_prediction
from modeltrail.cli.main import main
from modeltrail.embedded import apache
from modeltrail.events.judge import judge

needs_kafka = pytest.mark.skipif(apache.available() is not None, reason=f"Apache Kafka: {apache.available()}")


def test_models_take_turns_and_event_time_goes_on_by_a_pane_for_as_many_rows_of_each():
    plan = MemoryPlan(models=3, fields=5, panes=60)
    values = [pane_prediction(plan, number, rows=4) for number in range(plan.events(4))]
    assert {judge("modeltrail.predictions", b"delays", [], value).status for value in values} == {"valid"}
    documents = [json.loads(value) for value in values]
    assert [document["data"]["model_id"] for document in documents[:4]] == [
        "model-00", "model-01", "model-02", "model-00",
    ]  # fmt: skip
    panes = [document["time"][:13] for document in documents]
    assert len(set(panes)) == 68
    assert all(panes.count(pane) == 12 for pane in set(panes))
    assert plan.checks == 3 * 127


@pytest.mark.parametrize("options", [["--window", "10001"], ["--learned", "400"], ["--outcomes", "9996"]])
def test_a_number_of_rows_that_cannot_be_measured_is_refused_by_name(capsys, options):
    assert main(["bench", "drift-memory", *options]) == 2
    assert f"{options[0]} {options[1]}: expected 0, or a multiple of 4 from 10000" in capsys.readouterr().err


@needs_kafka
@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.full
def test_memory_is_measured_of_real_workers_and_of_windows_that_were_really_checked(capsys, tmp_path):
    arguments = ["--models", "2", "--fields", "3", "--panes", "3", "--rows", "2", "--dir", str(tmp_path)]
    arguments += ["--window", "12000", "--learned", "10000", "--outcomes", "12000"]
    assert main(["bench", "drift-memory", "--json", *arguments]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["rss_mb_max"] > 0
    assert [(run["events"], run["checks"]) for run in figures["runs"]] == [(44, 26)]
    by_work = {each["work"]: each for each in figures["windows"]}
    assert by_work.keys() == {"drift", "learn", "performance"}
    assert by_work["drift"]["counted"] == by_work["performance"]["counted"] == 12_000
    assert by_work["learn"]["learned"] == 10_000
    assert 0.5 < by_work["performance"]["metrics"]["auc"] < 1  # outcomes follow the scores
    assert all(each["rss_mb_max"] > 0 and each["store_mb_max"] > 0 for each in figures["windows"])
