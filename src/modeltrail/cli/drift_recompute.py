"""A check computed again, and every difference named: what was recorded, and what comes out now."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from modeltrail.drift.checks.check import VERSIONS
from modeltrail.errors import NotVerifiableError
from modeltrail.storage.watch.from_start import from_start
from modeltrail.storage.watch.recompute import NOT_INPUT, recompute
from modeltrail.storage.watch.records import read_events

if TYPE_CHECKING:
    from modeltrail.events.checks import CheckCompleted
    from modeltrail.storage.watch.reader import Reader

__all__ = ["Difference", "Recomputed", "differences", "recompute_check", "table_of"]

_ABSENT = "(absent)"


class Difference(NamedTuple):
    """Where two documents differ: the path, and what stands there in each."""

    path: str
    recorded: Any
    computed: Any


@dataclass(slots=True)
class Recomputed:
    """What came of computing one check again. `alerts`: how many alert events it made, all compared."""

    check_id: str
    rows: int = 0
    alerts: int = 0
    found: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def identical(self) -> bool:
        """Whether nothing differs, to the last digit."""
        return not self.found

    def as_json(self) -> dict[str, Any]:
        """Return it for --json."""
        return {
            "check_id": self.check_id,
            "identical": self.identical,
            "rows": self.rows,
            "alerts": self.alerts,
            "differences": [each._asdict() for each in self.found],
            "notes": self.notes,
        }


def recompute_check(reader: "Reader", check: "CheckCompleted", *, whole: bool = False) -> Recomputed:
    """Compute a check from the ledger up to its cut, and compare it and its alert events with what was recorded.

    `whole`: from the first entry of the ledger on, with all checks before it.
    NotVerifiableError for a check that follows from no window (a tick), and where something is not in the ledger.
    """
    try:
        result = from_start(reader, check) if whole else recompute(reader, check)
    except ValueError as error:
        raise NotVerifiableError(f"check {check.check_id}: cannot be computed again: {error}") from error
    if result is None:
        entry = "" if check.cut is None else f"{check.cut.entry.chain} seq {check.cut.entry.seq}"
        found = Difference("cut", f"closed by {entry}", "closes no such window")
        return Recomputed(check.check_id, found=[found], notes=_not_waited_for(check))
    done = Recomputed(check.check_id, rows=result.check.rows, alerts=len(result.alerts))
    said, found = (_plain(each.model_dump(exclude=set(NOT_INPUT))) for each in (check, result.check))
    done.found.extend(differences(said, found))
    for alert in result.alerts:
        stored = read_events(reader, type(alert.data), [alert.event_id])
        path = f"alert {alert.data.alert_id[:12]}"
        if not stored:
            done.found.append(Difference(path, _ABSENT, alert.data.message))
            continue
        done.found.extend(differences(_plain(stored[0].model_dump()), _plain(alert.data.model_dump()), path))
    then = {name: number for name, number in check.versions.items() if VERSIONS.get(name) != number}
    done.notes.extend(f"{name} was {number} then and is {VERSIONS.get(name)} now" for name, number in then.items())
    return done


def _not_waited_for(check: "CheckCompleted") -> list[str]:
    """Return why a window that was closed by the clock of a worker may close elsewhere by the ledger."""
    if not check.incomplete:
        return []
    missing = ", ".join(check.incomplete)
    return [
        f"{missing} had been waited for long enough when it closed (drift.max_wait_s), and may have had earlier entries"
    ]


def differences(recorded: Any, computed: Any, path: str = "") -> list[Difference]:
    """Return where two documents of JSON differ, each place once, in the order of the first document.

    Lists of one length are compared element by element; others as a whole.
    """
    return list(_differences(recorded, computed, path))


def _differences(recorded: Any, computed: Any, path: str) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(computed, dict):
        for name in [*recorded, *(name for name in computed if name not in recorded)]:
            within = f"{path}.{name}" if path else str(name)
            yield from _differences(recorded.get(name, _ABSENT), computed.get(name, _ABSENT), within)
    elif isinstance(recorded, list) and isinstance(computed, list) and len(recorded) == len(computed):
        for number, (one, other) in enumerate(zip(recorded, computed, strict=True)):
            yield from _differences(one, other, f"{path}.{_named(one, number)}")
    elif type(recorded) is not type(computed) or recorded != computed:
        both = (recorded, computed)
        if all(isinstance(each, int | float) and not isinstance(each, bool) for each in both) and recorded == computed:
            return  # 1 and 1.0 are one number of JSON
        yield Difference(path, recorded, computed)


def _named(element: Any, number: int) -> str:
    """Return how an element of a list is called: by its name where it has one, else by its place."""
    if isinstance(element, dict):
        for member in ("name", "metric", "alert_id", "check_id"):
            if isinstance(element.get(member), str):
                segment = element.get("segment")
                where = f" where {segment['by']} is {segment['value']}" if isinstance(segment, dict) else ""
                return f"{element[member][:40]}{where}"
    return str(number)


def _plain(document: Any) -> Any:
    """Return a document as it stands in JSON."""
    return json.loads(json.dumps(document))


def shown(value: Any) -> str:
    """Return a value of a difference for people: floats to the last digit, what is long cut."""
    text = repr(value) if isinstance(value, float | str) else json.dumps(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def table_of(found: Sequence[Difference], *, most: int = 40) -> list[tuple[str, str, str]]:
    """Return the rows of a table of differences, at most `most`."""
    return [(each.path, shown(each.recorded), shown(each.computed)) for each in found[:most]]
