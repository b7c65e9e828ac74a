"""Record batches that no client library writes: header names that are not UTF-8."""

import struct

from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

PLACE = "h##"
NAME = b"h\xff\xfe"


def sealed(batch: bytes) -> bytes:
    """Put the bytes of NAME where PLACE stands, and the checksum right again."""
    mutated = bytearray(bytes(batch).replace(PLACE.encode(), NAME))
    crc = calc_crc32c(bytes(mutated[DefaultRecordBase.ATTRIBUTES_OFFSET :]))
    struct.pack_into(">I", mutated, DefaultRecordBase.CRC_OFFSET, crc)
    return bytes(mutated)


def batch_of(records, *, compression=0):
    """An unsent batch of (key, value, headers); without compression the names can be replaced afterwards."""
    builder = DefaultRecordBatchBuilder(
        2, compression, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=1 << 20
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
