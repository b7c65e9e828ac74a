"""The entry format once more, written from its text alone, sharing nothing with the package."""

import hashlib


def _sha(*parts: bytes) -> bytes:
    digest = hashlib.new("sha256")
    for part in parts:
        digest.update(part)
    return digest.digest()


def ns(content):
    if content is None:
        return b"-,"
    return str(len(content)).encode("ascii") + b":" + bytes(content) + b","


def record(key, headers, value):
    inner = b""
    for name, content in headers:
        inner += ns(name)
        inner += ns(content)
    return _sha(ns(key), ns(inner), ns(value))


def gap(first, last):
    return _sha(f"gap\n{first}\n{last}\n".encode("ascii"))


def text(chain, seq, offset, timestamp, record_hash):
    lines = ["modeltrail-entry/v1", chain, str(seq), str(offset), str(timestamp), bytes(record_hash).hex(), ""]
    return "\n".join(lines).encode("ascii")


def entry(prev, preimage):
    return _sha(prev, preimage)


def leaf(preimage):
    return _sha(bytes([0]), preimage)


def chain(cluster, topic, partition, epoch, first_offset):
    return "/".join([cluster, topic, str(partition), str(epoch) + "-" + str(first_offset)])


def genesis(chain_text, old_head_hex, reason):
    return _sha("\n".join(["modeltrail-genesis/v1", chain_text, old_head_hex or "-", reason, ""]).encode("ascii"))
