"""What a check says in this world, and what a run must have published: the fold of the whole log at once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modeltrail.drift.statistics.rates import silence_part
from modeltrail.drift.windows.closing import Closing, learned_baseline_id
from modeltrail.drift.windows.narrow import NarrowRows
from modeltrail.drift.windows.watch import Watch
from modeltrail.events.alerts import AlertRaised
from modeltrail.events.canonical import canonical_json, content_hash
from modeltrail.events.checks import (
    CHECK_SOURCE,
    CheckCompleted,
    CheckCut,
    CheckEntry,
    CheckReference,
    CheckWindow,
)
from modeltrail.events.encode import Event
from modeltrail.lab.drift.log import CHECKS, PREDICTIONS, Entry, a_baseline, rows_of, told_of
from modeltrail.ledger.chain import Chain
from modeltrail.watch.protocols import Computed
from modeltrail.watch.resume import Unit

__all__ = ["Published", "computed", "differences", "expected", "unheard"]

Chains = Mapping[Chain, Sequence[Entry]]
_NOW = "2026-01-01T00:00:00Z"
_NONE = "0" * 64
# Copies cost a tenth of what validation does, and what is copied was valid.
_A_CHECK = CheckCompleted(
    check_id=_NONE, kind="drift", monitor=CheckReference(id="m", sha256=_NONE), model_id="m", model_version="1",
    status="completed", window=CheckWindow(index=0), cut=CheckCut(entry=CheckEntry(chain="c", seq=0)),
    closed_by="watermark",
)  # fmt: skip
_AN_ALERT = AlertRaised(
    alert_id=_NONE, kind="drift", severity="info", subject="m", message="moved", opened_at=_NOW
)  # fmt: skip


def computed(closing: Closing, carry: Mapping[str, Any] | None, chains: Chains) -> Computed:
    """Return what comes of a closing: a check that counts its rows, hashes what it started from, and may alert."""
    if closing.kind == "learn":
        learned = a_baseline(closing.model_id, closing.model_version, name=learned_baseline_id(closing))
        return Computed([_event(learned, learned.baseline_id)], None, {})
    rows = _rows(closing, chains)
    before = (carry or {}).get("before", "")
    named = closing.baseline
    check = _A_CHECK.model_copy(
        update={
            "check_id": closing.check_id,
            "kind": closing.kind,
            "monitor": CheckReference(id=closing.monitor.monitor_id, sha256=closing.monitor_sha256),
            "baseline": None if named is None else CheckReference(id=named.baseline_id, sha256=named.sha256),
            "model_id": closing.model_id,
            "model_version": closing.model_version,
            "window": closing.check_window,
            "cut": closing.check_cut,
            "rows": rows,
            "closed_by": closing.closed_by,
            "supersedes": closing.supersedes,
            "incomplete": list(closing.incomplete),
            "silence": None if closing.silence is None else silence_part(closing.silence, closing.x.log_time),
            "carry": {"before": content_hash({"before": before, "check": closing.check_id}), "fold": closing.fold},
        }
    )
    events = [_event(check, check.check_id)]
    if rows % 3 == 0 and not closing.late:
        alert_id = content_hash({"alert of": closing.check_id})
        update = {"alert_id": alert_id, "subject": closing.model_id, "evidence": {"before": before}}
        alert = _AN_ALERT.model_copy(update=update)
        events.insert(0, _event(alert, alert_id))
    return Computed(events, check, check.carry)


def _event(data: Any, event_id: str) -> Event:
    return Event(data=data, source=CHECK_SOURCE, actor="watch", subject="m", id=event_id, time=_NOW)


def _rows(closing: Closing, chains: Chains) -> int:
    """Count the window's predictions in the prefixes that the cut names, and require that they are all there."""
    window, rows = closing.window, 0
    upto = window.upto if window.is_run else closing.cut
    wanted = closing.model_id, closing.model_version
    for chain, there in chains.items():
        if chain.of not in PREDICTIONS:
            continue
        last = upto.get(str(chain), -1)
        if last >= len(there):
            raise AssertionError(f"the cut names {chain} {last}, which is not in the ledger")
        for entry in there[window.after.get(str(chain), -1) + 1 : last + 1]:
            made = entry.prediction
            if made is None or made[:2] != wanted:
                continue
            if window.is_run or (window.start_us or 0) <= made.time_us < (window.end_us or 0):
                rows += 1
    return rows


