"""One document, two readers: what the judge accepts, ClickHouse reads as Python does; the rest is rejected.

The corpus is what JSON parsers are known to disagree about. Every document is tried in both content modes, with the
functions that the typed tables use: a whole tuple at once, names and values as text, and a part as text.
"""

import json
import struct
from functools import cache
from typing import Any, NamedTuple

import chdb
import pytest

from modeltrail.events import PredictionRecorded, judge
from modeltrail.events.reading import read_json

from .records import ATTRIBUTES, TOPIC, headers, raw

CORPUS = [
    # numbers
    *[
        ("score", text)
        for text in (
            "0", "-0", "-0.0", "0.0", "0e0", "0e999", "0E-999", "1", "1.0", "1e0", "1E5", "1e+5", "1e-5", "100e-2",
            "0.1", "0.30000000000000004", "1.00000000000000011102230246251565404", "9007199254740993",
            "9007199254740993.0", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
            "-9223372036854775809", "18446744073709551615", "18446744073709551616", "1e19", "123456789012345678901234567890",
            "1" * 400, "1" * 400 + "e-400", "0." + "1" * 800, "0." + "0" * 400 + "1", "5e-324", "2.4703282292062327e-324",
            "2.4703282292062328e-324", "2.2250738585072011e-308", "2.2250738585072014e-308", "1e-400", "1e308",
            "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e309", "1e999", "-1e999",
            "1e00000000000000000000001", "1e99999999999999999999", "NaN", "Infinity", "-Infinity", "nan", "+1", "01",
            "1.", ".5", "1_000", "0x10", "1e", "--1", '"1"', "true", "[1]", "{}", "null", "6.02214076e23", "1.1e1",
        )
    ],
    # text
    *[
        ("label", text)
        for text in (
            '"a"', '""', '"\\u0000"', '"a\\u0000b"', '"\\n"', '"\\u0085"', '"\\u2028"', '"\\ufeff"', '"\\uffff"',
            '"\\ud83d\\ude00"', '"\U0001f600"', '"\\ud83d"', '"\\ude00"', '"\\ude00\\ud83d"', '"\\ud83d\\u0041"', '"\ud83d"', '"\\/"', '"/"',
            '"\\x41"', '"\\u00"', '"\\U0041"', '"a\tb"', '"\x7f"', "'a'", '"a', '"\\"', '"\\\\"', '"\\u00e9"', '"é"', '"e\\u0301"',
            '"null"', '"NaN"', "5", "false", "null", '"\\u0022}"', '"{\\"a\\":1}"', '"  a  "', '"\\u200b"', '"\u202e"',
        )
    ],
    # free text, in which control characters are allowed
    *[
        ("exclusion_reason", text + ',"excluded":true')
        for text in ('""', '"\\u0000"', '"a\\u0000b"', '"\\b\\f\\n\\r\\t"', '"\\u001f"', '"\x7f"', '"\\u0085\\u2028"')
    ],
    # names
    ("score", '1,"score":2'),
    ("score", '1,"score":1'),
    ("score", '1,"sc\\u006fre":2'),
    ("score", '1,"Score":2'),
    ("score", '1,"score ":2'),
    ("score", '1,"score\\u0000":2'),
    ("score", '1,"":2'),
    ("sc\\u006fre", "2"),
    ("features", '{"a":1,"a":2}'),
    ("features", '{"a":1,"A":2}'),
    ("features", '{"é":1,"e\\u0301":2,"\\u00e8":3}'),
    ("features", '{"a\\u0000":1,"a":2,"a.b":3,"$":4,"0":5}'),
    ("features", '{"":1}'),
    ("features", '{"a":1.50,"b":"1.50","c":true,"d":null,"e":-0.0,"f":1e5,"g":9007199254740993,"h":"true","i":"null"}'),
    ("features", '{"a":"\\u0000\\"\\\\\\n","b":"\\ud83d\\ude00","c":"\x7f"}'),
    ("features", '{"a":1e19,"b":-1e20,"c":18446744073709551616.0,"d":"100000000000000000000","e":9.99e20}'),
    ("features", '{"a":1e999}'),
    ("features", '{"a":9223372036854775808}'),
    ("features", '{"a":{}}'),
    ("features", "[]"),
    ("features", "null"),
    ("probabilities", '{"a":1,"b":0,"c":0.5,"d":1e-400}'),
    ("probabilities", '{"a":"0.5"}'),
    ("probabilities", '{"a":true}'),
    ("probabilities", "null"),
    ("confidence", "null"),
    ("confidence", '{"base":1,"final":0}'),
    ("confidence", '{"base":1,"final":0,"modifiers":null}'),
    ("confidence", '{"base":0.5,"final":0.25,"modifiers":{"a":-1e308,"b":3}}'),
    ("confidence", '{"base":0.5,"final":null}'),
    ("selected", "true"),
    ("selected", "false"),
    ("selected", "null"),
    ("selected", "1"),
    ("selected", '"true"'),
    # structure
    ("metadata", "{}"),
    ("metadata", '{"a":[1,2.5,-0.0,1e-7,"x",null,true,{"b":[]}]}'),
    ("metadata", '{"a":' * 62 + "1" + "}" * 62),
    ("metadata", '{"a":' * 63 + "1" + "}" * 63),
    ("metadata", '{"a":' * 600 + "1" + "}" * 600),
    ("metadata", '{"a":' * 3000 + "1" + "}" * 3000),
    ("metadata", '{"a":[1,]}'),
    ("metadata", '{"a":1,}'),
    ("metadata", '{"a":1} // comment'),
    ("metadata", '{"a":1e999}'),
    ("metadata", '{"a":1e308,"b":-1e308}'),
    ("metadata", '{"a":"\\ud800"}'),
    ("metadata", '{"\\ud800":1}'),
    ("metadata", ' \t\r\n{ "a" \n: 1 } '),
    ("metadata", "\f{}"),
    ("metadata", "\u00a0{}"),
    ("metadata", "{}}{"),
]  # fmt: skip


