"""Two brokers and a controller: leaders and coordinators move, or there is no leader at all."""

import asyncio
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.faults.cluster import BROKERS, Cluster
from tests.faults.exact import assert_undisturbed, finish
from tests.faults.logs import epoch_reached
from tests.faults.test_broker import flow, more_is_chained
from tests.integration.events_for_tests import predictions
from tests.integration.installation import until

pytestmark = [pytest.mark.kafka, pytest.mark.full]


@pytest.fixture
def cluster(apache_stack, tmp_path):
    with Cluster(tmp_path / "cluster", apache_stack) as running:
        yield running


async def test_the_leader_changes_again_and_again(install, cluster, faults):
    here = install(partitions=4, stack=cluster)
    workers = [here.worker(), here.worker()]
    async with flow(here):
        for number in range(faults.times(1, 6)):
            await more_is_chained(here)
            node = cluster.nodes[BROKERS[number % 2]]
            if number % 3 == 2:
                await asyncio.to_thread(node.stop)  # in order: leaders move before it goes
            else:
                node.kill()
            await more_is_chained(here)
            await asyncio.to_thread(node.start)
            await cluster.in_sync()
        await more_is_chained(here)
    assert all(worker.alive for worker in workers)
    assert workers[0].stop() == 0
    await finish(here, workers[1])
    await assert_undisturbed(here)


async def test_partitions_that_nobody_leads_hold_up_no_others(install, cluster):
    here = install(partitions=6, stack=cluster)
    await here.admin(lambda client: client.delete_topics([here.topic()]))
    await until(lambda: gone(here), what="the topic gone")
    cluster.create_unreplicated(here.topic(), [2, 3, 3, 3, 3, 2])
    await here.produce(predictions(600))
    await cluster.in_sync()
    cluster.nodes[3].kill()
    await until(lambda: leaderless(here, 4), what="four partitions without a leader")
    began = time.monotonic()
    worker = here.worker()
    for number in (0, 5):
        await epoch_reached(here, here.partition(number), 0, 99)
    # Each of the four takes a question's whole patience, 20 s, if somebody waits for it.
    assert time.monotonic() - began < 40
    assert not worker.ready()
    await asyncio.to_thread(cluster.nodes[3].start)
    await finish(here, worker)
    await assert_undisturbed(here)


async def gone(here):
    return here.topic() not in await here.admin(lambda client: client.list_topics())


async def leaderless(here, count):
    admin = AIOKafkaAdminClient(bootstrap_servers=here.stack.bootstrap_servers)
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([here.topic()])
    except KafkaError:  # it asked the one that is dead
        return False
    finally:
        await admin.close()
    return sum(partition["leader"] < 0 for partition in topic["partitions"]) == count
