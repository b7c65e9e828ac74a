"""Models that fell behind: so much of them waits that the last of it was given up, to be made again from the ledger.

    closings of m      c1 c2 c3 | c4 c5 ...          c1 fails, and m waits; others go on
                       set aside  given up: the fold of m before the entry of c4 is kept, and nothing else of m
    once c3 is there            |--portion--|--portion--|> m is where the others are, and goes on with them

What comes of a portion is what came the first time, but that what was chained late may be in time now: none of it was
published. A model takes its turn when none of it waits any more, one portion a turn, between two looks at the ledger.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.narrow import Change, NarrowRows, Tick
from modeltrail.drift.windows.order import Cut, Position
from modeltrail.drift.windows.watch import Watch
from modeltrail.ledger.chain import Chain, PartitionId, parse_chain
from modeltrail.watch.protocols import Frontier, Ledger
from modeltrail.watch.reading import FOR_EVER

__all__ = ["Behind", "Portion"]

ROWS = 10_000
"""Entries of each chain in a portion; more where so many have one log_time."""


class Portion(NamedTuple):
    """What came of a portion: closings in watch order, and the fold that is where the others are, None before that."""

    closings: Sequence[Closing]
    fold: Mapping[str, Any] | None


@dataclass(slots=True)
class _Model:
    watch: Watch
    x: Position
    """Ticks from here on are not in the fold."""
    ticks: list[Change] = field(default_factory=list)
    """Its ticks that were read and are not folded yet."""
    ticks_read: dict[Chain, int] = field(default_factory=dict)
    """The last tick, of any model, that was read."""


class Behind:
    """The models that fell behind, and from where each goes on."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._models: dict[str, _Model] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._models)

    def __contains__(self, model_id: str) -> bool:
        """Whether a model is one of them."""
        return model_id in self._models

    def add(self, first: Closing) -> None:
        """Take up a model whose closings from this one on, which is the first of its entry, were given up."""
        model_id, cut = first.model_id, first.fold["cut"]
        watch = Watch(cut=cut, serves=lambda each: each == model_id)
        watch.restore(first.fold)
        self._models[model_id] = _Model(watch, first.x)

    def turn(self, waits: Callable[[str], bool]) -> str | None:
        """Return whose turn it is, None where something of each of them `waits`."""
        return next((model_id for model_id in self._models if not waits(model_id)), None)

    async def go_on(self, model_id: str, cut: Cut, ticks: Mapping[Chain, Frontier]) -> Portion:
        """Fold the next portion of a model's entries, at most up to `cut`, where the others are.

        `ticks` says for each chain of checks up to which entry it was read, and the first log_time whose ticks the
        others have not got yet. A model that is where they are is none of these any more. Raises what the ledger
        raises, and nothing has been folded then.
        """
        model = self._models[model_id]
        told, ticks_read = await self._ticks(model_id, model, ticks)
        most, rows, changes, through = ROWS, NarrowRows.empty(), list[Change](), -1
        while not len(rows) and through < FOR_EVER:
            every, changes, through = await self._read(model.watch.cut, cut, most)
            rows, most = every.through(through)[0], 2 * most
        told += changes
        closings = model.watch.feed(rows, [change for change in told if change.position.log_time <= through])
        del self._models[model_id]
        if through == FOR_EVER:
            return Portion(closings, model.watch.snapshot(model_id))
        model.ticks = [change for change in told if change.position.log_time > through and _is_tick(change)]
        model.ticks_read = ticks_read
        self._models[model_id] = model  # behind the others, who have their turn first
        return Portion(closings, None)

    async def _ticks(
        self, model_id: str, model: _Model, ticks: Mapping[Chain, Frontier]
    ) -> tuple[list[Change], dict[Chain, int]]:
        """Return the ticks of a model that are not folded yet, and up to which tick of any they were read."""
        found, read = list(model.ticks), dict(model.ticks_read)
        for chain, (last, before) in ticks.items():
            first = read.get(chain, -1) + 1
            if first > last:
                continue
            _, told = await self._ledger.read(chain, first, last)
            for change in told:
                if change.position.log_time < before:
                    read[chain] = change.position.seq
                    if change.position >= model.x and change.told.model_id == model_id:
                        found.append(change)
        return found, read

    async def _read(self, after: Cut, cut: Cut, most: int) -> tuple[NarrowRows, list[Change], int]:
        """Return the next entries of each chain, what is told in them, and through which log_time none is left out."""
        parts: list[NarrowRows] = []
        changes: list[Change] = []
        through, unfinished = FOR_EVER, set[PartitionId]()
        for chain in sorted(map(parse_chain, cut), key=lambda chain: (chain.of, chain.order)):
            first, last = after.get(str(chain), -1) + 1, cut[str(chain)]
            # Entries of a later epoch come after those of the one before.
            if first > last or chain.of in unfinished:
                continue
            rows, told = await self._ledger.read(chain, first, min(last, first + most - 1))
            parts.append(rows)
            changes += told
            if last >= first + most:
                unfinished.add(chain.of)
                through = min(through, int(rows.log_time[-1]) - 1)
        return NarrowRows.concatenate(parts), changes, through


def _is_tick(change: Change) -> bool:
    return isinstance(change.told, Tick)
