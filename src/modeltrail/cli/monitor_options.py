"""From the options of `monitor set` to a monitor, and from a monitor to words."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from modeltrail.cli.amounts import duration_text, seconds_of
from modeltrail.errors import ConfigurationError
from modeltrail.events.monitors import CountWindow, MonitorConfigured, ScheduleWindow, SlidingWindow, TumblingWindow
from modeltrail.events.refusal import refusal_of

__all__ = ["bias_of", "metric_of", "monitor_of", "policy_words", "read_monitor_file", "window_of", "window_words"]


def monitor_of(members: Mapping[str, Any]) -> MonitorConfigured:
    """Return a monitor from its members. InvalidEventError names what cannot be right, as in `monitor.window.cron`."""
    try:
        return MonitorConfigured.model_validate(dict(members))
    except ValidationError as error:
        raise refusal_of(error, "monitor", MonitorConfigured.model_fields).as_invalid_event() from None


def read_monitor_file(path: Path) -> dict[str, Any]:
    """Return the members of a monitor from a .json or .toml file. ConfigurationError names line and column."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--from-file {path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"--from-file {path}: byte {error.start} is not UTF-8") from error
    try:
        members = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigurationError(f"--from-file {path}, {where}: {error.msg}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"--from-file {path}: {error}") from error
    if not isinstance(members, dict):
        raise ConfigurationError(f"--from-file {path}: expected one object with the members of a monitor")
    return members


def window_of(
    *,
    window: str | None,
    step: str | None,
    cron: str | None,
    timezone: str | None,
    every: int | None,
    lateness: str | None,
) -> dict[str, Any] | None:
    """Return the member `window` from the options, None where none is given.

    ConfigurationError for options that exclude each other, or one that lacks its partner.
    """
    given = [name for name, value in (("--window", window), ("--cron", cron), ("--every", every)) if value is not None]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)}: expected one of --window, --cron and --every")
    if step is not None and window is None:
        raise ConfigurationError(f"--step {step}: is only allowed with --window")
    if timezone is not None and cron is None:
        raise ConfigurationError(f"--timezone {timezone}: is only allowed with --cron")
    made: dict[str, Any] = {}
    if window is not None:
        size = seconds_of(window, "--window")
        made = {"kind": "tumbling", "size_s": size}
        if step is not None:
            made = {"kind": "sliding", "size_s": size, "step_s": seconds_of(step, "--step")}
    elif cron is not None:
        made = {"kind": "schedule", "cron": cron} | ({} if timezone is None else {"timezone": timezone})
    elif every is not None:
        made = {"kind": "count", "every": every}
    if lateness is not None:
        if not made:
            raise ConfigurationError(f"--lateness {lateness}: is only allowed with --window, --cron or --every")
        made["allowed_lateness_s"] = 0 if lateness == "0" else seconds_of(lateness, "--lateness")
    return made or None


def metric_of(text: str) -> dict[str, Any]:
    """Return a metric from `auc:0.05` (allowed drop) or `mape=0.15` (at worst). ConfigurationError otherwise."""
    for mark, member in ((":", "max_drop"), ("=", "threshold")):
        metric, found, limit = text.partition(mark)
        if found:
            return {"metric": metric.strip(), member: _number(limit, "--performance", text)}
    raise ConfigurationError(f"--performance {text!r}: expected METRIC:MAX_DROP or METRIC=LIMIT, as in auc:0.05")


def bias_of(text: str) -> dict[str, Any]:
    """Return a gap from `carrier:selection_rate:0.1`. ConfigurationError otherwise."""
    parts = text.rsplit(":", 2)
    if len(parts) != 3 or not all(parts):
        raise ConfigurationError(f"--bias {text!r}: expected BY:METRIC:MAX_GAP, as in carrier:selection_rate:0.1")
    return {"by": parts[0], "metric": parts[1], "max_gap": _number(parts[2], "--bias", text)}


def _number(text: str, option: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"{option} {whole!r}: {text!r}: expected a number") from None


def window_words(monitor: MonitorConfigured) -> str:
    """Return how a monitor's windows are called: `7d`, `7d every 1d`, `@weekly Europe/Berlin`, `every 1,000`."""
    match monitor.window:
        case TumblingWindow(size_s=size):
            words = duration_text(size)
        case SlidingWindow(size_s=size, step_s=step):
            words = f"{duration_text(size)} every {duration_text(step)}"
        case ScheduleWindow(cron=cron, timezone=zone):
            words = cron if zone == "UTC" else f"{cron} {zone}"
        case CountWindow(every=every):
            words = f"every {every:,}"
    late = monitor.window.allowed_lateness_s
    return f"{words} + {duration_text(late)}" if late else words


def policy_words(monitor: MonitorConfigured) -> str:
    """Return what of the policy is not as in the default: `default`, `sensitive, raise at critical`."""
    policy = monitor.policy
    said: list[str] = [policy.preset]
    numbers: Sequence[tuple[str, object]] = (
        ("fdr", policy.fdr), ("delta0", policy.delta0), ("d0", policy.d0), ("raise at", policy.raise_at),
    )  # fmt: skip
    said += [f"{name} {value}" for name, value in numbers if value is not None]
    if policy.consecutive != 2:
        said.append(f"{policy.consecutive} in a row")
    if not policy.learned_tolerance:
        said.append("no learned tolerance")
    limits = monitor.thresholds
    if (limits.psi_warning, limits.psi_critical) != (0.1, 0.25):
        said.append(f"PSI {limits.psi_warning:g}/{limits.psi_critical:g}")
    return ", ".join(said)
