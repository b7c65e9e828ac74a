"""Alerts in the order of time, and together where one change raised them."""

import json
from typing import NamedTuple

import pytest

from modeltrail.cli import alerts_follow
from modeltrail.cli.alerts import _rows
from modeltrail.cli.alerts_records import Said, by_window, fold_alerts

WEEK = {"start": "2013-01-28T00:00:00Z", "end": "2013-02-04T00:00:00Z"}


def raised(alert, *, window=WEEK, severity="warning", monitor="m", version="1", what="raised", subject="m"):
    evidence = {"window": window, "monitor": {"id": monitor}, "model_version": version} if window else {}
    message = f"{alert} moved"
    row = [what, alert, "drift", severity, subject, message, 1_000_000, json.dumps(evidence), None, None, 0, 0]
    return Said.of_row(row)


def groups(*said):
    return [[alert.alert_id for alert in group] for group in by_window(fold_alerts(said))]


def test_alerts_of_one_window_of_one_model_are_together_and_no_others():
    later = {"start": "2013-02-04T00:00:00Z", "end": "2013-02-11T00:00:00Z"}
    found = groups(
        raised("a"), raised("b", window=later), raised("c", window=WEEK | {"label_delay_s": 60}), raised("d", monitor="strict"), raised("e", version="2"),
        raised("f", subject="other"), raised("g", window=None), raised("h", window=None), raised("i", window={"index": 3}),
        raised("j", window={"index": 3}), raised("a", window=later, severity="critical"),
    )  # fmt: skip
    assert found == [["a", "c"], ["b"], ["d"], ["e"], ["f"], ["g"], ["h"], ["i", "j"]]


def test_a_group_has_a_headline_with_its_count_and_one_alert_has_none():
    alerts = fold_alerts(
        [
            raised("a"),
            raised("b", severity="critical"),
            raised("c"),
            raised("c", what="resolved"),
            raised("d", window=None),
        ]
    )
    (headline, *lines), (alone,) = map(_rows, by_window(alerts))
    since = "1970-01-01 00:00:01"
    assert headline == ("3 alerts", since, "2 not resolved", "critical", "m 1, window 2013-01-28 to 2013-02-04")
    assert lines[1] == ("b", since, "open", "critical", "  b moved")
    assert [line[2] for line in lines] == ["open", "open", "resolved"]
    assert alone == ("d", since, "open", "warning", "d moved")
    counted = _rows(fold_alerts([raised(name, window={"index": 7}, monitor="strict") for name in "ab"]))
    assert counted[0][4] == "m 1 (monitor strict), window #7"


class Record(NamedTuple):
    partition: int
    offset: int
    timestamp: int


class Partitions:
    """What `_so_far` uses of a consumer: at most `at_once` records of each partition in an answer."""

    def __init__(self, logs, *, at_once, begin=0, holes=0):
        self.logs, self.at_once, self.begin, self.holes = logs, at_once, begin, holes
        self.at = dict.fromkeys(logs, begin)
        self.asked = []

    async def beginning_offsets(self, tps):
        return dict.fromkeys(tps, self.begin)

    async def end_offsets(self, tps):
        return {tp: self.begin + len(self.logs[tp]) + (self.holes if self.logs[tp] else 0) for tp in tps}

    async def getmany(self, *tps, timeout_ms):
        assert timeout_ms > 0
        self.asked.append(tps)
        found = {}
        for tp in tps:
            first = self.at[tp] - self.begin
            times = self.logs[tp][first : first + self.at_once]
            if times:
                found[tp] = [Record(tp, self.at[tp] + n, time) for n, time in enumerate(times)]
            self.at[tp] += len(times)
            if self.at[tp] == self.begin + len(self.logs[tp]):
                self.at[tp] += self.holes  # markers of transactions: offsets without a record
        return found

    async def position(self, tp):
        return self.at[tp]


@pytest.mark.parametrize("at_once", [1, 2, 100])
@pytest.mark.parametrize("holes", [0, 3])
async def test_what_is_there_comes_in_the_order_of_time_whatever_its_partition(at_once, holes):
    logs = {0: [5, 6, 20, 21], 1: [1, 6, 7], 2: [], 3: [2, 30]}
    consumer = Partitions(logs, at_once=at_once, begin=10, holes=holes)
    found = [record async for record in alerts_follow._so_far(consumer, list(logs))]
    assert [record.timestamp for record in found] == sorted(time for times in logs.values() for time in times)
    assert [(each.partition, each.offset) for each in found if each.timestamp == 6] == [(0, 11), (1, 11)]
    assert all(2 not in tps for tps in consumer.asked)
