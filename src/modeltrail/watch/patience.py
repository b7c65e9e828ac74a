"""Waiting for store and broker, until they answer or the share is given up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from modeltrail.errors import (
    AccessError,
    BrokerUnavailableError,
    SchemaVersionError,
    UnavailableError,
    UnknownStoreError,
)
from modeltrail.watch.protocols import Clock, Observer

__all__ = ["PASSING", "OverError", "Patience"]

T = TypeVar("T")

RETRY_S = 1.0
"""Seconds until a dependency that is away is asked again."""

PASSING = UnavailableError, UnknownStoreError, AccessError, SchemaVersionError
"""What is waited for."""


class OverError(Exception):
    """The share is given up while something was waited for."""


class Patience:
    """Does what may be repeated until it works. To be made inside a running event loop.

    `followed`: the ledger was read before, so that a right or a schema that is wrong now is being changed. Otherwise it
    was so from the start, and is raised.
    """

    def __init__(self, clock: Clock, observer: Observer, *, followed: bool) -> None:
        self._clock = clock
        self._observer = observer
        self._over = asyncio.Event()
        self.followed = followed

    @property
    def over(self) -> bool:
        """Whether the share is given up."""
        return self._over.is_set()

    def stop(self) -> None:
        """The share is given up."""
        self._over.set()

    def require(self) -> None:
        """OverError where the share is given up."""
        if self._over.is_set():
            raise OverError

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something that may be repeated until it works; OverError where the share is given up meanwhile."""
        waited = ""
        while True:
            try:
                result = await work()
            except PASSING as error:
                if not self.followed and isinstance(error, AccessError | SchemaVersionError):
                    raise
                waited = "broker" if isinstance(error, BrokerUnavailableError) else "store"
                self._observer.waiting(waited, error)
                if self.over:
                    raise OverError from None
                await self._clock.sleep(RETRY_S)
                if self.over:
                    raise OverError from None
            else:
                if waited:
                    self._observer.going_on(waited)
                return result
