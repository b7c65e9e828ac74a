"""A monitor without a server: the same checks on data frames.

    monitor = Monitor(Baseline.from_frame(training, model_id="flights-delay", model_version="1.0.0"))
    for week in weeks:
        result = monitor.check(week)
        print(result.state, result.messages)

Each frame is one window, and comes after those before it: streaks, merged look-backs and open alerts go on from frame
to frame, as they go on from window to window in the watch.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.check import evaluate
from modeltrail.drift.checks.content import WindowContent
from modeltrail.drift.checks.plan import content_plan
from modeltrail.drift.checks.results import CheckResult
from modeltrail.drift.policy.look_back import WindowCounts
from modeltrail.drift.policy.policy import SCALES
from modeltrail.drift.rows.columns import Columns
from modeltrail.drift.rows.samples import read_columns
from modeltrail.drift.windows.closing import BaselineRef, Closing, ClosingKind, Window
from modeltrail.drift.windows.order import Position
from modeltrail.errors import InvalidEventError
from modeltrail.events.canonical import content_hash
from modeltrail.events.moment import format_moment, parse_moment
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.events.refusal import refusal_of

__all__ = ["Monitor"]

_LOCAL = ("local", "frame", 0, 0, 0)
"""Stands for the chain in checks of frames, which have no ledger to be computed from again."""


class Monitor:
    """Checks of one baseline. `settings` are members of `monitor.configured`.

    Such as `fields`, `segments`, `policy={"preset": "sensitive"}`, `thresholds={"psi_warning": .15}`,
    `performance=[{"metric": "auc", "max_drop": .05}]`, `bias=[{"by": "origin", "metric": "selection_rate",
    "max_gap": .1}]`. What is not said has the default. InvalidEventError names a setting that cannot be right.
    """

    def __init__(self, baseline: Baseline, **settings: Any) -> None:
        if not isinstance(baseline, Baseline):
            expected = "must be a Baseline; make one with Baseline.from_frame(frame, model_id=..., model_version=...)"
            raise InvalidEventError("baseline", f"a {type(baseline).__name__}", expected)
        self.baseline = baseline
        content = {
            "monitor_id": f"{baseline.model_id}-local",
            "model_id": baseline.model_id,
            "model_version": baseline.model_version,
            "window": {"kind": "count", "every": 1},
        }
        try:
            self.configured = MonitorConfigured.model_validate(content | settings)
        except ValidationError as error:
            raise refusal_of(error, "monitor", MonitorConfigured.model_fields).as_invalid_event() from None
        self._sha256 = content_hash(self.configured)
        delays = [each.label_delay_s for each in self.configured.performance]
        delays += [each.label_delay_s for each in self.configured.bias]
        self._delays = sorted(set(delays))
        self._plans = {"drift": content_plan(self.configured, baseline, "drift")}
        self._earlier: list[WindowCounts] = []
        self._carry: dict[str, Mapping[str, Any]] = {}
        self._numbers: dict[str, int] = {}

    def check(
        self,
        frame: Any,
        *,
        roles: Mapping[str, str] | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> CheckResult:
        """Compare the next window with the baseline.

        `frame` as for `Baseline.from_frame`, with the same `roles`. `start` and `end` are the window's times (aware
        datetimes or RFC 3339 texts), of which sentences speak; all windows of a monitor have them, or none: then they
        are numbered, and alerts bear the time 1970-01-01T00:00Z, because no clock is read. A field that the frame
        lacks has vanished; a column that the baseline lacks is listed in `new_features`.
        InvalidEventError names the column or the time that cannot be right.
        """
        columns, _ = read_columns(frame, roles or {})
        result = self._evaluate("drift", columns, _window(start, end))
        self._earlier = [WindowCounts.of_check(result.check), *self._earlier][: max(SCALES) - 1]
        return result

    def check_performance(
        self,
        frame: Any,
        *,
        roles: Mapping[str, str] | None = None,
        outcome: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> CheckResult:
        """Compare what the model was worth in the next window, and its gaps between groups.

        `outcome` is the column of what turned out to be true; all metrics and gaps are computed, whatever the delay of
        their labels. InvalidEventError as above, and where the monitor has neither metrics nor gaps.
        """
        if not self._delays:
            raise InvalidEventError("performance", [], "must have a metric, or bias a gap")
        columns, _ = read_columns(frame, roles or {}, outcome=outcome)
        return self._evaluate("performance", columns, _window(start, end))

    def _evaluate(self, kind: ClosingKind, columns: Columns, times: tuple[int, int] | None) -> CheckResult:
        configured = self.configured
        number = self._numbers.get(kind, 0)
        window = Window(index=number) if times is None else Window(*times)
        delay = 0
        if kind == "performance":
            delay = self._delays[0]
            same = {"label_delay_s": delay}
            configured = configured.model_copy(
                update={
                    "performance": [each.model_copy(update=same) for each in configured.performance],
                    "bias": [each.model_copy(update=same) for each in configured.bias],
                }
            )
        if kind not in self._plans:
            self._plans[kind] = content_plan(configured, self.baseline, kind, delay)
        content = WindowContent.empty(self._plans[kind])
        content.add(columns)
        closing = Closing(
            kind,
            configured.model_id,
            self.baseline.model_version,
            configured,
            self._sha256,
            BaselineRef(self.baseline.id, self.baseline.sha256),
            window,
            Position(times[1] // 1000 if times else 0, *_LOCAL, number),
            {},
            "count" if times is None else "advanced",
            label_delay_s=delay,
        )
        result = evaluate(closing, self.baseline, content, earlier=self._earlier, carry=self._carry.get(kind, {}))
        self._carry[kind] = result.carry
        self._numbers[kind] = number + 1
        return result


def _window(start: datetime | str | None, end: datetime | str | None) -> tuple[int, int] | None:
    if start is None and end is None:
        return None
    begin, stop = _time_us("start", start), _time_us("end", end)
    if stop <= begin:
        raise InvalidEventError("end", str(end), f"must be after start, {start}")
    return begin, stop


def _time_us(name: str, moment: datetime | str | None) -> int:
    if moment is None:
        raise InvalidEventError(name, None, "is required where the other one of start and end is given")
    try:
        return parse_moment(format_moment(moment) if isinstance(moment, datetime) else moment)
    except ValueError as error:
        raise InvalidEventError(name, str(moment), str(error)) from None
