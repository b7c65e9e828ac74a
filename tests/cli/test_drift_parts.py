"""What the commands on drift are made of, without a server: files, options, folds, bins, differences."""

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from modeltrail.cli import drift_recompute
from modeltrail.cli.alerts_records import Said, fold_alerts, sentence
from modeltrail.cli.baseline import _roles, from_file
from modeltrail.cli.baseline_files import read_file
from modeltrail.cli.drift_bins import bars, bin_rows
from modeltrail.cli.drift_history import _check_statistic, _why_no_value
from modeltrail.cli.drift_recompute import differences, recompute_check
from modeltrail.cli.drift_records import FieldLine
from modeltrail.cli.drift_run import _Tally
from modeltrail.cli.main import main
from modeltrail.cli.monitor_options import bias_of, metric_of, monitor_of, read_monitor_file, window_of, window_words
from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.rows.columns import Column
from modeltrail.drift.windows.closing import Window
from modeltrail.errors import ConfigurationError, InvalidEventError
from modeltrail.events.checks import CheckCompleted, CheckCut, CheckEntry
from tests.cli.drift_world import MODEL, VERSION, sample

# Files


def written(tmp_path, text, name="sample.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_text_among_numbers_is_named_by_row_and_column(tmp_path):
    path = written(tmp_path, "delay,origin\n1.5,EWR\nNA,JFK\nlate,LGA\n2,EWR\n")
    with pytest.raises(InvalidEventError, match=r"sample.csv, row 4, column delay: 'late': must be a number"):
        read_file(path)
    table = read_file(path, texts={"delay"})
    assert table["delay"].to_pylist() == ["1.5", None, "late", "2"]


def test_what_is_no_time_among_times_is_named_by_row_and_column(tmp_path):
    path = written(tmp_path, "when,a\n2013-01-01T00:00:00Z,1\n2013-01-02T00:00:00Z,2\nsoon,3\n")
    with pytest.raises(InvalidEventError, match=r"row 4, column when: 'soon': must be a time"):
        read_file(path)


def test_a_row_with_too_few_columns_is_named(tmp_path):
    path = written(tmp_path, "a,b\n1,2\n3\n")
    with pytest.raises(ConfigurationError, match=r"Row #3: Expected 2 columns, got 1"):
        read_file(path)


def test_two_columns_of_one_name_are_refused_by_it(tmp_path, capsys):
    path = written(tmp_path, "amount,country,amount\n1,NL,2\n3,BE,4\n")
    arguments = ["baseline", "add", "--model", "m", "--version", "1", "--from", str(path), "--dry-run"]
    assert main(arguments) == 2
    assert "column: 'amount': must be the name of one column, and 2 have it" in capsys.readouterr().err
    pyarrow.parquet.write_table(pa.table([[1], [2]], names=["amount", "amount"]), tmp_path / "sample.parquet")
    with pytest.raises(InvalidEventError, match="column: 'amount'"):
        read_file(tmp_path / "sample.parquet")


def test_a_fraction_that_comes_late_is_a_number_like_the_others(tmp_path):
    rows = 400_000
    table = read_file(written(tmp_path, "a\n" + "1\n" * rows + "0.5\n"))
    assert table["a"].type == pa.float64()
    assert len(table) == rows + 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("sample.parquet", "no parquet", "cannot be read"),
        ("sample.xlsx", "", "ends with .parquet or .csv"),
        ("sample.csv", "", "cannot be read: Empty CSV file"),
    ],
)
def test_what_is_no_sample_is_said_with_its_path(tmp_path, name, text, said):
    with pytest.raises(ConfigurationError, match=said) as refused:
        read_file(written(tmp_path, text, name))
    assert name in str(refused.value)


