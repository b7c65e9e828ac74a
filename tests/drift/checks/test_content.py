"""The content of a window: what its rows add up to, in any order and any chunks."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from modeltrail.drift.baselines.binning import count_field
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.checks.content import (
    LABEL,
    MAX_NAMES,
    PREDICTION,
    SCORE,
    TRUTH_LABEL,
    TRUTH_VALUE,
    ContentPlan,
    CountKey,
    Names,
    Segment,
    WindowContent,
)
from modeltrail.drift.rows.columns import Column, Columns, FieldKey, Strata
from modeltrail.drift.statistics.bias import BIAS_METRICS
from modeltrail.drift.statistics.metrics import METRICS

DELAY, DEST = FieldKey("feature", "dep_delay"), FieldKey("feature", "dest")
ORIGINS = ["EWR", "JFK", "LGA"]


def window(seed, rows):
    """A window of flights as plain Python values, None where there is none."""
    rng = np.random.default_rng(seed)
    scores = rng.random(rows)
    late = rng.random(rows) < scores

    def some(values, share=0.9):
        return [value if rng.random() < share else None for value in values]

    return {
        DELAY: some(rng.normal(10, 30, rows).tolist()),
        DEST: some([["ATL", "ORD", 7][i] for i in rng.integers(0, 3, rows)]),
        LABEL: some(["late" if score > 0.4 else "on time" for score in scores]),
        SCORE: some(scores.tolist()),
        PREDICTION: some(rng.normal(100, 5, rows).tolist()),
        TRUTH_LABEL: some(["late" if each else "on time" for each in late], 0.95),
        TRUTH_VALUE: some(rng.normal(100, 5, rows).tolist(), 0.95),
        "origin": some([ORIGINS[i] for i in rng.integers(0, 3, rows)]),
    }


def columns(values, rows, turn=False):
    """Some rows of a window; `turn`: the stratum's dictionary the other way round."""
    names = ORIGINS[::-1] if turn else ORIGINS
    fields = {key: Column.from_values(each[row] for row in rows) for key, each in values.items() if key != "origin"}
    origins = [values["origin"][row] for row in rows]
    codes = np.array([-1 if name is None else names.index(name) for name in origins], dtype=np.int32)
    return Columns(len(rows), fields, {"origin": Strata(codes, names)})


def plan_for(values, kind="binary", positive="late", metrics=METRICS):
    whole = columns(values, range(len(values[DELAY])))
    delay = Reference.from_column("feature", "dep_delay", whole.column(*DELAY))
    dest = Reference.from_column("feature", "dest", whole.column(*DEST), kind="categorical")
    references = {
        CountKey(*DELAY): delay,
        CountKey(*DEST): dest,
        CountKey(*DELAY, Segment("origin", "EWR")): delay,
        CountKey(*DEST, Segment("origin", "JFK")): dest,
    }
    judged = (Segment("origin", "EWR"), Segment("origin", "JFK"), Segment("dest", "ATL")) if metrics else ()
    return ContentPlan(references, frozenset({"dep_delay"}), kind, positive, metrics, ("origin", "dest"), judged)


def content(plan, *chunks):
    found = WindowContent.empty(plan)
    for chunk in chunks:
        found.add(chunk)
    return found


def everything(found):
    return {
        "counts": found.counts,
        "rows": (found.rows, found.duplicates, found.whole.labelled, found.whole.coverage),
        "names": (found.new_features, found.new_segments),
        "performance": [found.performance(metric) for metric in METRICS],
        "judged": {
            segment: (part.rows, part.labelled, [found.performance(metric, segment) for metric in METRICS])
            for segment, part in found.judged.items()
        },
        "gaps": [found.gap(by, metric) for by in found.plan.bias for metric in BIAS_METRICS],
    }


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["binary", "multiclass", "regression", None]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=20, deadline=None)
def test_the_same_rows_in_another_order_or_other_chunks_give_the_same_content_to_the_last_bit(seed, kind, random):
    values = window(seed, 200)
    plan = plan_for(values, kind)
    whole = content(plan, columns(values, range(200)))
    order = list(range(200))
    random.shuffle(order)
    pieces, added, chunked = [], WindowContent.empty(plan), WindowContent.empty(plan)
    while order:
        size = random.randint(1, 90)
        pieces.append(columns(values, order[:size], random.random() < 0.5))
        del order[:size]
    for piece in pieces:
        chunked.add(piece)
    random.shuffle(pieces)
    for piece in pieces:
        added = content(plan, piece) + added
    assert everything(chunked) == everything(whole)
    assert everything(added) == everything(whole)


