import socket
import struct
import threading

import pytest

from modeltrail.embedded.directory import free_port
from modeltrail.embedded.kafka_probe import ClusterMetadata, fetch_metadata


def string(text):
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text)) + text.encode()


def answer(cluster="c", correlation=1):
    broker = struct.pack(">i", 1) + struct.pack(">i", 7) + string("h") + struct.pack(">i", 9) + string(None)
    return struct.pack(">i", correlation) + broker + string(cluster) + struct.pack(">ii", 7, 0)


@pytest.fixture
def server():
    """Answers one connection with the bytes put into it and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        replies = []

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(replies[0])

        thread = threading.Thread(target=serve)

        def reply(data):
            replies.append(data)
            thread.start()
            return fetch_metadata("127.0.0.1", listening.getsockname()[1], timeout_seconds=5)

        yield reply
        thread.join()


def framed(body):
    return struct.pack(">i", len(body)) + body


def test_an_answer_is_read(server):
    assert server(framed(answer())) == ClusterMetadata("c", 7, ((7, "h", 9),))


def test_a_cluster_without_an_id_is_read(server):
    assert server(framed(answer(cluster=None))).cluster_id is None


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\x00",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        framed(answer(correlation=2)),
        framed(answer()[:-3]),
        framed(b"\x00" * 3),
        struct.pack(">i", -5),
        framed(struct.pack(">iii", 1, 2, 3)),
    ],
)
def test_anything_else_is_no_broker(server, reply):
    assert server(reply) is None


def test_a_closed_port_is_no_broker():
    assert fetch_metadata("127.0.0.1", free_port()) is None
