"""The watch as one thing: shares of the models come and go, checks and alerts go out."""

import asyncio

from modeltrail.watch.given import Given, WatchOptions
from modeltrail.watch.protocols import Broker, Clock, Ledger, Observer, Publisher
from modeltrail.watch.session import Session

__all__ = ["WatchOptions", "WatchService"]


class WatchService:
    """The live watch over small Protocols. To be made inside a running event loop."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        broker: Broker,
        publisher: Publisher,
        clock: Clock,
        observer: Observer,
        options: WatchOptions,
    ) -> None:
        self._given = Given(ledger, broker, publisher, clock, observer, options)
        self._shares: frozenset[int] | None = None
        self._assigned = asyncio.Event()
        self._followed = False
        self._session: Session | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def began(self) -> bool:
        """Whether this worker's share, which may be empty, was read to the end of the ledger once."""
        return self._shares is not None and (not self._shares or (self._session is not None and self._session.began))

    @property
    def settled(self) -> bool:
        """Whether everything that stands in the ledger now has been passed, checked and published."""
        return self._shares is not None and (not self._shares or (self._session is not None and self._session.settled))

    def assign(self, shares: frozenset[int]) -> None:
        """Watch the models of these shares, partitions of the topic `blocks`, and of no others."""
        self._shares = shares
        if self._session is not None:
            self._session.stop()
        self._assigned.set()

    async def give_up(self) -> None:
        """End between two closings, at the latest after `drain_s`; what is under way then is left to the next owner."""
        self._shares = None
        running = self._running
        if self._session is None or running is None:
            return
        self._session.stop()
        _, late = await asyncio.wait({running}, timeout=self._given.options.drain_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def wake(self) -> None:
        """There may be something new in the ledger."""
        if self._session is not None:
            self._session.wake()

    async def run(self) -> None:
        """Watch what is assigned until cancelled, or until something fails that no waiting can mend."""
        while True:
            await self._assigned.wait()
            self._assigned.clear()
            while self._shares:
                await self._watch(self._shares)

    async def _watch(self, shares: frozenset[int]) -> None:
        session = self._session = Session(self._given, shares, followed=self._followed)
        self._running = asyncio.create_task(self._session.run(), name="session")
        try:
            await asyncio.wait({self._running})
            if not self._running.cancelled():
                self._running.result()
        finally:
            self._followed = self._followed or session.began
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._session = self._running = None
