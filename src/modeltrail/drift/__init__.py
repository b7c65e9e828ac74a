"""Drift: baselines, counts, statistics and policy. Pure: numbers in, numbers out; no clock, no I/O.

    from modeltrail.drift import Baseline, Monitor

    baseline = Baseline.from_frame(training, model_id="flights-delay", model_version="1.0.0")
    print(Monitor(baseline).check(this_week).state)

Where to look:

    rows           a user's data: columns, frames, roles
    baselines      what a window is compared with: bins, counts, learning one
    statistics     distances and their significance; performance; bias; rates
    policy         limits, states, alerts
    checks         one check of one window; the same without a server (`Monitor`)
    windows        watch order: which window closes at which entry, with which cut

Needs the `server` extra (numpy, scipy, scikit-learn, pyarrow). Names are loaded when they are first used: scipy takes
seconds, and a program that only reads window times should not wait for it.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from modeltrail.errors import MissingExtraError

if TYPE_CHECKING:
    from modeltrail.drift.baselines.baseline import Baseline
    from modeltrail.drift.baselines.counts import FieldCounts
    from modeltrail.drift.baselines.reference import Reference
    from modeltrail.drift.checks.monitor import Monitor
    from modeltrail.drift.checks.results import CheckResult
    from modeltrail.drift.rows.columns import Column, Columns

__all__ = ["Baseline", "CheckResult", "Column", "Columns", "FieldCounts", "Monitor", "Reference"]

for _needed in ("numpy", "scipy", "sklearn", "pyarrow"):
    if importlib.util.find_spec(_needed) is None:
        raise MissingExtraError("server", "drift (baselines and statistics)")

_HOMES = {
    "Baseline": "baselines.baseline",
    "CheckResult": "checks.results",
    "Column": "rows.columns",
    "Columns": "rows.columns",
    "FieldCounts": "baselines.counts",
    "Monitor": "checks.monitor",
    "Reference": "baselines.reference",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module. AttributeError for any other."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
