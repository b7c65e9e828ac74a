"""The numbers that decide: how large a change must be, how sure one must be, and when people are told.

    preset      delta0   d0    FDR   raised at
    default      .005   .02    .05   warning
    sensitive     0      0     .01   shifted
    tolerant      .01   .03    .05   warning

`delta0` (of PSI) and `d0` (of KS) are the tolerance: a change up to them is no change. FDR is the expected share of
false findings among all that a check finds. A monitor may replace any of the numbers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Literal

__all__ = [
    "LEVELS",
    "POLICY_VERSION",
    "PRESETS",
    "SCALES",
    "TOLERANCE_MAX",
    "Level",
    "Policy",
    "rank",
]

POLICY_VERSION = "1"
"""Changes whenever the same counts and the same numbers could give another state."""

SCALES = (1, 4, 16)
"""How many disjoint windows are merged, the newest included: a slow drift shows in many small windows only together."""

TOLERANCE_MAX = 0.05
"""Largest tolerance that a baseline may teach: a wild one must not blind the watch."""

Level = Literal["stable", "shifted", "warning", "critical"]
LEVELS: tuple[Level, ...] = ("stable", "shifted", "warning", "critical")


def rank(level: str) -> int:
    """Return 0 for stable to 3 for critical. ValueError for any other word."""
    return LEVELS.index(level)


@dataclass(frozen=True, slots=True)
class Policy:
    """All numbers of the decision, as a check records them.

    `delta0`, `d0`: tolerances; `fdr`: the level of Benjamini-Hochberg; `raise_at`: the lowest level that is told to
    people; `consecutive`: disjoint windows in which it must hold, unless p < `at_once` / number of hypotheses;
    `psi_warning`, `psi_critical`: debiased PSI from which a significant change is a warning, and critical;
    `hysteresis`, `quiet_windows`: an alert resolves after so many single windows below this share of its threshold;
    `learned_tolerance`: whether what the baseline taught replaces `delta0` (never where `delta0` is 0);
    `gone_windows`: an alert about a segment resolves after so many windows in which it had no rows at all;
    `bin_expected`, `bins_min`: what a bin must expect, and how many must be left; `share_rows_min`: rows below which
    the share of missing or unseen values is not tested.
    """

    preset: str = "default"
    delta0: float = 0.005
    d0: float = 0.02
    fdr: float = 0.05
    raise_at: Level = "warning"
    consecutive: int = 2
    at_once: float = 0.001
    psi_warning: float = 0.1
    psi_critical: float = 0.25
    hysteresis: float = 0.7
    quiet_windows: int = 2
    gone_windows: int = 16
    learned_tolerance: bool = True
    bin_expected: float = 5.0
    bins_min: int = 5
    share_rows_min: int = 50
    version: str = POLICY_VERSION

    @classmethod
    def resolve(cls, preset: str = "default", **numbers: float | str | bool | None) -> "Policy":
        """Return the preset with every number of `numbers` that is not None in its place.

        KeyError for an unknown preset, TypeError for an unknown name: both are checked by the event's model before.
        """
        return replace(PRESETS[preset], **{name: value for name, value in numbers.items() if value is not None})  # type: ignore[arg-type]

    def tolerance(self, taught: float | None) -> float:
        """Return the tolerance of a field in PSI. `taught`: what its baseline learned, None where it learned nothing.

        At least `delta0` and at most TOLERANCE_MAX (or `delta0`, where that is larger).
        """
        if taught is None or not self.learned_tolerance or self.delta0 == 0:
            return self.delta0
        return max(self.delta0, min(TOLERANCE_MAX, taught))

    def level(self, effect: float) -> Level:
        """Return the level of a significant change with a debiased PSI of `effect`."""
        if effect >= self.psi_critical:
            return "critical"
        return "warning" if effect >= self.psi_warning else "shifted"

    def threshold(self, level: str) -> float | None:
        """Return the PSI from which a significant change has this level; None for shifted, which has none."""
        return {"warning": self.psi_warning, "critical": self.psi_critical}.get(level)

    def as_json(self) -> dict[str, float | str | bool]:
        """Return every number by its name."""
        return asdict(self)


PRESETS: Mapping[str, Policy] = MappingProxyType(
    {
        "default": Policy(),
        "sensitive": Policy("sensitive", delta0=0.0, d0=0.0, fdr=0.01, raise_at="shifted"),
        "tolerant": Policy("tolerant", delta0=0.01, d0=0.03),
    }
)
