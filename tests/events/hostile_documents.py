"""A corpus of hostile JSON documents of our own: each with what the judge must say of it.

What readers of JSON are known to disagree about, put where events have a member that takes it: bytes and structure,
numbers for every numeric column, text, member names, nesting, types, points in time, and whole structured events.
A document that is accepted must be read alike by Python and by ClickHouse; `tests/storage/test_hostile_documents.py`
inserts all of them at once and compares. All others must be refused, under the class that stands here.

`VALID`, or the value of a `ReasonClass`. Members are written by hand, so that no writer of JSON tidies them.
"""

import gzip
import json
from typing import Any, NamedTuple

from .records import ATTRIBUTES

__all__ = ["DOCUMENTS", "Document"]

VALID = "valid"
AMBIGUOUS = "ambiguous_json"
ENVELOPE = "envelope"
INVALID = "invalid_data"
NOT_JSON = "not_json"
UNDECODABLE = "undecodable"
UNKNOWN_TYPE = "unknown_type"


class Document(NamedTuple):
    """One value of a Kafka record, of an event type given by its typed table."""

    name: str
    table: str
    value: bytes
    verdict: str
    whole: bool = False
    """A whole event; else data, which is tried in both content modes."""


BASES: dict[str, dict[str, Any]] = {
    "predictions": {
        "prediction_id": "p-1", "item_id": "i-1", "model_id": "m", "model_version": "1", "kind": "binary",
        "label": "late", "score": 0.5,
    },
    "outcomes": {
        "prediction_id": "p-1", "model_id": "m", "model_version": "1", "value": 1.5,
        "observed_at": "2013-03-01T15:04:00Z",
    },
    "classifications": {"item_id": "i-1", "label": "late", "origin": "user"},
    "runs_started": {"run_id": "r-1", "engine": "e", "mode": "test", "trigger": "cron"},
    "runs_health_checked": {"run_id": "r-1", "checks": [], "allowed": True},
    "runs_items_processed": {"run_id": "r-1", "item_id": "i-1", "predictions": 1, "duration_ms": 1.5},
    "runs_completed": {
        "run_id": "r-1", "status": "completed",
        "counts": {
            "processed": 1, "with_predictions": 1, "skipped": 0, "predictions": 1, "rules_evaluated": 0,
            "rules_matched": 0,
        },
    },
    "actions": {"action": "a", "resource_type": "model"},
}  # fmt: skip


def _object(members: dict[str, str]) -> bytes:
    return ("{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}").encode("utf-8", "surrogatepass")


def _texts(table: str) -> dict[str, str]:
    return {name: json.dumps(part) for name, part in BASES[table].items()}


def _member(table: str, member: str, verdict: str, *texts: str, name: str = "") -> list[Document]:
    """Documents with one member written by hand."""
    return [
        Document(
            f"{table} {member} {name or (text if len(text) < 60 else f'{text[:20]}... of {len(text)} characters')}",
            table,
            _object({**_texts(table), member: text}),
            verdict,
        )
        for text in texts
    ]


def _bytes(verdict: str, **values: bytes) -> list[Document]:
    return [Document(name.replace("_", " "), "predictions", value, verdict) for name, value in values.items()]


def _whole(name: str, verdict: str, table: str = "predictions", **members: str) -> Document:
    """Return a whole event with some members written by hand; to nothing takes one out."""
    texts = {key: json.dumps(text) for key, text in ATTRIBUTES.items()} | {"data": _object(_texts(table)).decode()}
    texts = {key: text for key, text in (texts | members).items() if text}
    return Document(f"whole {name}", table, _object(texts), verdict, whole=True)


def _moment(verdict: str, *texts: str) -> list[Document]:
    return _member("outcomes", "observed_at", verdict, *(f'"{text}"' for text in texts))


GOOD = _object(_texts("predictions"))
OPEN = GOOD[:-1]

