"""Times: exactly the grammar, and the same instant for Python and for ClickHouse."""

import json
from datetime import UTC, datetime, timedelta, timezone

import chdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltrail.events.moment import EXPECTED, format_moment, parse_moment

GOOD = {
    "1970-01-01T00:00:00Z": 0,
    "1970-01-01T00:00:00.000001Z": 1,
    "1970-01-01T00:00:00.1Z": 100_000,
    "1970-01-01T00:00:00.10Z": 100_000,
    "1970-01-01T00:00:00-00:00": 0,
    "1970-01-01T05:30:00+05:30": 0,
    "1969-12-31T23:30:00-01:00": 1_800_000_000,
    "1970-01-02T00:00:00+23:59": 60_000_000,
    "2016-02-29T12:00:00Z": 1_456_747_200_000_000,
    "2106-02-07T06:28:16Z": 4_294_967_296_000_000,
    "2200-12-31T23:59:59.999999Z": 7_289_654_399_999_999,
}

BAD = [
    "",
    "2013-03-01",
    "2013-03-01T12:00:00",
    "2013-03-01T12:00Z",
    "2013-03-01 12:00:00Z",
    "2013-03-01t12:00:00Z",
    "2013-03-01T12:00:00z",
    "2013-03-01T12:00:00.Z",
    "2013-03-01T12:00:00.1234567Z",
    "2013-03-01T12:00:00,5Z",
    "2013-03-01T12:00:00+0100",
    "2013-03-01T12:00:00+01",
    "2013-03-01T12:00:00+24:00",
    "2013-03-01T12:00:00+01:60",
    "2013-03-01T12:00:00+01:00:00",
    "2013-03-01T12:00:00 +01:00",
    "2013-03-01T24:00:00Z",
    "2013-03-01T12:60:00Z",
    "2016-12-31T23:59:60Z",
    "2013-02-29T12:00:00Z",
    "2013-13-01T12:00:00Z",
    "2013-00-01T12:00:00Z",
    "2013-03-00T12:00:00Z",
    "20130301T120000Z",
    "2013-W09-5T12:00:00Z",
    "0000-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00+00:01",
    "2201-01-01T00:00:00Z",
    "2200-12-31T23:59:59-00:01",
    "12013-03-01T12:00:00Z",
    " 2013-03-01T12:00:00Z",
    "2013-03-01T12:00:00Z ",
    "2013-03-01T12:00:00Z\n",
    "2013-03-01T12:00:00Z\x00",
    "٢٠١٣-03-01T12:00:00Z",
    "2013-03-01T12:00:0\uff10Z",
    "2013-03-01T12:00:00\u221201:00",
    "1362139200",
]


@pytest.mark.parametrize(("text", "microseconds"), GOOD.items())
def test_a_time_is_microseconds_since_1970(text: str, microseconds: int) -> None:
    assert parse_moment(text) == microseconds


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_what_is_merely_similar_to_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339") as caught:
        parse_moment(text)
    assert str(caught.value) == EXPECTED


def test_a_naive_datetime_names_no_instant() -> None:
    with pytest.raises(ValueError, match="naive"):
        format_moment(datetime(2024, 1, 1))  # noqa: DTZ001 - that is the point


def test_a_datetime_is_written_in_utc() -> None:
    moment = datetime(2024, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=1)))
    assert format_moment(moment) == "2024-01-01T00:30:00.000000Z"


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_what_is_formatted_is_parsed_back(moment: datetime) -> None:
    assert parse_moment(format_moment(moment)) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )


def moments() -> st.SearchStrategy[str]:
    date = st.dates(datetime(1970, 1, 3).date(), datetime(2200, 12, 28).date()).map(str)  # noqa: DTZ001 - bounds
    time = st.times().map(lambda time: time.strftime("%H:%M:%S"))
    fraction = st.just("") | st.from_regex(r"\.[0-9]{1,6}", fullmatch=True)
    offset = st.just("Z") | st.from_regex(r"[+-]([01][0-9]|2[0-3]):[0-5][0-9]", fullmatch=True)
    return st.builds(lambda *parts: f"{parts[0]}T{''.join(parts[1:])}", date, time, fraction, offset)


@settings(max_examples=20, deadline=None)
@given(st.lists(moments(), min_size=20, max_size=50))
def test_clickhouse_sees_the_same_instants(texts: list[str]) -> None:
    listed = ", ".join(f"'{text}'" for text in [*texts, *GOOD])
    query = f"SELECT arrayMap(t -> toString(toUnixTimestamp64Micro(parseDateTime64BestEffortOrNull(t, 6, 'UTC'))), [{listed}])"
    [read] = json.loads(chdb.query(query, "JSONCompactEachRow").bytes())
    assert [int(text) for text in read] == [parse_moment(text) for text in [*texts, *GOOD]]
