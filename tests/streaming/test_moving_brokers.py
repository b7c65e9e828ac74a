"""An answer that is an error as a whole is an error, and nobody is asked for ever who does not answer."""

import types

import aiokafka
import pytest
from aiokafka.errors import GroupLoadInProgressError, NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchResponse_v3

from modeltrail.embedded.tansu import TansuBroker
from modeltrail.streaming import moving_brokers


@pytest.mark.parametrize(
    ("code", "error", "dead"), [(14, GroupLoadInProgressError, False), (16, NotCoordinatorForGroupError, True)]
)
async def test_a_coordinator_that_moves_or_loads_does_not_say_that_nothing_was_committed(code, error, dead):
    asked = types.SimpleNamespace(group_id="g", coordinator_id=1, dead=False)

    async def send(node, request, *, group):
        return OffsetFetchResponse_v3(0, [], code)

    asked._client = types.SimpleNamespace(send=send)
    asked.coordinator_dead = lambda: setattr(asked, "dead", True)
    with pytest.raises(error):
        await moving_brokers._send_and_check(asked, OffsetFetchRequest("g", [("t", [0])]))
    assert asked.dead is dead


async def test_a_client_whose_brokers_are_all_gone_asks_the_first_addresses_again(tmp_path):
    moving_brokers.install()
    first, second = TansuBroker(tmp_path / "first"), TansuBroker(tmp_path / "second")
    first.start()
    second.start()
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=f"{first.bootstrap_servers},{second.bootstrap_servers}")
    try:
        await consumer.start()
        first.kill()  # the only one that it has been told of
        assert await consumer._client.force_metadata_update()
        assert [broker.port for broker in consumer._client.cluster.brokers()] == [second.port]
    finally:
        await consumer.stop()
        first.stop()
        second.stop()
