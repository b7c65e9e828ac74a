"""A model that is silent while others never are."""

import pytest

from modeltrail.lab.drift.computing import Published
from modeltrail.lab.drift.log import EVENT_START_US, PREDICTIONS, Prediction
from tests.watch.test_service import DAY_US, DAYS, checks, small_log
from tests.watch.worlds import OddWorld


@pytest.mark.parametrize("partitions", [1, 3])
def test_silence_is_found_while_another_model_never_stops(partitions):
    log = small_log(end=False, silence={"max_gap_s": 30})
    for tenth in range(1200):
        prediction = Prediction("n", "1", EVENT_START_US + tenth * DAY_US // 24)
        log.at(1 + tenth / 10, PREDICTIONS[tenth % partitions], prediction=prediction)
    world = OddWorld(log)
    seen = []
    world.loop.after(100.0, lambda: seen.append(len(checks(Published.of(world.published), kind="silence"))))
    published = world.run()
    assert world.problems == []
    assert seen == [1]
    assert len(checks(published)) == DAYS
    assert 1 <= len(checks(published, kind="tick")) <= 3