STRUCTURE = [
    *_bytes(
        VALID,
        white_space_around=b" \t\r\n" + GOOD + b"\n\r\t ",
        white_space_of_64_kB=GOOD + b" " * 65_536,
        white_space_between=GOOD.replace(b",", b"\r\n,\t").replace(b":", b" :\n"),
    ),
    *_bytes(
        INVALID,
        object_without_members=b"{}",
        list=b"[]",
        list_with_the_event=b"[" + GOOD + b"]",
        number=b"42",
        true=b"true",
        null=b"null",
        text=b'"event"',
        the_event_as_text=json.dumps(GOOD.decode()).encode(),
    ),
    *_bytes(
        NOT_JSON,
        white_space_only=b" \n ",
        vertical_tab_as_white_space=b"\x0b" + GOOD,
        form_feed_as_white_space=GOOD + b"\x0c",
        no_break_space_as_white_space=b"\xc2\xa0" + GOOD,
        line_separator_as_white_space=GOOD + b"\xe2\x80\xa8",
        zero_byte_after=GOOD + b"\x00",
        zero_byte_between=OPEN + b"\x00}",
        record_separator_before=b"\x1e" + GOOD + b"\n",
        two_events_in_lines=GOOD + b"\n" + GOOD,
        two_events_after_each_other=GOOD + GOOD,
        event_and_rubbish=GOOD + b"x",
        line_comment=OPEN + b"} // late",
        block_comment=OPEN + b"/* late */}",
        hash_comment=b"# late\n" + GOOD,
        comma_at_the_end=OPEN + b",}",
        comma_at_the_beginning=b"{," + GOOD[1:],
        comma_twice=OPEN.replace(b",", b",,", 1) + b"}",
        comma_missing=OPEN.replace(b',"item_id"', b' "item_id"') + b"}",
        colon_missing=GOOD.replace(b'"kind":', b'"kind" '),
        colon_twice=GOOD.replace(b'"kind":', b'"kind"::'),
        equals_for_colon=GOOD.replace(b'"kind":', b'"kind"='),
        semicolon_for_comma=GOOD.replace(b",", b";"),
        single_quotes=GOOD.replace(b'"', b"'"),
        names_without_quotes=GOOD.replace(b'"kind"', b"kind"),
        number_as_name=OPEN + b",1:2}",
        closed_twice=GOOD + b"}",
        closed_by_the_wrong_bracket=OPEN + b"]",
        not_closed=OPEN,
        cut_inside_a_name=GOOD[:5],
        cut_inside_an_escape=OPEN + b',"rule_id":"\\u00',
        only_a_brace=b"{",
        only_a_quote=b'"',
        callback=b"callback(" + GOOD + b")",
        guard_against_inclusion=b")]}',\n" + GOOD,
        xml=b'<?xml version="1.0"?><event/>',
        yaml=b"prediction_id: p-1\nscore: 0.5\n",
        form=b"prediction_id=p-1&score=0.5",
        base_64=b"eyJwcmVkaWN0aW9uX2lkIjoicC0xIn0=",
        avro_container=b"Obj\x01\x04",
        utf_16_little_endian=GOOD.decode().encode("utf-16-le"),
        utf_16_big_endian=GOOD.decode().encode("utf-16-be"),
        utf_32_little_endian=GOOD.decode().encode("utf-32-le"),
        utf_32_big_endian=GOOD.decode().encode("utf-32-be"),
        capital_true=OPEN + b',"selected":True}',
        undefined=OPEN + b',"selected":undefined}',
        none=OPEN + b',"selected":None}',
        nil=OPEN + b',"selected":nil}',
    ),
    *_bytes(AMBIGUOUS, byte_order_mark=b"\xef\xbb\xbf" + GOOD),
    *_bytes(
        UNDECODABLE,
        utf_16_with_byte_order_mark=GOOD.decode().encode("utf-16"),
        latin_1=OPEN + ',"rule_id":"é"}'.encode("latin-1"),
        overlong_zero=OPEN + b',"rule_id":"\xc0\x80"}',
        overlong_solidus=OPEN + b',"rule_id":"\xe0\x80\xaf"}',
        surrogate_in_utf_8=OPEN + b',"rule_id":"\xed\xa0\x80"}',
        surrogate_pair_in_utf_8=OPEN + b',"rule_id":"\xed\xa0\xbd\xed\xb8\x80"}',
        beyond_unicode=OPEN + b',"rule_id":"\xf4\x90\x80\x80"}',
        continuation_byte_alone=OPEN + b',"rule_id":"\x80"}',
        character_cut_by_a_quote=OPEN + b',"rule_id":"\xf0\x9f\x98"}',
        not_utf_8_in_a_name=OPEN + b',"\xff":1}',
        not_utf_8_between_members=OPEN + b"\xff}",
        gzip=gzip.compress(GOOD, mtime=0),
        message_pack=b"\x81\xadprediction_id\xa3p-1",
        zstd=b"\x28\xb5\x2f\xfd\x04\x00",
    ),
]

