"""`modeltrail publish`: good lines arrive, bad lines are named."""

import gzip
import json
import os
import signal
import subprocess
import sys

import pytest

from modeltrail.cli import lines as lines_module
from modeltrail.cli.lines import LineSource
from modeltrail.errors import ConfigurationError
from modeltrail.events.judge import judge
from tests.sdk.conftest import Installation


def line(number=0, *, without=(), **more):
    event = {
        "type": "modeltrail.prediction.recorded.v1",
        "source": "urn:test",
        "actor": "tester",
        "data": {
            "prediction_id": f"p-{number}",
            "item_id": f"item-{number}",
            "model_id": "m",
            "model_version": "1",
            "kind": "binary",
            "label": "late",
        },
        **more,
    }
    return json.dumps({name: value for name, value in event.items() if name not in without})


@pytest.fixture
def env(place):
    return {
        "MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS": place.broker.bootstrap_servers,
        "MODELTRAIL_TOPICS__PREFIX": place.prefix,
    }


@pytest.fixture
def file(tmp_path):
    def write(*texts, name="events.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(texts))
        return str(path)

    return write


async def test_every_line_is_published_and_the_summary_says_so(modeltrail, env, file, place):
    path = file(*(line(number) for number in range(300)), "", "  ")
    outcome = modeltrail("publish", path, "--json", env=env)
    assert outcome.code == 0
    summary = outcome.document
    assert (summary["published"], summary["failed"], summary["topics"]) == (300, 0, {place.topic(): 300})
    assert summary["seconds"] > 0
    records = await place.records(expected=300)
    judged = [judge(record.topic, record.key, record.headers, record.value) for record in records]
    assert {found.status for found in judged} == {"valid"}
    assert len({found.id for found in judged}) == 300

    plain = modeltrail("publish", path, env=env)
    assert "300 published, 0 failed" in plain.out
    assert "\x1b" not in plain.out + plain.err


async def test_the_first_bad_line_ends_it_and_what_came_before_is_published(modeltrail, env, file, place):
    path = file(line(1), line(2), line(3, data={"prediction_id": 5}), line(4))
    outcome = modeltrail("publish", path, "--json", env=env)
    assert outcome.code == 1
    assert outcome.document["published"] == 2
    (error,) = outcome.document["errors"]
    assert (error["line"], error["field"]) == (3, "data.prediction_id")
    assert outcome.document["error"]["exit_code"] == 1
    assert "line 3: data.prediction_id: 5: must be a string" in outcome.err
    assert len(await place.records(expected=2)) == 2


async def test_keep_going_names_every_bad_line(modeltrail, env, file, place):
    path = file(line(1), "{", line(2), '{"a": 1, "a": 2}', "[]", line(3, without=["source"]), line(4))
    outcome = modeltrail("publish", path, "--keep-going", "--json", env=env)
    assert outcome.code == 1
    assert [error["line"] for error in outcome.document["errors"]] == [2, 4, 5, 6]
    assert [error["field"] for error in outcome.document["errors"]] == ["value", "value", "line", "source"]
    assert outcome.document["published"] == 3
    assert len(await place.records(expected=3)) == 3


async def test_source_and_actor_stand_in_where_a_line_names_none(modeltrail, env, file, place):
    path = file(line(1, without=["source", "actor"]), line(2))
    assert modeltrail("publish", path, "--source", "urn:mine", "--actor", "me", env=env).code == 0
    judged = [judge(r.topic, r.key, r.headers, r.value) for r in await place.records(expected=2)]
    assert {(found.source, found.actor) for found in judged} == {("urn:mine", "me"), ("urn:test", "tester")}


async def test_a_dry_run_needs_no_broker_and_finds_the_same(modeltrail, file):
    path = file(line(1), line(2, type="modeltrail.predicton.recorded.v1"), line(3))
    env = {"MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    outcome = modeltrail("publish", path, "--dry-run", "--keep-going", "--json", env=env)
    assert outcome.code == 1
    assert (outcome.document["valid"], outcome.document["published"]) == (2, 0)
    assert "did you mean 'modeltrail.prediction.recorded.v1'" in outcome.err


async def test_gzip_and_standard_input(modeltrail, env, tmp_path, place):
    packed = gzip.compress((line(1) + "\n").encode()) + gzip.compress(line(2).encode())
    (tmp_path / "events").write_bytes(packed)
    assert modeltrail("publish", "events", env=env).code == 0
    assert modeltrail("publish", data=packed, env=env).code == 0
    assert modeltrail("publish", "-", data=line(3).encode() + b"\r\n", env=env).code == 0
    assert len(await place.records(expected=5)) == 5


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:40] + bytes(20) + data[60:]])
async def test_damaged_gzip_is_said_after_what_could_be_read(modeltrail, env, tmp_path, damage):
    packed = gzip.compress("\n".join(line(number) for number in range(5000)).encode())
    (tmp_path / "events.gz").write_bytes(damage(packed))
    outcome = modeltrail("publish", "events.gz", "--json", env=env)
    assert outcome.code == 2
    assert "events.gz: " in outcome.document["error"]["message"]


