"""A baseline with bad content is refused, and the sentence names field, value and expectation."""

import json
from copy import deepcopy
from hashlib import sha256
from time import process_time

import pytest

from modeltrail.events.baselines import BASELINE_MAX_BYTES, BaselineRegistered
from modeltrail.events.canonical import canonical_json
from modeltrail.events.encode import Event, encode_binary
from modeltrail.events.judge import judge

NUMERIC = {
    "name": "a", "role": "feature", "kind": "numeric", "n": 10, "missing": 1, "edges": ["0x0.0p+0", "0x1.0000000000000p+0"],
    "counts": [2, 3, 4], "groups": [0, 1],
}  # fmt: skip
CATEGORICAL = {
    "name": "b", "role": "label", "kind": "categorical", "n": 10, "missing": 1, "categories": ["x", ""], "counts": [9, 0],
}  # fmt: skip
BASELINE = {
    "baseline_id": "b-1", "model_id": "m", "model_version": "1", "rows": 10, "fields": [NUMERIC, CATEGORICAL],
    "source": {"kind": "sample", "rows": 10},
}  # fmt: skip
SEAL = "0" * 64


def verdict(data):
    headers = [("content-type", b"application/json")] + [
        (f"ce_{name}", text)
        for name, text in {
            "specversion": b"1.0", "id": b"1", "source": b"s", "type": b"modeltrail.baseline.registered.v1",
            "subject": b"m", "time": b"2013-03-01T12:00:00Z", "actor": b"a",
        }.items()
    ]  # fmt: skip
    return judge("modeltrail.models", b"m", headers, json.dumps(data).encode())


def record_of(baseline):
    return encode_binary(Event.of(baseline, source="s", actor="a", id="1", time="2013-03-01T12:00:00Z"))


def refused(field=None, **changes):
    """The reason for which a baseline is refused after changes to its numeric field, or to itself."""
    data = deepcopy(BASELINE) | {"sha256": SEAL}
    data["fields"][0] |= field or {}
    data |= changes
    found = verdict(data)
    assert (found.status, found.reason_class) == ("rejected", "invalid_data")
    return found.reason


def test_a_sealed_baseline_is_accepted():
    sealed = BaselineRegistered.sealed(**BASELINE)
    assert verdict(json.loads(sealed.model_dump_json())).reason == ""
    assert verdict(BASELINE | {"sha256": sealed.sha256}).reason == ""


def test_the_hash_is_that_of_everything_but_the_name_with_defaults_written_out():
    content = {name: part for name, part in BASELINE.items() if name != "baseline_id"}
    learned = {"learned": False, "mistyped": 0, "phi": 1.0, "tolerance": 0.005}
    content |= {"fields": [NUMERIC | learned, CATEGORICAL | learned]}
    by_hand = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    sealed = BaselineRegistered.sealed(**BASELINE)
    assert canonical_json(sealed.model_dump(exclude={"baseline_id", "sha256"})) == by_hand
    assert sealed.sha256 == sha256(by_hand).hexdigest()
    assert BaselineRegistered.sealed(**BASELINE | {"baseline_id": "another name"}).sha256 == sealed.sha256


@pytest.mark.parametrize("name", ["rows", "model_version", "counts", "tolerance"])
def test_a_changed_baseline_does_not_fit_its_hash(name):
    data = json.loads(BaselineRegistered.sealed(**BASELINE).model_dump_json())
    if name == "rows":
        data["rows"] += 1
    elif name == "counts":
        data["fields"][0]["counts"] = [3, 2, 4]
    elif name == "tolerance":
        data["fields"][0]["tolerance"] = 0.05
    else:
        data["model_version"] = "2"
    assert "data.sha256: " in verdict(data).reason
    assert "must follow from the content of the baseline, whose SHA-256 is " in verdict(data).reason


