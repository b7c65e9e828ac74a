"""What the fold reads of the ledger: a few numbers of each entry, and the rare events that change what is watched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modeltrail.drift.windows.order import Position
from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.models import MonitorAdvanced
from modeltrail.events.monitors import MonitorConfigured
from modeltrail.ledger.chain import Chain

__all__ = ["NO_PREDICTION", "BaselineNamed", "Change", "NarrowRows", "Tick", "Told", "told_by"]

NO_PREDICTION = -1
"""The model code of an entry that is no valid `prediction.recorded`."""


@dataclass(frozen=True, slots=True, eq=False)
class NarrowRows:
    """Entries of chains of `predictions` and `models`, one row each, n rows.

    *Every* entry of a chain is here, because a cut names the last seq of each chain: outcomes, rejected records and
    gaps have `model` NO_PREDICTION. Codes are indexes of the tuples, which hold no text twice. ValueError where the
    lengths differ.
    """

    chains: tuple[Chain, ...]
    models: tuple[str, ...]
    versions: tuple[str, ...]
    chain: NDArray[np.int32]
    """Code of the chain."""
    seq: NDArray[np.int64]
    log_time: NDArray[np.int64]
    """Milliseconds since 1970."""
    time_us: NDArray[np.int64]
    """Event time in microseconds since 1970; of a valid prediction."""
    model: NDArray[np.int32]
    """Code of the model, or NO_PREDICTION."""
    version: NDArray[np.int32]
    """Code of the version; of a valid prediction."""

    def __post_init__(self) -> None:
        columns = (self.chain, self.seq, self.log_time, self.time_us, self.model, self.version)
        if len({column.shape for column in columns}) != 1 or self.chain.ndim != 1:
            raise ValueError(f"rows: columns of shapes {[column.shape for column in columns]}: expected one length")

    def __len__(self) -> int:
        return self.seq.size

    @classmethod
    def empty(cls) -> "NarrowRows":
        """Return no rows."""
        narrow, wide = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        return cls((), (), (), narrow, wide, wide, wide, narrow, narrow)

    @classmethod
    def of_chain(
        cls,
        chain: Chain,
        *,
        seq: Any,
        log_time: Any,
        time_us: Any,
        model: Sequence[str | None],
        version: Sequence[str | None],
    ) -> "NarrowRows":
        """Return rows of one chain from plain sequences; a row whose `model` is None is no prediction."""
        models = tuple(sorted({name for name in model if name is not None}))
        versions = tuple(sorted({name for name in version if name is not None}))
        of_model = {name: code for code, name in enumerate(models)}
        of_version = {name: code for code, name in enumerate(versions)}
        return cls(
            (chain,),
            models,
            versions,
            np.zeros(len(model), dtype=np.int32),
            np.asarray(seq, dtype=np.int64),
            np.asarray(log_time, dtype=np.int64),
            np.asarray(time_us, dtype=np.int64),
            np.array([NO_PREDICTION if name is None else of_model[name] for name in model], dtype=np.int32),
            np.array([0 if name is None else of_version[name] for name in version], dtype=np.int32),
        )

    @classmethod
    def concatenate(cls, parts: Sequence["NarrowRows"]) -> "NarrowRows":
        """Return all rows of all parts one after another."""
        parts = [part for part in parts if len(part)]
        if len(parts) < 2:
            return parts[0] if parts else cls.empty()
        chains = tuple(sorted({chain for part in parts for chain in part.chains}))
        models = tuple(sorted({name for part in parts for name in part.models}))
        versions = tuple(sorted({name for part in parts for name in part.versions}))
        return cls(
            chains,
            models,
            versions,
            np.concatenate([_recoded(part.chain, part.chains, chains) for part in parts]),
            np.concatenate([part.seq for part in parts]),
            np.concatenate([part.log_time for part in parts]),
            np.concatenate([part.time_us for part in parts]),
            np.concatenate([_recoded(part.model, part.models, models) for part in parts]),
            np.concatenate([_recoded(part.version, part.versions, versions) for part in parts]),
        )

    def take(self, which: Any) -> "NarrowRows":
        """Return the rows that a slice, a mask or indexes choose."""
        return NarrowRows(
            self.chains,
            self.models,
            self.versions,
            self.chain[which],
            self.seq[which],
            self.log_time[which],
            self.time_us[which],
            self.model[which],
            self.version[which],
        )

    def position(self, row: int) -> Position:
        """Return where a row stands in watch order."""
        return Position.at(int(self.log_time[row]), self.chains[self.chain[row]], int(self.seq[row]))

    def in_watch_order(self) -> "NarrowRows":
        """Return the rows sorted; quick where chains come in runs, and nothing at all where they are sorted."""
        places = sorted(range(len(self.chains)), key=self.chains.__getitem__)
        rank = np.empty(len(places), dtype=np.int32)
        rank[places] = np.arange(len(places), dtype=np.int32)
        ranks = rank[self.chain]
        earlier, later = slice(None, -1), slice(1, None)
        ahead = self.log_time[later] - self.log_time[earlier]
        level = (ranks[earlier] < ranks[later]) | (
            (ranks[earlier] == ranks[later]) & (self.seq[earlier] <= self.seq[later])
        )
        if bool(np.all((ahead > 0) | ((ahead == 0) & level))):
            return self
        order = np.lexsort((self.seq, ranks))
        return self.take(order[np.argsort(self.log_time[order], kind="stable")])

    def through(self, log_time: int) -> tuple["NarrowRows", "NarrowRows"]:
        """Divide the rows into those with at most this log_time, and the rest."""
        passed = self.log_time <= log_time
        return self.take(passed), self.take(~passed)


def _recoded(codes: NDArray[np.int32], names: tuple[Any, ...], wanted: tuple[Any, ...]) -> NDArray[np.int32]:
    of_name = {name: code for code, name in enumerate(wanted)}
    # One more at the end, where the code -1 looks: what is no prediction stays that.
    table = np.array([*(of_name[name] for name in names), NO_PREDICTION], dtype=np.int32)
    return table[codes]


class BaselineNamed(NamedTuple):
    """All that the fold needs of a `baseline.registered`."""

    baseline_id: str
    sha256: str
    model_id: str
    model_version: str


class Tick(NamedTuple):
    """A `check.completed` of kind `tick`: by the clock of the watch, a model was overdue."""

    model_id: str


Told: TypeAlias = MonitorConfigured | MonitorAdvanced | BaselineNamed | Tick
"""What changes the watch of one model."""


class Change(NamedTuple):
    """An event that is told to the watch, and where it stands: a tick in a chain of `checks`, the rest in `models`."""

    position: Position
    told: Told


def told_by(data: object) -> Told | None:
    """Return what an event's data tells the watch, None if nothing."""
    match data:
        case MonitorConfigured() | MonitorAdvanced():
            return data
        case BaselineRegistered():
            return BaselineNamed(data.baseline_id, data.sha256, data.model_id, data.model_version)
        case CheckCompleted(kind="tick"):
            return Tick(data.model_id)
        case _:
            return None
