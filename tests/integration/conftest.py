"""A fresh installation for each test, on a broker and a store that the session shares."""

import pytest

from tests.integration.installation import Installation

BROKERS = [pytest.param("tansu", id="tansu"), pytest.param("apache", id="apache", marks=pytest.mark.kafka)]


@pytest.fixture(params=BROKERS)
def stack(request, stacks):
    """The embedded broker, then Apache Kafka itself."""
    return stacks(request.param)


@pytest.fixture
def installation(stack, tmp_path):
    with Installation(stack, tmp_path) as prepared:
        yield prepared


@pytest.fixture
def on_apache(apache_stack, tmp_path):
    with Installation(apache_stack, tmp_path) as prepared:
        yield prepared
