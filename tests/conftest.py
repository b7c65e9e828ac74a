"""What all tests share: a broker and a store of each kind for the whole session, and the size of the fault set."""

import signal

import pytest

from modeltrail.embedded import apache
from modeltrail.embedded.stack import Stack

QUICK_BROKER = {
    "group.min.session.timeout.ms": "500",
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}
"""So that a session ends, a log is compacted or expires, and a transaction is aborted within a second or two."""


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts into the background with SIGINT ignored, and so would every process of the tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    group = parser.getgroup("faults", "real faults on real processes (tests/faults, tests/demo)")
    group.addoption("--faults", choices=("small", "full"), default="small", help="which set of faults to run")
    group.addoption(
        "--faults-scale", type=float, default=1.0, help="factor for repetitions and outages of the full set"
    )
    group.addoption("--faults-seed", type=int, default=None, help="seed of random moments; drawn and printed if absent")


def pytest_collection_modifyitems(config, items):
    """Tests marked `full` belong to the whole set only."""
    if config.getoption("--faults") == "full":
        return
    skip = pytest.mark.skip(reason="of the whole set: --faults=full")
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(skip)


def require(kind):
    why = apache.available() if kind == "apache" else None
    if why:
        pytest.skip(f"Apache Kafka is not available: {why}")


@pytest.fixture(scope="session")
def stacks(tmp_path_factory):
    """Start each kind of stack when it is first asked for."""
    running = {}

    def get(kind):
        require(kind)
        if kind not in running:
            properties = QUICK_BROKER if kind == "apache" else None
            stack = Stack(tmp_path_factory.mktemp(f"stack-{kind}"), broker=kind, broker_properties=properties)
            stack.start()
            running[kind] = stack
        return running[kind]

    yield get
    for stack in running.values():
        stack.stop()


@pytest.fixture
def apache_stack(stacks):
    """Apache Kafka itself, for what the embedded broker cannot do: transactions, retention, deletion."""
    return stacks("apache")