@dataclass(frozen=True, slots=True)
class Published:
    """What a run has published, each event once, as canonical JSON by id."""

    events: dict[str, bytes]
    data: dict[str, Any]
    repeats_that_differ: tuple[str, ...] = ()

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Published":
        """Return events once each; a repeat that says something else than the first is listed."""
        found: dict[str, bytes] = {}
        data: dict[str, Any] = {}
        bad = []
        seen: dict[int, bytes] = {}
        for event in events:
            text = seen.get(id(event))
            if text is None:
                text = seen[id(event)] = canonical_json(event.data.model_dump(mode="json"))
            first = found.setdefault(event.id or "", text)
            data.setdefault(event.id or "", event.data)
            if first != text:
                bad.append(event.id or "")
        return cls(found, data, tuple(bad))

    @property
    def checks(self) -> dict[str, CheckCompleted]:
        """The checks, by id."""
        return {id_: each for id_, each in self.data.items() if isinstance(each, CheckCompleted)}

    def but_for_waiting(self) -> "Published":
        """Return the same without what says who was not waited for."""
        nobody: dict[str, Any] = {"closed_by": None, "incomplete": []}
        data = {
            id_: each.model_copy(update=nobody) if isinstance(each, CheckCompleted) else each
            for id_, each in self.data.items()
        }
        texts = {id_: canonical_json(each.model_dump(mode="json")) for id_, each in data.items()}
        return Published(texts, data, self.repeats_that_differ)

    @property
    def digest(self) -> str:
        """SHA-256 over everything, hex."""
        whole = hashlib.sha256()
        for id_, text in sorted(self.events.items()):
            whole.update(id_.encode() + b" " + text + b"\n")
        return whole.hexdigest()


def expected(chains: Chains) -> Published:
    """Return what any run that leaves these chains must publish: they are folded at once, each check after another."""
    carries: dict[Unit, Mapping[str, Any]] = {}
    events: list[Event] = []
    for closing in _folded(chains)[1]:
        found = computed(closing, carries.get(Unit.of(closing)), chains)
        carries[Unit.of(closing)] = found.carry
        events.extend(found.events)
    return Published.of(events)


def unheard(chains: Chains, now_ms: int) -> list[str]:
    """Return the models that are silent by the clock, and no tick says so."""
    return [f"{each.model_id} is silent since {each.due_ms}" for each in _folded(chains)[0].overdue(now_ms)]


def _folded(chains: Chains) -> tuple[Watch, list[Closing]]:
    rows = [rows_of(chain, there) for chain, there in sorted(chains.items()) if chain.of != CHECKS]
    told = [change for chain, there in chains.items() for change in told_of(chain, there)]
    watch = Watch()
    return watch, watch.feed(NarrowRows.concatenate(rows), told)


def differences(ours: Published, theirs: Published) -> list[str]:
    """Return in words what one run has and the other has not, at most four. Ticks count in neither."""
    told = [f"{id_} was published twice, and differs" for id_ in ours.repeats_that_differ]
    for id_ in sorted({*ours.events, *theirs.events}):
        mine, other = ours.events.get(id_), theirs.events.get(id_)
        if mine == other or getattr((ours.data if mine else theirs.data)[id_], "kind", None) == "tick":
            continue
        data = (ours.data if mine else theirs.data)[id_]
        names = ("kind", "model_id", "model_version", "window", "cut", "rows", "closed_by", "supersedes", "evidence")
        short = {name: value for name in names if (value := getattr(data, name, None)) is not None}
        which = "too much" if other is None else "missing" if mine is None else "differs"
        told.append(f"{which}: {type(data).__name__} {short}")
    return told[:4]
