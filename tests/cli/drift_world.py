"""A model that drifts, watched by real workers: what the commands on drift have to show.

week of 2013    01-07 to 01-21      01-28   02-04   02-11, 02-18
dep_delay       as in the sample    + 30    + 30    as in the sample
outcomes        as the scores say   by chance       as the scores say
"""

import csv
import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO

from modeltrail.embedded.credentials import Role
from modeltrail.events.predictions import PredictionOutcome, PredictionRecorded
from modeltrail.sdk import BlockingPublisher
from modeltrail.storage.client import connect
from tests.integration.installation import Installation

MODEL, VERSION = "flights-delay", "1.0.0"
FIRST = datetime(2013, 1, 7, tzinfo=UTC)
WEEKS = 7
A_WEEK = 400
STORM = (3, 4)
"""Weeks from 0 in which everything is late."""


def us(week):
    """The event time at which a week begins, in microseconds."""
    return round((FIRST + timedelta(weeks=week)).timestamp() * 1_000_000)


def row(random_, *, shift=0.0, blind=False):
    origin = random_.choices(["EWR", "JFK", "LGA"], [4, 3, 3])[0]
    delay = random_.gauss(10, 12) + shift
    score = min(0.98, max(0.02, 0.3 + random_.gauss(0, 0.2)))
    late = random_.random() < (0.5 if blind else score)
    return {
        "dep_delay": round(delay, 1),
        "origin": origin,
        "score": round(score, 4),
        "late": "late" if late else "on_time",
    }


def sample(rows=4000, seed=1):
    """A sample as CSV, with its header."""
    random_ = random.Random(seed)
    text = StringIO()
    writer = csv.DictWriter(text, ["time", "dep_delay", "origin", "score", "late"], lineterminator="\n")
    writer.writeheader()
    for number in range(rows):
        moment = datetime(2012, 11, 1, tzinfo=UTC) + timedelta(minutes=15 * number)
        writer.writerow({"time": moment.isoformat(), **row(random_)})
    return text.getvalue()


def events(seed=2):
    """Every prediction with the event time, followed by its outcome, week by week."""
    random_ = random.Random(seed)
    for week in range(WEEKS):
        storm = week in STORM
        for number in range(A_WEEK):
            name = f"{week}-{number}"
            at = FIRST + timedelta(weeks=week, minutes=20 * number)
            found = row(random_, shift=30.0 if storm else 0.0, blind=storm)
            ids = {"prediction_id": name, "model_id": MODEL, "model_version": VERSION}
            yield at, PredictionRecorded(
                **ids, item_id=name, kind="binary", label="late" if found["score"] > 0.5 else "on_time",
                score=found["score"], features={name: found[name] for name in ("dep_delay", "origin")},
            )  # fmt: skip
            yield at, PredictionOutcome(**ids, label=found["late"], observed_at=at.isoformat())


@contextmanager
def watched(stack, directory):
    """An installation with a worker of each role."""
    with Installation(stack, directory, partitions=1) as installation:
        installation.worker()
        installation.worker(role="drift")
        yield installation


def publish(installation):
    """Send all predictions and outcomes; returns how many."""
    settings = installation.settings(Role.WRITER)
    with BlockingPublisher(settings=settings, source="tests/drift", actor="tester") as publisher:
        return publisher.publish_many(_timed()).published


def _timed():
    from modeltrail.events.encode import Event

    for number, (at, data) in enumerate(events()):
        yield Event.of(data, source="tests/drift", actor="tester", time=at, id=str(number))


def count(installation, query):
    client = connect(installation.settings(Role.AUDITOR).clickhouse)
    try:
        return client.query(query).result_rows[0][0]
    finally:
        client.close()
