"""Compressed batches: how large they become, told without expanding them, and reading large ones piece by piece.

A batch of a megabyte may expand to gigabytes, and every client library expands it as a whole. The frame formats say
what no block can exceed, so a bound is found by walking over block headers:

    gzip     nothing; what it inflates to is counted, up to a limit
    snappy   each block begins with its size (xerial framing: a length before each block)
    lz4      the frame says the largest block, 64 kB to 4 MB; a block never expands more than 255 times
    zstd     128 kB a block

Sources: RFC 1952; snappy format description, section 1; LZ4 frame format 1.6; RFC 8878, section 3.1.1.
"""

import struct
import zlib
from collections.abc import Iterator

import cramjam
import pyarrow as pa
from aiokafka.errors import CorruptRecordException

__all__ = ["CODECS", "expand", "expanded_size"]

CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
"""Kafka's numbers of compression codecs."""

CHUNK = 2**20
"""Bytes that are expanded at a time."""

SNAPPY_BLOCK_MAX = 64 * 2**20
"""Bytes of the largest snappy block that is expanded; the format has no way to expand one in parts."""

_GZIP_RATIO = 1032
_LZ4_RATIO = 255
_LZ4_BLOCKS = {4: 2**16, 5: 2**18, 6: 2**20, 7: 2**22}
_ZSTD_BLOCK = 2**17
_XERIAL = b"\x82SNAPPY\x00"
_LZ4_MAGIC = 0x184D2204
_ZSTD_MAGIC = 0xFD2FB528
_SKIPPABLE = 0x184D2A50


def expanded_size(codec: int, payload: memoryview, *, limit: int) -> int:
    """Return a number of bytes that a payload does not exceed when it is expanded.

    Beyond `limit` it may be any number that is larger. Of a codec that is not known and of a payload that its codec
    cannot read it is 0: whoever expands it finds out.
    """
    try:
        match codec:
            case 1:
                bound = len(payload) * _GZIP_RATIO
                return bound if bound <= limit else _inflated(payload, limit)
            case 2:
                return sum(_varint(block, 0)[0] for block in _snappy_blocks(payload))
            case 3:
                return _lz4_bound(payload)
            case 4:
                return _zstd_bound(payload)
            case _:
                return 0
    except (struct.error, IndexError, KeyError, zlib.error, CorruptRecordException):
        return 0


def expand(codec: int, payload: memoryview) -> Iterator[bytes]:
    """Yield the expanded payload in pieces of at most a megabyte, of snappy a block at a time.

    CorruptRecordException where it cannot be read.
    """
    if codec == 2:
        yield from _expand_snappy(payload)
        return
    try:
        with pa.CompressedInputStream(pa.BufferReader(pa.py_buffer(payload)), CODECS[codec]) as stream:
            while piece := stream.read(CHUNK):
                yield piece
    except (OSError, ValueError) as error:
        raise CorruptRecordException(f"not {CODECS[codec]}: {error}") from None


def _expand_snappy(payload: memoryview) -> Iterator[bytes]:
    try:
        for block in _snappy_blocks(payload):
            size, _ = _varint(block, 0)
            if size > SNAPPY_BLOCK_MAX:
                raise CorruptRecordException(f"a snappy block of {size} bytes, more than {SNAPPY_BLOCK_MAX}")
            yield bytes(cramjam.snappy.decompress_raw(block))
    except (cramjam.DecompressionError, struct.error, IndexError) as error:
        raise CorruptRecordException(f"not snappy: {error}") from None


def _inflated(payload: memoryview, limit: int) -> int:
    size, rest = 0, bytes(payload)
    while rest and size <= limit:
        member = zlib.decompressobj(31)
        while not member.eof and size <= limit:
            piece = member.decompress(rest, CHUNK)
            rest = member.unconsumed_tail
            if not piece and not rest:
                break
            size += len(piece)
        rest = member.unused_data
    return size


def _varint(data: memoryview, pos: int) -> tuple[int, int]:
    """Return an unsigned number in little-endian groups of seven bits, and where it ends."""
    value = shift = 0
    while True:
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7


def _snappy_blocks(payload: memoryview) -> Iterator[memoryview]:
    if payload[:8] != _XERIAL:
        yield payload
        return
    pos = 16
    while pos < len(payload):
        (size,) = struct.unpack_from(">I", payload, pos)
        pos += 4 + size
        if pos > len(payload):
            raise CorruptRecordException("a snappy block is cut")
        yield payload[pos - size : pos]


def _lz4_bound(payload: memoryview) -> int:
    bound = pos = 0
    while pos < len(payload):
        (magic,) = struct.unpack_from("<I", payload, pos)
        if magic & ~0xF == _SKIPPABLE:
            pos += 8 + struct.unpack_from("<I", payload, pos + 4)[0]
            continue
        if magic != _LZ4_MAGIC:
            raise CorruptRecordException("no lz4 frame")
        flags, largest = payload[pos + 4], _LZ4_BLOCKS[payload[pos + 5] >> 4 & 7]
        pos += 7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0)
        while True:
            (size,) = struct.unpack_from("<I", payload, pos)
            pos += 4
            if size == 0:
                break
            stored, size = size >> 31, size & 0x7FFFFFFF
            bound += size if stored else min(largest, size * _LZ4_RATIO)
            pos += size + (4 if flags & 0x10 else 0)
        pos += 4 if flags & 0x04 else 0
    return bound


def _zstd_bound(payload: memoryview) -> int:
    bound = pos = 0
    while pos < len(payload):
        (magic,) = struct.unpack_from("<I", payload, pos)
        if magic & ~0xF == _SKIPPABLE:
            pos += 8 + struct.unpack_from("<I", payload, pos + 4)[0]
            continue
        if magic != _ZSTD_MAGIC:
            raise CorruptRecordException("no zstd frame")
        flags = payload[pos + 4]
        single = flags >> 5 & 1
        content_size = (single, 2, 4, 8)[flags >> 6]
        pos += 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + content_size
        last = 0
        while not last:
            header = payload[pos] | payload[pos + 1] << 8 | payload[pos + 2] << 16
            last, kind, size = header & 1, header >> 1 & 3, header >> 3
            bound += _ZSTD_BLOCK if kind == 2 else size
            pos += 3 + (1 if kind == 1 else size)
        pos += 4 if flags & 0x04 else 0
    return bound
