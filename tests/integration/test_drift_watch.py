"""Workers of both roles on a real broker and store: what they say of a model is what the ledger says."""

import asyncio
import random

import pytest

from tests.integration.drift_year import (
    MODELS,
    MONTHS,
    all_said,
    checks_of,
    configure,
    end,
    predictions,
    raised,
    records,
)
from tests.integration.installation import http_get, until


async def test_a_year_from_baseline_to_alert(installation):
    installation.worker()
    watcher = installation.worker(role="drift")
    await configure(installation)
    await installation.produce(list(records(predictions())))
    await end(installation)
    events = await all_said(installation)
    assert len(checks_of(events)) >= MONTHS * len(MODELS)
    (alert,) = [each for each in raised(events) if "resolved" not in each["message"]]
    assert alert["subject"] == "delays"
    assert "`a` moved" in alert["message"]
    await until(watcher.ready, what="the drift worker ready")
    assert 'modeltrail_drift_checks_total{kind="drift",status="completed"}' in http_get(f"{watcher.url}/metrics")[1]
    assert watcher.stop() == 0
    assert list(watcher.folder.iterdir()) == []


@pytest.mark.kafka
async def test_workers_that_die_and_share_anew_and_a_broker_that_restarts_change_nothing(on_apache):
    rng = random.Random(7)
    on_apache.worker()
    watchers = [on_apache.worker(role="drift"), on_apache.worker(role="drift")]
    await configure(on_apache)
    events = list(records(predictions(a_month=180)))
    parts = 3
    for part in range(parts):
        await until(lambda: all(worker.ready() for worker in on_apache.workers if worker.alive), what="all ready")
        await on_apache.produce(events[part * len(events) // parts : (part + 1) * len(events) // parts])
        if part == 1:
            on_apache.stack.broker.kill()
            await asyncio.to_thread(on_apache.stack.broker.start)
        await asyncio.sleep(rng.uniform(0.2, 3))  # the moment is drawn; whatever it is, nothing may come of it
        victim = rng.choice(watchers)
        victim.kill()
        watchers.remove(victim)
        watchers.append(on_apache.worker(role="drift"))
    await end(on_apache)
    await all_said(on_apache)
    assert [watcher.stop() for watcher in watchers] == [0, 0]
