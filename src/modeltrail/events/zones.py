"""Time zones by their IANA names, from the package tzdata and never from the machine.

So everybody who installs the same packages knows the same zones with the same rules, and names such as `localtime` or
`right/Europe/Berlin`, which mean another thing on every machine, are not known anywhere.
"""

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from modeltrail.events.refusal import nearest

__all__ = ["zone"]


@cache
def _names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


@cache
def _load(name: str) -> ZoneInfo:
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def zone(name: str) -> ZoneInfo:
    """Return a time zone, the same object each time; ValueError names the nearest that exists."""
    if name not in _names():
        expected = "must be an IANA time zone such as UTC or Europe/Berlin"
        raise ValueError(expected + nearest(name, _names()))
    return _load(name)
