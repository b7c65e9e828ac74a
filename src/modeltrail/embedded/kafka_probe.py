"""One Kafka metadata request over a plain socket, to see that a broker is ready and is the one that we started.

The launchers need the answer synchronously, within milliseconds and inside or outside of an event loop, so
this speaks the three messages' worth of protocol itself. Layout (Kafka protocol guide, Metadata version 2):

    request   int32 size | int16 api key 3 | int16 version 2 | int32 correlation | string client | array topics
    response  int32 size | int32 correlation | array of (int32 node, string host, int32 port, string rack)
              | string cluster id | int32 controller | array of topics

A string is an int16 length (-1: null) and its bytes; an array an int32 count and its elements.
"""

import socket
import struct
from dataclasses import dataclass

__all__ = ["ClusterMetadata", "fetch_metadata"]

_METADATA, _VERSION, _CORRELATION = 3, 2, 1
_CLIENT = b"modeltrail-probe"
_LARGEST_ANSWER = 1 << 20


@dataclass(frozen=True)
class ClusterMetadata:
    """What a broker says of its cluster: id, node id of the controller (-1: none yet), and node addresses."""

    cluster_id: str | None
    controller_id: int
    brokers: tuple[tuple[int, str, int], ...]


def fetch_metadata(host: str, port: int, *, timeout_seconds: float = 1.0) -> ClusterMetadata | None:
    """Ask the broker at `host`:`port` for its metadata.

    Returns None when nothing there answers as a Kafka broker within `timeout_seconds`: refused, closed,
    too slow, or not the protocol.
    """
    body = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, len(_CLIENT)) + _CLIENT + struct.pack(">i", 0)
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", _read(connection, 4))
            if not 0 < size <= _LARGEST_ANSWER:
                return None
            return _parse(_read(connection, size))
    except (OSError, struct.error, UnicodeDecodeError):
        return None


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionError("the broker closed the connection within an answer")
        parts += part
    return bytes(parts)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def int32(self) -> int:
        (value,) = struct.unpack_from(">i", self._data, self._at)
        self._at += 4
        return int(value)

    def string(self) -> str | None:
        (length,) = struct.unpack_from(">h", self._data, self._at)
        self._at += 2
        if length < 0:
            return None
        raw = self._data[self._at : self._at + length]
        self._at += length
        return raw.decode()


def _parse(answer: bytes) -> ClusterMetadata | None:
    reader = _Reader(answer)
    if reader.int32() != _CORRELATION:
        return None
    brokers = []
    for _ in range(reader.int32()):
        node, host, port = reader.int32(), reader.string(), reader.int32()
        reader.string()  # the rack
        brokers.append((node, host or "", port))
    metadata = ClusterMetadata(cluster_id=reader.string(), controller_id=reader.int32(), brokers=tuple(brokers))
    reader.int32()  # the number of topics, which must be there although none was asked for
    return metadata
