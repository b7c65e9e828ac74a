"""What the benchmarks report: every figure, of things that really happened. Never how large a figure is."""

import json
import os
import subprocess
import sys

import pytest

from modeltrail.bench.ingest import IngestPlan, measure_ingest, wait_until
from modeltrail.bench.records import prediction
from modeltrail.bench.scale import ScalePlan, Step, measure_scale
from modeltrail.bench.verify import VerifyPlan, measure_verify
from modeltrail.cli.main import main
from modeltrail.embedded import apache
from modeltrail.errors import UnavailableError
from modeltrail.events.judge import judge

needs_kafka = pytest.mark.skipif(apache.available() is not None, reason=f"Apache Kafka: {apache.available()}")


def silently(_what, _total):
    return lambda _more: None


def test_the_records_are_valid_predictions_of_about_370_bytes_and_all_different():
    values = [prediction(number) for number in (0, 1, 999_999, 20_000_000)]
    assert len(set(values)) == len(values)
    assert all(360 <= len(value) <= 385 for value in values)
    assert {judge("modeltrail.predictions", b"delays", [], value).status for value in values} == {"valid"}


def test_each_step_of_the_curve_is_measured_once():
    steps = ScalePlan(partitions=(4, 16), ledger_millions=(0, 5), workers=(1, 2)).steps()
    assert steps == [Step(4), Step(16), Step(4, ledger_millions=5), Step(16, workers=2)]


def test_what_does_not_come_true_is_an_error_that_names_it():
    with pytest.raises(UnavailableError, match="a miracle: not there"):
        wait_until(lambda: False, within=0.0, what="a miracle")


def test_a_list_of_numbers_that_is_none_is_refused_by_name(capsys):
    assert main(["bench", "scale", "--partitions", "4,x"]) == 2
    assert "--partitions '4,x': expected whole numbers" in capsys.readouterr().err


@needs_kafka
@pytest.mark.kafka
@pytest.mark.slow
def test_every_benchmark_measures_a_real_run(tmp_path):
    """One broker and one store for all three: each takes longer to start than to be measured here."""
    script = (
        "import json, sys; from pathlib import Path; import tests.benchmarks.test_bench as t;"
        "print(json.dumps(t.run_all(Path(sys.argv[1]))))"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MODELTRAIL_")}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environ, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ingest, verify, scale = json.loads(done.stdout.splitlines()[-1])
    assert set(ingest) >= {
        "events_per_s", "stock_faust_events_per_s", "getmany_events_per_s", "ratio_to_stock_faust", "ratio_to_getmany",
        "cpu_us_per_event", "cpu_ratio_to_getmany", "rss_mb_max",
    }  # fmt: skip
    assert all(ingest[name] > 0 for name in ("events_per_s", "cpu_us_per_event", "stock_faust_events_per_s"))
    assert set(verify) >= {
        "sql_entries_per_s", "ingest_events_per_s", "python_entries_per_s", "sha256_limit_entries_per_s",
        "ratio_to_limit", "rss_mb_max",
    }  # fmt: skip
    assert verify["entries"] == 60_000
    assert [(step["partitions"], step["workers"]) for step in scale["steps"]] == [(4, 1)]


def run_all(directory):
    from modeltrail.bench.bed import ground

    with ground(None, directory) as prepared:
        return (
            measure_ingest(prepared, IngestPlan(events=60_000, rounds=1, transactions=500), silently),
            measure_verify(prepared, VerifyPlan(entries=60_000, rounds=1), silently),
            measure_scale(
                prepared, ScalePlan(events=60_000, partitions=(4,), ledger_millions=(0,), workers=()), silently
            ),
        )
