"""An event loop in virtual time that runs several processes, any of which can be killed or frozen at any await.

Waiting costs nothing: when no callback is ready, the clock is set to the next timer. Callbacks are kept in the order
in which they became ready, or, where a seed says so, are picked at random among all that are ready.

A process is a mark that its tasks carry in their context. A killed process runs nothing any more: its tasks are
unwound at once, in a moment in which the world takes no call of theirs. A frozen one keeps what becomes ready, as a
process does that was sent SIGSTOP.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from heapq import heappop, heappush
from typing import Any, TypeVar

__all__ = ["Process", "VirtualLoop"]

T = TypeVar("T")

_PROCESS: "ContextVar[Process | None]" = ContextVar("process", default=None)


class Process:
    """A process of the simulation. `fuse` counts its steps down to what `strike` does; 0 is no fuse."""

    __slots__ = ("afterlife", "context", "dead", "dying", "frozen", "fuse", "held", "name", "strike", "tasks")

    def __init__(self, name: str) -> None:
        self.name = name
        self.context = Context()
        self.context.run(_PROCESS.set, self)
        self.dead = False
        self.dying = False
        self.frozen = False
        self.fuse = 0
        self.strike: Callable[[], None] | None = None
        self.held: list[_Handle] = []
        self.afterlife: deque[_Handle] = deque()
        self.tasks: list[asyncio.Task[Any]] = []


class _Handle:
    """What `call_soon` and `call_at` return."""

    __slots__ = ("args", "callback", "cancelled", "context", "process")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None, process: Process | None
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.process = process
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that asyncio's tasks, futures and timeouts need, and processes.

    `shuffle` picks the next callback at random; without it, in order. Time is in seconds, from 0.
    """

    def __init__(self, rng: random.Random, *, shuffle: bool = False) -> None:
        self._random = rng.random
        self._shuffle = shuffle
        self._now = 0.0
        self._ready: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._counter = 0
        self._current: Process | None = None
        self._stopped = False
        self.steps = 0
        self.errors: list[dict[str, Any]] = []
        """What tasks of living processes left behind without anybody asking for it."""

    # What asyncio asks for

    def time(self) -> float:
        """Return virtual seconds."""
        return self._now

    def get_debug(self) -> bool:
        """Nothing of asyncio's own checks is wanted: they cost more than the work."""
        return False

    def is_running(self) -> bool:
        """Whoever can ask runs on it."""
        return True

    def is_closed(self) -> bool:
        """It is never closed."""
        return False

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> "asyncio.Task[Any]":
        """Run a coroutine as a task of the process that asks."""
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        if self._current is not None:
            self._current.tasks.append(task)
        return task

    def call_soon(  # type: ignore[override]  # its handles are its own
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """Call back when it is its turn."""
        if context is None:
            handle = self._handle(callback, args, None)
            process = handle.process
        else:
            process = context.get(_PROCESS)
            handle = _Handle(callback, args, context, process)
        if process is not None and process.dying:
            process.afterlife.append(handle)
        else:
            self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """Call back after `delay` seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """Call back at a time of this loop."""
        handle = self._handle(callback, args, context)
        self._counter += 1
        heappush(self._timers, (when, self._counter, handle))
        return handle

    def _handle(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> _Handle:
        if context is not None:
            return _Handle(callback, args, context, context.get(_PROCESS))
        process = self._current
        return _Handle(callback, args, None if process is None else process.context, process)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what asyncio complains about."""
        self.errors.append(context)

    # What the simulation asks for

    def after(self, delay: float, callback: Callable[..., object], *args: Any) -> None:
        """Call back after `delay` seconds in the name of the world, whatever becomes of whoever asks."""
        self._counter += 1
        heappush(self._timers, (self._now + delay, self._counter, _Handle(callback, args, None, None)))

    def spawn(self, process: Process, coro: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
        """Run a coroutine as a task of `process`; what it starts belongs to it too."""
        before, self._current = self._current, process
        try:
            return self.create_task(coro, name=name, context=process.context.copy())
        finally:
            self._current = before

    def stop(self) -> None:
        """Let `run` return after the present callback."""
        self._stopped = True

    def run(self, until: float) -> None:
        """Run until `stop`, until there is nothing left to do, or until the clock passes `until`."""
        self._stopped = False
        asyncio._set_running_loop(self)  # noqa: SLF001 - the documented way for loops of one's own
        ready, timers, shuffle = self._ready, self._timers, self._shuffle
        try:
            while not self._stopped:
                if not ready:
                    if not timers or timers[0][0] > until:
                        self._now = max(self._now, until)
                        return
                    when, _, handle = heappop(timers)
                    if handle.cancelled:
                        continue
                    if when > self._now:  # noqa: PLR1730 - max() costs more, a million times
                        self._now = when
                else:
                    if shuffle and len(ready) > 1:
                        ready.rotate(-int(self._random() * len(ready)))
                    handle = ready.popleft()
                    if handle.cancelled:
                        continue
                process = handle.process
                if (
                    process is not None
                    and (process.fuse or process.frozen or process.dead)
                    and self._held_up(handle, process)
                ):
                    continue
                self._current = process
                self.steps += 1
                if handle.context is None:
                    handle.callback(*handle.args)
                else:
                    handle.context.run(handle.callback, *handle.args)
        finally:
            self._current = None
            asyncio._set_running_loop(None)  # noqa: SLF001

    def _held_up(self, handle: _Handle, process: Process) -> bool:
        """Burn the fuse; return whether the process does not take this step, being dead or frozen."""
        if process.dead:
            return True
        if process.fuse:
            process.fuse -= 1
            if not process.fuse and process.strike is not None:
                self._current = None
                self._ready.appendleft(handle)  # whoever is killed unwinds from here
                process.strike()
                if process.dead:
                    return True
                self._ready.popleft()
        if process.frozen:
            process.held.append(handle)
        return process.frozen

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on."""
        process.frozen = False
        self._ready.extend(process.held)
        process.held.clear()

    def kill(self, process: Process) -> None:
        """End a process as SIGKILL does. To be called from the world, never from a task of the process."""
        if process.dead:
            return
        process.dying = True
        process.fuse = 0
        before = self._current
        running = asyncio._get_running_loop()  # noqa: SLF001
        asyncio._set_running_loop(self)  # noqa: SLF001
        last = process.afterlife
        last.extend(handle for handle in (*process.held, *self._ready) if handle.process is process)
        kept = [handle for handle in self._ready if handle.process is not process]
        self._ready.clear()
        self._ready.extend(kept)
        for _ in range(20):
            undone = [task for task in process.tasks if not task.done()]
            if not undone:
                break
            for task in undone:
                task.cancel()
            while last:
                handle = last.popleft()
                if not handle.cancelled and handle.context is not None:
                    self._current = process
                    handle.context.run(handle.callback, *handle.args)
        for task in process.tasks:
            if task.done() and not task.cancelled():
                task.exception()  # whoever would have asked for it is gone
        self._current = before
        asyncio._set_running_loop(running)  # noqa: SLF001
        process.dead = True
        process.tasks.clear()
        process.held.clear()
