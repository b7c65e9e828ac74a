"""A user's frame as rows of predictions: what baselines are made from, and what a monitor without a server checks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.checks.content import TRUTH_LABEL, TRUTH_VALUE
from modeltrail.drift.rows.columns import Column, Columns, FieldKey
from modeltrail.drift.rows.frames import read_frame
from modeltrail.drift.rows.roles import assign_roles

__all__ = ["read_columns"]


def read_columns(
    frame: Any, roles: Mapping[str, str], *, time: str | None = None, outcome: str | None = None
) -> tuple[Columns, NDArray[np.int64] | None]:
    """Return the rows of a frame by role and name, and their event times in microseconds where one column has them.

    What turned out to be true is under the role `truth` (see `checks.content`). InvalidEventError names the column
    that cannot be read, or has a role that it cannot have.
    """
    read = read_frame(frame)
    assigned = assign_roles(read.names, roles, time=time, outcome=outcome)
    fields: dict[FieldKey, Column] = {}
    strata = {}
    times: NDArray[np.int64] | None = None
    for name in (*read.columns, *read.times, *read.unread):
        role = assigned[name]
        if role == "ignore":
            continue
        if role == "time":
            times = read.time(name)
        elif role == "stratum":
            strata[name] = read.column(name).as_strata()
        elif role == "outcome":
            fields[TRUTH_LABEL] = fields[TRUTH_VALUE] = read.column(name)
        else:
            fields[FieldKey(role, _field_name(role, name))] = read.column(name)
    return Columns(read.rows, fields, strata), times


def _field_name(role: str, name: str) -> str:
    return {"feature": name, "prediction": "value"}.get(role, role)
