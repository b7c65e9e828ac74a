"""Durations and times as people type them: `90s`, `15m`, `1h`, `7d`, `1w`; `2013-07-01`, `2013-07-01T12:00:00Z`."""

import re
from datetime import UTC, datetime, timedelta

from modeltrail.errors import ConfigurationError

__all__ = ["day_text", "duration_text", "moment_of", "seconds_of", "time_text"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw]?)\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_of(text: str, option: str) -> int:
    """Return the seconds of a duration such as `7d`; a number alone is seconds.

    ConfigurationError names the option and the text.
    """
    found = _DURATION.match(text.strip())
    if found is None or int(found[1]) == 0:
        raise ConfigurationError(f"{option} {text!r}: expected a number above 0 with s, m, h, d or w, as in 15m or 7d")
    return int(found[1]) * _UNITS[found[2] or "s"]


def duration_text(seconds: int) -> str:
    """Return seconds in the largest unit that fits without a rest: `7d`, `90m`, `45s`."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def moment_of(text: str, option: str) -> str:
    """Return a date or time as events write it, in UTC; a time without a zone is one in UTC.

    ConfigurationError names the option and the text.
    """
    from modeltrail.events.moment import format_moment

    try:
        moment = datetime.fromisoformat(text.strip())
        return format_moment(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        expected = "expected a date or a time from 1970 to 2200, as in 2013-07-01 or 2013-07-01T12:00:00Z"
        raise ConfigurationError(f"{option} {text!r}: {expected}") from None


def time_text(moment: str | int | None) -> str:
    """Return a time in UTC as short as it can be told: the date alone at midnight, no seconds where there are none.

    `moment` is the text of an event, or microseconds since 1970.
    """
    from modeltrail.events.moment import parse_moment

    if moment is None:
        return ""
    time_us = moment if isinstance(moment, int) else parse_moment(moment)
    text = (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%d %H:%M:%S")
    return text[:10] if text.endswith("00:00:00") else text[:16] if text.endswith(":00") else text


def day_text(milliseconds: int) -> str:
    """Return a log time, milliseconds since 1970, to the second."""
    return (_EPOCH + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%d %H:%M:%S")
