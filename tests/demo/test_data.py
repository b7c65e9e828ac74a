"""The demo's data: real flights, a model that is as good as it says, events that are the same every time."""

import itertools
from collections import Counter
from datetime import timedelta

import pytest

from modeltrail.demo.flights import FLIGHTS_OF_2013, Flight, read_flights
from modeltrail.demo.happenings import (
    LATE,
    ON_TIME,
    OUTCOMES_AFTER,
    ScoredFlight,
    day_events,
    days,
    events,
    expected_events,
    true_label,
)
from modeltrail.demo.model import FEATURES, LATE_MINUTES, is_held_out, train
from modeltrail.demo.poison import POISON
from modeltrail.demo.registration import (
    LABEL_DELAY,
    LATENESS,
    advanced,
    baseline_of,
    monitor_of,
    registration,
    weeks,
)
from modeltrail.events.encode import encode_binary
from modeltrail.events.judge import judge
from modeltrail.events.moment import parse_moment
from modeltrail.events.predictions import PredictionOutcome, PredictionRecorded


@pytest.fixture(scope="module")
def flights() -> list[Flight]:
    return read_flights()


def _scored(flights: list[Flight]) -> list[ScoredFlight]:
    """Score without a model: what is late at departure will be late."""
    return [
        ScoredFlight(flight, None if flight.departure_delay is None else 0.9 if flight.departure_delay > 30 else 0.1)
        for flight in flights
    ]


def test_all_flights_of_2013_are_there(flights: list[Flight]) -> None:
    assert len(flights) == FLIGHTS_OF_2013
    arrived = [flight for flight in flights if flight.month >= 3 and flight.arrival_delay is not None]
    assert len(arrived) == 277_337
    assert sum(flight.cancelled for flight in flights) == 8_255


def test_no_two_flights_share_an_id(flights: list[Flight]) -> None:
    assert len({flight.item_id for flight in flights}) == FLIGHTS_OF_2013


def test_flights_come_in_the_order_of_their_departure(flights: list[Flight]) -> None:
    assert all(
        (before.departure, before.item_id) < (after.departure, after.item_id)
        for before, after in itertools.pairwise(flights)
    )
    assert all(before.local_day <= after.local_day for before, after in itertools.pairwise(flights))


def test_a_flight_is_read_as_it_stands_in_the_file(flights: list[Flight]) -> None:
    # UA 1545 of 1 January was due at 05:15 in New York, UTC-5, left two minutes late and arrived eleven late.
    flight = next(flight for flight in flights if flight.item_id == "UA1545-EWR-2013-01-01")
    assert flight.departure.isoformat() == "2013-01-01T10:17:00+00:00"
    assert (flight.departure_delay, flight.arrival_delay, flight.destination) == (2, 11, "IAH")
    assert (flight.local_day, flight.hour, flight.weekday) == ("2013-01-01", 5, 1)


def test_months_select_flights(flights: list[Flight]) -> None:
    assert read_flights([2]) == [flight for flight in flights if flight.month == 2]


def test_the_model_tells_late_flights_apart_and_is_the_same_every_time(flights: list[Flight]) -> None:
    learnt = [flight for flight in flights if flight.month <= 2]
    model = train(learnt)
    assert model.auc > 0.88
    assert model.rows + model.held_out == sum(flight.arrival_delay is not None for flight in learnt)
    march = [flight for flight in flights if flight.month == 3 and not flight.cancelled]
    scores = model.scores(march)
    assert scores.tolist() == train(learnt).scores(march).tolist()
    late = [score for flight, score in zip(march, scores, strict=True) if (flight.arrival_delay or 0) > LATE_MINUTES]
    rest = [score for flight, score in zip(march, scores, strict=True) if (flight.arrival_delay or 0) <= LATE_MINUTES]
    assert sum(late) / len(late) > 3 * sum(rest) / len(rest)


def test_a_model_needs_flights_to_learn_from_and_to_be_measured_on(flights: list[Flight]) -> None:
    with pytest.raises(ValueError, match="too few, to learn from some"):
        train([flight for flight in flights[:100] if is_held_out(flight)])


def test_the_events_are_as_many_as_was_said_and_the_contract_takes_every_one(flights: list[Flight]) -> None:
    scored = _scored([flight for flight in flights if flight.month == 3])
    made = list(events(scored))
    assert Counter(event.type for event in made) == expected_events(scored)
    assert len({event.id for event in made}) == len(made)
    for event in made[::50]:
        key, headers, value = encode_binary(event)
        assert (
            judge(
                f"modeltrail.{event.kind.family}", key, [(name.encode(), content) for name, content in headers], value
            ).status
            == "valid"
        )


def test_predictions_go_out_in_the_order_of_departure(flights: list[Flight]) -> None:
    scored = _scored([flight for flight in flights if flight.month == 3])
    times = [
        event.time
        for day, of_day in days(scored)
        for event in day_events(day, of_day)
        if event.type == "modeltrail.prediction.recorded.v1"
    ]
    assert times == sorted(times)
    assert len(times) == sum(one.score is not None for one in scored)


