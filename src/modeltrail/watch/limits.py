"""Up to where what was read may be given to the fold now: rule 4 of the watch, with the clock in it."""

from collections.abc import Mapping
from typing import NamedTuple

from modeltrail.drift.windows import passed as order
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.watch.protocols import Frontier
from modeltrail.watch.reading import FOR_EVER, Reading

__all__ = ["End", "Limit", "find_limits", "holding_back"]


class End(NamedTuple):
    """What is known of one partition."""

    chain: Chain | None
    """Its newest chain that was read; None where it has none."""
    frontier: Frontier | None
    """How far that chain was read."""
    idle_at: float | None
    """When a look was begun that showed nothing behind the frontier, in seconds of the monotonic clock."""


class Limit(NamedTuple):
    """Entries with at most this log_time may be given on."""

    log_time: int
    incomplete: tuple[str, ...] = ()
    """Partitions that were not waited for."""


def find_limits(
    ends: Mapping[PartitionId, End],
    reading: Reading,
    *,
    grace_s: float,
    now: float,
    max_wait_s: float,
    read_through: int = FOR_EVER,
) -> list[Limit]:
    """Return up to where every partition has passed; then, where something has waited too long, up to where it goes.

    The second limit waits for nobody, and ends before what was read less than `max_wait_s` seconds ago. It does not go
    beyond `read_through`: what is in the ledger and was not read yet is not late, however long reading takes.
    """
    frontiers = _frontiers(ends, reading, grace_s)
    passed = order.passed(frontiers) if frontiers else FOR_EVER
    limits = [] if passed is None else [Limit(passed)]
    oldest = reading.oldest
    if oldest is not None and now - oldest > max_wait_s:
        forced = min(reading.read_by(now - max_wait_s), reading.highest, read_through)
        slow = holding_back(ends, reading, through=forced, grace_s=grace_s)
        if slow:
            limits.append(Limit(forced, tuple(str(partition) for partition in slow)))
    return limits


def holding_back(
    ends: Mapping[PartitionId, End], reading: Reading, *, through: int, grace_s: float
) -> list[PartitionId]:
    """Return the partitions that have not passed this log_time yet, in order."""
    return [
        each.of
        for each in sorted(_frontiers(ends, reading, grace_s), key=lambda each: each.of)
        if (reached := order.passed([each])) is None or reached < through
    ]


def _frontiers(ends: Mapping[PartitionId, End], reading: Reading, grace_s: float) -> list[order.Frontier]:
    return [
        order.Frontier(
            partition,
            end.chain,
            None if end.frontier is None else end.frontier.log_time,
            None if end.idle_at is None else reading.read_by(end.idle_at - grace_s),
        )
        for partition, end in ends.items()
    ]
