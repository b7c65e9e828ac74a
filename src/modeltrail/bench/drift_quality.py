"""`modeltrail bench drift-quality`: how often the policy cries wolf, and what it finds; beside it what others do.

False raises are counted per 1,000 windows of twenty features: every feature of every window whose state counts, from
*shifted* on (it holds for the second window in a row, or is beyond doubt at once); of a peer, every feature of every
window that it raises. *Alerts* are what the policy would have sent to people. Power is the share of changes whose
feature is found within three windows.

Everything is drawn from one seed. What decides is the shipped code: references, counts, evidence, states, alerts.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from modeltrail.bench.drift_peers import PEERS, PeerFeature
from modeltrail.bench.drift_worlds import (
    CATEGORIES,
    CHANGES,
    FEATURES,
    QUIET,
    REFERENCE_ROWS,
    Change,
    Values,
    draw,
    is_categorical,
)
from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.baselines.learning import learn
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.policy.alerts import Span, Tracks, follow
from modeltrail.drift.policy.evidence import Question, ask
from modeltrail.drift.policy.policy import PRESETS, SCALES, Policy
from modeltrail.drift.policy.states import Subject, Verdict, judge
from modeltrail.drift.rows.columns import Column

__all__ = ["QualityPlan", "measure_quality"]

Stage = Callable[[str, int], Callable[[int], None]]
"""Says what begins and how many windows it has, and returns what is called with how many more are done."""

_PER = 1000
_WITHIN = 3
_HISTORY = max(SCALES) - 1
_BASELINES = 5
_LEAST = 10
_CHUNKS = 10
_TEXTS = tuple(f"category {code}" for code in range(CATEGORIES))


@dataclass(frozen=True)
class QualityPlan:
    """What is simulated. `windows` for each world and length, `changes` for each change and length."""

    windows: int = 1000
    changes: int = 100
    rows: Sequence[int] = (200, 1000, 5000)
    seed: int = 1


@dataclass
class _Model:
    """A baseline: references for the policy, and for the peers; the features of earlier windows, newest first."""

    references: list[Reference]
    peers: list[PeerFeature]
    history: list[list[FieldCounts]] = field(default_factory=list)

    def count(self, features: Sequence[Values]) -> list[FieldCounts]:
        return [reference.count(_column(at, features[at])) for at, reference in enumerate(self.references)]


class _Watch:
    """One policy over the windows of one model."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        # To count states from shifted on, as the figures do, whatever the policy tells to people.
        self._counting = replace(policy, raise_at="shifted")
        self._states: Tracks = {}
        self._alerts: Tracks = {}
        self._at = 0

    def step(self, model: _Model, now: list[FieldCounts]) -> tuple[set[int], set[int]]:
        """Return which features have a state that counts, and of which an alert is raised."""
        questions = []
        for at, reference in enumerate(model.references):
            windows = [now[at], *(counts[at] for counts in model.history[:_HISTORY])]
            tolerance = self.policy.tolerance(reference.tolerance if reference.learned else None)
            questions.append(Question(Subject("drift", "feature", str(at)), reference, windows, tolerance))
        verdicts = judge(ask(questions, self.policy).hypotheses, self.policy)
        span = Span(self._at, self._at + 1)
        self._at += 1
        self._states, _ = follow(self._states, verdicts, span, self._counting, _named)
        self._alerts, happened = follow(self._alerts, verdicts, span, self.policy, _named)
        counted = {int(verdict.subject.name) for verdict in verdicts if self._counts(verdict)}
        return counted, {int(each.subject.name) for each in happened if each.kind == "raised"}

    def _counts(self, verdict: Verdict) -> bool:
        track = self._states.get(verdict.subject)
        held = track.holds.get("shifted") if track else None
        return verdict.immediate != "stable" or (held is not None and held.windows >= self.policy.consecutive)


def _named(subject: Subject) -> str:
    return subject.name


def _column(feature: int, values: Values) -> Column:
    if not is_categorical(feature):
        return Column.from_numbers(values)
    return Column.from_codes(np.where(np.isnan(values), -1, values).astype(np.int32), _TEXTS)


