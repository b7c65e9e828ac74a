"""Installations for faults: on the session's Apache Kafka and store, with short timeouts, behind a proxy if wanted.

See README.md for the table of faults, the two sizes of the set, and how to write a fault.
"""

import os
import random
from pathlib import Path

import pytest

from tests.faults.proxy import StoreProxy
from tests.integration.installation import Installation

SHORT = {
    # What a new epoch waits out: the longest time that a late insert can take.
    "MODELTRAIL_KAFKA__MEMORY_ONLY": "false",
    "MODELTRAIL_WORKER__INSERT_TIMEOUT_S": "5",
    "MODELTRAIL_WORKER__SESSION_TIMEOUT_S": "2",
    "MODELTRAIL_WORKER__HEARTBEAT_S": "0.4",
    "MODELTRAIL_WORKER__DRAIN_S": "2",
    "MODELTRAIL_WORKER__FAMILIES": "predictions,alerts",
}


class Faults:
    """The size of the set, and where its chance comes from."""

    def __init__(self, config):
        self.full = config.getoption("--faults") == "full"
        self.scale = config.getoption("--faults-scale")
        given = config.getoption("--faults-seed")
        self.seed = random.SystemRandom().randrange(2**32) if given is None else given
        self.random = random.Random(self.seed)

    def times(self, small, full):
        """How often, in the small set and in the whole one (which `--faults-scale` multiplies)."""
        return max(1, round(full * self.scale)) if self.full else small

    def seconds(self, small, full):
        """How long, likewise."""
        return full * self.scale if self.full else small


@pytest.fixture
def faults(request):
    """Size and seed; the seed is printed with a failure, and `--faults-seed` repeats its choices."""
    chosen = Faults(request.config)
    print(f"--faults-seed={chosen.seed}")  # noqa: T201 - shown by pytest when the test fails
    return chosen


@pytest.fixture
def on_disk(apache_stack, tmp_path):
    """An installation of one partition on a broker that keeps its log, with short timeouts."""
    with Installation(apache_stack, tmp_path, partitions=1, extra_env=SHORT) as prepared:
        yield prepared


@pytest.fixture
def install(apache_stack, tmp_path, faults):
    """Make an installation with as many partitions and settings as wanted; short timeouts, a log on disk."""
    made = []

    def make(*, partitions=2, stack=None, **settings):
        extra = {f"MODELTRAIL_{name}": str(value) for name, value in settings.items()}
        folder = tmp_path / f"installation-{len(made)}"
        folder.mkdir()
        made.append(Installation(stack or apache_stack, folder, partitions=partitions, extra_env=SHORT | extra))
        made[-1].thorough = faults.full
        return made[-1].prepare()

    yield make
    for installation in made:
        installation.close()


@pytest.fixture
def store_proxy(apache_stack, faults):
    """A proxy before the session's store. Give workers `**through(store_proxy)`."""
    with StoreProxy(apache_stack.clickhouse.port, seed=faults.seed) as proxy:
        yield proxy


def through(proxy):
    """The environment by which a worker reaches the store through a proxy."""
    return {"MODELTRAIL_CLICKHOUSE__PORT": str(proxy.port)}


def doomed(installation, *fates, **more_env):
    """Start a worker that ends or freezes at named points of the commit path; see commit_points.py."""
    root = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    return installation.worker(module="tests.faults.doomed_worker", DOOM=",".join(fates), PYTHONPATH=root, **more_env)
