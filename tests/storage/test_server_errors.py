"""What a failure of the store means, and that nothing of what rows hold gets out with it."""

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from pydantic import SecretStr

from modeltrail.embedded.credentials import Role
from modeltrail.errors import (
    AccessError,
    ConfigurationError,
    RowsRefusedError,
    SchemaVersionError,
    StoreUnavailableError,
)
from modeltrail.settings.model import ClickHouse
from modeltrail.storage.client import connect
from modeltrail.storage.server_errors import translate, translated
from tests.storage.maker import insert

SECRET = "jane.doe@example.org"


def server_error(code, text=f"Code: 0. DB::Exception: about {SECRET}. (SOME_NAME)"):
    return DatabaseError(text, code=code, name="SOME_NAME")


@pytest.mark.parametrize(
    ("code", "starting", "kind"),
    [
        *(
            (code, False, StoreUnavailableError)
            for code in (252, 241, 159, 209, 210, 243, 164, 516, 425, 202, 204, 586, 1002)
        ),
        *((code, False, SchemaVersionError) for code in (60, 16, 47, 81)),
        *((code, True, AccessError) for code in (497, 516, 164, 192, 193)),
        (497, False, AccessError),
        *((code, False, RowsRefusedError) for code in (469, 53, 27, 349)),
    ],
)
def test_a_code_says_what_to_do(code, starting, kind):
    error = translate(server_error(code), starting=starting)
    assert type(error) is kind
    assert str(code) in str(error)


@pytest.mark.parametrize("code", [0, 6, 53, 62, 117, 241, 243, 469, 497, 999, 99999])
def test_no_value_of_a_row_gets_out(code):
    text = f"Constraint `c` for table x is violated. Column values: id = '{SECRET}', (JANE_DOE) ({SECRET}). (SOME_NAME)"
    for starting in (True, False):
        error = translate(server_error(code, text), starting=starting)
        assert SECRET not in str(error)
        assert SECRET not in repr(vars(error))


def test_a_view_that_fails_is_waited_on_because_the_ledger_may_hold_the_rows():
    text = f"Code: 395. DB::Exception: {SECRET}: while pushing to view d.v (a-b). (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)"
    for code in (395, 53, 469):
        error = translate(server_error(code, text))
        assert isinstance(error, StoreUnavailableError)
        assert "view" in str(error)
        assert SECRET not in str(error)


def test_what_is_translated_is_not_chained_to_the_servers_text():
    with pytest.raises(RowsRefusedError) as caught, translated():
        raise server_error(469)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_fault_of_the_program_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError):
        translate(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError


def test_our_own_errors_pass():
    error = SchemaVersionError("x")
    assert translate(error) is error


def test_a_refused_row_names_code_and_constraint_only(client, chain):
    row = chain.judged(_valid(), SECRET.encode())
    with pytest.raises(RowsRefusedError) as caught, translated():
        insert(client, [row._replace(value=b"forged " + SECRET.encode())])
    assert caught.value.code == 469
    assert str(caught.value) == (
        "ClickHouse refuses rows for what they hold "
        "(code 469 VIOLATED_CONSTRAINT, constraint record_hash_follows_from_record)"
    )


def test_a_refused_row_of_binary_values_is_told_alike(client, chain):
    row = chain.judged(_valid(), b"\xff\xfe\x00")
    with pytest.raises(RowsRefusedError, match="constraint entry_hash_follows_from_entry"), translated():
        insert(client, [row._replace(prev_hash=b"\xff" * 32)])


def test_a_wrong_password_is_configuration(address):
    settings = address("modeltrail", Role.READER).model_copy(update={"password": SecretStr("wrong")})
    with pytest.raises(AccessError, match="wrong user or password"):
        connect(settings)


def test_a_port_where_nobody_listens_is_waited_for():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:\d+ accepts no connection"):
            connect(ClickHouse(port=free.getsockname()[1]))


def test_a_host_that_does_not_exist_is_named():
    with pytest.raises(StoreUnavailableError, match=r"host name of ClickHouse at nowhere.invalid:8123"):
        connect(ClickHouse(host="nowhere.invalid"))


def test_tls_where_there_is_none_is_configuration(store):
    with pytest.raises(ConfigurationError, match=r"check clickhouse.secure and clickhouse.port"):
        connect(ClickHouse(port=store.port, secure=True))


@pytest.fixture
def answering():
    """Start a server that answers every request with a status and nothing else."""
    running = []

    def start(status):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        running.append((server, thread))
        return server.server_address[1]

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_is_no_clickhouse_is_configuration(answering):
    with pytest.raises(ConfigurationError, match="answers HTTP status 404 and does not speak as ClickHouse does"):
        connect(ClickHouse(port=answering(404)))


def test_a_proxy_without_its_server_is_waited_for(answering):
    with pytest.raises(StoreUnavailableError, match="answers HTTP status 502"):
        connect(ClickHouse(port=answering(502)))


def test_a_proxy_of_the_environment_is_not_used(store, address, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    client = connect(address("modeltrail"))
    assert client.query("SELECT 1").result_rows == [(1,)]
    client.close()


def test_a_server_that_goes_away_is_waited_for(store, address):
    client = connect(address("modeltrail"))
    client._backend._base_url = "http://127.0.0.1:1/"
    with pytest.raises(StoreUnavailableError), translated():
        client.query("SELECT 1")
    client.close()
    assert isinstance(translate(OperationalError("Error executing HTTP request")), StoreUnavailableError)


def _valid():
    from modeltrail.events.judge import Judgement

    return Judgement("valid", "", "", "binary", "s", "i", "t")


@pytest.mark.parametrize(
    ("grant", "said"),
    [
        (
            "SELECT(value) ON modeltrail.ledger",
            "the right SELECT(value) ON modeltrail.ledger is missing; the role mt_auditor",
        ),
        ("SELECT(key, value) ON d.ledger", "the right SELECT(key, value) ON d.ledger is missing; the role mt_auditor"),
        ("INSERT ON modeltrail.ledger", "the right INSERT ON modeltrail.ledger is missing, see schemas"),
        ("CREATE TABLE ON modeltrail.*", "the right CREATE TABLE ON modeltrail.* is missing, see schemas"),
        (f"SELECT('{SECRET}') ON x.y", "a right is missing, see schemas"),
    ],
)
def test_a_right_that_is_missing_is_named(grant, said):
    text = (
        f"anna: Not enough privileges. To execute this query, it's necessary to have the grant {grant}. (ACCESS_DENIED)"
    )
    error = translate(server_error(497, text))
    assert said in str(error)
    assert "schemas/clickhouse/access.sql" in str(error)
    assert SECRET not in str(error)


@pytest.mark.parametrize(("starting", "kind"), [(True, ConfigurationError), (False, StoreUnavailableError)])
def test_a_certificate_that_expires_later_is_waited_on(starting, kind):
    expired = ssl.SSLCertVerificationError("certificate verify failed")
    expired.verify_message = "certificate has expired"
    broken = OperationalError("Error executing HTTP request")
    broken.__cause__ = expired
    error = translate(broken, starting=starting)
    assert type(error) is kind
    assert "certificate has expired" in str(error)
