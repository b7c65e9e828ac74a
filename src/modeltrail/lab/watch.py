"""What must hold at every moment of a run: looked at whenever a row lands, a message is sent, an offset is committed.

insert      a block becomes durable after the one that it links to; no two entries stand at one position
message     a receipt or a reject names only what was durable before
commit      whatever the log holds before a committed offset is durable, and announced
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from modeltrail.events.notices import Block, Reject
from modeltrail.lab.group import SESSION_S
from modeltrail.lab.ledger import Key
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.row import Row

if TYPE_CHECKING:
    from modeltrail.lab.worker import Worker
    from modeltrail.lab.world import World

__all__ = ["Watch"]


class Watch:
    """Looks at a world while it runs. `out_of_turn` are rows that somebody inserted who was no member any more."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._heads: dict[tuple[str, int], set[str]] = {}
        self._at: dict[tuple[PartitionId, int], list[Row]] = {}
        self._sent_by_members: set[Key] = set()
        self.excused: set[tuple[str, int]] = set()
        """Entries whose announcement nobody can demand: somebody set the group's offset past them by hand."""
        self.forks: set[tuple[Chain, int]] = set()
        self._by: dict[Key, set[str]] = {}
        self._settled: dict[tuple[PartitionId, int], set[int]] = {}
        """By partition and version, the offsets whose records are durable and announced: they stay so."""

    def insert(self, worker: "Worker", rows: Sequence[Row]) -> Callable[[], None]:
        """Return what an insert does that `worker` sends now."""
        world = self._world
        evicted = world.group.evicted_at.get(worker.name)
        # A new epoch waits for whatever a member begins before its session ends; what a zombie begins later is late.
        member = evicted is None or world.loop.time() - evicted < SESSION_S

        def effect() -> None:
            blocks = len(world.ledger.blocks)
            try:
                world.ledger.insert(rows)
            finally:
                if len(world.ledger.blocks) > blocks:
                    self._landed(rows, worker.name, member=member)

        return effect

    def _landed(self, rows: Sequence[Row], who: str, *, member: bool) -> None:
        world = self._world
        landed, ledger = world.ledger.landed, world.ledger
        for row in rows:
            key = Key(row.chain, row.seq, row.entry_hash)
            if member:
                self._sent_by_members.add(key)
            if row.seq and Key(row.chain, row.seq - 1, row.prev_hash) not in landed:
                world.problem(f"{row.chain} seq {row.seq} is durable before the entry that it links to")
            self._by.setdefault(key, set()).add(who)
            entries = ledger.chains[row.chain.of][row.chain][row.seq]
            if len(entries) > 1:
                self.forks.add((row.chain, row.seq))
                by = [self._by[Key(row.chain, row.seq, digest)] for digest in entries]
                if any(one & other for one, other in pairwise(by)):
                    world.problem(f"{row.chain} seq {row.seq}: {who} inserted two different entries")
            self._heads.setdefault((str(row.chain), row.seq), set()).add(row.entry_hash.hex())
            same = self._at.setdefault((row.chain.of, row.offset), [])
            if row not in same:
                same.append(row)

    def sent_by_a_member(self, row: Row) -> bool:
        """Whether a row was inserted by somebody who was a member, or was one a session ago."""
        return Key(row.chain, row.seq, row.entry_hash) in self._sent_by_members

    def announce(self, blocks: Sequence[Block], rejects: Sequence[Reject]) -> None:
        """Look at messages on their way out."""
        for block in blocks:
            if block.head not in self._heads.get((block.chain, block.last_seq), ()):
                self._world.problem(f"a receipt for {block.chain} seq {block.last_seq} went out, which is not durable")
            if (block.chain, block.first_seq) not in self._heads:
                self._world.problem(f"a receipt for {block.chain} seq {block.first_seq} went out, which is not durable")
        for reject in rejects:
            if (reject.chain, reject.seq) not in self._heads:
                self._world.problem(f"a reject of {reject.chain} seq {reject.seq} went out, which is not durable")

    def announced(self, row: Row) -> bool:
        """Whether a row's receipt went out, and its reject where it is one."""
        topics, chain = self._world.topics, str(row.chain)
        if (chain, row.seq) in self.excused:
            return True
        return row.seq in topics.covered.get(chain, ()) and (
            row.status != "rejected" or (chain, row.seq) in topics.rejected
        )

    def commit(self, worker: "Worker", partition: PartitionId, offset: int) -> None:
        """Look at an offset that a member commits."""
        world = self._world
        log = world.logs[partition]
        if worker.placed_version.get(partition, log.version.number) != log.version.number:
            return  # it speaks of another log, which the next placement finds out
        version = log.version
        settled = self._settled.setdefault((partition, version.number), set())
        for at in version.records:
            if log.begin <= at < offset and at not in settled:
                rows = [row for row in self._at.get((partition, at), ()) if row.record_hash == version.digest(at)]
                if not rows:
                    world.problem(f"{partition}: {offset} was committed, and the record at {at} is not durable")
                elif not any(self.announced(row) for row in rows):
                    world.problem(f"{partition}: {offset} was committed, and the entry at {at} is not announced")
                else:
                    settled.add(at)

    def reset(self, partition: PartitionId, offset: int) -> None:
        """Somebody sets the group's offset by hand: what it passes over needs no announcement."""
        for (name, at), rows in self._at.items():
            if name == partition and at < offset:
                self.excused.update((str(row.chain), row.seq) for row in rows)
