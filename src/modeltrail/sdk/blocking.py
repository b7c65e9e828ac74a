"""The publisher for scripts and notebooks: the same, without async."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from modeltrail.errors import ModeltrailError
from modeltrail.events.encode import Event
from modeltrail.events.fields import Data
from modeltrail.sdk.publisher import Publisher
from modeltrail.sdk.results import Chained, Delivery, Summary

__all__ = ["BlockingDelivery", "BlockingPublisher"]

T = TypeVar("T")

CHUNK = 500
"""Events that cross to the publisher's thread at once."""


@dataclass(frozen=True, slots=True)
class BlockingDelivery:
    """A Delivery whose `chained` blocks; the fields are those of Delivery."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    id: str
    _publisher: "BlockingPublisher" = field(repr=False, compare=False)
    _delivery: Delivery = field(repr=False, compare=False)

    def chained(self, timeout: float = 30.0) -> Chained:
        """Wait for the block that covers this record; see `Delivery.chained`."""
        return self._publisher._call(self._delivery.chained(timeout))  # noqa: SLF001 - its own publisher


class BlockingPublisher:
    """A Publisher in a thread of its own; a context manager.

        with BlockingPublisher(source="urn:example:notebook", actor="me") as publisher:
            publisher.publish(PredictionRecorded(...))

    Takes the arguments of Publisher, and raises what it raises. Methods may be called from any thread, also where
    an event loop is running, as in a notebook.
    """

    def __init__(self, bootstrap_servers: str | None = None, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="modeltrail-publisher", daemon=True)
        self._bootstrap_servers = bootstrap_servers
        self._options = options
        self._publisher: Publisher | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._call(self._open())
        except BaseException:
            self._end()
            raise
        return self

    async def _open(self) -> None:
        self._publisher = await Publisher(self._bootstrap_servers, **self._options).__aenter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._call(self._opened().__aexit__(kind, error, trace))
        finally:
            self._end()

    def publish(self, event: Data | Event, **attributes: Any) -> BlockingDelivery:
        """Publish one event; arguments and errors are those of `Publisher.publish`."""
        return self._blocking(self._call(self._opened().publish(event, **attributes)))

    def publish_many(
        self,
        events: Iterable[Data | Event],
        *,
        on_delivery: Callable[[Delivery], None] | None = None,
        on_error: Callable[[int, Data | Event, ModeltrailError], None] | None = None,
    ) -> Summary[BlockingDelivery]:
        """Publish a stream; see `Publisher.publish_many`. `events` is read in this thread, callbacks run in another."""
        run = self._opened()._run(on_delivery, on_error)  # noqa: SLF001 - the two are one publisher
        source = iter(events)

        async def send(chunk: list[Data | Event]) -> None:
            for event in chunk:
                await run.send(event)

        try:
            while chunk := list(islice(source, CHUNK)):
                self._call(send(chunk))
            summary = self._call(run.finish())
        finally:
            self._call(run.close())
        last = {place: self._blocking(delivery) for place, delivery in summary.last.items()}
        return Summary(summary.published, summary.failed, summary.seconds, summary.topics, last)

    def _blocking(self, delivery: Delivery) -> BlockingDelivery:
        return BlockingDelivery(
            delivery.topic, delivery.partition, delivery.offset, delivery.timestamp, delivery.id, self, delivery
        )

    def _opened(self) -> Publisher:
        if self._publisher is None:
            raise RuntimeError("the publisher is not open: use it as 'with BlockingPublisher(...)'")
        return self._publisher

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # does nothing unless it was this thread that was interrupted
            raise

    def _end(self) -> None:
        self._publisher = None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