NUMBERS = [
    *_member("predictions", "score", VALID,
        "0", "-0", "0.0", "-0.0", "0e1", "0E+1", "0e-1", "-0e-0", "1E-0", "1.0E+2", "1e22", "1e23", "123e-7", "4.35", "0.000001", "1e-7",
        "8.5e-323", "2.2250738585072011e-308", "2.2250738585072012e-308", "1.00000000000000011102230246251565",
        "1.00000000000000033306690738754696", "9007199254740992.9", "9007199254740993.5", "-9223372036854775808", "9223372036854775807", "9223372036854775807.5",
        "1.7976931348623157e308", "-1.7976931348623158e+308", "1e-400", "-1e-400", "5e-324", "3e-324", "0." + "3" * 1100, "1" + "0" * 300 + ".0",
        "1" * 3000 + "e-2990", "null",
    ),
    *_member("predictions", "score", AMBIGUOUS,
        "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" * 3999, "1" * 4300, "1.8e308", "-1e309",
        "1e2147483648", "1e99999999999999999999", "NaN", "Infinity", "-Infinity",
    ),
    *_member("predictions", "score", NOT_JSON,
        "00", "01", "-01", "+1", ".5", "5.", "-.5", "1.e2", "1e", "1e+", "1e5.5", "- 1", "--1", "-", "0x1F", "0b1", "0o7", "1_000", "1,5", "1 000",
        "1f", "1L", "1n", "1/2", "\u0661", "\uff11", "\u00bd", "\u221e", "nan", "inf", "-nan", "1e\u00b2",
    ),
    *_member("predictions", "score", INVALID, '"0.5"', '"NaN"', "true", "[0.5]", "{}", '""'),
    *_member("runs_items_processed", "predictions", VALID, "0", "-0", "1", "9007199254740993", "9223372036854775807"),
    *_member("runs_items_processed", "predictions", INVALID, "-1", "1.0", "1e2", "1E0", "0.0", "-0.0", "1.5", '"1"', "true", "null", "9007199254740993.0", "1e18"),
    *_member("runs_items_processed", "predictions", AMBIGUOUS, "9223372036854775808", "18446744073709551615", "1e400"),
    *_member("runs_items_processed", "duration_ms", VALID, "0", "9223372036854775807", "1e300"),
    *_member("runs_items_processed", "duration_ms", INVALID, "-0.5", "null"),
    *_member("runs_started", "input", VALID,
        '{"kind":"k","name":"n","rows":9223372036854775807}', '{"kind":"k","name":"n","rows":null}', "null"),
    *_member("runs_started", "input", INVALID, '{"kind":"k","name":"n","rows":1.0}', "[]", '{"kind":"k"}'),
    *_member("predictions", "probabilities", VALID, '{"a":0,"b":1,"c":1e-400,"d":0.1}', '{"a":-0.0}', "{}", "null"),
    *_member("predictions", "probabilities", INVALID,
        '{"a":1.0000000000000002}', '{"a":-5e-324}', '{"a":"1"}', '{"a":null}', '{"a":true}', "[]", "[0.5,0.5]"),
    *_member("predictions", "features", VALID,
        '{"a":9007199254740993,"b":-0,"c":1e22,"d":1E-7,"e":"1e5","f":true,"g":null,"h":""}',
        '{"a":"-","b":"-1","c":"0","d":" 1","e":"+1","f":"\\u0031","g":"\\"1\\""}',
        '{"a":0.1,"b":100000000000000000000.0,"c":5e-324,"d":1.7976931348623157e308}',
        '{"a":9223372036854775808.0,"b":18446744073709551615.0,"c":18446744073709551616e0,"d":1e19,"e":1e20,"f":9.99e20,"g":1e21,"h":-1e19,"i":-1e20,"j":"100000000000000000000"}',
        '{"a":-9223372036854775809.0,"b":1844674407370955161.6e1,"c":"1e20","d":"-1e20","e":1e-5,"f":1e-6,"g":123456789e12}'),
    *_member("classifications", "features", VALID, '{"a":1e20,"b":-1e20,"c":"100000000000000000000","d":null,"e":true}', "null", "{}"),
    *_member("predictions", "features", AMBIGUOUS, '{"a":9223372036854775808}', '{"a":-1e999}', '{"a":NaN}'),
    *_member("predictions", "strata", VALID,
        '{"a":9007199254740993,"b":0.1,"c":1e21,"d":-0.0,"e":"x","f":true,"g":null,"h":1e-7,"i":"null"}',
        '{"a":1e19,"b":-1e20,"c":18446744073709551616.0,"d":"100000000000000000000"}'),
    *_member("predictions", "strata", INVALID, '{"a":{}}', '{"a":[]}', '{"":1}'),
]  # fmt: skip

