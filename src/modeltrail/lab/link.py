"""The way between a worker and a service: calls take time, fail, take effect late or twice, or are never answered."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from modeltrail.errors import ModeltrailError, UnavailableError
from modeltrail.lab.loop import Process, VirtualLoop
from modeltrail.ledger.chain import PartitionId

__all__ = ["Call", "CrashError", "Link", "Odds", "Service"]

T = TypeVar("T")


class CrashError(BaseException):
    """The process is gone; nothing of it reaches the world."""


class Call(Protocol):
    """Runs `effect` in a service and returns its result."""

    def __call__(self, name: str, effect: Callable[[], T], partition: PartitionId | None = None) -> Awaitable[T]:
        """`name` says what is asked, for traces and for faults that strike one kind of call."""
        ...


@dataclass(slots=True)
class Odds:
    """How often a call goes wrong: probabilities, and the longest usual time in seconds.

    `before`: refused, nothing happened. `after`: it took effect, and is reported as failed. `late`: reported as
    failed, and takes effect later. `hang`: not answered until the caller gives up. `twice`: takes effect again later.
    """

    before: float = 0.0
    after: float = 0.0
    late: float = 0.0
    hang: float = 0.0
    twice: float = 0.0
    slow_s: float = 0.02

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self.before = self.after = self.late = self.hang = self.twice = 0.0
        self.slow_s = 0.02


class Service:
    """What several links lead to. `down`: nobody answers. `timeout_s`: how long a caller waits."""

    def __init__(
        self,
        name: str,
        loop: VirtualLoop,
        rng: random.Random,
        odds: Odds,
        error: type[UnavailableError],
        timeout_s: float,
    ) -> None:
        self.name = name
        self.loop = loop
        self.rng = rng
        self.odds = odds
        self.error = error
        self.timeout_s = timeout_s
        self.down = False
        self.lives = 0
        """Counts restarts: a request that is under way dies with the life that it was sent to."""
        self.trace: Callable[[str, str], None] | None = None


class Link:
    """One worker's way to one service. `cut`: this worker alone does not reach it."""

    __slots__ = ("_process", "_service", "cut")

    def __init__(self, service: Service, process: Process) -> None:
        self._service = service
        self._process = process
        self.cut = False

    def call(self, name: str, effect: Callable[[], Any], partition: PartitionId | None = None) -> "asyncio.Future[Any]":
        """See `Call`. An effect that was sent happens, whatever becomes of whoever sent it."""
        process, service = self._process, self._service
        if process.dying:
            raise CrashError
        loop, odds, lives = service.loop, service.odds, service.lives
        rnd = service.rng.random
        answer: asyncio.Future[Any] = loop.create_future()
        one = rnd()
        delay = one * one * one * odds.slow_s
        dice = rnd()
        if self.cut or service.down or dice < odds.before:
            self._tell(name, partition, "refused")
            loop.after(delay, self._refuse, answer, name)
            return answer
        dice -= odds.before
        if dice < odds.after:
            loop.after(delay, self._run, answer, name, effect, partition, "failed after it took effect", lives)
            loop.after(delay + rnd() * odds.slow_s, self._refuse, answer, name)
            return answer
        dice -= odds.after
        if dice < odds.late:
            loop.after(delay, self._refuse, answer, name)
            late = delay + rnd() * (service.timeout_s - delay)
            loop.after(late, self._run, answer, name, effect, partition, "late", lives)
            return answer
        dice -= odds.late
        if dice < odds.hang:
            self._tell(name, partition, "is not answered")
            loop.after(rnd() * service.timeout_s, self._run, answer, name, effect, partition, "unheard", lives)
            loop.after(service.timeout_s + 1.0, self._refuse, answer, name)
            return answer
        if dice - odds.hang < odds.twice:
            again = delay + rnd() * (service.timeout_s - delay)
            loop.after(again, self._run, None, name, effect, partition, "again", lives)
        loop.after(delay, self._run, answer, name, effect, partition, "", lives)
        return answer

    def _run(
        self,
        answer: "asyncio.Future[Any] | None",
        name: str,
        effect: Callable[[], Any],
        partition: PartitionId | None,
        how: str,
        lives: int,
    ) -> None:
        if self._service.down or self._service.lives != lives:  # it went down meanwhile: nothing happens
            if answer is not None and not how:
                self._refuse(answer, name)
            return
        try:
            result = effect()
        except ModeltrailError as error:
            self._tell(name, partition, f"{how} {type(error).__name__}")
            if answer is not None and not how and not answer.done():
                answer.set_exception(error)
            return
        self._tell(name, partition, how)
        if answer is None or how or answer.done():
            return
        # The answer takes its way back: what it says may be out of date when it arrives.
        rng = self._service.rng
        one = rng.random()
        self._service.loop.after(one * one * one * self._service.odds.slow_s, _answer, answer, result)

    def _refuse(self, answer: "asyncio.Future[Any]", name: str) -> None:
        if not answer.done():
            answer.set_exception(self._service.error(f"{name} failed"))

    def _tell(self, name: str, partition: PartitionId | None, how: str) -> None:
        trace = self._service.trace
        if trace is not None:
            where = "" if partition is None else f" {partition.partition}"
            trace(self._process.name, f"{self._service.name} {name}{where}" + (f": {how}" if how else ""))


def _answer(answer: "asyncio.Future[Any]", result: Any) -> None:
    if not answer.done():
        answer.set_result(result)
