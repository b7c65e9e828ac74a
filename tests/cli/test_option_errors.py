"""A wrong value of an option ends with 2 and names the option as it was typed; what a monitor cannot see is said."""

import pytest

from modeltrail.cli.main import main
from modeltrail.cli.monitor_arguments import MonitorArguments
from modeltrail.cli.monitor_blind import blind_spots
from modeltrail.cli.monitor_options import monitor_of
from modeltrail.cli.option_errors import named_by_options
from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.errors import ConfigurationError, InvalidEventError
from tests.cli.drift_world import MODEL, VERSION, sample


@pytest.mark.parametrize("command", [["monitor", "set", "--no-check"], ["drift", "run"]])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--raise-at", "warn"], "--raise-at 'warn': must be one of"),
        (["--fdr", "2"], "--fdr 2.0: must be less than 1"),
        (["--cron", "@wekly"], "--cron '@wekly': must be @hourly"),
        (["--cron", "@daily", "--timezone", "Europe/Berln"], "--timezone 'Europe/Berln'"),
        (["--window", "7d", "--step", "2d"], "--step '2d': must divide --window 7d, into at most"),
        (["--performance", "auc:0.1", "--performance", "acu:0.1"], "--performance 'acu:0.1': metric 'acu': must be"),
        (["--bias", "a:selection_rat:0.1"], "--bias 'a:selection_rat:0.1': metric 'selection_rat': must be one of"),
        (["--psi-warning", "0.3", "--psi-critical", "0.2"], "--psi-critical 0.2: must be at least --psi-warning 0.3"),
        (["--consecutive", "1000"], "--consecutive 1000: must be at most 100"),
        (["--window", "1d", "--lateness", "5000w"], "--lateness '5000w': must be at most"),
        (["--performance", "auc:0.1", "--label-delay", "5000w"], "--label-delay '5000w': must be at most"),
        (["--field", "a", "--field", "a"], "--field 'a': must be there once"),
        (["--segment", ""], "--segment '': must not be empty"),
    ],
)
def test_a_wrong_value_ends_with_2_and_names_its_option_before_anything_is_asked(capsys, command, arguments, said):
    assert main([*command, "--model", "m", *arguments]) == 2
    error = capsys.readouterr().err
    assert f"modeltrail: {said}" in error
    assert "monitor." not in error
    assert "more in this event" not in error


@pytest.mark.parametrize(
    ("command", "option"), [(["monitor", "set", "--no-check"], "--preset"), (["drift", "run"], "--policy")]
)
def test_the_preset_has_the_name_of_the_command_s_own_option(capsys, command, option):
    assert main([*command, "--model", "m", option, "sensitiv"]) == 2
    assert f"{option} 'sensitiv': must be one of 'default', 'sensitive' or 'tolerant'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--silence", "5000w"], "--silence '5000w': must be at most"),
        (["--rate-factor", "1"], "--rate-factor 1.0: must be greater than 1"),
        (["--learn", "5"], "--learn 5: must be at least 100"),
        (["--id", ""], "--id '': must not be empty"),
    ],
)
def test_the_options_of_monitor_set_alone(capsys, arguments, said):
    assert main(["monitor", "set", "--no-check", "--model", "m", *arguments]) == 2
    assert f"modeltrail: {said}" in capsys.readouterr().err


def test_what_a_file_says_is_named_by_the_file(capsys, tmp_path):
    path = tmp_path / "m.json"
    path.write_text('{"model_id": "m", "policy": {"preset": "mild"}, "silence": 3}')
    assert main(["monitor", "set", "--no-check", "--from-file", str(path), "--rate-factor", "4"]) == 2
    assert f"--from-file {path}: monitor.policy.preset: 'mild': must be one of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (None, ["--role", "score=scor"], "--role 'score=scor': must be one of"),
        (None, ["--role", "scor=score"], "--role 'scor=score': must be a column of the frame; did you mean 'score'?"),
        (None, ["--outcome", "lat"], "--outcome 'lat': must be a column of the frame; did you mean 'late'?"),
        (None, ["--outcome", "late", "--segment", "orgin"], "--segment 'orgin': must be a feature or a stratum"),
        (None, ["--categorical", "orgin"], "--categorical 'orgin': must be a feature"),
        ("a,b\n", [], "must have at least one row"),
        ("a\n1\nx\n3\n", [], "sample.csv, row 3, column a: 'x': must be a number"),
    ],
)
def test_a_baseline_that_cannot_be_made_ends_with_2(capsys, tmp_path, text, arguments, said):
    path = tmp_path / "sample.csv"
    path.write_text(sample(400) if text is None else text)
    assert (
        main(["baseline", "add", "--model", "m", "--version", "1", "--dry-run", "--from", str(path), *arguments]) == 2
    )
    assert said in capsys.readouterr().err