TEXT = [
    *_member("predictions", "label", VALID,
        '"\\u006cate"', '"\\u006Cate"', '"\\/"', '"\\\\"', '"\\""', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"\U0001f600"', '"\\u2028"', '"\u2029"',
        '"\\uffff"', '"\\ufdd0"', '"\\ufeff"', '"\u202e"', '"\u200d"', '"\u00e9"', '"e\u0301"', '"\\u00e9"', '"\u1e9e"', '"\\u0130"', '"null"', '"true"',
        '" "', '"\u3000"', '"\'"', "\"'; DROP TABLE ledger; --\"", '"%s{0}$1"', '"<script>"', '"\\\\N"', '"\\\\0"', '"' + "\U0001f600" * 1024 + '"',
    ),
    *_member("predictions", "label", INVALID,
        '""', '"\\u0000"', '"a\\u0000b"', '"\\n"', '"\\t"', '"\\b"', '"\\u001f"', '"\x7f"', '"\\u007F"', '"\\u0085"', '"\\u009f"', "1", "true", "[]", "{}",
        '["late"]', '"' + "x" * 1025 + '"'),
    *_member("predictions", "label", AMBIGUOUS, '"\\ud83d"', '"\\ude00"', '"\\ude00\\ud83d"', '"\\ud83d\\ud83d"', '"\\ud83d\\u0041"', '"\\ud83d\\n"', '"\\uDFFF"'),
    *_member("predictions", "label", NOT_JSON,
        '"a\nb"', '"a\tb"', '"a\x00b"', '"\x1f"', '"\\v"', '"\\a"', '"\\0"', '"\\\'"', '"\\x41"', '"\\u{41}"', '"\\u004"', '"\\u00g1"', '"\\U00000041"', '"\\ u0041"',
        '"\\', '"late', 'late"', "late", "`late`", "\u201clate\u201d", '"a" "b"', '"a"+"b"'),
    *_member("classifications", "reason", VALID,
        '""', '"\\u0000"', '"a\\u0000b"', '"\\b\\f\\n\\r\\t\\/"', '"\\u001f\\u0000\\u001f"', '"\x7f"', '"' + "x" * 65_536 + '"', '"' + "\\u0000" * 1_000 + '"', '"\\\\u0000"', '"\\\\\\u0041"'),
    *_member("classifications", "reason", INVALID, '"' + "x" * 65_537 + '"', "0"),
]  # fmt: skip

