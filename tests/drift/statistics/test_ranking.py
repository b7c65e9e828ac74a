"""Rows by score: the same area whatever the order, the runs, and where they are kept; scikit-learn's."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from modeltrail.drift.statistics import auc, ranking
from modeltrail.drift.statistics.auc import area_of_ranks
from modeltrail.drift.statistics.ranking import Ranking, Ranks
from tests.drift.statistics.ranked import area_under_curve


@pytest.fixture
def tiny_runs(monkeypatch):
    """Runs of few rows, merged a few ranks at a time."""
    monkeypatch.setattr(ranking, "_ROOM", 7)
    monkeypatch.setattr(ranking, "_SLICES", 4)
    monkeypatch.setattr(ranking, "_LEAST_SLICE", 3)


@dataclass
class Shelf:
    """A run that says what was asked of it."""

    ranks: Ranks
    most: int = 0

    def __len__(self):
        return len(self.ranks)

    def part(self, first, end):
        self.most = max(self.most, end - first)
        return self.ranks.part(first, end)


def slow_area(scores, positive):
    """By all pairs, and DeLong's variance by its definition."""
    pairs = np.sign(scores[positive][:, None] - scores[~positive][None, :]) / 2 + 0.5
    m, n = pairs.shape
    return pairs.mean(), pairs.mean(axis=1).var(ddof=1) / m + pairs.mean(axis=0).var(ddof=1) / n


@pytest.mark.parametrize(("rows", "values"), [(40, 3), (500, 20), (500, 10**9)])
def test_the_area_is_that_of_all_pairs_and_of_scikit_learn(tiny_runs, rows, values):
    rng = np.random.default_rng(rows + values)
    scores = rng.integers(0, values, rows) / values
    positive = rng.random(rows) < 0.3 + 0.4 * scores
    area, variance = area_under_curve(scores, positive)
    assert area == pytest.approx(roc_auc_score(positive, scores), rel=1e-12)
    assert (area, variance) == pytest.approx(slow_area(scores, positive), rel=1e-9)


@given(st.lists(st.tuples(st.sampled_from([-0.0, 0.0, 0.25, 0.5, 1.0, np.inf, -np.inf]), st.booleans())), st.data())
def test_every_score_comes_once_in_ascending_order_with_all_its_rows(rows, data):
    scores = np.array([score for score, _ in rows], dtype=np.float64)
    positive = np.array([truth for _, truth in rows], dtype=np.bool_)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    kept = []

    def keep(ranks):
        kept.append(Shelf(ranks))
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_ROOM", 3)
        patch.setattr(ranking, "_SLICES", 1)
        patch.setattr(ranking, "_LEAST_SLICE", 2)
        found = Ranking(keep)
        for part in np.split(np.arange(len(rows)), cuts):
            found.add(scores[part], positive[part])
        parts = list(found.ascending())
        assert len(kept) >= len(rows) // 6
    assert all(each.most <= 2 for each in kept)
    told = [
        (score, p, n)
        for part in parts
        for score, p, n in zip(part.scores, part.positives.tolist(), part.negatives.tolist(), strict=True)
    ]
    distinct = sorted({float(score) + 0.0 for score in scores})
    assert told == [(x, int((scores == x)[positive].sum()), int((scores == x)[~positive].sum())) for x in distinct]
    assert (found.positives, found.negatives) == (int(positive.sum()), int((~positive).sum()))


def test_two_rankings_add_up_to_that_of_all_rows(tiny_runs):
    rng = np.random.default_rng(3)
    scores, positive = rng.integers(0, 9, 90) / 9, rng.random(90) < 0.5
    one, other = Ranking(Shelf), Ranking(Shelf)
    one.add(scores[:41], positive[:41])
    other.add(scores[41:], positive[41:])
    both = one + other
    expected = area_under_curve(scores, positive)
    assert area_of_ranks(both.ascending(), both.positives, both.negatives) == expected
    assert area_of_ranks((other + one).ascending(), both.positives, both.negatives) == expected


def test_sums_beyond_64_bits_are_exact(monkeypatch):
    """Half a billion rows of each class in six ranks; integers of any size give the same."""
    counts = [(10**8, 3 * 10**8), (1, 10**8), (2 * 10**8, 5 * 10**7), (2 * 10**8, 7), (7, 7), (3, 5 * 10**7)]
    positives, negatives = (np.array(column, dtype=np.int64) for column in zip(*counts, strict=True))
    ranks = Ranks(np.arange(6.0), positives, negatives)
    m, n = int(positives.sum()), int(negatives.sum())
    found = area_of_ranks([ranks.part(0, 2), ranks.part(2, 6)], m, n)
    monkeypatch.setattr(auc, "_FITS", 0)
    assert found == area_of_ranks([ranks], m, n)
    pairs = sum(p * (2 * sum(q for _, q in counts[:at]) + q) for at, (p, q) in enumerate(counts))
    assert found[0] == pairs / (2 * m * n)


def test_rankings_that_share_the_room_keep_sooner_and_say_the_same():
    """A hundred segments of thousands of rows must not hold a hundred times what the whole may hold."""
    rng = np.random.default_rng(3)
    scores = rng.random(10_000)
    positive = rng.random(10_000) < scores
    kept = []

    def keep(ranks):
        kept.append(Shelf(ranks))
        return kept[-1]

    found = Ranking(shared_by=100)
    found.keep = keep
    for part in np.split(np.arange(10_000), range(300, 10_000, 300)):
        found.add(scores[part], positive[part])
    assert len(kept) >= 6
    assert max(map(len, kept)) < 2_000
    alone = Ranking(keep)
    alone.add(scores, positive)
    areas = [
        area_of_ranks(each.ascending(), each.positives, each.negatives) for each in (found, alone, found + Ranking())
    ]
    assert areas[0] == areas[1] == areas[2]
