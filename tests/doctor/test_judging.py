"""Judgements that need neither broker nor store."""

import pytest

from modeltrail.doctor.append_time import Probe, judge_append_time
from modeltrail.doctor.broker import Cluster, Partition, Topic, judge_auto_create, judge_cluster_id
from modeltrail.doctor.findings import (
    CHECKS,
    Findings,
    Outcome,
    Report,
    failed,
    passed,
    refused,
    skipped,
    warned,
    worst_of,
)
from modeltrail.doctor.log_ends import GroupProgress, LogEnd, judge_lag
from modeltrail.doctor.measures import GIB, ClockReading, judge_clock, judge_disk, local_disk
from modeltrail.doctor.rights import Rights, UserRole, judge
from modeltrail.doctor.topics import judge_topics
from modeltrail.errors import AccessError, BrokerUnavailableError, ConfigurationError
from modeltrail.events.registry import AUDITED_FAMILIES
from modeltrail.settings import Settings
from modeltrail.settings.model import Kafka
from modeltrail.streaming.topics import required_topics

SETTINGS = Settings()
MEMORY_ONLY = Settings(kafka=Kafka(memory_only=True))
GOOD = {
    "cleanup.policy": "delete",
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "retention.ms": "604800000",
    "retention.bytes": "-1",
}


THREE = Partition(0, 1, [1, 2, 3], [1, 2, 3])


def cluster(*, partition=THREE, cluster_id="c", config=None, **changed):
    own = {name.replace("_", "."): value for name, value in changed.items()}
    topics = {name: Topic(name, [partition], GOOD | own) for name in required_topics(SETTINGS)}
    return Cluster(cluster_id, [1, 2, 3], topics, config or {}, "the broker does not tell it", 1)


def of(check, facts, settings=SETTINGS):
    return next(finding for finding in judge_topics(facts, settings) if finding.check == check)


def test_three_replicas_and_two_in_sync_pass_everything():
    assert {finding.outcome for finding in judge_topics(cluster(), SETTINGS)} == {Outcome.PASS}


@pytest.mark.parametrize(
    ("partition", "minimum", "outcome", "says"),
    [
        (Partition(0, -1, [1, 2, 3], []), "2", "fail", "no leader"),
        (Partition(0, 1, [1, 2, 3], [1, 2]), "2", "warn", "behind"),
        (THREE, "1", "warn", "durable on one of 3"),
        (THREE, "3", "warn", "one broker down stops publishing"),
        (THREE, "4", "fail", "nothing can be published"),
        (THREE, None, "skipped", "min.insync.replicas"),
        (Partition(0, 1, [1], [1]), "1", "warn", "one replica"),
    ],
)
def test_replicas_are_judged_against_min_insync_replicas(partition, minimum, outcome, says):
    finding = of("topics.replication", cluster(partition=partition, min_insync_replicas=minimum))
    assert finding.outcome == outcome
    assert says in finding.detail


def test_one_replica_is_no_surprise_on_a_broker_that_is_declared_memory_only():
    facts = cluster(partition=Partition(0, 1, [1], [1]), min_insync_replicas="1")
    assert of("topics.replication", facts, MEMORY_ONLY).outcome == "pass"


def test_topics_of_which_the_same_is_said_are_named_together():
    finding = of("topics.cleanup_policy", cluster(cleanup_policy="compact"))
    assert finding.outcome == "fail"
    assert finding.detail.count("compacted") == 1
    assert f"and {len(AUDITED_FAMILIES) - 3} more" in finding.detail
    assert "--topic TOPIC" in finding.fix


@pytest.mark.parametrize(
    ("cluster_id", "outcome"),
    [("abc-_9", "pass"), (None, "fail"), ("", "fail"), ("a/b", "fail"), ("a b", "fail"), ("tansu_cluster", "warn")],
)
def test_an_id_must_be_fit_for_the_name_of_a_chain(cluster_id, outcome):
    assert judge_cluster_id(cluster(cluster_id=cluster_id)).outcome == outcome


@pytest.mark.parametrize(("value", "outcome"), [("true", "warn"), ("false", "pass"), (None, "skipped")])
def test_creating_topics_by_asking_for_them_is_a_warning(value, outcome):
    facts = cluster(config={"auto.create.topics.enable": value} if value else {})
    assert judge_auto_create(facts).outcome == outcome


def end(family, kind, begin=0, last=1):
    return LogEnd(f"modeltrail.{family}", 0, begin, last, kind)


READING = ClockReading(0, 5, 10)


@pytest.mark.parametrize(
    ("probe", "ends", "settings", "outcome"),
    [
        (Probe(True, (READING,)), [], SETTINGS, "pass"),
        (Probe(True, (READING,)), [end("runs", 1)], SETTINGS, "pass"),
        (Probe(True, (READING,)), [end("runs", 0)], SETTINGS, "fail"),
        (Probe(True, (READING,)), [end("runs", 0)], MEMORY_ONLY, "fail"),
        (Probe(True, (READING,), "left"), [end("runs", 1)], SETTINGS, "warn"),
        (Probe(True, (READING,), "left"), [end("runs", 0)], SETTINGS, "fail"),
        (Probe(False), [end("runs", 1)], SETTINGS, "fail"),
        (Probe(False), [end("runs", 1)], MEMORY_ONLY, "warn"),
        ("not allowed", [end("runs", 1)], SETTINGS, "pass"),
        ("not allowed", [end("runs", 1), end("actions", None)], SETTINGS, "skipped"),
        ("not allowed", [end("runs", 0), end("actions", None)], SETTINGS, "fail"),
        ("not allowed", [end("runs", 0)], MEMORY_ONLY, "warn"),
        ("not allowed", [], SETTINGS, "skipped"),
        ("not allowed", "no answer", SETTINGS, "skipped"),
    ],
)
def test_append_time_is_judged_by_probe_and_newest_records(probe, ends, settings, outcome):
    finding = judge_append_time(probe, ends, settings)
    assert finding.outcome == outcome
    assert bool(finding.fix) == (outcome in {"warn", "fail"})


