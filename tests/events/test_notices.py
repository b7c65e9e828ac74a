"""Blocks and rejects: what is encoded is parsed back, what contradicts itself is refused."""

from typing import Any

import pytest

from modeltrail.errors import InvalidEventError
from modeltrail.events import Block, Reject

BLOCK: dict[str, Any] = {
    "chain": "c/modeltrail.predictions/0/0-0",
    "first_seq": 0,
    "last_seq": 9,
    "first_offset": 0,
    "last_offset": 12,
    "head": "0" * 64,
    "min_time": 1,
    "max_time": 2,
    "rows": {"modeltrail.prediction.recorded.v1": 8},
    "rejected": 1,
    "gaps": 1,
}
REJECT: dict[str, Any] = {
    "chain": "c/modeltrail.predictions/0/0-0",
    "seq": 3,
    "offset": 5,
    "timestamp": 1,
    "record_hash": "0" * 64,
    "reason": "value: '\\xff': must be UTF-8",
    "reason_class": "undecodable",
    "payload_included": True,
    "value_base64": "/w==",
    "headers_base64": [("YQ==", None), ("YQ==", "")],
}


@pytest.mark.parametrize("notice", [Block(**BLOCK), Reject(**REJECT)])
def test_what_is_encoded_is_parsed_back(notice: Block | Reject) -> None:
    assert type(notice).parse(notice.encode()) == notice


def test_a_block_is_compact_json() -> None:
    assert Block(**BLOCK).encode() == (
        b'{"chain":"c/modeltrail.predictions/0/0-0","first_seq":0,"last_seq":9,"first_offset":0,"last_offset":12,'
        b'"head":"0000000000000000000000000000000000000000000000000000000000000000","min_time":1,"max_time":2,'
        b'"rows":{"modeltrail.prediction.recorded.v1":8},"rejected":1,"gaps":1}'
    )


def test_a_reject_tells_a_null_from_an_empty_payload_and_from_one_that_is_left_out() -> None:
    null = Reject.parse(Reject(**REJECT | {"value_base64": None}).encode())
    empty = Reject.parse(Reject(**REJECT | {"value_base64": ""}).encode())
    left_out = Reject(**REJECT | {"value_base64": None, "headers_base64": None, "payload_included": False})
    assert (null.value_base64, empty.value_base64) == (None, "")
    assert Reject.parse(left_out.encode()) == left_out
    assert left_out.headers_base64 == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (b'"last_seq":-1', "block.last_seq: -1: must be at least 0"),
        (b'"first_seq":10', "block.last_seq: 9: must not be less than first_seq"),
        (b'"head":"AA"', "block.head: 'AA': must be 64 lowercase hex digits"),
        (b'"rejected":1.0', "block.rejected: 1.0: must be an integer without fraction or exponent"),
        (b'"more":1', "block.more: 1: is a field that the contract does not know"),
    ],
)
def test_a_wrong_block_names_field_value_and_expectation(change: bytes, message: str) -> None:
    name = change.split(b":")[0].strip(b'"').decode()
    shorter = Block.model_construct(**{key: part for key, part in BLOCK.items() if key != name}).encode()
    with pytest.raises(InvalidEventError) as caught:
        Block.parse(shorter[:-1] + b"," + change + b"}")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b'{"chain":"a","chain":"b"}', b"\xff", b'{"seq":1e999}'])
def test_what_is_no_notice_is_refused(message: bytes) -> None:
    for model in (Block, Reject):
        with pytest.raises(InvalidEventError):
            model.parse(message)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("reason_class", "other"), ("key_base64", "a"), ("key_base64", "a==="), ("value_base64", "a-_=")],
)
def test_a_wrong_reject_is_refused(name: str, wrong: str) -> None:
    message = Reject.model_construct(**REJECT | {name: wrong}).encode()
    with pytest.raises(InvalidEventError, match=name):
        Reject.parse(message)
