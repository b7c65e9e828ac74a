"""One stream of events through a publisher: outcomes in the order of the stream, bounded memory."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from modeltrail.errors import ModeltrailError
from modeltrail.events.encode import Event
from modeltrail.events.fields import Data
from modeltrail.sdk.results import Delivery, PublishManyError, Summary

__all__ = ["Run"]


class OnItsWay(Protocol):
    """What `send` returns: something that `settle` can wait for."""

    @property
    def future(self) -> asyncio.Future[Any]:
        """Done once there is an outcome."""
        ...


class _Item(NamedTuple):
    number: int
    event: Data | Event
    pending: Any
    error: ModeltrailError | None


class Run:
    """Used by `publish_many`: `send` each event, then `finish`."""

    def __init__(
        self,
        send: Callable[[Data | Event], Awaitable[OnItsWay]],
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
        self._index = 0
        self._began = time.monotonic()
        self._first_failure: _Item | None = None
        self._summary: Summary[Delivery] = Summary()

    async def send(self, event: Data | Event) -> None:
        """Hand one event over, and settle those before it that have an outcome."""
        pending: OnItsWay | None = None
        error: ModeltrailError | None = None
        try:
            pending = await self._send(event)
        except ModeltrailError as refused:
            error = refused
        self._waiting.append(_Item(self._index, event, pending, error))
        self._index += 1
        if error is not None and self._on_error is None:
            await self.finish()
        while self._waiting and (len(self._waiting) >= self._window or self._has_outcome(self._waiting[0])):
            await self._settle_first()

    async def finish(self) -> Summary[Delivery]:
        """Wait for every outcome; raises PublishManyError as `publish_many` says."""
        while self._waiting:
            await self._settle_first()
        self._summary.seconds = time.monotonic() - self._began
        failure = self._first_failure
        if failure is not None and failure.error is not None:
            raise PublishManyError(failure.number, failure.error, self._summary) from failure.error
        return self._summary

    def _has_outcome(self, item: _Item) -> bool:
        return item.error is not None or item.pending.future.done()

    async def _settle_first(self) -> None:
        item = self._waiting.popleft()
        if item.error is None:
            try:
                delivery = await self._settle(item.pending)
            except ModeltrailError as error:
                item = item._replace(error=error)
            else:
                self._count(delivery)
                return
        self._summary.failed += 1
        if self._on_error is not None and item.error is not None:
            self._on_error(item.number, item.event, item.error)
            return
        stop = self._first_failure is None
        self._first_failure = self._first_failure or item
        if stop:
            await self.finish()

    def _count(self, delivery: Delivery) -> None:
        summary = self._summary
        summary.published += 1
        summary.topics[delivery.topic] = summary.topics.get(delivery.topic, 0) + 1
        summary.last[delivery.topic, delivery.partition] = delivery
        if self._on_delivery is not None:
            self._on_delivery(delivery)