def _model(world: str, rows: int, rng: np.random.Generator) -> _Model:
    """Return a model with a baseline. Where rows depend on each other, the baseline carries times, and learns it."""
    sample = draw("independent" if world == "wobble" else world, REFERENCE_ROWS, rng)
    references = []
    for at, values in enumerate(sample):
        column = _column(at, values)
        reference = Reference.from_column("feature", str(at), column)
        learned = learn(reference, column, rows) if world == "sessions" else None
        references.append(reference if learned is None else reference.with_learned(*learned))
    chunks = [draw(world, rows, rng) for _ in range(max(_CHUNKS, REFERENCE_ROWS // rows))]
    peers = [
        PeerFeature.of(values, [chunk[at] for chunk in chunks], categorical=is_categorical(at))
        for at, values in enumerate(sample)
    ]
    return _Model(references, peers)


def measure_quality(plan: QualityPlan, stage: Stage) -> dict[str, Any]:
    """Return the figures.

    `cells`: one object for each policy, world and length of a window: `policy`, `world`, `rows`, `windows`, and
    `false_raises` and `alerts` (per 1,000 windows), or `changes`, `power` and `alert_power`.
    `false_raises_default_max`: the worst of the default policy without drift or wobble; `power_default`: the mean over
    all changes and lengths.
    """
    cells = [
        cell
        for at, (world, rows) in enumerate((world, rows) for world in QUIET for rows in plan.rows)
        for cell in _quiet(world, rows, plan, np.random.default_rng((plan.seed, 0, at)), stage)
    ]
    cells += [
        cell
        for at, (change, rows) in enumerate((change, rows) for change in CHANGES for rows in plan.rows)
        for cell in _changed(change, rows, plan, np.random.default_rng((plan.seed, 1, at)), stage)
    ]
    default = [cell for cell in cells if cell["policy"] == "default"]
    powers = [cell["power"] for cell in default if "power" in cell]
    return {
        "false_raises_default_max": max(
            cell["false_raises"] for cell in default if cell["world"] in ("independent", "sessions")
        ),
        "power_default": sum(powers) / len(powers),
        "features": FEATURES,
        "reference_rows": REFERENCE_ROWS,
        "windows": plan.windows,
        "changes": plan.changes,
        "seed": plan.seed,
        "cells": cells,
    }


def _quiet(
    world: str, rows: int, plan: QualityPlan, rng: np.random.Generator, stage: Stage
) -> Iterator[Mapping[str, Any]]:
    advance = stage(f"{world}, {rows} rows", plan.windows)
    counted: dict[str, int] = defaultdict(int)
    alerts: dict[str, int] = defaultdict(int)
    for part in _parts(plan.windows):
        model = _model(world, rows, rng)
        watches = {name: _Watch(policy) for name, policy in PRESETS.items()}
        for _ in range(part):
            features = draw(world, rows, rng)
            now = model.count(features)
            for name, watch in watches.items():
                found, raised = watch.step(model, now)
                counted[name] += len(found)
                alerts[name] += len(raised)
            for peer, values in zip(model.peers, features, strict=True):
                for name, raises in zip(PEERS, peer.raises(values), strict=True):
                    counted[name] += raises
            model.history = [now, *model.history[: _HISTORY - 1]]
            advance(1)
    scale = _PER / plan.windows
    for name in (*PRESETS, *PEERS):
        cell = {"policy": name, "world": world, "rows": rows, "windows": plan.windows}
        cell["false_raises"] = counted[name] * scale
        yield cell | ({"alerts": alerts[name] * scale} if name in PRESETS else {})


def _changed(
    change: Change, rows: int, plan: QualityPlan, rng: np.random.Generator, stage: Stage
) -> Iterator[Mapping[str, Any]]:
    advance = stage(f"{change.name}, {rows} rows", plan.changes)
    found: dict[str, int] = defaultdict(int)
    alerted: dict[str, int] = defaultdict(int)
    for part in _parts(plan.changes):
        model = _model("independent", rows, rng)
        before = [model.count(draw("independent", rows, rng)) for _ in range(_HISTORY)]
        for _ in range(part):
            windows = []
            for _ in range(_WITHIN):
                features = draw("independent", rows, rng)
                features[change.feature] = change.apply(features[change.feature], rng)
                windows.append((model.count(features), features[change.feature]))
            for name, policy in PRESETS.items():
                seen, told = _sought(model, before, policy, [now for now, _ in windows], change.feature)
                found[name] += seen
                alerted[name] += told
            raised = [model.peers[change.feature].raises(values) for _, values in windows]
            for name, each in zip(PEERS, zip(*raised, strict=True), strict=True):
                found[name] += any(each)
            advance(1)
    for name in (*PRESETS, *PEERS):
        cell = {"policy": name, "world": change.name, "rows": rows, "changes": plan.changes}
        cell["power"] = found[name] / plan.changes
        yield cell | ({"alert_power": alerted[name] / plan.changes} if name in PRESETS else {})


def _sought(
    model: _Model, before: list[list[FieldCounts]], policy: Policy, windows: Sequence[list[FieldCounts]], feature: int
) -> tuple[bool, bool]:
    """Return whether the state of a feature counts within the windows, and whether people are told of it."""
    watch = _Watch(policy)
    model.history = list(before)
    seen = told = False
    for now in windows:
        counted, raised = watch.step(model, now)
        seen, told = seen or feature in counted, told or feature in raised
        model.history = [now, *model.history[: _HISTORY - 1]]
    return seen, told


def _parts(total: int) -> list[int]:
    """Return how many windows (or changes) each baseline gets: at least ten, where there are as many."""
    baselines = max(1, min(_BASELINES, total // _LEAST))
    return [total // baselines + (at < total % baselines) for at in range(baselines)]
