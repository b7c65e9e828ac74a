"""How a worker's process ends: an orderly stop of the engine within bounds, and one reason that people can read."""

import asyncio
import logging
import os
from typing import Any

from modeltrail.errors import ModeltrailError

__all__ = ["reason_to_end", "stop_engine", "told"]

logger = logging.getLogger("modeltrail.worker")

STOP_S = 45.0
"""Seconds that an orderly stop may take."""


def told(error: BaseException) -> BaseException:
    """Return `error` if it is one of ours, else a ModeltrailError that names it."""
    if isinstance(error, ModeltrailError):
        return error
    ours = ModeltrailError(f"the worker ended: {type(error).__name__}: {error}")
    ours.__cause__ = error
    return ours


def reason_to_end(app: Any, done: set[asyncio.Task[Any]]) -> BaseException | None:
    """Return why one of the tasks in `done` or the engine failed, None where nothing did."""
    for task in done:
        error = task.exception()
        if error is not None:
            return told(error)
    return told(app.crash_reason) if app.crash_reason is not None else None


async def stop_engine(app: Any, starting: asyncio.Task[Any], reason: BaseException | None) -> None:
    """Stop the Faust app; a stop that fails or takes too long ends the process at once."""
    if not starting.done():
        starting.cancel()
    try:
        await asyncio.wait_for(app.stop(), STOP_S)
    except Exception as error:  # noqa: BLE001 - whatever it was, the process has to end
        # The engine's threads are no daemons: an orderly exit would wait for them for ever. Nothing is lost, as
        # nothing was acknowledged that was not stored.
        why = f"took more than {STOP_S:.0f} s" if isinstance(error, TimeoutError) else f"failed: {error!r}"
        logger.critical("the stop %s; leaving without it", why)
        if reason is not None:
            logger.critical("it ended because: %s", reason)
        logging.shutdown()
        os._exit(getattr(reason, "exit_code", 1))
