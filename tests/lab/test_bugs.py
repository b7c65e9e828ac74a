"""That the lab bites: each deliberate mistake in the commit protocol is found, and within how many seeds."""

import pytest

from modeltrail.ingest.service import Ingest
from modeltrail.lab.bugs import BUGS
from modeltrail.lab.many import first_seed_that_finds
from modeltrail.lab.run import play

WITHIN = {
    "acknowledge-before-insert": 10,
    "believe-a-gap": 150,
    "skip-without-comparing": 20,
    "retry-without-reading-back": 150,
    "two-inserts-in-flight": 10,
    "watermark-before-rejects": 60,
    "announce-at-once": 150,
    "epoch-without-waiting": 200,
}


def test_there_are_eight_and_each_has_its_bound():
    assert len(BUGS) == 8
    assert set(BUGS) == set(WITHIN)


@pytest.mark.parametrize("bug", BUGS)
def test_a_deliberate_mistake_is_found(bug):
    found = first_seed_that_finds(bug, range(WITHIN[bug]))
    assert found is not None
    assert play(found.seed, mode=found.mode, ingest_type=BUGS[bug]).problem == found.problem
    assert play(found.seed, mode=found.mode, ingest_type=Ingest).problem == ""