def test_outcomes_say_what_happened_hours_after_the_predictions(flights: list[Flight]) -> None:
    scored = _scored([flight for flight in flights if flight.month == 3])
    truth = {f"{one.flight.item_id}-late": true_label(one.flight) for one in scored if one.score is not None}
    predicted: dict[str, str] = {}
    outcomes = 0
    time = ""
    for event in events(scored):
        if isinstance(event.data, PredictionRecorded):
            assert event.time >= time, "the stream goes back in time"
            time = event.time
            predicted[event.data.prediction_id] = event.time
        elif isinstance(event.data, PredictionOutcome):
            assert event.data.label == truth[event.data.prediction_id]
            assert _hours(predicted[event.data.prediction_id], event.data.observed_at) >= 12
            assert _hours(time, event.data.observed_at) >= -0.5, "an outcome waits for its time in the stream"
            outcomes += 1
    assert outcomes == sum(label is not None for label in truth.values()) > 25_000


def _hours(since: str, until: str) -> float:
    return (parse_moment(until) - parse_moment(since)) / 3.6e9


def test_every_outcome_of_a_window_is_there_when_its_performance_is_checked(flights: list[Flight]) -> None:
    delay = LATENESS + LABEL_DELAY
    for flight in flights:
        assert flight.departure_delay is None or flight.departure_delay < 24 * 60
    scored = _scored([flight for flight in flights if flight.month in {3, 4}])
    for _, of_day in days(scored):
        last = of_day[-1].flight.departure + OUTCOMES_AFTER
        # Half a day is left between the last report of a window and the prediction that closes it.
        assert all(last - one.flight.departure < delay - timedelta(hours=12) for one in of_day)


def test_the_baseline_is_what_the_model_has_not_seen(flights: list[Flight]) -> None:
    training = [flight for flight in flights if flight.month <= 2]
    model = train(training)
    baseline = baseline_of(model, training)
    assert baseline.event.rows == sum(is_held_out(flight) and not flight.cancelled for flight in training)
    assert {(key.role, key.name) for key in baseline.references} == {
        *(("feature", name) for name in FEATURES),
        ("score", "score"),
        ("label", "label"),
    }
    assert all(field.learned for field in baseline.event.fields)
    measured = {each.metric: each for each in baseline.event.performance}
    assert measured["auc"].value == pytest.approx(model.auc, abs=1e-6)
    assert measured["auc"].n == model.held_out
    wanted = {(each.by, each.metric) for each in monitor_of().bias}
    assert wanted <= {(each.by, each.metric) for each in baseline.event.bias}
    assert baseline == baseline_of(model, training)
    for event in (*registration(model, training), advanced(flights[-1])):
        key, headers, value = encode_binary(event)
        kafka_headers = [(name.encode(), content) for name, content in headers]
        assert judge("modeltrail.models", key, kafka_headers, value).status == "valid"


def test_every_window_is_closed_at_the_end(flights: list[Flight]) -> None:
    scored = _scored([flight for flight in flights if flight.month in {3, 4}])
    assert weeks(scored) == 10
    # The last flight of April leaves on a Wednesday in UTC: its week ends on Monday, 6 May.
    through = advanced(scored[-1].flight).data.through
    assert parse_moment(through) == parse_moment("2013-05-06T00:00:00Z") + (LATENESS + LABEL_DELAY) // timedelta(
        microseconds=1
    )


def test_the_same_flights_make_the_same_bytes(flights: list[Flight]) -> None:
    scored = _scored([flight for flight in flights if flight.month == 3])[:2000]
    first, second = ([encode_binary(event) for event in events(scored)] for _ in range(2))
    assert first == second


def test_people_correct_what_the_model_got_wrong_by_far(flights: list[Flight]) -> None:
    scored = _scored([flight for flight in flights if flight.month == 3])
    corrections = [
        event
        for day, of_day in days(scored)
        for event in day_events(day, of_day)
        if event.type == "modeltrail.classification.recorded.v1" and event.data.origin == "user"
    ]
    assert {(event.data.previous_label, event.data.label) for event in corrections} == {
        (ON_TIME, LATE),
        (LATE, ON_TIME),
    }
    assert {event.actor for event in corrections} == {"user:desk-ewr", "user:desk-jfk", "user:desk-lga"}
    assert all(event.data.reason.startswith("arrived ") for event in corrections)


@pytest.mark.parametrize("record", POISON, ids=lambda record: record.key.decode())
def test_every_poison_record_is_rejected_for_the_reason_that_is_told(record) -> None:
    verdict = judge(
        "modeltrail.predictions",
        record.key,
        [(name.encode(), content) for name, content in record.headers],
        record.value,
    )
    assert verdict.status == "rejected"
    assert verdict.reason_class == record.reason_class
