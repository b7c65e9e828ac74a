"""`modeltrail up`: an installation that is started, kept, and put away in order."""

import time
from pathlib import Path
from typing import Any

from modeltrail.demo.installation import Installation, WorkerProcess
from modeltrail.demo.progress import Observer, query
from modeltrail.demo.screen import Screen
from modeltrail.errors import UnavailableError
from modeltrail.storage.client import connect
from modeltrail.storage.server_errors import translated

__all__ = ["addresses", "finish", "keep", "start"]

_READY_S = 90.0
_FINISH_S = 60.0
_LOOK_S = 0.5
_SHORT_LIFE_S = 20.0
"""A worker that ends sooner than this after its start is not started again: it would end again."""


def start(installation: Installation, screen: Screen, *, workers: int) -> None:
    """Start everything, `workers` ledger workers and one drift worker, and return once they have their partitions.

    Raises what the parts raise, UnavailableError when a worker is not ready after 90 seconds.
    """
    with screen.waiting("broker"):
        installation.start_broker()
    screen.done("broker", f"{installation.stack.bootstrap_servers}  {installation.broker_name}")
    topics = installation.create_topics()
    screen.done("topics", f"{len(topics)} topics, {sum(topics.values())} partitions")
    with screen.waiting("store"):
        installation.start_store()
    screen.done("store", f"{installation.stack.clickhouse.url}  the ClickHouse engine (chDB), for development")
    with screen.waiting("schema"):
        migrations = installation.migrate()
    screen.done("schema", f"{migrations} migrations applied" if migrations else "current")
    chains = _chains(installation)
    if chains:
        screen.done("ledger", f"{chains} chains are there already")
        if installation.memory_only:
            screen.more("The local broker begins with an empty log: each goes on in a new epoch, which is normal here.")
    started = [*(installation.start_worker() for _ in range(workers)), installation.start_worker("drift")]
    with screen.waiting("workers join their consumer groups"):
        _await_ready(installation, started)
    for worker in started:
        screen.done(worker.name, f"pid {worker.pid}  health and metrics on {worker.address}")


def _chains(installation: Installation) -> int:
    client = connect(installation.settings().clickhouse)
    try:
        with translated():
            return int(client.query(query("chain_count")).first_row[0])
    finally:
        client.close()


def _await_ready(installation: Installation, workers: list[WorkerProcess]) -> None:
    deadline = time.monotonic() + _READY_S
    while not all(worker.ready for worker in workers):
        installation.check()
        if time.monotonic() > deadline:
            logs = ", ".join(str(worker.child.log) for worker in workers)
            raise UnavailableError(f"the workers were not ready after {_READY_S:.0f} s (log: {logs})")
        time.sleep(0.1)


def addresses(installation: Installation) -> dict[str, Any]:
    """Return what `modeltrail up --json` prints."""
    store = installation.stack.clickhouse
    return {
        "directory": str(installation.directory),
        "config": str(installation.settings_file),
        "bootstrap_servers": installation.stack.bootstrap_servers,
        "memory_only": installation.memory_only,
        "clickhouse": {"host": store.host, "port": store.port, "database": store.database},
        "credentials": str(credentials_file(installation)),
        "workers": [{"pid": worker.pid, "address": worker.address} for worker in installation.workers],
        "drift_workers": [{"pid": worker.pid, "address": worker.address} for worker in installation.watchers],
    }


def credentials_file(installation: Installation) -> Path:
    """Return where the store keeps its users and their passwords."""
    return installation.stack.clickhouse.directory / "credentials.json"


def keep(installation: Installation, screen: Screen) -> None:
    """Watch over the processes until an exception ends it; a worker that ends is started again.

    Raises UnavailableError when broker or store end by themselves, or a worker ends right after its start.
    """
    while True:
        time.sleep(_LOOK_S)
        for worker in [worker for worker in installation.processes if not worker.child.running]:
            if worker.age_s < _SHORT_LIFE_S:
                installation.check()
            screen.struck(worker.name, f"ended with exit code {worker.child.returncode}; starting it again")
            worker.start()
            screen.done(worker.name, f"pid {worker.pid}")
        installation.check()


def finish(installation: Installation, screen: Screen) -> None:
    """Let the workers chain what is published by now, and stop everything in order.

    The local broker forgets its log when it ends, so what is not chained by then was published in vain.
    """
    left = 0
    with screen.waiting("stopping: the workers finish what was published; Ctrl-C again stops at once"):
        if installation.memory_only:
            left = _await_chained(installation)
        installation.stop()
    if left:
        screen.struck("stopped", f"{left:,} records were not chained in time; they are gone with the local broker")
    elif installation.memory_only:
        screen.done("stopped", f"all that was published is chained; the ledger stays in {installation.directory}")
    else:
        screen.done("stopped", f"log and ledger stay in {installation.directory}; the next start goes on from there")


def _await_chained(installation: Installation) -> int:
    """Return how many of the records that are in the log now were not chained within a minute."""
    deadline = time.monotonic() + _FINISH_S
    with Observer(installation.settings(), cluster=installation.stack.broker.cluster_id) as observer:
        wanted = observer.look(exact=True).ends
        while True:
            chained = observer.look().chained
            left = sum(max(0, end - chained.get(partition, 0)) for partition, end in wanted.items())
            if not left or time.monotonic() > deadline:
                return left
            installation.check()
            time.sleep(_LOOK_S)
