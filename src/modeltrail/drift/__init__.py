"""Drift: baselines, counts, statistics and policy. Pure: numbers in, numbers out; no clock, no I/O.

    from modeltrail.drift import Baseline, Monitor

    baseline = Baseline.from_frame(training, model_id="flights-delay", model_version="1.0.0")
    print(Monitor(baseline).check(this_week).state)

Where to look:

    rows           columns, frames, samples, roles (a user's data); narrow (what the fold reads of the ledger)
    baseline       baseline, reference, edges, binning, tally, counts, pooling, learning, worth
    statistics     statistics, significance, exact; performance, metrics, auc, multiclass, drops; bias, gaps; rates
    policy         policy, evidence, states, alerts; look_back (the windows that are merged)
    a check        plan, content, check, fields, figures, wording, fitting, results; monitor (the same without a server)
    watch order    order, watch, model_watch, registry, stretch, spans, runs, silence, schedule, closing, passed

Needs the `server` extra (numpy, scipy, scikit-learn, pyarrow). Names are loaded when they are first used: scipy takes
seconds, and a program that only reads window times should not wait for it.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from modeltrail.errors import MissingExtraError

if TYPE_CHECKING:
    from modeltrail.drift.baseline import Baseline
    from modeltrail.drift.columns import Column, Columns
    from modeltrail.drift.counts import FieldCounts
    from modeltrail.drift.monitor import Monitor
    from modeltrail.drift.reference import Reference
    from modeltrail.drift.results import CheckResult

__all__ = ["Baseline", "CheckResult", "Column", "Columns", "FieldCounts", "Monitor", "Reference"]

for _needed in ("numpy", "scipy", "sklearn", "pyarrow"):
    if importlib.util.find_spec(_needed) is None:
        raise MissingExtraError("server", "drift (baselines and statistics)")

_HOMES = {
    "Baseline": "baseline",
    "CheckResult": "results",
    "Column": "columns",
    "Columns": "columns",
    "FieldCounts": "counts",
    "Monitor": "monitor",
    "Reference": "reference",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module. AttributeError for any other."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
