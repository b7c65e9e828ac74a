"""References: from a sample, to the event and back."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.rows.columns import Column
from modeltrail.errors import InvalidEventError
from modeltrail.events.baselines import BaselineField
from tests.drift.samples import KINDS, drawn, numbers

texts = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c"]), st.text(max_size=4)), min_size=1, max_size=60)


def made(values, **options):
    return Reference.from_column("feature", "x", Column.from_values(values), **options)


def the_same(one, other):
    return (
        one.key == other.key
        and one.kind == other.kind
        and one.sample == other.sample
        and one.edges.tolist() == other.edges.tolist()
        and one.categories == other.categories
        and one.groups.tolist() == other.groups.tolist()
        and (one.mean, one.std, one.phi, one.tolerance, one.learned)
        == (other.mean, other.std, other.phi, other.tolerance, other.learned)
    )


@given(numbers)
def test_a_numeric_field_survives_its_event_to_the_last_bit(values):
    reference = Reference.from_column("score", "score", Column.from_numbers(values)).with_learned(1.25, 0.007)
    event = BaselineField.model_validate_json(reference.to_field().model_dump_json())
    assert the_same(Reference.from_field(event), reference)


@given(texts.filter(lambda values: any(value is not None for value in values)))
def test_a_categorical_field_survives_its_event(values):
    reference = made(values)
    assert reference.kind == "categorical"
    event = BaselineField.model_validate_json(reference.to_field().model_dump_json())
    assert the_same(Reference.from_field(event), reference)


@given(numbers)
def test_mean_and_deviation_are_those_of_the_standard_library(values):
    reference = Reference.from_column("feature", "x", Column.from_numbers(values))
    scale = max(1.0, float(np.abs(values).max()))
    assert reference.mean == pytest.approx(statistics.fmean(values), abs=1e-12 * scale)
    assert reference.std == pytest.approx(statistics.pstdev(values.tolist()), rel=1e-6, abs=1e-12 * scale)
    assert (reference.std == 0) == (np.unique(values).size == 1)


def test_the_greatest_doubles_overflow_nowhere():
    reference = made([1.7e308, -1.7e308, 1.7e308, 0.0])
    assert reference.std == pytest.approx(1.41e308, rel=0.01)
    assert made([1e-310, 2e-310]).std > 0


@given(numbers, st.randoms(use_true_random=False))
def test_the_order_of_rows_cannot_be_seen(values, random):
    shuffled = values.tolist()
    random.shuffle(shuffled)
    assert the_same(made(shuffled), made(values.tolist()))


@pytest.mark.parametrize("kind", KINDS)
def test_coarse_counts_add_up_to_the_fine_ones(kind):
    reference = made(drawn(1, kind, 5000).tolist())
    counts = reference.count(Column.from_numbers(drawn(2, kind, 700)))
    coarse = reference.coarse(counts)
    assert coarse.sum() == counts.binned
    assert coarse[0] == counts.counts[: reference.groups[1] if reference.groups.size > 1 else None].sum()


def test_what_the_sample_never_held_is_unseen_in_categories():
    reference = made(["a", "b", "b"])
    assert reference.unseen(reference.count(Column.from_values(["a", "z", None, "y"]))) == 2


def test_what_the_sample_never_held_is_unseen_between_atoms_and_around_a_constant():
    constant = made([3.0] * 100)
    assert constant.unseen(constant.count(Column.from_values([3.0, 2.999, 4.0, None, "3"]))) == 2
    integers = made([float(at % 5) for at in range(1000)])
    assert integers.unseen(integers.count(Column.from_values([0, 1, 2.5, 4, 9, -1]))) == 3


def test_of_a_smooth_sample_nothing_is_unseen():
    reference = made(drawn(3, "normal", 5000).tolist())
    assert reference.unseen(reference.count(Column.from_numbers(100 * drawn(4, "normal", 500)))) == 0


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, "x"], "numeric"),
        ([1, "x"], "numeric"),
        ([1, "x", "y"], "categorical"),
        ([True, False], "categorical"),
        ([None, 1], "numeric"),
        (["1", "2"], "categorical"),
        ([float("nan"), "x"], "categorical"),
    ],
)
def test_a_field_is_numeric_where_it_has_at_least_as_many_numbers_as_texts(values, kind):
    assert made(values).kind == kind


def test_texts_of_a_numeric_field_are_mistyped_and_numbers_of_a_categorical_one_are_categories():
    assert made([1, 2, 3, "x", None], kind="numeric").sample.mistyped == 1
    assert made([1, 1, 2.5, "x"], kind="categorical").categories == ("1", "2.5", "x")


def test_infinities_of_the_sample_are_in_the_outer_bins():
    reference = made([1.0, 2.0, 3.0, float("inf"), float("-inf")])
    assert reference.sample.counts[-1] >= 1
    assert reference.sample.counts[0] >= 1
    assert reference.sample.binned == 5
    assert reference.mean == 2.0
    assert the_same(Reference.from_field(reference.to_field()), reference)


def test_ten_thousand_categories_are_taken_and_one_more_is_refused():
    names = [f"category {at}" for at in range(10_000)]
    reference = made(names)
    assert reference.bins == 10_000
    assert Reference.from_field(reference.to_field()).unseen(reference.count(Column.from_values(["new"]))) == 1
    with pytest.raises(InvalidEventError, match=r"x: '10001 categories': must be at most 10000; leave it out"):
        made([*names, "one more"])


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ([], None, "x: 0: must have at least one row"),
        ([None, None], None, "x: '2 rows, all of them missing'"),
        ([float("nan")], None, "x: '1 rows, all of them missing'"),
        (["a", "b"], "numeric", "x: '2 rows, 2 of them text, 0 infinite': must hold a finite number"),
        ([float("inf")], None, "1 infinite': must hold a finite number"),
    ],
)
def test_a_sample_of_which_nothing_can_be_made_is_refused_by_name(values, kind, words):
    with pytest.raises(InvalidEventError, match=words):
        made(values, kind=kind)


def test_one_row_is_a_reference():
    reference = made([7.5])
    assert reference.sample.counts.tolist() == [0, 1, 0]
    assert reference.to_field().n == 1
