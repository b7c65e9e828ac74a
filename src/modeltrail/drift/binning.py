"""Counting a column on the bins of a reference."""

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.columns import Column
from modeltrail.drift.counts import FieldCounts
from modeltrail.drift.reference import Reference

__all__ = ["count_field"]


def count_field(reference: Reference, column: Column, mask: NDArray[np.bool_] | None = None) -> FieldCounts:
    """Count the rows of a column, or those of a mask bool[n], on the bins of a reference."""
    return reference.count(column, mask)
