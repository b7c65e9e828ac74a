"""Topics are there when they are said to be created."""

import pytest

from modeltrail.errors import ConfigurationError
from modeltrail.streaming.topics import _known


class SlowToHear:
    """The one question of an admin client that `_known` asks, to a broker that hears of a topic with the third."""

    def __init__(self) -> None:
        self.asked = 0

    async def list_topics(self) -> list[str]:
        self.asked += 1
        return ["old", "new"] if self.asked >= 3 else ["old"]


async def test_a_topic_is_waited_for_until_the_broker_tells_of_it():
    broker = SlowToHear()
    await _known(broker, {"new", "old"})
    assert broker.asked == 3


async def test_a_topic_that_stays_hidden_is_named_with_the_right_that_may_be_missing():
    with pytest.raises(ConfigurationError, match=r"created hidden and does not tell of it .* describe"):
        await _known(SlowToHear(), {"old", "hidden"}, within_s=0.1)
