"""What the commands on drift read of the ledger: models, baselines, monitors, alerts and checks.

Ids are long; the first digits of one are enough where they name one only.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from modeltrail.errors import ConfigurationError
from modeltrail.events.canonical import content_hash
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.events.refusal import nearest
from modeltrail.storage.client import connect
from modeltrail.storage.watch.frontiers import CHANGES, PREDICTIONS, Frontiers
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import event_data, read_baseline, read_checks

if TYPE_CHECKING:
    from modeltrail.drift.baselines.baseline import Baseline
    from modeltrail.events.checks import CheckCompleted
    from modeltrail.settings import Settings

__all__ = ["CheckLine", "FieldLine", "MonitorLine", "Records", "open_records"]

_ANSWER_TIMEOUT_S = 300
_DIGITS = re.compile(r"[0-9a-f]{6,64}\Z")


class MonitorLine(NamedTuple):
    """A monitor as it was configured last."""

    monitor: MonitorConfigured
    sha256: str
    log_time: int


class FieldLine(NamedTuple):
    """A field, metric or gap in one check.

    `kind`: feature and the other roles of fields, metric, or gap. `segment`: `by=value`, empty for all rows. `value`:
    debiased PSI of a field, else what was measured. `scale`: how many merged windows decided. `numbers`: statistics of
    a field; low, high, reference, limit of the others. `reason`: why it has no value. `coverage`: of a metric, the
    share of predictions whose truth is known.
    """

    kind: str
    name: str
    segment: str
    state: str
    value: float | None
    n: int
    scale: int
    numbers: Mapping[str, float | None]
    reason: str | None = None
    coverage: float | None = None


class CheckLine(NamedTuple):
    """A check of a window, the result that counts. Times in microseconds since 1970, `log_time` in milliseconds.

    `number`: of a window by count.
    """

    check_id: str
    model_id: str
    model_version: str
    monitor_id: str
    kind: str
    start_us: int | None
    end_us: int | None
    number: int | None
    label_delay_s: int
    status: str
    state: str
    rows: int
    superseding: bool
    error: str | None
    log_time: int
    silence: str | None
    parts: tuple[FieldLine, ...]


@contextmanager
def open_records(settings: "Settings") -> Iterator["Records"]:
    """Connect to the store and disconnect at the end; raises what `connect` raises."""
    client = connect(settings.clickhouse, answer_timeout_s=_ANSWER_TIMEOUT_S)
    try:
        yield Records(Reader(client))
    finally:
        client.close()


class Records:
    """Reads through one `Reader`. Every method raises what `Reader.ask` raises."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def frontier(self) -> dict[str, int]:
        """Return the cut of all that is in the ledger without a hole: predictions and models."""
        ends = Frontiers(self.reader, suffixes=(PREDICTIONS, CHANGES)).read()
        return {str(chain): end.seq for chain, end in sorted(ends.items())}

    def models(self) -> dict[str, list[str]]:
        """Return the versions of each model that anybody speaks of."""
        return {name: list(versions) for name, versions in self.reader.ask("drift/models")}

    def require_model(self, model: str | None, version: str | None = None) -> None:
        """Return where the ledger knows the model, or none is given. ConfigurationError names the nearest."""
        if model is None:
            return
        known = self.models()
        if model not in known:
            hint = nearest(model, known) or (f"; it knows {', '.join(sorted(known)[:5])}" if known else "")
            raise ConfigurationError(f"--model {model}: the ledger knows no such model{hint}")
        if version is not None and version not in known[model]:
            versions = ", ".join(known[model][:10]) or "none"
            raise ConfigurationError(f"--version {version}: the versions of {model} in the ledger are: {versions}")

    def baselines(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return what names each baseline, in the order of their registration."""
        names = (
            "baseline_id", "sha256", "model_id", "model_version", "rows", "fields", "segments", "source_kind",
            "source_name", "since", "until", "actor", "log_time",
        )  # fmt: skip
        rows = self.reader.ask("drift/baselines", model_id=model or "")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def baseline(self, named: str, *, model: str | None = None) -> "Baseline":
        """Return the baseline of an id or SHA-256. ConfigurationError where there is none, or more than one."""
        known = self.baselines(model)
        found = [each for each in known if named in (each["baseline_id"], each["sha256"])]
        if not found and _DIGITS.match(named):
            found = [each for each in known if each["sha256"].startswith(named)]
        if len({each["sha256"] for each in found}) > 1:
            several = ", ".join(f"{each['model_id']} {each['sha256'][:12]}" for each in found[:5])
            raise ConfigurationError(f"baseline {named}: there are several: {several}; give the SHA-256")
        if not found:
            hint = nearest(named, {each["baseline_id"] for each in known})
            raise ConfigurationError(f"baseline {named}: the ledger has none of this id or SHA-256{hint}")
        return read_baseline(self.reader, found[0]["sha256"])

    def newest_baseline(self, model: str, version: str | None) -> "Baseline":
        """Return the newest baseline of a model. ConfigurationError where there is none, or the version is open."""
        known = [each for each in self.baselines(model) if version in (None, each["model_version"])]
        if not known:
            of = model if version is None else f"{model} {version}"
            raise ConfigurationError(f"{of}: the ledger has no baseline of it; make one with `modeltrail baseline add`")
        versions = {each["model_version"] for each in known}
        if len(versions) > 1:
            raise ConfigurationError(
                f"{model}: there are baselines of {', '.join(sorted(versions))}; give one of them with --version"
            )
        return read_baseline(self.reader, known[-1]["sha256"])

    def monitors(self, model: str | None = None) -> list[MonitorLine]:
        """Return each monitor as it was configured last, in the order of model and id."""
        newest: dict[str, MonitorLine] = {}
        for monitor, log_time in self._told(MonitorConfigured.event_type):
            newest[monitor.monitor_id] = MonitorLine(monitor, content_hash(monitor), log_time)
        found = [each for each in newest.values() if model in (None, each.monitor.model_id)]
        return sorted(found, key=lambda each: (each.monitor.model_id, each.monitor.monitor_id))

    def monitor(self, monitor_id: str) -> MonitorLine:
        """Return a monitor as it was configured last. ConfigurationError names the nearest where there is none."""
        known = {each.monitor.monitor_id: each for each in self.monitors()}
        if monitor_id not in known:
            hint = nearest(monitor_id, known) or (f"; there are {', '.join(sorted(known)[:5])}" if known else "")
            raise ConfigurationError(f"monitor {monitor_id}: the ledger has none of this id{hint}")
        return known[monitor_id]

    def _told(self, kind: str) -> list[tuple[Any, int]]:
        chains = [str(chain) for chain in Frontiers(self.reader, suffixes=(CHANGES,)).chains()]
        if not chains:
            return []
        rows = self.reader.columns("drift/told", chains=chains, type=kind)
        modes, values = (rows.column(name).cast(pa.binary()).to_pylist() for name in ("mode", "document"))
        return [
            (event_data(kind, mode.decode(), value), int(log_time))
            for mode, value, log_time in zip(modes, values, rows.column("log_time").to_pylist(), strict=True)
        ]

    def check(self, named: str) -> "CheckCompleted | None":
        """Return the check of an id or its first digits, None where there is none. ConfigurationError for several."""
        if not _DIGITS.match(named):
            return None
        ids = [row[0] for row in self.reader.ask("drift/check_ids", id=named)]
        if len(ids) > 1:
            raise ConfigurationError(f"check {named}: there are several: {', '.join(each[:16] for each in ids)} ...")
        return read_checks(self.reader, ids).get(ids[0]) if ids else None

    def lines(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        monitor: str | None = None,
        name: str | None = None,
        windows: int = 20,
    ) -> list[CheckLine]:
        """Return the newest windows of each unit, the oldest first; with `name` only what bears it."""
        rows = self.reader.ask(
            "drift/checks",
            model_id=model or "",
            model_version=version or "",
            monitor_id=monitor or "",
            name=name or "",
            windows=windows,
        )
        return [CheckLine._make([*row[:16], tuple(_parts(*row[16:]))]) for row in rows]

    def stats(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return what was checked, by model, monitor, kind and status."""
        names = (
            "model_id", "model_version", "monitor_id", "kind", "status", "checks", "rows", "superseding", "late",
            "too_late", "p50_ms", "p95_ms", "max_ms", "tested", "moved", "reasons", "first_log_time", "last_log_time",
        )  # fmt: skip
        return [dict(zip(names, row, strict=True)) for row in self.reader.ask("drift/stats", model_id=model or "")]


def _parts(fields: Sequence[Any], metrics: Sequence[Any], gaps: Sequence[Any]) -> Iterator[FieldLine]:
    for name, role, by, segment, state, n, missing, scale, statistics, reason in map(_values, fields):
        numbers = {**statistics, "missing": missing / n if n else None}
        where = f"{by}={segment}" if by else ""
        yield FieldLine(
            role, name, where, state, statistics.get("psi_debiased"), int(n), scale or 1, numbers, reason or None
        )
    for row in map(_values, metrics):
        metric, by, segment, state, value, low, high, reference, max_drop, threshold, scale, n, reason, coverage = row
        numbers = _measured(low, high, reference, threshold if max_drop is None else max_drop)
        where = f"{by}={segment}" if by else ""
        yield FieldLine("metric", metric, where, state, value, int(n), scale or 1, numbers, reason or None, coverage)
    for by, metric, state, value, low, high, reference, max_gap, scale, n, reason in map(_values, gaps):
        numbers = _measured(low, high, reference, max_gap)
        yield FieldLine("gap", f"{metric}:{by}", "", state, value, int(n), scale or 1, numbers, reason or None)


def _values(row: Any) -> tuple[Any, ...]:
    return tuple(row.values()) if isinstance(row, Mapping) else tuple(row)


def _measured(
    low: float | None, high: float | None, reference: float | None, limit: float | None
) -> dict[str, float | None]:
    return {"low": low, "high": high, "reference": reference, "limit": limit}
