"""What turns data that a schema allows into data that keeps the rules between fields, too: by title of the schema.

A filter would throw nearly everything away where a part has a rule of sums, or a hash.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from modeltrail.events.baselines import BaselineRegistered

Repair = Callable[[dict[str, Any]], None]


def _field(data: dict[str, Any]) -> None:
    """A field of a baseline: bins or categories as many as counts, which leave rows for what is missing."""
    data["missing"] %= 1000
    for name in ("edges", "categories", "groups", "mistyped", "mean", "std"):
        data.pop(name, None) if name in {"edges", "categories"} or data["kind"] == "categorical" else None
    if data["kind"] == "numeric":
        edges = sorted({float(count % 997) * 1.1 for count in data["counts"]} | {-0.5})
        data["edges"] = [edge.hex() for edge in edges]
        bins = len(edges) + 1
        data["groups"] = [0, bins - 1] if len(data["counts"]) % 2 else [0]
        data["mistyped"] = (data.get("mistyped") or 0) % 1000
    else:
        bins = len(data["counts"]) + 1
        data["categories"] = ["", "\x00é\u2028", "a:b", "c", "d"][:bins]
    counts = [count % 10**9 for count in data["counts"]] + [1] * bins
    data["counts"] = [*counts[: bins - 1], 1]
    data["n"] = sum(data["counts"]) + data["missing"] + data.get("mistyped", 0)


def _once(data: dict[str, Any], name: str, *by: str) -> None:
    """Keep the first of each key in a list."""
    if data.get(name):
        key = (lambda part: tuple(part[each] for each in by)) if by else (lambda part: part)
        data[name] = list({key(part): part for part in data[name]}.values())


def _segment(data: dict[str, Any]) -> None:
    _once(data, "fields", "role", "name")


def _baseline(data: dict[str, Any]) -> None:
    _once(data, "fields", "role", "name")
    _once(data, "segments", "by", "value")
    _once(data, "performance", "metric")
    _once(data, "bias", "by", "metric")
    data["rows"] = max([data["rows"], *(field["n"] for field in data["fields"])])
    try:
        data["sha256"] = BaselineRegistered.hash_of(data)
    except ValidationError:  # left to the filter
        return


def _monitor(data: dict[str, Any]) -> None:
    _once(data, "fields")
    _once(data, "segments")
    _once(data, "performance", "metric")
    _once(data, "bias", "by", "metric")


def _sliding(data: dict[str, Any]) -> None:
    data["step_s"] = data["step_s"] % 10_000 + 1
    data["size_s"] = data["step_s"] * (data["size_s"] % 1000 + 1)


def _thresholds(data: dict[str, Any]) -> None:
    if data.keys() >= {"psi_warning", "psi_critical"} and None not in data.values():
        data["psi_warning"], data["psi_critical"] = sorted((data["psi_warning"], data["psi_critical"]))
    else:
        data.pop("psi_warning", None)
        data.pop("psi_critical", None)


def _one_limit(data: dict[str, Any]) -> None:
    if data.get("max_drop") is None:
        data["threshold"] = data.get("threshold") or 0.5
    else:
        data["threshold"] = None


def _silence(data: dict[str, Any]) -> None:
    if data.get("rate_factor") is None:
        data["max_gap_s"] = data.get("max_gap_s") or 60


def _check_field(data: dict[str, Any]) -> None:
    if data.get("counts"):
        parts = sum(data.get(name) or 0 for name in ("missing", "mistyped", "unseen")) + sum(data["counts"])
        if parts < 2**63:
            data["n"] = parts
        else:
            data["counts"] = []


def _window(data: dict[str, Any]) -> None:
    if data.get("start") is None or data.get("end") is None:
        data["index"] = data.get("index") or 7


def _check(data: dict[str, Any]) -> None:
    if data.get("model_version") is None or data.get("window") is None or data.get("cut") is None:
        data["kind"] = "tick"
    if data["status"] == "failed":
        data["error"] = data.get("error") or "why"


REPAIRS: Mapping[str, Repair] = {
    "BaselineField": _field,
    "BaselineSegment": _segment,
    "BaselineRegistered": _baseline,
    "MonitorConfigured": _monitor,
    "SlidingWindow": _sliding,
    "MonitorThresholds": _thresholds,
    "PerformanceMonitor": _one_limit,
    "SilenceMonitor": _silence,
    "CheckField": _check_field,
    "CheckWindow": _window,
    "CheckCompleted": _check,
}
