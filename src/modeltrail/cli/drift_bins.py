"""Reference against current, bin by bin: shares and bars of one field of a check."""

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from modeltrail.cli.charts import bar

if TYPE_CHECKING:
    from modeltrail.drift.baselines.counts import FieldCounts
    from modeltrail.drift.baselines.reference import Reference

__all__ = ["BinRow", "as_json", "bars", "bin_rows", "width"]

_CATEGORIES = 16
"""Categories that are shown; the others are added up."""


class BinRow(NamedTuple):
    """A coarse bin, a category, or what is in neither: its share of all rows in the baseline and now."""

    words: str
    reference: float
    current: float

    @property
    def change(self) -> float:
        """How much larger its share is now."""
        return self.current - self.reference


def width() -> int:
    """Return how wide charts are: as the terminal, from 80 to 120; 100 where there is none."""
    return max(80, min(120, shutil.get_terminal_size((100, 24)).columns)) if sys.stdout.isatty() else 100


def bin_rows(reference: "Reference", current: "FieldCounts") -> list[BinRow]:
    """Return the shares of all rows, bin by bin in order, then missing, unseen and mistyped where there are any.

    Of a categorical field the categories that moved most are named, in the order of the baseline.
    """
    from modeltrail.drift.checks.wording import bin_words

    sample = reference.sample
    n, m = max(1, current.n), max(1, sample.n)
    before, now = reference.coarse(sample).tolist(), reference.coarse(current).tolist()
    rows = [
        BinRow(bin_words(reference, at, at), one / m, other / n)
        for at, (one, other) in enumerate(zip(before, now, strict=True))
    ]
    if reference.kind == "categorical" and len(rows) > _CATEGORIES:
        kept = set(sorted(range(len(rows)), key=lambda at: -abs(rows[at].change))[: _CATEGORIES - 1])
        others = [row for at, row in enumerate(rows) if at not in kept]
        rows = [row for at, row in enumerate(rows) if at in kept]
        together = (sum(row.reference for row in others), sum(row.current for row in others))
        rows.append(BinRow(f"{len(others)} others", *together))
    # Bins between atoms that nothing has ever fallen into say nothing.
    rows = [row for row in rows if row.reference or row.current]
    for words in ("missing", "unseen", "mistyped"):
        shares = getattr(sample, words) / m, getattr(current, words) / n
        if any(shares):
            rows.append(BinRow(f"({words})", *shares))
    return rows


def bars(rows: Sequence[BinRow], total: int) -> list[str]:
    """Return the lines of a chart of at most `total` characters: words, both shares with their bars, the change."""
    words = min(24, max((len(row.words) for row in rows), default=0))
    largest = max((max(row.reference, row.current) for row in rows), default=1.0) or 1.0
    room = max(6, (total - words - 30) // 2)
    lines = [f"{'':<{words}}  {'reference':<{room + 8}}  {'current':<{room + 8}}  change"]
    for row in rows:
        name = row.words if len(row.words) <= words else row.words[: words - 1] + "…"
        sides = [f"{100 * share:5.1f} % {bar(share / largest, room):<{room}}" for share in (row.reference, row.current)]
        lines.append(f"{name:<{words}}  {sides[0]}  {sides[1]}  {100 * row.change:+6.1f}")
    return lines


def as_json(rows: Sequence[BinRow]) -> list[dict[str, Any]]:
    """Return the rows for --json."""
    return [{"bin": row.words, "reference": row.reference, "current": row.current} for row in rows]
