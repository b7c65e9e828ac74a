"""Events that are looked up whole: checks and alerts by id, baselines and monitors by their hash.

What is found is what the contract read: the value of the entry, parsed and validated by its model.
"""

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.errors import NotVerifiableError
from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.canonical import content_hash
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.fields import Data
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.events.reading import parse
from modeltrail.events.registry import EVENT_TYPES
from modeltrail.storage.watch.frontiers import CHANGES, Frontiers
from modeltrail.storage.watch.reader import Reader

__all__ = ["check_before", "event_data", "read_baseline", "read_checks", "read_events", "read_monitor"]

D = TypeVar("D", bound=Data)

_IDS_AT_ONCE = 500


def event_data(kind: str, mode: str, value: bytes) -> Any:
    """Return the data of a valid event of type `kind`: its model."""
    document = parse(value)
    return EVENT_TYPES[kind].validate(document["data"] if mode == "structured" else document)


def read_events(reader: Reader, model: type[D], ids: Collection[str]) -> list[D]:
    """Return the events of one type that the watch published under these CloudEvents ids. Repeats count once."""
    ordered = sorted(ids)
    found: list[D] = []
    for start in range(0, len(ordered), _IDS_AT_ONCE):
        found += _data(reader, "watch/events_by_id", model, ids=ordered[start : start + _IDS_AT_ONCE])
    return found


def read_checks(reader: Reader, check_ids: Collection[str]) -> dict[str, CheckCompleted]:
    """Return those of these checks that are in the ledger, by id. Raises what `Reader.ask` raises."""
    return {check.check_id: check for check in read_events(reader, CheckCompleted, check_ids)}


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
    modes, values = (rows.column(name).cast(pa.binary()).to_pylist() for name in ("mode", "document"))
    return [event_data(model.event_type, mode.decode(), value) for mode, value in zip(modes, values, strict=True)]
