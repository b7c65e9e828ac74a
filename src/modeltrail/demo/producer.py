"""The producing system of the demo: `python -m modeltrail.demo.producer --months 3,4,5`.

A process of its own, as in life, which finds the broker by its settings. It reads the flights, trains the model on
January and February, lets it predict the flights of the months that it is told, publishes all that happens, and tells
how far it is in JSON lines on stdout. Before the first prediction it registers the model, its baseline and a monitor;
after the last it says that no more will follow.

    {"step":"flights","flights":109119,"of":336776}
    {"step":"model","rows":43606,"held_out":6403,"auc":0.9037}
    {"step":"baseline","rows":14983,"fields":9,"sha256":"54c0..."}
    {"step":"plan","events":68614,"poison":7,"windows":10,"types":{"modeltrail.prediction.recorded.v1":55635, ...}}
    {"step":"published","events":12000}                 again and again
    {"step":"done","events":68614,"seconds":9.1}
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from modeltrail.demo.flights import FLIGHTS_OF_2013, read_flights
from modeltrail.demo.happenings import ScoredFlight, events, expected_events
from modeltrail.demo.poison import POISON
from modeltrail.demo.producer_process import format_message
from modeltrail.errors import ModeltrailError
from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.encode import Event
from modeltrail.events.registry import topic_name
from modeltrail.kafka_client import kafka_client_args, start_producer
from modeltrail.sdk import Publisher
from modeltrail.settings import Settings, load

__all__ = ["TRAINING_MONTHS", "main"]

TRAINING_MONTHS = (1, 2)
_TELL_S = 0.2


def _tell(step: str, **said: object) -> None:
    sys.stdout.write(format_message(step, said))
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish everything; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m modeltrail.demo.producer")
    parser.add_argument("--months", required=True, help="which months of 2013 to publish, such as 3,4,5")
    options = parser.parse_args(arguments)
    months = [int(month) for month in options.months.split(",")]
    try:
        before, flights = _prepared(months)
        asyncio.run(_publish(load(), before, flights))
    except ModeltrailError as error:
        sys.stderr.write(f"modeltrail: {error}\n")
        return error.exit_code
    return 0


def _prepared(months: Sequence[int]) -> tuple[list[Event], list[ScoredFlight]]:
    """Return the events that come before all predictions, and the flights that are predicted."""
    # The first line comes before numpy.
    from modeltrail.demo.model import train  # noqa: PLC0415
    from modeltrail.demo.registration import registration  # noqa: PLC0415

    wanted = {*TRAINING_MONTHS, *months}
    flights = read_flights(wanted)
    _tell("flights", flights=len(flights), of=FLIGHTS_OF_2013)
    training = [flight for flight in flights if flight.month in TRAINING_MONTHS]
    model = train(training)
    _tell("model", rows=model.rows, held_out=model.held_out, auc=round(model.auc, 4))
    before = registration(model, training)
    baseline = next(event.data for event in before if isinstance(event.data, BaselineRegistered))
    _tell("baseline", rows=baseline.rows, fields=len(baseline.fields), sha256=baseline.sha256)
    live = [flight for flight in flights if flight.month in months]
    scores = iter(model.scores([flight for flight in live if not flight.cancelled]).tolist())
    return before, [ScoredFlight(flight, None if flight.cancelled else next(scores)) for flight in live]


async def _publish(settings: Settings, before: Sequence[Event], flights: Sequence[ScoredFlight]) -> None:
    from modeltrail.demo.registration import advanced, weeks  # noqa: PLC0415 - as above

    after = advanced(flights[-1].flight)
    types = expected_events(flights) + Counter(event.type for event in (*before, after))
    _tell("plan", events=types.total() + len(POISON), poison=len(POISON), windows=weeks(flights), types=types)
    count = _Count()
    started = time.monotonic()
    async with Publisher(settings=settings) as publisher:
        for event in before:
            await publisher.publish(event)
            count.add(1)
        stream = _events(settings, flights, poison_after=types.total() // 3, count=count)
        await publisher.publish_many(stream, on_delivery=lambda _: count.add(1))
        await publisher.publish(after)
        count.add(1)
    _tell("done", events=count.published, seconds=round(time.monotonic() - started, 3))


class _Count:
    """Counts acknowledged records, and tells them a few times a second."""

    def __init__(self) -> None:
        self.published = 0
        self._told = time.monotonic()

    def add(self, number: int) -> None:
        self.published += number
        if time.monotonic() - self._told >= _TELL_S:
            self._told = time.monotonic()
            _tell("published", events=self.published)


async def _events(
    settings: Settings, flights: Sequence[ScoredFlight], *, poison_after: int, count: _Count
) -> AsyncIterator[Event]:
    for number, event in enumerate(events(flights), start=1):
        yield event
        if number == poison_after:
            count.add(await _poison(settings))


async def _poison(settings: Settings) -> int:
    """Write the records that the publisher refuses to send, as a program without it would."""
    topic = topic_name("predictions", settings.topics.prefix)
    producer = await start_producer(kafka_client_args(settings))
    try:
        for record in POISON:
            await producer.send_and_wait(topic, record.value, key=record.key, headers=record.headers)
    finally:
        await producer.stop()
    return len(POISON)


if __name__ == "__main__":
    sys.exit(main())
