"""The facade without async: the same results, from plain threads and from inside of an event loop."""

import subprocess
import sys
import threading

import pytest

from modeltrail.errors import BrokerUnavailableError, InvalidEventError
from modeltrail.sdk import BlockingPublisher, PublishManyError
from modeltrail.settings import Kafka, Settings
from tests.sdk.conftest import block, prediction


def publisher(place, **sdk):
    return BlockingPublisher(source="urn:test", actor="tester", settings=place.settings(**sdk))


async def test_it_publishes_inside_of_a_running_loop_as_in_a_notebook(place):
    with publisher(place) as open_publisher:
        delivery = open_publisher.publish(prediction(1), subject="s")
    (record,) = await place.records(expected=1)
    assert (record.partition, record.offset) == (delivery.partition, delivery.offset)
    assert dict(record.headers)["ce_id"] == delivery.id.encode()


async def test_chained_blocks_until_the_block_is_there(place):
    with publisher(place) as open_publisher:
        delivery = open_publisher.publish(prediction())
        await place.announce(block(place, delivery.partition, 0, 5))
        assert delivery.chained(timeout=20).seq == delivery.offset


async def test_a_stream_longer_than_a_chunk(place):
    threads = set()

    def stream():
        for number in range(1201):
            threads.add(threading.current_thread())
            yield prediction(number)

    with publisher(place, max_in_flight=100) as open_publisher:
        summary = open_publisher.publish_many(stream())
        assert {last.topic for last in summary.last.values()} == {place.topic()}

    assert (summary.published, summary.failed) == (1201, 0)
    assert threads == {threading.main_thread()}
    assert len(await place.records(expected=1201)) == 1201


async def test_errors_come_through(place):
    with publisher(place) as open_publisher:
        with pytest.raises(InvalidEventError):
            open_publisher.publish(prediction(), subject="")
        with pytest.raises(PublishManyError) as caught:
            open_publisher.publish_many([prediction(), prediction().model_copy(update={"label": ""}), prediction()])
        assert caught.value.summary.published == 1
        open_publisher.publish(prediction())


def test_a_failed_start_leaves_no_thread():
    before = threading.active_count()
    nobody = Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:9"))
    with pytest.raises(BrokerUnavailableError), BlockingPublisher(source="u", actor="a", settings=nobody):
        pass
    assert threading.active_count() == before


async def test_several_threads_share_one_publisher(place):
    with publisher(place) as open_publisher:
        threads = [
            threading.Thread(target=lambda: [open_publisher.publish(prediction(n)) for n in range(20)])
            for _ in range(4)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(await place.records(expected=80)) == 80


def test_the_sdk_needs_no_extra():
    heavy = ["faust", "chdb", "numpy", "pyarrow", "sklearn", "typer", "rich"]
    script = f"import sys, modeltrail.sdk; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
