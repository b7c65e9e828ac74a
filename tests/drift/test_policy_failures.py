"""What makes others cry wolf, or look away: each of these a peer's rule fails, and ours passes. Seeds are fixed."""

import itertools

import numpy as np
import pytest
from scipy import stats

from modeltrail.bench.drift_peers import PEERS, PeerFeature
from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.monitor import Monitor
from tests.drift.timelines import Span, played

FIELDS = 20


def frame(rng, rows, change=None):
    made = {f"f{at}": rng.standard_normal(rows) for at in range(FIELDS)}
    if change:
        made["f0"] = change(made["f0"])
    return made


def monitor(rng, **settings):
    baseline = Baseline.from_frame(frame(rng, 10_000), model_id="m", model_version="1")
    return Monitor(baseline, **settings)


def alarms(monitored, frames):
    """Return, for each window, the fields of which an alert is raised."""
    results = [monitored.check(each) for each in frames]
    return [[each.condition.name for each in result.check.alerts if each.transition == "raised"] for result in results]


def psi_on_deciles(reference, current):
    edges = np.quantile(reference, np.linspace(0, 1, 11))
    p, q = (np.histogram(np.clip(side, edges[0], edges[-1]), edges)[0] / side.size for side in (reference, current))
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return np.sum((q - p) * np.log(q / p))


def test_a_fixed_threshold_on_few_rows_raises_by_chance_alone():
    """The PSI of ten bins is (B - 1)(1/n + 1/m) on average where nothing happened: .091 for 100 rows."""
    rng = np.random.default_rng(1)
    reference = rng.standard_normal(10_000)
    frames = [frame(rng, 100) for _ in range(20)]
    bare = sum(psi_on_deciles(reference, each["f0"]) > 0.1 for each in frames)
    assert bare >= 5
    assert alarms(monitor(rng), frames) == [[]] * 20


def test_twenty_fields_at_five_per_cent_are_one_false_alarm_a_window():
    rng = np.random.default_rng(2)
    frames = [frame(rng, 1_000) for _ in range(10)]
    reference = frame(rng, 10_000)
    bare = sum(stats.ks_2samp(reference[name], each[name]).pvalue < 0.05 for each in frames for name in reference)
    assert bare >= 5
    assert alarms(monitor(rng, policy={"raise_at": "shifted"}), frames) == [[]] * 10


def test_a_wobble_that_harms_nobody_is_significant_in_every_large_window():
    rng = np.random.default_rng(3)
    reference = rng.standard_normal(10_000)
    frames = []
    for _ in range(10):
        made = frame(rng, 5_000)
        frames.append({name: values + 0.05 * rng.standard_normal() for name, values in made.items()})
    bare = sum(stats.ks_2samp(reference, values).pvalue < 0.05 / FIELDS for each in frames for values in each.values())
    assert bare >= 10
    assert alarms(monitor(rng), frames) == [[]] * 10


