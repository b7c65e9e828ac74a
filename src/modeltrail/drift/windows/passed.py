"""How far entries may be folded: up to where every chain has been read.

The content of a window is all entries before the one that closes it, in the order of all chains. So an entry is folded
only when no chain can bring one before it any more. A chain is past an entry when its own last entry has a greater
log_time, or when a look at the broker has shown that nothing stands behind its last entry:

    chain 0   --1--2-----5--------9         its next entry has log_time 9 or later
    chain 1   -----2--3--------7            its next one 7 or later: what is before 7 may be folded
    chain 2   --1                           idle: looked at after everything up to 8 had been read
"""

from collections.abc import Iterable
from typing import NamedTuple

from modeltrail.ledger.chain import Chain, PartitionId

__all__ = ["Frontier", "passed"]


class Frontier(NamedTuple):
    """What is known of the end of a chain."""

    of: PartitionId
    chain: Chain | None
    """The newest epoch that was seen; None where the partition has no entry at all."""
    log_time: int | None
    """Of the last entry that was read, in milliseconds; None where there is none."""
    idle_through: int | None = None
    """Log time of the last entry of any chain that had been read, and for long enough, when a look at the broker showed
    nothing behind this chain's last entry; None where there was no such look."""


def passed(frontiers: Iterable[Frontier]) -> int | None:
    """Return the greatest log_time up to which entries may be folded; None: no entry at all.

    Every partition has come so far, looking at the newest epoch of each.
    """
    newest: dict[PartitionId, Frontier] = {}
    for frontier in frontiers:
        other = newest.get(frontier.of)
        if other is None or _order(frontier) > _order(other):
            newest[frontier.of] = frontier
    through = min((_reached(frontier) for frontier in newest.values()), default=-1)
    return None if through < 0 else through


def _order(frontier: Frontier) -> tuple[int, int]:
    return (-1, -1) if frontier.chain is None else frontier.chain.order


def _reached(frontier: Frontier) -> int:
    own = -1 if frontier.log_time is None else frontier.log_time - 1
    return own if frontier.idle_through is None else max(own, frontier.idle_through)
