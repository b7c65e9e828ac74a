"""Logs from seeds: what is published to the topics of predictions and models, the same in every run."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from modeltrail.drift.windows.narrow import Change, NarrowRows, told_by
from modeltrail.drift.windows.order import Position
from modeltrail.events.baselines import BaselineField, BaselineRegistered, BaselineSource
from modeltrail.events.fields import Data
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.moment import format_moment
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain, PartitionId

__all__ = [
    "CHECKS",
    "DAY_US",
    "EVENT_START_US",
    "MODELS",
    "PREDICTIONS",
    "WALL_MS",
    "Entry",
    "Log",
    "Prediction",
    "a_baseline",
    "advanced",
    "chain_of",
    "divided",
    "drawn_log",
    "rows_of",
    "told_of",
]

PREDICTIONS = tuple(PartitionId("c", "t.predictions", number) for number in range(3))
MODELS = PartitionId("c", "t.models", 0)
CHECKS = PartitionId("c", "t.checks", 0)
DAY_US = 86_400_000_000
EVENT_START_US = 15_706 * DAY_US  # 2013-01-01
WALL_MS = 1_700_000_000_000
"""The wall clock when a run begins, in milliseconds since 1970."""


class Prediction(NamedTuple):
    """A valid prediction, as far as the fold reads it."""

    model_id: str
    model_version: str
    time_us: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: a prediction, something told to the watch, or nothing of interest."""

    log_time: int
    prediction: Prediction | None = None
    told: Data | None = None


@dataclass(slots=True)
class Log:
    """What is published, in the order of the wall clock: (seconds, partition, entry)."""

    script: list[tuple[float, PartitionId, Entry]] = field(default_factory=list)
    breaks: dict[PartitionId, int] = field(default_factory=dict)
    """At which offset the second epoch of a partition begins. No record is in both: its place would be before what was
    checked already, and it would be late."""
    stuck: PartitionId | None = None
    """A partition of which nobody can say that it is idle: what is behind its last record waits for `max_wait_s`."""

    def at(
        self, seconds: float, partition: PartitionId, *, prediction: Prediction | None = None, told: Data | None = None
    ) -> None:
        """Publish something."""
        self.script.append((seconds, partition, Entry(WALL_MS + int(seconds * 1000), prediction, told)))

    @property
    def end_s(self) -> float:
        """When the last record is published."""
        return max(seconds for seconds, _, _ in self.script)

    def entries(self) -> dict[PartitionId, list[Entry]]:
        """Return what each partition holds in the end, with the log times of its chain."""
        found: dict[PartitionId, list[Entry]] = defaultdict(list)
        for _, partition, entry in sorted(self.script, key=lambda line: line[0]):
            before = found[partition][-1].log_time if found[partition] else 0
            found[partition].append(replace(entry, log_time=max(entry.log_time, before)))
        return found

    def chains(self) -> dict[Chain, Sequence[Entry]]:
        """Return what each chain holds in the end."""
        return divided(self.entries(), self.breaks)


def chain_of(partition: PartitionId) -> Chain:
    """Return the first chain of a partition."""
    return Chain(*partition, 0, 0)


def divided(
    entries: Mapping[PartitionId, Sequence[Entry]], breaks: Mapping[PartitionId, int]
) -> dict[Chain, Sequence[Entry]]:
    """Return the chains of partitions, each with its entries."""
    found: dict[Chain, Sequence[Entry]] = {}
    for partition, there in entries.items():
        at = breaks.get(partition)
        first = chain_of(partition)
        found[first] = there[:at]
        if at is not None and len(there) > at:
            found[first.next_epoch(at)] = there[at:]
    return found


def rows_of(chain: Chain, entries: Sequence[Entry], first: int = 0) -> NarrowRows:
    """Return entries of a chain, of which the first has seq `first`, as the fold reads them."""
    return NarrowRows.of_chain(
        chain,
        seq=range(first, first + len(entries)),
        log_time=[entry.log_time for entry in entries],
        time_us=[entry.prediction.time_us if entry.prediction else 0 for entry in entries],
        model=[entry.prediction.model_id if entry.prediction else None for entry in entries],
        version=[entry.prediction.model_version if entry.prediction else None for entry in entries],
    )


def told_of(chain: Chain, entries: Sequence[Entry], first: int = 0) -> list[Change]:
    """Return what entries of a chain tell the watch."""
    return [
        Change(Position.at(entry.log_time, chain, seq), told)
        for seq, entry in enumerate(entries, first)
        if (told := told_by(entry.told)) is not None
    ]


def a_baseline(model_id: str, version: str = "1", name: str = "b-1") -> BaselineRegistered:
    """Return a small baseline."""
    part = BaselineField(
        name="x", role="feature", kind="numeric", n=10, missing=0, edges=[(0.5).hex()], counts=[5, 5], groups=[0, 1],
        mean=0.5, std=0.5,
    )  # fmt: skip
    return BaselineRegistered.sealed(
        baseline_id=name, model_id=model_id, model_version=version, rows=10, kind="binary",
        source=BaselineSource(kind="sample", rows=10), fields=[part],
    )  # fmt: skip


_WINDOWS: Sequence[dict[str, Any]] = (
    {"kind": "tumbling", "size_s": 86_400},
    {"kind": "tumbling", "size_s": 7 * 86_400, "allowed_lateness_s": 3600},
    {"kind": "sliding", "size_s": 3 * 86_400, "step_s": 86_400},
    {"kind": "count", "every": 9},
    {"kind": "count", "every": 40},
    {"kind": "schedule", "cron": "@weekly", "timezone": "Europe/Berlin"},
)