NAMES = [
    *_member("predictions", "score", AMBIGUOUS,
        '1,"score":1', '1,"score":null', '1,"sc\\u006fre":2', '1,"sc\\u006Fre":2', '1,"\\u0073\\u0063\\u006f\\u0072\\u0065":2', '1,"kind":"binary"',
    ),
    *_member("predictions", "score", INVALID, '1,"Score":2', '1,"score ":2', '1,"score\\u0000":2', '1,"":2', '1,"\\ufeffscore":2', '1,"sc\u043ere":2', '1,"__proto__":{}', '1,"$schema":"x"'),
    *_member("predictions", "metadata", AMBIGUOUS,
        '{"a":1,"a":1}', '{"a":{"b":1,"c":{"b":1},"b":2}}', '[{"a":1,"a":2}]', '{"x":[[{"\\u0061":1,"a":2}]]}', '{"":1,"":2}', '{"\\u00e9":1,"\u00e9":2}', '{"\\ud83d\\ude00":1,"\U0001f600":2}',
        '{"\\ud83d":1}'),
    *_member("predictions", "metadata", AMBIGUOUS,
        "{" + ",".join(f'"m{i}":{i}' for i in range(5_000)) + ',"m17":0}', name="5,001 members, one of them twice"),
    *_member("predictions", "metadata", VALID,
        "{" + ",".join(f'"m{i}":{i}' for i in range(5_000)) + "}", name="5,000 members"),
    *_member("predictions", "metadata", VALID,
        '{"a":1,"A":2,"a ":3,"a\\u0000":4,"\u0430":5}', '{"\u00e9":1,"e\u0301":2}', '{"__proto__":{"x":1},"constructor":null,"toString":1}', '{"$ref":"#","@type":"x",".":1,"a.b":2,"a":{"b":3}}',
        '{"0":1,"00":2,"-1":3,"1.0":4}', '{"\\"":1,"\\\\":2,"\\/":3,"\\n":4}', '{"null":null,"true":false}', '{"data":{"item_id":"other"},"item_id":"other"}'),
    *_member("predictions", "features", AMBIGUOUS, '{"a":1,"a":2}', '{"a":1,"\\u0061":"x"}'),
    *_member("predictions", "features", INVALID, '{"":1}', '{"' + "n" * 257 + '":1}'),
    *_member("predictions", "features", VALID,
        '{"a":1,"A":2,"a ":3,"a\\u0000":4,"a\\u0000b":5,"\u0430":6}', '{"\u00e9":1,"e\u0301":2,"\\u00e8":3}', '{"$":1,"0":2,"a.b":3,"a[0]":4,"*":5,"\\"":6,"\\\\":7,"/":8,"\\n":9}',
        '{"' + "\U0001f600" * 256 + '":1}'),
    *_member("predictions", "features", VALID, "{" + ",".join(f'"f{i}":{i}' for i in range(5_000)) + "}", name="5,000 features"),
    *_member("runs_health_checked", "checks", AMBIGUOUS, '[{"name":"a","passed":true,"passed":false,"detail":""}]'),
    *_member("runs_health_checked", "checks", INVALID,
        '[{"name":"a","passed":"true","detail":""}]', '[{"name":"a","passed":1,"detail":""}]', '[{"name":"a","passed":true}]', '[{"name":"a","passed":true,"detail":"","x":1}]', "[null]", "{}", "null",
        '[["a",true,""]]'),
    *_member("runs_health_checked", "checks", VALID,
        "[]", '[{"detail":"","passed":false,"name":"a"},{"name":"a","passed":true,"detail":"\\u0000\\n"}]', "[" + ",".join(['{"name":"n","passed":true,"detail":""}'] * 500) + "]"),
    *_member("runs_items_processed", "matched_rules", VALID, '["a","a","\\u0061"]', "[]", "null"),
    *_member("runs_items_processed", "matched_rules", INVALID, "[null]", '[""]', "[1]", '"a"', '{"a":1}', '[["a"]]'),
    *_member("runs_completed", "counts", AMBIGUOUS,
        '{"processed":1,"with_predictions":1,"skipped":0,"predictions":1,"rules_evaluated":0,"rules_matched":0,"skipped":1}'),
    *_member("runs_completed", "counts", VALID,
        '{"rules_matched":-0,"rules_evaluated":0,"predictions":9223372036854775807,"skipped":0,"with_predictions":9007199254740993,"processed":9007199254740993}'),
    *_member("runs_completed", "counts", INVALID,
        '{"processed":1.0,"with_predictions":1,"skipped":0,"predictions":1,"rules_evaluated":0,"rules_matched":0}', "[1,1,0,1,0,0]", "null"),
    *_member("runs_health_checked", "allowed", INVALID, "1", "0", '"true"', "null", "[]"),
]  # fmt: skip

NESTING = [
    *_member("predictions", "metadata", VALID, '{"a":' * 62 + "1" + "}" * 62, name="62 objects"),
    *_member("predictions", "metadata", VALID, '{"a":' + "[" * 61 + "]" * 61 + "}", name="an object and 61 lists"),
    *_member("predictions", "metadata", INVALID, '{"a":' * 63 + "1" + "}" * 63, name="63 objects"),
    *_member("predictions", "metadata", AMBIGUOUS, '{"a":' * 10_000 + "1" + "}" * 10_000, name="10,000 objects"),
    *_member("predictions", "metadata", AMBIGUOUS, "[" * 10_000 + "]" * 10_000, name="10,000 lists"),
    *_member("predictions", "metadata", AMBIGUOUS, '{"a":' * 100_000, name="100,000 objects that are not closed"),
    *_bytes(AMBIGUOUS, lists_100_000_not_closed=b"[" * 100_000, lists_and_objects_not_closed=b'[{"":' * 50_000),
    *_member("predictions", "metadata", VALID, '{"a":"' + "[{" * 10_000 + '"}', name="10,000 brackets in a text"),
    *_member("predictions", "metadata", VALID, '{"a":[' + "[]," * 20_000 + "[]]}", name="20,001 lists side by side"),
    *_member("predictions", "metadata", VALID, '{"a":"' + "x" * 900_000 + '"}', name="900 kB of text"),
]

