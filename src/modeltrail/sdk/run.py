"""One stream of events through a publisher: outcomes in the order of the stream, as they come, in bounded memory.

Whoever calls `send` hands events over; a task of its own waits for the outcomes, so that they are told at once even
while the stream is silent.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from modeltrail.errors import ModeltrailError
from modeltrail.events.encode import Event
from modeltrail.events.fields import Data
from modeltrail.sdk.results import Delivery, PublishManyError, Summary

__all__ = ["Run"]


class _Item(NamedTuple):
    number: int
    event: Data | Event
    sent: Any
    error: ModeltrailError | None


class Run:
    """Used by `publish_many`: `send` each event, then `finish`; `close` in any case.

    `send` starts an event on its way, `settle` waits for the outcome of what `send` returned; at most `window` events
    are in between.
    """

    def __init__(
        self,
        send: Callable[[Data | Event], Awaitable[Any]],
        settle: Callable[[Any], Awaitable[Delivery]],
        window: int,
        on_delivery: Callable[[Delivery], None] | None,
        on_error: Callable[[int, Data | Event, ModeltrailError], None] | None,
    ) -> None:
        self._send = send
        self._settle = settle
        self._window = window
        self._on_delivery = on_delivery
        self._on_error = on_error
        self._waiting: deque[_Item] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._settling: asyncio.Task[None] | None = None
        self._ended = False
        self._handed_over = 0
        self._began = time.monotonic()
        self._failure: _Item | None = None
        self._summary: Summary[Delivery] = Summary()

    async def send(self, event: Data | Event) -> None:
        """Hand one event over. Raises PublishManyError as `publish_many` says, and what a callback raised."""
        sent = error = None
        try:
            sent = await self._send(event)
        except ModeltrailError as refused:
            error = refused
        self._waiting.append(_Item(self._handed_over, event, sent, error))
        self._handed_over += 1
        self._changed.set()
        if self._settling is None:
            self._settling = asyncio.create_task(self._settle_all())
        while len(self._waiting) >= self._window and not self._settling.done():
            self._room.clear()
            await self._room.wait()
        stopped = self._on_error is None and (error is not None or self._failure is not None)
        if stopped or self._settling.done():
            await self.finish()

    async def finish(self) -> Summary[Delivery]:
        """Wait for every outcome. Raises as `send` does."""
        self._ended = True
        self._changed.set()
        if self._settling is not None:
            await self._settling
        self._summary.seconds = time.monotonic() - self._began
        failure = self._failure
        if failure is not None and failure.error is not None:
            raise PublishManyError(failure.number, failure.error, self._summary) from failure.error
        return self._summary

    async def close(self) -> None:
        """End without waiting for outcomes; does nothing after `finish`."""
        if self._settling is not None and not self._settling.done():
            self._settling.cancel()
            await asyncio.wait([self._settling])

    async def _settle_all(self) -> None:
        try:
            while True:
                while self._waiting:
                    await self._settle_one(self._waiting[0])
                    self._waiting.popleft()
                    self._room.set()
                if self._ended:
                    return
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._room.set()  # whoever waits for room has to learn that this has ended

    async def _settle_one(self, item: _Item) -> None:
        error = item.error
        if error is None:
            try:
                self._count(await self._settle(item.sent))
            except ModeltrailError as late:
                error = late
            else:
                return
        self._summary.failed += 1
        if self._on_error is not None:
            self._on_error(item.number, item.event, error)
        elif self._failure is None:
            self._failure = item._replace(error=error)

    def _count(self, delivery: Delivery) -> None:
        summary = self._summary
        summary.published += 1
        summary.topics[delivery.topic] = summary.topics.get(delivery.topic, 0) + 1
        summary.last[delivery.topic, delivery.partition] = delivery
        if self._on_delivery is not None:
            self._on_delivery(delivery)
