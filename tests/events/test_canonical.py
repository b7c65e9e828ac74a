"""One text for one content, whatever order, spelling or absence it came with."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.events.canonical import canonical_json, content_hash
from modeltrail.events.monitors import MonitorConfigured

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
)
DOCUMENTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_size=4,
)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ({"é": "漢\u2028\n"}, '{"é":"漢\u2028\\n"}'),
        ({"a": [0.1, 1e16, 1.0, 5e-324, 1e22, -1.5]}, '{"a":[0.1,1e+16,1.0,5e-324,1e+22,-1.5]}'),
        ({"a": -0.0, "b": [-0.0, 1], "c": 0}, '{"a":0.0,"b":[0.0,1],"c":0}'),
        ({"a": None, "b": [], "c": {}, "d": "", "e": 0, "f": False}, '{"d":"","e":0,"f":false}'),
        ({"a": [None, {}, [], {"b": None}]}, '{"a":[null,{},[],{}]}'),
        ({"a": {"b": {"z": 1, "c": None}}}, '{"a":{"b":{"z":1}}}'),
    ],
)
def test_the_canonical_text(data, text):
    assert canonical_json(data) == text.encode()
    assert content_hash(data) == hashlib.sha256(text.encode()).hexdigest()


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_order_and_a_way_through_json_change_nothing(data, random):
    try:
        text = canonical_json(data)
    except ValueError:  # an infinity
        return
    names = list(data)
    random.shuffle(names)
    assert canonical_json({name: data[name] for name in names}) == text
    assert canonical_json(json.loads(text)) == text


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_cannot_hold_has_no_text(number):
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": number})


def test_a_monitor_has_one_hash_whether_defaults_are_written_out_or_not():
    short = MonitorConfigured(monitor_id="m", model_id="x")
    written = MonitorConfigured.model_validate(json.loads(short.model_dump_json()))
    whole = {
        "enabled": True, "late_horizon": 4, "max_wait_s": 900, "model_id": "x", "monitor_id": "m",
        "policy": {"consecutive": 2, "learned_tolerance": True, "preset": "default"},
        "thresholds": {"psi_critical": 0.25, "psi_warning": 0.1},
        "window": {"allowed_lateness_s": 0, "kind": "tumbling", "size_s": 86400},
    }  # fmt: skip
    assert content_hash(short) == content_hash(written) == content_hash(whole)
    assert content_hash(short) != content_hash(MonitorConfigured(monitor_id="m", model_id="x", late_horizon=5))
