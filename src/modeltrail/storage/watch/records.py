"""Events that are looked up whole: checks and alerts by id, baselines and monitors by their hash.

What is found is what the contract read: the value of the entry, parsed and validated by its model. What was valid when
it was chained and is refused by the contract of this version is left out, and the log says why.
"""

import logging
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
from pydantic import ValidationError

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.windows.order import Cut
from modeltrail.errors import NotVerifiableError
from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.canonical import content_hash
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.fields import Data
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.events.reading import parse
from modeltrail.events.refusal import RefusedError, refusal_of
from modeltrail.events.registry import EVENT_TYPES
from modeltrail.storage.watch.frontiers import CHANGES, Frontiers
from modeltrail.storage.watch.reader import Reader

__all__ = [
    "CheckRow",
    "check_before",
    "check_row",
    "event_data",
    "read_baseline",
    "read_checks",
    "read_data",
    "read_events",
    "read_monitor",
]

logger = logging.getLogger("modeltrail.drift")

D = TypeVar("D", bound=Data)

_IDS_AT_ONCE = 500
_REPEATS = 1000
"""Repeats of an event that are looked at where the first one is refused."""


class CheckRow(NamedTuple):
    """What the typed table says of a check, also of one that the contract of this version refuses."""

    monitor_sha256: str
    after: Cut
    upto: Cut
    frontier: Cut
    rows: int


def event_data(kind: str, mode: str, value: bytes) -> Any:
    """Return the data of a valid event of type `kind`: its model."""
    document = parse(value)
    return EVENT_TYPES[kind].validate(document["data"] if mode == "structured" else document)


def read_data(kind: str, mode: str, value: bytes, what: str) -> Any | None:
    """Return the data of an event; None where this version refuses it: the log names `what`, and says why."""
    found = _read(kind, mode, value)
    if isinstance(found, RefusedError):
        _left_out(kind, what, found)
        return None
    return found


def read_events(reader: Reader, model: type[D], ids: Collection[str]) -> list[D]:
    """Return the events of one type that the watch published under these CloudEvents ids, of repeats the first.

    What is refused is left out; where there is a repeat that is not, as of a check that was computed anew, it counts.
    """
    ordered = sorted(ids)
    found: dict[str, D] = {}
    for start in range(0, len(ordered), _IDS_AT_ONCE):
        refused = _events(reader, model, ordered[start : start + _IDS_AT_ONCE], 1, found)
        if refused:
            refused = _events(reader, model, sorted(refused), _REPEATS, found)
        for event_id, why in refused.items():
            _left_out(model.event_type, event_id, why)
    return list(found.values())


def _events(
    reader: Reader, model: type[D], ids: Sequence[str], most: int, found: dict[str, D]
) -> dict[str, RefusedError]:
    """Put the first readable one of the first repeats of each event into `found`; return why others have none."""
    rows = reader.columns("watch/events_by_id", type=model.event_type, ids=ids, most=most)
    refused: dict[str, RefusedError] = {}
    for name, mode, value in zip(*_texts(rows, "id", "mode", "document"), strict=True):
        event_id = name.decode()
        if event_id not in found:
            data = _read(model.event_type, mode.decode(), value)
            if isinstance(data, RefusedError):
                refused.setdefault(event_id, data)
            else:
                found[event_id] = data
    return {event_id: why for event_id, why in refused.items() if event_id not in found}


def _read(kind: str, mode: str, value: bytes) -> Any:
    """Return the data of an event, or why this version refuses it."""
    try:
        return event_data(kind, mode, value)
    except ValidationError as error:
        return refusal_of(error, "data", EVENT_TYPES[kind].model.model_fields)
    except RefusedError as error:
        return error


def _left_out(kind: str, what: str, why: RefusedError) -> None:
    logger.warning("%s %s is left out, this version refuses it: %s", kind, what, why.sentence())


def read_checks(reader: Reader, check_ids: Collection[str]) -> dict[str, CheckCompleted]:
    """Return those of these checks that are in the ledger, by id. Raises what `Reader.ask` raises."""
    return {check.check_id: check for check in read_events(reader, CheckCompleted, check_ids)}


def check_row(reader: Reader, check_id: str) -> CheckRow | None:
    """Return what the typed table says of a check, None where it has none."""
    rows = reader.ask("watch/check_row", check_id=check_id)
    return CheckRow(*rows[0]) if rows else None


def check_before(reader: Reader, check: CheckCompleted) -> CheckCompleted | None:
    """Return the check that this one was computed after: the one before it of its monitor, model, version and kind.

    Which one that is, is read from the typed table `checks`.
    """
    found = reader.ask(
        "watch/check_before",
        check_id=check.check_id,
        model_id=check.model_id,
        model_version=check.model_version or "",
        monitor_id=check.monitor.id,
        kind=check.kind,
        label_delay_s=(check.window.label_delay_s if check.window else None) or 0,
    )
    return read_checks(reader, [found[0][0]]).get(found[0][0]) if found else None


def read_baseline(reader: Reader, sha256: str) -> Baseline:
    """Return the baseline with this content. NotVerifiableError where the ledger has none."""
    for found in _told(reader, BaselineRegistered, "sha256", sha256):
        return Baseline.from_event(found)
    raise NotVerifiableError(f"baseline {sha256}: no baseline.registered with this hash is in the ledger")


def read_monitor(reader: Reader, monitor_id: str, sha256: str) -> MonitorConfigured:
    """Return the monitor as it was configured with this hash. NotVerifiableError where the ledger has none."""
    for found in _told(reader, MonitorConfigured, "monitor_id", monitor_id):
        if content_hash(found) == sha256:
            return found
    raise NotVerifiableError(f"monitor {monitor_id}: no monitor.configured with hash {sha256} is in the ledger")


def _told(reader: Reader, model: type[D], member: str, text: str) -> Sequence[D]:
    chains = [str(chain) for chain in Frontiers(reader, suffixes=(CHANGES,)).chains()]
    return _data(reader, "watch/told", model, chains=chains, member=member, text=text) if chains else ()


def _data(reader: Reader, query: str, model: type[D], **parameters: object) -> list[D]:
    rows = reader.columns(query, type=model.event_type, **parameters)
    modes, values = _texts(rows, "mode", "document")
    return [event_data(model.event_type, mode.decode(), value) for mode, value in zip(modes, values, strict=True)]


def _texts(rows: Any, *names: str) -> list[list[bytes]]:
    return [rows.column(name).cast(pa.binary()).to_pylist() for name in names]
