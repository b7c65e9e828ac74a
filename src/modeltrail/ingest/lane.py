"""What a worker keeps of one partition: a lane, with pieces on their way to the ledger.

A lane lives from one placement to the next. Whoever holds a piece of a lane that is no longer the partition's lane
holds something that must not be stored: the newer placement reads those records again.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import NamedTuple

from modeltrail.events.judge import Judgement
from modeltrail.ingest.protocols import Stored
from modeltrail.ledger.chain import PartitionId
from modeltrail.ledger.entries import Entries
from modeltrail.ledger.sequencer import Record, Sequencer

__all__ = ["Again", "Lane", "LaneState", "Piece"]


class LaneState(Enum):
    """Whether batches are taken."""

    OPEN = "open"
    STOPPED = "stopped"


class Again(NamedTuple):
    """A record that was read again and stands in the ledger already: only its receipt goes out again."""

    stored: Stored
    record: Record
    judgement: Judgement


@dataclass(slots=True, eq=False)
class Piece:
    """Consecutive entries of one lane, hashed and not yet stored. `size` in bytes, `since` on the monotonic clock."""

    lane: "Lane"
    rows: Entries
    again: list[Again]
    size: int
    next_offset: int
    since: float


@dataclass(slots=True, eq=False)
class Lane:
    """One partition from one placement to the next."""

    partition: PartitionId
    generation: int
    sequencer: Sequencer
    cursor: int
    """The next offset to be taken in. At first it may lie before the head: what was chained and perhaps not announced
    is read again, without a hole, before anything new."""
    log: str
    """What `Log.incarnations` called the log in which the partition was placed."""
    number: int
    """Counts the placements of a worker: what was fetched for another one is not taken."""
    state: LaneState = LaneState.OPEN
    pieces: deque[Piece] = field(default_factory=deque)
    """In order, until they are stored and announced."""
    taken: int = 0
    """So many of them, at the front, are in blocks that are being committed."""
    paused: bool = False

    def waiting(self) -> Iterator[Piece]:
        """Return the pieces that are in no block yet."""
        return islice(self.pieces, self.taken, None)

    @property
    def waits(self) -> int:
        """How many these are."""
        return len(self.pieces) - self.taken

    def settle(self, pieces: Sequence[Piece]) -> None:
        """Forget pieces that are stored and announced."""
        for piece in pieces:
            if self.pieces and self.pieces[0] is piece:
                self.pieces.popleft()
                self.taken -= 1
