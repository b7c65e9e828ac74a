"""Overdispersion and tolerance from the baseline's own chunks."""

import numpy as np
import pytest

from modeltrail.drift.baselines.learning import default_chunk_rows, learn
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.policy.policy import TOLERANCE_MAX
from modeltrail.drift.rows.columns import Column
from modeltrail.drift.statistics.distances import psi
from modeltrail.drift.statistics.significance import psi_p_value
from modeltrail.events.baselines import DEFAULT_TOLERANCE

ROWS = 20_000


def taught(values, chunk_rows=2000, **options):
    column = values if isinstance(values, Column) else Column.from_numbers(values)
    return learn(Reference.from_column("feature", "x", column, **options), column, chunk_rows)


def sessions(random, rows, length):
    return np.repeat(random.normal(size=rows // length), length)


@pytest.mark.parametrize("length", [1, 2, 5, 10, 20])
def test_phi_is_how_many_alike_events_a_session_has(length):
    found = [taught(sessions(np.random.default_rng(seed), ROWS, length)).phi for seed in range(5)]
    assert np.mean(found) == pytest.approx(length, rel=0.12)
    assert min(found) >= 1


def test_independent_rows_teach_neither_phi_nor_tolerance():
    found = [taught(np.random.default_rng(seed).normal(size=ROWS), 5000 // 2) for seed in range(10)]
    assert np.mean([each.phi for each in found]) < 1.1
    assert np.mean([each.tolerance for each in found]) < 1.2 * DEFAULT_TOLERANCE


@pytest.mark.parametrize("chunk_rows", [200, 1000])
def test_small_windows_do_not_take_chance_for_wobble(chunk_rows):
    # 90 % of one sample would be within chance exactly; the mean over samples is what counts here.
    found = [taught(np.random.default_rng(seed).normal(size=ROWS // 2), chunk_rows).tolerance for seed in range(10)]
    assert np.mean(found) < 1.6 * DEFAULT_TOLERANCE


def test_a_slow_wobble_is_tolerance():
    random = np.random.default_rng(1)
    wobble = np.repeat(random.normal(0, 0.15, ROWS // 2000), 2000)
    steady = taught(random.normal(size=ROWS))
    moved = taught(random.normal(size=ROWS) + wobble)
    assert moved.tolerance > 2 * steady.tolerance
    # Whole windows differ by .15 sigma, a PSI of .0225; of short chunks that is little beside chance.
    assert moved.phi < 2


def test_a_wild_baseline_cannot_blind_the_watch():
    random = np.random.default_rng(2)
    wild = random.normal(size=ROWS) + np.repeat(random.normal(0, 2, ROWS // 2000), 2000)
    assert taught(wild).tolerance == TOLERANCE_MAX


def test_sessions_raise_in_most_windows_without_phi_and_in_hardly_any_with_it():
    random = np.random.default_rng(3)
    sample = sessions(random, ROWS, 5)
    reference = Reference.from_column("feature", "x", Column.from_numbers(sample))
    phi = taught(sample).phi
    whole = reference.coarse(reference.sample)
    windows = [reference.coarse(reference.count(Column.from_numbers(sessions(random, 1000, 5)))) for _ in range(1000)]
    raw = psi_p_value(psi(whole, windows), 10, 1000, ROWS)
    with_phi = psi_p_value(psi(whole / phi, np.array(windows) / phi), 10, 1000, ROWS, phi=phi)
    assert np.mean(raw < 0.01) > 0.8
    assert np.mean(with_phi < 0.01) < 0.03


def test_categories_teach_too_and_rare_ones_are_pooled():
    random = np.random.default_rng(4)
    names = [f"c{at}" for at in range(300)]
    shares = 1 / np.arange(1, 301) ** 1.5
    codes = np.repeat(random.choice(300, ROWS // 4, p=shares / shares.sum()), 4)
    found = taught(Column.from_codes(codes, names))
    assert found.phi == pytest.approx(4, rel=0.15)


def test_missing_rows_do_not_count():
    random = np.random.default_rng(5)
    values = sessions(random, ROWS, 5)
    values[random.random(ROWS) < 0.3] = np.nan
    # Of five alike events three and a half are left, give or take one.
    assert taught(values).phi == pytest.approx(1 + 4 * 0.7, rel=0.15)


@pytest.mark.parametrize("values", [np.full(ROWS, 3.0), np.tile([np.nan, 1.0], ROWS // 2)])
def test_a_constant_teaches_the_defaults(values):
    assert taught(values) == (1.0, DEFAULT_TOLERANCE)


@pytest.mark.parametrize("rows", [1, 10, 499])
def test_too_few_rows_teach_nothing(rows):
    assert taught(np.arange(float(rows)), default_chunk_rows(rows)) is None


def test_with_few_windows_only_phi_is_learned():
    found = taught(sessions(np.random.default_rng(6), 2000, 5), 900)
    assert found.phi > 3
    assert found.tolerance == DEFAULT_TOLERANCE


def test_rows_in_another_order_teach_another_phi():
    random = np.random.default_rng(7)
    values = sessions(random, ROWS, 10)
    assert taught(values).phi > 8
    assert taught(random.permutation(values)).phi < 1.2


def test_a_chunk_of_one_row_is_refused():
    with pytest.raises(ValueError, match="chunk_rows: 1: expected at least 2"):
        taught(np.arange(100.0), 1)