FREE = [
    *_member("actions", "data", VALID,
        '{"a":[1,1.0,-0.0,1e5,1e-7,"1",null,true,false,[],{}]}', '{"a":9223372036854775807,"b":-9223372036854775808}', '{"a":1e22,"b":123456789012345680000.0}', ' \n{ "a" :\t[ 1 , 2 ] }\r',
        '{"a":"\\u0000\\u001f\x7f\\u0085\\u2028\\ud83d\\ude00<>&\'/\\/"}', '{"a":0.1,"b":0.30000000000000004,"c":5e-324,"d":1.7976931348623157e308}', "null", "{}",
        '{"a":1e19,"b":-1e20,"c":[18446744073709551616.0,{"d":9.99e20}],"e":"100000000000000000000"}'),
    *_member("actions", "data", INVALID, "[]", '"{}"', "1"),
    *_member("actions", "data", AMBIGUOUS, '{"a":1e999}', '{"a":[9223372036854775808]}', '{"a":-Infinity}', '{"a":"\\ud800"}'),
]  # fmt: skip

MOMENTS = [
    *_moment(VALID,
        "1970-01-01T00:00:00Z", "2200-12-31T23:59:59.999999Z", "2000-02-29T23:59:59Z", "2013-03-10T02:30:00-05:00", "2013-03-01T15:04:00+14:00", "2013-03-01T15:04:00-12:00",
        "2013-03-01T15:04:00+23:59", "2013-03-01T15:04:00-23:59", "1970-01-01T00:30:00+00:30", "2013-03-01T15:04:00-00:00", "2013-03-01T15:04:00.1Z", "2013-03-01T15:04:00.000001Z",
        "2013-03-01T15:04:00.10Z", "2038-01-19T03:14:08Z", "2106-02-07T06:28:16Z", "2013\\u002d03-01T15:04:00Z", "2149-06-07T00:00:00.5+05:45", "1999-12-31T23:59:59.999999-00:01",
    ),
    *_moment(INVALID,
        "2013-03-01t15:04:00Z", "2013-03-01T15:04:00z", "2013-03-01 15:04:00Z", "2013-03-01T15:04:00", "2013-03-01T15:04Z", "20130301T150400Z", "2013-03-01", "15:04:00Z", "2013-W09-5T15:04:00Z", "2013-060T15:04:00Z",
        "2013-03-01T24:00:00Z", "2013-03-01T23:60:00Z", "2016-12-31T23:59:60Z", "2013-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2013-00-01T00:00:00Z", "2013-13-01T00:00:00Z", "2013-04-31T00:00:00Z", "2013-03-00T00:00:00Z",
        "2013-03-01T15:04:00+24:00", "2013-03-01T15:04:00+0530", "2013-03-01T15:04:00+05", "2013-03-01T15:04:00 Z", "2013-03-01T15:04:00Z ", " 2013-03-01T15:04:00Z", "2013-03-01T15:04:00Z\\n", "2013-03-01T15:04:00Z\\u0000",
        "2013-03-01T15:04:00.Z", "2013-03-01T15:04:00,5Z", "2013-03-01T15:04:00.1234567Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00+00:01", "2200-12-31T23:59:59-00:01", "2201-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
        "\u0662\u0660\u0661\u0663-03-01T15:04:00Z", "2013\u201303\u201301T15:04:00Z", "+2013-03-01T15:04:00Z", "-2013-03-01T15:04:00Z", "02013-03-01T15:04:00Z", "now", "1362150240", "",
        "2013-03-01T15:04:00[Europe/Vienna]", "2013-03-01T15:04:00UTC",
    ),
    *_member("outcomes", "observed_at", INVALID, "1362150240", "1362150240.5", "null", "[]"),
]  # fmt: skip

