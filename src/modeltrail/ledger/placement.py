"""Where reading starts, and whether this is still the log that was chained.

Head offset h, committed offset c, log begin b, log end e (the next offset to be written):

    no head       FIRST      epoch 0 from b
    e <= h        REPLACED   the log is shorter than what was chained: a new epoch
    b <= h        COMPARE    compare the record at h, and every record that is read again
    b == h + 1    EXPIRED    all that expired had been chained: same epoch, start at b, nothing to compare
    b >  h + 1    LOST       records expired before they were read: a new epoch from b
"""

from enum import Enum
from typing import NamedTuple

from modeltrail.ledger.sequencer import Head

__all__ = ["Bounds", "Case", "start_of_same_epoch", "where_to_start"]


class Bounds(NamedTuple):
    """What the broker holds of a partition: `begin` is the first offset, `end` the next one to be written."""

    begin: int
    end: int


class Case(Enum):
    """The rows of the table at the top of this module."""

    FIRST = "first"
    REPLACED = "replaced"
    COMPARE = "compare"
    EXPIRED = "expired"
    LOST = "lost"


def where_to_start(head: Head | None, bounds: Bounds) -> Case:
    """Decide by the table."""
    if head is None:
        return Case.FIRST
    if bounds.end <= head.offset:
        return Case.REPLACED
    if bounds.begin <= head.offset:
        return Case.COMPARE
    return Case.EXPIRED if bounds.begin == head.offset + 1 else Case.LOST


def start_of_same_epoch(head: Head, committed: int | None, bounds: Bounds) -> int:
    """Return the offset to read from when the log is still the same one.

    Records from the committed offset to the head are read again, so that their receipts go out again. Without a
    committed offset all that the log still holds is read again: this costs time, never truth.
    """
    if committed is None:
        return bounds.begin
    return max(bounds.begin, min(head.offset, committed))