def test_counts_are_those_of_the_binning_by_field_and_segment():
    values = window(1, 500)
    plan = plan_for(values)
    rows = columns(values, range(500))
    found = content(plan, rows)
    newark = rows.strata["origin"].mask("EWR")
    for key, reference in plan.references.items():
        column = rows.column(key.role, key.name)
        mask = None if key.segment is None else rows.strata["origin"].mask(key.segment.value)
        assert found.counts[key] == count_field(reference, column, mask)
    assert found.counts[CountKey(*DELAY)].n == 500
    assert found.counts[CountKey(*DELAY, Segment("origin", "EWR"))].n == int(newark.sum())


def test_outcomes_are_joined_row_by_row_and_unknown_truths_left_out():
    values = window(2, 800)
    found = content(plan_for(values), columns(values, range(800)))
    known = [row for row in range(800) if values[TRUTH_LABEL][row] is not None]
    assert (found.rows, found.whole.labelled) == (800, len(known))
    assert found.whole.coverage == len(known) / 800
    labelled = [row for row in known if values[LABEL][row] is not None]
    truth, called = ([values[key][row] for row in labelled] for key in (TRUTH_LABEL, LABEL))
    assert found.performance("f1").value == pytest.approx(oracle.f1_score(truth, called, pos_label="late"))
    scored = [row for row in known if values[SCORE][row] is not None]
    late = [values[TRUTH_LABEL][row] == "late" for row in scored]
    assert found.performance("auc").value == pytest.approx(
        oracle.roc_auc_score(late, [values[SCORE][row] for row in scored])
    )
    assert found.performance("auc").n == len(scored)


def test_a_regression_and_a_multiclass_model_are_measured_as_such():
    values = window(3, 600)
    rows = columns(values, range(600))
    both = [r for r in range(600) if values[TRUTH_VALUE][r] is not None and values[PREDICTION][r] is not None]
    numbers = content(plan_for(values, "regression", None), rows)
    assert numbers.whole.labelled == sum(value is not None for value in values[TRUTH_VALUE])
    assert numbers.performance("mape").value == pytest.approx(
        oracle.mean_absolute_percentage_error(
            [values[TRUTH_VALUE][r] for r in both], [values[PREDICTION][r] for r in both]
        )
    )
    assert numbers.gap("origin", "mean_score").groups[0].figure == pytest.approx(100, abs=3)
    both = [r for r in range(600) if values[TRUTH_LABEL][r] is not None and values[LABEL][r] is not None]
    classes = content(plan_for(values, "multiclass", None), rows)
    assert classes.performance("recall").value == pytest.approx(
        oracle.recall_score([values[TRUTH_LABEL][r] for r in both], [values[LABEL][r] for r in both], average="macro")
    )


def test_a_segment_has_the_outcomes_of_its_rows_whether_a_stratum_splits_or_a_feature():
    values = window(9, 900)
    found = content(plan_for(values), columns(values, range(900)))
    for segment, key in ((Segment("origin", "JFK"), "origin"), (Segment("dest", "ATL"), DEST)):
        here = [row for row in range(900) if values[key][row] == segment.value]
        known = [row for row in here if values[TRUTH_LABEL][row] is not None]
        scored = [row for row in known if values[SCORE][row] is not None]
        assert (found.judged[segment].rows, found.judged[segment].labelled) == (len(here), len(known))
        late = [values[TRUTH_LABEL][row] == "late" for row in scored]
        assert found.performance("auc", segment).value == pytest.approx(
            oracle.roc_auc_score(late, [values[SCORE][row] for row in scored])
        )
    with pytest.raises(KeyError):
        found.performance("auc", Segment("origin", "LGA"))


