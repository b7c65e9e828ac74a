"""What the watch says, in which order, and what becomes of it when the broker takes one topic and not the other."""

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from modeltrail.errors import AccessError, BrokerUnavailableError, ConfigurationError, InvalidEventError
from modeltrail.events.alerts import AlertRaised
from modeltrail.events.checks import CheckCompleted, CheckReference
from modeltrail.events.encode import Event
from modeltrail.streaming import drift_publisher
from modeltrail.streaming.drift_publisher import KafkaPublisher

TIME = "2026-01-02T03:04:05Z"


def event(data, event_id):
    return Event.of(data, source="modeltrail/watch", actor="watch", subject="m", id=event_id, time=TIME)


ALERTS = [
    event(
        AlertRaised(
            alert_id=f"{number:064x}", kind="drift", severity="info", subject="m", message="moved", opened_at=TIME
        ),
        f"a{number}",
    )
    for number in range(2)
]
CHECK = event(
    CheckCompleted(
        check_id="0" * 64,
        kind="tick",
        monitor=CheckReference(id="m", sha256="0" * 64),
        model_id="m",
        status="completed",
    ),
    "c",
)


class Producer:
    """Takes what comes for a topic, unless it has an error for it, and acknowledges after the next round of the loop."""

    def __init__(self, errors):
        self.errors = errors
        self.refused = None
        self.said = []

    async def send(self, topic, _value, *, key, headers):
        assert key == b"m"
        self.said.append(f"send {topic}")
        return asyncio.get_running_loop().create_task(self._acknowledge(topic))

    async def _acknowledge(self, topic):
        await asyncio.sleep(0)
        if topic in self.errors:
            raise self.errors[topic]
        self.said.append(f"acknowledged {topic}")


@pytest.fixture
def broker(monkeypatch):
    """Make a publisher and its producer, which fails as said."""

    def make(errors=None):
        producer, given_up = Producer(errors or {}), []

        async def start(*_args, **_options):
            if producer.refused is not None:
                raise producer.refused
            return producer

        async def abandon(producer, *, flush_s):
            given_up.append((producer, flush_s))

        monkeypatch.setattr(drift_publisher, "start_producer", start)
        monkeypatch.setattr(drift_publisher, "abandon_producer", abandon)
        return KafkaPublisher({}, prefix="t"), producer, given_up

    return make


async def test_alerts_are_acknowledged_before_their_check_is_sent(broker):
    publisher, producer, _ = broker()
    await publisher.publish([*ALERTS, CHECK])
    assert producer.said == [
        "send t.alerts", "send t.alerts", "acknowledged t.alerts", "acknowledged t.alerts",
        "send t.checks", "acknowledged t.checks",
    ]  # fmt: skip


@pytest.mark.parametrize("error", [UnknownTopicOrPartitionError(), KafkaTimeoutError(), OSError("gone")])
async def test_a_check_is_not_sent_while_its_alerts_are_not_there(broker, error):
    publisher, producer, given_up = broker({"t.alerts": error})
    with pytest.raises(BrokerUnavailableError, match=r"t\.alerts: the broker did not acknowledge"):
        await publisher.publish([*ALERTS, CHECK])
    assert "send t.checks" not in producer.said
    assert len(given_up) == 1
    producer.errors = {}
    await publisher.publish([*ALERTS, CHECK])
    assert producer.said[-1] == "acknowledged t.checks"


async def test_what_is_larger_than_a_topic_takes_can_never_be_sent(broker):
    publisher, _, _ = broker({"t.checks": MessageSizeTooLargeError()})
    with pytest.raises(InvalidEventError, match=r"t\.checks.*must fit a message of this topic"):
        await publisher.publish([*ALERTS, CHECK])


@pytest.mark.parametrize("error", [AccessError("wrong password"), ConfigurationError("no TLS")])
async def test_a_login_that_is_refused_later_is_waited_for(broker, error):
    publisher, producer, _ = broker()
    producer.refused = error
    with pytest.raises(type(error)):
        await publisher.start()
    with pytest.raises(BrokerUnavailableError, match=str(error)):
        await publisher.publish([CHECK])
    producer.refused = None
    await publisher.publish([CHECK])
    assert producer.said[-1] == "acknowledged t.checks"
