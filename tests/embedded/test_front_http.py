"""The front as curl sees it: statuses, headers, authentication, bodies, kept-alive connections."""

import base64
import gzip
import http.client
import json
import socket
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from modeltrail.embedded.credentials import Role


def basic(store, role):
    user = store.credentials[role]
    return {"Authorization": "Basic " + base64.b64encode(f"{user.user}:{user.password}".encode()).decode()}


@pytest.fixture
def connection(store):
    opened = http.client.HTTPConnection(store.host, store.port, timeout=30)
    yield opened
    opened.close()


def ask(connection, store, sql=None, *, role=Role.READER, method="POST", path="/", headers=None, **parameters):
    body = sql.encode() if isinstance(sql, str) else sql
    query = f"?{urlencode(parameters)}" if parameters else ""
    connection.request(method, path + query, body=body, headers={**basic(store, role), **(headers or {})})
    answer = connection.getresponse()
    return answer, answer.read()


def test_ping_needs_no_user(connection):
    connection.request("GET", "/ping")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"Ok.\n")


def test_an_unknown_path_is_404(connection, store):
    answer, body = ask(connection, store, path="/nope", method="GET")
    assert answer.status == 404
    assert b"no handle" in body


def test_the_statement_may_be_in_the_url_the_body_or_both(connection, store):
    assert ask(connection, store, "SELECT 1")[1] == b"1\n"
    assert ask(connection, store, method="GET", query="SELECT 1")[1] == b"1\n"
    assert ask(connection, store, "+ 2", query="SELECT 1")[1] == b"3\n"
    assert ask(connection, store, "SELECT {n:UInt8}", param_n="7")[1] == b"7\n"


def test_the_format_is_the_statements_or_the_default(connection, store):
    answer, body = ask(connection, store, "SELECT 1 AS a FORMAT JSONEachRow")
    assert (answer.getheader("X-ClickHouse-Format"), body) == ("JSONEachRow", b'{"a":1}\n')
    answer, body = ask(connection, store, "SELECT 1 AS a", default_format="CSVWithNames")
    assert (answer.getheader("X-ClickHouse-Format"), body) == ("CSVWithNames", b'"a"\n1\n')
    assert answer.getheader("Content-Type").startswith("text/csv")
    answer, body = ask(connection, store, "SELECT 1 AS a", headers={"X-ClickHouse-Format": "TSV"})
    assert body == b"1\n"


