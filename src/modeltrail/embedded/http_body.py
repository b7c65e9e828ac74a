"""Reads the body of an HTTP request: by length or in chunks, compressed or not, plain or as a form."""

import email.parser
import email.policy
from collections.abc import Callable
from io import BufferedIOBase

import cramjam

__all__ = ["BodyError", "decompress", "parse_form", "read_body"]

_LARGEST_BODY = 2 << 30
_LONGEST_LINE = 4096

_DECOMPRESSORS: dict[str, Callable[[bytes], cramjam.Buffer]] = {
    "gzip": cramjam.gzip.decompress,
    "x-gzip": cramjam.gzip.decompress,
    "deflate": cramjam.zlib.decompress,
    "zstd": cramjam.zstd.decompress,
    "lz4": cramjam.lz4.decompress,
    "br": cramjam.brotli.decompress,
}


class BodyError(Exception):
    """The body cannot be read; `status` is the HTTP status to answer with, and the connection is to be closed."""

    def __init__(self, status: int, problem: str) -> None:
        self.status = status
        super().__init__(problem)


def read_body(stream: BufferedIOBase, *, length: str | None, transfer_encoding: str | None) -> bytes:
    """Read one body, as `Content-Length` and `Transfer-Encoding` announce it; neither means that there is none."""
    if transfer_encoding is not None and transfer_encoding.strip().lower() != "identity":
        if transfer_encoding.strip().lower() != "chunked":
            raise BodyError(501, f"the transfer encoding {transfer_encoding!r} is not known here")
        return _read_chunks(stream)
    if length is None:
        return b""
    if not (length.isascii() and length.isdigit()):
        raise BodyError(400, f"Content-Length {length!r} is not a number")
    return _read_exactly(stream, _checked(int(length)))


def _read_chunks(stream: BufferedIOBase) -> bytes:
    body = bytearray()
    while True:
        line = stream.readline(_LONGEST_LINE).split(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError as error:
            raise BodyError(400, "a chunk does not begin with its size") from error
        if size == 0:
            break
        _checked(len(body) + size)
        body += _read_exactly(stream, size)
        stream.readline(_LONGEST_LINE)
    while stream.readline(_LONGEST_LINE).strip():  # trailing headers, then an empty line
        pass
    return bytes(body)


def _checked(size: int) -> int:
    if not 0 <= size <= _LARGEST_BODY:
        raise BodyError(413, f"the body is larger than {_LARGEST_BODY >> 20} MiB")
    return size


def _read_exactly(stream: BufferedIOBase, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise BodyError(400, f"the body ended after {len(data)} of {size} bytes")
    return data


def decompress(body: bytes, content_encoding: str | None) -> bytes:
    """Undo `Content-Encoding` (gzip, deflate, zstd, lz4 frames or br). Raises BodyError."""
    name = (content_encoding or "identity").strip().lower()
    if name in ("", "identity"):
        return body
    decompressor = _DECOMPRESSORS.get(name)
    if decompressor is None:
        raise BodyError(501, f"the content encoding {name!r} is not known here")
    try:
        return bytes(decompressor(body))
    except cramjam.DecompressionError as error:
        raise BodyError(400, f"the body is not {name}: {error}") from error


def parse_form(body: bytes, content_type: str) -> dict[str, bytes]:
    """Return the fields of a `multipart/form-data` body by name. Raises BodyError for anything else."""
    head = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode("latin-1")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields: dict[str, bytes] = {}
    if not message.is_multipart():
        raise BodyError(400, "the form has no parts")
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(payload, bytes):
            raise BodyError(400, "a part of the form has no name")
        fields[name] = payload
    return fields
