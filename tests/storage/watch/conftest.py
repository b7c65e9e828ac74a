"""A reader of the shared database."""

import pytest

from modeltrail.storage.watch.reader import Reader


@pytest.fixture
def reader(client):
    return Reader(client)