def test_a_file_that_cannot_be_read(modeltrail, tmp_path):
    for name, reason in (("nowhere.jsonl", "No such file"), (str(tmp_path), "Is a directory")):
        outcome = modeltrail("publish", name)
        assert outcome.code == 2
        assert reason in outcome.err
        assert len(outcome.err.splitlines()) == 1


def test_no_broker_is_one_line_and_5(modeltrail, file):
    outcome = modeltrail("publish", file(line()), "--set", "kafka.bootstrap_servers=127.0.0.1:9")
    assert outcome.code == 5
    assert outcome.err.startswith("modeltrail: nothing listens at 127.0.0.1:9")
    assert len(outcome.err.splitlines()) == 1


async def test_missing_topics_are_one_line_that_says_what_to_do(modeltrail, env, file):
    outcome = modeltrail("publish", file(line(), line()), "--keep-going", env={**env, "MODELTRAIL_TOPICS__PREFIX": "x"})
    assert outcome.code == 2
    (said,) = [text for text in outcome.err.splitlines() if text.startswith("line ")]
    assert said == "line 1: the broker has no topic x.predictions: create the topics first: modeltrail topics create"


async def test_a_pipe_is_published_as_it_comes_and_ctrl_c_ends_it(env, tmp_path, place):
    child = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "modeltrail.cli.main", "publish", "-"],
        env={**os.environ, **env}, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with child:
        child.stdin.write(line(1) + "\n")
        child.stdin.flush()
        while not await place.records():
            pass
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=15) == 130
        errors = child.stderr.read()
        child.stdin.close()
    assert errors.splitlines()[-2:] == ["1 events are published, everything up to line 1", "modeltrail: interrupted"]
    assert "Traceback" not in errors


async def read(path):
    with LineSource(str(path)) as source:
        return [found async for found in source.lines()]


@pytest.mark.parametrize("chunk", [1, 3, 64])
async def test_lines_do_not_depend_on_how_they_are_read(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(lines_module, "_CHUNK", chunk)
    for pack in (bytes, gzip.compress):
        (tmp_path / "f").write_bytes(pack(b"one\r\n\n two\n \nthree"))
        assert await read(tmp_path / "f") == [(1, b"one"), (3, b" two"), (5, b"three")]


async def test_an_endless_line_is_cut_and_the_next_one_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lines_module, "_CHUNK", 8)
    monkeypatch.setattr(lines_module, "LINE_MAX", 20)
    (tmp_path / "f").write_bytes(b"one\n" + b"x" * 200 + b"\nthree\n" + b"y" * 200)
    found = await read(tmp_path / "f")
    assert [number for number, _ in found] == [1, 2, 3, 4]
    assert found[0].text == b"one"
    assert 20 < len(found[1].text) < 40
    assert found[2].text == b"three"


async def test_a_file_that_stops_being_readable(tmp_path):
    (tmp_path / "f").write_bytes(b"")
    with LineSource(str(tmp_path / "f")) as source:
        os.close(source._file)
        source._file = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(ConfigurationError, match="cannot be read"):
            [found async for found in source.lines()]


async def test_a_broker_that_dies_is_said_once_with_the_first_line_that_is_not_durable(env, tmp_path, own_broker):
    installation = Installation(own_broker, "modeltrail")
    await installation.create()
    address = {"MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS": own_broker.bootstrap_servers}
    options = ["--set", "sdk.request_timeout_s=2", "--keep-going", "--json"]
    child = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "modeltrail.cli.main", "publish", "-", *options],
        env={**os.environ, **address}, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        child.stdin.write(line(1) + "\n")
        child.stdin.flush()
        while not await installation.records():
            pass
        own_broker.kill()
        out, errors = child.communicate("".join(line(number) + "\n" for number in range(2, 50)), timeout=30)
    document = json.loads(out.splitlines()[-1])
    assert child.returncode == 1
    assert (document["published"], document["failed"]) == (1, 48)
    assert [error["line"] for error in document["errors"]] == [2]
    assert document["error"]["kind"] == "NotDurableError"
    assert "... and 47 more lines that failed" in errors
