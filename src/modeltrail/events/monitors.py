"""Monitors: what the watch looks at, in which windows, and when it raises an alert.

A model with a baseline needs no more than its name here: everything has a default.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from modeltrail.events.baselines import BiasMetric, PerformanceMetric
from modeltrail.events.fields import Data, Finite, Id, Listed, Part, null_as, violation
from modeltrail.events.refusal import MARKS, nearest
from modeltrail.events.zones import zone

__all__ = [
    "CRON_NAMES",
    "BiasMonitor",
    "CountWindow",
    "Learning",
    "MonitorConfigured",
    "MonitorPolicy",
    "MonitorThresholds",
    "PerformanceMonitor",
    "RaiseAt",
    "ScheduleWindow",
    "SilenceMonitor",
    "SlidingWindow",
    "TumblingWindow",
    "Window",
]

CRON_NAMES = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * MON"}
"""Short names of cron expressions. A week begins on Monday."""

RaiseAt = Literal["shifted", "warning", "critical"]

_TEN_YEARS_S = 315_360_000
_STEPS_MAX = 1000
_CRON = re.compile(r"[0-9A-Za-z*/,#-]{1,100}(?: +[0-9A-Za-z*/,#-]{1,100}){4}\Z")
_CRON_EXPECTED = "must be @hourly, @daily, @weekly, or five fields of cron: minute, hour, day, month, weekday"

Seconds = Annotated[int, Field(ge=0, le=_TEN_YEARS_S)]
SomeSeconds = Annotated[int, Field(ge=1, le=_TEN_YEARS_S)]


def _check_cron(text: str) -> str:
    expression = CRON_NAMES.get(text, text)
    if not _CRON.match(expression):
        raise violation(_CRON_EXPECTED + nearest(text, CRON_NAMES), text)
    try:
        next(CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise violation(f"{_CRON_EXPECTED} ({str(error).lower()})", text) from None
    except StopIteration:
        raise violation(f"{_CRON_EXPECTED}, and these never come together", text) from None
    return text


def _check_zone(name: str) -> str:
    try:
        zone(name)
    except ValueError as error:
        raise violation(str(error), name) from None
    return name


class _Window(Part):
    allowed_lateness_s: Annotated[Seconds, null_as(0)] = Field(
        default=0, description="Seconds that event time must go on past the end before a window closes.", examples=[60]
    )


class TumblingWindow(_Window):
    """Windows of one size, one after another, aligned to Monday 1970-01-05T00:00Z."""

    kind: Literal["tumbling"] = Field(description="The kind of window.", examples=["tumbling"])
    size_s: SomeSeconds = Field(description="Length of a window, in seconds.", examples=[604800])


class SlidingWindow(_Window):
    """Windows of one size that begin step after step, aligned to Monday 1970-01-05T00:00Z."""

    kind: Literal["sliding"] = Field(description="The kind of window.", examples=["sliding"])
    size_s: SomeSeconds = Field(description="Length of a window, in seconds.", examples=[604800])
    step_s: SomeSeconds = Field(
        description="Seconds from one start to the next; divides size_s into at most 1000 steps.", examples=[86400]
    )

    @model_validator(mode="after")
    def _step_divides(self) -> Self:
        if self.size_s % self.step_s or self.size_s // self.step_s > _STEPS_MAX:
            raise violation(
                f"must divide size_s, {self.size_s}, into at most {_STEPS_MAX} steps", self.step_s, ("step_s",)
            )
        return self


class ScheduleWindow(_Window):
    """Windows from one time of a calendar to the next."""

    kind: Literal["schedule"] = Field(description="The kind of window.", examples=["schedule"])
    cron: Annotated[str, Field(max_length=256), AfterValidator(_check_cron)] = Field(
        description="When a window ends and the next begins: @hourly, @daily, @weekly (Monday) or five fields of cron.",
        examples=["@weekly"],
    )
    timezone: Annotated[str, Field(max_length=64), AfterValidator(_check_zone), null_as("UTC")] = Field(
        default="UTC", description="IANA time zone that cron is read in.", examples=["Europe/Berlin"]
    )


class CountWindow(_Window):
    """Windows of every so many predictions, in the order of the ledger."""

    kind: Literal["count"] = Field(description="The kind of window.", examples=["count"])
    every: Annotated[int, Field(ge=1, le=10**12)] = Field(description="Predictions in a window.", examples=[5000])


_KINDS = ("tumbling", "sliding", "schedule", "count")
MARKS.update(f"[{kind}]" for kind in _KINDS)


def _tag(window: Any) -> str:
    kind = window["kind"] if isinstance(window, dict) else window.kind
    return f"[{kind}]"


def _check_kind(window: object) -> object:
    if isinstance(window, _Window) or window is None:
        return window
    if not isinstance(window, dict):
        raise violation("must be an object", window)
    expected = "must be one of 'tumbling', 'sliding', 'schedule' or 'count'"
    if "kind" not in window:
        raise violation(expected, path=("kind",))
    kind = window["kind"]
    if kind not in _KINDS:
        hint = nearest(kind, _KINDS) if isinstance(kind, str) else ""
        raise violation(expected + hint, kind, ("kind",))
    return window


Window = Annotated[
    Annotated[TumblingWindow, Tag("[tumbling]")]
    | Annotated[SlidingWindow, Tag("[sliding]")]
    | Annotated[ScheduleWindow, Tag("[schedule]")]
    | Annotated[CountWindow, Tag("[count]")],
    Discriminator(_tag),
    BeforeValidator(_check_kind),
]
"""One of the four kinds of window, as its member `kind` says."""


class MonitorPolicy(Part):
    """What counts as drift. What is absent comes from the preset."""

    preset: Annotated[Literal["default", "sensitive", "tolerant"], null_as("default")] = Field(
        default="default", description="Numbers that go together.", examples=["sensitive"]
    )
    fdr: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Share of false findings that is put up with.", examples=[0.05]
    )
    delta0: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Debiased PSI that is harmless.", examples=[0.005]
    )
    d0: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Kolmogorov-Smirnov distance that is harmless.", examples=[0.02]
    )
    raise_at: RaiseAt | None = Field(
        default=None, description="State from which alerts are raised.", examples=["warning"]
    )
    consecutive: Annotated[int, Field(ge=1, le=100), null_as(2)] = Field(
        default=2, description="Windows in a row that a state must hold before it counts.", examples=[3]
    )
    learned_tolerance: Annotated[bool, null_as(True)] = Field(
        default=True, description="Whether the tolerance that a baseline learned is used.", examples=[False]
    )


class MonitorThresholds(Part):
    """Debiased PSI from which a significant difference is a warning, or critical."""

    psi_warning: Annotated[float, Field(ge=0), null_as(0.1)] = Field(
        default=0.1, description="From here it is a warning.", examples=[0.15]
    )
    psi_critical: Annotated[float, Field(ge=0), null_as(0.25)] = Field(
        default=0.25, description="From here it is critical.", examples=[0.3]
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.psi_critical < self.psi_warning:
            raise violation(f"must be at least psi_warning, {self.psi_warning}", self.psi_critical, ("psi_critical",))
        return self


class PerformanceMonitor(Part):
    """A metric of predictions against what turned out to be true."""

    metric: PerformanceMetric = Field(description="What is measured.", examples=["auc"])
    max_drop: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="How much worse than the baseline it may be; this or threshold.", examples=[0.05]
    )
    threshold: Finite | None = Field(
        default=None, description="What it may be at worst; this or max_drop.", examples=[None]
    )
    label_delay_s: Annotated[Seconds, null_as(0)] = Field(
        default=0, description="Seconds after a window's end until the truth is known.", examples=[604800]
    )
    min_coverage: Annotated[float, Field(ge=0, le=1), null_as(0.9)] = Field(
        default=0.9, description="Share of predictions whose truth must be known.", examples=[0.95]
    )

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if self.max_drop is None and self.threshold is None:
            raise violation("max_drop or threshold: one of them is required", path=("max_drop",))
        if self.max_drop is not None and self.threshold is not None:
            raise violation("is only allowed where max_drop is absent", self.threshold, ("threshold",))
        return self


class BiasMonitor(Part):
    """A gap between groups."""

    by: Id = Field(description="The stratum or feature that makes the groups.", examples=["carrier"])
    metric: BiasMetric = Field(description="What is compared.", examples=["selection_rate"])
    max_gap: Annotated[float, Field(ge=0)] = Field(description="The largest gap that is allowed.", examples=[0.1])
    label_delay_s: Annotated[Seconds, null_as(0)] = Field(
        default=0, description="Seconds after a window's end until the truth is known.", examples=[604800]
    )


class SilenceMonitor(Part):
    """A model that stops predicting, or whose rate falls or jumps."""

    max_gap_s: SomeSeconds | None = Field(
        default=None, description="Seconds without a prediction from which it is silent.", examples=[7200]
    )
    rate_factor: Annotated[float, Field(gt=1)] | None = Field(
        default=None, description="Factor by which the rate may fall or rise.", examples=[4]
    )

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if self.max_gap_s is None and self.rate_factor is None:
            raise violation("max_gap_s or rate_factor: one of them is required", path=("max_gap_s",))
        return self


class Learning(Part):
    """A model without a baseline learns one from its first predictions."""

    predictions: Annotated[int, Field(ge=100, le=10**6)] = Field(
        description="How many. They are held in memory, some 20 bytes for each field.", examples=[10_000]
    )


_DEFAULT_WINDOW = TumblingWindow(kind="tumbling", size_s=86_400)
_DEFAULT_POLICY = MonitorPolicy()
_DEFAULT_THRESHOLDS = MonitorThresholds()


class MonitorConfigured(Data):
    """What the watch does for a model, from now on. The newest with the same monitor_id is in force."""

    event_type: ClassVar[str] = "modeltrail.monitor.configured.v1"
    subject_field: ClassVar[str] = "model_id"

    monitor_id: Id = Field(description="Names the monitor.", examples=["flights-delay-weekly"])
    model_id: Id = Field(description="The model.", examples=["flights-delay"])
    model_version: Id | None = Field(
        default=None, description="Its version; every one where absent.", examples=["1.0.0"]
    )
    enabled: Annotated[bool, null_as(True)] = Field(
        default=True, description="Whether it is in force.", examples=[False]
    )
    baseline_id: Id | None = Field(
        default=None,
        description="The baseline; the newest of model and version where absent.",
        examples=["flights-delay-2013"],
    )
    fields: Annotated[list[Id], Listed] = Field(
        default_factory=list,
        description="Fields of the baseline to compare; all where empty.",
        examples=[["dep_delay"]],
    )
    window: Annotated[Window, null_as(_DEFAULT_WINDOW)] = Field(
        default=_DEFAULT_WINDOW,
        description="When a window begins and ends; a day where absent.",
        examples=[{"kind": "tumbling", "size_s": 604800, "allowed_lateness_s": 60}],
    )
    policy: Annotated[MonitorPolicy, null_as(_DEFAULT_POLICY)] = Field(
        default=_DEFAULT_POLICY, description="What counts as drift."
    )
    thresholds: Annotated[MonitorThresholds, null_as(_DEFAULT_THRESHOLDS)] = Field(
        default=_DEFAULT_THRESHOLDS, description="How much is a warning, and how much is critical."
    )
    segments: Annotated[list[Id], Listed] = Field(
        default_factory=list,
        description="Strata or features; each value is looked at by itself.",
        examples=[["origin"]],
    )
    performance: Annotated[list[PerformanceMonitor], Listed] = Field(
        default_factory=list, description="Metrics against the truth, each once."
    )
    bias: Annotated[list[BiasMonitor], Listed] = Field(
        default_factory=list, description="Gaps between groups, each stratum and metric once."
    )
    silence: SilenceMonitor | None = Field(default=None, description="When the model counts as silent.")
    learn: Learning | None = Field(default=None, description="Whether to learn a baseline where there is none.")
    late_horizon: Annotated[int, Field(ge=0, le=1000), null_as(4)] = Field(
        default=4, description="Windows for which late predictions are still counted.", examples=[8]
    )
    max_wait_s: Annotated[int, Field(ge=1, le=86_400), null_as(900)] = Field(
        default=900,
        description="Seconds that a partition is waited for before a window closes without it.",
        examples=[60],
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        keys: tuple[tuple[str, list[Any]], ...] = (
            ("fields", self.fields),
            ("segments", self.segments),
            ("performance", [each.metric for each in self.performance]),
            ("bias", [(each.by, each.metric) for each in self.bias]),
        )
        for name, found in keys:
            for at, key in enumerate(found):
                if key in found[:at]:
                    shown = " ".join(key) if isinstance(key, tuple) else key
                    raise violation("must be there once, and is there twice", shown, (name, str(at)))
        return self
