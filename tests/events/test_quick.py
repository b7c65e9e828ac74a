"""The quick way takes nothing that the careful way refuses, and says nothing else about what it takes."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modeltrail.events import encode_binary, encode_structured, quick
from modeltrail.events.envelope import Headers
from modeltrail.events.examples import event_example
from modeltrail.events.judge import Judgement, judge, judge_carefully
from modeltrail.events.registry import EVENT_TYPES, EventType, topic_name

from .hostile import HOSTILE, Hostile
from .records import ATTRIBUTES, DATA, TOPIC, headers, raw, structured
from .strategies import events

QUICK = [kind for kind in EVENT_TYPES.values() if kind.model in quick.RULES]
PREDICTION = EVENT_TYPES["modeltrail.prediction.recorded.v1"]
RELAXED = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
ENVELOPE = json.dumps(ATTRIBUTES).encode()[:-1] + b',"data":'


def same_verdict(topic: str, given_headers: Headers, content: bytes) -> Judgement:
    """The one verdict; an assertion where the two ways differ."""
    careful = judge_carefully(topic, None, given_headers, content)
    assert judge(topic, None, given_headers, content) == careful
    return careful


def both_modes(data: bytes) -> None:
    same_verdict(TOPIC, headers(), data)
    same_verdict(TOPIC, [], ENVELOPE + data + b"}")


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_no_hostile_record_is_taken(hostile: Hostile) -> None:
    assert same_verdict(hostile.topic, hostile.headers, hostile.value or b"").status == "rejected"
    assert hostile.value is None or quick.read_structured(hostile.topic, hostile.value) is None or hostile.headers


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=lambda kind: kind.name)
@RELAXED
@given(st.data())
def test_any_event_has_one_verdict(kind: EventType, data: st.DataObject) -> None:
    event = data.draw(events(kind))
    for _, given_headers, content in (encode_binary(event), encode_structured(event)):
        assert same_verdict(topic_name(kind.family), given_headers, content).status == "valid"
        indented = json.dumps(json.loads(content), ensure_ascii=False, indent=1).encode()
        assert same_verdict(topic_name(kind.family), given_headers, indented).status == "valid"


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.name)
def test_a_common_event_is_taken(kind: EventType) -> None:
    document = event_example(kind)
    assert quick.read_structured(topic_name(kind.family), json.dumps(document).encode()) is not None
    assert quick.fits(kind, json.dumps(document["data"]).encode())


@pytest.mark.parametrize(
    "content",
    [
        structured(),
        structured(source="https://example.org/a:b?c"),
        structured(time="2013-03-01T12:00:00+02:00"),
        structured(actor="N\N{LATIN SMALL LETTER E WITH ACUTE}e", subject="\N{CJK UNIFIED IDEOGRAPH-4E00}"),
        structured(data={**DATA, "features": {"a:b": "c:d", "e": None}, "metadata": {"x": [{"y:": ":"}]}}),
        structured(tenant="acme", sequence="0042", correlationid="c", causationid="d", retentionclass="short"),
        structured(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        structured(datacontenttype="application/json"),
        structured().replace(b'":', b'" :\n'),
    ],
)
def test_an_unusual_event_is_taken_too(content: bytes) -> None:
    assert quick.read_structured(TOPIC, content) is not None
    assert same_verdict(TOPIC, [], content).status == "valid"


NUMBERS = [
    "0", "-0", "-0.0", "01", "1.", ".5", "+1", "1e5", "1E+05", "1e", "1e-400", "1e999", "-1e999", "0x1", "1_0", "--1",
    "0.1e1", "1.0", "1.0000000000000001", "1.00000000000000011102230246251565", "1.0000000000000002", "-1e-300",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "18446744073709551616", "9000000000000000000", "9000000000000000001", "1" * 400, "0." + "3" * 400, "1e18", "9.3e18",
    "NaN", "Infinity", "-Infinity", "nan", "true", "null", '"1"', "[1]", "{}", "[]", "", " 1 ", "1 2", "5e-324",
    "1.7976931348623157e308", "1.7976931348623159e308", "4.9406564584124654e-324",
]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize("name", ["score", "value", "latency_ms", "probabilities", "features", "strata", "metadata"])
def test_a_number_has_one_verdict_wherever_it_stands(name: str, text: str) -> None:
    both_modes(raw(name, f'{{"a":{text}}}' if name[-1] in "sa" and name != "latency_ms" else text))


@pytest.mark.parametrize("text", NUMBERS)
def test_an_integer_has_one_verdict(text: str) -> None:
    kind = EVENT_TYPES["modeltrail.action.recorded.v1"]
    data = json.dumps(event_example(kind)["data"]).encode()
    same_verdict("modeltrail.actions", headers(type=kind.name), data[:-1] + b',"risk":' + text.encode() + b"}")


PARTS = [
    '"id":"e-2"', '"data":{}', '"tenant":null', '"tenant":""', '"tenant":"t"', '"actor":"\x7f"', '"actor":"a"',
    '"xregion":"a:b"', '"time":"2013-03-01T12:00:00.250000Z"', '"datacontenttype":"text/xml"', '"sequence":"x"',
    '"sequence":"1"', '"traceparent":"00"', '"label":"late"', '"label":"a:b"', '"label":null', '"label":""',
    '"features":{"a":1,"a":2}', '"features":{"a:":1}', '"features":null', '"features":{"":1}', '"metadata":{"a":{"b":1,"b":1}}',
    '"metadata":{"a":[{"b":":"}]}', '"strata":{"a":"b:c"}', '"confidence":{"base":0.5,"final":1}', '"value":1',
    '"confidence":{"base":0.5,"final":1,"final":1}', '"probabilities":{"late":0.5}', '"probabilities":{"late":1.5}',
    '"selected":1', '"excluded":true', '"exclusion_reason":"x:y"', '"kind":"regression"', '"kind":"multiclass"', '"x":1',
    '"input_sha256":"' + "a" * 64 + '"', '"input_sha256":"' + "A" * 64 + '"', '"run_id":"r"', '"run_id":"\\u003a"',
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.sampled_from(PARTS), max_size=4),
    st.lists(st.sampled_from(PARTS), max_size=2),
    st.sampled_from([",", ", ", " ,\n", ",\t"]),
    st.sampled_from([":", ": ", " :", "\n:\r"]),
    st.sets(st.sampled_from(sorted(DATA)), max_size=2),
)
def test_members_added_left_out_and_doubled_have_one_verdict(
    inside: list[str], outside: list[str], comma: str, colon: str, without: set[str]
) -> None:
    members = [f"{json.dumps(name)}{colon}{json.dumps(part)}" for name, part in DATA.items() if name not in without]
    data = "{" + comma.join([*members, *inside]) + "}"
    around = [f"{json.dumps(name)}{colon}{json.dumps(text)}" for name, text in ATTRIBUTES.items()]
    same_verdict(TOPIC, headers(), data.encode())
    same_verdict(TOPIC, [], ("{" + comma.join([*around, *outside, f'"data"{colon}{data}']) + "}").encode())


WHOLE = structured(data={**DATA, "metadata": {"a": [1, {"b": "c"}]}, "probabilities": {"late": 0.5}})


@settings(max_examples=1500, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(-1, 255), st.integers(0, 2))
@example(WHOLE.index(b"late"), 0x7F, 0)
def test_a_changed_byte_has_one_verdict(at: int, byte: int, gone: int) -> None:
    changed = WHOLE[:at] + (bytes([byte]) if byte >= 0 else b"") + WHOLE[at + gone :]
    same_verdict(TOPIC, [], changed)


TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["\x7f", "\x85", "\xa0", "\u2028", "\ufdd0", "\uffff", "\U0001fffe", "\xad", ":", "a:b", "x" * 256, "x" * 257,
     "\N{GRINNING FACE}" * 256, "\N{GRINNING FACE}" * 257, "\N{GRINNING FACE}" * 1024, "\N{GRINNING FACE}" * 1025]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.sampled_from(["label", "features", "strata", "exclusion_reason", "subject", "tenant", "source"]))
def test_any_text_has_one_verdict(text: str, name: str) -> None:
    member: Any = {text: text} if name in {"features", "strata"} else text
    changes = (
        {name: member} if name in ATTRIBUTES or name == "tenant" else {"data": {**DATA, "excluded": True, name: member}}
    )
    event = {**ATTRIBUTES, "data": DATA, **changes}
    same_verdict(TOPIC, [], json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    same_verdict(TOPIC, [], json.dumps(event).encode())


@pytest.mark.parametrize("depth", [60, 61, 62, 63, 64, 199, 200, 201, 1000, 20_000])
def test_depth_has_one_verdict(depth: int) -> None:
    both_modes(raw("metadata", '{"a":' * depth + "1" + "}" * depth))
    both_modes(raw("metadata", '{"a":' + "[" * depth + "]" * depth + "}"))


def test_a_rule_stands_for_every_validator_of_a_model() -> None:
    for kind in QUICK:
        decorators = kind.model.__pydantic_decorators__
        own = [*decorators.model_validators, *decorators.field_validators, *decorators.root_validators]
        assert bool(own) == (quick.RULES[kind.model] is not quick.no_rule), kind.name
