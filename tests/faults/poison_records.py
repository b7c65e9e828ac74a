"""Records that no reader should trust, as any program may put them onto a topic: each with why it must be rejected.

The words are what a person has to find in the reason. The publisher of `modeltrail.sdk` refuses to send any of them.
"""

import gzip
from typing import NamedTuple

from tests.integration.events_for_tests import prediction, structured

MB = 2**20


class Poison(NamedTuple):
    """Key, headers and value of a record, the class under which it is rejected, and words of the reason."""

    value: bytes | None
    reason_class: str
    words: str
    headers: tuple[tuple[str, bytes | None], ...] = ()
    key: bytes | None = b"k"


_, _VALUE, BINARY = prediction(1)
_SCORE = b'"score": 0.01'


def _changed(new, old=_SCORE):
    document = structured()
    assert document.count(old) == 1
    return document.replace(old, new)


def _headers(**changes):
    """Headers of a valid prediction; a change to None takes one out."""
    named = dict(BINARY) | {f"ce_{name}": value for name, value in changes.items()}
    return tuple((name, value) for name, value in named.items() if value is not ...)


POISON = {
    "empty": Poison(b"", "empty", "no value"),
    "null": Poison(None, "empty", "no value"),
    "a tombstone with headers": Poison(None, "empty", "no value", tuple(BINARY)),
    "white space": Poison(b" \n", "not_json", "ends where a value is expected"),
    "not JSON": Poison(b"hello", "not_json", "no JSON value at line 1 column 1"),
    "cut": Poison(_VALUE[:-2], "not_json", "and ends inside an object", tuple(BINARY)),
    "two events": Poison(structured() * 2, "not_json", "goes on after its end"),
    "a number": Poison(b"42", "envelope", "whole CloudEvent"),
    "a list of events": Poison(b"[" + structured() + b"]", "envelope", "whole CloudEvent"),
    "wrong type of a field": Poison(_changed(b'"score": "high"'), "invalid_data", 'data.score: "high": must be a number'),
    "encoded twice": Poison(_changed(b'"data": "{}"', old=structured()[structured().index(b'"data"') : -1]), "invalid_data", "encoded twice"),
    "not UTF-8": Poison(_changed(b'"score": "\xff"'), "undecodable", "must be UTF-8, and is not at byte"),
    "UTF-16": Poison(structured().decode().encode("utf-16-le"), "not_json", "looks like UTF-16"),
    "UTF-16 with its big end first": Poison(structured().decode().encode("utf-16-be"), "not_json", "looks like UTF-16"),
    "byte order mark": Poison(b"\xef\xbb\xbf" + structured(), "ambiguous_json", "byte order mark"),
    "gzip by hand": Poison(gzip.compress(structured(), mtime=0), "undecodable", "looks like gzip"),
    "schema registry": Poison(b"\x00\x00\x00\x00\x07" + structured(), "confluent_prefix", "schema id 7"),
    "depth 10,000": Poison(b"[" * 10_000 + b"]" * 10_000, "ambiguous_json", "nested deeper than 64"),
    "depth 450,000, not closed": Poison(b'{"":' * 225_000, "ambiguous_json", "nested deeper than 64"),
    "NaN": Poison(_changed(b'"score": NaN'), "ambiguous_json", "NaN or an infinity"),
    "1e999": Poison(_changed(b'"score": 1e999'), "ambiguous_json", "must be a finite number"),
    "an integer of 900,000 digits": Poison(b'{"a":' + b"9" * 900_000 + b"}", "ambiguous_json", "4000 digits"),
    "a name twice": Poison(_changed(b'"id": "first", "id"', old=b'"id"'), "ambiguous_json", 'member name twice: "id"'),
    "a name twice among 60,000": Poison(
        b"{" + b",".join(b'"m%d":1' % i for i in range(60_000)) + b',"m7":2}', "ambiguous_json", 'member name twice: "m7"'
    ),
    "a header twice": Poison(_VALUE, "envelope", "must be there once, and is there twice", (*BINARY, ("ce_id", b"2"))),
    "a header in capitals": Poison(_VALUE, "envelope", "lowercase letters", (*BINARY, ("CE_ID", b"2"))),
    "a header without a value": Poison(_VALUE, "envelope", "not a null header", _headers(actor=None)),
    "a header that is not UTF-8": Poison(_VALUE, "undecodable", "actor: '\\xff': must be UTF-8", _headers(actor=b"\xff")),
    "no actor": Poison(structured(actor=None), "envelope", "actor: missing: is required"),
    "unknown type": Poison(structured(type="modeltrail.nothing.happened.v1"), "unknown_type", "must be a type that the contract knows"),
    "type of another topic": Poison(structured(type="modeltrail.run.started.v1"), "wrong_topic", "belongs on the topic"),
    "time in the far future": Poison(structured(time="2999-01-01T00:00:00Z"), "envelope", "years 1970 to 2200"),
    "time of a machine without a clock": Poison(structured(time="0001-01-01T00:00:00Z"), "envelope", "years 1970 to 2200"),
    "100,000 headers": Poison(b"{}", "envelope", "whole CloudEvent", tuple((f"h{i}", b"v") for i in range(100_000))),
    "1 MB of text": Poison(b'{"a":"' + b"x" * 1_000_000 + b'"}', "envelope", "whole CloudEvent"),
    "1 MB of rubbish": Poison(bytes(range(1, 251)) * 4_000, "undecodable", "must be UTF-8"),
    "1 MB of blanks": Poison(b" " * 1_000_000, "not_json", "ends where a value is expected"),
    "control characters in a name": Poison(b'{"\\u001b[31m":1,"\\u001b[31m":1}', "ambiguous_json", "member name twice"),
}  # fmt: skip
"""By name. Those that need a batch made by hand (header names that are not UTF-8, bombs) are in the tests."""
