"""A broker and a store for the whole session, of each kind; a fresh installation on them for each test."""

import pytest

from modeltrail.embedded import apache
from modeltrail.embedded.stack import Stack
from tests.integration.installation import Installation

BROKERS = [pytest.param("tansu", id="tansu"), pytest.param("apache", id="apache", marks=pytest.mark.kafka)]


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
            stack = Stack(tmp_path_factory.mktemp(f"stack-{kind}"), broker=kind)
            stack.start()
            running[kind] = stack
        return running[kind]

    yield get
    for stack in running.values():
        stack.stop()


@pytest.fixture(params=BROKERS)
def stack(request, stacks):
    """The embedded broker, then Apache Kafka itself."""
    return stacks(request.param)


@pytest.fixture
def apache_stack(stacks):
    """Apache Kafka itself, for what the embedded broker cannot do: transactions, retention, deletion."""
    return stacks("apache")


@pytest.fixture
def installation(stack, tmp_path):
    with Installation(stack, tmp_path) as prepared:
        yield prepared


@pytest.fixture
def on_apache(apache_stack, tmp_path):
    with Installation(apache_stack, tmp_path) as prepared:
        yield prepared
