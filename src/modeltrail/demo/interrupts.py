"""Ctrl-C and its relatives, as one exception that puts everything away."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = ["interruptible"]

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end the block by KeyboardInterrupt.

    One is enough: until the block has been left, a second one is ignored, so that it cannot interrupt the putting away.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
