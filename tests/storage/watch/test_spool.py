"""Runs of scores in a file come back as they were, and the disk that refuses is named."""

import tempfile

import numpy as np
import pytest

from modeltrail.drift.statistics.ranking import Ranks
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