def test_answers_carry_the_headers_of_a_server(connection, store):
    answer, _ = ask(connection, store, "SELECT number FROM numbers(5)", query_id="mine", wait_end_of_query="1")
    assert answer.getheader("X-ClickHouse-Query-Id") == "mine"
    assert answer.getheader("X-ClickHouse-Timezone")
    assert answer.getheader("X-ClickHouse-Server-Display-Name")
    assert json.loads(answer.getheader("X-ClickHouse-Summary"))["read_rows"] == "5"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC", 400, "62"),
        ("SELECT nope", 404, "47"),
        ("SELECT * FROM nope", 404, "60"),
        ("SELECT 1 FORMAT Nope", 404, "73"),
        ("SELECT throwIf(1)", 500, "395"),
        ("DROP TABLE t", 403, "497"),
        ("SELECT 1 SETTINGS dialect = 'kusto'", 500, "452"),
        ("", 400, "62"),
    ],
)
@pytest.mark.parametrize("wait", ["0", "1"])
def test_errors_have_the_status_and_the_form_of_a_server(connection, store, sql, status, code, wait):
    answer, body = ask(connection, store, sql, wait_end_of_query=wait)
    assert answer.status == status
    assert answer.getheader("X-ClickHouse-Exception-Code") == code
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert body.endswith(b"(official build))\n")
    assert ask(connection, store, "SELECT 1")[1] == b"1\n"  # on the same connection


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Basic " + base64.b64encode(b"reader:wrong").decode()}, 403),
        ({"X-ClickHouse-User": "reader", "X-ClickHouse-Key": "wrong"}, 403),
        ({"X-ClickHouse-User": "scratch", "X-ClickHouse-Key": ""}, 403),
        ({"X-ClickHouse-User": "default"}, 403),
    ],
)
def test_without_a_right_password_nothing_is_answered(connection, headers, status):
    connection.request("POST", "/", body="SELECT 1", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    assert (answer.status, answer.getheader("X-ClickHouse-Exception-Code")) == (status, "516")
    assert b"AUTHENTICATION_FAILED" in body
    assert (answer.getheader("WWW-Authenticate") is not None) == (status == 401)


def test_a_user_may_come_in_clickhouse_headers_or_in_the_url(connection, store):
    user = store.credentials[Role.READER]
    connection.request(
        "POST", "/", body="SELECT 1", headers={"X-ClickHouse-User": user.user, "X-ClickHouse-Key": user.password}
    )
    assert connection.getresponse().read() == b"1\n"
    connection.request("GET", f"/?query=SELECT+1&user={user.user}&password={quote(user.password)}")
    assert connection.getresponse().read() == b"1\n"


def test_a_user_of_scratch_stores_does_not_exist_here(connection, store):
    stored = json.loads((store.directory / "credentials.json").read_text())["scratch"]
    connection.request(
        "POST", "/", body="SELECT 1", headers={"X-ClickHouse-User": "scratch", "X-ClickHouse-Key": stored["password"]}
    )
    answer = connection.getresponse()
    assert (answer.status, answer.read()[:9]) == (403, b"Code: 516")


def test_get_changes_nothing(connection, store):
    answer, _ = ask(
        connection, store, method="GET", role=Role.MIGRATOR, query="CREATE TABLE x (a Int8) ENGINE = Memory"
    )
    assert answer.getheader("X-ClickHouse-Exception-Code") == "164"


def test_values_in_the_statement_are_inserted(connection, store, table):
    answer, _ = ask(connection, store, f"INSERT INTO {table} VALUES (1, 'a;b'), (1 + 1, upper('c'));", role=Role.WRITER)
    assert json.loads(answer.getheader("X-ClickHouse-Summary"))["written_rows"] == "2"
    assert ask(connection, store, f"SELECT * FROM {table} ORDER BY a")[1] == b"1\ta;b\n2\tC\n"


def test_chunked_and_compressed_bodies_are_data(connection, store, table):
    def chunks():
        yield gzip.compress(b"1,one\n")
        yield gzip.compress(b"2,two\n")

    target = f"/?{urlencode({'query': f'INSERT INTO {table} FORMAT CSV'})}"
    headers = {**basic(store, Role.WRITER), "Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}
    connection.request("POST", target, body=chunks(), headers=headers, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    assert ask(connection, store, f"SELECT count(), groupArray(s) FROM {table}")[1] == b"2\t['one','two']\n"


@pytest.mark.parametrize(
    ("headers", "parameters", "status"),
    [
        ({"Content-Encoding": "gzip"}, {}, 400),
        ({"Content-Encoding": "rot13"}, {}, 501),
        ({"Content-Type": "multipart/form-data; boundary=x"}, {}, 400),
        ({}, {"compress": "1"}, 501),
        ({}, {"decompress": "1"}, 501),
        ({"Authorization": "Bearer x"}, {}, 400),
    ],
)
def test_a_body_that_cannot_be_read_is_said(connection, store, headers, parameters, status):
    answer, body = ask(connection, store, "SELECT 1", headers=headers, **parameters)
    assert answer.status == status
    assert len(body.splitlines()) == 1
    assert ask(connection, store, "SELECT 1")[1] == b"1\n"


def test_a_chunk_without_a_size_is_refused(store):
    with socket.create_connection((store.host, store.port), timeout=10) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_an_old_client_gets_rows_and_a_closed_connection(store):
    user = basic(store, Role.READER)["Authorization"]
    with socket.create_connection((store.host, store.port), timeout=10) as raw:
        raw.sendall(f"GET /?query=SELECT+number+FROM+numbers(3) HTTP/1.0\r\nAuthorization: {user}\r\n\r\n".encode())
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
    assert answer.endswith(b"\r\n\r\n0\n1\n2\n")


def test_a_client_that_goes_away_ends_its_query(store, connection):
    user = basic(store, Role.READER)["Authorization"]
    with socket.create_connection((store.host, store.port), timeout=10) as raw:
        query = quote("SELECT number, 'gone' FROM numbers(1000000000000)")
        raw.sendall(f"GET /?query={query} HTTP/1.1\r\nHost: x\r\nAuthorization: {user}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 200 ")
    running = b"1\n"
    while running != b"0\n":  # ends by the test's own time limit if the query never ends
        sql = "SELECT count() FROM system.processes WHERE query LIKE '%''gone''%' AND query NOT LIKE '%processes%'"
        running = ask(connection, store, sql, role=Role.AUDITOR)[1]


def test_the_port_is_open_on_loopback_only(store):
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A"}
    assert f"0100007F:{store.port:04X}" in listening
    assert f"00000000:{store.port:04X}" not in listening
