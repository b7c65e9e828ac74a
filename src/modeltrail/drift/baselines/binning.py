"""Counting a column on the bins of a reference."""

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.rows.columns import Column

__all__ = ["count_field"]


def count_field(reference: Reference, column: Column, mask: NDArray[np.bool_] | None = None) -> FieldCounts:
    """Count the rows of a column, or those of a mask bool[n], on the bins of a reference."""
    return reference.count(column, mask)
