"""Baselines from frames: what is in the event, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from modeltrail.drift.baselines.baseline import SEGMENT_ROWS, Baseline
from modeltrail.drift.rows.columns import Column, Columns, FieldKey
from modeltrail.errors import InvalidEventError
from modeltrail.events.baselines import BASELINE_MAX_BYTES, BaselineRegistered, BaselineSource
from modeltrail.events.canonical import canonical_json

ROWS = 4000
NAMES = {"model_id": "flights-delay", "model_version": "1.0.0"}


def flights(rows=ROWS, seed=1):
    random = np.random.default_rng(seed)
    late = random.random(rows) < 0.3
    start = datetime(2013, 1, 1, tzinfo=UTC)
    return {
        "dep_delay": random.normal(10, 30, rows) + 40 * late,
        "month": random.integers(1, 13, rows),
        "carrier": random.choice(["UA", "AA", "B6"], rows, p=[0.5, 0.48, 0.02]).tolist(),
        "score": np.clip(0.4 * late + 0.6 * random.random(rows), 0, 1),
        "label": np.where(random.random(rows) < 0.85, late, ~late),
        "outcome": late,
        "time": [start + timedelta(minutes=at) for at in range(rows)],
    }


def test_a_baseline_survives_its_event():
    baseline = Baseline.from_frame(flights(), **NAMES, segments=["carrier"])
    event = BaselineRegistered.model_validate_json(baseline.to_event().model_dump_json())
    again = Baseline.from_event(event)
    assert again == baseline
    assert hash(again) == hash(baseline)
    assert (again.id, again.sha256, again.model_id, again.model_version) == (
        baseline.sha256,
        baseline.sha256,
        "flights-delay",
        "1.0.0",
    )
    assert list(again.references) == list(baseline.references)
    for key, reference in baseline.references.items():
        assert again.references[key].sample == reference.sample
        assert again.references[key].edges.tolist() == reference.edges.tolist()


def test_the_same_rows_make_the_same_baseline_in_any_order_of_columns():
    frame = flights()
    other = dict(reversed(frame.items()))
    assert Baseline.from_frame(frame, **NAMES) == Baseline.from_frame(other, **NAMES)
    assert Baseline.from_frame(frame, **NAMES) != Baseline.from_frame(flights(seed=2), **NAMES)
    assert Baseline.from_frame(frame, **NAMES) != "something else"


def test_with_times_the_order_of_rows_cannot_be_seen():
    frame = flights()
    order = np.random.default_rng(3).permutation(ROWS)
    shuffled = {name: np.array(values, dtype=object)[order].tolist() for name, values in frame.items()}
    assert Baseline.from_frame(frame, **NAMES) == Baseline.from_frame(shuffled, **NAMES)


def test_a_baseline_is_printed_in_few_lines():
    baseline = Baseline.from_frame(flights(), **NAMES, segments=["carrier"])
    head, *lines, performance = repr(baseline).splitlines()
    assert head == (f"Baseline: flights-delay 1.0.0, {baseline.sha256[:12]}..., 4,000 rows, binary, positive 'true'")
    assert lines == [
        "  feature carrier: 3 categories, 0 missing",
        "  feature dep_delay: 250 bins, 0 missing",
        f"  feature month: {baseline.references['feature', 'month'].bins} bins, 0 missing",
        "  label label: 2 categories, 0 missing",
        "  score score: 250 bins, 0 missing",
        "  segments by carrier: 2",
    ]
    assert performance.startswith("  accuracy 0.")
    many = Baseline.from_frame({f"f{at}": [1] for at in range(25)}, **NAMES, baseline_id="jan")
    assert repr(many).splitlines()[0] == "Baseline: flights-delay 1.0.0, jan, 1 rows"
    assert repr(many).splitlines()[-1] == "  and 5 more fields"


def test_a_name_of_its_own_changes_the_id_and_not_the_hash():
    one, other = (Baseline.from_frame(flights(), **NAMES, baseline_id=name) for name in ("jan", None))
    assert (one.id, other.id) == ("jan", one.sha256)
    assert one == other


def test_fields_have_the_names_and_kinds_of_their_roles():
    baseline = Baseline.from_frame(
        {**flights(), "value": np.arange(ROWS), "confidence": np.linspace(0, 1, ROWS)}, **NAMES
    )
    assert {key: reference.kind for key, reference in baseline.references.items()} == {
        ("confidence", "confidence"): "numeric",
        ("feature", "carrier"): "categorical",
        ("feature", "dep_delay"): "numeric",
        ("feature", "month"): "numeric",
        ("label", "label"): "categorical",
        ("prediction", "value"): "numeric",
        ("score", "score"): "numeric",
    }


def test_numeric_labels_and_features_that_are_codes_are_categories():
    frame = {"month": [1, 2, 2], "label": [0, 1, 1]}
    baseline = Baseline.from_frame(frame, **NAMES, categorical=["month"])
    assert baseline.references[FieldKey("feature", "month")].categories == ("2", "1")
    assert baseline.references[FieldKey("label", "label")].categories == ("1", "0")


def test_times_teach_and_are_in_the_source():
    event = Baseline.from_frame(flights(), **NAMES, chunk_rows=500).to_event()
    assert all(field.learned for field in event.fields)
    assert event.chunk_rows == 500
    assert event.source.since == "2013-01-01T00:00:00.000000Z"
    assert event.source.until == "2013-01-03T18:39:00.000001Z"
    untimed = Baseline.from_frame(
        {name: part for name, part in flights().items() if name != "time"}, **NAMES
    ).to_event()
    assert untimed.chunk_rows is None
    assert not any(field.learned for field in untimed.fields)


def test_a_source_that_is_given_is_kept():
    source = BaselineSource(kind="training_set", name="training.parquet", rows=ROWS)
    assert Baseline.from_frame(flights(), **NAMES, source=source).to_event().source == source


def test_performance_is_that_of_scikit_learn():
    frame = flights()
    event = Baseline.from_frame(frame, **NAMES).to_event()
    found = {each.metric: each for each in event.performance}
    assert (event.kind, event.positive_label) == ("binary", "true")
    assert found["accuracy"].value == pytest.approx(accuracy_score(frame["outcome"], frame["label"]))
    assert found["auc"].value == pytest.approx(roc_auc_score(frame["outcome"], frame["score"]))
    assert all(each.n == ROWS and each.low < each.value < each.high for each in found.values() if each.metric == "auc")


def test_gaps_between_strata_are_those_of_their_shares():
    frame = flights() | {"origin": ["EWR", "JFK"] * (ROWS // 2)}
    called, scores = np.array(frame["label"]), np.array(frame["score"])
    baseline = Baseline.from_frame(frame, **NAMES, roles={"origin": "stratum"})
    found = {each.metric: each for each in baseline.to_event().bias}
    assert {each.by for each in found.values()} == {"origin"}
    assert found["selection_rate"].value == pytest.approx(abs(called[::2].mean() - called[1::2].mean()))
    assert found["mean_score"].value == pytest.approx(abs(scores[::2].mean() - scores[1::2].mean()))
    assert FieldKey("feature", "origin") not in baseline.references


def test_a_regression_has_errors_and_a_multiclass_model_has_shares():
    random = np.random.default_rng(4)
    truth = random.normal(10, 2, 500)
    event = Baseline.from_frame({"value": truth + random.normal(size=500), "truth": truth}, **NAMES).to_event()
    assert event.kind == "regression"
    assert {"mae", "rmse", "mape"} <= {each.metric for each in event.performance}
    labels = random.choice(["a", "b", "c"], 500).tolist()
    event = Baseline.from_frame({"label": labels, "truth": labels}, **NAMES).to_event()
    assert event.kind == "multiclass"
    assert {each.metric: each.value for each in event.performance}["accuracy"] == 1


def test_without_a_plain_positive_label_nothing_is_measured_until_it_is_said():
    labels = ["late", "on time"] * 100
    frame = {"label": labels, "outcome": labels}
    assert Baseline.from_frame(frame, **NAMES).to_event().performance == []
    said = Baseline.from_frame(frame, **NAMES, positive_label="late").to_event()
    assert {each.metric for each in said.performance} >= {"accuracy", "precision", "recall"}


@pytest.mark.parametrize("columns", [("label",), ("outcome", "score"), ("label", "outcome", "score")])
def test_a_positive_label_that_no_row_has_is_refused_with_those_that_are_there(columns):
    every = {"label": ["late", "on time"] * 50, "outcome": ["on time", "late"] * 50, "score": [0.25, 0.75] * 50}
    frame = {name: every[name] for name in columns}
    words = r"positive_label: 'Late': must be a class .*; there are 'late', 'on time'; did you mean 'late'\?"
    with pytest.raises(InvalidEventError, match=words):
        Baseline.from_frame(frame, **NAMES, positive_label="Late")
    assert Baseline.from_frame(frame, **NAMES, positive_label="late").event.positive_label == "late"


def test_without_labels_and_truth_the_positive_label_is_believed():
    event = Baseline.from_frame({"score": [0.25, 0.75]}, **NAMES, positive_label="late").event
    assert (event.kind, event.positive_label, event.performance) == ("binary", "late", [])


def test_of_many_classes_the_first_are_named():
    labels = [f"class {at:02}" for at in range(12)]
    with pytest.raises(InvalidEventError, match=r"'class 00', .*'class 09' and 2 more$"):
        Baseline.from_frame({"label": labels}, **NAMES, positive_label="yup")


def test_segments_have_references_of_their_own_where_they_have_rows_enough():
    frame = flights()
    baseline = Baseline.from_frame(frame, **NAMES, segments=["carrier"])
    rows = {name: frame["carrier"].count(name) for name in ("UA", "AA", "B6")}
    assert rows["B6"] < SEGMENT_ROWS <= rows["AA"]
    assert set(baseline.segments) == {("carrier", "AA"), ("carrier", "UA")}
    for (_, value), references in baseline.segments.items():
        assert set(references) == set(baseline.references)
        assert all(reference.sample.n == rows[value] for reference in references.values())


def test_a_field_that_a_segment_never_has_is_left_out_of_it():
    frame = {"by": ["a"] * 200 + ["b"] * 200, "f": [1.0] * 200 + [None] * 200}
    segments = Baseline.from_frame(frame, **NAMES, segments=["by"]).segments
    assert FieldKey("feature", "f") in segments["by", "a"]
    assert FieldKey("feature", "f") not in segments["by", "b"]


def test_a_hundred_fields_fit_into_one_event():
    random = np.random.default_rng(5)
    frame = {f"f{at}": random.normal(size=5000) for at in range(100)}
    event = Baseline.from_frame(frame, **NAMES).to_event()
    assert len(canonical_json(event)) < BASELINE_MAX_BYTES


def test_a_baseline_that_fits_no_event_is_refused_with_its_size_and_what_to_do():
    frame = {f"field {at}": [f"{at} {row} {'x' * 20}" for row in range(10_000)] for at in range(4)}
    words = r"baseline: '\d{7} bytes': must be at most 900000 .*take fewer fields.*4 fields.*0 segments"
    with pytest.raises(InvalidEventError, match=words):
        Baseline.from_frame(frame, **NAMES)


@pytest.mark.parametrize(
    ("frame", "options", "words"),
    [
        ({}, {}, "frame: '0 columns, no rows'"),
        ({"f": []}, {}, "no rows"),
        ({"f": [None, None], "g": [1, 2]}, {}, "f: '2 rows, all of them missing': .*leave it out"),
        ({"score": ["high"], "f": [1]}, {}, "score: '1 rows, 1 of them text"),
        ({"f": [float("inf")]}, {}, "f: '1 rows, 0 of them text, 1 infinite'"),
        ({"id": [1, 2]}, {}, "fields: 0: must be at least one"),
        ({"f": [1]}, {"segments": ["g"]}, "segments: 'g': must be a feature or a stratum"),
        ({"f": [1]}, {"categorical": ["g"]}, "categorical: 'g': must be a feature"),
        ({"carrier": [1]}, {"segments": ["carier"]}, r"segments: 'carier': .*; did you mean 'carrier'\?$"),
        ({"carrier": [1]}, {"categorical": ["carier"]}, r"categorical: 'carier': .*; did you mean 'carrier'\?$"),
        ({"f": [1]}, {"segments": "f"}, r"segments: 'f': must be a list of names, as in segments=\['f'\]"),
        ({"f": [1]}, {"categorical": "f"}, r"categorical: 'f': must be a list of names, as in categorical=\['f'\]"),
        ({"f": [1]}, {"outcome": "g"}, "roles: 'g': must be a column of the frame"),
        ({"f\n": [1]}, {}, "name: .*must not hold control characters"),
        ({"f": [1], "time": ["1969-01-01T00:00:00Z"]}, {}, "time: .*years 1970 to 2200"),
        ({"f": [1], "time": np.array(["1960-01-01"], dtype="datetime64[us]")}, {}, "time: .*years 1970 to 2200"),
    ],
)
def test_what_cannot_be_a_baseline_is_refused_with_field_value_and_expectation(frame, options, words):
    with pytest.raises(InvalidEventError, match=words):
        Baseline.from_frame(frame, **NAMES, **options)


def test_constant_all_but_missing_and_single_row_samples_are_baselines():
    baseline = Baseline.from_frame({"constant": [3.0, 3.0], "rare": [None, 1.0]}, **NAMES)
    assert baseline.references[FieldKey("feature", "constant")].std == 0
    assert baseline.references[FieldKey("feature", "rare")].sample.missing == 1
    assert Baseline.from_frame({"f": [1]}, **NAMES).references[FieldKey("feature", "f")].sample.n == 1


def test_columns_without_rows_are_refused():
    columns = Columns(0, {FieldKey("feature", "f"): Column.absent(0)})
    with pytest.raises(InvalidEventError, match="rows: 0: must be at least 1"):
        Baseline.from_columns(columns, **NAMES)


def test_what_no_baseline_can_hold_is_left_out_where_nobody_is_there_to_do_it():
    frame = flights(12_000) | {
        "id_of_the_flight": [f"UA{at}" for at in range(12_000)],
        "gate\nB": [1] * 12_000,
        "infinite": [float("inf")] * 12_000,
        "nothing": [None] * 12_000,
    }
    with pytest.raises(InvalidEventError):
        Baseline.from_frame(frame, **NAMES)
    baseline = Baseline.from_frame(frame, **NAMES, leave_out=True)
    assert [key.name for key in baseline.references if key.role == "feature"] == ["carrier", "dep_delay", "month"]
    assert baseline == Baseline.from_frame(flights(12_000), **NAMES)


def test_a_segment_knows_how_good_the_model_was_in_its_rows():
    frame = flights()
    baseline = Baseline.from_frame(frame, **NAMES, segments=["carrier"])
    by_value = {segment.value: segment for segment in baseline.event.segments}
    assert {"AA", "UA"} <= set(by_value)
    here = np.array(frame["carrier"]) == "AA"
    known = {each.metric: each for each in baseline.performance_of(("carrier", "AA"))}
    assert known["accuracy"].value == pytest.approx(accuracy_score(frame["outcome"][here], frame["label"][here]))
    assert known["auc"].value == pytest.approx(roc_auc_score(frame["outcome"][here], frame["score"][here]))
    assert known["accuracy"].n == int(here.sum())
    assert set(known) == {each.metric for each in baseline.event.performance}
    assert list(by_value["AA"].performance) == list(baseline.performance_of(("carrier", "AA")))
    assert baseline.performance_of(("carrier", "??")) == ()


def test_a_segment_whose_truth_nobody_knows_has_no_performance():
    frame = {name: values for name, values in flights().items() if name != "outcome"}
    baseline = Baseline.from_frame(frame, **NAMES, segments=["carrier"])
    assert all(not segment.performance for segment in baseline.event.segments)


def test_a_segment_is_at_least_as_overdispersed_as_all_rows():
    """What a hundred rows teach may be 1 by luck; and then every window would be a surprise."""
    baseline = Baseline.from_frame(flights(), **NAMES, segments=["carrier"])
    outputs = [FieldKey("label", "label"), FieldKey("score", "score")]

    def with_phis(whole, part):
        references, (key, fields) = dict(baseline.references), next(iter(baseline.segments.items()))
        for output in outputs:
            references[output] = replace(references[output], phi=whole)
        parts = {key: {name: replace(each, phi=part) if name in outputs else each for name, each in fields.items()}}
        return replace(baseline, references=references, segments=parts).segment_phi(key)

    assert (with_phis(5.0, 1.0), with_phis(5.0, 8.0), with_phis(1.0, 1.0)) == (5.0, 8.0, 1.0)
