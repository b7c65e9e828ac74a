"""`modeltrail bench drift`, first half: a check of a window in memory, beside Evidently's report and scipy's test.

All three compare the same window with the same reference. Ours is a whole check: binning, PSI, KS and the other
statistics, tests, false discovery rate, alert state. What is done once, when a baseline is registered, is not measured.
"""

import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from modeltrail.bench.ingest import Stage
from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.monitor import Monitor
from modeltrail.errors import MissingExtraError

__all__ = ["CheckPlan", "measure_check"]

Frame = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class CheckPlan:
    """What to measure: a window of `rows` rows and `fields` numeric fields against a reference of `reference` rows."""

    rows: int = 1_000_000
    fields: int = 20
    reference: int = 10_000
    rounds: int = 3


def measure_check(plan: CheckPlan, stage: Stage) -> dict[str, Any]:
    """Return the figures by name: medians over interleaved rounds, in seconds, and the ratios to ours.

    What needs a library that is not installed is None, with the reason under `evidently_skipped`.
    """
    rng = np.random.default_rng(20_130_101)
    reference, window = _frame(rng, plan.reference, plan.fields), _frame(rng, plan.rows, plan.fields)
    baseline = Baseline.from_frame(reference, model_id="bench", model_version="1")
    evidently, skipped = _evidently(reference, window)
    ways: dict[str, Callable[[], object] | None] = {
        "check": lambda: Monitor(baseline).check(window),
        "evidently": evidently,
        "scipy": lambda: [stats.ks_2samp(reference[name], window[name], method="asymp") for name in window],
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1, plan.rounds + 1):
        for name, way in ways.items():
            if way is not None:
                told = stage(f"round {number} of {plan.rounds}: {name}", plan.rows)
                began = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - began)
                told(plan.rows)
    ours = statistics.median(seconds["check"])
    figures: dict[str, Any] = {"rows": plan.rows, "fields": plan.fields, "check_s": round(ours, 4)}
    for name in ("evidently", "scipy"):
        theirs = statistics.median(seconds[name]) if seconds[name] else None
        figures[f"{name}_s"] = None if theirs is None else round(theirs, 4)
        figures[f"ratio_to_{name}"] = None if theirs is None else round(theirs / ours, 2)
    if skipped:
        figures["evidently_skipped"] = skipped
    return figures


def _frame(rng: np.random.Generator, rows: int, fields: int) -> Frame:
    """Normal, skewed and whole numbers, the last with many ties."""
    drawn: tuple[Callable[[], NDArray[np.float64]], ...] = (
        lambda: rng.standard_normal(rows),
        lambda: rng.lognormal(size=rows),
        lambda: rng.poisson(30, rows).astype(np.float64),
    )
    return {f"f{number:02}": drawn[number % len(drawn)]() for number in range(fields)}


def _evidently(reference: Frame, window: Frame) -> tuple[Callable[[], object] | None, str]:
    if importlib.util.find_spec("evidently") is None or importlib.util.find_spec("pandas") is None:
        return None, str(MissingExtraError("bench", "the comparison with Evidently"))
    evidently, presets, pandas = map(importlib.import_module, ("evidently", "evidently.presets", "pandas"))
    before, now = (pandas.DataFrame(dict(frame)) for frame in (reference, window))
    return lambda: evidently.Report([presets.DataDriftPreset()]).run(now, before), ""
