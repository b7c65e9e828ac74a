"""What the columns of a frame are, where the user does not say it.

| role | columns of these names, in any case |
| --- | --- |
| label | label, predicted_label |
| score | score, probability, proba |
| prediction | value, prediction, predicted_value |
| confidence | confidence |
| outcome | outcome, truth, actual, y_true, true_label |
| time | time, timestamp, event_time |
| ignore | id, prediction_id, event_id |
| feature | all others |
"""

from collections import Counter
from collections.abc import Collection, Mapping

from modeltrail.errors import InvalidEventError
from modeltrail.events.refusal import nearest

__all__ = ["ROLES", "assign_roles"]

ROLES = ("feature", "prediction", "score", "label", "confidence", "stratum", "outcome", "time", "ignore")
"""What a column of a frame can be."""

_BY_NAME = {
    "label": "label",
    "predicted_label": "label",
    "score": "score",
    "probability": "score",
    "proba": "score",
    "value": "prediction",
    "prediction": "prediction",
    "predicted_value": "prediction",
    "confidence": "confidence",
    "outcome": "outcome",
    "truth": "outcome",
    "actual": "outcome",
    "y_true": "outcome",
    "true_label": "outcome",
    "time": "time",
    "timestamp": "time",
    "event_time": "time",
    "id": "ignore",
    "prediction_id": "ignore",
    "event_id": "ignore",
}

_MANY = ("feature", "stratum", "ignore")


def assign_roles(
    names: Collection[str], roles: Mapping[str, str], *, time: str | None = None, outcome: str | None = None
) -> dict[str, str]:
    """Return the role of each column: as said, else by its name.

    A role that only one column can have goes to the one that was said to have it; a column that has it by its name
    alone is then a feature. InvalidEventError for a column that the frame lacks, an unknown role, a column with two
    roles, or two columns with a role for one.
    """
    said = dict(roles)
    for role, column in (("time", time), ("outcome", outcome)):
        if column is not None and said.setdefault(column, role) != role:
            raise InvalidEventError(f"roles.{column}", said[column], f"must be {role}, as the argument {role} says")
    for name, role in said.items():
        if name not in names:
            raise InvalidEventError("roles", name, "must be a column of the frame" + nearest(name, names))
        if role not in ROLES:
            raise InvalidEventError(f"roles.{name}", role, "must be one of " + ", ".join(ROLES) + nearest(role, ROLES))
    taken = set(said.values())
    assigned: dict[str, str] = {}
    for name in names:
        usual = _BY_NAME.get(name.lower(), "feature")
        assigned[name] = said.get(name, "feature" if usual in taken and usual not in _MANY else usual)
    for role, count in Counter(assigned.values()).items():
        if count > 1 and role not in _MANY:
            columns = sorted(name for name, its in assigned.items() if its == role)
            raise InvalidEventError(
                "roles",
                f"{role}: {', '.join(columns)}",
                "must be one column; give the others the role feature or ignore",
            )
    return assigned
