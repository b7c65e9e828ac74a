"""The commands on drift against an installation that has watched a model drift."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest

from modeltrail.cli.main import main
from modeltrail.embedded.credentials import Role
from modeltrail.storage.client import connect
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import read_baseline, read_checks
from modeltrail.storage.watch.replay import Span, replay, rows_in_order
from tests.cli import drift_world
from tests.cli.drift_world import A_WEEK, MODEL, STORM, VERSION, WEEKS
from tests.integration.installation import until

pytestmark = pytest.mark.slow
CHECKS = 2 * WEEKS


@pytest.fixture(scope="module")
def world(stacks, tmp_path_factory):
    """An installation after seven weeks, of which two were bad."""
    directory = tmp_path_factory.mktemp("drift")
    with drift_world.watched(stacks("tansu"), directory) as installation:
        environment = {k: v for k, v in installation.env(Role.WRITER).items() if k.startswith("MODELTRAIL_")}
        with pytest.MonkeyPatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            (directory / "sample.csv").write_text(drift_world.sample())
            sample = ["--from", str(directory / "sample.csv"), "--segment", "origin", "--outcome", "late"]
            of = ["--model", MODEL]
            baseline = ["baseline", "add", *of, "--version", VERSION, *sample, "--positive", "late", "--id", "autumn"]
            assert main(baseline) == 0
            monitor = ["--window", "7d", "--segment", "origin", "--performance", "auc:0.05"]
            assert main(["monitor", "set", *of, *monitor, "--bias", "origin:selection_rate:0.3", "--no-check"]) == 0
            wait(installation, "SELECT count() FROM monitors", 1)
            assert drift_world.publish(installation) == 2 * WEEKS * drift_world.A_WEEK
            assert main(["monitor", "advance", *of, "--through", "2013-02-25"]) == 0
            wait(installation, "SELECT uniqExact(check_id) FROM checks", CHECKS)
        yield installation, environment


def wait(installation, query, wanted):
    asyncio.run(until(lambda: drift_world.count(installation, query) >= wanted, what=query))


@pytest.fixture
def run(world, monkeypatch, capsys):
    """Run a command in this process; returns its exit code, what --json printed, and stderr."""
    for name, value in world[1].items():
        monkeypatch.setenv(name, value)

    def command(*arguments):
        code = main([*arguments, "--json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out.splitlines()[-1]), printed.err

    return command


@pytest.fixture
def shown(world, monkeypatch, capsys):
    """Run a command as people see it; returns what it printed."""
    for name, value in world[1].items():
        monkeypatch.setenv(name, value)

    def command(*arguments):
        assert main(list(arguments)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return command


@pytest.fixture
def reader(world):
    client = connect(world[0].settings(Role.AUDITOR).clickhouse)
    yield Reader(client)
    client.close()


def test_baselines_and_monitors_are_listed_and_shown(run, shown):
    (listed,) = run("baseline", "list")[1]["baselines"]
    assert (listed["baseline_id"], listed["rows"], listed["fields"], listed["segments"]) == ("autumn", 4000, 3, 3)
    _, whole, _ = run("baseline", "show", listed["sha256"][:8])
    assert whole["sha256"] == listed["sha256"]
    (monitor,) = run("monitor", "list", "--model", MODEL)[1]["monitors"]
    assert monitor == run("monitor", "show", MODEL)[1]
    assert monitor["monitor"]["window"]["size_s"] == 604_800
    assert "dep_delay" in shown("baseline", "show", "autumn")
    assert "selection_rate by origin: at most 0.3" in shown("monitor", "show", MODEL)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["drift", "status", "--model", "flight-delay"], "did you mean 'flights-delay'?"),
        (["drift", "history", "--model", MODEL, "--field", "dep_dely"], "did you mean 'dep_delay'?"),
        (["drift", "history", "--model", MODEL, "--field", "dep_delay", "--statistic", "psy"], "expected one of"),
        (["drift", "run", "--model", MODEL, "--field", "dep_dely"], "--field 'dep_dely': must be a field of the baseline"),
        (["drift", "explain", "0123456789"], "no alert and no check of this id"),
        (["baseline", "show", "automn"], "did you mean 'autumn'?"),
        (["monitor", "disable", "flight-delay"], "did you mean 'flights-delay'?"),
        (["monitor", "set", "--model", MODEL, "--field", "dep_dely"], "must be a field of the baseline autumn"),
        (["alerts", "ack", "zz", "--by", "me"], "none of this id"),
        (["baseline", "add", "--model", MODEL, "--version", "9", "--ledger", "--since", "2013-01-07", "--until",
          "2013-01-14"], "the versions of flights-delay in the ledger are: 1.0.0"),
    ],
)  # fmt: skip
def test_what_is_unknown_is_named_with_the_nearest_that_is_known(run, arguments, said):
    code, document, _ = run(*arguments)
    assert code == 2
    assert said in document["error"]["message"]


def test_status_and_history_show_the_storm(run, shown):
    (unit,) = run("drift", "status", "--all")[1]["units"]
    assert unit["too_late"] == 0
    fields = {(each["name"], each["segment"]): each for each in unit["fields"]}
    delay = fields["dep_delay", None]
    assert len(delay["values"]) == WEEKS
    assert [week for week, value in enumerate(delay["values"]) if value > 0.25] == list(STORM)
    assert fields["origin", None]["states"] == ["stable"] * WEEKS
    assert ("dep_delay", "origin=EWR") in fields
    text = shown("drift", "status")
    assert "▁▁▁██▁▁" in text

    (series,) = run("drift", "history", "--model", MODEL, "--field", "auc")[1]["series"]
    states = [each["state"] for each in series["windows"]]
    assert [week for week, state in enumerate(states) if state == "critical"] == list(STORM)
    assert {(each["coverage"], each["reason"]) for each in series["windows"]} == {(1, None)}
    of_segment = ["drift", "history", "--model", MODEL, "--field", "auc", "--segment"]
    (series,) = run(*of_segment, "origin=EWR")[1]["series"]
    assert [week for week, each in enumerate(series["windows"]) if each["state"] == "critical"] == list(STORM)
    assert all(each["n"] < A_WEEK and each["numbers"]["low"] < each["value"] for each in series["windows"])
    assert f"{MODEL} {VERSION}: auc where origin is EWR (metric)" in shown(*of_segment, "origin=EWR")
    assert len(fields["auc", "origin=EWR"]["values"]) == WEEKS
    code, refused, _ = run(*of_segment, "origin=SFO")
    assert code != 0
    assert "--segment origin=SFO: no check of auc has it" in refused["error"]["message"]
    chart = shown("drift", "history", "--model", MODEL, "--field", "dep_delay", "--table").splitlines()
    assert any("█" in line for line in chart)
    assert any(line.split()[:2] == ["2013-01-28", "critical"] for line in chart)
    assert max(map(len, chart)) <= 120


def test_an_alert_is_listed_explained_and_computed_again(run, shown):
    alerts = run("alerts", "list", "--model", MODEL)[1]["alerts"]
    (delay,) = (each for each in alerts if "`dep_delay` moved" in each["message"])
    (worth,) = (each for each in alerts if "`auc` is" in each["message"])
    assert delay["severity"] == "critical"
    assert [each["what"] for each in delay["history"] if each["what"] != "acknowledged"] == ["raised", "resolved"]
    assert "2013-01-28 to 2013-02-04" in delay["message"]

    code, explained, _ = run("drift", "explain", delay["alert_id"][:10], "--recompute")
    assert code == 0
    assert explained["identical"]
    assert len(explained["recomputed"]) == 2  # the check that raised it, and the one that resolved it
    assert explained["recomputed"][0]["alerts"] > 0
    (field,) = explained["fields"]
    assert sum(each["current"] for each in field["bins"]) == pytest.approx(1)
    assert worth["alert_id"] != delay["alert_id"]
    assert not explained["from_start"]
    for alert in (delay, worth):
        code, whole, _ = run("drift", "explain", alert["alert_id"], "--from-start")
        assert (code, whole["identical"], whole["from_start"]) == (0, True, True)
    assert "--from-start proves both" in shown("drift", "explain", delay["alert_id"], "--recompute")
    assert "Nothing is taken over" in shown("drift", "explain", delay["alert_id"], "--from-start")

    text = shown("drift", "explain", explained["check"]["check_id"], "--field", "dep_delay")
    assert explained["check"]["cut"]["entry"]["chain"] in text
    assert any(line.count("█") > 10 and "above" in line for line in text.splitlines())
    assert "statistics" in shown("alerts", "show", delay["alert_id"])
    listed = shown("alerts", "list", "--model", MODEL).splitlines()
    headlines = [line for line in listed if f"{MODEL} {VERSION}, window 2013-01-28 to 2013-02-04" in line]
    assert len(headlines) == 1
    assert int(headlines[0].split()[0]) > 1
    assert sum(alert["alert_id"][:12] in line for alert in alerts for line in listed) == len(alerts)


def test_what_the_model_was_worth_is_computed_again_in_the_whole_and_by_segment(run, shown):
    alerts = [each for each in run("alerts", "list", "--model", MODEL)[1]["alerts"] if each["kind"] == "performance"]
    assert len({each["alert_id"] for each in alerts}) == len(alerts) == 4
    for named in ("`auc` is", "`auc` where `origin` is EWR is", "`auc` where `origin` is JFK is"):
        (worth,) = (each for each in alerts if named in each["message"])
        code, explained, _ = run("drift", "explain", worth["alert_id"], "--recompute")
        assert code == 0
        assert explained["identical"]
        assert explained["check"]["metrics"][0]["state"] == "critical"
        assert len(explained["check"]["metrics"]) == 4
    text = shown("drift", "explain", worth["alert_id"]).splitlines()
    rows = [line.split() for line in text if line.lstrip().startswith("auc ")]
    assert [row[1] for row in rows][:2] == ["critical", "origin=JFK"], "all predictions, then what the alert is about"
    assert len(rows) == 4


def test_a_check_that_does_not_follow_from_the_ledger_is_told_with_every_difference(run, reader, monkeypatch):
    alerts = run("alerts", "list", "--model", MODEL)[1]["alerts"]
    check_id = run("alerts", "show", alerts[0]["alert_id"])[1]["history"][0]["evidence"]["check_id"]
    honest = read_checks(reader, [check_id])[check_id]
    fields = [
        each.model_copy(update={"state": "stable"}) if each.state == "critical" else each for each in honest.fields
    ]
    forged = honest.model_copy(update={"fields": fields, "state": "stable", "rows": honest.rows - 1})
    monkeypatch.setattr("modeltrail.cli.drift_records.read_checks", lambda _reader, ids: {ids[0]: forged})
    code, document, _ = run("drift", "explain", check_id, "--recompute")
    assert code == 3
    assert not document["identical"]
    differing = {
        each["path"]: (each["recorded"], each["computed"]) for each in document["recomputed"][0]["differences"]
    }
    assert differing["rows"] == (honest.rows - 1, honest.rows)
    assert differing["state"] == ("stable", "critical")
    assert differing["fields.dep_delay.state"] == ("stable", "critical")


def test_stats_count_every_check(run, shown):
    _, found, _ = run("drift", "stats")
    # A monitor that another test has switched off says so in checks that are skipped.
    assert (found["completed"], found["checks"] - found["skipped"], found["failed"]) == (CHECKS, CHECKS, 0)
    assert found["success_rate"] == 1
    assert (found["late"], found["too_late"]) == (0, 0)
    assert {each["monitor_id"] for each in found["groups"]} == {MODEL}
    completed = [each for each in found["groups"] if each["status"] == "completed"]
    assert all(0 < each["p50_ms"] <= each["p95_ms"] <= each["max_ms"] for each in completed)
    assert found["alerts"]["raised"] == found["alerts"]["by_kind"]["drift"] + found["alerts"]["by_kind"]["performance"]
    assert "100.0% without a failure" in shown("drift", "stats")


def test_a_back_test_finds_what_the_live_watch_found_and_publishes_nothing(run, world, reader):
    before = drift_world.count(world[0], "SELECT count() FROM ledger")
    _, found, _ = run("drift", "run", "--model", MODEL, "--monitor", MODEL, "--until", "2013-02-25")
    assert found["windows"] == WEEKS
    live = run("alerts", "list", "--model", MODEL)[1]["alerts"]
    raised = [each for each in found["alerts"] if each["transition"] == "raised"]
    assert [each["message"] for each in raised] == [each["message"] for each in live]
    assert [each["alert_id"] for each in raised] == [each["alert_id"] for each in live]
    assert drift_world.count(world[0], "SELECT count() FROM ledger") == before
    # Another policy, other windows, a part of the year.
    some = ["--from", "2013-01-14", "--until", "2013-01-28", "--window", "7d", "--policy", "tolerant"]
    _, calm, _ = run("drift", "run", "--model", MODEL, *some)
    assert (calm["windows"], calm["raised"], calm["monitor"]["policy"]["preset"]) == (2, 0, "tolerant")
    patient = ["--lateness", "1h", "--label-delay", "1d", "--consecutive", "4", "--psi-warning", "9"]
    patient += ["--psi-critical", "10"]
    _, calm, errors = run("drift", "run", "--model", MODEL, "--monitor", MODEL, "--until", "2013-02-26", *patient)
    assert calm["monitor"]["window"] == {"kind": "tumbling", "size_s": 604_800, "allowed_lateness_s": 3600}
    assert {each["label_delay_s"] for each in (*calm["monitor"]["performance"], *calm["monitor"]["bias"])} == {86_400}
    assert not [each for each in calm["alerts"] if each["kind"] == "drift"]
    assert "warning" not in errors
    _, _, errors = run("drift", "run", "--model", MODEL, "--every", "1000", "--bias", "orgin:mean_score:0.1")
    assert "--bias orgin:mean_score: its checks will be insufficient_data unless" in errors
    _, counted, _ = run("drift", "run", "--model", MODEL, "--every", "1000", "--from", "2013-01-14")
    assert counted["windows"] == (WEEKS - 1) * drift_world.A_WEEK // 1000
    assert counted["predictions"] == counted["windows"] * 1000


def test_a_back_test_does_not_depend_on_how_much_is_read_at_once(run, reader):
    (monitor,) = run("monitor", "list")[1]["monitors"]
    from modeltrail.cli.monitor_options import monitor_of

    configured = monitor_of(
        monitor["monitor"] | {"window": {"kind": "count", "every": 500}, "segments": [], "performance": [], "bias": []}
    )
    (listed,) = run("baseline", "list")[1]["baselines"]
    baseline = read_baseline(reader, listed["sha256"])
    span = Span(drift_world.us(1), drift_world.us(5))
    whole, pieces = (
        [
            (closing.check_id, result.check.state)
            for closing, result in replay(reader, configured, baseline, span, at_once=n)
        ]
        for n in (10**6, 700)
    )
    assert whole == pieces
    assert len(whole) == 4 * drift_world.A_WEEK // 500


def test_alerts_are_followed_and_acknowledged(run, world):
    alerts = run("alerts", "list", "--model", MODEL)[1]["alerts"]
    follower = subprocess.Popen(
        [sys.executable, "-m", "modeltrail.cli.main", "alerts", "follow", "--from-beginning", "--json"],
        env={**os.environ, **world[1]}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with follower:
        first = [json.loads(follower.stdout.readline()) for _ in alerts]
        assert [each["time_us"] for each in first] == sorted(each["time_us"] for each in first)
        assert {each["alert_id"] for each in first if each["what"] == "raised"} <= {each["alert_id"] for each in alerts}
        code, acknowledged, _ = run("alerts", "ack", alerts[0]["alert_id"][:12], "--by", "ops", "--note", "the storm")
        assert code == 0
        assert acknowledged["alert_id"] == alerts[0]["alert_id"]
        for line in follower.stdout:
            heard = json.loads(line)
            if heard["what"] == "acknowledged":
                break
        assert (heard["by"], heard["note"]) == ("ops", "the storm")
        follower.send_signal(signal.SIGINT)
        out, errors = follower.communicate(timeout=30)
    assert follower.returncode == 0
    assert "shown" in errors
    assert "Traceback" not in errors + out
    wait(world[0], "SELECT count() FROM alerts_acknowledged", 1)  # other tests count what is chained


def test_a_monitor_is_switched_off_and_on(run, world):
    assert run("monitor", "enable", MODEL)[1]["published"] is False
    before = drift_world.count(world[0], "SELECT count() FROM monitors")
    assert run("monitor", "disable", MODEL)[1]["monitor"]["enabled"] is False
    wait(world[0], "SELECT count() FROM monitors", before + 1)
    assert run("monitor", "show", MODEL)[1]["monitor"]["enabled"] is False
    assert [each["enabled"] for each in run("drift", "status")[1]["units"]] == [False]
    assert run("monitor", "enable", MODEL)[1]["monitor"]["enabled"] is True
    wait(world[0], "SELECT count() FROM monitors", before + 2)
    # Both lines of checks are over, and so are the alerts that they left open.
    wait(world[0], "SELECT uniqExact(check_id) FROM checks WHERE closed_by = 'configured'", 2)
    wait(world[0], f"SELECT count() = 0 FROM open_alerts WHERE monitor_id = '{MODEL}'", 1)


def test_a_baseline_of_what_was_recorded(run):
    span = ["--since", "2013-01-07", "--until", "2013-01-28"]
    arguments = ["baseline", "add", "--model", MODEL, "--version", VERSION, "--ledger", *span, "--segment", "origin"]
    code, made, _ = run(*arguments, "--positive", "late", "--dry-run")
    assert code == 0
    baseline = made["baseline"]
    assert baseline["rows"] == STORM[0] * drift_world.A_WEEK
    assert baseline["source"]["kind"] == "ledger_range"
    assert baseline["source"]["cut"]
    assert {each["name"] for each in baseline["fields"]} == {"dep_delay", "origin", "label", "score"}
    assert any(each["metric"] == "auc" for each in baseline["performance"])
    # Nothing was predicted then.
    code, refused, _ = run(*arguments[:-6], "--since", "2020-01-01", "--until", "2020-02-01")
    assert code == 2
    assert "must be at least one prediction of flights-delay 1.0.0" in refused["error"]["message"]


def test_entries_of_all_chains_come_in_watch_order(world, reader):
    from modeltrail.storage.watch.frontiers import PREDICTIONS, Frontiers

    parts = list(rows_in_order(Frontiers(reader, suffixes=(PREDICTIONS,)), at_once=500))
    assert len(parts) > 1
    assert sum(map(len, parts)) == 2 * WEEKS * drift_world.A_WEEK
    positions = [part.position(row) for part in parts for row in (0, len(part) - 1)]
    assert positions == sorted(positions)