FIELDS = {
    "edges that do not increase": (
        {"edges": ["0x1.0000000000000p+0", "0x0.0p+0"]},
        'data.fields.0.edges.1: "0x0.0p+0": must be greater than the edge before it, 0x1.0000000000000p+0',
    ),
    "edges that are equal": (
        {"edges": ["0x0.0p+0", "-0x0.0p+0"]},
        'data.fields.0.edges.1: "-0x0.0p+0": must be greater than the edge before it, 0x0.0p+0',
    ),
    "an edge without a number": ({"edges": ["0x0.0p+0", "nan"]}, 'data.fields.0.edges.1: "nan": must be a finite number'),
    "an infinite edge": ({"edges": ["-inf", "0x0.0p+0"]}, 'data.fields.0.edges.0: "-inf": must be a finite number'),
    "an edge in another spelling": ({"edges": ["0x0.0p+0", "0x1p+0"]}, 'data.fields.0.edges.1: "0x1p+0": must be a finite number in the form'),
    "an edge beyond doubles": ({"edges": ["0x0.0p+0", "0x1p+9999"]}, 'data.fields.0.edges.1: "0x1p+9999": must be a finite number'),
    "an edge that is a number": ({"edges": [0.5, 1.5]}, "data.fields.0.edges.0: 0.5: must be a string"),
    "no edges": ({"edges": None}, "data.fields.0.edges: null: is required where kind is numeric, with 1 to 2000 edges"),
    "too many edges": ({"edges": ["0x0.0p+0"] * 2001}, "data.fields.0.edges: a list of 2001: must have at most 2000 elements"),
    "a negative count": ({"counts": [-2, 7, 4]}, "data.fields.0.counts.0: -2: must be at least 0"),
    "counts with a fraction": ({"counts": [2.5, 2.5, 4]}, "data.fields.0.counts.0: 2.5: must be an integer"),
    "counts of another sum": ({"counts": [2, 3, 5]}, "data.fields.0.counts: a list of 3: must sum up to n - missing - mistyped, 9, and do to 10"),
    "too few counts": ({"counts": [4, 5]}, "data.fields.0.counts: a list of 2: must have one count for each of the 3 bins"),
    "all missing": ({"missing": 10, "counts": [0, 0, 0]}, "data.fields.0.missing: 10: must leave a row with a value, and all 10 rows have none"),
    "all mistyped": ({"missing": 0, "mistyped": 10}, "data.fields.0.missing: 0: must leave a row with a value, and all 10 rows have none"),
    "more missing than rows": ({"missing": 11}, "data.fields.0.missing: 11: must be at most n - mistyped, 10"),
    "empty": ({"n": 0}, "data.fields.0.n: 0: must be at least 1"),
    "more than the rows": ({"n": 11, "missing": 2}, "data.fields.0.n: 11: must be at most rows, 10"),
    "no groups": ({"groups": []}, "data.fields.0.groups: a list of 0: must begin with 0, the first bin"),
    "groups that do not begin": ({"groups": [1]}, "data.fields.0.groups: a list of 1: must begin with 0"),
    "groups that do not increase": ({"groups": [0, 1, 1]}, "data.fields.0.groups.2: 1: must be greater than the one before it, 1"),
    "groups beyond the bins": ({"groups": [0, 3]}, "data.fields.0.groups.1: 3: must be a bin, at most 2"),
    "categories beside edges": ({"categories": ["x"]}, "data.fields.0.categories: a list of 1: is only allowed where kind is categorical"),
    "an unknown role": ({"role": "target"}, 'data.fields.0.role: "target": must be one of'),
    "an unknown member": ({"bins": 10}, "data.fields.0.bins: 10: is a field that the contract does not know"),
    "phi below one": ({"phi": 0.5}, "data.fields.0.phi: 0.5: must be at least 1"),
    "a negative tolerance": ({"tolerance": -0.1}, "data.fields.0.tolerance: -0.1: must be at least 0"),
    "edges of a category": (CATEGORICAL | {"edges": ["0x0.0p+0"], "groups": []}, "data.fields.0.edges: a list of 1: is only allowed where kind is numeric"),
    "mistyped categories": (
        CATEGORICAL | {"edges": None, "groups": None, "mistyped": 1, "counts": [8, 0]},
        "data.fields.0.mistyped: 1: is only allowed where kind is numeric",
    ),
    "no categories": (CATEGORICAL | {"edges": None, "groups": None, "categories": []}, "data.fields.0.categories: a list of 0: is required"),
    "a category twice": (
        CATEGORICAL | {"edges": None, "groups": None, "categories": ["x", "x"]},
        'data.fields.0.categories.1: "x": must be there once, and is there twice',
    ),
    "too many categories": (
        CATEGORICAL | {"edges": None, "groups": None, "categories": [str(at) for at in range(10_001)]},
        "data.fields.0.categories: a list of 10001: must have at most 10000 elements",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_with_bad_content_is_refused(name):
    change, reason = FIELDS[name]
    assert refused(change).startswith(reason)


WHOLES = {
    "no fields": ({"fields": []}, "data.fields: a list of 0: must have at least 1 elements"),
    "a field twice": (
        {"fields": [NUMERIC, NUMERIC]},
        'data.fields.1: "feature a": must be there once by role and name, and is there twice',
    ),
    "no rows": ({"rows": 0}, "data.rows: 0: must be at least 1"),
    "a segment twice": (
        {"segments": [{"by": "x", "value": "1", "fields": [NUMERIC]}] * 2},
        'data.segments.1: "x 1": must be there once by stratum and value, and is there twice',
    ),
    "a metric of a segment twice": (
        {
            "segments": [
                {
                    "by": "x",
                    "value": "1",
                    "fields": [NUMERIC],
                    "performance": [{"metric": "auc", "value": 1, "n": 5}] * 2,
                }
            ]
        },
        'data.segments.0.performance.1: "auc": must be there once, and is there twice',
    ),
    "a segment without fields": (
        {"segments": [{"by": "x", "value": "1", "fields": []}]},
        "data.segments.0.fields: a list of 0: must have at least 1 elements",
    ),
    "an unknown metric": (
        {"performance": [{"metric": "acuracy", "value": 1, "n": 5}]},
        'data.performance.0.metric: "acuracy": must be one of',
    ),
    "a metric twice": (
        {"performance": [{"metric": "auc", "value": 1, "n": 5}] * 2},
        'data.performance.1: "auc": must be there once, and is there twice',
    ),
}


@pytest.mark.parametrize("name", WHOLES)
def test_a_baseline_with_bad_content_is_refused(name):
    change, reason = WHOLES[name]
    assert refused(**change).startswith(reason)


def test_a_constant_field_and_ten_thousand_categories_are_fine():
    constant = NUMERIC | {"edges": ["0x1.4000000000000p+2", "0x1.4000000000001p+2"], "counts": [0, 9, 0]}
    many = CATEGORICAL | {"categories": [str(at) for at in range(10_000)], "counts": [9] + [0] * 9999}
    sealed = BaselineRegistered.sealed(**BASELINE | {"fields": [constant, many]})
    assert judge("modeltrail.models", *record_of(sealed)).reason == ""


def large(fields):
    edges = [(at * 1.1).hex() for at in range(250)]
    counts = [12345] * 251
    field = NUMERIC | {
        "edges": edges, "counts": counts, "n": sum(counts) + 1, "groups": list(range(0, 250, 25)), "mean": 137.5,
    }  # fmt: skip
    return BASELINE | {"rows": 10**9, "fields": [field | {"name": f"f{at}"} for at in range(fields)]}


def test_a_baseline_that_is_too_large_is_refused_by_name_and_size():
    data = large(130) | {"sha256": SEAL}
    found = verdict(data)
    size = len(canonical_json({name: part for name, part in data.items() if name not in {"baseline_id", "sha256"}}))
    assert size + 130 * len('"learned":false,"mistyped":0,"phi":1.0,"tolerance":0.005,') > BASELINE_MAX_BYTES
    assert found.reason.startswith(f'data.baseline_id: "b-1": must have at most {BASELINE_MAX_BYTES} bytes')
    assert "take fewer fields, segments or categories" in found.reason


def test_a_large_baseline_is_judged_quickly():
    """It stands in the way of every record behind it: 880 kB take 30 ms; the limit leaves room for slow machines."""
    sealed = BaselineRegistered.sealed(**large(118))
    record = record_of(sealed)
    assert 850_000 < len(record[2]) < 1_000_000
    spent = []
    for _ in range(3):
        begin = process_time()
        assert judge("modeltrail.models", *record).reason == ""
        spent.append(process_time() - begin)
    assert min(spent) < 0.2