def drawn_log(seed: int, *, days: int | None = None, a_day: int | None = None, models: int | None = None) -> Log:
    """Draw a log.

    Some models stop early, some are watched from late on or never, some learn what they are compared with, and some are
    told of when they are silent. Partitions are idle for long, and some begin anew.
    """
    return _Draw(random.Random(f"log {seed}"), days, a_day, models).log  # noqa: S311 - a simulation wants a seed


class _Draw:
    def __init__(self, rng: random.Random, days: int | None, a_day: int | None, models: int | None) -> None:
        self.rng = rng
        self.log = Log()
        self._days = days or rng.randint(6, 24)
        a_day = a_day or rng.randint(2, 6)
        models = models or rng.randint(1, 3)
        self._learns = rng.random() < 0.2
        if self._learns:
            a_day = max(a_day, 450 // self._days)
        self._ends = {f"m{number}": rng.choice([1.0, 1.0, rng.random()]) * self._days for number in range(models)}
        begins = {model: rng.choice([0.0, 0.0, rng.random()]) * self._days for model in self._ends}
        if models > 1 and rng.random() < 0.2:
            begins.pop("m1")  # is never watched
        idle_from, idle_to = sorted(rng.uniform(0, self._days) for _ in range(2))
        pauses = [rng.uniform(0, self._days) for _ in range(rng.choice([0, 0, 1, 2]))]
        per_second = rng.choice([0.3, 2.0, 6.0, 6.0, 20.0])
        wall = 1.0
        for number in range(self._days * a_day):
            day = number / a_day
            wall += rng.expovariate(per_second)
            if pauses and day >= min(pauses):
                pauses.remove(min(pauses))
                wall += rng.uniform(70, 150)
            for model in [model for model, begin in begins.items() if begin <= day]:
                del begins[model]
                self._set_up(model, wall)
            partition = rng.choice(PREDICTIONS)
            if partition == PREDICTIONS[2] and idle_from < day < idle_to:
                partition = PREDICTIONS[0]
            self._record(wall, partition, day)
            if rng.random() < 0.02:
                self._change(wall, day, number)
        through = EVENT_START_US + (self._days + 9) * DAY_US
        if rng.random() < 0.15:
            self._stick(wall)
        for model in self._ends:
            if rng.random() < 0.8:
                self.log.at(wall + 1, MODELS, told=advanced(model, through))
        # What comes last shows that every partition has gone on.
        for partition in (*PREDICTIONS, MODELS):
            if partition != self.log.stuck:
                self.log.at(wall + 2, partition)
        for partition, there in self.log.entries().items():
            if rng.random() < 0.15:
                self.log.breaks[partition] = rng.randint(1, len(there))

    def _stick(self, wall: float) -> None:
        """Let a partition end in the middle, so that nobody knows whether it has."""
        self.log.stuck, since = PREDICTIONS[1], self.rng.uniform(0, wall)
        self.log.script = [line for line in self.log.script if line[1] != self.log.stuck or line[0] < since]

    def _record(self, wall: float, partition: PartitionId, day: float) -> None:
        rng = self.rng
        lag = rng.choice([0.0] * 6 + [rng.uniform(0, 0.3), rng.uniform(0, 3), rng.uniform(0, 12)])
        time_us = EVENT_START_US + int((day - lag) * DAY_US)
        if rng.random() < 0.01:
            time_us = (WALL_MS + 10**9) * 1000  # a producer whose clock is wrong
        alive = [model for model, end in self._ends.items() if day <= end]
        if not alive or rng.random() < 0.06:
            self.log.at(wall, partition)  # an outcome, a gap, or something that was rejected
        else:
            made = Prediction(rng.choice(alive), rng.choice(["1", "1", "1", "2"]), time_us)
            self.log.at(wall, partition, prediction=made)

    def _set_up(self, model: str, wall: float) -> None:
        rng, log = self.rng, self.log
        a_monitor = {"monitor_id": f"{model}-a", "model_id": model, "window": rng.choice(_WINDOWS)}
        if rng.random() < 0.3:
            a_monitor["silence"] = {"max_gap_s": rng.choice([2, 10, 40])}
        if self._learns and rng.random() < 0.7:
            a_monitor["learn"] = {"predictions": 100}
        else:
            log.at(wall, MODELS, told=a_baseline(model))
        log.at(wall, MODELS, told=MonitorConfigured.model_validate(a_monitor))
        if rng.random() < 0.6:
            another = {
                "monitor_id": f"{model}-b", "model_id": model, "late_horizon": 6,
                "window": rng.choice(_WINDOWS),
                "performance": [{"metric": "error_rate", "threshold": 0.5, "label_delay_s": 2 * 86_400}],
            }  # fmt: skip
            log.at(wall, MODELS, told=MonitorConfigured.model_validate(another))

    def _change(self, wall: float, day: float, number: int) -> None:
        rng = self.rng
        model, other = (rng.choice(sorted(self._ends)) for _ in range(2))
        monitors = [
            {"monitor_id": f"{model}-b", "model_id": model, "window": {"kind": "tumbling", "size_s": 43_200}},
            {"monitor_id": f"{model}-a", "model_id": model, "enabled": rng.random() < 0.5},
            {"monitor_id": f"{model}-a", "model_id": other, "window": rng.choice(_WINDOWS)},
        ]
        told = [
            *(MonitorConfigured.model_validate(each) for each in monitors),
            a_baseline(model, name=f"b-{number}"),
            a_baseline(model, version="2", name=f"b-{number}"),
            advanced(model, EVENT_START_US + int((day - 1) * DAY_US)),
        ]
        self.log.at(wall, MODELS, told=rng.choice(told))


def advanced(model: str, through_us: int) -> MonitorAdvanced:
    """Return that all predictions of a model up to an event time, in microseconds since 1970, are sent."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=through_us)
    return MonitorAdvanced(model_id=model, through=format_moment(moment))