@pytest.mark.parametrize(
    ("progress", "ends", "outcome", "says"),
    [
        (None, [end("runs", 1, 0, 0)], "skipped", "no group"),
        (None, [end("runs", 1, 0, 7)], "warn", "7 records wait"),
        (
            GroupProgress(1, {("modeltrail.runs", 0): 7}),
            [end("runs", 1, 0, 7)],
            "pass",
            "0 records wait, and the broker lists 1 worker ",
        ),
        (GroupProgress(2, {}), [end("runs", 1, 3, 7)], "pass", "4 records wait, and the broker lists 2 workers"),
        (GroupProgress(0, {("modeltrail.runs", 0): 6}), [end("runs", 1, 0, 7)], "warn", "no worker"),
        (GroupProgress(0, {("modeltrail.runs", 0): 7}), [end("runs", 1, 0, 7)], "pass", "0 workers"),
        (GroupProgress(1, {("modeltrail.runs", 0): 2}), [end("runs", 1, 3, 7)], "warn", "begin beyond"),
    ],
)
def test_lag_is_judged_with_who_works_on_it(progress, ends, outcome, says):
    finding = judge_lag(progress, ends, SETTINGS)
    assert finding.outcome == outcome
    assert says in finding.detail


@pytest.mark.parametrize(
    ("reading", "outcome"),
    [
        (ClockReading(1000, 1005, 1010), "pass"),
        (ClockReading(10_000, 8_999, 10_020), "pass"),  # 1,011 ms behind, give or take 11
        (ClockReading(10_000, 8_998, 10_020), "warn"),
        (ClockReading(10_000, 11_021, 10_020), "pass"),
        (ClockReading(10_000, 11_022, 10_020), "warn"),
        (ClockReading(100_000, 38_998, 100_000), "fail"),
        (ClockReading(100_000, 161_002, 100_000), "fail"),
        (ClockReading(100_000, 160_001, 100_000), "warn"),
        (ClockReading(0, 5_000, 10_000), "pass"),  # the way took ten seconds: nothing is known
    ],
)
def test_a_clock_is_judged_by_the_least_that_its_difference_must_be(reading, outcome):
    finding = judge_clock("clock.store", "ClickHouse", [reading])
    assert finding.outcome == outcome


def test_the_quickest_reading_counts():
    finding = judge_clock("clock.store", "ClickHouse", [ClockReading(0, 5000, 10_000), ClockReading(0, 5000, 2)])
    assert finding.outcome == "warn"
    assert "4,999 ms ahead of" in finding.detail


@pytest.mark.parametrize(("free", "outcome"), [(20 * GIB, "pass"), (9 * GIB, "warn"), (GIB - 1, "fail")])
def test_disk_is_judged_by_what_is_free(free, outcome):
    finding = judge_disk("store.disk", "here", free, 100 * GIB, warn_below=10 * GIB, fail_below=GIB)
    assert finding.outcome == outcome


def test_a_directory_that_is_not_there_is_skipped(tmp_path):
    assert local_disk(tmp_path / "nowhere").outcome == "skipped"


@pytest.mark.parametrize("role", [None, *UserRole])
def test_nobody_may_rewrite_the_ledger(role):
    assert judge(Rights(append=True, rewrite=True, redefine=True), "root", role).outcome == "fail"


def test_the_worst_part_speaks_for_all():
    parts = [passed("topics.exist", "a"), skipped("topics.exist", "b")]
    assert worst_of("topics.exist", parts, otherwise="fine") == skipped("topics.exist", "b")
    parts += [warned("topics.exist", "c", "do c")]
    assert worst_of("topics.exist", parts, otherwise="fine") == warned("topics.exist", "c", "do c")
    parts += [failed("topics.exist", "d", "do d"), failed("topics.exist", "e", "do d")]
    assert worst_of("topics.exist", parts, otherwise="fine") == failed("topics.exist", "d; e", "do d")
    assert worst_of("topics.exist", parts[:1], otherwise="fine") == passed("topics.exist", "fine")


def test_each_check_is_found_once_and_none_is_left_out():
    found = Findings()
    found.add(passed("local.disk", "fine"))
    with pytest.raises(ValueError, match=r"local\.disk"):
        found.add(passed("local.disk", "fine"))
    with pytest.raises(ValueError, match="each known check once"):
        found.add(passed("local.dusk", "fine"))
    with pytest.raises(KeyError):
        found.report()
    found.fill(CHECKS, "nobody looked")
    report = found.report()
    assert [finding.check for finding in report.findings] == list(CHECKS)
    assert report.count(Outcome.SKIPPED) == len(CHECKS) - 1
    assert (report.outcome, report.exit_code) == (Outcome.PASS, 0)


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], 0),
        ([BrokerUnavailableError("down")], 5),
        ([BrokerUnavailableError("down"), AccessError("no")], 2),
        ([ConfigurationError("wrong")], 2),
    ],
)
def test_the_exit_code_is_that_of_what_cannot_wait(errors, code):
    findings = [refused("broker.connection", error) for error in errors]
    assert Report((*findings, passed("local.disk", "fine"))).exit_code == code
    with_failure = Report((*findings, failed("topics.exist", "missing", "create")))
    assert with_failure.exit_code == (code or 1)


def test_nothing_but_skipped_is_not_a_pass():
    assert Report((skipped("local.disk", "why"),)).outcome is Outcome.SKIPPED
