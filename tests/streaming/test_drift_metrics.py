"""What an operator of the drift role is told."""

import logging

from prometheus_client import generate_latest

from modeltrail.errors import StoreUnavailableError, TamperError
from modeltrail.streaming import drift_metrics
from modeltrail.streaming.drift_metrics import DriftMetrics
from modeltrail.streaming.drift_worker import _not_ready


class Part:
    def __init__(self, **members):
        self.__dict__.update(members)


def failing(metrics):
    return _not_ready(Part(ingest_gate=Part(joined=True)), Part(began=True), metrics)


def count(metrics, name):
    (line,) = [line for line in generate_latest(metrics.registry).decode().splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def test_models_that_wait_are_named_until_they_go_on(caplog):
    caplog.set_level(logging.INFO)
    metrics = DriftMetrics()
    assert failing(metrics) == {}
    for _ in range(3):
        metrics.set_aside({"m": "memory limit", "n": "ValueError: 7"})
    assert failing(metrics) == {
        "models set aside": {"count": 2, "some": {"m": "memory limit", "n": "ValueError: 7"}},
    }
    assert count(metrics, "modeltrail_drift_models_set_aside") == 2
    assert [record.getMessage() for record in caplog.records] == [
        "m waits, its checks cannot be computed now: memory limit",
        "n waits, its checks cannot be computed now: ValueError: 7",
    ]
    metrics.set_aside({"n": "ValueError: 7"})
    metrics.set_aside({})
    assert caplog.records[-2].getMessage() == "going on: m is checked again"
    assert failing(metrics) == {}
    assert count(metrics, "modeltrail_drift_models_set_aside") == 0


def test_of_a_thousand_models_that_wait_some_are_named():
    metrics = DriftMetrics()
    metrics.set_aside({f"m{number:04}": "memory limit" for number in range(1000)})
    told = failing(metrics)["models set aside"]
    assert told["count"] == 1000
    assert len(told["some"]) == 10


def test_an_answer_to_one_question_does_not_say_that_another_is_answered():
    """A watch that waits for its own query stays not ready though the store answers a short one."""
    metrics = DriftMetrics()
    metrics.waiting("store", StoreUnavailableError("memory limit"))
    metrics.going_on("store to answer")
    assert failing(metrics) == {"waiting for store": "memory limit"}
    metrics.going_on("store")
    assert failing(metrics) == {}


def test_a_tampered_chain_is_told_of_until_it_was_mended(caplog, monkeypatch):
    metrics = DriftMetrics()
    for _ in range(3):
        metrics.tampered(TamperError("c/t/0/0-0", 7, "two different entries stand at this position"))
    assert failing(metrics) == {
        "tampered": {"c/t/0/0-0": "c/t/0/0-0 seq 7: two different entries stand at this position"}
    }
    assert count(metrics, "modeltrail_drift_tampered_chains") == 1
    (record,) = caplog.records
    assert record.levelname == "CRITICAL"
    assert "reads nothing behind this position" in record.getMessage()
    monkeypatch.setattr(drift_metrics, "TAMPERED_S", -1.0)
    assert failing(metrics) == {}
    assert count(metrics, "modeltrail_drift_tampered_chains") == 0
