"""What goes into one block: how large it may get, when it is closed, and what each lane has in it."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import zip_longest

from modeltrail.ingest.lane import Again, Lane, Piece
from modeltrail.ledger.entries import Entries

__all__ = ["BlockLimits", "Share", "is_due", "take"]


@dataclass(frozen=True, slots=True)
class BlockLimits:
    """When a block is closed: whichever comes first. `age_s` in seconds."""

    rows: int = 50_000
    size: int = 32 * 2**20
    age_s: float = 1.0


@dataclass(slots=True)
class Share:
    """What one lane has in a block."""

    lane: Lane
    pieces: list[Piece]
    rows: Entries
    again: list[Again]

    @property
    def size(self) -> int:
        """Bytes of its pieces."""
        return sum(piece.size for piece in self.pieces)


def is_due(lanes: Collection[Lane], limits: BlockLimits, now: float) -> bool:
    """Whether what waits in these lanes makes a block at the time `now`. Receipts alone wait for nothing."""
    rows = size = 0
    for lane in lanes:
        for piece in lane.waiting():
            if piece.since <= now - limits.age_s or not piece.rows:
                return True
            rows += len(piece.rows)
            size += piece.size
    return rows >= limits.rows or size >= limits.size


def take(lanes: Collection[Lane], limits: BlockLimits) -> list[Share]:
    """Take what waits, in order, from all lanes in turn, until the block is full; the pieces stay in their lanes."""
    shares = [Share(lane, [], Entries(), []) for lane in lanes]
    rows = size = 0
    for turn in zip_longest(*(lane.waiting() for lane in lanes)):
        for share, piece in zip(shares, turn, strict=True):
            if piece is None or rows >= limits.rows or size >= limits.size:
                continue
            share.pieces.append(piece)
            share.rows.extend(piece.rows)
            share.again.extend(piece.again)
            rows += len(piece.rows)
            size += piece.size
    shares = [share for share in shares if share.pieces]
    for share in shares:
        share.lane.taken += len(share.pieces)
    return shares
