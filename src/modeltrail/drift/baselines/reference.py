"""One field of a baseline, as arrays: its bins or categories, and how many rows of the sample fell into each.

The event model (`modeltrail.events.baselines.BaselineField`) says what is legal; this is the same content in the form
that counting and statistics want.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.baselines.edges import FINE_BINS, make_edges, make_groups, point_bins
from modeltrail.drift.baselines.tally import tally_numbers, tally_texts
from modeltrail.drift.rows.columns import Column, FieldKey
from modeltrail.errors import InvalidEventError
from modeltrail.events.baselines import DEFAULT_TOLERANCE, BaselineField, FieldKind, FieldRole

__all__ = ["Reference"]

MAX_CATEGORIES = 10_000


@dataclass(frozen=True, eq=False)
class Reference:
    """A field of a baseline. Numeric: `edges` float64[k] and k + 1 bins; categorical: `categories` and as many bins.

    `sample` holds the counts of the sample on these bins; `groups` int64[g] the first fine bin of each coarse one (of a
    categorical field every category is one); `mean` and `std` (population) those of the finite numbers; `phi` how much
    more time-ordered chunks differ than independent rows do, at least 1; `tolerance` the debiased PSI up to which a
    difference is harmless; `learned` whether the two come from chunks.
    """

    name: str
    role: FieldRole
    kind: FieldKind
    sample: FieldCounts
    edges: NDArray[np.float64]
    categories: tuple[str, ...]
    groups: NDArray[np.int64]
    mean: float | None = None
    std: float | None = None
    phi: float = 1.0
    tolerance: float = DEFAULT_TOLERANCE
    learned: bool = False

    @classmethod
    def from_column(
        cls, role: FieldRole, name: str, column: Column, *, kind: FieldKind | None = None, fine_bins: int = FINE_BINS
    ) -> Self:
        """Make bins from a sample and count it.

        Without `kind`, a field is numeric where it has at least as many numbers as texts. InvalidEventError that names
        the field: no rows, all of them missing or (numeric) text or infinite, more than 10,000 categories.
        """
        shown = name if role == "feature" else role
        if len(column) == 0:
            raise InvalidEventError(shown, 0, "must have at least one row")
        numbers = column.present_numbers()
        if kind is None:
            kind = "numeric" if numbers.size and numbers.size >= column.text_count else "categorical"
        if kind == "categorical":
            return cls._categorical(role, name, column, shown)
        if not np.isfinite(numbers).any():
            found = f"{len(column)} rows, {column.text_count} of them text, {numbers.size} infinite"
            raise InvalidEventError(shown, found, "must hold a finite number in some row; leave it out of the baseline")
        edges = make_edges(numbers, fine_bins)
        sample = tally_numbers(edges, column)
        mean, std = _moments(numbers[np.isfinite(numbers)])
        return cls(name, role, kind, sample, edges, (), make_groups(edges, sample.counts), mean, std)

    @classmethod
    def _categorical(cls, role: FieldRole, name: str, column: Column, shown: str) -> Self:
        codes, dictionary = column.as_texts()
        present = codes[codes >= 0]
        if present.size == 0:
            found_rows = f"{len(column)} rows, all of them missing"
            raise InvalidEventError(shown, found_rows, "must have a value in some row; leave it out of the baseline")
        found: dict[str, int] = {}
        for code, count in enumerate(np.bincount(present, minlength=len(dictionary)).tolist()):
            if count:
                found[dictionary[code]] = found.get(dictionary[code], 0) + count
        if len(found) > MAX_CATEGORIES:
            expected = f"must be at most {MAX_CATEGORIES}; leave it out of the baseline, or give a coarser field"
            raise InvalidEventError(shown, f"{len(found)} categories", expected)
        ordered = sorted(found, key=lambda text: (-found[text], text))
        sample = FieldCounts.of([found[text] for text in ordered], missing=len(column) - present.size)
        no_edges = np.zeros(0, dtype=np.float64)
        groups = np.arange(len(ordered), dtype=np.int64)
        return cls(name, role, "categorical", sample, no_edges, tuple(ordered), groups)

    @property
    def key(self) -> FieldKey:
        """Role and name."""
        return FieldKey(self.role, self.name)

    @property
    def bins(self) -> int:
        """How many fine bins or categories there are."""
        return int(self.sample.counts.size)

    @cached_property
    def points(self) -> NDArray[np.bool_]:
        """Which bins hold one value only, bool[bins]."""
        return np.ones(self.bins, dtype=np.bool_) if self.kind == "categorical" else point_bins(self.edges)

    @cached_property
    def lookup(self) -> dict[str, int]:
        """The bin of each category."""
        return {text: at for at, text in enumerate(self.categories)}

    def count(self, column: Column, mask: NDArray[np.bool_] | None = None) -> FieldCounts:
        """Count the rows of a column, or those of a mask bool[n], on the bins of this reference."""
        rows = column if mask is None else column.take(mask)
        return tally_numbers(self.edges, rows) if self.kind == "numeric" else tally_texts(self.lookup, rows)

    def coarse(self, counts: FieldCounts) -> NDArray[np.int64]:
        """Return the counts of the coarse bins, int64[g]; of a categorical field those of its categories."""
        return np.add.reduceat(counts.counts, self.groups)

    def unseen(self, counts: FieldCounts) -> int:
        """Return how many rows hold what the sample never held.

        Of a categorical field, categories that it does not have. Of a numeric one, values in fine bins that are empty
        in the sample: those around and between atoms. So a constant that takes another value, and integers that turn
        into fractions, are seen by the two-bin test of the unseen share, although no decile tells them apart.
        """
        if self.kind == "categorical":
            return counts.unseen
        return int(counts.counts[self.sample.counts == 0].sum())

    def with_learned(self, phi: float, tolerance: float) -> Self:
        """Return the same field with overdispersion and tolerance that were learned from chunks."""
        return replace(self, phi=phi, tolerance=tolerance, learned=True)

    def to_field(self) -> BaselineField:
        """Return the field as it stands in a `baseline.registered` event; ValidationError where it cannot."""
        numeric = self.kind == "numeric"
        return BaselineField(
            name=self.name,
            role=self.role,
            kind=self.kind,
            n=self.sample.n,
            missing=self.sample.missing,
            mistyped=self.sample.mistyped,
            edges=[float(edge).hex() for edge in self.edges] if numeric else None,
            categories=None if numeric else list(self.categories),
            counts=self.sample.counts.tolist(),
            groups=self.groups.tolist() if numeric else [],
            mean=self.mean,
            std=self.std,
            phi=self.phi,
            tolerance=self.tolerance,
            learned=self.learned,
        )

    @classmethod
    def from_field(cls, field: BaselineField) -> Self:
        """Return the reference of a field that the contract has judged."""
        groups = field.groups if field.kind == "numeric" else range(len(field.counts))
        return cls(
            name=field.name,
            role=field.role,
            kind=field.kind,
            sample=FieldCounts.of(field.counts, missing=field.missing, mistyped=field.mistyped),
            edges=np.array([float.fromhex(edge) for edge in field.edges or ()], dtype=np.float64),
            categories=tuple(field.categories or ()),
            groups=np.array(groups, dtype=np.int64),
            mean=field.mean,
            std=field.std,
            phi=field.phi,
            tolerance=field.tolerance,
            learned=field.learned,
        )


def _moments(finite: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and population standard deviation, without overflow for the greatest doubles."""
    # Sorted, so that the order of the rows does not show in the last digit.
    ordered = np.sort(finite)
    scale = max(-float(ordered[0]), float(ordered[-1])) or 1.0
    scaled = ordered / scale
    mean, std = float(scaled.mean()) * scale, float(scaled.std()) * scale
    return mean, std if ordered[0] != ordered[-1] else 0.0
