"""Checks name what they are of, their counts add up, and their ids follow from what was checked."""

from hashlib import sha256

import pytest
from pydantic import ValidationError

from modeltrail.events.checks import CheckCompleted, CheckCondition, CheckCut, CheckWindow, alert_id, check_id
from modeltrail.events.refusal import refusal_of
from modeltrail.testing import make_event

CHAIN = "cluster/modeltrail.predictions/0/0-0"
WINDOW = CheckWindow(start="2013-07-01T00:00:00Z", end="2013-07-08T00:00:00Z")
CUT = CheckCut(entry={"chain": CHAIN, "seq": 9}, frontier={CHAIN: 8, "b": 1})
OF = {
    "monitor_sha256": "1" * 64, "model_id": "m", "model_version": "1", "kind": "drift", "window": WINDOW, "cut": CUT,
}  # fmt: skip
FIELD = {"name": "a", "role": "feature", "kind": "numeric", "state": "stable", "n": 10, "missing": 1}


def refused(**changes):
    with pytest.raises(ValidationError) as error:
        make_event(CheckCompleted, **changes)
    return refusal_of(error.value, "data", CheckCompleted.model_fields).sentence()


def test_the_id_of_a_check_follows_from_what_is_checked():
    by_hand = (
        f'{{"cut":{{"entry":{{"chain":"{CHAIN}","seq":9}},"frontier":{{"b":1,"{CHAIN}":8}}}},"kind":"drift",'
        f'"model":"m","monitor":"{"1" * 64}","version":"1",'
        '"window":{"end":"2013-07-08T00:00:00Z","start":"2013-07-01T00:00:00Z"}}'
    )
    assert check_id(**OF) == sha256(by_hand.encode()).hexdigest()
    reordered = CheckCut(entry={"seq": 9, "chain": CHAIN}, frontier={"b": 1, CHAIN: 8})
    assert check_id(**OF | {"cut": reordered}) == check_id(**OF)
    others = [
        {"monitor_sha256": "2" * 64}, {"model_id": "n"}, {"model_version": "2"}, {"kind": "performance"},
        {"window": CheckWindow(start=WINDOW.start, end="2013-07-09T00:00:00Z")},
        {"cut": CheckCut(entry=CUT.entry, frontier={CHAIN: 7, "b": 1})}, {"cut": CheckCut(entry={"chain": CHAIN, "seq": 10}, frontier=CUT.frontier)},
    ]  # fmt: skip
    assert len({check_id(**OF), *(check_id(**OF | other) for other in others)}) == len(others) + 1


def test_the_id_of_an_alert_follows_from_its_monitor_condition_and_first_window():
    condition = CheckCondition(kind="drift", name="a", role="feature")
    of = {"model_id": "m", "model_version": "1", "monitor_id": "w", "first_window": WINDOW}
    found = {
        alert_id(condition, **of),
        alert_id(condition, **of | {"model_id": "n"}),
        alert_id(condition, **of | {"model_version": "2"}),
        alert_id(condition, **of | {"monitor_id": "v"}),
        alert_id(condition, **of | {"first_window": CheckWindow(index=3)}),
        alert_id(CheckCondition(kind="drift", name="b", role="feature"), **of),
        alert_id(CheckCondition(kind="drift", name="a", role="label"), **of),
        alert_id(CheckCondition(kind="drift", name="a", role="feature", segment={"by": "x", "value": "1"}), **of),
    }
    assert len(found) == 8
    by_hand = (
        '{"condition":{"kind":"drift","name":"a","role":"feature"},"first_window":{"end":"2013-07-08T00:00:00Z",'
        '"start":"2013-07-01T00:00:00Z"},"model":"m","monitor":"w","version":"1"}'
    )
    assert alert_id(condition, **of) == sha256(by_hand.encode()).hexdigest()
    assert alert_id(condition, **of | {"first_window": WINDOW.model_dump()}) == alert_id(condition, **of)


@pytest.mark.parametrize("name", ["model_version", "window", "cut"])
def test_only_a_tick_has_no_version_window_and_cut(name):
    assert refused(**{name: None}) == f"data.{name}: missing: is required where kind is drift"
    assert make_event(CheckCompleted, kind="tick", **{name: None}).data.kind == "tick"


def test_a_failed_check_says_why():
    assert refused(status="failed") == "data.error: missing: is required where status is failed"


def test_a_window_is_a_span_or_a_number():
    sentence = "data.window.start: missing: start and end, or index: one of them is required"
    assert refused(window={"start": "2013-07-01T00:00:00Z"}) == sentence
    assert make_event(CheckCompleted, window={"index": 0}).data.window.index == 0


def test_counts_of_a_field_add_up():
    assert make_event(CheckCompleted, fields=[FIELD | {"counts": [4, 5]}])
    assert make_event(CheckCompleted, fields=[FIELD | {"counts": [4, 2], "unseen": 3}])
    assert make_event(CheckCompleted, fields=[FIELD])
    assert refused(fields=[FIELD | {"counts": [4, 6]}]) == (
        "data.fields.0.counts: a list of 2: must sum up to n, 10, with missing, mistyped and unseen, and do to 11"
    )
