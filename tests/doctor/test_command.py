"""`modeltrail doctor` as users run it: exit codes, both forms of output, and an end in bounded time."""

import contextlib
import json
import socket
import subprocess
import sys
import time

import pytest

from modeltrail.doctor import CHECKS

CLOSED = "127.0.0.1:1"


def run(installation, *arguments, **own):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "modeltrail.cli.main", "doctor", *arguments],
        env=installation.env(**own),
        cwd=installation.directory,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert time.monotonic() - began < 15
    assert "Traceback" not in done.stderr
    return done


def findings(done):
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    document = json.loads(lines[0])
    assert document["exit_code"] == done.returncode
    assert [check["check"] for check in document["checks"]] == list(CHECKS)
    assert sum(document[word] for word in ("passed", "warned", "failed", "skipped")) == len(CHECKS)
    for check in document["checks"]:
        assert check["detail"]
        assert bool(check["fix"]) == (check["outcome"] in {"warn", "fail"}), check
        assert "\n" not in check["detail"] + check["fix"]
    return {check["check"]: check for check in document["checks"]}


@contextlib.contextmanager
def silent_ports(count):
    """Addresses where somebody takes the connection and says nothing."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
            one.listen(16)
        yield [one.getsockname()[1] for one in sockets]


def test_a_healthy_installation_ends_with_0(shared):
    done = run(shared, "--json")
    assert done.returncode == 0
    found = findings(done)
    assert found["store.schema"]["outcome"] == "pass"


def test_people_see_a_table_what_to_do_and_a_summary(shared):
    done = run(shared, MODELTRAIL_TOPICS__PREFIX="elsewhere")
    assert done.returncode == 1
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0].split() == ["result", "check", "found"]
    assert any(line.startswith("fail") and "elsewhere.predictions" in line for line in lines)
    assert "fail  topics.exist: modeltrail topics create, or grant Describe on them" in lines
    assert lines[-1].endswith("skipped")
    assert " passed, " in lines[-1]


def test_a_wrong_password_ends_with_2_and_the_broker_is_looked_at_all_the_same(shared):
    done = run(shared, "--json", MODELTRAIL_CLICKHOUSE__PASSWORD="not this one")
    assert done.returncode == 2
    found = findings(done)
    assert found["store.connection"]["outcome"] == "fail"
    assert "clickhouse.password" in found["store.connection"]["fix"]
    assert "not this one" not in done.stdout
    assert found["topics.exist"]["outcome"] == "pass"
    assert found["store.rights"]["outcome"] == "skipped"


def test_a_store_that_is_down_ends_with_5(shared):
    done = run(shared, "--json", MODELTRAIL_CLICKHOUSE__PORT="1")
    assert done.returncode == 5
    found = findings(done)
    assert found["store.connection"]["outcome"] == "fail"
    assert {
        found[check]["outcome"] for check in found if check.startswith("store.") and check != "store.connection"
    } == {"skipped"}
    assert found["topics.exist"]["outcome"] == "pass"


def test_a_broker_that_is_down_ends_with_5(shared):
    done = run(shared, "--json", MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS=CLOSED)
    assert done.returncode == 5
    found = findings(done)
    assert CLOSED in found["broker.connection"]["detail"]
    assert {found[check]["outcome"] for check in found if check.startswith("topics.")} == {"skipped"}
    assert found["store.schema"]["outcome"] == "pass"


def test_a_wrong_password_counts_more_than_a_broker_that_is_down(shared):
    done = run(
        shared,
        "--json",
        MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS=CLOSED,
        MODELTRAIL_CLICKHOUSE__PASSWORD="not this one",
    )
    assert done.returncode == 2


def test_a_certificate_file_that_is_missing_ends_with_2(shared):
    done = run(shared, "--json", MODELTRAIL_KAFKA__SECURITY_PROTOCOL="SSL", MODELTRAIL_KAFKA__CA_FILE="/no/such.pem")
    assert done.returncode == 2
    assert "/no/such.pem" in findings(done)["broker.connection"]["detail"]


@pytest.mark.slow
@pytest.mark.parametrize("addresses", [1, 6])
def test_addresses_where_nobody_answers_end_with_5_in_bounded_time(shared, addresses):
    with silent_ports(addresses) as ports:
        servers = ",".join(f"127.0.0.1:{port}" for port in ports)
        done = run(
            shared,
            "--json",
            MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS=servers,
            MODELTRAIL_CLICKHOUSE__PORT=str(ports[0]),
            MODELTRAIL_CLICKHOUSE__CONNECT_TIMEOUT_S="300",
        )
    assert done.returncode == 5
    found = findings(done)
    assert found["broker.connection"]["outcome"] == "fail"
    assert found["store.connection"]["outcome"] == "fail"


def test_a_setting_that_does_not_exist_ends_with_2(shared):
    done = run(shared, "--json", "--set", "kafka.bootstrap=x")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["exit_code"] == 2