def test_a_baseline_file_of_a_back_test_that_is_none(tmp_path):
    from modeltrail.cli.drift_run import _baseline

    path = tmp_path / "baseline.json"
    path.write_text("[]")
    with pytest.raises(ConfigurationError, match=r"--baseline .*baseline.json: baseline: 'list': must be an object"):
        _baseline(None, str(path), MODEL, VERSION, monitor_of({"monitor_id": "m", "model_id": "m"}))


def test_what_no_option_gave_is_left_as_it_is():
    refused = pytest.raises(ConfigurationError, match=r"\Amonitor.policy.d0: 2: must be at most 1\Z")
    with refused, named_by_options({"policy.fdr": ("--fdr", 0.1)}, where="monitor"):
        raise InvalidEventError("monitor.policy.d0", 2, "must be at most 1")


# What the options add up to

BASE = {
    "window": {"kind": "tumbling", "size_s": 3600, "allowed_lateness_s": 60},
    "policy": {"preset": "tolerant", "fdr": None},
    "performance": [{"metric": "auc", "max_drop": 0.1, "label_delay_s": 5}],
    "bias": [{"by": "a", "metric": "mean_score", "max_gap": 0.1}],
}


def test_options_take_the_place_of_what_they_name_and_leave_the_rest():
    made = MonitorArguments(lateness="5m", label_delay="1d", fdr=0.1, consecutive=3, psi_warning=0.2).over(BASE)
    assert made["window"] == {"kind": "tumbling", "size_s": 3600, "allowed_lateness_s": 300}
    assert made["policy"] == {"preset": "tolerant", "fdr": 0.1, "consecutive": 3}
    assert made["thresholds"] == {"psi_warning": 0.2}
    assert [each["label_delay_s"] for each in (*made["performance"], *made["bias"])] == [86_400, 86_400]
    assert MonitorArguments().over(BASE) == BASE
    assert MonitorArguments(every=10).over(BASE)["window"] == {"kind": "count", "every": 10}
    for alone in ({"lateness": "1h"}, {"label_delay": "1h"}):
        with pytest.raises(ConfigurationError, match="is only allowed with"):
            MonitorArguments(**alone).over({})


# What a monitor can never see


def baseline(**options):
    import io

    import pyarrow.csv

    table = pyarrow.csv.read_csv(io.BytesIO(sample(400).encode()))
    return Baseline.from_frame(table, model_id=MODEL, model_version=VERSION, baseline_id="autumn", **options)


def warnings(made, *, performance=(), bias=()):
    members = MonitorArguments(performance=list(performance), bias=list(bias)).over({})
    return list(blind_spots(monitor_of(members | {"monitor_id": "m", "model_id": MODEL}), made))


def test_a_monitor_is_told_what_its_baseline_cannot_answer():
    whole = baseline(outcome="late", positive_label="late", segments=("origin",))
    asked = {"performance": ["auc:0.05"], "bias": ["origin:selection_rate:0.1"]}
    assert warnings(whole, **asked) == []
    (unknown,) = warnings(whole, bias=["orgin:selection_rate:0.1"])
    assert unknown.startswith(
        "--bias orgin:selection_rate: its checks will be insufficient_data unless predictions have"
    )
    assert unknown.endswith("did you mean 'origin'?")
    (undefined,) = warnings(whole, performance=["mae:3"])
    assert "mae is not defined for a binary model" in undefined

    nameless = baseline(outcome="late", segments=("origin",))
    found = warnings(nameless, **asked)
    assert len(found) == 2
    assert all("autumn does not say which label is the positive one" in each for each in found)
    assert warnings(nameless, bias=["origin:mean_score:0.1"]) == []

    blind = baseline(positive_label="late", roles={"late": "ignore"})
    (no_truth,) = warnings(blind, performance=["auc:0.05"])
    assert "the baseline autumn does not say how good the model was; register it again with --outcome" in no_truth
    assert warnings(blind, performance=["auc=0.8"]) == []
    mute = baseline(roles={"late": "ignore", "score": "feature"})
    assert "what kind of model" in warnings(mute, performance=["auc=0.8"])[0]
