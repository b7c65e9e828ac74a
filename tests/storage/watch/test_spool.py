"""Runs of scores in a file come back as they were, and the disk that refuses is named."""

import tempfile

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from modeltrail.drift.statistics.performance import BinaryOutcomes
from modeltrail.drift.statistics.ranking import Ranking, Ranks
from modeltrail.errors import UnavailableError
from modeltrail.storage.watch.spool import Spool


def ranks(first, count):
    return Ranks(np.arange(first, first + count) / 7, np.arange(count), np.arange(count) + 2**31)


def test_runs_come_back_as_they_were_in_any_order():
    with Spool() as spool:
        kept = [
            (spool.keep(ranks(first, count)), ranks(first, count)) for first, count in ((0, 5), (100, 1), (7, 1000))
        ]
        for run, expected in reversed(kept):
            assert len(run) == len(expected)
            for first, end in ((0, len(expected)), (0, 10**6), (3, 4), (len(expected), len(expected) + 1)):
                found, wanted = run.part(first, end), expected.part(first, end)
                assert np.array_equal(found.scores, wanted.scores)
                assert np.array_equal(found.positives, wanted.positives)
                assert np.array_equal(found.negatives, wanted.negatives)


def test_a_directory_that_cannot_be_written_is_an_error_that_waiting_may_mend(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UnavailableError, match=r"scores cannot be kept in .*nowhere"):
        Spool().keep(ranks(0, 3))


def test_the_area_is_the_same_to_the_last_digit_where_scores_are_in_a_file(monkeypatch):
    monkeypatch.setattr("modeltrail.drift.statistics.ranking._ROOM", 50)
    monkeypatch.setattr("modeltrail.drift.statistics.ranking._LEAST_SLICE", 10)
    monkeypatch.setattr("modeltrail.drift.statistics.ranking._SLICES", 10)
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 300, 1000) / 300
    truth = rng.random(1000) < scores
    here = BinaryOutcomes()
    here.add(truth, scores=scores)
    with Spool() as spool:
        there = BinaryOutcomes(ranking=Ranking(spool.keep))
        for part in np.split(rng.permutation(1000), 7 * [0] + [130, 600]):
            there.add(truth[part], scores=scores[part])
        assert there.measure("auc") == here.measure("auc")
    assert here.measure("auc").value == pytest.approx(roc_auc_score(truth, scores), rel=1e-12)
