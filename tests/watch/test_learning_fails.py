"""A baseline that cannot be learned leaves nothing in the ledger, and yet others are not checked twice for it."""

from modeltrail.errors import InvalidEventError
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.lab.drift.log import DAY_US, EVENT_START_US, MODELS, PREDICTIONS, Log, Prediction
from tests.watch.worlds import FailingLedger, OddWorld

LATE_S = 5 * 3600
CLOSES_AT = 4 * 24 + 5
"""The hour whose prediction closes the fourth day."""


class NothingToLearn(FailingLedger):
    async def compute(self, closing, carry):
        if closing.kind == "learn":
            self._world.learned_at.append(closing.x)
            raise InvalidEventError("fields", [], "must have at least one field with a value")
        return await super().compute(closing, carry)


class World(OddWorld):
    ledger = NothingToLearn

    def __init__(self, log):
        super().__init__(log)
        self.learned_at = []


def test_who_takes_over_starts_no_check_from_itself():
    window = {"kind": "tumbling", "size_s": 86400, "allowed_lateness_s": LATE_S}
    log = Log()
    for name, learn in (("a", {"predictions": CLOSES_AT + 1}), ("b", None)):
        log.at(0.0, MODELS, told=MonitorConfigured(monitor_id=name, model_id="m", window=window, learn=learn))
    for hour in range(CLOSES_AT + 1):
        at = EVENT_START_US + hour * DAY_US // 24
        log.at(1 + hour / 10, PREDICTIONS[hour % 2], prediction=Prediction("m", "1", at))
    world = World(log)
    world.loop.after(30.0, world._share_out)
    published = world.run(rest_s=60)
    last = max(published.checks.values(), key=lambda check: check.window.end or "")
    assert world.beginnings > 1
    assert [(x.chain, x.seq) for x in world.learned_at] == 2 * [(last.cut.entry.chain, last.cut.entry.seq)]
    assert published.repeats_that_differ == ()
    assert len(published.checks) == 2 * 4
