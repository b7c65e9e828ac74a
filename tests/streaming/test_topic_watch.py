"""What a worker tells of settings that somebody changed: once, in words, by one worker."""

from modeltrail.streaming.topic_watch import TopicWatch

GOOD = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime", "retention.ms": "604800000"}
TOPIC = "modeltrail.predictions"


def told(watch, settings, mine=(TOPIC,)):
    return [(c.topic, c.setting, c.before, c.now, c.severity) for c in watch.look(settings, mine)]


def test_nothing_is_told_of_what_is_as_it_should_be():
    watch = TopicWatch()
    assert told(watch, {TOPIC: GOOD}) == []
    assert told(watch, {TOPIC: GOOD}) == []


def test_what_was_wrong_before_the_worker_came_is_told_once():
    watch = TopicWatch()
    wrong = {TOPIC: GOOD | {"cleanup.policy": "compact,delete"}}
    assert told(watch, wrong) == [(TOPIC, "cleanup.policy", "", "compact,delete", "critical")]
    assert told(watch, wrong) == []


def test_a_change_is_told_with_what_it_was_before_and_again_when_it_comes_back():
    watch = TopicWatch()
    told(watch, {TOPIC: GOOD})
    wrong = {TOPIC: GOOD | {"message.timestamp.type": "CreateTime"}}
    assert told(watch, wrong) == [(TOPIC, "message.timestamp.type", "LogAppendTime", "CreateTime", "critical")]
    assert told(watch, {TOPIC: GOOD}) == [(TOPIC, "message.timestamp.type", "CreateTime", "LogAppendTime", "warning")]
    assert [change[-1] for change in told(watch, wrong)] == ["critical"]


def test_a_shorter_retention_is_a_warning():
    watch = TopicWatch()
    told(watch, {TOPIC: GOOD})
    assert told(watch, {TOPIC: GOOD | {"retention.ms": "1"}}) == [(TOPIC, "retention.ms", "604800000", "1", "warning")]


def test_whoever_takes_a_topic_over_tells_what_is_wrong_with_it():
    watch = TopicWatch()
    wrong = {TOPIC: GOOD | {"unclean.leader.election.enable": "true"}}
    assert told(watch, wrong, mine=()) == []
    assert len(told(watch, wrong)) == 1


def test_a_topic_that_the_broker_told_nothing_of_is_remembered_as_it_was():
    watch = TopicWatch()
    told(watch, {TOPIC: GOOD})
    assert told(watch, {}) == []
    assert len(told(watch, {TOPIC: GOOD | {"retention.ms": "1"}})) == 1


def test_the_alert_of_one_condition_has_one_id_and_says_what_it_does():
    (first,), (second,) = (
        TopicWatch().look({TOPIC: {"cleanup.policy": "compact"}}, [TOPIC]),
        TopicWatch().look({TOPIC: {"cleanup.policy": "compact"}}, [TOPIC]),
    )
    event = first.event("cluster", 1_700_000_000_000)
    assert event.id == second.event("cluster", 1_800_000_000_000).id
    assert event.data.kind == "topic_setting_changed"
    assert "records vanish from the middle" in event.data.message
