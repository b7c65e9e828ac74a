"""A log under way, told in hours of 1 January 2024, and the watch of it.

A prediction `p` stands in the log a minute after its event time unless said otherwise.
"""

from datetime import UTC, datetime

from modeltrail.drift.windows.narrow import Change, NarrowRows, Tick
from modeltrail.drift.windows.order import Position
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.moment import format_moment
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain

P0, P1 = (Chain("c", "modeltrail.predictions", number, 0, 0) for number in (0, 1))
MODELS = Chain("c", "modeltrail.models", 0, 0, 0)
CHECKS = Chain("c", "modeltrail.checks", 0, 0, 0)
BEGIN_MS = 1_704_067_200_000
HOUR_MS = 3_600_000


class World:
    """A log under way, and the watch of it."""

    def __init__(self, **monitor):
        self.watch = Watch()
        self.seqs = {}
        self.rows, self.changes, self.made = [], [], []
        self.configure(**monitor)

    def _place(self, chain, hour):
        self.seqs[chain] = self.seqs.get(chain, -1) + 1
        return Position.at(BEGIN_MS + round(hour * HOUR_MS), chain, self.seqs[chain])

    def p(self, *hours, log=None, chain=P0, version="1", model="m"):
        for hour in hours:
            position = self._place(chain, hour + 1 / 60 if log is None else log)
            self.rows.append((position, BEGIN_MS * 1000 + round(hour * HOUR_MS * 1000), model, version))
        return self

    def tell(self, told, hour=0.0, chain=MODELS):
        self.changes.append(Change(self._place(chain, hour), told))
        return self

    def configure(self, hour=0.0, **monitor):
        monitor = {"monitor_id": "w", "model_id": "m", "window": {"kind": "tumbling", "size_s": 3600}} | monitor
        return self.tell(MonitorConfigured.model_validate(monitor), hour)

    def advance(self, through, hour):
        at = datetime.fromtimestamp(BEGIN_MS / 1000 + through * 3600, tz=UTC)
        return self.tell(MonitorAdvanced(model_id="m", through=format_moment(at)), hour)

    def tick(self, hour):
        return self.tell(Tick("m"), hour, CHECKS)

    def feed(self, **more):
        parts = [
            NarrowRows.of_chain(
                position.of,
                seq=[position.seq],
                log_time=[position.log_time],
                time_us=[time],
                model=[model],
                version=[v],
            )
            for position, time, model, v in self.rows
        ]
        found = self.watch.feed(NarrowRows.concatenate(parts), self.changes, **more)
        self.rows, self.changes = [], []
        self.made += found
        return found

    def windows(self, **more):
        """What closes, as `start-end` in hours, with what is unusual about it."""
        return [told(closing) for closing in self.feed(**more)]


def told(closing):
    window = closing.window
    if window.is_run:
        span = f"run {window.index}"
    else:
        start, end = ((us // 1000 - BEGIN_MS) / HOUR_MS for us in (window.start_us, window.end_us))
        span = f"{start:g}-{end:g}"
    marks = [closing.kind] if closing.kind != "drift" else []
    marks += [closing.closed_by] if closing.closed_by not in {"watermark", "count"} else []
    marks += ["superseding"] if closing.supersedes else ["late"] if closing.late else []
    marks += [f"+{closing.label_delay_s} s"] if closing.label_delay_s else []
    return " ".join([span, *marks])
