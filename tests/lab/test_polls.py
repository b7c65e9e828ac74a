"""A poll that is under way while its partition is placed: the lab has it, and finds an intake that is taken in by it."""

from modeltrail.ingest.intake import Intake
from modeltrail.ingest.service import Ingest
from modeltrail.lab.run import MODES, play


class DropsWhatAPollPassed(Intake):
    async def accept(self, partition, records, placement):
        lane = self._lanes.get(partition)
        if lane is not None and lane.number == placement:
            await super().accept(partition, records, placement)


class Mistaken(Ingest):
    intake_type = DropsWhatAPollPassed


def test_an_intake_that_drops_what_a_poll_took_past_the_reader_is_found():
    runs = (play(seed, mode=mode, ingest_type=Mistaken) for seed in range(40) for mode in MODES)
    found = next(outcome for outcome in runs if outcome.problem)
    assert "nobody reads what lies between" in found.problem
    assert play(found.seed, mode=found.mode).problem == ""
