"""The quality benchmark: every cell, the same for the same seed. Never how large a figure is."""

import json

import numpy as np
import pytest

from modeltrail.bench.drift_peers import PEERS
from modeltrail.bench.drift_quality import QualityPlan, measure_quality
from modeltrail.bench.drift_worlds import CHANGES, FEATURES, QUIET, draw, is_categorical
from modeltrail.cli.main import main
from modeltrail.drift.policy.policy import PRESETS

SMALL = QualityPlan(windows=2, changes=1, rows=(500,), seed=5)


def silently(_what, _total):
    return lambda _more: None


@pytest.mark.slow
def test_one_object_for_every_policy_and_cell_and_the_same_again():
    figures = measure_quality(SMALL, silently)
    assert figures == measure_quality(SMALL, silently)
    found = {(cell["policy"], cell["world"], cell["rows"]) for cell in figures["cells"]}
    worlds = (*QUIET, *(change.name for change in CHANGES))
    assert found == {(policy, world, 500) for policy in (*PRESETS, *PEERS) for world in worlds}
    assert len(figures["cells"]) == len(found)
    quiet = [cell for cell in figures["cells"] if cell["world"] in ("independent", "sessions")]
    assert figures["false_raises_default_max"] == max(
        cell["false_raises"] for cell in quiet if cell["policy"] == "default"
    )
    assert 0 <= figures["power_default"] <= 1
    assert all(0 <= cell["power"] <= 1 for cell in figures["cells"] if "power" in cell)


@pytest.mark.slow
def test_the_command_prints_them(capsys):
    assert main(["bench", "drift-quality", "--windows", "10", "--changes", "5", "--rows", "100", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"false_raises_default_max", "power_default", "cells"} <= set(figures)


@pytest.mark.parametrize("rows", ["20", "101", "x"])
def test_a_length_that_cannot_be_is_refused_by_name(rows, capsys):
    assert main(["bench", "drift-quality", "--rows", rows]) == 2
    assert f"--rows {rows}" in capsys.readouterr().err.replace("'", "")


def test_worlds_are_what_they_say():
    rng = np.random.default_rng(1)
    for world in QUIET:
        features = draw(world, 10_000, rng)
        assert len(features) == FEATURES
        assert {values.size for values in features} == {10_000}
        for at, values in enumerate(features):
            assert np.isnan(values).mean() == pytest.approx(0.05 if at == 14 else 0, abs=0.02)
            if is_categorical(at):
                assert set(np.unique(values)) <= set(range(8))
    sessions = draw("sessions", 100, rng)[0].reshape(20, 5)
    assert (sessions == sessions[:, :1]).all()


def test_changes_are_what_they_say():
    rng = np.random.default_rng(2)
    features = draw("independent", 50_000, rng)
    made = {change.name: change.apply(features[change.feature], rng) for change in CHANGES}
    assert np.mean(made["shift of 0.2 sigma"]) == pytest.approx(0.2, abs=0.02)
    assert np.mean(made["shift of 0.5 sigma"]) == pytest.approx(0.5, abs=0.02)
    assert np.var(made["variance x 1.5"]) == pytest.approx(1.5, abs=0.05)
    assert np.isnan(made["missing, 0 to 5 %"]).mean() == pytest.approx(0.05, abs=0.01)
    assert np.isnan(made["missing, 5 to 20 %"]).mean() == pytest.approx(0.2, abs=0.01)
    assert np.mean(made["categories, 10 % moved"] != features[15]) == pytest.approx(0.1, abs=0.01)
