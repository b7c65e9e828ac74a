"""Random logs for the watch: chains of different speeds, and everything that may stand in them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import strategies as st

from modeltrail.drift.windows.narrow import BaselineNamed, Change, NarrowRows, Tick
from modeltrail.drift.windows.order import Position
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.moment import format_moment
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain
from tests.drift.slow_watch import Prediction

MINUTE_MS = 60_000
BEGIN = datetime(2024, 3, 30, 20, 0, tzinfo=UTC)
"""Five hours before the clocks of Berlin are set forward."""
BEGIN_MS = int(BEGIN.timestamp()) * 1000
FIRST, LAST = datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 8, 1, tzinfo=UTC)

PREDICTIONS = (
    Chain("c", "modeltrail.predictions", 0, 0, 0),
    Chain("c", "modeltrail.predictions", 0, 1, 5),  # a second epoch: the record before may stand in both
    Chain("c", "modeltrail.predictions", 1, 0, 0),
    Chain("c", "modeltrail.predictions", 10, 0, 0),  # behind 1 as a number, before it as text
)
MODELS = Chain("c", "modeltrail.models", 0, 0, 0)
CHECKS = Chain("c", "modeltrail.checks", 0, 0, 0)

LOG_STEPS = st.sampled_from([0, 0, 1, 7, 20, 61, 200, 1500])
"""Minutes from one entry of a chain to the next."""
OFFSETS = st.sampled_from([0, 0, 0, -1, -10, -59, -60, -61, -125, -600, -3000, 4, 5, 6, 60, 3000])
"""Minutes of event time against log time; beyond 5 the clock is wrong."""

WINDOWS = st.sampled_from(
    [
        {"kind": "tumbling", "size_s": 3600},
        {"kind": "tumbling", "size_s": 86_400, "allowed_lateness_s": 1800},
        {"kind": "sliding", "size_s": 7200, "step_s": 1800},
        {"kind": "sliding", "size_s": 10_800, "step_s": 3600, "allowed_lateness_s": 600},
        {"kind": "schedule", "cron": "@hourly"},
        {"kind": "schedule", "cron": "30 2 * * *", "timezone": "Europe/Berlin"},
        {"kind": "schedule", "cron": "0 */3 * * *", "timezone": "America/New_York", "allowed_lateness_s": 300},
        {"kind": "count", "every": 3},
        {"kind": "count", "every": 1},
    ]
)
PERFORMANCE = st.sampled_from(
    [
        [],
        [{"metric": "auc", "max_drop": 0.1}],
        [{"metric": "auc", "max_drop": 0.1, "label_delay_s": 5400}, {"metric": "f1", "max_drop": 0.1}],
    ]
)
MONITORS = st.builds(
    lambda name, model, version, window, performance, horizon, gap, baseline, enabled: MonitorConfigured.model_validate(
        {
            "monitor_id": name,
            "model_id": model,
            "model_version": version,
            "window": window,
            "performance": performance,
            "late_horizon": horizon,
            "silence": gap and {"max_gap_s": gap * 60},
            "baseline_id": baseline,
            "enabled": enabled,
            "learn": {"predictions": 100},
        }
    ),
    st.sampled_from(["m", "m", "n"]),
    st.sampled_from(["a", "a", "a", "b"]),
    st.sampled_from([None, None, "1"]),
    WINDOWS,
    PERFORMANCE,
    st.sampled_from([4, 4, 1, 2, 0]),
    st.sampled_from([None, None, 90, 300]),
    st.sampled_from([None, None, "b1"]),
    st.sampled_from([True, True, True, True, False]),
)
BASELINES = st.builds(
    lambda name, sha, model, version: BaselineNamed(name, sha * 64, model, version),
    st.sampled_from(["b1", "b2"]),
    st.sampled_from("ef"),
    st.sampled_from("ab"),
    st.sampled_from("12"),
)


@dataclass(frozen=True)
class Log:
    """What stands in all chains, each chain in its own order."""

    predictions: list[Prediction]
    changes: list[Change]

    def rows(self, among=None) -> NarrowRows:
        """The entries of `predictions` as columns, chain by chain."""
        entries = self.predictions if among is None else among
        parts = []
        for chain in sorted({entry.position.of for entry in entries}, reverse=True):
            mine = [entry for entry in entries if entry.position.of == chain]
            parts.append(
                NarrowRows.of_chain(
                    chain,
                    seq=[entry.position.seq for entry in mine],
                    log_time=[entry.position.log_time for entry in mine],
                    time_us=[entry.time_us for entry in mine],
                    model=[entry.model for entry in mine],
                    version=[entry.version for entry in mine],
                )
            )
        return NarrowRows.concatenate(parts)

    def positions(self) -> list[Position]:
        """Where something stands, in watch order."""
        return sorted({entry.position for entry in [*self.predictions, *self.changes]})

    def part(self, after: Position | None, upto: Position | None) -> tuple[NarrowRows, list[Change]]:
        """What stands behind one position, up to and with another."""

        def inside(position):
            return (after is None or position > after) and (upto is None or position <= upto)

        return (
            self.rows([entry for entry in self.predictions if inside(entry.position)]),
            [change for change in self.changes if inside(change.position)],
        )


def moment(minutes: int) -> str:
    return format_moment(datetime.fromtimestamp(BEGIN_MS / 1000 + minutes * 60, tz=UTC))


@st.composite
def logs(draw, max_size=25) -> Log:
    """A log that begins with a monitor or two more often than not."""
    clocks: dict[Chain, int] = {}
    seqs: dict[Chain, int] = {}

    def place(chain, minutes):
        clocks[chain] = clocks.get(chain, BEGIN_MS) + minutes * MINUTE_MS
        seqs[chain] = seqs.get(chain, -1) + 1
        return Position.at(clocks[chain], chain, seqs[chain])

    predictions, changes = [], []
    for _ in range(draw(st.integers(0, 2))):
        first = draw(MONITORS).model_copy(update={"model_id": "a", "enabled": True})
        changes.append(Change(place(MODELS, 0), first))
    for what in draw(st.lists(st.integers(0, 23), min_size=draw(st.integers(0, max_size)), max_size=max_size)):
        if what == 0 or what > 5:
            position = place(draw(st.sampled_from(PREDICTIONS)), draw(LOG_STEPS))
            time_us = (position.log_time + draw(OFFSETS) * MINUTE_MS) * 1000
            model = draw(st.sampled_from(["a", "a", "a", "a", "b", None]))
            predictions.append(Prediction(position, time_us, model, draw(st.sampled_from("112")) if model else None))
        elif what == 1:
            position = place(CHECKS, draw(LOG_STEPS))
            changes.append(Change(position, Tick(draw(st.sampled_from("aab")))))
        else:
            position = place(MODELS, draw(LOG_STEPS))
            if what < 4:
                told = draw(MONITORS)
            elif what == 4:
                told = draw(BASELINES)
            else:
                ahead = draw(st.sampled_from([-600, -60, 0, 30, 240]))
                minutes = (position.log_time - BEGIN_MS) // MINUTE_MS + ahead
                told = MonitorAdvanced(model_id=draw(st.sampled_from("aab")), through=moment(minutes))
            changes.append(Change(position, told))
    return Log(predictions, changes)
