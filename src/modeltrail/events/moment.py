"""Points in time as text: exactly the grammar of RFC 3339, section 5.6, and nothing that is merely similar.

    date-time = YYYY "-" MM "-" DD "T" hh ":" mm ":" ss [ "." 1*6DIGIT ] ( "Z" / ( "+" / "-" ) hh ":" mm )

Narrower than the RFC in four ways, so that every reader sees the same instant: no leap second, at most six digits
of a second, years 1970 to 2200 in UTC, and "T" and "Z" in upper case.
"""

import re
from datetime import UTC, datetime, timedelta

__all__ = ["EXPECTED", "format_moment", "parse_moment"]

EXPECTED = "must be an RFC 3339 time with offset, years 1970 to 2200, at most six digits of a second, no leap second"
"""What every refusal of a time says."""

PATTERN = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""The grammar as a regular expression; the length of the month and the range of years come on top."""

_match = re.compile(PATTERN.replace("(", "(?:").replace("^", "").replace("$", r"\Z")).match
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_END_US = (datetime(2201, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND


class _Minutes(dict[str, int]):
    """Microseconds of minutes in UTC by their text, `YYYY-MM-DDThh:mm:`: events come by the thousand in each."""

    LIMIT = 4096

    def __missing__(self, minute: str) -> int:
        microseconds = _parse(minute + "00Z")
        if len(self) >= self.LIMIT:
            self.clear()
        self[minute] = microseconds
        return microseconds


_minutes = _Minutes()


def parse_moment(text: str) -> int:
    """Return microseconds since 1970-01-01T00:00:00Z. ValueError for anything outside the grammar or the range."""
    if len(text) == 27 and text[19] == "." and text[26] == "Z":  # as most programs write it: six digits, in UTC
        digits = text[17:19] + text[20:26]
        if digits.isdecimal() and digits.isascii() and digits < "6":
            return _minutes[text[:17]] + int(digits)
    return _parse(text)


def _parse(text: str) -> int:
    if _match(text) is None:
        raise ValueError(EXPECTED)
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except ValueError:  # 30 February
        raise ValueError(EXPECTED) from None
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if not 0 <= microseconds < _END_US:
        raise ValueError(EXPECTED)
    return microseconds


def format_moment(moment: datetime) -> str:
    """Return the text of an aware datetime in UTC with six digits. ValueError if naive or out of range."""
    if moment.utcoffset() is None:
        raise ValueError("must be a datetime with an offset (naive datetimes name no instant)")
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    parse_moment(text)
    return text
