"""What the watch found, read from the ledger's views; and what simpler rules would have said of the same windows.

    PSI above 0.1                   of a field in a window, on deciles, as in most tools: no sample size, no tolerance
    Kolmogorov-Smirnov, p < 0.05    of a numeric field in a window, uncorrected: as many tests as there are fields and
                                    windows, and nothing is too small to matter

Either would have told somebody each time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from modeltrail.demo.progress import query
from modeltrail.drift.statistics.significance import ks_p_value
from modeltrail.storage.server_errors import translated
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import read_baseline

__all__ = ["MOVED", "AlertFeed", "Cell", "Figure", "Findings", "Told", "checked", "findings_of", "read_findings"]

TEXTBOOK_PSI = 0.1
TEXTBOOK_P = 0.05
MOVED = ("shifted", "warning", "critical")
"""States of a field that is not what it was in the baseline."""


class Told(NamedTuple):
    """Something that the watch told people: an alert that was raised (or rose), or was resolved."""

    event_id: str
    alert_id: str
    told: str
    severity: str
    message: str
    opened_at: Any


class AlertFeed:
    """Alerts as they come into the ledger. `client` is that of one thread."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[str, Told] = {}

    def new(self) -> list[Told]:
        """Return what was told since the last call."""
        with translated():
            rows = self._client.query(query("alerts")).result_rows
        found: dict[str, Told] = {}
        for told in map(Told._make, rows):
            if told.event_id not in self._known:
                found.setdefault(told.event_id, told)  # what is published twice is said once
        self._known |= found
        return list(found.values())

    @property
    def told(self) -> list[Told]:
        """Everything so far, in order."""
        return list(self._known.values())

    @property
    def raised(self) -> int:
        """How many alerts were raised; one that rises, stays open or is resolved is still the same alert."""
        return len({told.alert_id for told in self._known.values()})


class Cell(NamedTuple):
    """A field in a window. `effect`: debiased PSI of this window alone, None where it has too little data."""

    week: date
    name: str
    state: str
    counted: int
    psi: float
    effect: float | None
    ks: float | None


class Figure(NamedTuple):
    """A figure of performance, or a gap, in a window."""

    week: date
    name: str
    state: str
    value: float | None
    reference: float | None


@dataclass(frozen=True)
class Findings:
    """What was found in `windows` windows, and what the simple rules would have sent about the same `cells`."""

    cells: Sequence[Cell]
    figures: Sequence[Figure]
    windows: int
    states: Mapping[str, int]
    psi_above: int
    psi_windows: int
    """Windows in which at least one field is above."""
    ks_below: int
    ks_cells: int
    """Cells of numeric fields, which alone have the statistic."""

    @property
    def moved(self) -> int:
        """Cells that are shifted or worse."""
        return sum(self.states.get(state, 0) for state in MOVED)

    def by_name(self) -> dict[str, list[Cell]]:
        """Return the cells of each field, in order of time; the field that moved most comes first."""
        fields: dict[str, list[Cell]] = {}
        for cell in self.cells:
            fields.setdefault(cell.name, []).append(cell)
        return dict(sorted(fields.items(), key=lambda field: (-_most(field[1]), field[0])))


def _most(cells: Iterable[Cell]) -> float:
    return max((cell.effect or 0.0 for cell in cells), default=0.0)


def findings_of(cells: Sequence[Cell], figures: Sequence[Figure], rows: Mapping[str, int]) -> Findings:
    """Count what was found. `rows`: values of each field in the baseline."""
    above = [cell for cell in cells if cell.psi > TEXTBOOK_PSI]
    numeric = [cell for cell in cells if cell.ks is not None and cell.counted]
    return Findings(
        cells,
        figures,
        windows=len({cell.week for cell in cells}),
        states=Counter(cell.state for cell in cells),
        psi_above=len(above),
        psi_windows=len({cell.week for cell in above}),
        ks_below=sum(bool(ks_p_value(cell.ks or 0.0, cell.counted, rows[cell.name]) < TEXTBOOK_P) for cell in numeric),
        ks_cells=len(numeric),
    )


def read_findings(client: Any, monitor: str) -> Findings:
    """Read what the checks of a monitor found. NotVerifiableError where their baseline is not in the ledger."""
    with translated():
        cells = client.query(query("drift_cells"), parameters={"monitor": monitor}).result_rows
        figures = client.query(query("figures"), parameters={"monitor": monitor}).result_rows
    rows: dict[str, int] = {}
    for sha256 in {baseline for *_, baseline in cells}:
        references = read_baseline(Reader(client), sha256).references
        rows |= {key.name: reference.sample.binned for key, reference in references.items()}
    return findings_of([Cell(*cell) for *cell, _ in cells], [Figure(*row) for row in figures], rows)


def checked(client: Any) -> tuple[dict[str, int], int]:
    """Return how many windows each kind of check has looked at so far, and how many checks there are in all."""
    with translated():
        rows = client.query(query("checked")).result_rows
    return {kind: windows for kind, windows, _ in rows}, sum(checks for _, _, checks in rows)