def test_sessions_of_dependent_rows_are_taken_for_drift():
    """Five equal rows a session: a window of 1,000 rows is worth 200."""
    rng = np.random.default_rng(4)

    def sessions(rows):
        return {name: np.repeat(values, 5) for name, values in frame(rng, rows // 5).items()}

    sample = sessions(10_000)
    times = [f"2026-01-01T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z" for at in range(10_000)]
    taught = Baseline.from_frame(sample | {"time": times}, model_id="m", model_version="1", chunk_rows=1_000)
    frames = [sessions(1_000) for _ in range(10)]
    bare = sum(stats.ks_2samp(sample[name], each[name]).pvalue < 0.05 / FIELDS for each in frames for name in sample)
    assert bare >= 20
    assert alarms(Monitor(taught, policy={"raise_at": "shifted"}), frames) == [[]] * 10


def test_a_drift_that_stays_is_one_alert_and_not_one_a_window():
    rng = np.random.default_rng(5)
    frames = [frame(rng, 1_000, lambda values: values + 0.6) for _ in range(12)]
    reference = rng.standard_normal(10_000)
    assert sum(psi_on_deciles(reference, each["f0"]) > 0.25 for each in frames) == 12
    assert alarms(monitor(rng), frames) == [["f0"], *[[]] * 11]


def test_a_value_that_hovers_at_the_threshold_does_not_flap():
    """PSI about .1: now above, now below. A bare threshold begins an alert again and again; hysteresis holds on."""
    rng = np.random.default_rng(6)
    reference = rng.standard_normal(10_000)
    frames = [frame(rng, 2_000, lambda values: values + 0.325) for _ in range(30)]
    above = [psi_on_deciles(reference, each["f0"]) > 0.1 for each in frames]
    assert sum(now and not before for before, now in itertools.pairwise(above)) >= 4
    monitored = monitor(rng)
    transitions = [
        each.transition for made in frames for each in monitored.check(made).check.alerts if each.transition != "open"
    ]
    assert transitions == ["raised"]


def test_a_slow_drift_in_many_small_windows_is_found_by_merging_them():
    """A sixth of a sigma in windows of 200 rows: no single one is sure of it, sixteen together are."""
    rng = np.random.default_rng(7)
    monitored = monitor(rng)
    results = [monitored.check(frame(rng, 200, lambda values: values + 0.16)) for _ in range(16)]
    found = [next(each for each in result.fields if each.name == "f0") for result in results]
    assert found[0].state == "stable"
    assert (found[-1].state, found[-1].scale) == ("shifted", 16)
    assert all(each.state == "stable" for result in results for each in result.fields if each.name != "f0")


def test_sixty_per_cent_of_a_field_turning_null_is_critical_although_the_rest_is_as_before():
    rng = np.random.default_rng(8)
    made = frame(rng, 1_000)
    dropped = made["f0"][400:]
    assert stats.ks_2samp(rng.standard_normal(10_000), dropped).pvalue > 0.05
    made["f0"] = np.concatenate((np.full(600, np.nan), made["f0"][600:]))
    monitored = monitor(rng)
    result = monitored.check(made)
    assert [each.state for each in result.fields if each.name == "f0"] == ["critical"]
    assert "`f0` is missing more often" in result.messages[0]
    assert "60 % instead of 0 % missing" in result.messages[0]


def test_overlapping_windows_are_one_witness():
    """Two windows that share three quarters of their rows hold the same chance finding; it is told after none."""
    assert played("ww", spans=[Span(0, 20), Span(5, 25)])[0] == ".."
    assert played("ww", spans=[Span(0, 20), Span(20, 40)])[0] == ".R"


@pytest.mark.parametrize("peer", ["Evidently, PSI default", "KS, p < .05, uncorrected", "NannyML, mean + 3 std"])
def test_the_benchmark_sees_peers_raise_where_nothing_happens(peer):
    rng = np.random.default_rng(9)
    features = [
        PeerFeature.of(rng.standard_normal(10_000), rng.standard_normal((50, 200)), categorical=False) for _ in range(5)
    ]
    raised = sum(each.raises(rng.standard_normal(200))[PEERS.index(peer)] for each in features for _ in range(400))
    assert raised >= 1


def test_the_formulas_of_peers_are_theirs():
    rng = np.random.default_rng(10)
    reference, current = rng.standard_normal(2_000), rng.standard_normal(500) + 0.1
    feature = PeerFeature.of(reference, [current], categorical=False)
    exact = stats.ks_2samp(reference, current, method="asymp")
    assert feature._p_value(np.sort(current)) == pytest.approx(exact.pvalue, rel=0.05)
    assert feature._psi(feature.deciles, np.sort(current), outside=True) == pytest.approx(
        psi_on_deciles(reference, current)
    )
    codes = rng.integers(0, 8, 3_000).astype(float)
    coded = PeerFeature.of(codes, [codes[:500]], categorical=True)
    window = rng.integers(0, 8, 500).astype(float)
    table = [np.bincount(side.astype(int), minlength=8) for side in (codes, window)]
    assert coded._p_value(np.sort(window)) == pytest.approx(stats.chi2_contingency(table).pvalue)
