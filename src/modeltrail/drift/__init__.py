"""Drift: baselines, counts, statistics and policy. Pure: numbers in, numbers out; no clock, no I/O.

Needs the `server` extra (numpy, scipy, scikit-learn).
"""

import importlib.util

from modeltrail.errors import MissingExtraError

if importlib.util.find_spec("numpy") is None or importlib.util.find_spec("scipy") is None:
    raise MissingExtraError("server", "drift (baselines and statistics)")
