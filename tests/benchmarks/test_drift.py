"""What `bench drift` reports: every figure, of things that really happened. Never how large a figure is."""

import json

import pytest

from modeltrail.bench.drift import CheckPlan, measure_check
from modeltrail.bench.records import WIDE_DAYS, wide_features, wide_prediction
from modeltrail.cli.main import main
from modeltrail.embedded import apache
from modeltrail.events.judge import judge

needs_kafka = pytest.mark.skipif(apache.available() is not None, reason=f"Apache Kafka: {apache.available()}")


def test_wide_records_are_valid_predictions_with_as_many_features_as_are_wanted_over_thirty_days():
    values = [wide_prediction(number, 1000, 20) for number in (0, 1, 999)]
    assert {judge("modeltrail.predictions", b"delays", [], value).status for value in values} == {"valid"}
    documents = [json.loads(value) for value in values]
    assert [len(document["data"]["features"]) for document in documents] == [20, 20, 20]
    assert documents[0]["time"] == "2026-01-01T00:00:00.000000Z"
    assert documents[-1]["time"].startswith("2026-01-30T23")
    assert WIDE_DAYS == 30
    assert {type(value) for value in wide_features(7, 20).values()} == {float, str}


def test_a_check_is_measured_beside_others_or_says_why_not():
    figures = measure_check(CheckPlan(rows=2000, fields=3, rounds=1), lambda _what, _total: lambda _more: None)
    assert figures["check_s"] > 0
    assert figures["ratio_to_scipy"] > 0
    if figures["ratio_to_evidently"] is None:
        assert "pip install 'modeltrail[bench]'" in figures["evidently_skipped"]
    else:
        assert "evidently_skipped" not in figures


@needs_kafka
@pytest.mark.kafka
@pytest.mark.slow
def test_the_stream_is_measured_with_and_without_the_watch(capsys, tmp_path):
    arguments = ["--rows", "1000", "--fields", "4", "--events", "60000", "--rounds", "1", "--dir", str(tmp_path)]
    assert main(["bench", "drift", "--json", *arguments]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures.keys() >= {"ratio_to_evidently", "ratio_to_scipy", "ingest_share_with_drift", "us_per_event"}
    assert figures["checks"] == WIDE_DAYS
    assert figures["ingest_share_with_drift"] > 0
    assert figures["worker_us_per_event"] > 0