def test_no_file_and_a_directory(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere.csv: cannot be read: No such file"):
        read_file(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigurationError, match="Is a directory"):
        read_file(tmp_path / "folder.csv")


def test_a_baseline_is_the_same_from_csv_and_from_parquet(tmp_path):
    csv = written(tmp_path, sample(500))
    table = read_file(csv)
    pyarrow.parquet.write_table(table, tmp_path / "sample.parquet")
    one, other = (
        from_file(path, MODEL, VERSION, {"late": "outcome"}, positive_label="late", segments=("origin",))
        for path in (csv, tmp_path / "sample.parquet")
    )
    assert [each.model_dump() for each in one.event.fields] == [each.model_dump() for each in other.event.fields]
    assert one.event.performance == other.event.performance
    assert {each.name: each.kind for each in one.event.fields} == {
        "dep_delay": "numeric", "origin": "categorical", "score": "numeric",
    }  # fmt: skip
    assert one.event.source.name == "sample.csv"
    assert len(one.event.source.sha256) == 64
    assert one.sha256 != other.sha256  # where it comes from is part of what a baseline is


def test_roles_are_pairs_and_say_one_thing():
    assert _roles(["p_late=score", "a=b=feature"]) == {"p_late": "score", "a=b": "feature"}
    for wrong in (["score"], ["=score"], ["a="], ["a=score", "a=label"]):
        with pytest.raises(ConfigurationError, match="--role"):
            _roles(wrong)


# Options

NONE = dict.fromkeys(("window", "step", "cron", "timezone", "every", "lateness"))


@pytest.mark.parametrize(
    ("options", "member", "words"),
    [
        ({"window": "7d"}, {"kind": "tumbling", "size_s": 604_800}, "7d"),
        ({"window": "7d", "step": "1d"}, {"kind": "sliding", "size_s": 604_800, "step_s": 86_400}, "7d every 1d"),
        (
            {"cron": "@weekly", "timezone": "Europe/Berlin"},
            {"kind": "schedule", "cron": "@weekly", "timezone": "Europe/Berlin"},
            "@weekly Europe/Berlin",
        ),
        ({"every": 1000, "lateness": "0"}, {"kind": "count", "every": 1000, "allowed_lateness_s": 0}, "every 1,000"),
        (
            {"window": "1h", "lateness": "5m"},
            {"kind": "tumbling", "size_s": 3600, "allowed_lateness_s": 300},
            "1h + 5m",
        ),
    ],
)
def test_windows_from_options_and_in_words(options, member, words):
    assert window_of(**NONE | options) == member
    assert window_words(monitor_of({"monitor_id": "m", "model_id": "m", "window": member})) == words


@pytest.mark.parametrize(
    "options",
    [
        {"window": "1d", "cron": "@daily"}, {"every": 5, "cron": "@daily"}, {"step": "1d"}, {"timezone": "UTC"},
        {"lateness": "1h"}, {"window": "a week"},
    ],
)  # fmt: skip
def test_options_of_windows_that_exclude_each_other(options):
    with pytest.raises(ConfigurationError, match="--"):
        window_of(**NONE | options)


def test_metrics_and_gaps():
    assert metric_of("auc:0.05") == {"metric": "auc", "max_drop": 0.05}
    assert metric_of("mape=.15") == {"metric": "mape", "threshold": 0.15}
    assert bias_of("a:b:selection_rate:0.1") == {"by": "a:b", "metric": "selection_rate", "max_gap": 0.1}
    for wrong in ("auc", "auc:much"):
        with pytest.raises(ConfigurationError, match="--performance"):
            metric_of(wrong)
    for wrong in ("carrier:selection_rate", "carrier:selection_rate:much"):
        with pytest.raises(ConfigurationError, match="--bias"):
            bias_of(wrong)


def test_a_monitor_in_a_file(tmp_path):
    members = {"model_id": "m", "window": {"kind": "count", "every": 10}}
    assert read_monitor_file(written(tmp_path, json.dumps(members), "m.json")) == members
    toml = 'model_id = "m"\n[window]\nkind = "count"\nevery = 10\n'
    assert read_monitor_file(written(tmp_path, toml, "m.toml")) == members
    with pytest.raises(ConfigurationError, match=r"m.json, line 2, column 1"):
        read_monitor_file(written(tmp_path, "{\nx", "m.json"))
    with pytest.raises(ConfigurationError, match=r"m.toml.*line 1"):
        read_monitor_file(written(tmp_path, "model_id = x", "m.toml"))
    with pytest.raises(ConfigurationError, match="one object"):
        read_monitor_file(written(tmp_path, "[]", "m.json"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cron", "@wekly"], "did you mean '@weekly'"),
        (["--window", "7d", "--step", "2d"], "--step '2d': must divide --window 7d"),
        (["--preset", "sensitve"], "--preset 'sensitve'"),
        (["--performance", "acu:0.1"], "--performance 'acu:0.1': metric 'acu'"),
        (["--timezone", "UTC"], "--timezone UTC: is only allowed with --cron"),
        (["--cron", "@daily", "--timezone", "Europe/Berln"], "did you mean 'Europe/Berlin'"),
        (["--label-delay", "1d"], "--label-delay 1d: is only allowed with --performance or --bias"),
    ],
)
def test_a_monitor_that_cannot_be_right_is_refused_before_anything_is_asked(capsys, arguments, said):
    assert main(["monitor", "set", "--model", "m", *arguments, "--no-check"]) == 2
    assert said in capsys.readouterr().err


def test_a_dry_run_of_a_monitor_needs_no_server(capsys):
    arguments = ["monitor", "set", "--model", "m", "--window", "7d", "--silence", "2h", "--no-check", "--dry-run"]
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert not document["published"]
    assert document["monitor"]["monitor_id"] == "m"
    assert document["monitor"]["silence"] == {"max_gap_s": 7200}


def test_a_dry_run_of_a_baseline_needs_no_server(capsys, tmp_path):
    path = str(written(tmp_path, sample(400)))
    arguments = ["baseline", "add", "--model", "m", "--version", "1", "--from", path, "--dry-run"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "dep_delay" in shown
    assert "Nothing was published" in shown
    assert main([*arguments, "--segment", "orgin", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["message"].startswith("--segment 'orgin': ")
    assert main(["baseline", "add", "--model", "m", "--version", "1"]) == 2
    assert "--from FILE, or --ledger" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("a,b\n1,x\n", ["has 1 row: what is usual cannot be told from chance"]),
        ("a,b\n" + "7,x\n" * 100, ["every field is constant (a, b): any other value"]),
        ("a,b\n" + "7,x\n" * 99, ["has 99 rows", "every field is constant"]),
        (
            "a;b\n" + "1;2\n3;4\n" * 50,
            ["the only field is named 'a;b': if the file is separated by semicolons, write it with commas"],
        ),
        ("a,b\n" + "7,x\n8,x\n" * 50, []),
        ("a\n" + "7\n\n" * 100, ["every field is constant (a)"]),
        ("a,b\n" + "7,1\n,1\n" * 50, []),
        ("a;b,c\n" + "1,2\n3,4\n" * 50, []),
    ],
)
def test_an_odd_baseline_is_made_with_a_warning(capsys, tmp_path, text, warned):
    path = str(written(tmp_path, text))
    assert main(["baseline", "add", "--model", "m", "--version", "1", "--from", path, "--dry-run", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["baseline"]["rows"] > 0
    lines = printed.err.splitlines()
    assert len(lines) == len(warned)
    for line, words in zip(lines, warned, strict=True):
        assert line.startswith("warning: ")
        assert words in line


# Folds


def said(what, alert="a", severity="warning", log_time=0, **given):
    row = {"kind": "drift", "subject": "m", "message": f"{what} {severity}", "evidence": "{}", "by": None, "note": None}
    row |= given
    return Said.of_row([
        what, alert, row["kind"], severity, row["subject"], row["message"], 0, row["evidence"], row["by"], row["note"],
        0, log_time,
    ])  # fmt: skip


def test_the_life_of_an_alert():
    story = [
        said("raised"), said("raised", severity="critical"), said("acknowledged", by="ann"),
        said("acknowledged", by="bob", note="mine"), said("resolved"),
    ]  # fmt: skip
    states = [fold_alerts(story[: end + 1])[0].state for end in range(len(story))]
    assert states == ["open", "open", "acknowledged", "acknowledged", "resolved"]
    (alert,) = fold_alerts(story)
    assert alert.worst.severity == "critical"
    assert (alert.acknowledged.by, alert.acknowledged.note) == ("bob", "mine")
    assert [each["what"] for each in alert.as_json()["history"]] == [each.what for each in story]


def test_alerts_stay_in_the_order_in_which_they_were_raised():
    found = fold_alerts(
        [said("raised", "b"), said("acknowledged", "x", by="ann"), said("raised", "a"), said("raised", "b")]
    )
    assert [alert.alert_id for alert in found] == ["b", "a"]


def test_an_alert_names_its_monitor_where_the_model_does_not():
    found = fold_alerts(
        [
            said("raised", "a", evidence='{"monitor": {"id": "strict", "sha256": "1"}}'),
            said("raised", "b", evidence='{"monitor": {"id": "m", "sha256": "1"}}'),
            said("raised", "c"),
        ]
    )
    assert [alert.as_json()["monitor_id"] for alert in found] == ["strict", "m", None]
    sentences = [sentence("it moved", alert.worst.evidence, alert.worst.subject) for alert in found]
    assert sentences == ["it moved (monitor strict)", "it moved", "it moved"]


# Bins


def test_bins_are_shares_of_all_rows_and_name_what_is_in_none():
    reference = Reference.from_column("feature", "delay", Column.from_numbers(np.arange(1000.0)))
    current = reference.count(Column.from_values([*np.arange(500.0), *[None] * 300, *["x"] * 200]))
    rows = bin_rows(reference, current)
    assert sum(row.reference for row in rows) == pytest.approx(1)
    assert sum(row.current for row in rows) == pytest.approx(1)
    by_words = {row.words: row for row in rows}
    assert (by_words["(missing)"].reference, by_words["(missing)"].current) == (0, 0.3)
    assert by_words["(mistyped)"].current == 0.2
    assert sum(row.current for row in rows[:5]) == pytest.approx(0.5)


def test_many_categories_show_those_that_moved_and_add_up_the_others():
    names = [f"c{number:03}" for number in range(100)]
    reference = Reference.from_column("feature", "dest", Column.from_values(names * 10))
    counts = [10] * 100
    counts[7] = 500
    rows = bin_rows(reference, FieldCounts.of(counts, unseen=50))
    assert len(rows) == 17
    assert max(rows, key=lambda row: row.change).words == reference.categories[7]
    assert rows[-2].words == "85 others"
    assert rows[-1].words == "(unseen)"
    assert sum(row.current for row in rows) == pytest.approx(1)


@pytest.mark.parametrize("total", [80, 100, 120])
def test_bars_keep_to_their_width_and_are_as_long_as_their_shares(total):
    reference = Reference.from_column("feature", "delay", Column.from_numbers(np.arange(1000.0)))
    rows = bin_rows(reference, reference.count(Column.from_numbers(np.full(100, 999.0))))
    lines = bars(rows, total)
    assert len(lines) == len(rows) + 1
    assert max(map(len, lines)) <= total
    assert lines[-1].count("█") > 5 * lines[1].count("█")
    assert lines[-1].endswith("+90.0")


# Differences


def test_every_difference_is_named_by_its_path():
    recorded = {
        "rows": 3, "state": "stable", "fields": [{"name": "a", "n": 1, "statistics": {"psi": 0.1}}, {"name": "b", "n": 2}],
        "gone": [1, 2], "same": [1.0, {"x": None}],
    }  # fmt: skip
    computed = {
        "rows": 3.0, "state": "critical",
        "fields": [{"name": "a", "n": 1, "statistics": {"psi": 0.1 + 2**-56}}, {"name": "b", "n": True}],
        "gone": [1], "same": [1, {"x": None}], "new": 1,
    }  # fmt: skip
    found = differences(recorded, computed)
    assert [each.path for each in found] == ["state", "fields.a.statistics.psi", "fields.b.n", "gone", "new"]
    assert differences(computed, computed) == []


# What there is no value of


def part(reason=None, coverage=None, *, kind="metric", **numbers):
    return FieldLine(kind, "auc", "", "insufficient_data", None, 0, 1, numbers, reason, coverage)


def test_windows_without_a_value_say_why():
    short = "the truth of 12 % of the predictions is known, 90% needed"
    parts = [part(short, 0.12), part(short, 0.12), part("too few", 0.5)]
    assert _why_no_value(parts, "metric") == (
        f"None of the 3 windows has a value: {short} (2 windows); too few (1 window);"
        " the truth is known of 12% to 50% of the predictions"
    )
    assert _why_no_value([part()], "gap") == "The window has no value: too little data"


def test_only_a_statistic_that_a_field_has_not_is_the_fault_of_its_name():
    _check_statistic("psi_debiased", [part("too few", low=None, reference=0.8)])
    _check_statistic("psi_debiased", [part("too few", kind="feature", missing=0.5)])
    _check_statistic("ks", [part("too few", kind="feature", missing=None)])
    with pytest.raises(ConfigurationError, match=r"--statistic ks: expected one of missing, psi\Z"):
        _check_statistic("ks", [part(kind="feature", psi=0.1, missing=0.5)])


# A back-test


def test_a_check_that_supersedes_another_does_not_count_its_predictions_again():
    def closed(rows, supersedes=None, end=7, kind="drift"):
        window = Window(end - 7, end)
        check = SimpleNamespace(
            model_version="1", status="completed", kind=kind, rows=rows, supersedes=supersedes, fields=[], metrics=[],
            gaps=[], alerts=[],
        )  # fmt: skip
        return SimpleNamespace(window=window), SimpleNamespace(check=check, alerts=())

    tally = _Tally()
    for closing, result in (
        closed(400), closed(410, "a"), closed(100, end=14), closed(413, "b"), closed(413, kind="performance"),
    ):  # fmt: skip
        tally.add(closing, result)
    assert (tally.as_json()["windows"], tally.as_json()["predictions"]) == (2, 513)


@pytest.mark.parametrize("incomplete", [[], ["c/predictions/2"]])
def test_from_the_start_a_window_that_a_clock_closed_is_said_to_be_one(monkeypatch, incomplete):
    cut = CheckCut(entry=CheckEntry(chain="c/predictions/0/0-0", seq=7), frontier={"c/predictions/0/0-0": 6})
    check = CheckCompleted.model_construct(check_id="a", cut=cut, incomplete=incomplete)
    monkeypatch.setattr(drift_recompute, "from_start", lambda *_: None)
    done = recompute_check(None, check, whole=True)
    assert [each.recorded for each in done.found] == ["closed by c/predictions/0/0-0 seq 7"]
    assert [each.split(" had been waited")[0] for each in done.notes] == incomplete
