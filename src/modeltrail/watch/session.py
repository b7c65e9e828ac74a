"""One share of the models, from its assignment until it is given up.

    frontiers -> read new entries -> what has passed -> fold -> closings -> compute -> publish -> again
                                                                    ^          |
                                                                    '- set aside: this model waits, others go on;
                                                                       too much of it: it falls behind (`behind`)

Nothing is kept beyond the session: a check is a function of the ledger, its id follows from what it is about, and
what is published twice counts once. What a crash leaves behind is said in `closings`.

A ledger that has less than was read (a store that came back without its last block) ends the session: the next one
begins with what is there.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Mapping
from functools import partial

from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.watch import Watch
from modeltrail.errors import ModeltrailError, UnavailableError
from modeltrail.ledger.chain import Chain, PartitionId
from modeltrail.watch.behind import Behind
from modeltrail.watch.closings import Closings
from modeltrail.watch.given import Given
from modeltrail.watch.limits import End, find_limits, holding_back
from modeltrail.watch.own_checks import tick
from modeltrail.watch.patience import PASSING, OverError, Patience
from modeltrail.watch.protocols import Frontier, Layout
from modeltrail.watch.reading import FOR_EVER, Reading
from modeltrail.watch.resume import Questions, listens_for_silence, resume

__all__ = ["Session", "share_of"]

SETTLE_S = 1.0
"""Seconds in which block messages are gathered: one look at the ledger, which costs the store work, serves them all."""

TICK_AGAIN_S = 10.0
"""Seconds until a tick is repeated that showed nothing, and twice as many each time: the broker's clock may be behind.
"""

TICK_LONGEST_S = 600.0
"""Most seconds until a tick is repeated."""

LAYOUT_S = 30.0
"""Seconds until the broker is asked again how topics are divided."""


def share_of(model_id: str, shares: int) -> int:
    """Return the partition of the topic `blocks` whose owner watches this model."""
    return zlib.crc32(model_id.encode()) % shares


class Session:
    """Watches the models of `shares`. To be made inside a running event loop.

    `followed`: this worker has read the ledger before, so that a right or a schema that is wrong now is being changed.
    """

    def __init__(self, given: Given, shares: frozenset[int], *, followed: bool = False) -> None:
        self._given = given
        self._options = given.options
        self._shares = shares
        self._patiently = Patience(given.clock, given.observer, followed=followed)
        self._news = asyncio.Event()
        self._watch = Watch(serves=self._follows)
        self._models: set[str] = set()
        self._ticked: dict[tuple[str, str, str, int], tuple[float, float]] = {}
        self._reading = Reading()
        self._read: dict[Chain, Frontier] = {}
        self._advanced_at: dict[PartitionId, float] = {}
        self._idle_at: dict[PartitionId, float] = {}
        self._producer_time = False
        self._listens = False
        """Whether ticks have something to say: then their place in watch order must be known before others are folded,
        and their chains are waited for."""
        self._layout = Layout(frozenset(), 0)
        self._layout_at = float("-inf")
        self._closings = Closings(given, self._patiently, self._fall_behind)
        self._behind = Behind(given.ledger)
        self.began = False
        """Whether the ledger was read to its end once."""

    @property
    def settled(self) -> bool:
        """Whether all that was read has been passed, checked and published."""
        nothing_waits = self._reading.oldest is None and not self._closings and not self._behind
        return self.began and nothing_waits

    def wake(self) -> None:
        """There may be something new in the ledger."""
        self._news.set()

    def stop(self) -> None:
        """Come to an end between two closings."""
        self._patiently.stop()
        self._news.set()

    async def run(self) -> None:
        """Watch until `stop`. Raises what no waiting can mend."""
        try:
            await self._go_on()
            while not self._patiently.over:
                more = await self._look()
                if not more:
                    self.began = self._patiently.followed = True
                    if not await self._catch_up():
                        await self._wait()
        except OverError:
            return

    async def _go_on(self) -> None:
        """Begin where the checks that are in the ledger end."""
        await self._ask_layout()
        given = self._given
        questions = Questions(
            given.ledger,
            given.broker,
            given.clock,
            self._patiently,
            self._layout.watched,
            self._layout.ticking,
            self._follows,
            self._options.grace_s,
            self._options.read_rows,
        )
        try:
            resumed = await resume(questions)
        except (ModeltrailError, OverError):
            raise
        except Exception as error:  # noqa: BLE001 - what checks carry was written by another version, or by anybody
            given.observer.failed(
                "the last checks cannot be gone on from, the ledger is read from its first entry",
                f"{type(error).__name__}: {error}",
            )
            resumed = None
        if resumed is None:
            given.observer.began(len(self._shares), 0)
            return
        now = given.clock.monotonic()
        self._watch = resumed.watch
        self._models.update(resumed.watch.models)
        self._closings.add(resumed.closings)
        self._closings.start_from(resumed.carries)
        self._read.update(resumed.read)
        self._advanced_at.update(dict.fromkeys((chain.of for chain in resumed.read), now))
        self._producer_time = resumed.producer_time
        self._listens = resumed.listens
        for told in resumed.waiting:
            self._reading.add(told.chain, told.rows, told.changes, at=now)
        given.observer.began(len(self._shares), len({unit.model_id for unit in resumed.carries}))

    async def _wait(self) -> None:
        """Wait for news, at most until the next poll, and for all the messages of one commit."""
        clock, options = self._given.clock, self._options
        waits = options.poll_s if self._reading.oldest is None else min(options.poll_s, max(self._grace_s, 0.05))
        if (again_at := self._closings.next_at) is not None:
            waits = min(waits, max(0.05, again_at - clock.monotonic()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(waits):
                await self._news.wait()
        if self._news.is_set() and not self._patiently.over:
            await clock.sleep(SETTLE_S)
        self._news.clear()

    async def _look(self) -> bool:
        """Read what is new and do all that follows from it; return whether there is more to be read at once."""
        await self._ask_layout()
        frontiers = await self._patiently(self._given.ledger.frontiers)
        self._require_what_was_read(frontiers)
        entries, lag = await self._read_on(frontiers)
        await self._ask_idle(frontiers)
        for limit in find_limits(
            self._ends(),
            self._reading,
            grace_s=self._grace_s,
            now=self._given.clock.monotonic(),
            max_wait_s=self._options.max_wait_s,
            read_through=self._read_through(frontiers),
        ):
            ready = self._reading.take(limit.log_time)
            self._closings.add(self._watch.feed(ready.rows, ready.changes, incomplete=limit.incomplete))
        self._given.observer.looked(entries=entries, waiting=len(self._reading), lag=lag, models=len(self._models))
        await self._closings.close_all()
        if not lag:
            await self._tick()
        return lag > 0 and entries > 0

    # Reading

    async def _read_on(self, frontiers: Mapping[Chain, Frontier]) -> tuple[int, int]:
        """Read the new entries of every chain; return how many, and how many are left for the next look."""
        clock, ledger = self._given.clock, self._given.ledger
        entries = lag = 0
        unfinished: set[PartitionId] = set()
        for chain in sorted(frontiers, key=lambda chain: (chain.of, chain.order)):
            frontier, known = frontiers[chain], self._read.get(chain)
            first = 0 if known is None else known.seq + 1
            room = self._options.read_rows
            # A chain that has not passed the first of what waits must be read on: many entries may have one log_time.
            if known is not None and known.log_time > self._reading.lowest:
                room -= self._reading.waiting_of(chain)
            # Of a chain of checks there are no rows: where it was read to is known at its end only.
            last = frontier.seq if chain.of in self._layout.ticking else min(frontier.seq, first + room - 1)
            # A later epoch may only be read when the one before is: its entries come after those in watch order.
            if last >= first and chain.of not in unfinished:
                rows, changes = await self._patiently(partial(ledger.read, chain, first, last))
                self._reading.add(chain, rows, changes, at=clock.monotonic())
                self._models.update(filter(self._serves, rows.models))
                self._listens = self._listens or any(listens_for_silence(change, self._serves) for change in changes)
                log_time = int(rows.log_time[-1]) if len(rows) else frontier.log_time
                self._read[chain] = Frontier(last, log_time)
                self._advanced_at[chain.of] = clock.monotonic()
                entries += last - first + 1
                first = last + 1
            if frontier.seq >= first:
                unfinished.add(chain.of)
                lag += frontier.seq - first + 1
        return entries, lag

    def _require_what_was_read(self, frontiers: Mapping[Chain, Frontier]) -> None:
        for chain, read in self._read.items():
            if chain not in frontiers or frontiers[chain].seq < read.seq:
                raise OverError  # what was folded of it may never come back: the next session folds what is there

    def _read_through(self, frontiers: Mapping[Chain, Frontier]) -> int:
        """Return through which log_time all that is in the ledger was read."""
        through, unfinished = FOR_EVER, set[PartitionId]()
        for chain in sorted(frontiers, key=lambda chain: (chain.of, chain.order)):
            known = self._read.get(chain)
            # A later epoch is not begun before: nobody can say what it will bring, as of what is not in the ledger.
            if chain.of not in unfinished and (known is None or known.seq < frontiers[chain].seq):
                unfinished.add(chain.of)
                through = min(through, -1 if known is None else known.log_time - 1)
        return through

    def _serves(self, model_id: str) -> bool:
        return share_of(model_id, self._layout.shares) in self._shares

    def _follows(self, model_id: str) -> bool:
        """Whether what was read of a model is folded: that of one that fell behind is not yet."""
        return self._serves(model_id) and model_id not in self._behind

    # Who is waited for

    @property
    def _grace_s(self) -> float:
        if self._options.grace_s is not None:
            return self._options.grace_s
        return 10.0 if self._producer_time else 1.0

    async def _ask_layout(self) -> None:
        now = self._given.clock.monotonic()
        if now - self._layout_at < LAYOUT_S:
            return
        layout = await self._patiently(self._given.broker.layout)
        if self._layout.shares not in {0, layout.shares}:
            # The models are divided in another way now; the group gives the shares out anew, to sessions of their own.
            raise OverError
        self._layout, self._layout_at = layout, now

    def _ends(self) -> dict[PartitionId, End]:
        newest = {chain.of: chain for chain in sorted(self._read, key=lambda chain: chain.order)}
        ends = {}
        for partition in self._layout.watched | (self._layout.ticking if self._listens else frozenset()):
            chain = newest.get(partition)
            ends[partition] = End(chain, None if chain is None else self._read[chain], self._idle_at.get(partition))
        return ends

    async def _ask_idle(self, frontiers: Mapping[Chain, Frontier]) -> None:
        """Look whether the partitions that hold back what was read have nothing more to say."""
        now, oldest = self._given.clock.monotonic(), self._reading.oldest
        if oldest is None or now - oldest < self._grace_s:
            return
        newest = {chain.of: chain for chain in sorted(frontiers, key=lambda chain: chain.order)}
        ends: dict[Chain, int] = {}
        asked: dict[PartitionId, int | None] = {}
        slow = holding_back(self._ends(), self._reading, through=self._reading.highest, grace_s=self._grace_s)
        for partition in slow:
            chain = newest.get(partition)
            if chain is None:
                asked[partition] = None
            elif self._read.get(chain) == frontiers[chain] and now - self._advanced_at[partition] >= self._grace_s:
                ends[chain] = frontiers[chain].seq
        if not asked and not ends:
            return
        offsets = await self._patiently(lambda: self._given.ledger.offsets(ends))
        asked |= {chain.of: offset for chain, offset in offsets.items()}
        try:
            idle = await self._given.broker.idle(asked)
        except UnavailableError as error:
            # Other partitions may pass without it; what cannot, waits until the next look.
            self._given.observer.waiting("broker", error)
            return
        self._given.observer.going_on("broker")
        self._producer_time = self._producer_time or idle.producer_time
        self._idle_at |= dict.fromkeys(idle.partitions, now)

    async def _tick(self) -> None:
        """Have it chained that time has gone on where a model is overdue by the clock and no entry shows it.

        Whether it is silent is decided by the place of that entry: predictions that are chained before it count. Not
        while any of the model waits; what waits of others, and of busy ones some always does, has nothing to say.
        """
        given, now = self._given, self._given.clock.now_ms()
        overdue_now = self._watch.overdue(now)
        speak = self._reading.models if overdue_now else frozenset[str]()
        all_overdue = {
            (each.model_id, each.model_version, each.monitor_id, each.last_ms): each
            for each in overdue_now
            if each.model_id not in speak
        }
        self._ticked = {key: ticked for key, ticked in self._ticked.items() if key in all_overdue}
        for key, overdue in all_overdue.items():
            again_at, pause_s = self._ticked.get(key, (float("-inf"), TICK_AGAIN_S / 2))
            if given.clock.monotonic() >= again_at:
                await self._patiently(partial(given.publisher.publish, [tick(overdue, now)]))
                pause_s = min(2 * pause_s, TICK_LONGEST_S)
                self._ticked[key] = given.clock.monotonic() + pause_s, pause_s

    # Models that fell behind

    def _fall_behind(self, first: Closing) -> None:
        """Leave a model behind, from a closing on: what else follows of it is made again when its turn comes."""
        self._behind.add(first)
        self._watch.forget(first.model_id)

    async def _catch_up(self) -> bool:
        """Let a model that fell behind have a turn; return whether one had."""
        model_id = self._behind.turn(self._closings.is_set_aside)
        if model_id is None:
            return False
        given = self._given
        ticks = {
            chain: Frontier(read.seq, self._reading.lowest_of(chain))
            for chain, read in self._read.items()
            if chain.of in self._layout.ticking
        }
        try:
            portion = await self._behind.go_on(model_id, self._watch.cut, ticks)
        except PASSING as error:
            given.observer.waiting("store", error)
            return False
        given.observer.going_on("store")
        if portion.fold is not None:
            self._watch.restore(portion.fold)
        self._closings.add(portion.closings)
        await self._closings.close_all()
        return True
