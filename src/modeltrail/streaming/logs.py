"""The log of a service: lines for people on a terminal, JSON elsewhere; the engine's own chatter kept down."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

__all__ = ["configure_logs"]

_ENGINE = ("faust", "mode", "aiokafka", "clickhouse_connect", "asyncio")
"""Loggers of the engine. A broker outage makes about 75 of their lines a second."""


def configure_logs(level: str = "INFO", form: Literal["auto", "json", "console"] = "auto") -> None:
    """Send all logging to stderr. `form` auto means console on a terminal and JSON elsewhere."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    last: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info, _printable],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _ENGINE:
        logging.getLogger(name).setLevel(logging.CRITICAL if name in {"aiokafka", "mode"} else logging.ERROR)


def _printable(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters: text out of events must not draw on a terminal or forge a line."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in value)
    return event
