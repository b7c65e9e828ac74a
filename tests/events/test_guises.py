"""What a value that is no JSON looks like is said where it helps, and never of JSON."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.events import judge
from modeltrail.events.guises import guise, wide_text

from .hostile_documents import DOCUMENTS
from .records import TOPIC, headers, value

GOOD = value()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (gzip.compress(GOOD), "gzip"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (GOOD.decode().encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + GOOD.decode().encode("utf-16-be"), "UTF-16"),
        *(
            (GOOD.decode().encode(name), name[:6].upper())
            for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
        ),
        (b"Obj\x01\x04", "Avro"),
        (b"<event/>", "XML"),
        (b"eyJhIjoxfQ==", "base64"),
    ],
)
def test_the_reason_says_what_it_looks_like(sent: bytes, words: str) -> None:
    judgement = judge(TOPIC, None, headers(), sent)
    assert judgement.status == "rejected"
    assert words in judgement.reason.split("; it looks like ")[1]


@given(st.binary(max_size=12))
def test_no_bytes_make_it_raise(begin: bytes) -> None:
    assert guise(begin) == "" or guise(begin).startswith("; it looks like ")


def test_nothing_that_is_accepted_looks_like_anything_else() -> None:
    accepted = [document.value for document in DOCUMENTS if document.verdict == "valid"]
    assert [document for document in accepted if guise(document)] == []


@pytest.mark.parametrize("number", [0, 1, 7, 255, 256, 65_535, 2**31])
def test_the_prefix_of_a_schema_registry_is_no_wide_text(number: int) -> None:
    assert wide_text(b"\x00" + number.to_bytes(4) + GOOD) == ""
