"""Names that settings use, and the nearest of them to one that is wrong."""

import difflib
from collections.abc import Iterable

__all__ = ["AUDITED_FAMILIES", "ENV_PREFIX", "FAMILIES", "OTHER_VARIABLES", "did_you_mean", "env_name"]

AUDITED_FAMILIES = ("predictions", "classifications", "runs", "actions", "alerts", "models", "checks")
"""Families of topics whose every record is chained."""

FAMILIES = (*AUDITED_FAMILIES, "blocks", "rejected")
"""Every family that has a topic."""

ENV_PREFIX = "MODELTRAIL_"

OTHER_VARIABLES = ("MODELTRAIL_CONFIG", "MODELTRAIL_DEBUG")
"""Variables with the prefix that are no settings: the path of the file, and tracebacks of unexpected errors."""


def env_name(name: str) -> str:
    """Return the variable of a setting: `kafka.username` is MODELTRAIL_KAFKA__USERNAME."""
    return ENV_PREFIX + name.replace(".", "__").upper()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` with the nearest of the known names, or nothing if none is near."""
    close = difflib.get_close_matches(name[:200], list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
