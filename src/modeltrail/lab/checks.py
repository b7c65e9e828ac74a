"""What must hold when a run is over: the ledger is the fold of the log, and every departure from that is explained.

For each chain of the ledger there is one version of the log that it is the fold of, byte for byte. A chain of a later
epoch begins with a genesis that commits to an entry of the epoch before, has a cause in what happened to the log, and
an alert. In the newest chain nothing contradicts what the broker has now; what it can still deliver is chained.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.row import RECORD, Row
from modeltrail.ledger.sequencer import Head, Sequencer

if TYPE_CHECKING:
    from modeltrail.lab.log import PartitionLog, Version
    from modeltrail.lab.world import World

__all__ = ["check", "converged"]

CONTRACT = 1


def converged(world: "World") -> bool:
    """Whether all that can be read is chained, announced and acknowledged, and nobody waits."""
    if any(worker.observer.waits or worker.places for worker in world.alive()):
        return False
    for partition, log in world.logs.items():
        last = log.last()
        if last < 0 or any(chain.of == partition for chain, _ in world.watch.forks):
            continue
        if (world.group.committed.get(partition) or 0) <= last:
            return False
        head = world.ledger.head(partition)
        if head is None or head.offset < last:
            return False
        if partition not in world.stops and not _stands(world, partition, log, last):
            return False  # the head is that of a log before
    return True


def _stands(world: "World", partition: PartitionId, log: "PartitionLog", offset: int) -> bool:
    """Whether the ledger has at this offset what the log has there now."""
    stored = world.ledger.record_at(partition, offset)
    return stored is not None and log.read(offset) is not None and stored.record_hash == log.version.digest(offset)


def check(world: "World", *, whole: bool) -> None:
    """Note every problem. `whole`: everything has settled, so that nothing may be missing."""
    for partition, log in world.logs.items():
        _Partition(world, partition, log).check(whole=whole)
    for error in world.loop.errors:
        exception = error.get("exception")
        if isinstance(exception, Exception) and "never retrieved" not in str(error.get("message")):
            world.problem(f"a task failed: {exception!r}")


class _Partition:
    def __init__(self, world: "World", partition: PartitionId, log: "PartitionLog") -> None:
        self._world = world
        self._partition = partition
        self._log = log
        self._chains = world.ledger.of(partition)

    def check(self, *, whole: bool) -> None:
        world = self._world
        forked = {chain for chain, _ in world.watch.forks if chain.of == self._partition}
        if forked:
            self._forked(forked)
            return
        if self._partition in world.stops:
            if len(self._log.versions) == 1:
                world.problem(f"{self._partition} was stopped ({world.stops[self._partition]}) without a cause")
            world.tolerated["worker that stopped a partition with rows of a rewritten log"] += 1
        causes = {GenesisReason.REPLACED: len(self._log.versions) - 1, GenesisReason.RETENTION: len(self._log.lost)}
        seen: dict[int, Chain] = {}
        for chain in self._chains:
            rows = self._rows(chain, whole=whole)
            if not rows:
                continue
            if chain.epoch in seen:
                self._sibling(seen[chain.epoch], chain)
            seen[chain.epoch] = chain
            before = self._genesis(chain, rows[0], causes)
            if before is not None:
                self._fold(chain, rows, *before)
        for reason, count in causes.items():
            if count < 0:
                world.problem(f"{self._partition}: {-count} epochs more begin with {reason} than there are causes")
        if whole and self._chains:
            self._present(self._chains[-1])
        if whole:
            self._complete()
            self._told()

    def _rows(self, chain: Chain, *, whole: bool) -> list[Row]:
        """Return the rows of a chain in order, up to the first hole."""
        positions = self._world.ledger.chains[self._partition][chain]
        rows: list[Row] = []
        while len(rows) in positions:
            rows.extend(positions[len(rows)].values())
        if len(rows) < len(positions) and (whole or not self._world.lost_blocks):
            if self._world.lost_blocks and len(self._log.versions) > 1:
                self._world.tolerated["hole where the store lost what a rewritten log no longer holds"] += 1
            elif self._world.lost_blocks and self._given_up(chain, rows):
                self._world.tolerated["hole where the store lost what had left the log"] += 1
            else:
                self._world.problem(f"{chain}: seq {len(rows)} is missing before the end")
        return rows

    def _given_up(self, chain: Chain, rows: Sequence[Row]) -> bool:
        """Whether the next epoch began because what follows `rows` had expired before it could be chained again."""
        openings = (self._world.ledger.opening(later) for later in self._chains if later.epoch == chain.epoch + 1)
        return any(
            opening is not None
            and opening.reason is GenesisReason.RETENTION
            and opening.old_head.chain == chain
            and (not rows or opening.old_head.seq == len(rows) - 1)
            for opening in openings
        )

    def _forked(self, chains: set[Chain]) -> None:
        world = self._world
        if len(self._log.versions) == 1:
            world.problem(f"{min(chains)}: two different entries stand at one position")
        else:
            world.tolerated["fork after the log was rewritten under two readers"] += 1

    def _sibling(self, one: Chain, other: Chain) -> None:
        """Two chains of one epoch: somebody who was no member any more inserted at least one of them."""
        if not (self._of_nobody(one) or self._of_nobody(other)):
            self._world.problem(f"{one} and {other} are siblings without a cause")
        else:
            self._world.tolerated["sibling epochs"] += 1

    def _of_nobody(self, chain: Chain) -> bool:
        """Whether the first entry was inserted by somebody who was no member."""
        first = self._world.ledger.chains[self._partition][chain].get(0, {})
        return not any(self._world.watch.sent_by_a_member(row) for row in first.values())

    def _genesis(
        self, chain: Chain, first: Row, causes: dict[GenesisReason, int]
    ) -> tuple[GenesisReason, Head | None] | None:
        world = self._world
        if chain.epoch == 0:
            return GenesisReason.START, None
        opening = world.ledger.opening(chain)
        if opening is None:
            world.problem(f"{chain}: its genesis fits no entry of the epoch before")
            return None
        causes[opening.reason] -= 1
        old = opening.old_head
        if str(chain) not in world.topics.alerted("epoch_opened") and world.watch.announced(first):
            world.problem(f"{chain} began, was announced, and there was no alert")
        late = [
            row
            for seq, entries in world.ledger.chains[self._partition][old.chain].items()
            if seq > old.seq
            for row in entries.values()
        ]
        if late and world.lost_blocks and old.seq + 1 not in world.ledger.chains[self._partition][old.chain]:
            world.tolerated["hole where the store lost what a rewritten log no longer holds"] += 1
        elif any(world.watch.sent_by_a_member(row) for row in late):
            world.problem(
                f"{chain} opened although an insert of {old.chain} was under way: seq {late[0].seq} landed after"
                f" seq {old.seq} was taken for its head"
            )
        elif late:
            world.tolerated["late block of a zombie"] += 1
        return opening.reason, old

    def _fold(self, chain: Chain, rows: Sequence[Row], reason: GenesisReason, old: Head | None) -> None:
        """Compare with the fold of each version, the newest first."""
        wrong = ""
        for version in reversed(self._log.versions):
            expected = _folded(Sequencer.begin(chain, reason, old), version, rows[-1].offset)
            if expected == list(rows):
                return
            wrong = wrong or _difference(rows, expected)
        if self._goes_on_unseen(rows):
            self._world.tolerated["a log that was replaced and then expired up to the head"] += 1
            return
        self._world.problem(f"{chain} is not the fold of any log that there was: {wrong}")

    def _goes_on_unseen(self, rows: Sequence[Row]) -> bool:
        """Whether the chain went on in another log whose beginning had expired up to the head.

        There was nothing left to compare, and the head cannot tell: the design's row for b = h + 1.
        """
        for cut, row in enumerate(rows):
            begins = row.gap_first if row.kind != RECORD else row.offset
            if cut and rows[cut - 1].kind == RECORD and any(to == begins for _, to in self._log.lost):
                for version in self._log.versions[1:]:
                    sequencer = Sequencer.resume(_head(rows[cut - 1]))
                    if _folded(sequencer, version, rows[-1].offset) == list(rows[cut:]):
                        return True
        return False

    def _present(self, newest: Chain) -> None:
        """The newest chain agrees with what the broker has now."""
        log = self._log
        for entries in self._world.ledger.chains[self._partition][newest].values():
            for row in entries.values():
                if row.kind != RECORD or not log.begin <= row.offset < log.stable_end:
                    continue
                if log.read(row.offset) is None or log.version.digest(row.offset) != row.record_hash:
                    opened = self._world.topics.alerted("epoch_opened")
                    if any(text.startswith(f"{newest.of.prefix}{newest.epoch + 1}-") for text in opened):
                        return  # the next one has begun, and its first record is not there yet
                    self._world.problem(f"{newest} seq {row.seq}: the log has something else at {row.offset}")
                    return

    def _complete(self) -> None:
        log, world = self._log, self._world
        chained = world.ledger.chained(self._partition, log.begin, log.stable_end)
        for offset in range(log.begin, log.stable_end):
            if log.read(offset) is not None:
                entry = chained.get(offset)
                if entry is None:
                    world.problem(f"{self._partition}: the record at {offset} was never chained")
                    return
                if entry.record_hash != log.version.digest(offset):
                    world.problem(f"{self._partition}: the record at {offset} is not the one chained")
                    return

    def _told(self) -> None:
        """Every entry was announced, and every late block."""
        world, log = self._world, self._log
        late = world.topics.alerted("late_block")
        for chain in self._chains:
            name = str(chain)
            for entries in world.ledger.chains[self._partition][chain].values():
                for row in entries.values():
                    if (name, row.seq) in world.watch.excused:
                        continue
                    if (chain, row.seq) not in world.ledger.typed:
                        world.problem(f"{chain} seq {row.seq} has no typed row")
                        return
                    if row.kind != RECORD or world.watch.announced(row) or name in late:
                        continue
                    if log.read(row.offset) is None or log.version.digest(row.offset) != row.record_hash:
                        world.tolerated["entry never announced: its record left the log"] += 1
                        continue
                    world.problem(f"{chain} seq {row.seq} was never announced")
                    return


def _head(row: Row) -> Head:
    return Head(row.chain, row.seq, row.offset, row.timestamp, row.log_time, row.record_hash, row.entry_hash)


def _folded(sequencer: Sequencer, version: "Version", last: int) -> list[Row]:
    """Return the rows that the records of a version make, from where the sequencer stands up to offset `last`."""
    from modeltrail.lab.world import judge  # noqa: PLC0415 - the world imports this module's neighbours

    rows: list[Row] = []
    for offset in range(sequencer.next_offset, last + 1):
        record = version.records.get(offset)
        if record is None:
            continue
        if offset > sequencer.next_offset:
            rows.append(sequencer.append_gap(offset - 1, CONTRACT))
        judgement = judge(sequencer.chain.topic, record.key, record.headers, record.value)
        rows.append(sequencer.append(record, version.digest(offset), judgement, CONTRACT))
    return rows


def _difference(rows: Sequence[Row], expected: Sequence[Row]) -> str:
    for row, wanted in zip(rows, expected, strict=False):
        if row != wanted:
            return f"seq {row.seq} is {row.kind} at {row.offset}, expected {wanted.kind} at {wanted.offset}"
    return f"{len(rows)} entries, expected {len(expected)}"
