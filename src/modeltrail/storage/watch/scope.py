"""Which entries a check may depend on: a range of each chain, and for windows of event time, a span of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modeltrail.drift.windows.closing import Window
from modeltrail.drift.windows.order import Cut
from modeltrail.ledger.chain import parse_chain
from modeltrail.storage.watch.frontiers import PREDICTIONS, is_of

__all__ = ["Scope"]

_ALL_TIME = (0, 7_289_654_400_000_000)
"""The event times that the contract takes, in microseconds: from 1970 to the end of 2200."""


@dataclass(frozen=True)
class Scope:
    """The predictions of one version of a model in `window`, as they are known at `cut`."""

    window: Window
    cut: Cut
    model_id: str
    model_version: str

    def content(self) -> Mapping[str, Any] | None:
        """Return the parameters that choose the entries of the window, None where there can be none.

        Chains come in watch order; `lows` and `highs` are the first and the last seq of each.
        """
        upto = self.window.upto if self.window.is_run else self.cut
        bounds = [(chain, self.window.after.get(chain, -1) + 1, upto[chain]) for chain in _predictions(upto)]
        bounds = [bound for bound in bounds if bound[1] <= bound[2]]
        if not bounds:
            return None
        since, until = _ALL_TIME
        if not self.window.is_run and self.window.start_us is not None and self.window.end_us is not None:
            since, until = max(since, self.window.start_us), min(until, self.window.end_us)
        return {
            "chains": [chain for chain, _, _ in bounds],
            "lows": [low for _, low, _ in bounds],
            "highs": [high for _, _, high in bounds],
            "low": min(low for _, low, _ in bounds),
            "high": max(high for _, _, high in bounds),
            "since": since,
            "until": until,
        }

    def outcomes(self, since_ms: int) -> Mapping[str, Any]:
        """Return the parameters that choose the outcomes: those in the cut, from a log time on (milliseconds)."""
        chains = _predictions(self.cut)
        highs = [self.cut[chain] for chain in chains]
        return {
            "outcome_chains": chains,
            "outcome_highs": highs,
            "outcome_high": max(highs, default=-1),
            "outcome_since": since_ms,
        }


def _predictions(cut: Cut) -> list[str]:
    """Return the chains of predictions in watch order."""
    chains = sorted(parse_chain(chain) for chain in cut)
    return [str(chain) for chain in chains if is_of(chain, PREDICTIONS)]