class Read(NamedTuple):
    """What ClickHouse read: texts and names in hex, doubles as their 64 bits."""

    ids: dict[str, str | None]
    numbers: dict[str, str | None]
    flags: dict[str, bool | None]
    maps: dict[str, dict[str, str]]
    features: dict[str, str]
    metadata: str


TEXTS = ("prediction_id", "item_id", "run_id", "model_id", "model_version", "kind", "label", "exclusion_reason")
NUMBERS = ("value", "score", "latency_ms")
FLAGS = ("selected", "excluded")
MAPS = ("probabilities", "confidence.modifiers")
TUPLE = (
    "Tuple("
    + ", ".join(
        [f"{name} Nullable(String)" for name in TEXTS]
        + [f"{name} Nullable(Float64)" for name in NUMBERS]
        + [f"{name} Nullable(Bool)" for name in FLAGS]
    )
    + ", probabilities Map(String, Float64), confidence Tuple(base Nullable(Float64), modifiers Map(String, Float64),"
    " final Nullable(Float64)), metadata String)"
)
BITS = "if(isNull({0}), NULL, toString(reinterpretAsUInt64(assumeNotNull({0}))))"


def select(value: str, *, structured: bool) -> str:
    """A query for what the typed tables would hold."""
    texts = ", ".join(f"'{name}', hex(d.{name})" for name in TEXTS)
    doubles = [*NUMBERS, "confidence.base", "confidence.final"]
    numbers = ", ".join(f"'{name}', {BITS.format('d.' + name)}" for name in doubles)
    flags = ", ".join(f"'{name}', d.{name}" for name in FLAGS)
    maps = ", ".join(
        f"'{name}', mapFromArrays(arrayMap(k -> hex(k), mapKeys(d.{name})),"
        f" arrayMap(v -> toString(reinterpretAsUInt64(v)), mapValues(d.{name})))"
        for name in MAPS
    )
    where = "'data', " if structured else ""
    pairs = f"JSONExtractKeysAndValuesRaw(doc, {where}'features')"
    return (
        f"WITH {value} AS doc, JSONExtract(doc, {where}'{TUPLE}') AS d SELECT map({texts}), map({numbers}), map({flags}),"
        f" map({maps}), mapFromArrays(arrayMap(p -> hex(p.1), {pairs}), arrayMap(p -> hex(p.2), {pairs})),"
        " hex(d.metadata)"
    )


