"""Record batches that no client library writes: header names that are not UTF-8, and bombs."""

import struct
import zlib
from itertools import chain

import cramjam
from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c, encode_varint_py

PLACE = "h##"
NAME = b"h\xff\xfe"
PIECE = 1 << 16
HEADER_SIZE = DefaultRecordBase.HEADER_STRUCT.size


def sealed(batch: bytes) -> bytes:
    """Put the bytes of NAME where PLACE stands, and the checksum right again."""
    mutated = bytearray(bytes(batch).replace(PLACE.encode(), NAME))
    crc = calc_crc32c(bytes(mutated[DefaultRecordBase.ATTRIBUTES_OFFSET :]))
    struct.pack_into(">I", mutated, DefaultRecordBase.CRC_OFFSET, crc)
    return bytes(mutated)


def batch_of(records, *, compression=0, size=1 << 20):
    """An unsent batch of (key, value, headers); without compression the names can be replaced afterwards."""
    builder = DefaultRecordBatchBuilder(
        2, compression, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=size
    )
    for offset, (key, value, headers) in enumerate(records):
        assert builder.append(offset, 1_000 + offset, key=key, value=value, headers=headers) is not None
    return bytes(builder.build())


async def send_batch(producer, topic, partition, records):
    """Send `records` as one batch in which PLACE became NAME; returns the offset of the first."""
    batch = producer.create_batch()
    for key, value, headers in records:
        assert batch.append(timestamp=None, key=key, value=value, headers=headers) is not None
    batch.close()
    sent = sealed(batch._build())
    batch._buffer = sent
    return (await (await producer.send_batch(batch, topic, partition=partition))).offset


def bomb(codec, *, records, size, last=None, content=b"\x00"):
    """A batch of records of `size` bytes of `content` each that is small only while it is compressed.

    `last` is the size of one more record at its end. It is compressed in pieces: at no time is it there as a whole.
    """
    sizes = [size] * records + ([] if last is None else [last])
    pieces = chain.from_iterable(_record(number, wanted, content) for number, wanted in enumerate(sizes))
    payload = b"".join(_compressed(codec, pieces))
    header = DefaultRecordBase.HEADER_STRUCT.pack(
        0, HEADER_SIZE - 12 + len(payload), 0, 2, 0, codec, len(sizes) - 1, 1_000, 1_000,
        -1, -1, -1, len(sizes),
    )  # fmt: skip
    return sealed(header + payload)


def compressed(batch, codec):
    """Compress a batch that was made without compression."""
    payload = b"".join(_compressed(codec, [batch[HEADER_SIZE:]]))
    header = bytearray(batch[:HEADER_SIZE])
    struct.pack_into(">i", header, 8, HEADER_SIZE - 12 + len(payload))
    header[DefaultRecordBase.ATTRIBUTES_OFFSET + 1] |= codec
    return sealed(bytes(header) + payload)


def _varint(number):
    encoded = bytearray()
    encode_varint_py(number, encoded.append)
    return bytes(encoded)


def _record(number, size, content):
    head = b"\x00" + _varint(0) + _varint(number) + _varint(-1) + _varint(size)
    yield _varint(len(head) + size + 1) + head
    whole, rest = divmod(size, PIECE)
    piece = content * (PIECE // len(content))
    for _ in range(whole):
        yield piece
    yield piece[:rest] + _varint(0)


def _compressed(codec, pieces):
    if codec == 0:
        yield from pieces
    elif codec == 1:
        machine = zlib.compressobj(9, zlib.DEFLATED, 31)
        for piece in pieces:
            yield machine.compress(piece)
        yield machine.flush()
    elif codec == 2:
        yield b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
        for piece in pieces:
            block = bytes(cramjam.snappy.compress_raw(piece))
            yield struct.pack(">i", len(block)) + block
    else:
        # the broker reads lz4 in independent blocks only
        machine = (
            cramjam.lz4.Compressor(level=1, content_checksum=False, block_linked=False)
            if codec == 3
            else cramjam.zstd.Compressor(3)
        )
        for piece in pieces:
            machine.compress(piece)
        yield bytes(machine.finish())
