"""What the columns of a frame are."""

import pytest

from modeltrail.drift.rows.roles import assign_roles
from modeltrail.errors import InvalidEventError


def test_columns_go_by_their_names():
    names = ["age", "Label", "score", "value", "confidence", "outcome", "time", "prediction_id", "labels"]
    assert assign_roles(names, {}) == {
        "age": "feature",
        "Label": "label",
        "score": "score",
        "value": "prediction",
        "confidence": "confidence",
        "outcome": "outcome",
        "time": "time",
        "prediction_id": "ignore",
        "labels": "feature",
    }


def test_what_is_said_wins_over_names():
    assigned = assign_roles(["score", "p_late", "origin"], {"p_late": "score", "origin": "stratum"})
    assert assigned == {"score": "feature", "p_late": "score", "origin": "stratum"}


def test_time_and_outcome_may_be_said_by_themselves():
    assigned = assign_roles(["when", "late", "time"], {}, time="when", outcome="late")
    assert assigned == {"when": "time", "late": "outcome", "time": "feature"}


@pytest.mark.parametrize(
    ("names", "roles", "others", "words"),
    [
        (["age"], {"agee": "feature"}, {}, "roles: 'agee': must be a column of the frame; did you mean 'age'"),
        (["age"], {"age": "featur"}, {}, "roles.age: 'featur': must be one of feature.*did you mean 'feature'"),
        (["age"], {}, {"time": "when"}, "'when': must be a column of the frame"),
        (["when"], {"when": "feature"}, {"time": "when"}, "roles.when: 'feature': must be time"),
        (["a", "b"], {"a": "label", "b": "label"}, {}, "'label: a, b': must be one column"),
        (["score", "probability"], {}, {}, "'score: probability, score': must be one column"),
    ],
)
def test_roles_that_cannot_be_are_refused(names, roles, others, words):
    with pytest.raises(InvalidEventError, match=words):
        assign_roles(names, roles, **others)