@cache
def read_by_clickhouse(value: bytes, *, structured: bool) -> Read:
    row = chdb.query(select(f"unhex('{value.hex()}')", structured=structured), "JSONCompactEachRow").bytes()
    return Read(*json.loads(row))


def bits(number: float | None) -> str | None:
    """The 64 bits of a double; a zero has no sign, as the contract says."""
    return None if number is None else str(struct.unpack("<Q", struct.pack("<d", number + 0.0))[0])


def without_sign_of_zero(numbers: dict[str, str | None]) -> dict[str, str | None]:
    return {name: "0" if text == str(1 << 63) else text for name, text in numbers.items()}


def in_either_form(digits: str) -> int | float:
    """An integer of 64 bits, or else a double."""
    return int(digits) if abs(int(digits)) < 1 << 63 else float(digits)


def hexed(text: str | None) -> str | None:
    return None if text is None else text.encode().hex().upper()


def read_by_python(data: PredictionRecorded) -> Read:
    confidence = data.confidence
    modifiers = confidence.modifiers if confidence else {}
    return Read(
        {name: hexed(getattr(data, name)) for name in TEXTS},
        {name: bits(getattr(data, name)) for name in NUMBERS}
        | {
            "confidence.base": bits(confidence.base if confidence else None),
            "confidence.final": bits(confidence.final if confidence else None),
        },
        {name: getattr(data, name) for name in FLAGS},
        {
            "probabilities": {hexed(name) or "": bits(p) or "" for name, p in data.probabilities.items()},
            "confidence.modifiers": {hexed(name) or "": bits(p) or "" for name, p in modifiers.items()},
        },
        {},
        "",
    )


def test_the_corpus_is_large_and_has_both_kinds() -> None:
    verdicts = [judge(TOPIC, None, headers(), raw(*entry)).status for entry in CORPUS]
    assert len(CORPUS) >= 150
    assert verdicts.count("valid") >= 60
    assert verdicts.count("rejected") >= 60


@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize(("member", "text"), CORPUS, ids=lambda text: ascii(text)[:40])
def test_clickhouse_reads_what_was_validated(member: str, text: str, mode: str) -> None:
    value = raw(member, text)
    whole = json.dumps(ATTRIBUTES).encode()[:-1] + b',"data":' + value + b"}"
    binary = judge(TOPIC, None, headers(), value)
    judged = judge(TOPIC, None, [], whole)
    assert judged.status == binary.status
    if judged.status == "rejected":
        return
    document = read_json(value)
    expected = read_by_python(PredictionRecorded.model_validate(document))
    read = read_by_clickhouse(whole if mode == "structured" else value, structured=mode == "structured")
    assert read._replace(numbers=without_sign_of_zero(read.numbers), features={}, metadata="") == expected
    features = {bytes.fromhex(name).decode(): bytes.fromhex(part) for name, part in read.features.items()}
    # the server writes a large number without an exponent, and the typed tables read its digits as a double
    found = {name: json.loads(part, parse_int=in_either_form) for name, part in features.items()}
    assert found == (document.get("features") or {})
    metadata: Any = json.loads(bytes.fromhex(read.metadata) or b"{}")
    assert metadata == (document.get("metadata") or {})
