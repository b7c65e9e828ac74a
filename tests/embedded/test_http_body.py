import gzip
import io
import zlib

import pytest

from modeltrail.embedded.http_body import BodyError, decompress, parse_form, read_body


def test_a_body_is_read_by_its_length():
    assert read_body(io.BytesIO(b"abcdef"), length="3", transfer_encoding=None) == b"abc"
    assert read_body(io.BytesIO(b"abc"), length=None, transfer_encoding=None) == b""


def test_chunks_are_put_together():
    stream = io.BytesIO(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\nnext")
    assert read_body(stream, length=None, transfer_encoding="chunked") == b"abcde"
    assert stream.read() == b"next"


@pytest.mark.parametrize(
    ("data", "length", "encoding", "status"),
    [
        (b"ab", "3", None, 400),
        (b"ab", "-1", None, 400),
        (b"ab", "x", None, 400),
        (b"ab", "99999999999", None, 413),
        (b"zz\r\n", None, "chunked", 400),
        (b"-1\r\n", None, "chunked", 413),
        (b"5\r\nab", None, "chunked", 400),
        (b"ffffffffff\r\n", None, "chunked", 413),
        (b"ab", "2", "gzip", 501),
    ],
)
def test_a_body_that_is_not_as_announced_is_refused(data, length, encoding, status):
    with pytest.raises(BodyError) as refused:
        read_body(io.BytesIO(data), length=length, transfer_encoding=encoding)
    assert refused.value.status == status


def test_compressed_bodies_are_undone_also_in_several_members():
    assert decompress(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"
    assert decompress(zlib.compress(b"a"), "deflate") == b"a"
    assert decompress(b"a", None) == decompress(b"a", "identity") == b"a"


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd", "lz4", "br"])
def test_what_is_not_compressed_as_announced_is_refused(name):
    with pytest.raises(BodyError):
        decompress(b"not compressed at all", name)


def test_a_form_gives_its_fields():
    body = (
        b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="param_a"\r\n\r\n\xc3\xbc\r\n--x--\r\n'
    )
    assert parse_form(body, "multipart/form-data; boundary=x") == {"query": b"SELECT 1", "param_a": "ü".encode()}
