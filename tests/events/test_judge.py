"""The judge: whatever the bytes, one verdict, the same for everyone, with a sentence where it is no."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modeltrail.events import ReasonClass, judge
from modeltrail.events.envelope import Headers
from modeltrail.events.examples import event_example
from modeltrail.events.judge import CONTRACT_VERSION, Judgement
from modeltrail.events.registry import EVENT_TYPES, EventType, topic_name

from .hostile import HOSTILE, Hostile
from .records import ATTRIBUTES, DATA, TOPIC, headers, structured, value


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_hostile_record_is_rejected_with_field_value_and_expectation(hostile: Hostile) -> None:
    judgement = judge(hostile.topic, None, hostile.headers, hostile.value)
    assert judgement.status == "rejected"
    assert (judgement.reason_class, judgement.reason) == (hostile.reason_class, hostile.reason)


def test_the_table_of_hostile_records_has_every_class() -> None:
    assert {hostile.reason_class for hostile in HOSTILE} == set(ReasonClass)


def test_a_rejected_record_shows_nothing_of_its_envelope() -> None:
    judgement = judge(TOPIC, None, headers(), value(score="x"))
    assert judgement[4:] == ("", "", "", "", None, "", "", "", "", "", "", "")


def test_binary_mode_is_read_whole() -> None:
    optional = {
        "tenant": "acme",
        "sequence": "0042",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "correlationid": "c",
        "causationid": "d",
        "retentionclass": "short",
    }
    expected = Judgement(
        "valid", "", "", "binary", "scoring/production", "e-1", "modeltrail.prediction.recorded.v1", "i-1",
        1362139200250000, "nightly", *optional.values(),
    )  # fmt: skip
    assert judge(TOPIC, b"k", headers(**optional), value()) == expected
    assert judge(TOPIC, None, [], structured(**optional)) == expected._replace(mode="structured")


def test_absent_attributes_have_their_defaults() -> None:
    for judgement in (judge(TOPIC, None, headers(), value()), judge(TOPIC, None, [], structured())):
        assert judgement[10:] == ("default", "", "", "", "", "permanent")


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=lambda kind: kind.name)
def test_every_type_is_accepted_on_its_topic_and_on_no_other(kind: EventType) -> None:
    document = json.dumps(event_example(kind)).encode()
    for other in EVENT_TYPES.values():
        judgement = judge(topic_name(other.family), None, [], document)
        expected = ("valid", "") if other.family == kind.family else ("rejected", "wrong_topic")
        assert (judgement.status, judgement.reason_class) == expected


def test_any_prefix_of_topics_is_taken() -> None:
    assert judge("acme.eu-west.predictions", None, headers(), value()).status == "valid"


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"application/json; charset=utf-8",
        b'application/json;charset="UTF-8"',
        b"Application/JSON",
        b"application/vnd.acme+json",
        None,
    ],
)
def test_data_is_json_by_any_of_its_names(content_type: bytes | None) -> None:
    given_headers = headers()[1:] + ([("content-type", content_type)] if content_type else [])
    assert judge(TOPIC, None, given_headers, value()).status == "valid"


@pytest.mark.parametrize(
    "content_type", [b"application/cloudevents+json", b"application/cloudevents+json; charset=UTF-8", None]
)
def test_a_structured_event_needs_no_content_type(content_type: bytes | None) -> None:
    given_headers: list[tuple[str, bytes | None]] = [("content-type", content_type)] if content_type else []
    assert judge(TOPIC, None, given_headers, structured()).status == "valid"


def test_header_names_may_be_bytes() -> None:
    as_bytes = [(name.encode(), content) for name, content in headers()]
    assert judge(TOPIC, None, as_bytes, value()) == judge(TOPIC, None, headers(), value())


def test_headers_of_others_are_left_alone_even_when_they_repeat() -> None:
    others: Headers = [("x-request-id", b"\xff"), ("x-request-id", None), (b"\xff\xfe", b"1"), ("CE-Like", b"1")]
    assert judge(TOPIC, None, [*headers(), *others], value()).status == "valid"


@pytest.mark.parametrize("extension", ["text", True, False, 0, -(2**31), 2**31 - 1, "", None, "\N{SNOWMAN}"])
def test_unknown_extensions_are_accepted_when_well_formed(extension: Any) -> None:
    assert judge(TOPIC, None, [], structured(xregion7=extension)).status == "valid"


def test_dataschema_is_accepted_and_not_read() -> None:
    uri = "https://example.org/schema"
    assert judge(TOPIC, None, headers(dataschema=uri), value()).status == "valid"
    assert judge(TOPIC, None, [], structured(dataschema=uri)).status == "valid"


@pytest.mark.parametrize(
    "name",
    ["run_id", "value", "label", "probabilities", "confidence", "features", "strata", "rule_id", "selected",
     "excluded", "exclusion_reason", "input_sha256", "latency_ms", "metadata"],
)  # fmt: skip
def test_null_in_an_optional_member_counts_as_absent(name: str) -> None:
    assert judge(TOPIC, None, headers(), value(**{name: None})).status == "valid"


def test_nesting_is_judged_alike_in_both_modes() -> None:
    for depth, status in ((62, "valid"), (63, "rejected")):
        metadata: Any = 1
        for _ in range(depth):
            metadata = {"a": metadata}
        assert judge(TOPIC, None, headers(), value(metadata=metadata)).status == status
        assert judge(TOPIC, None, [], structured(data={**DATA, "metadata": metadata})).status == status


def test_the_largest_integers_and_numbers_are_taken() -> None:
    extremes = {"min": -(2**63), "max": 2**63 - 1, "big": 1.7976931348623157e308, "small": 5e-324, "zero": -0.0}
    assert judge(TOPIC, None, headers(), value(features=extremes, metadata=extremes)).status == "valid"


def test_digits_in_text_are_no_number() -> None:
    assert judge(TOPIC, None, headers(), value(item_id="9" * 100)).status == "valid"


def test_the_contract_has_a_version() -> None:
    assert CONTRACT_VERSION == 1


NAMES = (
    st.sampled_from(["content-type", "ce_id", "CE_ID", b"ce_time", "ce_", b"\xff", "", "ce_type", "ce_data"])
    | st.text()
)
RECORD = headers()


@settings(deadline=None)
@given(
    st.text(),
    st.none() | st.binary(),
    st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=20)), max_size=4),
    st.none() | st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.booleans(),
)
@example("modeltrail.predictions", None, [], b'{"\x1b[31m":1,"\x1b[31m":1}', True)
@example("modeltrail.predictions", None, [], b'{"\\u001b[31m":1,"\\u001b[31m":1}', True)
def test_no_bytes_make_it_raise_and_no_reason_holds_a_control_character(
    topic: str, key: bytes | None, extra: list[tuple[str | bytes, bytes | None]], content: bytes | None, whole: bool
) -> None:
    judgement = judge(topic, key, [*RECORD, *extra] if whole else extra, content)
    assert judgement.status == "rejected"
    assert judgement.reason.isascii()
    assert judgement.reason.isprintable()
    assert len(judgement.reason) < 1000
    assert judgement.reason_class in set(ReasonClass)


def mutated() -> st.SearchStrategy[bytes]:
    whole = value(metadata={"a": [1, 2.5, None, {"b": "c"}]}, strata={"x": True}, probabilities={"late": 0.5})
    at = st.integers(0, len(whole) - 1)
    change = st.tuples(at, st.integers(0, 255)).map(lambda c: whole[: c[0]] + bytes([c[1]]) + whole[c[0] + 1 :])
    return change | at.map(lambda i: whole[:i] + whole[i + 1 :]) | at.map(lambda i: whole[:i])


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_a_changed_byte_never_makes_it_raise_and_mode_does_not_matter(content: bytes) -> None:
    binary = judge(TOPIC, None, headers(), content)
    envelope = json.dumps(ATTRIBUTES).encode()
    whole = judge(TOPIC, None, [], envelope[:-1] + b',"data":' + content + b"}")
    if binary.status == "valid":
        assert whole[:3] == binary[:3]
        assert whole[4:] == binary[4:]
    else:
        assert whole.status == "rejected"
