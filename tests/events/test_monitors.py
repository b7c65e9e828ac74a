"""A monitor with bad content is refused with a sentence, and null is absence everywhere."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.events.judge import judge
from modeltrail.events.monitors import MonitorConfigured, TumblingWindow
from modeltrail.events.zones import zone
from modeltrail.testing import make_event

from .records import headers


def reason(**data):
    """Why a monitor is refused; empty where it is accepted."""
    value = json.dumps({"monitor_id": "m", "model_id": "x"} | data).encode()
    return judge("modeltrail.models", b"x", headers(type="modeltrail.monitor.configured.v1"), value).reason


KINDS = "must be one of 'tumbling', 'sliding', 'schedule' or 'count'"
BAD = {
    "no kind": ({"window": {"size_s": 60}}, f"data.window.kind: missing: {KINDS}"),
    "an unknown kind": ({"window": {"kind": "tumblin"}}, f"data.window.kind: \"tumblin\": {KINDS}; did you mean 'tumbling'?"),
    "a kind of another type": ({"window": {"kind": [1]}}, f"data.window.kind: a list of 1: {KINDS}"),
    "a window that is none": ({"window": "daily"}, 'data.window: "daily": must be an object'),
    "no size": ({"window": {"kind": "tumbling"}}, "data.window.size_s: missing: is required"),
    "a size of nothing": ({"window": {"kind": "tumbling", "size_s": 0}}, "data.window.size_s: 0: must be at least 1"),
    "a member of another kind": (
        {"window": {"kind": "tumbling", "size_s": 60, "every": 5}},
        "data.window.every: 5: is a field that the contract does not know",
    ),
    "a step that does not divide": (
        {"window": {"kind": "sliding", "size_s": 60, "step_s": 25}},
        "data.window.step_s: 25: must divide size_s, 60, into at most 1000 steps",
    ),
    "too many steps": (
        {"window": {"kind": "sliding", "size_s": 1001, "step_s": 1}},
        "data.window.step_s: 1: must divide size_s, 1001, into at most 1000 steps",
    ),
    "a cron that is none": ({"window": {"kind": "schedule", "cron": "every day"}}, 'data.window.cron: "every day": must be @hourly'),
    "a misspelt name": ({"window": {"kind": "schedule", "cron": "@dialy"}}, 'data.window.cron: "@dialy": must be @hourly'),
    "a cron with seconds": ({"window": {"kind": "schedule", "cron": "0 0 0 * * *"}}, 'data.window.cron: "0 0 0 * * *": must be @hourly'),
    "a minute beyond": ({"window": {"kind": "schedule", "cron": "60 0 * * *"}}, 'data.window.cron: "60 0 * * *": must be @hourly'),
    "a day that never comes": ({"window": {"kind": "schedule", "cron": "0 0 30 2 *"}}, 'data.window.cron: "0 0 30 2 *": must be @hourly'),
    "a zone that is none": (
        {"window": {"kind": "schedule", "cron": "@daily", "timezone": "Europe/Berlim"}},
        "data.window.timezone: \"Europe/Berlim\": must be an IANA time zone such as UTC or Europe/Berlin; did you mean 'Europe/Berlin'?",
    ),
    "thresholds the wrong way round": (
        {"thresholds": {"psi_warning": 0.3}}, "data.thresholds.psi_critical: 0.25: must be at least psi_warning, 0.3",
    ),
    "no error at all": ({"policy": {"fdr": 0}}, "data.policy.fdr: 0: must be greater than 0"),
    "a preset that is none": ({"policy": {"preset": "strict"}}, 'data.policy.preset: "strict": must be one of'),
    "a misspelt preset": (
        {"policy": {"preset": "sensitiv"}},
        "data.policy.preset: \"sensitiv\": must be one of 'default', 'sensitive' or 'tolerant'; did you mean 'sensitive'?",
    ),
    "a misspelt metric": (
        {"performance": [{"metric": "acu", "max_drop": 0.1}, {"metric": 1}]},
        "data.performance.0.metric: \"acu\": must be one of 'accuracy', 'error_rate', 'precision', 'recall', 'f1', 'auc', 'brier', 'log_loss', 'mape', 'mae' or 'rmse'; did you mean 'auc'? (",
    ),
    "no limit": ({"performance": [{"metric": "auc"}]}, "data.performance.0.max_drop: missing: max_drop or threshold: one of them is required"),
    "two limits": (
        {"performance": [{"metric": "auc", "max_drop": 0.1, "threshold": 0.5}]},
        "data.performance.0.threshold: 0.5: is only allowed where max_drop is absent",
    ),
    "a metric twice": (
        {"performance": [{"metric": "auc", "max_drop": 0.1}] * 2}, 'data.performance.1: "auc": must be there once, and is there twice',
    ),
    "a gap twice": (
        {"bias": [{"by": "c", "metric": "mean_score", "max_gap": 0.1}] * 2},
        'data.bias.1: "c mean_score": must be there once, and is there twice',
    ),
    "a field twice": ({"fields": ["a", "b", "a"]}, 'data.fields.2: "a": must be there once, and is there twice'),
    "silence without a limit": ({"silence": {}}, "data.silence.max_gap_s: missing: max_gap_s or rate_factor: one of them is required"),
    "a factor of one": ({"silence": {"rate_factor": 1}}, "data.silence.rate_factor: 1: must be greater than 1"),
    "learning from too little": ({"learn": {"predictions": 99}}, "data.learn.predictions: 99: must be at least 100"),
    "an unknown member": ({"windows": {}}, "data.windows: an object with 0 members: is a field that the contract does not know; did you mean 'window'?"),
    "enabled as text": ({"enabled": "yes"}, 'data.enabled: "yes": must be true or false'),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_monitor_with_bad_content_is_refused(name):
    data, expected = BAD[name]
    assert reason(**data).startswith(expected)


def test_model_and_name_are_enough():
    assert reason() == ""
    monitor = MonitorConfigured(monitor_id="m", model_id="x")
    assert monitor.window == TumblingWindow(kind="tumbling", size_s=86_400)
    assert (monitor.enabled, monitor.policy.consecutive, monitor.late_horizon, monitor.max_wait_s) == (True, 2, 4, 900)


def test_null_counts_as_absent_everywhere():
    optional = dict.fromkeys(set(MonitorConfigured.model_fields) - {"monitor_id", "model_id"})
    assert MonitorConfigured(monitor_id="m", model_id="x", **optional) == MonitorConfigured(
        monitor_id="m", model_id="x"
    )
    nested = {
        "policy": dict.fromkeys(("preset", "fdr", "consecutive", "learned_tolerance")),
        "thresholds": {"psi_warning": None, "psi_critical": None},
        "window": {"kind": "tumbling", "size_s": 86_400, "allowed_lateness_s": None},
    }
    assert MonitorConfigured(monitor_id="m", model_id="x", **nested) == MonitorConfigured(monitor_id="m", model_id="x")


@pytest.mark.parametrize(
    "cron",
    ["@hourly", "@daily", "@weekly", "*/5 * * * *", "0 9-17 * * MON-FRI", "30 2 L * *", "0 0 29 2 *", "0 0 * * 5#2"],
)
def test_schedules_are_accepted(cron):
    assert reason(window={"kind": "schedule", "cron": cron, "timezone": "America/New_York"}) == ""


PIECES = st.lists(
    st.sampled_from(
        ["*", "1", "59", "L", "LW", "W", "#", "/", "-", ",", "0", "MON", "feb", "@", " ", "99", "5#3", "é", "?"]
    ),
    max_size=14,
)


@given(st.one_of(PIECES.map("".join), st.lists(PIECES.map("".join), min_size=5, max_size=5).map(" ".join)))
def test_no_cron_makes_the_judge_fail(cron):
    found = reason(window={"kind": "schedule", "cron": cron})
    assert found == "" or found.startswith("data.window.cron: ")


@pytest.mark.parametrize(
    "name",
    [
        "localtime",
        "posixrules",
        "right/Europe/Berlin",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "",
        "utc",
        "tzdata",
    ],
)
def test_a_zone_is_an_iana_name_and_the_same_on_every_machine(name, monkeypatch):
    with pytest.raises(ValueError, match="must be an IANA time zone"):
        zone(name)


def test_zones_come_from_the_package_whatever_the_machine_has():
    assert str(zone("Europe/Berlin")) == "Europe/Berlin"
    assert zone("Europe/Berlin") is zone("Europe/Berlin")


def test_a_made_monitor_is_accepted():
    assert make_event(MonitorConfigured).data.monitor_id == "flights-delay-weekly"
