"""The options that make a monitor, which `monitor set` and `drift run` share, and what they add up to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from modeltrail.cli.amounts import seconds_of
from modeltrail.errors import ConfigurationError

__all__ = [
    "BiasOption",
    "ConsecutiveOption",
    "CronOption",
    "EveryOption",
    "FdrOption",
    "FieldsOption",
    "LabelDelayOption",
    "LatenessOption",
    "MonitorArguments",
    "PerformanceOption",
    "PsiCriticalOption",
    "PsiWarningOption",
    "RaiseAtOption",
    "SegmentsOption",
    "StepOption",
    "TimezoneOption",
    "WindowOption",
    "put_in",
]

WindowOption = Annotated[
    str | None, typer.Option("--window", metavar="LENGTH", help="Windows of 15m, 1h, 7d ... (default: 1d).")
]
StepOption = Annotated[
    str | None, typer.Option("--step", metavar="LENGTH", help="Sliding: a window begins every so often.")
]
CronOption = Annotated[
    str | None,
    typer.Option("--cron", metavar="CRON", help="Windows of the calendar: @hourly, @daily, @weekly or five fields."),
]
TimezoneOption = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="Time zone of --cron (default: UTC).")
]
EveryOption = Annotated[int | None, typer.Option("--every", metavar="N", min=1, help="Windows of so many predictions.")]
LatenessOption = Annotated[
    str | None,
    typer.Option("--lateness", metavar="LENGTH", help="How long a window waits for late predictions (default: 0)."),
]
FieldsOption = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="NAME", help="A field to compare (default: all); may be repeated."),
]
SegmentsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--segment", metavar="NAME", help="What to split by, as `baseline add --segment` did; may be repeated."
    ),
]
RaiseAtOption = Annotated[
    str | None,
    typer.Option("--raise-at", metavar="STATE", help="Alert from: shifted, warning (default) or critical."),
]
FdrOption = Annotated[
    float | None, typer.Option("--fdr", metavar="SHARE", help="False findings that are put up with (default: 0.05).")
]
ConsecutiveOption = Annotated[
    int | None,
    typer.Option("--consecutive", metavar="N", min=1, help="Windows in a row before a state counts (default: 2)."),
]
PsiWarningOption = Annotated[
    float | None, typer.Option("--psi-warning", metavar="PSI", help="From here a warning (default: 0.1).")
]
PsiCriticalOption = Annotated[
    float | None, typer.Option("--psi-critical", metavar="PSI", help="From here critical (default: 0.25).")
]
PerformanceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--performance",
        metavar="METRIC:MAX_DROP",
        help="A metric, and how much worse than the baseline it may be; METRIC=LIMIT: what it may be at worst."
        " accuracy, error_rate, precision, recall, f1, auc, brier, log_loss, mape, mae or rmse; may be repeated.",
    ),
]
BiasOption = Annotated[
    list[str] | None,
    typer.Option(
        "--bias",
        metavar="BY:METRIC:MAX_GAP",
        help="A gap between the groups of a feature or stratum, and how large it may be. selection_rate,"
        " mean_score, true_positive_rate, false_positive_rate or calibration; may be repeated.",
    ),
]
LabelDelayOption = Annotated[
    str | None,
    typer.Option("--label-delay", metavar="LENGTH", help="How long the truth is waited for (default: 0)."),
]


@dataclass(frozen=True, kw_only=True)
class MonitorArguments:
    """What the shared options were given; None where they were not. `preset_option`: how the preset's is called."""

    window: str | None = None
    step: str | None = None
    cron: str | None = None
    timezone: str | None = None
    every: int | None = None
    lateness: str | None = None
    fields: list[str] | None = None
    segments: list[str] | None = None
    preset: str | None = None
    preset_option: str = "--preset"
    raise_at: str | None = None
    fdr: float | None = None
    consecutive: int | None = None
    psi_warning: float | None = None
    psi_critical: float | None = None
    performance: list[str] | None = None
    bias: list[str] | None = None
    label_delay: str | None = None

    def over(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Return members of `monitor.configured` in which what was given takes the place of what was there.

        ConfigurationError for options that exclude each other, lack their partner, or cannot be read.
        """
        from modeltrail.cli.monitor_options import bias_of, metric_of, window_of

        made = dict(members)
        lateness, there = self.lateness, made.get("window")
        windowed = (self.window, self.step, self.cron, self.timezone, self.every) != (None,) * 5
        if lateness is not None and not windowed and isinstance(there, Mapping):
            seconds = 0 if lateness == "0" else seconds_of(lateness, "--lateness")
            made["window"] = {**there, "allowed_lateness_s": seconds}
        elif (
            chosen := window_of(
                window=self.window, step=self.step, cron=self.cron, timezone=self.timezone, every=self.every,
                lateness=lateness,
            )
        ) is not None:  # fmt: skip
            made["window"] = chosen
        lists: dict[str, list[Any] | None] = {
            "fields": self.fields,
            "segments": self.segments,
            "performance": None if self.performance is None else [metric_of(text) for text in self.performance],
            "bias": None if self.bias is None else [bias_of(text) for text in self.bias],
        }
        made |= {name: given for name, given in lists.items() if given is not None}
        policy = {
            "preset": self.preset, "raise_at": self.raise_at, "fdr": self.fdr, "consecutive": self.consecutive,
        }  # fmt: skip
        put_in(made, "policy", policy)
        put_in(made, "thresholds", {"psi_warning": self.psi_warning, "psi_critical": self.psi_critical})
        if self.label_delay is not None:
            _delay(made, self.label_delay)
        return made

    def options(self) -> dict[str, tuple[str, object]]:
        """Return which option gave which member, by the dotted path of the member, for `named_by_options`."""
        single: dict[str, tuple[str, object]] = {
            "window.size_s": ("--window", self.window),
            "window.step_s": ("--step", self.step),
            "window.cron": ("--cron", self.cron),
            "window.timezone": ("--timezone", self.timezone),
            "window.every": ("--every", self.every),
            "window.allowed_lateness_s": ("--lateness", self.lateness),
            "policy.preset": (self.preset_option, self.preset),
            "policy.raise_at": ("--raise-at", self.raise_at),
            "policy.fdr": ("--fdr", self.fdr),
            "policy.consecutive": ("--consecutive", self.consecutive),
            "thresholds.psi_warning": ("--psi-warning", self.psi_warning),
            "thresholds.psi_critical": ("--psi-critical", self.psi_critical),
        }
        several = (
            ("fields", "--field", self.fields),
            ("segments", "--segment", self.segments),
            ("performance", "--performance", self.performance),
            ("bias", "--bias", self.bias),
        )
        found = {path: said for path, said in single.items() if said[1] is not None}
        for name, option, texts in several:
            for at, text in enumerate(texts or ()):
                found[f"{name}.{at}"] = (option, text)
                if self.label_delay is not None:
                    found[f"{name}.{at}.label_delay_s"] = ("--label-delay", self.label_delay)
        return found


def put_in(members: dict[str, Any], name: str, given: Mapping[str, object]) -> None:
    """Put what is not None into a member that is an object, beside what is there."""
    if said := {key: value for key, value in given.items() if value is not None}:
        there = members.get(name)
        members[name] = {**(there if isinstance(there, Mapping) else {}), **said}


def _delay(members: dict[str, Any], text: str) -> None:
    delay = {"label_delay_s": seconds_of(text, "--label-delay")}
    if not (members.get("performance") or members.get("bias")):
        raise ConfigurationError(f"--label-delay {text}: is only allowed with --performance or --bias")
    for name in ("performance", "bias"):
        if isinstance(asked := members.get(name), list):
            members[name] = [{**each, **delay} if isinstance(each, Mapping) else each for each in asked]