def test_very_many_segments_share_the_room_for_pairs_of_classes():
    """Thirty classes, called at random: 900 different pairs, of which a segment of two hundred keeps 500 at most."""
    names = [f"c{at:03}" for at in range(30)]
    rng = np.random.default_rng(1)
    rows = 20_000
    called, true = (Column.from_values([names[at] for at in rng.integers(0, 30, rows)]) for _ in range(2))
    segments = tuple(Segment("by", str(at)) for at in range(200))
    plan = ContentPlan({}, kind="multiclass", metrics=("f1", "accuracy"), judged=segments)
    strata = {"by": Strata(np.zeros(rows, dtype=np.int32), ["0"])}
    found = content(plan, Columns(rows, {LABEL: called, TRUTH_LABEL: true}, strata))
    assert found.performance("f1").value is not None
    assert found.performance("f1", segments[0]).reason == "more than 500 different pairs of truth and label"
    assert found.performance("accuracy", segments[0]).n == rows
    assert not found.judged[segments[0]].outcomes.cells


def test_truths_written_as_numbers_or_booleans_are_taken_as_their_text():
    rows = 100
    for positive, true, false in (("1", 1, 0), ("true", True, False)):
        values = {
            LABEL: Column.from_values([positive] * rows),
            TRUTH_LABEL: Column.from_values([true if row % 4 else false for row in range(rows)]),
        }
        plan = ContentPlan({}, kind="binary", positive_label=positive, metrics=("precision",))
        assert content(plan, Columns(rows, values)).performance("precision").value == 0.75


def test_new_features_and_new_values_of_a_segmented_stratum_are_named():
    values = window(4, 100)
    found = content(plan_for(values), columns(values, range(100)))
    assert found.new_features.kept == ("dest",), "the plan knows dep_delay alone"
    assert found.new_segments == {"origin": Names(("LGA",)), "dest": Names(("7", "ORD"))}
    found.add(Columns(0, {FieldKey("feature", "gone"): Column.absent(0)}), features=["wind", "dep_delay"])
    assert found.new_features.kept == ("dest", "wind")


def test_names_are_bounded_and_the_same_in_any_order():
    names = [f"f{i:04}" for i in range(3 * MAX_NAMES)]
    forth, back = Names(), Names()
    for name in names:
        forth |= Names.of([name])
    for name in reversed(names):
        back |= Names.of([name])
    assert forth == back == Names(tuple(names[:MAX_NAMES]), more=True)
    assert not Names.of(names[:MAX_NAMES]).more


def test_repeats_are_counted_beside_the_rows():
    values = window(5, 10)
    found = WindowContent.empty(plan_for(values))
    found.add(columns(values, range(10)), duplicates=3)
    found.add(columns(values, []), duplicates=1)
    assert (found.rows, found.duplicates) == (10, 4)


def test_what_cannot_be_measured_says_why():
    values = window(6, 200)
    rows = columns(values, range(200))
    assert "what kind of model" in content(plan_for(values, None), rows).performance("auc").reason
    assert "truth of these rows was not read" in content(plan_for(values, metrics=()), rows).performance("auc").reason
    nameless = content(plan_for(values, positive=None), rows)
    assert "which label is the positive one" in nameless.performance("auc").reason
    assert "which label is the positive one" in nameless.gap("origin", "selection_rate").reason
    assert nameless.gap("origin", "mean_score").value is not None
    with pytest.raises(ValueError, match="metric 'f2'"):
        nameless.performance("f2")
    with pytest.raises(KeyError):
        nameless.gap("carrier", "mean_score")


@pytest.mark.parametrize("positive", [None, "yes"])
def test_groups_that_no_prediction_has_are_the_reason_and_not_the_label(positive):
    values = window(6, 200)
    plan = dataclasses.replace(plan_for(values, positive=positive), bias=("contry",))
    found = content(plan, columns(values, range(200)))
    for metric in BIAS_METRICS:
        assert found.gap("contry", metric).reason == "no prediction has a stratum or feature 'contry'"


def test_contents_of_two_plans_do_not_add_up():
    values = window(7, 50)
    with pytest.raises(ValueError, match="different plans"):
        _ = content(plan_for(values)) + content(plan_for(values, "regression"))


def test_of_no_rows_everything_has_a_reason_and_nothing_a_figure():
    found = WindowContent.empty(plan_for(window(8, 50)))
    assert found.whole.coverage == 0
    assert all(found.performance(metric).value is None for metric in METRICS)
    assert all(found.gap("origin", metric).value is None for metric in BIAS_METRICS)
    assert all(counts.n == 0 for counts in found.counts.values())