WHOLE = [
    _whole("plain", VALID),
    _whole("names in escapes", VALID, **{"id": "", "\\u0069d": '"e-1"'}),
    _whole("data first", VALID)._replace(
        value=_object({"data": GOOD.decode()} | {name: json.dumps(text) for name, text in ATTRIBUTES.items()})
    ),
    _whole("time in escapes", VALID, time='"2013\\u002D03-01T12:00:00\\u005a"'),
    _whole("id of emoji", VALID, id='"\\ud83d\\ude00"'),
    _whole("id in a right-to-left script", VALID, id='"\u202e\u05d0"'),
    _whole("null extension", VALID, xregion="null"),
    _whole("null tenant", VALID, tenant="null"),
    _whole("integer extension", VALID, xregion="-2147483648"),
    _whole("1,000 extensions", VALID, **{f"x{i}": '"v"' for i in range(1_000)}),
    _whole("content type of data", VALID, datacontenttype='"application/json"'),
    _whole("id twice", AMBIGUOUS, **{"\\u0069d": '"other"'}),
    _whole("data twice", AMBIGUOUS, **{"d\\u0061ta": "{}"}),
    _whole("id of a lone surrogate", AMBIGUOUS, id='"\\udc00"'),
    _whole("extension beyond 64 bits", AMBIGUOUS, xregion="9223372036854775808"),
    _whole("deep extension", AMBIGUOUS, xregion="[" * 500 + "]" * 500),
    _whole("version as number", ENVELOPE, specversion="1.0"),
    _whole("version with a blank", ENVELOPE, specversion='"1.0 "'),
    _whole("version 1.1", ENVELOPE, specversion='"1.1"'),
    _whole("no version", ENVELOPE, specversion=""),
    _whole("id of nothing", ENVELOPE, id='""'),
    _whole("id as number", ENVELOPE, id="1"),
    _whole("id with a zero character", ENVELOPE, id='"e\\u0000"'),
    _whole("id with a noncharacter", ENVELOPE, id='"\\uffff"'),
    _whole("id with a line end", ENVELOPE, id='"e\\n"'),
    _whole("id of 1,025 characters", ENVELOPE, id='"' + "x" * 1025 + '"'),
    _whole("capital ID", ENVELOPE, ID='"e-2"'),
    _whole("name with an underscore", ENVELOPE, x_region='"v"'),
    _whole("name with a zero character", ENVELOPE, **{"x\\u0000": '"v"'}),
    _whole("name of nothing", ENVELOPE, **{"": '"v"'}),
    _whole("name in another script", ENVELOPE, **{"\u0456-d": '"v"'}),
    _whole("extension as object", ENVELOPE, xregion="{}"),
    _whole("extension as fraction", ENVELOPE, xregion="1.0"),
    _whole("extension of 32 bits and more", ENVELOPE, xregion="2147483648"),
    _whole("data in base 64 beside data", ENVELOPE, data_base64='"e30="'),
    _whole("data in base 64", ENVELOPE, data="", data_base64='"e30="'),
    _whole("time as number", ENVELOPE, time="1362139200"),
    _whole("time with a leap second", ENVELOPE, time='"2016-12-31T23:59:60Z"'),
    _whole("time in the far future", ENVELOPE, time='"2999-01-01T00:00:00Z"'),
    _whole("time with a line end", ENVELOPE, time='"2013-03-01T12:00:00Z\\n"'),
    _whole("sequence as number", ENVELOPE, sequence="7"),
    _whole("sequence in other digits", ENVELOPE, sequence='"\u0661"'),
    _whole("source with a blank", ENVELOPE, source='"a b"'),
    _whole("source in another script", ENVELOPE, source='"\u00e9"'),
    _whole("data as text", INVALID, data='"{}"'),
    _whole("data as list", INVALID, data="[]"),
    _whole("data of nothing", INVALID, data="null"),
    _whole("no data", INVALID, data=""),
    _whole("type of nobody", UNKNOWN_TYPE, type='"modeltrail.prediction.recoded.v1"'),
    _whole("type in capitals", UNKNOWN_TYPE, type='"MODELTRAIL.prediction.recorded.v1"'),
    _whole("type with a blank", UNKNOWN_TYPE, type='"modeltrail.prediction.recorded.v1 "'),
]  # fmt: skip

DOCUMENTS: list[Document] = [*STRUCTURE, *NUMBERS, *TEXT, *NAMES, *NESTING, *FREE, *MOMENTS, *WHOLE]
"""All of them. Names are unique."""
