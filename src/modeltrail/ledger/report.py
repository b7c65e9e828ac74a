"""The result of a verification: what was checked, what was found, what was not proven, and the exit code.

holds        0    something was checked, and all of it holds
tampered     3    at least one fault
not whole    4    no fault, but nothing was checked, or not all that should be
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from modeltrail.ledger.findings import Finding, Kind, Severity

__all__ = ["KEPT_FINDINGS", "ChainReport", "ProjectionReport", "Report", "Scope", "Verdict", "not_proven"]

KEPT_FINDINGS = 20
"""Findings of a chain that are kept with their text; all are counted."""


class Verdict(Enum):
    """The outcome, with its exit code."""

    exit_code: int

    HOLDS = ("holds", 0)
    TAMPERED = ("tampered", 3)
    NOT_WHOLE = ("not_whole", 4)

    def __new__(cls, code: str, exit_code: int) -> Self:
        """Make the code the value."""
        member = object.__new__(cls)
        member._value_ = code
        member.exit_code = exit_code
        return member


@dataclass
class ChainReport:
    """One chain. `first_seq` and `last_seq` are the bounds of what was to be checked."""

    chain: str
    first_seq: int
    last_seq: int
    entries: int = 0
    """Positions checked, each counted once."""
    repeats: int = 0
    """Rows beyond the first at a position: not merged yet, and no fault where they are identical."""
    counts: Counter[Kind] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, found: Finding, times: int = 1) -> None:
        """Count a finding, and keep it if it is among the first."""
        self.counts[found.kind] += times
        self.findings.append(found)
        if len(self.findings) > 2 * KEPT_FINDINGS:
            self._trim()

    def _trim(self) -> None:
        self.findings.sort(key=lambda kept: (_SEVERITY[kept.kind.severity], kept.order))
        del self.findings[KEPT_FINDINGS:]

    def told(self) -> list[Finding]:
        """Return the kept findings: faults first, each severity in the order of positions."""
        self._trim()
        return list(self.findings)

    @property
    def first_fault(self) -> Finding | None:
        """The fault at the first bad position."""
        return next((found for found in self.told() if found.kind.severity is Severity.FAULT), None)

    def as_json(self) -> dict[str, object]:
        """Return plain values for `--json`."""
        fault = self.first_fault
        return {
            "chain": self.chain,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "entries": self.entries,
            "repeats": self.repeats,
            "holds": fault is None,
            "first_fault": None if fault is None else fault.as_json(),
            "counts": {kind.value: number for kind, number in sorted(self.counts.items(), key=lambda c: c[0].rank)},
            "findings": [found.as_json() for found in self.told()],
        }


_SEVERITY = {Severity.FAULT: 0, Severity.INCOMPLETE: 1, Severity.NOTE: 2}


@dataclass
class ProjectionReport:
    """One typed table, compared with what its view makes of the ledger."""

    table: str
    rows: int = 0
    """Rows that the view makes of the entries that were checked."""
    missing: int = 0
    differing: int = 0
    extra: int = 0

    def as_json(self) -> dict[str, object]:
        """Return plain values for `--json`."""
        return {
            "table": self.table,
            "rows": self.rows,
            "missing": self.missing,
            "differing": self.differing,
            "extra": self.extra,
        }


@dataclass(frozen=True)
class Scope:
    """What a verification was asked to look at, as far as it decides what is proven."""

    recompute: bool
    envelope: bool
    """Status and envelope columns were compared with the records, at least by the server."""
    projections: bool
    heads: bool
    partial: bool
    """A range, not whole chains."""
    selected: bool
    """Not all chains."""


@dataclass
class Report:
    """The result. `seconds` is what it took."""

    mode: str
    chains: list[ChainReport] = field(default_factory=list)
    projections: list[ProjectionReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    """Findings that belong to no chain that is in the ledger."""
    heads_checked: int = 0
    not_proven: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def entries(self) -> int:
        """Entries checked."""
        return sum(chain.entries for chain in self.chains)

    @property
    def repeats(self) -> int:
        """Rows beyond the first at a position."""
        return sum(chain.repeats for chain in self.chains)

    def count(self, severity: Severity) -> int:
        """Return how many findings of a severity there are."""
        counted = sum((chain.counts for chain in self.chains), Counter[Kind]())
        counted.update(found.kind for found in self.findings)
        return sum(number for kind, number in counted.items() if kind.severity is severity)

    @property
    def verdict(self) -> Verdict:
        """The verdict; the table at the top of this module."""
        if self.count(Severity.FAULT):
            return Verdict.TAMPERED
        if self.entries == 0 or self.count(Severity.INCOMPLETE):
            return Verdict.NOT_WHOLE
        return Verdict.HOLDS

    def as_json(self) -> dict[str, object]:
        """Return plain values for `--json`."""
        return {
            "verified": self.verdict is Verdict.HOLDS,
            "verdict": self.verdict.value,
            "exit_code": self.verdict.exit_code,
            "mode": self.mode,
            "entries": self.entries,
            "repeats": self.repeats,
            "faults": self.count(Severity.FAULT),
            "incomplete": self.count(Severity.INCOMPLETE),
            "notes": self.count(Severity.NOTE),
            "heads_checked": self.heads_checked,
            "seconds": round(self.seconds, 3),
            "chains": [chain.as_json() for chain in self.chains],
            "projections": [projection.as_json() for projection in self.projections],
            "findings": [found.as_json() for found in self.findings],
            "not_proven": self.not_proven,
        }


def not_proven(scope: Scope) -> list[str]:
    """Return, in sentences, what a verification of this scope leaves open."""
    open_questions: list[str] = []
    if not scope.heads:
        open_questions.append(
            "No kept heads were given: a chain that was cut off at its end, or linked again from some entry to its"
            " end, cannot be told from a genuine one, nor a newest epoch that is gone. Keep `modeltrail heads`"
            " elsewhere, and pass it with --heads."
        )
    open_questions.append("The Kafka log was not read again: what the ledger holds was not compared with the broker.")
    open_questions.append("The reason text of a reject and the time of appending are covered by no hash.")
    if not scope.recompute:
        open_questions.append(
            "The hashes were computed by the ClickHouse server itself; --recompute computes them here."
        )
        open_questions.append(
            "Whether records were rightly accepted or rejected was not judged again; --recompute does that."
            if scope.envelope
            else "Status and envelope columns were not read again from the records; --recompute does that."
        )
    if not scope.projections:
        open_questions.append("The typed tables were not compared with the ledger.")
    elif scope.recompute:
        open_questions.append("The typed tables were compared with what the server itself reads in the records.")
    if scope.partial:
        open_questions.append(
            "Only a range was checked: not what comes before it and after it, nor how the chain begins."
        )
    if scope.selected:
        open_questions.append("Only some of the chains were checked.")
    return open_questions
